"""The figure of `my_study`."""

from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames

from .plan import Ensemble


def width(frames: Frames) -> Figure:
    """Standard deviation of the residuals against the width."""
    figure, axes = style.canvas([["width"]], 2.6, width=3.4)
    runs = frames.run.of(Ensemble)
    stds = {case.num_units: table.groupby("sample").residual.var().sum() ** 0.5 for _, case, table in runs}
    sizes, ax = sorted(stds), axes["width"]
    ax.plot(sizes, [stds[M] for M in sizes], "o-", color=style.colours(1)[0])
    ax.set(xlabel="width $M$", ylabel="deviation of the residuals", yscale="log")
    style.sizes_axis(ax, sizes)
    return figure


FIGURES = {"width": width}

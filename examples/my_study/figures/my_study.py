"""The figure of `my_study`."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.my_study.measure import deviations


def width(frames: Frames) -> Figure:
    """Standard deviation of the residuals against the width."""
    found = dict(sorted(deviations(frames.tables).items()))
    figure, axes = style.canvas([["width"]], 2.6, width=3.4)
    ax = axes["width"]
    ax.plot(list(found), list(found.values()), "o-", color=style.colours(1)[0])
    ax.set_yscale("log")
    style.sizes_axis(ax, list(found))
    ax.set_xlabel("width $M$")
    ax.set_ylabel("deviation of the residuals")
    return figure


FIGURES = {"width": width}

"""Figure of the study `sampling`: ensembles above; step size, dimension and factorised families below."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.replicated import part_of
from zeroloss.studies.sampling.plan import Chaos, Collapse, Factorised, Finite, Langevin

PANELS = {
    "laws of ensembles": (Finite, ("covariance", "corrected"), "particles $J$", "covariance over target's", "linear"),
    "collapse": (Collapse, ("rate",), "particles $J$", r"rate of $\log\lambda_{\min}(C)$", "linear"),
    "to the limit": (Chaos, ("distance",), "particles $J$", r"$\mathrm{E}|u-v|^2$", "log"),
    "bias of a step": (Langevin, ("bias",), "$1/h$", "$W_2/h$", "linear"),
    "steps needed": (Langevin, ("steps",), r"$d$ or $1/\varepsilon$", "least number of steps", "log"),
    "factorised": (Factorised, ("ratio", "gap"), "dimension $d$", "variance kept, entropy lost", "log"),
}
WORDS = {
    "dimension": "in $d$", "accuracy": r"in $1/\varepsilon$", "gaussian": "Gaussian", "cosh": r"$\log\cosh$",
    "d1": "$d=1$", "d2": "$d=2$", "d3": "$d=3$", "r0.5": r"$\rho=0.5$", "r0.9": r"$\rho=0.9$", "diabetes": "data",
}  # fmt: skip


def _measured(ax: Axes, table: pd.DataFrame, quantity: str, named: bool, filled: bool) -> None:
    """Means of a quantity over size, two standard errors about them, and what was derived."""
    parts = part_of(table, quantity)
    for (where, part), colour, marker in zip(parts, style.colours(len(parts)), style.MARKERS, strict=False):
        sizes = part.groupby("size")
        mean, error, derived = sizes.value.mean(), 2 * sizes.value.sem().fillna(0.0), sizes.predicted.mean()
        style.intervals(ax, mean.index, mean, mean - error, mean + error, colour, marker, filled, 3.0)
        ax.plot(mean.index, derived, "-" if len(mean) > 1 else "_", color=colour, markersize=14)
        if named:
            word = WORDS.get(where.partition(".j")[0], where)
            style.note(ax, word, (mean.index[-1], mean.iloc[-1]), (0, 5), ha="center", color=colour)


def samplers(frames: Frames) -> Figure:
    """What the limit, the step and the family leave out: measured (markers) and derived (lines)."""
    figure, axes = style.canvas([list(PANELS)[:3], list(PANELS)[3:]], 3.5)
    for name, (kind, quantities, across, up, scale) in PANELS.items():
        table = frames.run.one(kind)[2]
        sizes = table.loc[table.quantity == quantities[0], "size"].unique()
        for quantity in quantities:
            _measured(axes[name], table, quantity, quantity == quantities[0], quantity != "corrected")
        axes[name].set(xlabel=across, ylabel=up, xscale="log", yscale=scale)
        axes[name].margins(0.18)
        if len(sizes) < 6:
            style.sizes_axis(axes[name], sizes)
    style.names(axes, {name: name for name in PANELS})
    return figure


FIGURES = {"samplers": samplers}

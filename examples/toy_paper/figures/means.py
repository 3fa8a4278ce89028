"""The figure of `means`."""

from __future__ import annotations

from matplotlib.figure import Figure
from means.plan import Means

from ledger.paper.drawing import Frames


def rate(frames: Frames) -> Figure:
    """Spread of the mean against the number of draws, beside the line that the theory gives."""
    figure = Figure(figsize=(3.4, 2.4), layout="constrained")
    ax = figure.subplots()
    spreads = {case.size: table["mean"].std() for _, case, table in frames.run.of(Means)}
    ax.loglog(list(spreads), list(spreads.values()), "o", label="measured")
    ax.loglog(list(spreads), [(12 * n) ** -0.5 for n in spreads], "-", label=r"$(12n)^{-1/2}$")
    ax.set_xlabel("draws $n$")
    ax.set_ylabel("spread of the mean")
    ax.legend()
    return figure


FIGURES = {"rate": rate}

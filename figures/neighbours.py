"""The figure of the study `neighbours`: errors of greedy algorithms."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.neighbours.plan import Neighbours
from zeroloss.studies.replicated import means, part_of


def greedy(frames: Frames) -> Figure:
    """Errors of the orthogonal and of the pure greedy algorithm over the number of neurons, in both norms."""
    figure, axes = style.canvas([["l2", "h1"]], 2.6)
    _, case, table = frames.run.one(Neighbours)
    looks = dict(zip(case.powers, zip(style.colours(len(case.powers)), style.MARKERS, strict=False), strict=True))
    for kind, fill in (("greedy", "full"), ("pure", "none")):
        for where, part in part_of(table, kind):
            power, norm = where[1:].split(".")
            (n, errors), ax, (colour, marker) = means(part), axes[norm], looks[int(power)]
            ax.plot(n, errors, marker, color=colour, markersize=2.6, fillstyle=fill)
            if kind == "greedy":
                ax.plot(n, errors[0] * (n / n[0]) ** -part.predicted.iloc[0], color=colour, linewidth=0.8)
            ax.set(yscale="log", xlabel="neurons", ylabel="error")
            style.sizes_axis(ax, [case.first_neurons, case.num_neurons])
    style.names(axes, {"l2": "in $L^2$", "h1": "in $H^1$"})
    marks = [style.entry("orthogonal", marker="o"), style.entry("pure", marker="o", filled=False)]
    powers = [style.entry(f"$k={power}$", colour, "-", marker) for power, (colour, marker) in looks.items()]
    style.legend(figure, [*powers, *marks])
    return figure


FIGURES = {"greedy": greedy}

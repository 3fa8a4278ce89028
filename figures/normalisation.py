"""Figure of the study `normalisation`: λ against γ, where training ends, what the last γ does."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.normalisation.laws import MANY, Batch
from zeroloss.studies.normalisation.measure import CLAIMS
from zeroloss.studies.normalisation.plan import Descent, Spectrum

KINDS = {"differentiated": "differentiated", "held": "held", "printed": "as printed", "plain": "without BatchNorm"}
NETS = {"plain": "plain", "differentiated": "BatchNorm", "linear": "last layer alone"}
RATES = {"share": (r"one share of $\eta^*$", "-"), "fixed": ("one rate", "--")}
COLOURS = style.colours(4)


def largest(frames: Frames) -> Figure:
    """λ against γ by the recursions, and measured at γ = 1; where training ends; loss against the last γ."""
    figure, axes = style.canvas([["flattening", "edge", "multiplier"]], 2.5)
    rows, kinds, nets, rates = frames.estimates, [], [], []
    num_layers, gammas = next(frames.run.of(Spectrum))[1].num_layers, np.geomspace(0.5, 6.0, 60)
    ax = axes["flattening"]
    for (kind, name), colour, line in zip(KINDS.items(), COLOURS, ("-", "--", ":", "-."), strict=True):
        ax.plot(gammas, [Batch("relu", MANY, num_layers, gamma=g).top(kind) for g in gammas], line, color=colour)
        if kind in CLAIMS:
            ratio = rows.loc[rows.key == f"{CLAIMS[kind]}/top/{kind}.relu.c0"].estimate
            ax.plot([1.0] * len(ratio), ratio * Batch("relu", MANY, num_layers).top(kind), "o", color=colour)
        kinds.append(style.entry(f"(a) {name}", colour, line))
    ax.set(yscale="log", xlabel=r"$\gamma$", ylabel=r"$\lambda/N$")
    style.sizes_axis(ax, [0.5, 1, 2, 4])
    ax, horizon = axes["edge"], max(frames.run.one(Descent)[1].horizons)
    for i, ((kind, name), colour, marker) in enumerate(zip(NETS.items(), COLOURS, style.MARKERS, strict=False)):
        part = rows.loc[(rows.quantity == "edge") & rows.cell.str.startswith(f"t{horizon}.{kind}")]
        x = part.cell.str.partition(".m")[2].astype(float) + 0.02 * (i - 1)
        style.intervals(ax, x, part.estimate, part.lower, part.upper, colour, marker)
        nets.append(style.entry(name, colour, marker=marker))
    ax.set(yscale="log", xlabel=r"momentum $m$", ylabel=r"rate over $\eta^*$", xlim=(-0.1, 1.0), ylim=(0.8, 12.0))
    ax.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    ax.minorticks_off()
    style.key(ax, *nets, loc="upper right")
    ax = axes["multiplier"]
    for (quantity, (name, line)), colour, marker in zip(RATES.items(), COLOURS, style.MARKERS, strict=False):
        part = rows.loc[rows.quantity == quantity]
        part = part.assign(gamma=part.cell.str[1:].astype(float)).sort_values("gamma")
        style.intervals(ax, part.gamma, part.estimate, part.lower, part.upper, colour, marker)
        ax.plot(part.gamma, part.estimate, line, color=colour, linewidth=0.8)
        style.sizes_axis(ax, list(part.gamma))
        rates.append(style.entry(name, colour, line, marker))
    ax.set(yscale="log", xlabel=r"last $\gamma$", ylabel="loss after training")
    style.key(ax, *rates, loc="lower right")
    style.names(axes, flattening="largest eigenvalue", edge="where training ends", multiplier="digits")
    style.legend(figure, kinds)
    return figure


FIGURES = {"largest": largest}

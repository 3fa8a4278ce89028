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
RATES = {"share": r"one share of $\eta^*$", "fixed": "one rate"}
LOOKS = {"share": ("-", "o"), "fixed": ("--", "s")}
LINES = ("-", "--", ":", "-.")


def largest(frames: Frames) -> Figure:
    """λ against γ by the recursions, and measured at γ = 1; where training ends; loss against the last γ."""
    figure, axes = style.canvas([["flattening", "edge", "multiplier"]], 2.7)
    _, case, _ = next(frames.run.of(Spectrum))
    ax, gammas, rows = axes["flattening"], np.geomspace(0.5, 6.0, 60), frames.estimates
    kinds, nets, rates = (style.by_colour(list(names)) for names in (KINDS, NETS, RATES))
    for (kind, colour), line in zip(kinds.items(), LINES, strict=True):
        tops = [Batch("relu", MANY, case.num_layers, gamma=g).top(kind) for g in (1.0, *gammas)]
        ax.plot(gammas, tops[1:], line, color=colour)
        if kind in CLAIMS:
            ratio = rows.loc[rows.key == f"{CLAIMS[kind]}/top/{kind}.relu.c0"].estimate
            ax.plot(ratio / ratio, ratio * tops[0], "o", color=colour)
    ax.set(yscale="log", xlabel=r"$\gamma$", ylabel=r"$\lambda/N$")
    style.sizes_axis(ax, [0.5, 1, 2, 4])
    (_, descent, _), ax = frames.run.one(Descent), axes["edge"]
    for i, (kind, colour) in enumerate(nets.items()):
        part = rows.loc[(rows.quantity == "edge") & rows.cell.str.startswith(f"t{max(descent.horizons)}.{kind}")]
        x = part.cell.str.partition(".m")[2].astype(float) + 0.02 * (i - 1)
        style.intervals(ax, x, part.estimate, part.lower, part.upper, colour, style.MARKERS[i])
    ax.set(yscale="log", xlabel=r"momentum $m$", ylabel=r"rate over $\eta^*$", xlim=(-0.1, 1.0), ylim=(0.8, None))
    ax.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    ax.minorticks_off()
    ax = axes["multiplier"]
    for quantity, (line, marker) in LOOKS.items():
        part = rows.loc[rows.quantity == quantity]
        part = part.assign(gamma=part.cell.str[1:].astype(float)).sort_values("gamma")
        style.intervals(ax, part.gamma, part.estimate, part.lower, part.upper, rates[quantity], marker)
        ax.plot(part.gamma, part.estimate, line, color=rates[quantity], linewidth=0.8)
        style.sizes_axis(ax, list(part.gamma))
    ax.set(yscale="log", xlabel=r"last $\gamma$", ylabel="loss after training")
    style.names(axes, flattening="largest eigenvalue", edge="where training ends", multiplier="digits")
    style.legend(
        figure,
        [style.entry(KINDS[kind], colour, line) for (kind, colour), line in zip(kinds.items(), LINES, strict=True)],
        [style.entry(NETS[one], nets[one], marker=marker) for one, marker in zip(NETS, style.MARKERS, strict=False)],
        [style.entry(RATES[one], rates[one], line, marker) for one, (line, marker) in LOOKS.items()],
    )
    return figure


FIGURES = {"largest": largest}

"""The figure of the study `sparsity`: what the flow finds, how it balances, and exponents against depth."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.replicated import means, part_of
from zeroloss.studies.sparsity.factors import minimiser
from zeroloss.studies.sparsity.measure import exponent
from zeroloss.studies.sparsity.plan import Theory
from zeroloss.studies.sparsity.risks import theorem_exponent

MARKED = {"large": "o", "small": "s"}  # starts of the flow


def sparsity(frames: Frames) -> Figure:
    """Ends of the flow over targets; imbalance over λt; exponents of the risk over depth."""
    figure, axes = style.canvas([["switch", "balance", "depth"]], 2.5)
    _, case, table = frames.run.one(Theory)
    shown = style.by_colour([layers for layers in case.factor_layers if layers > 2][::2])
    depths, smooth = style.by_colour(case.flow_layers), style.by_colour(case.alphas)
    markers = dict(zip(case.alphas, style.MARKERS, strict=False))
    y, ends = np.linspace(0.0, 1.0, 801), dict(part_of(table, "end"))
    for layers, colour in shown.items():
        axes["switch"].plot(y, minimiser(y, layers, case.factor_decay), color=colour, linewidth=0.8)
        for kind, marker in MARKED.items():
            found = means(ends[f"l{layers}.{kind}"])
            axes["switch"].plot(*found, marker, color=colour, markersize=2.4, fillstyle="none")
    axes["switch"].set(xlabel="target $y$", ylabel="coefficient $a$", xlim=(0, 0.8), ylim=(-0.05, 0.8))
    for i, (where, part) in enumerate(part_of(table, "imbalance")):
        axes["balance"].plot(*means(part), "o", color=depths[int(where[1:])], markersize=6 - 3 * i)
    y *= case.decay_time
    axes["balance"].plot(y, np.exp(-4 * y), color=style.GUIDE, linewidth=0.8)
    axes["balance"].set(yscale="log", xlabel=r"$\lambda t$", ylabel="$D(t)/D(0)$")
    for where, part in part_of(table, "risk"):
        alpha, layers = (float(word) for word in where[1:].split(".l"))
        axes["depth"].plot(layers, exponent(part), markers[alpha], color=smooth[alpha], markersize=3.5)
    depth = np.geomspace(3, max(case.rate_layers), 60)
    for alpha, colour in smooth.items():
        axes["depth"].plot(depth, [theorem_exponent(alpha, one) for one in depth], color=colour, linewidth=0.8)
        axes["depth"].axhline((2 * alpha - 1) / (2 * alpha), color=colour, linewidth=0.8, linestyle=":")
    axes["depth"].set(ylabel="exponent of the risk", xlabel="layers $L$", ylim=(0.1, 1.0))
    style.sizes_axis(axes["depth"], case.rate_layers)
    style.names(axes, {"switch": "what the flow finds", "balance": "balance", "depth": "exponents"})
    starts = [style.entry(f"{kind} starts", marker=marker, filled=False) for kind, marker in MARKED.items()]
    style.key(axes["switch"], *style.lines(shown, "$L={}$"), *starts, loc="upper left")
    style.key(axes["balance"], *style.lines(depths, "$L={}$", marker="o"), loc="upper right")
    worst = [style.entry(rf"$\alpha={a:g}$", colour, marker=markers[a]) for a, colour in smooth.items()]
    rates = style.entry("bound", linestyle="-"), style.entry("linear", linestyle=":")
    style.key(axes["depth"], *worst, *rates, loc="lower right", ncols=2, columnspacing=0.8)
    return figure


FIGURES = {"sparsity": sparsity}

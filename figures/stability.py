"""Figures of the study `stability`: restrained oscillations, the edge, the last bit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.replicated import part_of
from zeroloss.studies.stability.measure import BITS, spread
from zeroloss.studies.stability.plan import Accuracy, Central, Delay, Restrained


def restrained(frames: Frames) -> Figure:
    """The attractor of the map of one number with points of the network, and its exponent, over Δt α/2."""
    figure, axes = style.canvas([["orbit"], ["exponent"]], 3.6, sharex=True, height_ratios=[1.6, 1])
    _, case, table = frames.run.one(Restrained)
    known = dict(iter(table.groupby("quantity")))
    blue, orange = style.colours(2)
    ax = axes["orbit"]
    ax.plot(known["drawn"]["size"], known["drawn"].value, ",", color=blue, alpha=0.6)
    ax.plot(known["network"]["size"], known["network"].value, "o", color=orange, markersize=2.2, markeredgewidth=0)
    ax.set(ylabel=r"$|c|$ late in training", ylim=(0, None))
    ax, exponents = axes["exponent"], known["drawn_exponent"].sort_values("size")
    ax.plot(exponents["size"], exponents.value, color=blue, linewidth=0.8)
    measured = known["rate_error"].groupby("cell").value.mean()
    ax.plot(measured.index.str[1:].astype(float), measured, "o", color=orange)
    ax.axhline(0.0, color=style.GUIDE, linewidth=0.6)
    ax.set(ylim=(-2.0, 1.0), xlim=(0.2, 1.02), xlabel=r"step $\Delta t\,\alpha/2$", ylabel="exponent")
    onset = dict(part_of(table, "onset"))["checkerboard"].predicted.iloc[0] * case.decay / 2
    for name, at in ((r"$\Delta t_c$", onset), (r"$2/\alpha$", 1.0)):
        for ax in axes.values():
            ax.axvline(at, color=style.GUIDE, linewidth=0.8, linestyle="--")
        style.note(axes["exponent"], name, (at, -1.8), (-3, 0), ha="right", bbox=style.PATCH)
    style.names(axes, {"orbit": "restrained oscillation", "exponent": "growth of the last bit"})
    style.legend(figure, [style.entry("map of one number", blue, "-"), style.entry("all weights", orange, marker="o")])
    return figure


def edge(frames: Frames) -> Figure:
    """Curvature and variance beside the central flow, exits by size of the noise, spread by growth of tangents."""
    figure, axes = style.canvas([["curvature", "delay"], ["variance", "spread"]], 4.4)
    blue, orange, green = style.colours(3)
    _, _, table = frames.run.one(Central)
    curvature, variance = (part_of(table, f"drawn_{quantity}")[0][1] for quantity in ("S", "variance"))
    ax = axes["curvature"]
    ax.plot(curvature.replicate, curvature.value, color=blue, linewidth=0.8)
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8, linestyle="--")
    ax.set(xlabel="step", ylabel=r"$S\eta/2$")
    ax = axes["variance"]
    ax.plot(variance.replicate, variance.value.cumsum(), color=blue)
    ax.plot(variance.replicate, variance.predicted.cumsum(), color=orange, linestyle="--")
    ax.set(xlabel="step", ylabel=r"$\Sigma x^2$ and $\Sigma\sigma^2$")
    _, _, table = frames.run.one(Delay)
    exits, ax = dict(part_of(table, "exit_error")), axes["delay"]
    noise = {where: np.exp(-part.predicted.to_numpy()) for where, part in part_of(table, "growth")}
    for where, part in exits.items():
        marker, colour, size = ("*", green, 7) if where.startswith("float") else ("o", blue, 3.5)
        ax.plot(noise[where], part.value, marker, color=colour, markersize=size, markeredgewidth=0)
    order = sorted(noise, key=lambda where: noise[where].mean())
    x, y = ([noise[where] for where in order], [exits[where].predicted for where in order])
    ax.plot(np.array(x), np.array(y), color=orange, linewidth=0.7, zorder=1)
    ax.set(xscale="log", xlabel=r"noise $\varepsilon$ in each weight", ylabel="step at which $S$ turns")
    _, _, table = frames.run.one(Accuracy)
    growth, ax = dict(part_of(table, "tangent")), axes["spread"]
    for (kind, bits), colour, marker in zip(BITS.items(), (green, blue), ("s", "o"), strict=True):
        found = dict(part_of(table, f"factor_{kind}"))
        x, y = [growth[where].value.iloc[0] for where in found], [spread(part) for part in found.values()]
        ax.plot(x, y, marker, color=colour, markersize=5 if marker == "s" else 3)
        ax.axvline(bits * np.log(2), color=colour, linewidth=0.8, linestyle="--")
        at = {"xycoords": ("data", "axes fraction"), "color": colour, "rotation": 90, "va": "top", "ha": "right"}
        style.note(ax, kind, (bits * np.log(2), 0.97), (-2, 0), **at)
    ax.set(xlabel=r"growth $\Lambda$ of tangents", ylabel="spread of accuracy")
    style.names(axes, dict(zip(axes, ("curvature", "delayed exit", "variance", "last bit"), strict=True)))
    words = style.entry("predicted", orange, "--"), style.entry("rounding alone", green, marker="*")
    style.legend(figure, [style.entry("descent", blue, "-", "o"), *words])
    return figure


FIGURES = {"restrained": restrained, "edge": edge}

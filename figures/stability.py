"""Figures of the study `stability`: restrained oscillations, the edge, the last bit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.stability.measure import BITS, cells
from zeroloss.studies.stability.plan import Accuracy, Central, Delay, Restrained

Array = np.ndarray


def restrained(frames: Frames) -> Figure:
    """The attractor of the map of one number with points of the network, and its exponent, over Δt α/2."""
    figure, axes = style.canvas([["orbit"], ["exponent"]], 3.6, sharex=True, height_ratios=[1.6, 1])
    _, _, table = frames.run.one(Restrained)
    known = {q: dict(cells(table, q)) for q in ("drawn", "drawn_exponent", "network", "rate")}
    grid = {where: float(where[1:]) for where in known["drawn"]}
    blue, orange = style.colours(2)
    ax = axes["orbit"]
    for where, share in grid.items():
        ax.plot(np.full(len(known["drawn"][where]), share), known["drawn"][where], ",", color=blue, alpha=0.6)
    for where, values in known["network"].items():
        ax.plot(np.full(len(values), float(where[1:])), values, "o", color=orange, markersize=2.2, markeredgewidth=0)
    ax.set(ylabel=r"$|c|$ late in training", ylim=(0, None))
    ax = axes["exponent"]
    order = sorted(grid, key=lambda where: grid[where])
    ax.plot([grid[w] for w in order], [known["drawn_exponent"][w][0] for w in order], color=blue, linewidth=0.8)
    measured = known["rate"]
    ax.plot([float(w[1:]) for w in measured], [v.mean() for v in measured.values()], "o", color=orange)
    ax.axhline(0.0, color=style.GUIDE, linewidth=0.6)
    ax.set(ylim=(-2.0, 1.0), xlim=(0.2, 1.02), xlabel=r"step $\Delta t\,\alpha/2$", ylabel="exponent")
    onset, end = (float(dict(cells(table, q))["checkerboard"][0]) for q in ("onset", "band_end"))
    for name, at, side in ((r"$\Delta t_c$", onset / end, "right"), (r"$2/\alpha$", 1.0, "right")):
        for ax in axes.values():
            ax.axvline(at, color=style.GUIDE, linewidth=0.8, linestyle="--")
        style.note(axes["exponent"], name, (at, -1.8), (-3, 0), ha=side, bbox=style.PATCH)
    style.names(axes, {"orbit": "restrained oscillation", "exponent": "growth of the last bit"})
    shown = [style.entry("map of one number", blue, "-"), style.entry("all weights", orange, marker="o")]
    style.legend(figure, shown)
    return figure


def edge(frames: Frames) -> Figure:
    """Curvature and variance beside the central flow, exits by size of the noise, spread by growth of tangents."""
    figure, axes = style.canvas([["curvature", "delay"], ["variance", "spread"]], 4.4)
    blue, orange, green = style.colours(3)
    _, _, table = frames.run.one(Central)
    series = {q: dict(cells(table, f"drawn_{q}"))["first"] for q in ("S", "x2", "variance")}
    ax = axes["curvature"]
    ax.plot(series["S"], color=blue, linewidth=0.8)
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8, linestyle="--")
    ax.set(xlabel="step", ylabel=r"$S\eta/2$")
    ax = axes["variance"]
    ax.plot(np.cumsum(series["x2"]), color=blue)
    ax.plot(np.cumsum(series["variance"]), color=orange, linestyle="--")
    ax.set(xlabel="step", ylabel=r"$\Sigma x^2$ and $\Sigma\sigma^2$")
    _, _, table = frames.run.one(Delay)
    known = {q: dict(cells(table, q)) for q in ("exit", "exit_predicted", "log_noise")}
    ax = axes["delay"]
    noise = {where: np.exp(-values) for where, values in known["log_noise"].items()}
    for where, exits in known["exit"].items():
        marker, colour = ("*", green) if where.startswith("float") else ("o", blue)
        ax.plot(noise[where], exits, marker, color=colour, markersize=7 if marker == "*" else 3.5, markeredgewidth=0)
    order = sorted(noise, key=lambda where: noise[where].mean())
    for i in range(len(noise[order[0]])):
        predicted = [known["exit_predicted"][where][i] for where in order]
        ax.plot([noise[where][i] for where in order], predicted, color=orange, linewidth=0.7, zorder=1)
    ax.set(xscale="log", xlabel=r"noise $\varepsilon$ in each weight", ylabel="step at which $S$ turns")
    _, _, table = frames.run.one(Accuracy)
    growth, ax = dict(cells(table, "growth")), axes["spread"]
    for (kind, bits), colour, marker in zip(BITS.items(), (green, blue), ("s", "o"), strict=True):
        spread = {where: v.std() for where, v in cells(table, f"factor_{kind}")}
        ax.plot([growth[w][0] for w in spread], list(spread.values()), marker, color=colour)
        ax.axvline(bits * np.log(2), color=colour, linewidth=0.8, linestyle="--")
        at = {"xycoords": ("data", "axes fraction"), "color": colour, "rotation": 90, "va": "top", "ha": "right"}
        style.note(ax, kind, (bits * np.log(2), 0.97), (-2, 0), **at)
    ax.set(xlabel=r"growth $\Lambda$ of tangents", ylabel="spread of accuracy")
    titles = {"curvature": "curvature", "delay": "delayed exit", "variance": "variance", "spread": "last bit"}
    style.names(axes, titles)
    words = style.entry("predicted", orange, "--"), style.entry("rounding alone", green, marker="*")
    style.legend(figure, [style.entry("descent", blue, "-", "o"), *words])
    return figure


FIGURES = {"restrained": restrained, "edge": edge}

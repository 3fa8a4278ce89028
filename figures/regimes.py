"""Figures of the study `regimes`: exponents, deviations from affine maps; weights along the depth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.regimes.bridge import LARGEST
from zeroloss.studies.regimes.measure import share_of_largest
from zeroloss.studies.regimes.plan import Chains, Exponents, Kink, Starts
from zeroloss.studies.regimes.small import EXPONENTS
from zeroloss.studies.replicated import part_of

KINDS = {"shared": r"shared $\delta$", "own": r"$\delta_k$", "one": r"$\delta=1$", "inverse": r"$\delta=1/L$"}
ACTIVATIONS = {"tanh": ("o", True), "gelu": ("s", False)}


def _lines(ax: Axes, table: pd.DataFrame, quantity: str, exponents: dict[tuple[str, str], float]) -> None:
    """Means over replicates against L, with lines of the predicted slope through the last."""
    parts = dict(part_of(table, quantity))
    for (kind, activation), exponent in exponents.items():
        colour = style.by_colour(list(EXPONENTS))[kind]
        marker, filled = ACTIVATIONS[activation]
        mean = parts[f"{kind}.{activation}"].groupby("size").value.mean()
        ax.plot(mean.index, mean, marker, color=colour, markerfacecolor=colour if filled else "white")
        ax.plot(mean.index, mean.iloc[-1] * (mean.index / mean.index[-1]) ** exponent, color=colour, linewidth=0.8)
    ax.set(yscale="log", xlabel="layers $L$")
    style.sizes_axis(ax, sorted(table["size"].unique()))


def exponents(frames: Frames) -> Figure:
    """δ, ‖A‖ and the affine deviation against the depth, with the predicted slopes."""
    figure, axes = style.canvas([["norm", "delta", "deviation"]], 2.9)
    _, case, table = frames.run.one(Exponents)
    table = table.loc[table.share == max(case.shares)]
    both = [(kind, activation) for kind in EXPONENTS for activation in ACTIVATIONS]
    _lines(axes["norm"], table, "norm", {key: -EXPONENTS[key[0]][1] for key in both})
    _lines(axes["delta"], table, "delta", {key: -EXPONENTS[key[0]][0] for key in both})
    powers = {"tanh": 2, "gelu": 1}
    _lines(axes["deviation"], table, "deviation", {k: -powers[k[1]] * EXPONENTS[k[0]][1] for k in both})
    axes["norm"].set(ylabel=r"$\max_k\|A_k\|$")
    axes["delta"].set(ylabel=r"$\delta$")
    axes["deviation"].set(ylabel="distance from affine maps")
    style.names(axes, {"norm": "weights", "delta": "scales", "deviation": "trained map"})
    kinds = [style.entry(KINDS[kind], colour, "-") for kind, colour in style.by_colour(list(EXPONENTS)).items()]
    named = [
        style.entry(n, marker=m, filled=f) for n, (m, f) in zip(("tanh", "GELU"), ACTIVATIONS.values(), strict=True)
    ]
    style.legend(figure, [*kinds, *named])
    return figure


def regularity(frames: Frames) -> Figure:
    """Quadratic variation by start; share of the largest increments; the level of random branches over β."""
    figure, axes = style.canvas([["variation", "share", "line"]], 2.9)
    _, _, table = frames.run.one(Starts)
    _, case, kinks = frames.run.one(Kink)
    smallest = f"relu.h{min(case.steps):g}"
    shown = {"path.tanh": "path", "brownian.tanh": "Brownian", "independent.tanh": "independent"}
    parts, ax = dict(part_of(table, "variation")), axes["variation"]
    colours = style.by_colour([*shown, smallest])
    for cell, marker in zip(shown, style.MARKERS, strict=False):
        mean = parts[cell].groupby("size").value.mean()
        ax.plot(mean.index, mean, marker, color=colours[cell], linestyle="-", linewidth=0.8)
    mean = dict(part_of(kinks, "variation"))[smallest].groupby("size").value.mean()
    ax.plot(mean.index, mean, style.MARKERS[3], color=colours[smallest], linestyle="-", linewidth=0.8)
    style.sizes_axis(ax, sorted({*table["size"], *kinks["size"]}))
    ax.set(yscale="log", xlabel="layers $L$", ylabel="quadratic variation")
    ax = axes["share"]
    cells = {smallest: "ReLU", f"regularised-{smallest}": "regularised ReLU", "brownian": "Brownian"}
    looks = zip(cells.items(), (colours[smallest], "0.3", colours["brownian.tanh"]), style.MARKERS, strict=False)
    entries = []
    for (cell, words), colour, marker in looks:
        for L, line in zip(sorted(kinks["size"].unique())[-2:], ("--", "-"), strict=False):
            pairs = [share_of_largest(kinks, cell, L, k) for k in LARGEST]
            values = [largest.sum() / total.sum() for largest, total in pairs]
            ax.plot(LARGEST, values, marker, color=colour, linestyle=line, linewidth=0.8)
        entries.append(style.entry(words, colour, marker=marker))
    ax.legend(handles=entries)
    style.sizes_axis(ax, LARGEST)
    ax.set(xlabel="largest increments of a unit", ylabel="share of the variation", ylim=(0, 1.02))
    _line(axes["line"], frames)
    style.names(axes, {"variation": "after training", "share": "jumps", "line": "critical line"})
    named = [*shown.values(), "path, ReLU"]
    looks = zip(named, colours.values(), style.MARKERS, strict=False)
    style.legend(figure, [style.entry(words, colour, "-", marker) for words, colour, marker in looks])
    return figure


def _line(ax: Axes, frames: Frames) -> None:
    """Mean log displacement against β − H."""
    _, case, table = frames.run.one(Chains)
    for (where, part), colour, marker in zip(
        part_of(table, "level"), style.colours(len(case.hursts)), style.MARKERS, strict=False
    ):
        mean = part.groupby("size").value.mean()
        hurst = float(where[1:])
        ax.plot(
            np.asarray(mean.index, dtype=float) - hurst,
            mean,
            marker,
            color=colour,
            label=f"$H={hurst:g}$",
            markersize=3,
        )
    ax.axhline(0.0, color=style.GUIDE, linewidth=0.8)
    ax.axvline(0.0, color=style.GUIDE, linewidth=0.8, linestyle=":")
    ax.set(xlabel=r"$\beta-H$", ylabel="mean log displacement")
    ax.legend()


FIGURES = {"exponents": exponents, "regularity": regularity}

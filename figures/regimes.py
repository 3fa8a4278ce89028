"""Figures of the study `regimes`: exponents, deviations from affine maps; weights along the depth."""

from __future__ import annotations

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
FILLED = {"tanh": True, "gelu": False}
MARKERS = dict(zip(KINDS, style.MARKERS, strict=False))


def _lines(ax: Axes, table: pd.DataFrame, quantity: str, exponents: dict[tuple[str, str], float]) -> None:
    """Means over replicates against L, with lines of the predicted slope through the last."""
    parts, colours = dict(part_of(table, quantity)), style.by_colour(list(KINDS))
    for (kind, activation), exponent in exponents.items():
        colour = colours[kind]
        mean = parts[f"{kind}.{activation}"].groupby("size").value.mean()
        ax.plot(
            mean.index, mean, MARKERS[kind], color=colour, markerfacecolor=colour if FILLED[activation] else "white"
        )
        ax.plot(mean.index, mean.iloc[-1] * (mean.index / mean.index[-1]) ** exponent, color=colour, linewidth=0.8)
    ax.set(yscale="log", xlabel="layers $L$")
    style.sizes_axis(ax, sorted(table["size"].unique()))


def exponents(frames: Frames) -> Figure:
    """δ, ‖A‖ and the affine deviation against the depth, with the predicted slopes."""
    figure, axes = style.canvas([["norm", "delta", "deviation"]], 2.9)
    _, case, table = frames.run.one(Exponents)
    table = table.loc[table.share == max(case.shares)]
    both = [(kind, activation) for kind in EXPONENTS for activation in FILLED]
    _lines(axes["norm"], table, "norm", {key: -EXPONENTS[key[0]][1] for key in both})
    _lines(axes["delta"], table, "delta", {key: -EXPONENTS[key[0]][0] for key in both})
    powers = {"tanh": 2, "gelu": 1}
    _lines(axes["deviation"], table, "deviation", {k: -powers[k[1]] * EXPONENTS[k[0]][1] for k in both})
    axes["norm"].set(ylabel=r"$\max_k\|A_k\|$")
    axes["delta"].set(ylabel=r"$\delta$")
    axes["deviation"].set(ylabel="distance from affine maps")
    style.names(axes, {"norm": "weights", "delta": "scales", "deviation": "trained map"})
    colours = style.by_colour(list(KINDS))
    kinds = [style.entry(words, colours[kind], "-", MARKERS[kind]) for kind, words in KINDS.items()]
    style.legend(figure, [*kinds, style.entry("tanh", marker="o"), style.entry("GELU", marker="o", filled=False)])
    return figure


def regularity(frames: Frames) -> Figure:
    """Quadratic variation by start; share of the largest increments; the level of random branches over β."""
    figure, axes = style.canvas([["variation", "share", "line"]], 2.9)
    _, _, table = frames.run.one(Starts)
    _, case, kinks = frames.run.one(Kink)
    relu = f"relu.h{min(case.steps):g}"
    shown = {"path.tanh": "path", "brownian.tanh": "Brownian", "independent.tanh": "independent", relu: "path, ReLU"}
    looks = dict(zip(shown, zip(style.colours(len(shown)), style.MARKERS, strict=False), strict=True))
    parts, ax = dict(part_of(table, "variation") + part_of(kinks, "variation")), axes["variation"]
    for cell, (colour, marker) in looks.items():
        mean = parts[cell].groupby("size").value.mean()
        ax.plot(mean.index, mean, marker, color=colour, linestyle="-", linewidth=0.8)
    style.sizes_axis(ax, sorted({*table["size"], *kinks["size"]}))
    ax.set(yscale="log", xlabel="layers $L$", ylabel="quadratic variation")
    ax, entries = axes["share"], []
    cells = {
        relu: ("ReLU", looks[relu]),
        f"regularised-{relu}": ("regularised ReLU", ("0.3", "v")),
        "brownian": ("Brownian", looks["brownian.tanh"]),
    }
    for cell, (words, (colour, marker)) in cells.items():
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
    style.legend(figure, [style.entry(words, looks[cell][0], "-", looks[cell][1]) for cell, words in shown.items()])
    return figure


def _line(ax: Axes, frames: Frames) -> None:
    """Mean log displacement against β − H."""
    _, _, table = frames.run.one(Chains)
    for (where, part), colour, marker in style.series(part_of(table, "level")):
        mean, hurst = part.groupby("size").value.mean(), float(where[1:])
        ax.plot(mean.index - hurst, mean, marker, color=colour, label=f"$H={hurst:g}$", markersize=3)
    ax.axhline(0.0, color=style.GUIDE, linewidth=0.8)
    ax.axvline(0.0, color=style.GUIDE, linewidth=0.8, linestyle=":")
    ax.set(xlabel=r"$\beta-H$", ylabel="mean log displacement")
    ax.legend()


FIGURES = {"exponents": exponents, "regularity": regularity}

"""Figure of the study `imitation`: error over the law, error against depth four ways, losses after each start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import student
from zeroloss.model.arrays import Array
from zeroloss.studies.imitation.measure import best, corrected
from zeroloss.studies.imitation.plan import Layers, Thinning
from zeroloss.studies.replicated import by_size, ratio_of

WAYS = {"thinned": "units alone", "forced": "forced", "sequential": "sequential", "distance": "from scratch"}
STARTS = {"sequential": "imitated", "distance": "scratch"}
KINDS = {"plain": ("-", True), "residual": ("--", False)}


def draw(ax: Axes, x: Sequence[float], samples: Sequence[Array], kind: str, colour: Any, marker: str) -> None:
    """Means over replicates with their intervals: of logarithms, where the axis has them."""
    (line, filled), found = KINDS[kind], [student(values, CONFIDENCE) for values in samples]
    means = np.array([(one.value, one.lower, one.upper) for one in found]).T
    middle, lower, upper = 10.0**means if ax.get_yscale() == "log" else means
    ax.plot(x, middle, line, color=colour)
    style.intervals(ax, x, middle, lower, upper, colour, marker, filled, size=3.0, caps=0.0)


def errors(frames: Frames) -> Figure:
    """Thinned networks over the law; four ways to a thin network; losses of the deepest after two starts."""
    figure, axes = style.canvas([["law", "depth", "loss"]], 2.9)
    four = style.colours(4)
    axes["law"].axhline(1.0, color=style.GUIDE, linewidth=0.8)
    axes["law"].set(xscale="log", xlabel="effective width $mM/(M-m)$", ylabel="error over its law")
    axes["depth"].set(yscale="log", xlabel="layers $L$", ylabel="mean square error")
    axes["loss"].set(xscale="log", yscale="log", xlabel="steps + 5", ylabel="loss")
    for _, case, table in frames.run.of(Thinning):
        for where, part, _ in corrected(table):
            problem, kind, depth = where.split(".")
            sizes = {size: ratio_of(one) for size, one in by_size(part)}
            i, least = case.num_layers.index(int(depth[1:])), min(sizes)
            draw(axes["law"], [*sizes], [*sizes.values()], kind, four[[*KINDS].index(kind)], style.MARKERS[i])
            if kind == "plain":
                style.note(axes["law"], problem, (least, sizes[least].mean()), (-4, 0), ha="right", va="center")
    for _, case, table in frames.run.of(Layers):
        kind, deepest = case.network, f"{case.network}.l{max(case.num_layers)}."
        for way, colour, marker in zip(WAYS, four, style.MARKERS, strict=False):
            quantity = way if way == "distance" else f"{way}.m{case.kept[0]}"
            found = [best(table, quantity, kind, L) for L in case.num_layers]
            draw(axes["depth"], case.num_layers, found, kind, colour, marker)
            if start := STARTS.get(way):
                steps = sorted(table.loc[table.quantity == start, "size"].unique())
                found = [best(table, start, deepest, step) for step in steps]
                draw(axes["loss"], [step + 5 for step in steps], found, kind, colour, marker)
        style.sizes_axis(axes["depth"], case.num_layers)
    style.names(axes, {"law": "thinned", "depth": "four ways", "loss": "training"})
    marks = zip(WAYS.values(), four, style.MARKERS, strict=False)
    kinds = [style.entry(kind, linestyle=line, marker="o", filled=filled) for kind, (line, filled) in KINDS.items()]
    style.legend(figure, [style.entry(name, colour, marker=marker) for name, colour, marker in marks], kinds)
    return figure


FIGURES = {"errors": errors}

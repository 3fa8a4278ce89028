"""The figure of the benchmark: peers, bounds, scaling and memory."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.draw_limits import costs
from benchmarks.report import BOUNDS
from benchmarks.rows import OURS, Row, pick
from figures import style

__all__ = ["FIGURES", "overview"]

WORKS = {"gradient": "gradient", "training": "training"}


def _peers(ax: Axes, rows: list[Row]) -> None:
    """CPU time of each peer over ours, per work and precision, with quartiles."""
    ratios = pick(rows, quantity="cpu_ratio")
    peers = list(dict.fromkeys(row.method for row in ratios))
    kinds = [(work, case) for work in WORKS
             for case in dict.fromkeys(row.case for row in pick(ratios, work=work))]
    if not ratios:
        return style.missing(ax, "peers")
    for i, (work, case) in enumerate(kinds):
        own = pick(ratios, work=work, case=case)
        places = [peers.index(row.method) + 0.18 * (i - (len(kinds) - 1) / 2) for row in own]
        colour = style.colours(len(WORKS))[list(WORKS).index(work)]
        for place, row in zip(places, own, strict=True):
            ax.errorbar(row.value, place, xerr=[[row.value - row.lower], [row.upper - row.value]],
                        fmt=style.MARKERS[list(WORKS).index(work)], color=colour, capsize=1.5,
                        elinewidth=0.8, markeredgewidth=0.8,
                        markerfacecolor=colour if case == "float64" else "white")
    ax.axvline(1.0, color=style.GUIDE, linewidth=0.8)
    ax.set_xscale("log")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100)
             if tick <= 1.5 * max(row.value for row in ratios)]
    ax.set_xticks(ticks, [f"{tick}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(range(len(peers)), peers)
    ax.invert_yaxis()
    ax.set_xlabel("CPU time, peer/zeroloss")
    return None


def _bounds(ax: Axes, rows: list[Row]) -> None:
    """Seconds of ours on W1 above the parts of the bound, float64."""
    bound = {row.method: row.value
             for row in pick(rows, work="bound", quantity="seconds", case="float64")}
    ours = pick(rows, work="gradient", case="float64", method=OURS, quantity="cpu_seconds")
    if not bound or not ours:
        return style.missing(ax, "bounds")
    bars = {"zeroloss": ours[0].value, **{name: bound[name] for name in BOUNDS}}
    colours = style.colours(2)
    ax.barh(range(len(bars)), [1e3 * seconds for seconds in bars.values()], height=0.6,
            color=[colours[0], *["0.7"] * len(BOUNDS)])
    ax.set_yticks(range(len(bars)), list(bars))
    ax.invert_yaxis()
    ax.set_xlabel("time of one gradient (ms), float64")
    return None


def _scaling(ax: Axes, rows: list[Row]) -> None:
    """CPU time against the factor by which one size grows, with exponents."""
    exponents = pick(rows, work="scaling", quantity="exponent")
    if not exponents:
        return style.missing(ax, "scaling")
    top = 1.0
    for i, (one, colour) in enumerate(zip(exponents, style.colours(len(exponents)), strict=True)):
        points = pick(rows, work="scaling", case=one.case, quantity="cpu_seconds")
        first = points[0]
        factors = [point.size / first.size for point in points]
        top = max(top, *factors)
        ax.plot(factors, [point.value / first.value for point in points], color=colour,
                marker=style.MARKERS[i], label=f"{one.case}: {one.value:.2f}")
    ends = np.array([1.0, top])
    ax.plot(ends, ends, color=style.GUIDE, linewidth=0.8, zorder=1, label="linear")
    style.sizes_axis(ax, [2.0**i for i in range(round(np.log2(top)) + 1)])
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlabel("factor by which the size grows")
    ax.set_ylabel("CPU time, relative")
    ax.legend(loc="upper left", handletextpad=0.5)
    return None


def _memory(ax: Axes, rows: list[Row]) -> None:
    """Peak memory over what must be held, against the steps."""
    own = [row for row in pick(rows, work="memory", quantity="ratio") if row.repeats]
    if not own:
        return style.missing(ax, "memory")
    methods = list(dict.fromkeys(row.method for row in own))
    for i, (method, colour) in enumerate(zip(methods, style.colours(len(methods)), strict=True)):
        points = pick(own, method=method)
        ax.plot([point.size for point in points], [point.value for point in points],
                color=colour, marker=style.MARKERS[i])
        ax.annotate(method, (points[-1].size, points[-1].value), xytext=(5, 0),
                    textcoords="offset points", va="center", color=colour, fontsize=style.SMALL)
    style.sizes_axis(ax, [row.size for row in own])
    steps = [row.size for row in own]
    ax.set_xlim(min(steps) * 0.85, max(steps) * (max(steps) / min(steps)) ** 0.5)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_ylim(bottom=0.0)
    ticks = [tick for tick in (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
             if tick < 2 * max(row.value for row in own) or tick <= 0.1]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("steps of gradient descent")
    ax.set_ylabel("peak memory / held data")
    return None


def overview(rows: list[Row]) -> Figure:
    """Four panels: peers, bounds, scaling, memory."""
    figure, axes = style.canvas([["peers", "bounds"], ["scaling", "memory"]], 5.0)
    _peers(axes["peers"], rows)
    _bounds(axes["bounds"], rows)
    _scaling(axes["scaling"], rows)
    _memory(axes["memory"], rows)
    style.names(axes, {"peers": "Peers", "bounds": "Bounds of the machine",
                       "scaling": "Exponents", "memory": "Memory"})
    colours = style.colours(len(WORKS))
    style.legend(figure, [
        *(style.entry(work, colour, marker=style.MARKERS[i])
          for i, (work, colour) in enumerate(zip(WORKS, colours, strict=True))),
        style.entry("float64", marker="o"),
        style.entry("float32", marker="o", markerfacecolor="white")])
    return figure


FIGURES = {"bench": overview, "bench-cost": costs}

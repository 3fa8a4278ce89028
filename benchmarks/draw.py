"""The figures of the benchmark: peers, bounds, scaling and memory; what an accuracy costs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.brute import NAME as BRUTE
from benchmarks.depth_peers import MAKERS
from benchmarks.report import BOUNDS
from benchmarks.rows import OURS, Row, pick
from figures import style

__all__ = ["FIGURES", "costs", "overview"]

WORKS = ("gradient", "training")
METHODS = (OURS, *MAKERS, BRUTE)


def _names(rows: list[Row], field: str) -> list[Any]:
    return list(dict.fromkeys(getattr(row, field) for row in rows))


def _ticks(axis: Axis, ticks: list[float]) -> None:
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _peers(ax: Axes, rows: list[Row]) -> None:
    """CPU time of each peer over ours, per work and precision, with quartiles."""
    ratios = [row for row in pick(rows, quantity="cpu_ratio") if row.work in WORKS]
    peers = _names(ratios, "method")
    kinds = [(work, case) for work in WORKS for case in _names(pick(ratios, work=work), "case")]
    for row in ratios:
        i = WORKS.index(row.work)
        place = peers.index(row.method) + 0.18 * (kinds.index((row.work, row.case)) - 1.5)
        colour = style.colours(len(WORKS))[i]
        mark = {
            "color": colour,
            "capsize": 1.5,
            "elinewidth": 0.8,
            "markeredgewidth": 0.8,
            "markerfacecolor": colour if row.case == "float64" else "white",
        }
        ends = [[row.value - row.lower], [row.upper - row.value]]
        ax.errorbar(row.value, place, xerr=ends, fmt=style.MARKERS[i], **mark)
    ax.axvline(1.0, color=style.GUIDE, linewidth=0.8)
    ax.set_xscale("log")
    top = 1.5 * max(row.value for row in ratios)
    _ticks(ax.xaxis, [tick for tick in (1, 2, 5, 10, 20, 50, 100) if tick <= top])
    ax.set_yticks(range(len(peers)), peers)
    ax.invert_yaxis()
    ax.set_xlabel("CPU time, peer/zeroloss")


def _bounds(ax: Axes, rows: list[Row]) -> None:
    """Seconds of ours on W1 above the parts of the bound, float64."""
    own = [
        *pick(rows, work="gradient", case="float64", method=OURS, quantity="cpu_seconds"),
        *(row for name in BOUNDS for row in pick(rows, work="bound", quantity="seconds", case="float64", method=name)),
    ]
    colours = [style.colours(2)[0], *["0.7"] * len(BOUNDS)]
    ax.barh(range(len(own)), [1e3 * row.value for row in own], height=0.6, color=colours)
    ax.set_yticks(range(len(own)), [row.method for row in own])
    ax.invert_yaxis()
    ax.set_xlabel("time of one gradient (ms), float64")


def _scaling(ax: Axes, rows: list[Row]) -> None:
    """CPU time against the factor by which one size grows, with exponents."""
    exponents = pick(rows, work="scaling", quantity="exponent")
    top = 1.0
    for i, (one, colour) in enumerate(zip(exponents, style.colours(len(exponents)), strict=True)):
        points = pick(rows, work="scaling", case=one.case, quantity="cpu_seconds")
        factors = [point.size / points[0].size for point in points]
        times = [point.value / points[0].value for point in points]
        top = max(top, *factors)
        label = f"{one.case}: {one.value:.2f}"
        ax.plot(factors, times, color=colour, marker=style.MARKERS[i], label=label)
    ax.plot([1.0, top], [1.0, top], color=style.GUIDE, linewidth=0.8, zorder=1, label="linear")
    style.sizes_axis(ax, [2.0**i for i in range(round(np.log2(top)) + 1)])
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlabel("factor by which the size grows")
    ax.set_ylabel("CPU time, relative")
    ax.legend(loc="upper left", handletextpad=0.5)


def _memory(ax: Axes, rows: list[Row]) -> None:
    """Peak memory over what must be held, against the steps."""
    own = [row for row in pick(rows, work="memory", quantity="ratio") if row.repeats]
    methods, steps = _names(own, "method"), [row.size for row in own]
    for i, (method, colour) in enumerate(zip(methods, style.colours(len(methods)), strict=True)):
        points = [(row.size, row.value) for row in pick(own, method=method)]
        words = {"va": "center", "color": colour, "fontsize": style.SMALL}
        ax.plot(*zip(*points, strict=True), color=colour, marker=style.MARKERS[i])
        ax.annotate(method, points[-1], xytext=(5, 0), textcoords="offset points", **words)
    style.sizes_axis(ax, steps)
    ax.set_xlim(min(steps) * 0.85, max(steps) * (max(steps) / min(steps)) ** 0.5)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_ylim(bottom=0.0)
    top = max(0.1, 2 * max(row.value for row in own))
    _ticks(ax.yaxis, [tick for tick in (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0) if tick <= top])
    ax.set_xlabel("steps of gradient descent")
    ax.set_ylabel("peak memory / held data")


PANELS = {
    "peers": (_peers, "gradient", "Peers"),
    "bounds": (_bounds, "bound", "Bounds of the machine"),
    "scaling": (_scaling, "scaling", "Exponents"),
    "memory": (_memory, "memory", "Memory"),
}


def overview(rows: list[Row]) -> Figure:
    """Four panels: peers, bounds, scaling, memory."""
    figure, axes = style.canvas([["peers", "bounds"], ["scaling", "memory"]], 5.0)
    for name, (panel, work, _) in PANELS.items():
        if pick(rows, work=work):
            panel(axes[name], rows)
        else:
            style.missing(axes[name], name)
    style.names(axes, {name: title for name, (_, _, title) in PANELS.items()})
    entries = [*map(style.entry, WORKS, style.colours(2), ["none"] * 2, style.MARKERS)]
    entries += [style.entry("float64", marker="o"), style.entry("float32", marker="o", filled=False)]
    style.legend(figure, entries)
    return figure


def _case(ax: Axes, rows: list[Row]) -> None:
    """Relative errors and CPU seconds at the accuracies asked for, by each method.

    The error of the rule in θ that zeroloss states is that of all who share the rule.
    """
    stated = {row.size: row.value for row in pick(rows, quantity="stated_error")}
    for i, (method, colour) in enumerate(zip(METHODS, style.colours(len(METHODS)), strict=True)):
        own = [row for row in pick(rows, method=method, quantity="cpu_seconds") if row.repeats]
        if not own:
            continue
        found = sorted((row.size if method == BRUTE else stated[row.size], row.value) for row in own)
        errors, seconds = np.array(found).T
        mark: dict[str, Any] = {"color": colour, "marker": style.MARKERS[i]}
        if method != BRUTE:
            ax.plot(errors, seconds, **mark)
            continue
        measured, taken = (
            [row.value for row in pick(rows, method=method, quantity=quantity)]
            for quantity in ("network_error", "network_seconds")
        )
        ax.plot(measured, taken, linestyle="none", **mark)
        ends = np.array([errors[0], max(errors[-1], *measured)])
        ax.plot(ends, seconds[0] * (errors[0] / ends) ** 2, color=colour, linestyle="--", zorder=1)
        ax.plot(errors, seconds, linestyle="none", markerfacecolor="white", **mark)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.invert_xaxis()
    ax.set_xlabel("relative error of $E(\\rho(s))$")


def costs(rows: list[Row]) -> Figure:
    """CPU seconds against relative error, a panel for each problem."""
    own = pick(rows, work="limit")
    cases = _names(own, "case") or ["limit"]
    figure, axes = style.canvas([cases], 3.0)
    for case in cases:
        if own:
            _case(axes[case], pick(own, case=case))
        else:
            style.missing(axes[case], "limit")
    axes[cases[0]].set_ylabel("CPU time (s)")
    style.share_rows([axes[case] for case in cases])
    style.names(axes, {case: case for case in cases})
    colours = style.colours(len(METHODS))
    entries = [*map(style.entry, METHODS, colours, ["-", "-", "-", "none"], style.MARKERS)]
    open_mark = {"marker": style.MARKERS[3], "filled": False}
    style.legend(figure, [*entries, style.entry("extrapolated", colours[-1], "--", **open_mark)])
    return figure


FIGURES = {"bench": overview, "bench-cost": costs}

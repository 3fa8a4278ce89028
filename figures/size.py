"""Figures of the study `size`: success over depth and width, and the width required."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from scipy.interpolate import PchipInterpolator

from figures import style
from ledger.paper.drawing import Frames
from ledger.record.interval import CONFIDENCE, Interval, simultaneous
from ledger.record.statistics import clopper_pearson
from zeroloss.studies.size.demands import demand, middle
from zeroloss.studies.size.evidence import Evidence, Ladder

Array = np.ndarray
CONTOURS = (0.05, 0.5, 0.95)
CONTOUR_LINES = (":", "--", "-")
FINE = 40  # widths at which contours are computed
NAMES = {
    "theorem": "theorem with constants",
    "chebyshev": "Chebyshev with $\\Sigma$",
    "law": "predicted law",
    "measured": "measured",
}
METHODS = tuple(NAMES)


def _shades() -> Colormap:
    low, high = style.colours(2)[1], style.colours(1)[0]
    return LinearSegmentedColormap.from_list("success", [low, "white", high])


def _paler(shades: Colormap) -> Colormap:
    """The same half way to white: marks in full colour stand out on it."""
    ends = [0.5 + 0.5 * np.array(shades(x)[:3]) for x in (0.0, 0.5, 1.0)]
    return LinearSegmentedColormap.from_list("paler", ends)


def phases(frames: Frames) -> Figure:
    """Probability of |E − E(ρ)| ≤ ε over depth and width: predicted contours, trained networks."""
    evidence = Evidence(frames.run)
    ladders = sorted(evidence.with_role("phases"), key=lambda one: one.num_layers)
    figure, axes = style.canvas([["map", "slices"]], 3.5, width_ratios=[1.1, 1.0])
    if not ladders:
        style.missing(axes["map"], "networks over depth and width")
        return figure
    shades, eps = _shades(), ladders[0].accuracies[0]
    _contours(axes["map"], evidence, ladders, shades)
    cells = sum(len(ladder.risks) for ladder in ladders)
    colours = style.by_colour([ladder.num_layers for ladder in ladders])
    for ladder in ladders:
        _marks(axes, evidence, ladder, shades, colours[ladder.num_layers], simultaneous(cells))
    ax = axes["slices"]
    ax.set(xlabel="width $M$", ylabel=r"$P(|E-E(\rho)|\leq\varepsilon)$", ylim=(-0.03, 1.03))
    style.sizes_axis(ax, sorted(ladders[0].risks))
    title = f"{ladders[0].setting}, {style.time_label(ladders[0].flow_times[0])}, $\\varepsilon={eps:g}$"
    style.names(axes, map=title, slices="the same, depth by depth")
    levels = zip(CONTOURS, CONTOUR_LINES, strict=True)
    style.legend(
        figure,
        [style.entry(f"predicted {100 * level:g} %", linestyle=line) for level, line in levels],
        [
            style.entry("trained: agrees with the law", marker="o", filled=False),
            style.entry("does not", marker="X", color=style.colours(5)[4]),
        ],
        style.lines(colours, "$L={}$", marker="o"),
    )
    return figure


def _success(evidence: Evidence, ladder: Ladder, depth: int, widths: Array) -> Array:
    """Predicted success (widths,) of independent layers of one depth."""
    law = evidence.law(ladder.setting, ladder.role, depth, ladder.sampling).law
    return np.array([1.0 - law.failure(depth * M, ladder.accuracies[0], 0) for M in widths])


def _contours(ax: Axes, evidence: Evidence, ladders: list[Ladder], shades: Colormap) -> None:
    """Predicted success between the depths at which it is predicted, in logarithmic axes."""
    _, depths = evidence.depths("phases")
    M = sorted(ladders[0].risks)
    deepest = 1.5 * ladders[-1].num_layers
    inside = [depth for depth in depths if depth <= deepest]
    widths = np.geomspace(M[0] / 1.5, M[-1] * 1.5, FINE)
    predicted = np.array([_success(evidence, ladders[0], L, widths) for L in inside])
    fine = np.geomspace(inside[0], inside[-1], FINE)
    height = PchipInterpolator(np.log(inside), predicted, axis=0)(np.log(fine)).clip(0.0, 1.0)
    ax.contourf(fine, widths, height.T, levels=np.linspace(0.0, 1.0, 26).tolist(), cmap=_paler(shades), zorder=0)
    look = {"colors": "0.15", "linestyles": CONTOUR_LINES, "linewidths": 1.1, "zorder": 2}
    ax.contour(fine, widths, height.T, levels=CONTOURS, **look)
    ax.set_yscale("log")
    style.sizes_axis(ax, [ladder.num_layers for ladder in ladders])
    ax.set_yticks(M, [f"{m:g}" for m in M])
    ax.yaxis.set_minor_locator(NullLocator())
    shallow, deep = ladders[0].num_layers / 1.35, ladders[-1].num_layers * 1.35
    ax.set(xlim=(shallow, deep), ylim=(M[0] / 1.5, M[-1] * 1.5), xlabel="depth $L$", ylabel="width $M$")


def _marks(
    axes: dict[str, Axes], evidence: Evidence, ladder: Ladder, shades: Colormap, colour: Any, family: Interval
) -> None:
    """Trained networks of one depth in both panels, and the predicted curve in the second."""
    predicted, eps, L = evidence.predicted(ladder), ladder.accuracies[0], ladder.num_layers
    M = sorted(ladder.risks)
    fine = np.geomspace(M[0], M[-1], FINE)
    axes["slices"].plot(fine, _success(evidence, ladder, L, fine), color=colour, zorder=2)
    for m in M:
        failed, total = ladder.failures(m, predicted.law.reference, eps, 0)
        seen = clopper_pearson(total - failed, total, CONFIDENCE)
        held = clopper_pearson(total - failed, total, family)
        expected, error = 1.0 - predicted.law.failure(L * m, eps, 0), predicted.error(L * m, eps, 0)
        agrees = held.lower - error <= expected <= held.upper + error
        axes["map"].plot(
            [L],
            [m],
            marker="o" if agrees else "X",
            markersize=7,
            markerfacecolor=shades(seen.value),
            markeredgewidth=0.9,
            markeredgecolor="0.15" if agrees else style.colours(5)[4],
            zorder=3,
        )
        style.intervals(axes["slices"], [m], [seen.value], [seen.lower], [seen.upper], colour, "o", size=3.0)


def width(frames: Frames) -> Figure:
    """log10 of the width that each method requires, against the failure probability."""
    evidence = Evidence(frames.run)
    ladders = evidence.with_role("ladder")
    settings = list(dict.fromkeys(ladder.setting for ladder in ladders))
    rows = [[f"theorem {name}" for name in settings], [f"others {name}" for name in settings]]
    figure, axes = style.canvas(rows, 4.2, height_ratios=[1.0, 2.2])
    etas, colours = evidence.common.failure_probabilities, style.by_colour(METHODS)
    for ladder in ladders:
        time, eps = ladder.times()[-1], middle(ladder)
        demands = [demand(evidence, ladder, eps, eta, time) for eta in etas]
        top, below = axes[f"theorem {ladder.setting}"], axes[f"others {ladder.setting}"]
        _curve(top, ladder, etas, [one.log10_theorem for one in demands], "theorem", colours)
        for name in METHODS[1:]:
            values = [getattr(one, name) for one in demands]
            logs = [math.log10(value) if 0 < value < math.inf else math.nan for value in values]
            _curve(below, ladder, etas, logs, name, colours)
    for name in settings:
        of_law = {ladder.sampling: f"{middle(ladder):g}" for ladder in ladders if ladder.setting == name}
        words = [value if law == "independent" else f"{value} (paths)" for law, value in of_law.items()]
        look: dict[str, Any] = {"xycoords": "axes fraction", "ha": "right", "color": "0.35", "fontsize": 7}
        style.note(axes[f"others {name}"], rf"$\varepsilon$ = {', '.join(words)}", (0.98, 0.03), **look)
    _dress(axes, settings, etas)
    style.names(axes, {f"theorem {name}": name for name in settings})
    marked = zip(METHODS, style.MARKERS, strict=False)
    methods = [style.entry(NAMES[name], colours[name], "-", marker) for name, marker in marked]
    style.legend(figure, methods, style.law_entries(lines=True))
    return figure


def _curve(
    ax: Axes, ladder: Ladder, etas: Sequence[float], values: list[float], name: str, colours: dict[str, Any]
) -> None:
    marker, colour = style.MARKERS[METHODS.index(name)], colours[name]
    line, face = ("-", colour) if ladder.sampling == "independent" else ("--", "white")
    ax.plot(etas, values, color=colour, linestyle=line, marker=marker, markersize=3.5, markerfacecolor=face)


def _dress(axes: dict[str, Axes], settings: list[str], etas: Sequence[float]) -> None:
    """Logarithmic axis of η, certain to the right; few ticks."""
    ticks = [eta for eta in (0.5, 0.1, 0.02) if min(etas) <= eta <= max(etas)]
    for name, ax in axes.items():
        ax.set(xscale="log", xlim=(max(etas) * 1.2, min(etas) / 1.2))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(ticks, [f"{eta:g}" for eta in ticks])
        style.few_ticks(ax.yaxis, 3 if name.startswith("theorem") else 5)
        ax.ticklabel_format(axis="y", useOffset=False)
        low, high = ax.get_ylim()
        if high - low < 1.0:
            ax.set_ylim(low - 0.5, high + 0.5)
        if name.startswith("others"):
            ax.set_xlabel(r"failure probability $\eta$")
        else:
            ax.tick_params(labelbottom=False)
    axes[f"theorem {settings[0]}"].set_ylabel(r"$\log_{10}M$")
    axes[f"others {settings[0]}"].set_ylabel(r"$\log_{10}M$")
    style.share_rows([axes[f"others {name}"] for name in settings])


FIGURES = {"phases": phases, "width": width}

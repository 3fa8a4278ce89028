"""How fast networks of `limits` approach the limit, in width and in depth."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.limits_data import (
    LAWS,
    evidence_of,
    law_entries,
    limit_traces,
    main_setting,
    time_entries,
)
from zeroloss.drawing import Frames
from zeroloss.statistics import bootstrap, student, trace_ratio
from zeroloss.studies.limits.evidence import Ensemble, Evidence
from zeroloss.tidy import untidy

__all__ = ["rates"]

Array = np.ndarray
Gaps = dict[float, tuple[list[tuple[float, float, float]], float]]  # by s: intervals, floor


def rates(frames: Frames) -> Figure:
    """Std of the residuals against M and L, and the depth gap at M = ∞ and on fixed paths."""
    setting = main_setting(frames)
    evidence = evidence_of(frames, setting)
    times = evidence.flow_times(setting)
    figure, axes = style.canvas([["M", "L"], ["wide", "paths"]], 5.2)
    _fluctuations(axes["M"], evidence, setting, "units")
    _fluctuations(axes["L"], evidence, setting, "layers")
    _wide_gap(axes["wide"], evidence, setting)
    _paths_gap(axes["paths"], evidence, times)
    axes["M"].set_ylabel(r"std of residuals, $(\mathrm{tr}\,\mathrm{Cov}\,r/N)^{1/2}$")
    axes["wide"].set_ylabel(r"depth gap of residuals, $|r_L-r|/\sqrt{N}$")
    style.names(axes, {"M": f"{setting}: fluctuation against width",
                       "L": f"{setting}: fluctuation against depth",
                       "wide": r"depth gap at $M=\infty$", "paths": "depth gap on smooth paths"})
    floor = style.entry("error of the reference", marker="s", color="0.85", markersize=8)
    style.legend(figure, time_entries(times), [*law_entries(lines=True), floor])
    return figure


def _fluctuations(ax: Axes, evidence: Evidence, setting: str, role: str) -> None:
    """Measured and predicted std per law and flow time; guides of slopes −1/2 and 0."""
    size, other = ("num_units", "num_layers") if role == "units" else ("num_layers", "num_units")
    sizes: list[float] = []
    at = []
    ax.set_yscale("log")
    for law in LAWS:
        group = evidence.with_role(role, setting=setting, sampling=law)
        if not group:
            continue
        x = np.array([getattr(e, size) for e in group], dtype=float)
        sizes += list(x)
        fixed = ", ".join(str(n) for n in sorted({getattr(e, other) for e in group}))
        at.append(f"{fixed} ({'independent' if law == 'independent' else 'paths'})")
        heights = _law_of_std(ax, x, group, limit_traces(evidence, setting, law))
        if law == "path" and role == "layers":
            _guide(ax, x, max(heights) * 1.4, 0.0)
        elif law == "independent":
            _guide(ax, x, min(heights) * 0.65, -0.5)
    if not sizes:
        style.missing(ax, "networks of several sizes")
        return
    style.sizes_axis(ax, sizes)
    name, symbol = (("width $M$", "L") if role == "units"
                    else ("depth $L$", "M"))
    ax.set_xlabel(f"{name}, at ${symbol}$ = {', '.join(at)}")


def _law_of_std(ax: Axes, x: Array, group: list[Ensemble], traces: Array | None) -> list[float]:
    """Series of one law, one per flow time; returns its heights at the smallest size."""
    filled = group[0].sampling == "independent"
    N = group[0].residuals.shape[-1]
    counts = np.array([e.count for e in group])
    heights = []
    for t, colour in enumerate(style.colours(len(group[0].flow_times))):
        found = [trace_ratio(e.residuals[:, t], float(N)) for e in group]
        value, lower, upper = (np.sqrt([max(getattr(f, part), 0.0) for f in found])
                               for part in ("value", "lower", "upper"))
        style.intervals(ax, x, value, lower, upper, colour, style.MARKERS[t], filled)
        heights.append(value[0])
        if traces is not None:
            ax.plot(x, np.sqrt(traces[t] / N / counts), color=colour,
                    linestyle="-" if filled else "--", zorder=2)
    return heights


def _guide(ax: Axes, x: Array, y: float, slope: float) -> None:
    """A reference slope over the first half of the sizes."""
    if len(x) > 1:
        text = {-0.5: "slope $-1/2$", 0.0: "slope $0$", -1.0: "slope $-1$"}[slope]
        style.slope_guide(ax, (x[0], float(np.sqrt(x[0] * x[-1]))), y, slope, text)


def _wide_gap(ax: Axes, evidence: Evidence, setting: str) -> None:
    """Gap of the wide limit, scramble by scramble on common rules, at s > 0."""
    depths, r = evidence.ladder(setting)  # depths −1 (fewer nodes), 0 (the limit), L, …
    gap = np.sqrt(((r - r[:, [depths.index(0)]]) ** 2).mean(-1))  # scrambles, depths, T
    finite = [i for i, depth in enumerate(depths) if depth > 0]
    series: Gaps = {}
    for t, s in enumerate(evidence.flow_times(setting)):
        if s > 0:
            found = [student(gap[:, i, t]) for i in finite]
            series[s] = ([(f.value, f.lower, f.upper) for f in found], float(gap[:, 0, t].max()))
    _gaps(ax, [depths[i] for i in finite], evidence.flow_times(setting), series)


def _paths_gap(ax: Axes, evidence: Evidence, times: tuple[float, ...]) -> None:
    """Gap of networks on the same smooth paths, root of the mean square over replicates."""
    runs = list(evidence.of_kind("fixed-paths"))
    if not runs:
        style.missing(ax, "networks on fixed paths")
    for _, spec, table in runs:
        r, labels = untidy(table, ["num_layers", "replicate", "flow_time", "sample"], "residual")
        gap = ((r - r[1]) ** 2).mean(-1)  # depths as in the ladder
        series: Gaps = {}
        for t, s in enumerate(spec["flow_times"]):
            found = [bootstrap(lambda w, g=g: np.sqrt(w @ g / len(g)), len(g))
                     for g in gap[2:, :, t]]
            series[s] = ([(f.value, f.lower, f.upper) for f in found],
                         float(np.sqrt(gap[0, :, t].mean())))
        _gaps(ax, labels["num_layers"][2:].tolist(), times, series)
        ax.set_xlabel(f"depth $L$, at $M$ = {spec['num_units']}")


def _gaps(ax: Axes, depths: list[int], times: tuple[float, ...], series: Gaps) -> None:
    """Gaps by flow time with intervals, their floors shaded, slope −1."""
    if not series:
        style.missing(ax, "flow times after the start")
        return
    look = dict(zip(times, zip(style.colours(len(times)), style.MARKERS, strict=False),
                    strict=False))
    x = np.array(depths, dtype=float)
    ax.set_yscale("log")
    style.sizes_axis(ax, x.tolist())
    ax.set_xlabel("depth $L$")
    for s, (found, _) in series.items():
        value, lower, upper = np.array(found).T
        style.intervals(ax, x, value, lower.clip(min=value.min() / 100), upper, *look[s])
    _guide(ax, x, min(found[0][0] for found, _ in series.values()) * 0.6, -1.0)
    least = min(v[0] for found, _ in series.values() for v in found)
    shown = {s: floor for s, (_, floor) in series.items() if floor > least / 8}
    bottom = max(min(shown.values(), default=least) / 2.5, least / 20)
    for s, floor in shown.items():
        ax.axhspan(bottom, floor, color=look[s][0], alpha=0.12, linewidth=0)
        ax.axhline(floor, color=look[s][0], linewidth=0.8, linestyle=":")
    ax.set_ylim(bottom=bottom)
    below = [f"{style.number(floor)} at {style.time_label(s)}"
             for s, (_, floor) in series.items() if s not in shown]
    if below:
        ax.text(0.02, 0.02, "error of the reference below: " + ", ".join(below),
                transform=ax.transAxes, fontsize=7, color="0.4", bbox=style.PATCH)

"""How fast networks of `limits` approach the limit, in width and in depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.limits_data import evidence_of, main_setting, time_entries, traces
from ledger.paper.drawing import Frames
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import Estimate, bootstrap, student
from ledger.record.tidy import untidy
from zeroloss.studies.limits.evidence import Ensemble, Evidence
from zeroloss.studies.limits.plan import FixedPaths
from zeroloss.studies.limits.rates import depth_gaps
from zeroloss.theory.covariance import Trace, trace_ratio

Array = np.ndarray


@dataclass(frozen=True)
class Gap:
    """The depth gap at one flow time: depths, intervals, and the error of the reference.

    No ``floor``: gaps between nested depths, each at the smaller one, which need no reference.
    """

    depths: list[int]
    estimates: list[Estimate]
    floor: float | None


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
    style.names(
        axes,
        M=f"{setting}: fluctuation against width",
        L=f"{setting}: fluctuation against depth",
        wide=r"depth gap at $M=\infty$",
        paths="depth gap on smooth paths",
    )
    floor = style.entry("error of the reference", marker="s", color="0.85", markersize=8)
    style.legend(figure, time_entries(times), [*style.law_entries(lines=True), floor])
    return figure


def _fluctuations(ax: Axes, evidence: Evidence, setting: str, role: str) -> None:
    """Measured and predicted std per law and flow time; guides of slopes −1/2 and 0."""
    size, other = ("num_units", "num_layers") if role == "units" else ("num_layers", "num_units")
    sizes: list[float] = []
    at = []
    ax.set_yscale("log")
    for law in style.LAWS:
        group = evidence.with_role(role, setting=setting, sampling=law)
        if not group:
            continue
        x = np.array([getattr(e, size) for e in group], dtype=float)
        sizes += list(x)
        fixed = ", ".join(str(n) for n in sorted({getattr(e, other) for e in group}))
        at.append((fixed, "independent" if law == "independent" else "paths"))
        heights = _law_of_std(ax, x, group, traces(evidence, setting, law, [e.num_layers for e in group]))
        if law == "path" and role == "layers":
            _guide(ax, x, max(heights) * 1.4, 0.0)
        elif law == "independent":
            _guide(ax, x, min(heights) * 0.45, -0.5)
    if not sizes:
        style.missing(ax, "networks of several sizes")
        return
    style.sizes_axis(ax, sizes)
    name, symbol = ("width $M$", "L") if role == "units" else ("depth $L$", "M")
    alike = len({fixed for fixed, _ in at}) == 1
    where = at[0][0] if alike else ", ".join(f"{fixed} ({law})" for fixed, law in at)
    ax.set_xlabel(f"{name}, at ${symbol}$ = {where}")


def _law_of_std(ax: Axes, x: Array, group: list[Ensemble], predicted: Array | None) -> list[float]:
    """Series of one law, one per flow time; returns its heights at the smallest size.

    predicted: tr Σ_L (sizes, flow_times) at the depth of each size.
    """
    filled = group[0].sampling == "independent"
    N = group[0].residuals.shape[-1]
    counts = np.array([e.count for e in group])
    heights = []
    for t, colour in enumerate(style.colours(len(group[0].flow_times))):
        found = [trace_ratio(e.residuals[:, t], Trace(N), 1, CONFIDENCE) for e in group]
        value, lower, upper = (
            np.sqrt([max(getattr(f, part), 0.0) for f in found]) for part in ("value", "lower", "upper")
        )
        style.intervals(ax, x, value, lower, upper, colour, style.MARKERS[t], filled)
        heights.append(value[0])
        if predicted is not None:
            ax.plot(x, np.sqrt(predicted[:, t] / N / counts), color=colour, linestyle="-" if filled else "--", zorder=2)
    return heights


def _guide(ax: Axes, x: Array, y: float, slope: float) -> None:
    """A reference slope over the first half of the sizes."""
    if len(x) > 1:
        text = {-0.5: "slope $-1/2$", 0.0: "slope $0$", -1.0: "slope $-1$"}[slope]
        style.slope_guide(ax, (x[0], float(np.sqrt(x[0] * x[-1]))), y, slope, text)


def _wide_gap(ax: Axes, evidence: Evidence, setting: str) -> None:
    """Gap of the wide limit, scramble by scramble on common rules, at s > 0."""
    depths, r = evidence.ladder(setting)  # depths −1 (fewer nodes), 0 (the limit), L, …
    times = evidence.flow_times(setting)
    series = {
        s: _gap(r[:, :, t].swapaxes(0, 1), depths[2:], lambda g: student(np.sqrt(g), CONFIDENCE))
        for t, s in enumerate(times)
        if s > 0
    }
    _gaps(ax, times, series)
    ax.set_xlabel("depth $L$")


def _paths_gap(ax: Axes, evidence: Evidence, times: tuple[float, ...]) -> None:
    """Gap of networks on the same smooth paths, root of the mean square over replicates."""
    runs = list(evidence.run.of(FixedPaths))
    if not runs:
        style.missing(ax, "networks on fixed paths")
    for _, case, table in runs:
        r, labels = untidy(table, ["num_layers", "replicate", "flow_time", "sample"], "residual")
        depths = labels["num_layers"][2:].tolist()  # as in the ladder
        series = {s: _gap(r[:, :, t], depths, _root_mean) for t, s in enumerate(case.flow_times)}
        _gaps(ax, times, series)
        ax.set_xlabel(f"depth $L$, at $M$ = {case.num_units}")


def _root_mean(squares: Array) -> Estimate:
    """Root of the mean square with its interval over replicates."""
    return bootstrap(lambda w: np.sqrt(w @ squares / len(squares)), len(squares), CONFIDENCE)


def _gap(r: Array, depths: list[int], interval: Callable[[Array], Estimate]) -> Gap:
    """The gap at one flow time as its slope is measured, root mean square over samples.

    r (2 + depths, draws, N); ``interval`` is of the squares (draws,) at one depth.
    """
    gaps, N = depth_gaps(r), r.shape[-1]
    return Gap(
        depths[: len(gaps.squares)],
        [interval(g / N) for g in gaps.squares],
        None if gaps.nested else gaps.floor / np.sqrt(N),
    )


def _gaps(ax: Axes, times: tuple[float, ...], series: dict[float, Gap]) -> None:
    """Gaps by flow time with intervals, the floors of those to a reference shaded, slope −1."""
    if not series:
        style.missing(ax, "flow times after the start")
        return
    look = dict(zip(times, zip(style.colours(len(times)), style.MARKERS, strict=False), strict=False))
    ax.set_yscale("log")
    sizes = sorted({L for gap in series.values() for L in gap.depths})
    style.sizes_axis(ax, sizes)
    for s, gap in series.items():
        value, lower, upper = np.array([(g.value, g.lower, g.upper) for g in gap.estimates]).T
        style.intervals(ax, gap.depths, value, lower.clip(min=value.min() / 100), upper, *look[s])
    _guide(ax, np.array(sizes, dtype=float), min(gap.estimates[0].value for gap in series.values()) * 0.4, -1.0)
    ax.set_ylabel(_which_gap(series))
    _floors(ax, series, {s: colour for s, (colour, _) in look.items()})


def _which_gap(series: dict[float, Gap]) -> str:
    """The label of an axis of gaps: to the limit, between nested depths, or which is which."""
    words = {False: ("to the limit", r"$|r_L-r|/\sqrt{N}$"), True: ("nested", r"$|r_{2L}-r_L|/\sqrt{N}$")}
    times = {nested: [s for s, gap in series.items() if (gap.floor is None) == nested] for nested in words}
    if all(times.values()):
        return "\n".join(
            f"{name}, $s =$ {', '.join(f'{s:g}' for s in times[nested])}: {formula}"
            for nested, (name, formula) in words.items()
        )
    if times[True]:
        return "gap between nested depths\n" + words[True][1]
    return "gap of residuals to the limit\n" + words[False][1]


def _floors(ax: Axes, series: dict[float, Gap], colour: dict[float, Any]) -> None:
    """Error of the reference at each flow time: shaded where it is near the gaps, else named."""
    least = min(one.value for gap in series.values() for one in gap.estimates)
    floors = {s: gap.floor for s, gap in series.items() if gap.floor is not None}
    shown = {s: floor for s, floor in floors.items() if floor > least / 8}
    bottom = max(min(shown.values(), default=least) / 2.5, least / 20)
    for s, floor in shown.items():
        ax.axhspan(bottom, floor, color=colour[s], alpha=0.12, linewidth=0)
        ax.axhline(floor, color=colour[s], linewidth=0.8, linestyle=":")
    ax.set_ylim(bottom=bottom)
    below = [f"{style.number(floor)} at {style.time_label(s)}" for s, floor in floors.items() if s not in shown]
    if below:
        look: dict[str, Any] = {"xycoords": "axes fraction", "color": "0.4", "bbox": style.PATCH}
        style.note(ax, "error of the reference below: " + ", ".join(below), (0.02, 0.02), fontsize=7, **look)

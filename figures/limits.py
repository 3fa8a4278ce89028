"""Figures of the study `limits`: rates, covariance, law of the risk, smooth paths, the flow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style
from zeroloss.drawing import Frames
from zeroloss.statistics import bootstrap, student, trace_ratio
from zeroloss.studies.limits.agreements import QUANTILES, predicted_risks
from zeroloss.studies.limits.evidence import Ensemble, Evidence, cell
from zeroloss.studies.limits.rates import smooth_prediction
from zeroloss.tidy import untidy

Array = np.ndarray
LAWS = ("independent", "path")
LAW_NAMES = {"independent": "independent layers", "path": "paths"}
SHOWN_PARTICLES = 1024
CURVE_POINTS = 60
BINS = 30


def _evidence(frames: Frames, setting: str) -> Evidence:
    """The evidence on one setting alone: what other settings weigh is not read."""
    return Evidence(frames.tables, {name: spec for name, spec in frames.specs.items()
                                    if spec.get("setting") == setting})


def _main_setting(frames: Frames) -> str:
    """The setting that was run at most sizes."""
    counts: dict[str, int] = {}
    for spec in frames.specs.values():
        if spec["kind"] == "ensemble":
            counts[spec["setting"]] = counts.get(spec["setting"], 0) + len(
                {(z["num_layers"], z["num_units"]) for z in spec["sizes"]})
    return max(counts, key=lambda name: counts[name])


def _estimate(frames: Frames, claim: str, quantity: str, where: str) -> pd.Series | None:
    """The row of an estimate, None if the run has none; ``quantity`` may be the start of it."""
    table = frames.estimates
    found = table[(table.claim == claim) & table.quantity.str.startswith(quantity)
                  & (table.cell == where)]
    return None if found.empty else found.iloc[0]


def _limit_traces(evidence: Evidence, setting: str, sampling: str) -> Array | None:
    """trace Σ (flow_times,) of the limit, None where the run does not predict it."""
    try:
        sigma, _ = evidence.covariance(setting, sampling, 0)
    except ValueError:
        return None
    return np.trace(sigma, axis1=-2, axis2=-1).mean(0)


# Rates


def rates(frames: Frames) -> Figure:
    """Std of the residuals against M and L, and the depth gap at M = ∞ and on fixed paths."""
    setting = _main_setting(frames)
    evidence = _evidence(frames, setting)
    times = evidence.flow_times(setting)
    figure, axes = style.canvas([["M", "L"], ["wide", "paths"]], 5.0)
    for name, role, size in (("M", "units", "num_units"), ("L", "layers", "num_layers")):
        groups = {law: evidence.with_role(role, setting=setting, sampling=law) for law in LAWS}
        _fluctuations(axes[name], evidence, groups, size)
    _wide_gap(axes["wide"], evidence, setting)
    _paths_gap(axes["paths"], evidence, times)
    for name, symbol in (("M", "width $M$ (units per layer)"), ("L", "depth $L$ (layers)"),
                         ("wide", "depth $L$ (layers)"), ("paths", "depth $L$ (layers)")):
        axes[name].set_xlabel(symbol)
    axes["M"].set_ylabel(r"std of residuals, $(\mathrm{tr}\,\mathrm{Cov}\,r/N)^{1/2}$")
    axes["wide"].set_ylabel(r"depth gap of residuals, $|r_L-r|/\sqrt{N}$")
    style.names(axes, {"M": "fluctuation against width", "L": "fluctuation against depth",
                       "wide": r"depth gap at $M=\infty$", "paths": "depth gap on fixed paths"})
    style.legend(figure, [*_time_entries(times), *_law_entries(), style.entry(
        "predicted", linestyle="-", color="0.3"), style.entry(
            "error floor of the reference", marker="s", color="0.85", markersize=8)], 4)
    return figure


def _time_entries(times: tuple[float, ...]) -> list[Line2D]:
    return [style.entry(style.time_label(s), color=colour, marker=marker)
            for s, colour, marker in zip(times, style.colours(len(times)), style.MARKERS,
                                         strict=False)]


def _law_entries() -> list[Line2D]:
    return [style.entry(LAW_NAMES[law], marker="o", color="0.3",
                        markerfacecolor="0.3" if law == "independent" else "white")
            for law in LAWS]


def _fluctuations(ax: Axes, evidence: Evidence, groups: dict[str, list[Ensemble]],
                  size: str) -> None:
    """Measured and predicted std per law and flow time; guides of slopes −1/2 and 0."""
    sizes: list[float] = []
    ax.set_yscale("log")
    for law, group in groups.items():
        if not group:
            continue
        x = np.array([getattr(e, size) for e in group], dtype=float)
        sizes += list(x)
        traces = _limit_traces(evidence, group[0].setting, law)
        heights = []
        for t, colour in enumerate(style.colours(len(group[0].flow_times))):
            N = group[0].residuals.shape[-1]
            found = [trace_ratio(e.residuals[:, t], float(N)) for e in group]
            value, lower, upper = (np.sqrt([max(getattr(f, part), 0.0) for f in found])
                                   for part in ("value", "lower", "upper"))
            heights += [value[0]]
            style.intervals(ax, x, value, lower, upper, colour, style.MARKERS[t],
                            law == "independent")
            if traces is not None:
                counts = np.array([e.count for e in group])
                ax.plot(x, np.sqrt(traces[t] / N / counts), color=colour,
                        linestyle="-" if law == "independent" else "--", zorder=2)
        flat = law == "path" and size == "num_layers"
        if law == "independent" or flat:
            _guide(ax, x, max(heights) * 1.35 if flat else min(heights) * 0.7, 0 if flat else -0.5)
    if sizes:
        style.sizes_axis(ax, sizes)


def _guide(ax: Axes, x: Array, y: float, slope: float) -> None:
    """A reference slope over the first half of the sizes."""
    if len(x) > 1:
        text = {-0.5: r"slope $-\frac{1}{2}$", 0: "slope $0$", -1: "slope $-1$"}[slope]
        style.slope_guide(ax, (x[0], float(np.sqrt(x[0] * x[-1]))), y, slope, text, slope == 0)


def _wide_gap(ax: Axes, evidence: Evidence, setting: str) -> None:
    """Gap of the wide limit, scramble by scramble on common rules, at s > 0."""
    depths, r = evidence.ladder(setting)
    gap = np.sqrt(((r - r[:, [depths.index(0)]]) ** 2).mean(-1))  # scrambles, depths, T
    finite = [i for i, depth in enumerate(depths) if depth > 0]
    series = {}
    for t, s in enumerate(evidence.flow_times(setting)):
        if s > 0:
            found = [student(gap[:, i, t]) for i in finite]
            series[t] = [(f.value, f.lower, f.upper) for f in found], gap[:, 0, t].max()
    _gaps(ax, np.array([depths[i] for i in finite], dtype=float), evidence, setting, series)


def _paths_gap(ax: Axes, evidence: Evidence, times: tuple[float, ...]) -> None:
    """Gap of networks on the same smooth paths, root of the mean square over replicates."""
    for _, spec, table in evidence.of_kind("fixed-paths"):
        r, labels = untidy(table, ["num_layers", "replicate", "flow_time", "sample"], "residual")
        gap = ((r - r[1]) ** 2).mean(-1)  # depths −1 (fewer nodes), 0 (the limit), L, …
        series = {}
        for s_index, s in enumerate(spec["flow_times"]):
            found = [bootstrap(lambda w, g=g: np.sqrt(w @ g / len(g)), len(g))
                     for g in gap[2:, :, s_index]]
            series[times.index(s)] = ([(f.value, f.lower, f.upper) for f in found],
                                      float(np.sqrt(gap[0, :, s_index].mean())))
        _gaps(ax, labels["num_layers"][2:].astype(float), evidence, spec["setting"], series)


def _gaps(ax: Axes, x: Array, evidence: Evidence, setting: str,
          series: dict[int, tuple[list[tuple[float, float, float]], float]]) -> None:
    """Gaps by index of flow time with intervals, their floors shaded, slope −1."""
    times = evidence.flow_times(setting)
    palette = style.colours(len(times))
    ax.set_yscale("log")
    style.sizes_axis(ax, list(x))
    for t, (found, _) in series.items():
        value, lower, upper = np.array(found).T
        style.intervals(ax, x, value, lower.clip(min=value.min() / 100), upper, palette[t],
                        style.MARKERS[t])
        ax.plot(x, value, color=palette[t], linewidth=0.5, alpha=0.6)
    least = min(v[0] for found, _ in series.values() for v in found)
    bottom = least / 8
    _guide(ax, x, min(found[0][0] for found, _ in series.values()) * 0.6, -1)
    hidden = []
    for t, (_, floor) in series.items():
        if floor > bottom:
            ax.axhspan(bottom, floor, color=palette[t], alpha=0.13, linewidth=0)
            ax.axhline(floor, color=palette[t], linewidth=0.8, linestyle=":")
        else:
            hidden.append(f"{style.time_label(times[t])}: {style.number(floor)}")
    ax.set_ylim(bottom=bottom)
    if hidden:
        ax.text(0.02, 0.02, "floor, " + "; ".join(hidden), transform=ax.transAxes, fontsize=7,
                color="0.4")


# Covariance


def covariance(frames: Frames) -> Figure:
    """Ratio of measured to predicted trace in every cell; entries of Σ in the main setting."""
    setting = _main_setting(frames)
    evidence = _evidence(frames, setting)
    times = evidence.flow_times(setting)
    columns = [f"entries {t}" for t in range(len(times))]
    figure, axes = style.canvas([["ratio"] * len(times), columns], 4.8)
    _ratios(axes["ratio"], frames)
    largest = [e for e in evidence.largest() if e.setting == setting]
    for t, name in enumerate(columns):
        _entries(axes[name], evidence, largest, t)
        axes[name].set_xlabel(r"predicted $\Sigma_{ij}$")
    axes[columns[0]].set_ylabel(r"measured $n\,\mathrm{Cov}(r_i,r_j)$")
    titles = {"ratio": "trace in every cell (simultaneous 95 % intervals)"}
    titles |= {name: f"{setting}, {style.time_label(s)}"
               for name, s in zip(columns, times, strict=True)}
    style.names(axes, titles)
    ranks = ("start", "middle", "late")
    times_named = [style.entry(f"{rank} of training", color=colour, marker=marker)
                   for rank, colour, marker in zip(ranks, style.colours(3), style.MARKERS,
                                                   strict=False)]
    style.legend(figure, [*times_named, *_law_entries()], 5)
    return figure


def _ratios(ax: Axes, frames: Frames) -> None:
    """One group per setting and law, flow times side by side, around the line 1."""
    cells: dict[str, dict[str, tuple[float, ...]]] = {}
    for spec in frames.specs.values():
        if spec["kind"] == "ensemble":
            cells.setdefault(spec["setting"], {})[spec["sampling"]] = tuple(spec["flow_times"])
    ax.axhline(1.0, color="0.25", linewidth=0.8, zorder=2)
    for i, (setting, laws) in enumerate(cells.items()):
        if i:
            ax.axvline(i - 0.5, color="0.85", linewidth=0.6)
        for law, times in laws.items():
            for t, (s, colour) in enumerate(zip(times, style.colours(len(times)), strict=True)):
                row = _estimate(frames, "limits.constant", "ratio_", cell(setting, s, law))
                if row is not None:
                    x = i + (-0.22 if law == "independent" else 0.22) + 0.11 * (
                        t - (len(times) - 1) / 2)
                    style.intervals(ax, [x], *(np.array([row[part]]) for part in (
                        "estimate", "lower", "upper")), colour, style.MARKERS[t],
                        law == "independent")
    ax.set_xticks(range(len(cells)), list(cells))
    ax.set_xlim(-0.5, len(cells) - 0.5)
    ax.tick_params(axis="x", length=0)
    ax.grid(False, axis="x")
    ax.set_ylabel("measured / predicted trace")


def _entries(ax: Axes, evidence: Evidence, ensembles: list[Ensemble], t: int) -> None:
    """Entries i ≤ j of n·Cov(r) against Σ, with 95 % intervals of each."""
    for e in ensembles:
        colour = style.colours(len(e.flow_times))[t]
        predicted = evidence.prediction(e, t).covariance
        r = e.residuals[:, t] - e.residuals[:, t].mean(0)
        upper = np.triu_indices(r.shape[1])
        products = r[:, upper[0]] * r[:, upper[1]] * e.count
        value = products.sum(0) / (len(r) - 1)
        half = 1.96 * products.std(0, ddof=1) / np.sqrt(len(r))
        style.intervals(ax, predicted[upper], value, value - half, value + half, colour,
                        style.MARKERS[t], e.sampling == "independent", markersize=2.5, alpha=0.9)
    ax.axline((0, 0), slope=1, color="0.25", linewidth=0.8, zorder=2)


# Risk


def risk(frames: Frames) -> Figure:
    """Histogram and quantiles of the trained risk against the predicted law."""
    setting = _main_setting(frames)
    evidence = _evidence(frames, setting)
    ensembles = [e for e in evidence.largest() if e.setting == setting]
    times = evidence.flow_times(setting)
    mosaic = [[f"{e.sampling} {t}" for t in range(len(times))] for e in ensembles]
    figure, axes = style.canvas(mosaic, 1.9 * len(ensembles) + 0.6)
    titles = {}
    for e in ensembles:
        for t, s in enumerate(times):
            ax = axes[f"{e.sampling} {t}"]
            _law(ax, frames, evidence, e, t)
            titles[f"{e.sampling} {t}"] = f"{LAW_NAMES[e.sampling]}, {style.time_label(s)}"
            ax.set_xlabel("risk $E$ of the trained network")
            if t == 0:
                ax.set_ylabel("density")
    style.names(axes, titles)
    style.legend(figure, [
        style.entry("trained networks", marker="s", color="0.8", markersize=7),
        style.entry("predicted law", linestyle="-", color=style.colours(1)[0]),
        style.entry("quantiles 5, 25, 50, 75, 95 %: trained", marker="o", color="0.15"),
        style.entry("predicted", marker="|", markersize=8, color=style.colours(1)[0]),
        style.entry("limit", linestyle=":", color="0.3")], 5)
    return figure


def _law(ax: Axes, frames: Frames, evidence: Evidence, e: Ensemble, t: int) -> None:
    """One panel: densities above, quantiles with their intervals in a strip below zero."""
    measured, predicted = e.risk[:, t], predicted_risks(evidence, e, t)
    low, high = np.quantile(np.concatenate([measured, predicted]), [0.0005, 0.9995])
    edges = np.linspace(low, high, BINS + 1)
    ax.hist(measured, edges, density=True, color="0.8", linewidth=0)
    fine = np.linspace(low, high, 2 * BINS + 1)
    density, _ = np.histogram(predicted, fine, density=True)
    colour = style.colours(1)[0]
    ax.plot(0.5 * (fine[1:] + fine[:-1]), density, color=colour)
    top = max(density.max(), ax.get_ylim()[1])
    strip = -0.12 * top
    where = cell(e.setting, e.flow_times[t], e.sampling)
    for q in QUANTILES:
        row = _estimate(frames, "", f"quantile_{100 * q:g}", where)
        ax.plot([np.quantile(predicted, q)], [strip], "|", color=colour, markersize=9, zorder=4)
        if row is not None:
            ax.errorbar([row.estimate], [strip], xerr=[[row.estimate - row.lower],
                        [row.upper - row.estimate]], fmt="o", color="0.15", markersize=2.5,
                        elinewidth=0.8, capsize=1.5, zorder=3)
    limit = _estimate(frames, "", "risk", cell(e.setting, e.flow_times[t]))
    if limit is not None:
        ax.axvline(limit.estimate, color="0.3", linestyle=":", linewidth=0.9)
    ax.axhline(0.0, color="0.25", linewidth=0.6)
    ax.set_ylim(2 * strip, 1.08 * top)
    ax.set_yticks([])
    ax.grid(False, axis="y")


# Smooth paths


def smooth(frames: Frames) -> Figure:
    """trace Σ_{ℓ,L} against the correlation length, between independent layers and paths."""
    evidence = Evidence(frames.tables, frames.specs)
    _, pairs_spec, pairs = evidence.one("pairs")
    spec = next(spec for _, spec, _ in evidence.of_kind("smooth"))
    lengths = sorted({x for _, one, _ in evidence.of_kind("smooth")
                      for x in one["correlation_lengths"]})
    L, setting = spec["num_layers"], spec["setting"]
    figure, axes = style.canvas([["curve"]], 3.4, 5.0)
    ax = axes["curve"]
    curve = np.geomspace(min(lengths) / 2, max(lengths) * 2, CURVE_POINTS)
    known = evidence.flow_times(setting)
    for s in spec["flow_times"]:
        t = known.index(s)
        colour = style.colours(len(known))[t]
        ax.plot(curve, [smooth_prediction(pairs, pairs_spec["depth_nodes"], s, x, L).mean()
                        for x in curve], color=colour)
        for law, scale, line in (("independent", 1 / L, "--"), ("path", 1.0, ":")):
            traces = _limit_traces(evidence, setting, law)
            if traces is not None:
                ax.axhline(traces[t] * scale, color=colour, linestyle=line, linewidth=0.8)
        rows = {x: _estimate(frames, "", "smooth_measured", cell(setting, s, f"l{x:g}"))
                for x in lengths}
        found = {x: row for x, row in rows.items() if row is not None}
        style.intervals(ax, list(found), *(np.array([row[part] for row in found.values()])
                        for part in ("estimate", "lower", "upper")), colour, style.MARKERS[t])
    ax.axvline(1 / L, color="0.5", linewidth=0.8)
    ax.annotate("$\\ell = 1/L$", (1 / L, 0.02), xycoords=("data", "axes fraction"),
                xytext=(3, 0), textcoords="offset points", color="0.4")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(curve[0], curve[-1])
    ax.set_xlabel(r"correlation length $\ell$ of the paths, in units of the depth")
    ax.set_ylabel(r"$M$ × variance of residuals, $\mathrm{tr}\,\Sigma_{\ell,L}$")
    style.legend(figure, [
        *[style.entry(style.time_label(s), color=style.colours(len(known))[known.index(s)],
                      marker=style.MARKERS[known.index(s)]) for s in spec["flow_times"]],
        style.entry("predicted", linestyle="-"), style.entry("constant paths", linestyle=":"),
        style.entry("independent layers", linestyle="--")], 5)
    return figure


# The flow


def flow(frames: Frames) -> Figure:
    """Features over depth, and particles at mid-depth, at several training times."""
    evidence = Evidence(frames.tables, frames.specs)
    _, spec, table = evidence.one("portrait")
    times = list(spec["flow_times"])
    features, labels = untidy(table[table.what == "feature"],
                              ["flow_time", "depth", "index", "coordinate"], "value")
    particles, _ = untidy(table[table.what == "particle"],
                          ["flow_time", "index", "coordinate"], "value")
    top, bottom = ([f"{row} {i}" for i in range(len(times))] for row in ("z", "rho"))
    figure, axes = style.canvas([top, bottom], 4.0, sharex=False)
    _feature_panels([axes[name] for name in top], features, labels["depth"],
                    _targets(evidence, spec["setting"], times, features))
    dim = features.shape[-1]
    _particle_panels([axes[name] for name in bottom], particles[:, :SHOWN_PARTICLES], dim)
    axes[top[0]].set_ylabel(f"feature $Z_{{{dim}}}(t)$")
    axes[bottom[0]].set_ylabel(f"particle, $a_{{{dim}}}$")
    for name, s in zip(top, times, strict=True):
        axes[name].set_title(style.time_label(s))
    return figure


def _targets(evidence: Evidence, setting: str, times: list[float], features: Array
             ) -> Array | None:
    """y = Z(1) − r if the last feature is what is read out, None if the residuals deny it."""
    known = evidence.flow_times(setting)
    shared = [s for s in times if s in known]
    if not shared:
        return None
    r = evidence.reference(setting)[0]
    y = np.stack([features[times.index(s), -1, :, -1] - r[known.index(s)] for s in shared])
    return y.mean(0) if np.ptp(y, axis=0).max() < 0.05 * max(np.ptp(y), 1e-12) else None


def _feature_panels(axes: list[Axes], features: Array, depth: Array, targets: Array | None
                    ) -> None:
    """The read-out feature of every sample over depth, one panel per training time."""
    samples = features.shape[2]
    order = np.argsort(features[0, 0, :, 0], kind="stable")
    palette: list[Any] = [None] * samples
    for rank, colour in enumerate(_gradient(samples)):
        palette[order[rank]] = colour
    for ax, z in zip(axes, features, strict=True):
        for i in range(samples):
            ax.plot(depth, z[:, i, -1], color=palette[i])
            if targets is not None:
                ax.plot([1.0], [targets[i]], "x", color=palette[i], markersize=4, clip_on=False)
        ax.sharey(axes[0])
        ax.set_xlabel("depth $t$")


def _gradient(count: int) -> list[Any]:
    import seaborn as sns

    return list(sns.color_palette("viridis", count))


def _particle_panels(axes: list[Axes], particles: Array, dim: int) -> None:
    """Particles (w₁, a_d), one panel per training time, coloured by where they started."""
    start = particles[0, :, dim - 1]
    bound = float(np.quantile(np.abs(start), 0.98))
    for ax, theta in zip(axes, particles, strict=True):
        ax.scatter(theta[:, dim], theta[:, dim - 1], c=start, s=2, cmap="vlag", vmin=-bound,
                   vmax=bound, linewidths=0, rasterized=True)
        ax.sharex(axes[0])
        ax.sharey(axes[0])
        ax.set_xlabel("particle, $w_1$")


FIGURES = {"rates": rates, "covariance": covariance, "risk": risk, "smooth": smooth, "flow": flow}

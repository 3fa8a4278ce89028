"""Figures of the study `limits`: rates, covariance, law of the risk, smooth paths, the flow."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from figures.limits_data import estimate, evidence_of, main_setting, time_entries
from figures.limits_flow import flow
from figures.limits_rates import rates
from ledger.paper.drawing import Frames
from ledger.record.rows import cell
from zeroloss.studies.limits import plan
from zeroloss.studies.limits.evidence import Ensemble, Evidence
from zeroloss.studies.limits.law import QUANTILES, predicted_risks, units
from zeroloss.studies.limits.paths import smooth_prediction

Array = np.ndarray
CURVE_POINTS = 60
BINS = 30
PARTS = ("estimate", "lower", "upper")


def covariance(frames: Frames) -> Figure:
    """Ratio of measured to predicted trace in every cell; entries of Σ in the main setting."""
    setting = main_setting(frames)
    evidence = evidence_of(frames, setting)
    times = evidence.flow_times(setting)
    columns = [f"entries {t}" for t in range(len(times))]
    figure, axes = style.canvas([["ratio"] * len(times), columns], 4.8)
    _ratios(axes["ratio"], frames)
    largest = evidence.largest()
    for t, name in enumerate(columns):
        _entries(axes[name], evidence, largest, t)
        axes[name].set_xlabel(r"predicted $\Sigma_{ij}$")
    axes[columns[0]].set_ylabel(r"measured $n\,\mathrm{Cov}(r_i,r_j)$")
    titles = {"ratio": "trace of the covariance in every cell, with simultaneous intervals"}
    titles |= {name: f"{setting}, entries at {style.time_label(s)}" for name, s in zip(columns, times, strict=True)}
    style.names(axes, titles)
    named = map(style.entry, ("start", "middle", "late in training"), style.colours(3), ["none"] * 3, style.MARKERS)
    style.legend(figure, [*named, *style.law_entries()])
    return figure


def _ratios(ax: Axes, frames: Frames) -> None:
    """One group per setting and law, flow times side by side and widths by their size, around the line 1."""
    cells: dict[str, dict[str, tuple[float, ...]]] = {}
    widths: dict[tuple[str, str], set[int]] = {}
    for case in frames.cases.values():
        if isinstance(case, plan.Ensemble):
            cells.setdefault(case.setting, {})[case.sampling] = case.flow_times
            judged = {z.num_units for z in case.sizes if "constant" in z.roles}
            widths.setdefault((case.setting, case.sampling), set()).update(judged)
    ax.axhline(1.0, color="0.25", linewidth=0.8, zorder=2)
    for i, (setting, laws) in enumerate(cells.items()):
        if i:
            ax.axvline(i - 0.5, color="0.85", linewidth=0.6)
        for law, times in laws.items():
            filled = law == "independent"
            side = -0.22 if filled else 0.22
            for t, (s, colour) in enumerate(zip(times, style.colours(len(times)), strict=True)):
                for m, M in enumerate(judged := sorted(widths[setting, law])):
                    row = estimate(frames, "limits.constant", "ratio_", cell(setting, s, law, units(M)))
                    if row is not None:
                        place = t + (m + 0.5) / len(judged)
                        x = i + side + 0.33 * (place / len(times) - 0.5)
                        values = [[row[part]] for part in PARTS]
                        style.intervals(ax, [x], *values, colour=colour, marker=style.MARKERS[t], filled=filled)
    ax.set(xticks=range(len(cells)), xticklabels=list(cells), xlim=(-0.5, max(len(cells), 1) - 0.5))
    ax.tick_params(axis="x", length=0)
    ax.grid(False, axis="x")
    ax.set_ylabel("measured / predicted trace")


def _entries(ax: Axes, evidence: Evidence, ensembles: list[Ensemble], t: int) -> None:
    """Entries i ≤ j of n·Cov(r) against Σ, with 95 % intervals of each."""
    if not ensembles:
        style.missing(ax, "networks with a predicted law")
    for e in ensembles:
        predicted = evidence.prediction(e, t).covariance
        r = e.residuals[:, t] - e.residuals[:, t].mean(0)
        upper = np.triu_indices(r.shape[1])
        products = r[:, upper[0]] * r[:, upper[1]] * e.count
        value = products.sum(0) / (len(r) - 1)
        half = 1.96 * products.std(0, ddof=1) / np.sqrt(len(r))
        colour, filled = style.colours(len(e.flow_times))[t], e.sampling == "independent"
        ends = value - half, value + half
        style.intervals(ax, predicted[upper], value, *ends, colour, style.MARKERS[t], filled, size=2.5, caps=0)
    ax.axline((0, 0), slope=1, color="0.25", linewidth=0.8, zorder=2)
    style.few_ticks(ax.xaxis, 4)
    style.few_ticks(ax.yaxis, 5)


def risk(frames: Frames) -> Figure:
    """Histograms of the trained risk on its predicted density, and the error of its quantiles."""
    setting = main_setting(frames)
    evidence = evidence_of(frames, setting)
    ensembles, times = evidence.largest(), evidence.flow_times(setting)
    rows = [*(e.sampling for e in ensembles), "quantiles"]
    figure, axes = style.canvas([[f"{row} {t}" for t in range(len(times))] for row in rows], 1.55 * len(rows) + 0.5)
    titles = {}
    for t, s in enumerate(times):
        last = axes[f"quantiles {t}"]
        for e in ensembles:
            name, predicted = f"{e.sampling} {t}", predicted_risks(evidence, e, t)
            _density(axes[name], frames, e, t, predicted)
            _quantiles(last, frames, e, t, predicted)
            titles[name] = f"{style.LAWS[e.sampling]}, {style.time_label(s)}"
        if not ensembles:
            style.missing(last, "networks with a predicted law")
        last.axhline(0.0, color=style.colours(1)[0])
        last.set(xlabel="probability of the quantile (%)", xticks=[100 * q for q in QUANTILES])
        titles[f"quantiles {t}"] = f"quantiles, {style.time_label(s)}"
    for e in ensembles:
        axes[f"{e.sampling} 0"].set_ylabel(f"density of $E$\n$L={e.num_layers}$, $M={e.num_units}$")
    style.share_rows([axes[f"quantiles {t}"] for t in range(len(times))])
    axes["quantiles 0"].set_ylabel("trained − predicted\n(predicted std of $E$)")
    in_rows = {f"{row} {t}": titles[f"{row} {t}"] for row in rows for t in range(len(times))}
    style.names(axes, in_rows)
    trained = style.entry("trained networks", marker="s", color="0.75", markersize=7)
    predicted = style.entry("predicted law", linestyle="-", color=style.colours(1)[0])
    limit = style.entry("risk of the limit", linestyle=":")
    style.legend(figure, [trained, predicted, limit, *style.law_entries()])
    return figure


def _density(ax: Axes, frames: Frames, e: Ensemble, t: int, predicted: Array) -> None:
    """One histogram under its predicted density; the risk of the limit where it is near."""
    measured = e.risk[:, t]
    low, high = np.quantile(np.concatenate([measured, predicted]), [0.0005, 0.9995])
    ax.hist(measured, np.linspace(low, high, BINS + 1).tolist(), density=True, color="0.75", linewidth=0)
    edges = np.linspace(low, high, 2 * BINS + 1)
    density, _ = np.histogram(predicted, edges, density=True)
    ax.plot(0.5 * (edges[1:] + edges[:-1]), density, color=style.colours(1)[0])
    limit = estimate(frames, "", "risk", cell(e.setting, e.flow_times[t]))
    if limit is not None:
        if abs(limit.estimate - (low + high) / 2) < 0.8 * (high - low):
            ax.axvline(limit.estimate, color="0.3", linestyle=":", linewidth=1.0)
        else:  # it would leave no room for the law
            look: dict[str, Any] = {"xycoords": "axes fraction", "va": "top", "color": "0.3"}
            style.note(ax, f"limit:\n{limit.estimate:.3g}", (0.03, 0.97), fontsize=7, **look)
    ax.set(ylim=(0.0, None), yticks=[])
    style.few_ticks(ax.xaxis, 4)
    ax.set_xlabel("risk $E$ of a network")


def _quantiles(ax: Axes, frames: Frames, e: Ensemble, t: int, predicted: Array) -> None:
    """Measured minus predicted quantiles, in units of the predicted standard deviation."""
    where = cell(e.setting, e.flow_times[t], e.sampling)
    shift = -1.5 if e.sampling == "independent" else 1.5
    for q in QUANTILES:
        row = estimate(frames, "", f"quantile_{100 * q:g}", where)
        if row is not None:
            values = [[(row[part] - np.quantile(predicted, q)) / predicted.std()] for part in PARTS]
            filled = e.sampling == "independent"
            style.intervals(ax, [100 * q + shift], *values, colour="0.3", marker="o", filled=filled)


def smooth(frames: Frames) -> Figure:
    """trace Σ_{ℓ,L} against the correlation length ℓ, and its ends: ℓ → 0 are independent layers,
    ℓ → ∞ constant paths, of the same depth."""
    _, case, pairs = frames.run.one(plan.Pairs)
    lengths = sorted(
        {x for one in frames.cases.values() if isinstance(one, plan.Smooth) for x in one.correlation_lengths}
    )
    L, times = case.num_layers, case.flow_times
    figure, axes = style.canvas([["curve"]], 3.5, 5.0)
    ax = axes["curve"]
    curve = np.geomspace(min(lengths) / 2, max(lengths) * 2, CURVE_POINTS)
    for t, (s, colour) in enumerate(zip(times, style.colours(len(times)), strict=True)):
        ends = smooth_prediction(pairs, s, [1e-6 / L, np.inf]).mean(1)
        for height, line in zip(ends, ("--", ":"), strict=True):
            ax.axhline(height, color=colour, linestyle=line, linewidth=0.8)
        ax.plot(curve, smooth_prediction(pairs, s, curve.tolist()).mean(1), color=colour)
        rows = {x: estimate(frames, "", "smooth_measured", cell(case.setting, s, f"l{x:g}")) for x in lengths}
        found = {x: row for x, row in rows.items() if row is not None}
        values = [np.array([row[part] for row in found.values()]) for part in PARTS]
        style.intervals(ax, list(found), *values, colour=colour, marker=style.MARKERS[t])
    _smooth_axes(ax, L, curve)
    lines = {"predicted": "-", "constant paths": ":", "independent layers": "--"}
    style.legend(figure, time_entries(times) + [style.entry(name, linestyle=line) for name, line in lines.items()])
    return figure


def _smooth_axes(ax: Axes, L: int, curve: Array) -> None:
    """Logarithmic axes, and where a correlation length is one layer."""
    ax.axvline(1 / L, color="0.6", linewidth=0.8)
    look: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "color": "0.4", "ha": "center", "va": "bottom"}
    style.note(ax, f"$\\ell = 1/L = 1/{L}$", (1 / L, 1.0), (0, 2), **look)
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(curve[0], curve[-1]),
        xlabel=r"correlation length $\ell$ of the paths (total depth 1)",
        ylabel=r"$M\,\mathrm{tr}\,\mathrm{Cov}\,r$, predicted $\mathrm{tr}\,\Sigma_{\ell,L}$",
    )


FIGURES = {"rates": rates, "covariance": covariance, "risk": risk, "smooth": smooth, "flow": flow}

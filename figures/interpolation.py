"""Figures of the study `interpolation`: spectra and real rows; double descent and the best ridge."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.interpolation.features import cell_of, curve
from zeroloss.studies.interpolation.plan import Benign, Features, Snr, Spike
from zeroloss.studies.replicated import means, part_of

NAMES = {"tangent": "tangent kernel", "arcsin": "arcsine"}


def spectra(frames: Frames) -> Figure:
    """Variance against n for spectra without end, with its limits; measured over predicted."""
    figure, axes = style.canvas([["benign", "real"]], 2.8)
    _, _, table = frames.run.one(Benign)
    endless = table.loc[~table.spectrum.str.startswith("tail")]
    ax = axes["benign"]
    kinds = style.by_colour(sorted(endless.spectrum.unique()))
    for spectrum, part in endless.groupby("spectrum"):
        part = part.sort_values("decades")
        ax.plot(part.decades, part.share / (1 - part.share), "o", color=kinds[spectrum])
        ax.plot(part.decades, part.limit, color=kinds[spectrum], linewidth=0.8)
        family, _, exponent = str(spectrum).partition("-")
        words = rf"$k^{{-{exponent}}}$" if family == "power" else rf"$k^{{-1}}\log^{{-{exponent}}}k$"
        end = part.decades.iloc[-1], (part.share / (1 - part.share)).iloc[-1]
        style.note(ax, words, end, (6, 0), va="center", color=kinds[spectrum])
    ax.set(xscale="log", yscale="log", xlabel="samples $n$", ylabel=r"variance over $\sigma^2$")
    ax.set_xlim(right=table.decades.max() * 4.5)
    ticks = sorted(endless.decades.unique())
    ax.set_xticks(ticks, [f"$10^{{{d:g}}}$" for d in ticks])
    ax.minorticks_off()
    _real(axes["real"], frames)
    style.names(axes, {"benign": "variance at any $n$", "real": "risk on rows of tables"})
    return figure


def _real(ax: Axes, frames: Frames) -> None:
    """Bias and variance over the equivalent: measured rows (filled), Gaussian rows (hollow)."""
    rows = frames.estimates
    cells = sorted(rows.loc[rows.quantity == "bias_real", "cell"].unique())
    kinds = list(zip(("bias", "variance"), style.colours(2), "os", strict=True))
    for (quantity, colour, marker), shift in zip(kinds, (-0.1, 0.1), strict=True):
        for label, filled in ((f"{quantity}_real", True), (f"gaussian_{quantity}", False)):
            part = rows.loc[rows.quantity == label].set_index("cell").loc[cells]
            x = np.arange(len(cells)) + shift
            style.intervals(ax, x, part.estimate, part.lower, part.upper, colour, marker, filled)
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8)
    ax.axhspan(0.95, 1.05, color="0.93", zorder=0)
    ax.set_xticks(range(len(cells)), [name.replace("-relu", ",\nReLU features") for name in cells])
    ax.set(ylabel="measured over predicted", xlim=(-0.5, len(cells) - 0.5))
    named = [
        style.entry(word + law, colour, marker=marker, filled=not law)
        for law in ("", ", Gaussian")
        for word, colour, marker in kinds
    ]
    ax.legend(handles=named, loc="upper left", ncols=2)
    ax.set_ylim(top=ax.get_ylim()[1] + 0.25)  # room for the legend


def ridges(frames: Frames) -> Figure:
    """Double descent; risk against an explicit ridge; distance of interpolant and regressor."""
    figure, axes = style.canvas([["descent", "ridge", "spike"]], 2.7)
    _, case, table = frames.run.one(Features)
    ax = axes["descent"]
    words = []
    at_least = table.loc[table["size"] == min(case.dims)].groupby("cell").value.mean()
    for ridge, colour, marker in style.series(case.ridges):
        ax.plot(*curve(case, ridge), color=colour)
        for psi1 in sorted({*case.psi1, *case.curve}):
            ax.plot(psi1, at_least[cell_of(psi1, ridge)], marker, color=colour, markersize=3)
        words.append(style.entry(f"ridge {ridge:g}", colour, "-", marker))
    ax.set(xscale="log", xlabel=r"features over dimensions $\psi_1$", ylabel="risk", ylim=(0, 1.5))
    ax.axvline(case.psi2, color=style.GUIDE, linestyle=":", linewidth=0.8)
    _, snr, table = frames.run.one(Snr)
    cells = dict(part_of(table, "curve"))
    places = ((8, 2), *(((2, 20),) * (len(cells) - 2)), (6, -12))  # beside the second ridge, where no other curve is
    for ratio, colour, place in zip(sorted(snr.curve_snr), style.colours(len(cells)), places, strict=False):
        part = cells[f"snr{ratio:g}"]
        x, law = means(part, "predicted")
        axes["ridge"].plot(*means(part), "s", color=colour, markersize=3)
        axes["ridge"].plot(x, law, color=colour, linewidth=0.8)
        style.note(axes["ridge"], f"SNR {ratio:g}", (x[1], law[1]), place, color=colour)
    axes["ridge"].set(xlabel="explicit ridge over $h'(0)$", ylabel="risk")
    _, spike, table = frames.run.one(Spike)
    kernels = list(zip(NAMES, style.colours(2), ("full", "none"), (-0.5, -1.0), strict=True))
    for kernel, colour, fill, slope in kernels:
        for quantity, marker in (("on", "s"), ("off", "o")):
            d, distance = means(dict(part_of(table, quantity))[kernel])
            axes["spike"].plot(d, distance, marker, color=colour, markersize=3.5, fillstyle=fill)
            if quantity == "off":
                axes["spike"].plot(d, distance[-1] * (d / d[-1]) ** slope, color=colour, linewidth=0.8)
    axes["spike"].set(yscale="log", xlabel="dimension $d$", ylabel="distance to ridge regressor")
    style.sizes_axis(axes["spike"], spike.dims)
    style.names(axes, {"descent": "random features", "ridge": "explicit ridge", "spike": "spikes"})
    marks = [style.entry("on the sample", marker="s"), style.entry("off it", marker="o"),
             style.entry("predicted", linestyle="-")]  # fmt: skip
    named = [style.entry(NAMES[kernel], colour, "-", "o", fill == "full") for kernel, colour, fill, _ in kernels]
    style.legend(figure, words, [*named, *marks])
    return figure


FIGURES = {"spectra": spectra, "ridges": ridges}

"""Figures of the study `aspect`: covariance of squares, information, fixed points; rank over depth."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.aspect.gaussian import critical, mean_square
from zeroloss.studies.aspect.plan import Bias, Information, Rank
from zeroloss.studies.replicated import part_of

DRAWN_GROUP = 2  # neurons of the groups whose information is drawn
NAMES = {"gelu": "GELU", "relu": "ReLU"}
KINDS = {"gaussian": "Gaussian", "orthogonal": "orthogonal", "small": "small"}


def vertex(frames: Frames) -> Figure:
    """Measured covariance over both laws; information and its series; the map of K beside K*."""
    figure, axes = style.canvas([["ratio", "ratio"], ["information", "map"]], 4.6)
    _ratios(axes["ratio"], frames)
    ax = axes["information"]
    _, case, table = frames.run.one(Information)
    m = DRAWN_GROUP if DRAWN_GROUP in case.group_sizes else case.group_sizes[0]
    blue, orange = style.colours(2)
    for quantity, colour, line in (("exact", blue, "-"), ("series", orange, "--")):
        part = dict(part_of(table, quantity))[f"m{m}"]
        ax.plot(part["size"], part.value.where(part.value > 0), line, color=colour)
    best = part.predicted.iloc[0]
    ax.axvline(best, color=style.GUIDE, linewidth=0.8, linestyle=":")
    ax.set(xscale="log", yscale="log", xlabel=r"$u=\mathrm{Var}\,\hat G/(\mathrm{E}\,\hat G)^2$")
    ax.set_ylabel(f"information, $m={m}$")
    style.note(ax, r"$u^*$", (best, 0.93), (4, 0), xycoords=("data", "axes fraction"))
    ax.legend(handles=[style.entry("exact", blue, "-"), style.entry("to third order", orange, "--")], loc="lower right")
    ax, at, share = axes["map"], critical("gelu"), np.linspace(0.8, 1.08, 57)
    moved = np.array([at.C_b + at.C_W * mean_square("gelu", at.K * s)[0] for s in share]) / at.K - share
    ax.plot(share, 1e6 * moved, color=blue)
    ax.axhline(0.0, color=style.GUIDE, linewidth=0.8)
    ax.plot(1.0, 0.0, "o", color="0.2", markersize=3)
    style.note(ax, "half-stable", (1.0, 0.0), (0, 6), ha="center")
    style.note(ax, "stable", (0.852, 0.0), (4, 6))
    ax.set(xlabel="$K/K^*$, GELU", ylabel=r"$(K'-K)/K^*$, $10^{-6}$")
    style.names(axes, {"ratio": "covariance of squares", "information": "information", "map": "half-stable point"})
    return figure


def _ratios(ax: Axes, frames: Frames) -> None:
    """Cell by cell: over the recursion (filled) and over the textbook's formula (hollow)."""
    rows = frames.estimates
    rows = rows.loc[rows.quantity.isin(["ratio", "ratio_formula"]) & ~rows.claim.str.endswith(".rank")]
    cells = sorted(rows.loc[rows.quantity == "ratio", "cell"].unique(), key=_parts)
    for quantity, colour, marker, filled in zip(
        ("ratio", "ratio_formula"), style.colours(2), ("o", "s"), (True, False), strict=True
    ):
        part = rows.loc[rows.quantity == quantity].set_index("cell")
        here = [cell for cell in cells if cell in part.index]
        x = np.array([cells.index(cell) for cell in here]) + (0.0 if filled else 0.15)
        part = part.loc[here]
        style.intervals(ax, x, part.estimate, part.lower, part.upper, colour, marker, filled)
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8)
    ax.set_xticks(range(len(cells)), [_words(cell) for cell in cells])
    ax.set(ylabel="measured over predicted", xlim=(-0.5, len(cells) - 0.5))
    blue, orange = style.colours(2)
    ax.legend(
        handles=[style.entry("recursion", blue, marker="o"), style.entry("textbook", orange, marker="s", filled=False)],
        loc="upper left",
    )
    ax.set_ylim(top=ax.get_ylim()[1] + 0.15)


def _parts(cell: str) -> tuple[bool, str, float, int]:
    """Whether there are residual branches, σ, γ and l of `relu.g0.8.l13`."""
    stack, _, depth = cell.rpartition(".l")
    name, _, gamma = stack.partition(".g")
    return bool(gamma), name, float(gamma or 0), int(depth)


def _words(cell: str) -> str:
    """The same as two or three short lines."""
    residual, name, gamma, depth = _parts(cell)
    return f"{NAMES.get(name, name)}\n$l={depth}$" + f"\n$\\gamma={gamma:g}$" * residual


def rank(frames: Frames) -> Figure:
    """Participation rank against L/n; exponents of products; effective rank after training."""
    figure, axes = style.canvas([["rank", "trained"]], 2.8)
    _, case, table = frames.run.one(Rank)
    ax, t = axes["rank"], np.linspace(0.05, 1.05 * max(case.aspect_ratios), 60)
    ax.plot(t, (np.exp(3 * t) + 2) / (np.exp(3 * t) - 1), color=style.GUIDE)
    measured = {where: (p["size"].iloc[0], p.value.mean() / p.trace.mean(), p) for where, p in part_of(table, "rank")}
    kinds = [f"n{n}." for n in case.widths] + ["digits"]
    for kind, colour, marker in zip(kinds, style.colours(len(kinds)), style.MARKERS, strict=False):
        points = sorted((x, y, p.predicted.iloc[0]) for w, (x, y, p) in measured.items() if w.startswith(kind))
        x, y, predicted = np.transpose(points)
        ax.plot(x, y, marker, color=colour)
        ax.plot(x, predicted, "--" if kind == "digits" else "-", color=colour, linewidth=0.8)
    ax.set(xlabel="depth over width $L/n$", ylabel="participation rank", yscale="log")
    ax.set_yticks([1.5, 2, 3, 5, 8], ["1.5", "2", "3", "5", "8"])
    ax.minorticks_off()
    words = [*(f"$n={n}$" for n in case.widths), "digits"]
    entries = [
        style.entry(w, c, marker=m) for w, c, m in zip(words, style.colours(len(words)), style.MARKERS, strict=False)
    ]
    ax.legend(handles=[*entries, style.entry(r"$n\to\infty$", style.GUIDE, "-")])
    ax = axes["trained"]
    _, trained, table = frames.run.one(Bias)
    few = min(trained.num_samples)
    parts, entries = dict(part_of(table, "effective")), []
    for (kind, name), colour, marker in zip(KINDS.items(), style.colours(3), style.MARKERS, strict=False):
        of_depth = parts[f"{kind}.s{few}"].groupby("size").value
        error = 2 * of_depth.std() / np.sqrt(trained.replicates)
        mean = of_depth.mean()
        style.intervals(ax, mean.index, mean, mean - error, mean + error, colour, marker)
        ax.plot(mean.index, mean, color=colour, linewidth=0.8)
        entries.append(style.entry(name, colour, "-", marker))
    style.sizes_axis(ax, trained.depths)
    ax.legend(handles=entries)
    ax.set(xlabel="factors", ylabel="effective rank", ylim=(3, None))
    style.names(axes, {"rank": "random products", "trained": f"trained on {few} samples"})
    return figure


FIGURES = {"vertex": vertex, "rank": rank}

"""Figures of the study `landscape`: wide networks, the circle, second derivatives, neurons and layers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import student
from zeroloss.studies.landscape import plan
from zeroloss.studies.replicated import by_size, means, part_of, ratio_of

CONSTANTS = {"movement": "squared movement", "flips": "gates crossed", "flips-ends": "gates, from the ends"}
HEADS = {"linear": "linear head", "head": "tanh head", "bottleneck": "bottleneck"}


def widths(frames: Frames) -> Figure:
    """Movement and flips against the width over their predictions; three widths; norms of Hessians."""
    figure, axes = style.canvas([["lazy", "widths", "hessian"]], 2.7)
    _, case, table = frames.run.one(plan.Lazy)
    ax = axes["lazy"]
    entries = []
    for (quantity, words), colour, marker in style.series(CONSTANTS.items()):
        entries.append(style.entry(words, colour, marker=marker))
        for root_m, one in by_size(part_of(table, quantity)[0][1]):
            end = student(ratio_of(one), CONFIDENCE)
            style.intervals(ax, [root_m**2], [end.value], [end.lower], [end.upper], colour, marker)
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8)
    style.sizes_axis(ax, case.widths)
    ax.set(xlabel="width $m$", ylabel="measured over predicted")
    _three(axes["widths"], frames)
    ax = axes["hessian"]
    _, heads, table = frames.run.one(plan.Hessians)
    for kind, part in part_of(table, "norm"):
        m, norm = means(part)
        colour = style.by_colour([*HEADS])[kind]
        ax.plot(m, norm, "o-", color=colour)
        style.note(ax, HEADS[kind], (m[0], norm[0]), (4, 6), color=colour)
    ax.set(yscale="log", xlabel="width $m$", ylabel=r"norm of $\nabla^2f$")
    style.sizes_axis(ax, heads.widths)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * 2.5)  # room for the words
    style.names(axes, {"lazy": "constants", "widths": "widths that suffice", "hessian": "Hessian"})
    style.legend(figure, entries)
    return figure


def _three(ax: Axes, frames: Frames) -> None:
    """Share of networks that come to zero loss, beside the width certified and that of the theorem."""
    _, _, table = frames.run.one(plan.Certificate)
    success = table.loc[table.quantity == "success"].groupby("size").value.mean()
    ax.plot(success.index, success, "o-", color=style.colours(1)[0])
    for quantity, words, height in (("certified", "PL*", 0.55), ("theorem", r"$n^6/\lambda_0^4$", 0.3)):
        width = float(table.loc[table.quantity == quantity, "value"].iloc[0])
        ax.axvline(width, color=style.GUIDE, linestyle=":", linewidth=0.8)
        style.note(ax, words, (width, height), (-3, 0), ha="right", color="0.2", bbox=style.PATCH)
    ax.set(xscale="log", xlabel="width $m$", ylabel="share at zero loss", ylim=(-0.03, 1.05), xlim=(2, None))


def circle(frames: Frames) -> Figure:
    """Deviations over n with their predicted constants; λ_min next to minimisers."""
    figure, axes = style.canvas([["floor", "odd", "nonconvex"]], 2.7)
    _, case, table = frames.run.one(plan.Circle)
    ax = axes["floor"]
    for (where, part), colour, marker in style.series(part_of(table, "floor")):
        k, _, lifetimes = where[1:].partition(".t")
        (n, mean), (_, predicted) = means(part), means(part, "predicted")
        ax.plot(n, mean / n, marker, color=colour, label=rf"$k={k}$, ${float(lifetimes):g}/\lambda_k$")
        ax.plot(n, predicted / n, color=colour, linewidth=0.8)
    style.sizes_axis(ax, case.num_samples)
    ax.set(yscale="log", xlabel="samples $n$", ylabel="mean square deviation")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 6, high)  # room for the legend
    ax.legend(loc="lower left", ncols=1, handletextpad=0.2, borderpad=0.1)
    ax = axes["odd"]
    plain, biased = style.colours(2)
    for (where, part), line, fill in zip(part_of(table, "memorised"), ("-", "--"), ("full", "none"), strict=False):
        x, mean = means(part)
        ax.plot(x, 1 - mean / x, "o" + line, color=plain, fillstyle=fill, label=f"plain, $T={where[1:]}$")
    ax.plot(*means(part_of(table, "biased")[0][1]), "s-", color=biased, label="with biases")
    style.sizes_axis(ax, case.num_samples)
    ax.set(xlabel="samples $n$", ylabel="left of degree 3", ylim=(0, 1.05))
    ax.legend(loc="center right")
    ax = axes["nonconvex"]
    _, _, table = frames.run.one(plan.Minimisers)
    for kind, colour, marker in style.series(("tanh", "relu")):
        part = table.loc[table.quantity == kind]
        delta, ratio = means(part.assign(ratio=-part.value / part.predicted), "ratio")
        # in units of the predicted slope, which is negative; of tanh the value is λ_min/δ, of ReLU λ_min
        ax.plot(delta, ratio * (delta if kind == "tanh" else 1.0), marker, color=colour, label=style.ACTIVATIONS[kind])
    ends = np.array([0.0, table["size"].max()])
    ax.plot(ends, -ends, color=style.colours(1)[0], linewidth=0.8)
    ax.set(xlabel=r"distance $\delta$ from a minimiser", ylabel=r"$\lambda_{\min}$ over its slope")
    ax.legend()
    style.names(axes, {"floor": "even degrees", "odd": "degree 3", "nonconvex": "next to minimisers"})
    return figure


def neurons(frames: Frames) -> Figure:
    """Energies over the random one; gradients over rotations; errors on digits."""
    figure, axes = style.canvas([["energy", "gradient", "digits"]], 2.7)
    _, case, table = frames.run.one(plan.Energies)
    ax = axes["energy"]
    cells = [f"n{n}.d{D}" for n, D in case.shapes]
    parts = (table.loc[table.quantity == quantity].groupby("cell") for quantity in ("random", "over-least"))
    random, least = (part[["value", "predicted"]].mean().loc[cells] for part in parts)
    energies = {"random, rotated": random.value, "least": least.predicted}
    for (words, values), colour, marker in style.series(energies.items()):
        ax.plot(range(len(values)), values / random.predicted, marker, color=colour, label=words)
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8)
    ax.set_xticks(range(len(case.shapes)), [f"$n={n}$\n$D={D}$" for n, D in case.shapes])
    ax.set(ylabel="energy over the random one", xlim=(-0.5, len(case.shapes) - 0.5), ylim=(0.7, 1.05))
    ax.legend(loc="lower right")
    ax = axes["gradient"]
    _, rotation, table = frames.run.one(plan.Rotation)
    for (kind, part), colour, marker in style.series(part_of(table, "gradient")):
        m, norm = means(part)
        ax.plot(m, norm, marker, color=colour, label=kind)
        if kind == "isotropic":
            ax.plot(m, norm[-1] * (m / m[-1]) ** -0.5, color=colour, linewidth=0.8)
    ax.set(yscale="log", xlabel="width $m$", ylabel="gradient over rotations")
    ax.legend(loc="center right")
    style.sizes_axis(ax, rotation.widths[::2])
    ax = axes["digits"]
    errors = frames.estimates.loc[frames.estimates.quantity == "error"].set_index("cell")
    for j, (method, colour, marker) in enumerate(style.series(("fixed", "rotated", "free"))):
        part = errors.loc[[f"m{m}.{method}" for m in rotation.digit_widths]]
        x = np.arange(len(part)) + 0.2 * (j - 1)
        style.intervals(ax, x, part.estimate, part.lower, part.upper, colour, marker)
        ax.plot([], [], marker, color=colour, label=method)
    ax.set_xticks(range(len(rotation.digit_widths)), [f"$m={m}$" for m in rotation.digit_widths])
    ax.set(ylabel="test error", xlim=(-0.5, len(rotation.digit_widths) - 0.5), ylim=(0, None))
    ax.legend(loc="upper right")
    style.names(axes, {"energy": "energy", "gradient": "one rotation", "digits": "digits"})
    return figure


def layers(frames: Frames) -> Figure:
    """Excess of flow, spread of |A(t)|², and the loss when a layer is put back, along the depth."""
    figure, axes = style.canvas([["excess", "spread", "reset"]], 2.7)
    _, case, table = frames.run.one(plan.Geodesics)
    size, excess = means(part_of(table, "excess")[0][1])
    axes["excess"].plot(size, excess, "o", color=style.colours(1)[0])
    axes["excess"].plot(size, excess[-1] * (size / size[-1]) ** 2, color=style.GUIDE, linewidth=0.8)
    axes["excess"].set(yscale="log", xlabel="displacement", ylabel="excess energy of flow")
    style.sizes_axis(axes["excess"], case.displacements)
    for (kind, part), colour, marker in style.series(part_of(table, "spread")):
        axes["spread"].plot(*means(part), marker + "-", color=colour, label={"least": "least energy"}.get(kind, kind))
    axes["spread"].set(yscale="log", xlabel="layers $L$", ylabel=r"spread of $|A(t)|^2$")
    style.sizes_axis(axes["spread"], case.layers)
    axes["spread"].legend(loc="center right")
    profiles = [("least energy", dict(part_of(table, "profile"))["least"])]
    _, _, block = frames.run.one(plan.Reset)
    profiles += [(where.replace(".", ", "), part) for where, part in part_of(block, "profile")]
    entries = []
    for (words, part), colour, marker in style.series(profiles):
        depth = (part["size"] + 0.5) / len(part)
        axes["reset"].plot(depth, part.value / part.predicted, marker + "-", color=colour, markersize=3)
        entries.append(style.entry(words, colour, "-", marker))
    axes["reset"].set(xlabel="depth $t$", ylabel="rise of the loss / mean")
    style.names(axes, {"excess": "excess", "spread": "along the path", "reset": "a layer put back"})
    style.legend(figure, entries)
    return figure


FIGURES = {"widths": widths, "circle": circle, "neurons": neurons, "layers": layers}

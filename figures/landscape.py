"""Figures of the study `landscape`: wide networks, the circle, second derivatives, neurons and layers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import student
from zeroloss.studies.landscape.circle import deviations, eigenvalues, total
from zeroloss.studies.landscape.plan import (
    Certificate,
    Circle,
    Energies,
    Geodesics,
    Hessians,
    Lazy,
    Minimisers,
    Reset,
    Rotation,
)
from zeroloss.studies.replicated import by_size, means, part_of, ratio_of

HEADS = {"linear": "linear head", "head": "tanh head", "bottleneck": "bottleneck"}


def widths(frames: Frames) -> Figure:
    """Movement and flips against the width over their predictions; three widths; norms of Hessians."""
    figure, axes = style.canvas([["lazy", "widths", "hessian"]], 2.7)
    _, case, table = frames.run.one(Lazy)
    ax = axes["lazy"]
    for quantity, colour, marker in zip(("movement", "flips", "flips-ends"), style.colours(3), "os^", strict=True):
        part = part_of(table, quantity)[0][1]
        ends = [(m**2, student(ratio_of(one), CONFIDENCE)) for m, one in by_size(part)]
        m, value, lower, upper = np.transpose([(m, e.value, e.lower, e.upper) for m, e in ends])
        style.intervals(ax, m, value, lower, upper, colour, marker)
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8)
    style.sizes_axis(ax, case.widths)
    ax.set(xlabel="width $m$", ylabel="measured over predicted")
    _three(axes["widths"], frames)
    _, heads, table = frames.run.one(Hessians)
    colours = style.by_colour([*HEADS])
    for kind, part in part_of(table, "norm"):
        m, norm = means(part)
        axes["hessian"].plot(m, norm, "o-", color=colours[kind])
        style.note(axes["hessian"], HEADS[kind], (m[0], norm[0]), (4, 6), color=colours[kind])
    axes["hessian"].set(yscale="log", xlabel="width $m$", ylabel=r"norm of $\nabla^2f$")
    style.sizes_axis(axes["hessian"], heads.widths)
    low, high = axes["hessian"].get_ylim()
    axes["hessian"].set_ylim(low, high * 2.5)  # room for the words
    style.names(axes, {"lazy": "constants", "widths": "widths that suffice", "hessian": "Hessian"})
    words = ("squared movement", "gates crossed", "gates, from the ends")
    style.legend(figure, [style.entry(w, c, marker=m) for w, c, m in zip(words, style.colours(3), "os^", strict=True)])
    return figure


def _three(ax: Axes, frames: Frames) -> None:
    """Share of networks that come to zero loss, beside the width certified and that of the theorem."""
    _, _, table = frames.run.one(Certificate)
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
    _, case, table = frames.run.one(Circle)
    ax = axes["floor"]
    n = np.array(case.num_samples, dtype=float)
    cells = part_of(table, "floor")
    for (where, part), colour, marker in zip(cells, style.colours(len(cells)), style.MARKERS, strict=False):
        k, _, lifetimes = where[1:].partition(".t")
        x, mean = means(part)
        ax.plot(x, mean / x, marker, color=colour, label=rf"$k={k}$, ${float(lifetimes):g}/\lambda_k$")
        T = float(lifetimes) / eigenvalues(int(k) + 1)[int(k)]
        ax.plot(n, total(deviations(int(k), T), int(k)) / n, color=colour, linewidth=0.8)
    style.sizes_axis(ax, case.num_samples)
    ax.set(yscale="log", xlabel="samples $n$", ylabel="mean square deviation")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 6, high)
    ax.legend(loc="lower left", ncols=1, handletextpad=0.2, borderpad=0.1)
    ax = axes["odd"]
    for (quantity, words), colour, marker in zip(
        (("memorised", "plain"), ("biased", "with biases")), style.colours(2), "os", strict=True
    ):
        for i, (where, part) in enumerate(part_of(table, quantity)):
            x, mean = means(part)
            left = mean if quantity == "biased" else 1 - mean / x
            line = "-" if i == 0 else "--"
            name = words if quantity == "biased" else rf"{words}, $T={where[1:]}$"
            ax.plot(x, left, marker + line, color=colour, label=name, fillstyle="full" if i == 0 else "none")
    style.sizes_axis(ax, case.num_samples)
    ax.set(xlabel="samples $n$", ylabel="left of degree 3", ylim=(0, 1.05))
    ax.legend(loc="center right")
    _, _, table = frames.run.one(Minimisers)
    for kind, colour, marker in zip(("tanh", "relu"), style.colours(2), "os", strict=True):
        part = table.loc[table.quantity == kind]
        delta, ratio = means(part.assign(ratio=-part.value / part.predicted), "ratio")
        # in units of the predicted slope, which is negative; of tanh the value is λ_min/δ, of ReLU λ_min
        axes["nonconvex"].plot(delta, ratio * (delta if kind == "tanh" else 1.0), marker, color=colour)
    deltas = np.geomspace(table["size"].min(), table["size"].max(), 50)
    axes["nonconvex"].plot(deltas, -deltas, color=style.colours(1)[0], linewidth=0.8)
    axes["nonconvex"].set(xlabel=r"distance $\delta$ from a minimiser", ylabel=r"$\lambda_{\min}$ over its slope")
    axes["nonconvex"].legend(
        handles=[style.entry(w, c, marker=m) for w, c, m in zip(("tanh", "ReLU"), style.colours(2), "os", strict=True)]
    )
    style.names(axes, {"floor": "even degrees", "odd": "degree 3", "nonconvex": "next to minimisers"})
    return figure


def neurons(frames: Frames) -> Figure:
    """Energies over the random one; gradients over rotations; errors on digits."""
    figure, axes = style.canvas([["energy", "gradient", "digits"]], 2.7)
    _, _, table = frames.run.one(Energies)
    ax = axes["energy"]
    random, least = (dict(part_of(table, q)) for q in ("random", "over-least"))
    for i, where in enumerate(random):
        value, spread = random[where].value, random[where].predicted.iloc[0]
        ax.plot(i, value.mean() / spread, "o", color=style.colours(2)[0])
        ax.plot(i, least[where].predicted.iloc[0] / spread, "s", color=style.colours(2)[1])
    ax.axhline(1.0, color=style.GUIDE, linewidth=0.8)
    ax.set_xticks(range(len(random)), [w.replace("n", "$n=", 1).replace(".d", "$\n$D=") + "$" for w in random])
    ax.set(ylabel="energy over the random one", xlim=(-0.5, len(random) - 0.5), ylim=(0.75, 1.05))
    words = ("random, rotated", "least")
    ax.legend(handles=[style.entry(w, c, marker=m) for w, c, m in zip(words, style.colours(2), "os", strict=True)],
              loc="lower right")  # fmt: skip
    _, rotation, table = frames.run.one(Rotation)
    for (kind, part), colour, marker in zip(part_of(table, "gradient"), style.colours(2), "os", strict=True):
        m, norm = means(part)
        axes["gradient"].plot(m, norm, marker, color=colour, label=kind)
        if kind == "isotropic":
            axes["gradient"].plot(m, norm[-1] * (m / m[-1]) ** -0.5, color=colour, linewidth=0.8)
    axes["gradient"].set(yscale="log", xlabel="width $m$", ylabel="gradient over rotations")
    axes["gradient"].legend(loc="center right")
    style.sizes_axis(axes["gradient"], rotation.widths)
    axes["gradient"].tick_params(axis="x", labelrotation=45)
    errors = dict(part_of(table, "error"))
    for j, (method, colour) in enumerate(zip(("fixed", "rotated", "free"), style.colours(3), strict=True)):
        for i, m in enumerate(rotation.digit_widths):
            values = errors[f"m{m}.{method}"].value
            error = student(values.to_numpy(), CONFIDENCE)
            place = [i + 0.2 * (j - 1)]
            style.intervals(
                axes["digits"], place, [error.value], [error.lower], [error.upper], colour, style.MARKERS[j]
            )
    axes["digits"].set_xticks(range(len(rotation.digit_widths)), [f"$m={m}$" for m in rotation.digit_widths])
    axes["digits"].set(ylabel="test error", xlim=(-0.5, len(rotation.digit_widths) - 0.5), ylim=(0, None))
    names = zip(("fixed", "rotated", "free"), style.colours(3), style.MARKERS, strict=False)
    axes["digits"].legend(handles=[style.entry(n, c, marker=m) for n, c, m in names], loc="upper right")
    style.names(axes, {"energy": "energy", "gradient": "one rotation", "digits": "digits"})
    return figure


def layers(frames: Frames) -> Figure:
    """Excess of flow, spread of |A(t)|², and the loss when a layer is put back, along the depth."""
    figure, axes = style.canvas([["excess", "spread", "reset"]], 2.7)
    _, case, table = frames.run.one(Geodesics)
    size, excess = means(dict(part_of(table, "excess"))["flow"])
    axes["excess"].plot(size, excess, "o", color=style.colours(1)[0])
    axes["excess"].plot(size, excess[-1] * (size / size[-1]) ** 2, color=style.GUIDE, linewidth=0.8)
    axes["excess"].set(yscale="log", xlabel="displacement", ylabel="excess energy of flow")
    style.sizes_axis(axes["excess"], case.displacements)
    for (kind, part), colour, marker in zip(part_of(table, "spread"), style.colours(2), "os", strict=True):
        L, spread = means(part)
        axes["spread"].plot(L, spread, marker + "-", color=colour, label=f"{kind} energy" if kind == "least" else kind)
    axes["spread"].set(yscale="log", xlabel="layers $L$", ylabel=r"spread of $|A(t)|^2$")
    style.sizes_axis(axes["spread"], case.layers)
    axes["spread"].legend(loc="center left")
    profiles = [("least energy", dict(part_of(table, "profile"))["least"])]
    _, _, block = frames.run.one(Reset)
    profiles += [(where.replace(".", ", "), part) for where, part in part_of(block, "profile")]
    for (words, part), colour, marker in zip(profiles, style.colours(len(profiles)), style.MARKERS, strict=False):
        part = part.sort_values("size")
        depth = (part["size"] + 0.5) / len(part)
        axes["reset"].plot(depth, part.value / part.predicted, marker + "-", color=colour, markersize=3, label=words)
    axes["reset"].set(xlabel="depth $t$", ylabel="rise of the loss over its mean", ylim=(0, None))
    style.names(axes, {"excess": "excess", "spread": "along the path", "reset": "a layer put back"})
    entries = [style.entry(w, c, "-", m) for (w, _), c, m in
               zip(profiles, style.colours(len(profiles)), style.MARKERS, strict=False)]  # fmt: skip
    style.legend(figure, entries)
    return figure


FIGURES = {"widths": widths, "circle": circle, "neurons": neurons, "layers": layers}

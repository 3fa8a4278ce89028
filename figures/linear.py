"""Figures of the study `linear`: where starts end, rates by stages, momentum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from figures import style
from figures.linear_momentum import momentum
from ledger.paper.drawing import Frames
from zeroloss.studies.linear.balanced import ORIGIN
from zeroloss.studies.linear.plan import Ends, Portrait, Stages, Unbalanced

Array = np.ndarray
MAPPED = 3  # layers of the networks whose map is drawn
QUARTERS = ([0, np.pi / 2, np.pi, 3 * np.pi / 2, 2 * np.pi], ["0", r"$\pi/2$", r"$\pi$", r"$3\pi/2$", r"$2\pi$"])


def _end_names(ends: Array) -> dict[int, str]:
    return {
        int(k): "origin" if k == ORIGIN else "best rank-one approximation" if k == 1 else f"saddle {k}"
        for k in sorted(ends, key=lambda k: (k == ORIGIN, k))
    }


def ends(frames: Frames) -> Figure:
    """Map of where starts end over two angles, and how long they take; directions on the sphere."""
    figure, axes = style.canvas([["map", "sphere"]], 3.1)
    _, _, table = frames.run.one(Ends)
    _, _, paths = frames.run.one(Portrait)
    torus = table.loc[(table.family == "torus") & (table.num_layers == MAPPED)]
    kinds = _end_names(np.union1d(table.predicted.unique(), paths.predicted))
    colours = style.by_colour(list(kinds))
    ax = axes["map"]
    # a start near the boundary takes longer: the area of a mark is the logarithm of its time
    for end, part in torus.groupby("measured"):
        size = 2 + 10 * np.log1p(part.horizon / torus.horizon.median())
        colour, marker = colours.get(int(end), "0.6"), "o" if end == 1 else "s"
        ax.scatter(part["first"], part["second"], s=size, color=colour, marker=marker, linewidths=0)
    wrong = torus.loc[torus.measured != torus.predicted]
    ax.plot(wrong["first"], wrong["second"], "x", color="black", markersize=6)
    ax.set(xlabel=r"angle $\varphi$ of $u$", ylabel=r"angle $\psi$ of $v$")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(QUARTERS[0]))
        axis.set_ticklabels(QUARTERS[1])
    ax.set_aspect("equal")
    _sphere(axes["sphere"], paths, colours)
    style.names(axes, {"map": f"ends, $N={MAPPED}$", "sphere": "directions $u(s)$"})
    style.legend(figure, [style.entry(name, colours[k], "-", "o" if k == 1 else "s") for k, name in kinds.items()])
    return figure


def _sphere(ax: Axes, table: pd.DataFrame, colours: dict[int, Any]) -> None:
    """Trajectories in the plane of the first two modes; a circle is the sphere's outline."""
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color="0.75", linewidth=0.8)
    for _, part in table.groupby("start"):
        path = part.pivot_table(index="flow_time", columns="mode", values="value")
        # u and −u with v and −v are the same network: the half with the first mode above 0
        path = path * (1.0 if path.iloc[-1].iloc[0] >= 0 else -1.0)
        colour = colours[int(part.predicted.iloc[0])]
        ax.plot(path[1], path[2], color=colour, linewidth=0.9)
        ax.plot(path[1].iloc[0], path[2].iloc[0], ".", color=colour, markersize=4)
    ax.set(xlabel=r"$u_1\cdot u$", ylabel=r"$u_2\cdot u$", aspect="equal")


def stages(frames: Frames) -> Figure:
    """Time to leave the origin, last rates, and what imbalance makes of them, all predicted."""
    figure, axes = style.canvas([["escape", "rates", "imbalance"]], 2.7)
    _, case, table = frames.run.one(Stages)
    colours = style.by_colour(case.num_layers)
    ax = axes["escape"]
    for N, part in table.loc[table.quantity.str.startswith("escape")].groupby("num_layers"):
        of = dict(tuple(part.groupby("quantity")))
        ax.plot(of["escape-predicted"].sigma, of["escape-predicted"].value, color=colours[N])
        ax.plot(of["escape-measured"].sigma, of["escape-measured"].value, "o", color=colours[N])
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel=r"singular value $\sigma_0$ at the start", ylabel="time to leave the origin")
    _rates(axes["rates"], case, table)
    _, unbalanced, imbalances = frames.run.one(Unbalanced)
    _imbalance(axes["imbalance"], unbalanced, imbalances, colours)
    style.names(axes, {"escape": "escape", "rates": "last rate", "imbalance": "imbalance"})
    kinds = [style.entry("measured", marker="o"), style.entry("predicted", linestyle="-")]
    style.legend(figure, style.lines(colours, "$N={}$"), kinds)
    return figure


def _rates(ax: Axes, case: Stages, table: pd.DataFrame) -> None:
    """Last rates against N: one line for each ratio of singular values, and aligned starts."""
    series = [("final", ratio, f"$s_2/s_1={ratio:g}$") for ratio in case.ratios]
    series.append(("aligned", case.ratios[0], "aligned"))
    for kind, ratio, label in series:
        part = table.loc[table.ratio == ratio]
        predicted, measured = (
            part.loc[part.quantity == f"{kind}-{what}"].sort_values("num_layers") for what in ("predicted", "measured")
        )
        ax.plot(predicted.num_layers, predicted.value, color="0.5", linewidth=0.8)
        ax.plot(measured.num_layers, measured.value, "o", color="0.2")
        end = predicted.num_layers.iloc[-1], predicted.value.iloc[-1]
        style.note(ax, label, end, (5, 0), va="center", fontsize=style.SMALL - 1)
    ax.set_yscale("log")
    ax.set_xlim(right=max(case.num_layers) + 2.4)  # room for the words
    ax.xaxis.set_major_locator(FixedLocator(case.num_layers))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="layers $N$", ylabel="rate of the loss")


def _imbalance(ax: Axes, case: Unbalanced, table: pd.DataFrame, colours: dict[int, Any]) -> None:
    """Last rate over that of balanced factors, against the ratio of norms at the start."""
    for N, part in table.loc[table.imbalance > 0].groupby("num_layers"):
        wide = part.pivot_table(index="imbalance", columns="quantity", values="value")
        balanced = wide["rate-balanced"]
        ax.plot(wide.index, wide["rate-predicted"] / balanced, color=colours[N])
        ax.plot(wide.index, wide["rate-measured"] / balanced, "o", color=colours[N])
    style.sizes_axis(ax, case.imbalances)
    ax.set(ylim=(0, 1.05), xlabel="norm of the last factor", ylabel="rate over the balanced one")


FIGURES = {"ends": ends, "stages": stages, "momentum": momentum}

"""Figure of the study `controls`: each negative control beside what was predicted for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from ledger.record.tidy import untidy
from ledger.study import Case
from zeroloss.studies.controls.measure import crossings
from zeroloss.studies.controls.plan import Identity, Labels, Line, Parameters, RootScaling

LOWEST = 1e-4  # excess over the floor at which the axis ends
EARLIEST = 0.1  # training time at which the logarithmic axes begin
FLOORED: dict[type[Identity | Labels], str] = {Identity: "identity activation", Labels: "contradictory labels"}
WORDS = {"folded": "first fold", "crossed": "crossing"}
FLOOR = {"color": "0.25", "linestyle": ":", "linewidth": 1.1, "zorder": 4}


def _curve(ax: Axes, run: pd.DataFrame, **options: Any) -> None:
    """Risk against training time, from the first time of the axis."""
    shown = run.loc[(run.quantity == "risk") & (run.flow_time >= EARLIEST)].sort_values("flow_time")
    ax.plot(shown.flow_time, shown.value, **options)


def _floors(ax: Axes, frames: Frames, colours: dict[type[Case], Any]) -> None:
    """Risk of the controls that end at a floor, and of networks with too few parameters."""
    for kind in FLOORED:
        _, case, table = frames.run.one(kind)
        runs = table.loc[(table.setting == case.cases[0].setting) & (table.replicate == 0)]
        for model, line in style.MODELS.items():
            _curve(ax, runs.loc[runs.model == model], color=colours[kind], linestyle=line)
        ax.axhline(float(runs.predicted.iloc[0]), **FLOOR)
    _, _, table = frames.run.one(Parameters)
    largest = table.loc[(table.predicted == table.predicted.max()) & (table.replicate == 0)]
    _curve(ax, largest, color=colours[Parameters], linestyle="--")
    ax.set(xscale="log", yscale="log", xlabel="training time $s$", ylabel="risk $E$")


def _line(ax: Axes, case: Line, table: pd.DataFrame, colours: dict[int, Any]) -> None:
    """Risk on the line above isotonic regression, the limit and one network of each depth, with
    the first fold of each."""
    over = table.assign(value=table.value / table.predicted - 1.0)
    limit = over.loc[(over.model == "limit") & (over.depth_nodes == max(case.depth_nodes))]
    _curve(ax, limit, color="0.15", linewidth=1.5, zorder=5)
    for L, run in over.loc[(over.model == "network") & (over.replicate == 0)].groupby("num_layers"):
        colour = colours[int(str(L))]
        _curve(ax, run, color=colour)
        folded = table.loc[run.index].query("quantity == 'slope' and value <= 0").flow_time.min()
        at = run.loc[(run.quantity == "risk") & (run.flow_time == folded), "value"]
        ax.plot([folded] * len(at), at, "s", color=colour, markersize=3.5, zorder=6)
    ax.set(xscale="log", yscale="log", ylim=(LOWEST, None))
    ax.set(xlabel="training time $s$", ylabel="risk / isotonic floor $-\\,1$")
    ends = {L: colours[L] for L in (case.num_layers[0], case.num_layers[-1])}
    folds = style.entry("first fold", colours[case.num_layers[-1]], marker="s", markersize=3.5)
    style.key(
        ax, style.entry("limit", "0.15", "-", linewidth=1.5), *style.lines(ends, "$L={}$"), folds, loc="lower left"
    )


def _crossings(ax: Axes, case: Line, table: pd.DataFrame, colours: list[Any]) -> None:
    """Times at which each network folds and crosses, and their medians, against depth."""
    first = crossings(table).replace(np.inf, np.nan)
    entries = []
    for quantity, colour, marker, side in (("folded", colours[1], "s", 0.93), ("crossed", colours[0], "o", 1.07)):
        look = {"color": colour, "markersize": 3, "markerfacecolor": "white", "markeredgewidth": 0.7}
        entries.append(style.entry(WORDS[quantity], linestyle="-", marker=marker, **look))
        ax.plot(first.num_layers * side, first[quantity], marker, **look)
        middle = first.groupby("num_layers")[quantity].median()
        ax.plot(middle.index, middle, color=colour, zorder=3)
    ax.set_yscale("log")
    style.sizes_axis(ax, case.num_layers)
    ax.set(xlabel="layers $L$", ylabel="training time $s$")
    style.key(ax, *entries, loc="upper left")


def _widths(ax: Axes, case: RootScaling, table: pd.DataFrame, colours: list[Any]) -> None:
    """Spread of the residuals against width under branches of 1/(L√M)."""
    for (tau, part), colour, marker in zip(table.groupby("kernel_time"), colours, style.MARKERS, strict=False):
        r, _ = untidy(part, ["num_units", "replicate", "sample"], "value")
        spread = np.sqrt(r.var(axis=1, ddof=1).sum(1))
        ax.axhline(float(spread[0]), **FLOOR)
        ax.plot(case.num_units, spread, marker, color=colour, linestyle="none", zorder=5)
        at = case.num_units[-1], float(spread[-1])
        style.note(ax, rf"$sM = {tau:g}$", at, (0, 5), va="bottom", ha="right", color=colour)
    narrowest = table.loc[(table.kernel_time == 0) & (table.num_units == case.num_units[0])]
    r, _ = untidy(narrowest, ["replicate", "sample"], "value")
    start = float(np.sqrt(r.var(axis=0, ddof=1).sum()))
    widths = np.geomspace(case.num_units[0], case.num_units[-1])
    ax.plot(widths, start * (widths / widths[0]) ** -0.5, color=style.GUIDE, linewidth=0.8, zorder=1)
    end = widths[-1], start * (widths[-1] / widths[0]) ** -0.5
    style.note(ax, r"$\propto M^{-1/2}$", end, (0, -6), va="top", ha="right", color=style.GUIDE)
    ax.set_ylim(0, 1.2 * start)
    style.sizes_axis(ax, case.num_units)
    ax.set(xlabel="units $M$", ylabel="std of the residuals")


def predicted(frames: Frames) -> Figure:
    """Risk at its floors; the line and its folds; the fluctuation under the wrong scaling."""
    figure, axes = style.canvas([["floors", "line"], ["folds", "widths"]], 4.9)
    palette = style.colours(6)
    colours: dict[type[Case], Any] = dict(zip([*FLOORED, Parameters], palette, strict=False))
    _floors(axes["floors"], frames, colours)
    _, case, table = frames.run.one(Line)
    shades = {L: (*palette[0], 0.3 + 0.7 * (i + 1) / len(case.num_layers)) for i, L in enumerate(case.num_layers)}
    _line(axes["line"], case, table, shades)
    _crossings(axes["folds"], case, table, palette)
    _widths(axes["widths"], *frames.run.one(RootScaling)[1:], palette[2:])
    style.names(
        axes,
        floors="risk that stays",
        line=rf"on a line, $M={case.num_units}$",
        folds="first fold, and crossing",
        widths=r"branches of scale $1/(L\sqrt{M})$",
    )
    kinds = style.lines({f"(a) {text}": colours[kind] for kind, text in FLOORED.items()})
    style.legend(
        figure,
        [*kinds, style.entry("(a) fewer parameters than samples", colours[Parameters], "--")],
        [*style.models(), style.entry("predicted beforehand", FLOOR["color"], ":")],
    )
    return figure


FIGURES = {"predicted": predicted}

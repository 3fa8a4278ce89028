"""Figure of the study `zero_loss`: the density beside the particles, and their distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.zero_loss.agreements import distances, select
from zeroloss.studies.zero_loss.plan import Density

Array = np.ndarray
CONTOURS = np.geomspace(0.01, 0.8, 5)  # shares of the largest density
SCHEMES = {"density": ("limited slopes", "-", True), "upwind": ("no slopes", "--", False)}


def _nodes(case: Density) -> tuple[Array, Array]:
    """Where the support lies: one more ring than cells."""
    axes = []
    for low, high in (case.box_a, case.box_b):
        width = (high - low) / case.support
        axes.append(low + width * (np.arange(case.support + 2) - 0.5))
    return axes[0], axes[1]


def _map(ax: Axes, case: Density, table: pd.DataFrame, time: int) -> None:
    """The density in colour, the particles' as lines, at the last depth node."""
    a, b = _nodes(case)
    shown = {
        solver: next(iter(select(table, solver, "deposit").values()))[time].reshape(len(a), len(b))
        for solver in ("density", "particles")
    }
    most = shown["particles"].max()
    blues, levels = sns.color_palette("Blues", as_cmap=True), np.linspace(0.01, 1.0, 20)
    ax.contourf(a, b, shown["density"].T / most, levels=levels, cmap=blues, extend="max", zorder=1)
    ax.contour(a, b, shown["particles"].T / most, levels=CONTOURS, colors="0.15", linewidths=0.6, zorder=2)
    ax.set(xlim=case.box_a, ylim=case.box_b, xlabel="$a$")
    ax.grid(False)


def _errors(ax: Axes, sizes: Array, errors: Array, solver: str, colours: list[Any]) -> None:
    """errors (grids, flow times) against cells per axis, one line per flow time."""
    _, line, filled = SCHEMES[solver]
    for values, colour, marker in zip(errors.T, colours, style.MARKERS, strict=False):
        face = colour if filled else "white"
        ax.plot(sizes, values, line, marker=marker, color=colour, markerfacecolor=face, zorder=3)


def density(frames: Frames) -> Figure:
    """Density and particles at the first and last time; their distance against the grid."""
    _, case, table = frames.run.one(Density)
    times = case.flow_times
    figure, axes = style.canvas([["first", "last"], ["w1", "residuals"]], 4.8)
    _map(axes["first"], case, table, 0)
    _map(axes["last"], case, table, -1)
    axes["first"].set_ylabel("$b$")
    colours = style.colours(len(times) - 1)
    exact = select(table, "particles", "residual")[case.lattice]
    for solver in SCHEMES:
        w1 = distances(table, case, solver)
        sizes = np.array(list(w1))
        _errors(axes["w1"], sizes, np.array(list(w1.values()))[:, 1:], solver, colours)
        residuals = np.array(list(select(table, solver, "residual").values()))
        gaps = np.sqrt(np.mean((residuals - exact) ** 2, axis=2))
        _errors(axes["residuals"], sizes, gaps[:, 1:], solver, colours)
    for name in ("w1", "residuals"):
        ax = axes[name]
        ax.set_yscale("log")
        style.sizes_axis(ax, case.cells)
        ax.set_xlabel("cells per axis")
        ends = (float(case.cells[0]), float(case.cells[-1]))
        heights = np.concatenate([np.ravel(line.get_ydata()) for line in ax.get_lines()])
        style.slope_guide(ax, ends, 1.9 * heights.max(), -1, "1")
        style.slope_guide(ax, ends, 0.5 * heights.min() * (ends[1] / ends[0]) ** 2, -2, "2")
        ax.set_ylim(0.3 * heights.min(), 3.0 * heights.max())
        ax.margins(x=0.12)
    axes["w1"].set_ylabel("$W_1$ to the particles")
    axes["residuals"].set_ylabel("gap of the residuals")
    style.names(
        axes,
        first=style.time_label(times[0]),
        last=style.time_label(times[-1]),
        w1="distance of the measures",
        residuals="distance of the residuals",
    )
    marked = zip(times[1:], colours, style.MARKERS, strict=False)
    schemes = [
        style.entry(label, linestyle=line, marker="o", filled=filled) for label, line, filled in SCHEMES.values()
    ]
    style.legend(
        figure,
        [style.entry(style.time_label(s), colour, "-", marker) for s, colour, marker in marked],
        [*schemes, style.entry("particles, in (a) and (b)", "0.15", "-")],
    )
    return figure

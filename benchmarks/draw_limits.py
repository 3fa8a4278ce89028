"""The figure of W3: what an accuracy of the limit costs by each way."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.brute import NAME as BRUTE
from benchmarks.depth_peers import DIFFRAX, TORCHDIFFEQ
from benchmarks.rows import OURS, Row, pick
from figures import style

__all__ = ["costs"]

METHODS = (OURS, TORCHDIFFEQ, DIFFRAX, BRUTE)


def _points(rows: list[Row], method: str) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors and CPU seconds at the accuracies asked for.

    The error of the rule in θ that zeroloss states is that of all who share the rule.
    """
    stated = {row.size: row.value for row in pick(rows, method=OURS, quantity="stated_error")}
    found = [row for row in pick(rows, method=method, quantity="cpu_seconds") if row.repeats]
    errors = [row.size if method == BRUTE else stated[row.size] for row in found]
    order = np.argsort(errors)
    return np.array(errors)[order], np.array([row.value for row in found])[order]


def _case(ax: Axes, rows: list[Row]) -> None:
    for i, (method, colour) in enumerate(zip(METHODS, style.colours(len(METHODS)), strict=True)):
        errors, seconds = _points(rows, method)
        if not len(errors):
            continue
        if method != BRUTE:
            ax.plot(errors, seconds, color=colour, marker=style.MARKERS[i])
            continue
        measured = {row.size: row.value for row in pick(rows, method=method,
                                                        quantity="network_error")}
        taken = {row.size: row.value for row in pick(rows, method=method,
                                                     quantity="network_seconds")}
        ax.plot(list(measured.values()), [taken[size] for size in measured], color=colour,
                marker=style.MARKERS[i], linestyle="none")
        constant = seconds[0] * errors[0] ** 2
        ends = np.array([errors[0], max([errors[-1], *measured.values()])])
        ax.plot(ends, constant / ends**2, color=colour, linestyle="--", zorder=1)
        ax.plot(errors, seconds, color=colour, marker=style.MARKERS[i], linestyle="none",
                markerfacecolor="white")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.invert_xaxis()
    ax.set_xlabel("relative error of $E(\\rho(s))$")


def costs(rows: list[Row]) -> Figure:
    """CPU seconds against relative error, a panel for each problem."""
    own = pick(rows, work="limit")
    cases = list(dict.fromkeys(row.case for row in own)) or ["limit"]
    figure, axes = style.canvas([cases], 3.0)
    for case in cases:
        if own:
            _case(axes[case], pick(own, case=case))
        else:
            style.missing(axes[case], "limit")
    axes[cases[0]].set_ylabel("CPU time (s)")
    style.share_rows([axes[case] for case in cases])
    style.names(axes, {case: case for case in cases})
    colours = style.colours(len(METHODS))
    style.legend(figure, [
        *(style.entry(method, colour, "none" if method == BRUTE else "-", style.MARKERS[i])
          for i, (method, colour) in enumerate(zip(METHODS, colours, strict=True))),
        style.entry("extrapolated", colours[-1], "--", style.MARKERS[3],
                    markerfacecolor="white")])
    return figure

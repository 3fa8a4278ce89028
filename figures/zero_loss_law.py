"""The law of the risk through training: quantiles over networks on the predicted ones."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.zero_loss.law import Course, courses

__all__ = ["law"]

Array = np.ndarray
QUANTILES = (0.05, 0.5, 0.95)
SHOWN = ("digits", "sine")  # real data beside the problem on which the law ends first


def law(frames: Frames) -> Figure:
    """5, 50 and 95 % quantiles of E/E(0), predicted as a band about a line and measured as bars, and
    of log E from the predicted median in units of the predicted standard deviation."""
    figure, axes = style.canvas([list(SHOWN), [f"{name} scaled" for name in SHOWN]], 3.8)
    found = {course.case.setting: course for course in courses(frames.run)}
    style.names(axes, {name: f"{name}, $n={found[name].count}$ units" for name in SHOWN})
    for name in SHOWN:
        _quantiles(axes[name], axes[f"{name} scaled"], found[name])
        axes[f"{name} scaled"].set_xlabel("training time $s$")
    axes[SHOWN[0]].set_ylabel("risk $E/E(0)$")
    axes[f"{SHOWN[0]} scaled"].set_ylabel("$\\log E$ from its predicted\nmedian (predicted std)")
    style.share_rows([axes[name] for name in SHOWN])
    style.share_rows([axes[f"{name} scaled"] for name in SHOWN])
    colour = style.colours(1)[0]
    band = style.entry("predicted", colour, "-", linewidth=5, alpha=0.35)
    beyond = style.entry("predicted, beyond its reach", colour, "--")
    bars = style.entry("trained networks", "0.15", marker="o")
    style.legend(figure, [band, beyond, bars])
    return figure


def _quantiles(risk: Axes, scaled: Axes, course: Course) -> None:
    """Both panels of one setting."""
    draws = np.log(np.stack([course.predicted(t) for t in range(len(course.case.flow_times))], 1))
    logs, start = np.log(course.risk), np.log(np.median(course.risk[:, 0]))
    median, deviation = np.median(draws, axis=0), draws.std(0)
    predicted, measured = (np.quantile(of, QUANTILES, axis=0) for of in (draws, logs))
    _drawn(risk, course, np.exp(predicted - start), np.exp(measured - start))
    _drawn(scaled, course, (predicted - median) / deviation, (measured - median) / deviation)
    risk.set_yscale("log")
    risk.tick_params(labelbottom=False)
    scaled.set_ylim(-3.5, 3.5)


def _drawn(ax: Axes, course: Course, predicted: Array, measured: Array) -> None:
    """Quantiles (3, T): band and line as far as the law reaches, both fainter beyond, and bars."""
    s, reach, colour = np.array(course.case.flow_times), course.reach(), style.colours(1)[0]
    for times, line, alpha in ((slice(0, reach + 1), "-", 0.35), (slice(max(reach, 0), None), "--", 0.12)):
        low, middle, high = predicted[:, times]
        ax.fill_between(s[times], low, high, color=colour, alpha=alpha, linewidth=0, zorder=2)
        ax.plot(s[times], middle, line, color=colour, zorder=3)
    low, middle, high = measured
    style.intervals(ax, s, middle, low, high, colour="0.15", marker="o", size=3.0)
    if 0 <= reach < len(s) - 1:
        ax.axvline(s[reach], color=style.GUIDE, linestyle=":", linewidth=1.0)

"""The law of the risk through training: quantiles over networks on the predicted ones."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.zero_loss.law import Course, courses

QUANTILES = (0.05, 0.5, 0.95)
SHOWN = ("digits", "sine")  # real data beside the problem on which the law ends first


def law(frames: Frames) -> Figure:
    """5, 50 and 95 % quantiles of E/E(0), predicted as a band about a line, and measured as bars."""
    figure, axes = style.canvas([list(SHOWN)], 2.7)
    found = {course.case.setting: course for course in courses(frames.run)}
    titles = {name: f"{name}, $n={found[name].count}$" for name in SHOWN}
    style.names(axes, titles)
    for name in SHOWN:
        _panel(axes[name], found[name])
    axes[SHOWN[0]].set_ylabel("risk $E/E(0)$")
    style.share_rows([axes[name] for name in SHOWN])
    colour = style.colours(1)[0]
    band = style.entry("predicted 5, 50 and 95 %", colour, "-", linewidth=4, alpha=0.35)
    beyond = style.entry("predicted, where theory stops", colour, "--")
    bars = style.entry("networks, 5, 50 and 95 %", "0.15", marker="o")
    style.legend(figure, [band, beyond, bars])
    return figure


def _panel(ax: Axes, course: Course) -> None:
    s, reach = np.array(course.case.flow_times), course.reach()
    start = np.median(course.risk[:, 0])
    measured = np.quantile(course.risk, QUANTILES, axis=0) / start
    predicted = np.stack([np.quantile(course.predicted(t), QUANTILES) for t in range(len(s))], 1) / start
    colour = style.colours(1)[0]
    for times, line, alpha in ((slice(0, reach + 1), "-", 0.35), (slice(max(reach, 0), None), "--", 0.12)):
        low, middle, high = predicted[:, times]
        ax.fill_between(s[times], low, high, color=colour, alpha=alpha, linewidth=0, zorder=2)
        ax.plot(s[times], middle, line, color=colour, zorder=3)
    style.intervals(ax, s, measured[1], measured[0], measured[2], colour="0.15", marker="o", size=3.0)
    if 0 <= reach < len(s) - 1:
        ax.axvline(s[reach], color=style.GUIDE, linestyle=":", linewidth=1.0)
        place = (s[reach], 0.98)
        style.note(ax, "theory stops", place, (3, 0), xycoords=("data", "axes fraction"), va="top", color=style.GUIDE)
    ax.set(yscale="log", xlabel="training time $s$")


__all__ = ["law"]

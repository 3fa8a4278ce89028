"""How the figures of the paper look: size, fonts, colours, and the few marks that they share.

Colours are seaborn's colour-blind palette, and each series differs in its marker as well: what a
figure says survives a black-and-white print.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, TypeVar

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

Array = np.ndarray
T = TypeVar("T")
WIDTH = 6.3  # inches: the text block of the paper
SMALL, MEDIUM = 8, 9  # points
MARKERS = ("o", "s", "^", "D", "v", "P")
GUIDE = "0.45"
LAWS = {"independent": "independent layers", "path": "paths"}
MODELS = {"limit": "-", "network": "--"}
ACTIVATIONS = {"tanh": "tanh", "gelu": "GELU", "relu": "ReLU", "regularised-relu": "regularised ReLU"}
PATCH = {"facecolor": "white", "alpha": 0.75, "pad": 0.6, "linewidth": 0}  # under words on lines

_STYLE = {
    "font.family": "STIXGeneral", "mathtext.fontset": "stix", "pdf.fonttype": 42,
    "font.size": MEDIUM, "axes.labelsize": MEDIUM, "axes.titlesize": MEDIUM,
    "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "legend.fontsize": SMALL,
    "axes.linewidth": 0.6, "grid.linewidth": 0.4, "grid.color": "0.9", "lines.linewidth": 1.0,
    "lines.markersize": 4.0, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 3.0, "ytick.major.size": 3.0, "axes.edgecolor": "0.25",
    "legend.frameon": False, "legend.handlelength": 1.8, "figure.constrained_layout.use": True,
}  # fmt: skip


def canvas(
    mosaic: Sequence[Sequence[str]], height: float, width: float = WIDTH, **options: Any
) -> tuple[Figure, dict[str, Axes]]:
    """An empty figure (inches) in the paper's style, and its axes by their names in ``mosaic``.

    The style stays set after the call, since some of it is read only when the figure is saved.
    """
    sns.set_theme(context="paper", style="ticks", rc=_STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplot_mosaic([list(row) for row in mosaic], **options)
    for ax in axes.values():
        ax.grid(True)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def colours(count: int) -> list[tuple[float, float, float]]:
    """As many colours of the colour-blind palette, in the order used in all figures."""
    palette = list(sns.color_palette("colorblind"))
    order = [0, 1, 2, 4, 3, 5, 6, 7, 8, 9]
    return [palette[order[i % len(order)]] for i in range(count)]


def series(items: Iterable[T]) -> Iterator[tuple[T, Any, str]]:
    """Each item with a colour and a marker of its own."""
    listed = list(items)
    return zip(listed, colours(len(listed)), cycle(MARKERS), strict=False)


def number(value: float) -> str:
    """A size or time for a label, powers of ten as such: 50, 0.25, 3·10⁻⁷."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa}\cdot10^{{{int(exponent)}}}$"


def time_label(flow_time: float) -> str:
    """How a training time is named in every figure."""
    return f"$s = {flow_time:g}$"


def names(axes: dict[str, Axes], titles: Mapping[str, str] | None = None, **more: str) -> None:
    """Letter and title above the left end of each panel that is named, in their order."""
    for i, (key, title) in enumerate({**(titles or {}), **more}.items()):
        axes[key].set_title(f"({chr(ord('a') + i)}) {title}", loc="left")


def intervals(
    ax: Axes,
    x: ArrayLike,
    value: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    colour: Any,
    marker: str,
    filled: bool = True,
    size: float = 4.0,
    caps: float = 1.5,
) -> None:
    """Markers with their intervals; hollow ones for the second of two laws."""
    errors = np.stack([np.subtract(value, lower), np.subtract(upper, value)]).clip(min=0.0)
    ax.errorbar(
        x,
        value,
        yerr=errors,
        fmt=marker,
        color=colour,
        capsize=caps,
        elinewidth=0.8,
        markerfacecolor=colour if filled else "white",
        markeredgewidth=0.8,
        markersize=size,
        zorder=3,
    )


def entry(
    label: str, color: Any = "0.3", linestyle: Any = "none", marker: str = "none", filled: bool = True, **options: Any
) -> Line2D:
    """One entry of a legend, of a line, a marker or both."""
    face = color if filled else "white"
    options = {"color": color, "linestyle": linestyle, "marker": marker, "markerfacecolor": face, **options}
    return Line2D([], [], label=label, **options)


def lines(colours: Mapping[Any, Any], name: str = "{}", **options: Any) -> list[Line2D]:
    """An entry for each line by its colour; ``name`` holds what it is called by in {}."""
    return [entry(name.format(key), color=colour, linestyle="-", **options) for key, colour in colours.items()]


def models() -> list[Line2D]:
    """Legend entries of the limit and of networks."""
    return [entry(name, linestyle=line) for name, line in MODELS.items()]


def by_colour(keys: Sequence[T]) -> dict[T, Any]:
    """A colour for each key."""
    return dict(zip(keys, colours(len(keys)), strict=True))


def law_entries(lines: bool = False) -> list[Line2D]:
    """Legend entries of the two laws: filled and hollow, with solid and dashed predictions."""
    return [
        entry(name, marker="o", filled=filled, linestyle=line if lines else "none")
        for name, filled, line in zip(LAWS.values(), (True, False), ("-", "--"), strict=True)
    ]


def legend(figure: Figure, *rows: Sequence[Line2D]) -> None:
    """The legend below all panels, where no data can be; entries row by row."""
    columns = max(len(row) for row in rows)
    padded = [[*row, *(entry(" ") for _ in range(columns - len(row)))] for row in rows]
    handles = [row[i] for i in range(columns) for row in padded]  # matplotlib fills columns first
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.4, handletextpad=0.5)


def key(ax: Axes, *entries: Line2D, **options: Any) -> None:
    """A legend inside of a panel whose data leave room for it."""
    ax.legend(handles=entries, handletextpad=0.4, borderaxespad=0.2, labelspacing=0.3, **options)


def sizes_axis(ax: Axes, sizes: Sequence[float]) -> None:
    """A logarithmic axis of sizes whose ticks are the sizes themselves."""
    ticks = sorted(set(sizes))
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(ticks, [f"{size:g}" for size in ticks])


def few_ticks(axis: Axis, count: int) -> None:
    """About so many ticks, at round numbers."""
    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 4, 5, 10]))


def share_rows(axes: Sequence[Axes]) -> None:
    """One vertical axis for a row of panels, with its numbers at the left."""
    low = min(ax.get_ylim()[0] for ax in axes)
    high = max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)
        ax.tick_params(labelleft=ax is axes[0])


def slope_guide(ax: Axes, x: tuple[float, float], y: float, slope: float, text: str) -> None:
    """A thin line of a slope on logarithmic axes from (x[0], y) to x[1], named at its end."""
    ends = np.array(x)
    heights = y * (ends / ends[0]) ** slope
    ax.plot(ends, heights, color=GUIDE, linewidth=0.8, zorder=1)
    note(ax, text, (ends[1], heights[1]), (3, 0), ha="left", va="center", color=GUIDE, bbox=PATCH)


def note(
    ax: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0, 0),
    fontsize: float = SMALL,
    **options: Any,
) -> None:
    """Small words, so many points from a point of the data or of what ``xycoords`` names."""
    ax.annotate(text, at, xytext=offset, textcoords="offset points", fontsize=fontsize, **options)


def missing(ax: Axes, what: str) -> None:
    """Says in an empty panel what the run does not hold."""
    note(ax, f"{what}: not in this run", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=GUIDE)

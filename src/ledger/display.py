"""How results show themselves: a line or a few where text is printed, a small table in a notebook.

One summary serves both: facts by name, and for some results a table below them. An array is shown
by its shape or its main numbers, never printed out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["MOST_LINES", "Shown", "Summary", "columns", "over_time", "quantiles", "span"]

MOST_LINES = 5  # of a table that may be long
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Summary:
    """Facts by name, and a table below them if there are headings; ``words`` are its columns that
    hold text, all others hold numbers."""

    facts: Mapping[str, object]
    headings: Sequence[str] = ()
    lines: Sequence[Sequence[str]] = ()
    words: Collection[str] = ()


class Shown(ABC):
    """Gives a result its `repr`, and a table of HTML in notebooks, both from ``_summary``.

    A dataclass that inherits from it is declared with ``repr=False``.

    >>> class Sample(Shown):
    ...     def _summary(self) -> Summary:
    ...         return Summary({"size": 8, "mean": 0.12345})
    >>> Sample()
    Sample(size=8, mean=0.1235)
    """

    @abstractmethod
    def _summary(self) -> Summary: ...

    def __repr__(self) -> str:
        made = self._summary()
        facts = ", ".join(f"{name}={_word(value)}" for name, value in made.facts.items())
        right = set(made.headings) - set(made.words)
        table = columns(made.headings, made.lines, right) if made.headings else []
        return "\n".join([f"{type(self).__name__}({facts})", *(f"  {line}" for line in table)])

    def _repr_html_(self) -> str:
        made = self._summary()
        facts = [[name, _word(value)] for name, value in made.facts.items()]
        parts = [f"<strong>{escape(type(self).__name__)}</strong>", _table((), facts)]
        if made.headings:
            parts.append(_table(made.headings, made.lines))
        return f"<div>{''.join(parts)}</div>"


def _word(value: object) -> str:
    """A fact as text: four digits of a number."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of HTML; whatever stands in a cell is text."""
    rows = [f"<tr>{_cells('th', headings)}</tr>"] if headings else []
    rows += [f"<tr>{_cells('td', line)}</tr>" for line in lines]
    return f"<table>{''.join(rows)}</table>"


def _cells(tag: str, cells: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)


def columns(headings: Sequence[str], lines: Sequence[Sequence[str]], right: Collection[str]) -> list[str]:
    """Headings and lines padded to columns, those in ``right`` to the right; no control character.

    >>> columns(["claim", "value"], [["a", "1.5"], ["b", "12"]], right=["value"])
    ['claim  value', 'a        1.5', 'b         12']
    """
    widths = [max(len(line[i]) for line in (headings, *lines)) for i in range(len(headings))]
    return [
        "  ".join(
            cell.rjust(width) if heading in right else cell.ljust(width)
            for heading, cell, width in zip(headings, line, widths, strict=True)
        ).rstrip()
        for line in (headings, *lines)
    ]


def span(values: Any) -> str:
    """The least and the largest of the values of an array.

    >>> span([3.0, 0.25, 1.0])
    '[0.25, 3]'
    """
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    return f"[{found.min():.4g}, {found.max():.4g}]" if found.size else "[]"


def quantiles(name: str, values: Any) -> dict[str, Any]:
    """Columns of a table over flow times, from values (outputs, replicates): quantiles over the
    replicates, or the values of a single one."""
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    if found.shape[1] == 1:
        return {name: found[:, 0]}
    return {f"{name}, {100 * level:g} %": np.quantile(found, level, axis=1) for level in LEVELS}


def over_time(facts: Mapping[str, object], flow_times: Sequence[float], values: Mapping[str, Any]) -> Summary:
    """Facts, and a table of columns (outputs,): the first flow time, the last, some between."""
    import numpy as np

    count = len(flow_times)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_LINES)).round().astype(int))
    table = {"flow_time": np.asarray(flow_times, dtype=np.float64), **values}
    lines = [[f"{float(column[i]):.4g}" for column in table.values()] for i in chosen]
    return Summary({**facts, "flow_times": count}, tuple(table), lines)

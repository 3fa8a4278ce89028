"""The settings of the runs for the paper: the table of sizes, and every number of a specification.

Nothing here knows a study: a specification is any mapping of JSON's types, and a key that no case
has gives no column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ledger.paper import latex
from ledger.paper.latex import Column
from ledger.record.formatting import tex_number

Spec = Mapping[str, Any]
Specs = Mapping[str, Spec]  # by case

# A column, and what it shows: each entry lists the names under which studies keep one setting (the
# first that a spec has is shown), and the settings of one column are joined.
SIZE_COLUMNS: tuple[tuple[Column, tuple[tuple[str, ...], ...]], ...] = (
    (Column("kind", 0.12), (("kind",),)),
    (Column("problem", 0.12), (("setting", "problem"),)),
    (Column("setting", 0.20), (("initial_law", "law"), ("initialisation", "sampling"), ("activation", "block"))),
    (Column("layers", 0.12), (("num_layers", "depths", "ladder"),)),
    (Column("units", 0.11), (("num_units", "widths"),)),
    (Column("replicates", 0.13, right=True), (("replicates", "num_replicates"),)),
    (Column("flow times", 0.12), (("flow_times", "flow_time", "times"),)),
)
NAMES = ("name", "kind", "law", "sampling")
LONGEST_LIST = 8
LONGEST_EXPANSION = 64
ABSENT = "--"


def sizes(specs: Specs) -> tuple[list[Column], list[list[str]]]:
    """The columns of a table of one study, those of settings that any case has, and its rows.

    The parts of one case, NAME-0, NAME-1 and on, are one row where their cells are the same.
    """
    cells = {case: [cell(spec, parts) for _, parts in SIZE_COLUMNS] for case, spec in sorted(specs.items())}
    kept = [i for i in range(len(SIZE_COLUMNS)) if any(row[i] != ABSENT for row in cells.values())]
    alike: dict[tuple[str, ...], list[str]] = {}
    for case, row in cells.items():
        alike.setdefault((re.sub(r"-\d+$", "", case), *(row[i] for i in kept)), []).append(case)
    return (
        [Column("case", 0.20), *(SIZE_COLUMNS[i][0] for i in kept)],
        [
            [latex.name(first) + (f" and {len(more)} more" if more else ""), *row]
            for (_, *row), (first, *more) in alike.items()
        ],
    )


def cell(spec: Spec, parts: tuple[tuple[str, ...], ...]) -> str:
    """Return the settings of one column as LaTeX."""
    values = [look_up(spec, names) for names in parts]
    return ", ".join(show(value) for value in values if value is not None) or ABSENT


def look_up(spec: Spec, names: tuple[str, ...]) -> Any:
    """Return the first of `names` in the spec, else in the mappings one level below; else None.

    In a list of mappings (the sizes of a case) each entry is asked: all values, each once.
    """
    below = [value for value in spec.values() if isinstance(value, Mapping)]
    for place in (spec, *below):
        for key in names:
            if place.get(key) is not None:
                return place[key]
    for entries in spec.values():
        if isinstance(entries, list) and entries and isinstance(entries[0], Mapping):
            found = [look_up(entry, names) for entry in entries]
            once = [value for i, value in enumerate(found) if value is not None and value not in found[:i]]
            if once:
                return once if len(once) > 1 else once[0]
    return None


def show(value: Any) -> str:
    """Return a setting as LaTeX: numbers by siunitx, long lists shortened, mappings by name."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return tex_exact(value)
    if isinstance(value, Mapping):
        named = next((value[key] for key in NAMES if isinstance(value.get(key), str)), None)
        if named is not None:
            return latex.name(named)
        return ", ".join(f"{latex.name(str(key))} {show(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        shown = [show(entry) for entry in value]
        if len(shown) > LONGEST_LIST:
            shown = [*shown[:3], r"\dots", shown[-1]]
        return ", ".join(shown) or ABSENT
    return latex.name(str(value))


def tex_exact(value: float) -> str:
    r"""Return a setting with all of its digits: `\num{2000}`, `\num{1e-9}`."""
    if isinstance(value, int):
        return rf"\num{{{value}}}"
    if value != value or value in (float("inf"), float("-inf")):
        return tex_number(value)
    digits, _, exponent = repr(value).partition("e")
    digits = digits.removesuffix(".0")
    return rf"\num{{{digits}{f'e{int(exponent)}' if exponent else ''}}}"


def leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, LaTeX) of each number and word below `value`; also of short flat lists.

    Entries of lists are numbered from 0. Lists of more than 64 entries (data) are left out.
    """
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from leaves(entry, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        if len(value) > LONGEST_EXPANSION:
            return
        if value and all(isinstance(entry, int | float) for entry in value):
            yield path, ", ".join(show(entry) for entry in value)
        for position, entry in enumerate(value):
            yield from leaves(entry, f"{path}.{position}")
    elif isinstance(value, str):
        yield path, latex.escape(value)
    elif value is not None:
        yield path, show(value)

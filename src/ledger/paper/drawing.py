"""Figures from results: what a figure module is given, and how its figures are written.

`figures/<study>.py` binds `FIGURES = {"name": function}`; each function takes `Frames` and returns
a matplotlib figure. Files carry no date, so that the same figure has the same bytes; beside them
lies a manifest that says which function drew them, from which tables.
"""

from __future__ import annotations

import io
import sys
import time
from collections import UserDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.record import results
from ledger.record.results import ResultError
from ledger.run import provenance
from ledger.study import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ledger.config.case import Case

DATELESS: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Frames:
    """All that a figure may look at.

    run: cases of the study and the table of each; estimates: those of the study, with `key`;
    mode: `full` or `quick`.
    """

    run: Run
    estimates: pd.DataFrame
    mode: str

    @property
    def cases(self) -> Mapping[str, Case]:
        """Every case of the study by name."""
        return self.run.cases

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The rows of each case."""
        return self.run.tables


class Recorded(UserDict[str, "pd.DataFrame"]):
    """Tables that remember which of them were looked at."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        super().__init__(tables)
        self.read = set[str]()

    def __getitem__(self, case: str) -> pd.DataFrame:
        self.read.add(case)
        return super().__getitem__(case)


def draw(
    study: str, module: Path, frames: Frames, out: Path, digests: Mapping[str, str], names: Collection[str] = ()
) -> list[Path]:
    """Write each figure of a module, or those named, as `<study>-<name>.pdf` and `.png`.

    `digests` holds the SHA-256 of each table; the manifest names those that the figure looked at.
    Returns the files. Raises ResultError for a name that is no figure of the module.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figures = _load(module)
    if strangers := sorted(set(names) - set(figures)):
        raise ResultError(
            f"a figure of {study} must be one of {', '.join(figures)}, got {', '.join(strangers)}; add it to FIGURES"
        )
    written = []
    for name, function in figures.items():
        if names and name not in names:
            continue
        start, tables = time.process_time(), Recorded(frames.tables)
        figure = function(replace(frames, run=Run(frames.cases, tables)))
        if frames.mode == "quick":
            stamp(figure, frames.mode)
        made = {Path(out) / f"{study}-{name}.{kind}": render(figure, kind) for kind in DATELESS}
        pyplot.close(figure)
        for path, content in made.items():
            results.write_bytes(path, content)
        fields = provenance.describe(
            study, name, Path(module).as_posix(), time.process_time() - start,
            inputs={case: digests[case] for case in sorted(tables.read)},
        )  # fmt: skip
        fields["function"] = f"{function.__module__}.{function.__qualname__}"
        fields["files"] = {path.name: results.sha256_of(content) for path, content in made.items()}
        fields["sha256"] = fields["files"][f"{study}-{name}.pdf"]
        fields["estimates"] = digests.get("estimates")
        results.write_sealed(results.manifest_path(next(iter(made))), fields)
        written += made
    return written


def _load(module: Path) -> Mapping[str, Any]:
    """Return FIGURES of the file, which may import its neighbours (`figures.style` or `style`).

    A module of a package names those relative to it: `figures` is the paper's folder for it too.
    """
    module = Path(module).resolve()
    if not module.is_file():
        raise ResultError(f"{module.name} must be a file with FIGURES, found none; check --module")
    in_package = (module.parent / "__init__.py").is_file()
    for folder in (module.parent, module.parent.parent, Path.cwd())[in_package:]:
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    loaded = import_module(f"{module.parent.name}.{module.stem}")
    figures = getattr(loaded, "FIGURES", None)
    if not isinstance(figures, Mapping):
        raise ResultError(f"{module.name} must bind FIGURES to a mapping; write FIGURES = {{'name': function}}")
    return figures


def stamp(figure: Figure, mode: str) -> None:
    """Mark a figure with its mode, across the middle and behind nothing that must be read."""
    figure.text(
        0.5, 0.5, mode, fontsize=60, color="0.4", alpha=0.18, rotation=25,
        ha="center", va="center", transform=figure.transFigure, in_layout=False,
    )  # fmt: skip


def render(figure: Figure, kind: str) -> bytes:
    """Return the figure as `pdf` or `png` bytes without date or version."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=DATELESS[kind], dpi=200)
    return buffer.getvalue()

"""Figures from results: what a figure module is given, and how its figures are written.

`figures/<study>.py` binds `FIGURES = {"name": function}`; each function takes `Frames` and returns
a matplotlib figure. Files carry no date, so that the same figure has the same bytes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroloss import results
from zeroloss.results import ResultError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DATELESS: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Frames:
    """All that a figure may look at.

    tables: rows of each case; estimates: those of the study, with `key`; specs: spec of each case;
    mode: `full` or `quick`.
    """

    tables: Mapping[str, pd.DataFrame]
    estimates: pd.DataFrame
    specs: Mapping[str, Mapping[str, Any]]
    mode: str


def draw(study: str, module: Path, frames: Frames, out: Path) -> list[Path]:
    """Write each figure of a module as `<study>-<name>.pdf` and `.png`; return the files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figures = _load(module)
    written = []
    for name, function in figures.items():
        figure = function(frames)
        if frames.mode == "quick":
            stamp(figure, frames.mode)
        for kind in DATELESS:
            path = Path(out) / f"{study}-{name}.{kind}"
            results.write_bytes(path, render(figure, kind))
            written.append(path)
        pyplot.close(figure)
    return written


def _load(module: Path) -> Mapping[str, Any]:
    """Return FIGURES of the file, which may import its neighbours (`figures.style` or `style`)."""
    module = Path(module).resolve()
    if not module.is_file():
        raise ResultError(f"{module.name} must be a file with FIGURES, found none; check --module")
    for folder in (module.parent, module.parent.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    loaded = import_module(f"{module.parent.name}.{module.stem}")
    figures = getattr(loaded, "FIGURES", None)
    if not isinstance(figures, Mapping):
        raise ResultError(
            f"{module.name} must bind FIGURES to a mapping; write FIGURES = {{'name': function}}"
        )
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

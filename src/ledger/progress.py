"""Progress of long calls: a bar on the error stream, or what a function of one's own makes of it.

A call that takes ``progress`` says nothing for False, shows a bar for True, and calls a function
as function(stage, done, total) otherwise. No number depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

__all__ = ["Progress", "Report", "counted", "reporting", "silent"]

Report = Callable[[str, int, int], None]  # stage, done, total
Progress = bool | Report
Item = TypeVar("Item")


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


@contextmanager
def reporting(progress: Progress) -> Iterator[Report]:
    """Yield what to report to, for as long as a call runs.

    >>> with reporting(print) as report:
    ...     report("training", 5, 20)
    training 5 20
    """
    if callable(progress):
        yield progress
    elif not progress:
        yield silent
    else:
        with _bars() as bars:
            task, seen = bars.add_task("", total=None), ""

            def show(stage: str, done: int, total: int) -> None:
                nonlocal seen
                if stage != seen:
                    seen = stage
                    bars.reset(task, description=stage)
                bars.update(task, completed=done, total=total)

            yield show


def _bars() -> Bars:
    """One line with a bar, the time that went and the time left, on the error stream."""
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter and find_spec("ipywidgets") is None:
        # rich shows nothing there without the widgets; a notebook can rewrite a line of text
        console = Console(stderr=True, force_jupyter=False, force_terminal=True)
    # what is printed meanwhile goes where it would go anyway
    return rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        console=console,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def counted(report: Report, stage: str, items: Sequence[Item]) -> Iterator[Item]:
    """Hand out items one by one, and report before the first and after each.

    >>> [item.upper() for item in counted(print, "letters", ["a", "b"])]
    letters 0 2
    letters 1 2
    letters 2 2
    ['A', 'B']
    """
    report(stage, 0, len(items))
    for done, item in enumerate(items, 1):
        yield item
        report(stage, done, len(items))

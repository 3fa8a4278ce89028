"""What a study is written with.

    plan.py      class Settings(Closed): the study's block of the configuration
                 class Basins(Case): one kind of job, with all that it depends on
                 def cases(block, common) -> {name: case}
    jobs.py      @job(Basins): a case to its table, or to the parts of it, one by one
    measure.py   @measures("linear.ends"): the tables of a run to rows of estimates
                 @control("linear.ends", Basins): the table of the claim's negative control

`jobs` and `measure` may import modules beside them that hold such functions. `plan` is read before
every run, so it imports this module and nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from ledger.config.case import Case, Common
from ledger.config.closed import Closed

if TYPE_CHECKING:
    import pandas as pd

    from ledger.record.rows import Rows

    Parts = pd.DataFrame | Iterable[pd.DataFrame]

__all__ = [
    "Case",
    "Closed",
    "Common",
    "Control",
    "Run",
    "control",
    "controls_of",
    "job",
    "jobs_of",
    "measures",
    "measures_of",
]

C = TypeVar("C", bound=Case)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class Run:
    """The cases of a study and the table of each, by name.

    A run equals itself alone, so that what is read off one may be cached (`functools.lru_cache`).
    """

    cases: Mapping[str, Case]
    tables: Mapping[str, pd.DataFrame]

    def of(self, kind: type[C], **fields: Any) -> Iterator[tuple[str, C, pd.DataFrame]]:
        """Name, case and table of every case of a kind whose fields have these values."""
        for name, case in self.cases.items():
            if isinstance(case, kind) and all(getattr(case, k) == v for k, v in fields.items()):
                yield name, case, self.tables[name]

    def one(self, kind: type[C], **fields: Any) -> tuple[str, C, pd.DataFrame]:
        """The only such case; LookupError if there is none, or more than one."""
        found = list(self.of(kind, **fields))
        if len(found) != 1:
            raise LookupError(
                f"one case of kind {kind.kind} with {fields} must be there, got {[name for name, _, _ in found]}"
            )
        return found[0]


def _mark(function: F, mark: str, said: Any) -> F:
    vars(function)[mark] = said
    return function


def _marked(module: ModuleType, mark: str) -> dict[Callable[..., Any], Any]:
    """Marked functions of a module, and of the modules beside it that it imports."""
    beside = [
        other
        for other in vars(module).values()
        if isinstance(other, ModuleType) and other.__package__ == module.__package__
    ]
    return {
        value: vars(value)[mark]
        for one in (module, *beside)
        for value in vars(one).values()
        if callable(value) and mark in getattr(value, "__dict__", ())
    }


def job(kind: type[C]) -> Callable[[Callable[[C], Parts]], Callable[[C], pd.DataFrame]]:
    """The function that makes the table of every case of a kind, or yields its parts from above."""

    def marked(function: Callable[[C], Parts]) -> Callable[[C], pd.DataFrame]:
        @wraps(function)
        def table(case: C) -> pd.DataFrame:
            import pandas as pd

            parts = function(case)
            return parts if isinstance(parts, pd.DataFrame) else pd.concat(parts, ignore_index=True)

        return _mark(table, "_ledger_job", kind)

    return marked


def measures(*claims: str) -> Callable[[F], F]:
    """The function that measures some claims: a run to rows. None: numbers that no claim judges."""
    return lambda function: _mark(function, "_ledger_claims", claims)


@dataclass(frozen=True)
class Control:
    """The negative control of a claim: a deliberately wrong model or data, in a run's tables."""

    claim: str
    function: Callable[..., Any]
    kinds: tuple[type[Case], ...]

    def within(self, run: Run) -> Run:
        """The run with the tables of the control; those of the run given are left alone."""
        if not self.kinds:
            return Run(run.cases, self.function(run))
        return Run(
            run.cases,
            {
                name: self.function(table.copy(), run.cases[name]) if isinstance(run.cases[name], self.kinds) else table
                for name, table in run.tables.items()
            },
        )


def control(claim: str, *kinds: type[Case]) -> Callable[[F], F]:
    """The negative control of a claim: (table, case) -> table for each case of these kinds.

    Without kinds the function takes the run and returns all of its tables, by name.
    """
    return lambda function: _mark(
        function, "_ledger_controls", (*vars(function).get("_ledger_controls", ()), Control(claim, function, kinds))
    )


def jobs_of(module: ModuleType) -> dict[type[Case], Callable[[Any], pd.DataFrame]]:
    """The jobs of a study's module `jobs`, by kind of case."""
    return {kind: function for function, kind in _marked(module, "_ledger_job").items()}


def measures_of(module: ModuleType) -> dict[Callable[[Run], Rows], tuple[str, ...]]:
    """The measuring functions of a study's module `measure`, each with its claims."""
    return _marked(module, "_ledger_claims")


def controls_of(module: ModuleType) -> dict[str, Control]:
    """The negative control of each claim, in a study's module `measure`."""
    marked = _marked(module, "_ledger_controls")
    return {one.claim: one for controls in marked.values() for one in controls}

"""Claims as data: the closed models of `paper/claims/<study>.yaml` and their loader.

A claim states what would count as support and what as refutation before anything is run. What the
runs then say about it is computed in `ledger.record.verdicts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ledger.config import studies, yaml
from ledger.record import results
from ledger.record.interval import Kind

Number = Annotated[float, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0)]
NonNegative = Annotated[float, Field(strict=True, ge=0)]
Words = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]


FOLDER = Path("paper/claims")


class ClaimError(ValueError):
    """A file of claims breaks a rule; the message names file, claim, key, value and remedy."""


class Closed(BaseModel):
    """A frozen record that knows all of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Closed):
    """Where the statement comes from: key in `references.bib`, label there, role here."""

    paper: Words
    label: Words
    role: Words


class Tolerance(Closed):
    """How far a rebuilt number may lie from the published one: abs + rel · |published|."""

    abs: NonNegative = 0.0
    rel: NonNegative = 0.0

    def of(self, published: float) -> float:
        """How far a number may lie from this one."""
        return self.abs + self.rel * abs(published)

    def spent(self, rebuilt: float, published: float) -> float:
        """The share of what is allowed by which two numbers differ: at most 1 where they agree.

        NaN agrees with NaN alone, an infinite number with itself alone.
        """
        if rebuilt == published or (math.isnan(rebuilt) and math.isnan(published)):
            return 0.0
        apart, allowed = abs(rebuilt - published), self.of(published)
        return apart / allowed if math.isfinite(apart) and allowed > 0 else math.inf

    def allows(self, rebuilt: float, published: float) -> bool:
        """Tell whether `rebuilt` agrees with `published`."""
        return self.spent(rebuilt, published) <= 1.0


# For numbers that no claim rests on: loose enough for another machine, tight enough for a typo.
DEFAULT_TOLERANCE = Tolerance(abs=1e-9, rel=0.02)


class Predicate(Closed):
    """What the interval of a quantity must do, in each cell that matches `cells`.

    `interval` is the kind of interval that it takes (`ledger.record.interval`), `level` its least
    level where that is more than the claim's. Exactly one of
    `inside: [lo, hi]`, `covers: x`, `at_most: x`. `max_half_width` (absolute, or in
    units of |estimate| with `relative`) is the precision that `supported` asks for besides; what
    covers x must state it.
    """

    quantity: Words
    inside: tuple[Number, Number] | None = None
    covers: Number | None = None
    at_most: Number | None = None
    max_half_width: Positive | None = None
    relative: Annotated[bool, Field(strict=True)] = False
    cells: Words = "*"
    interval: Annotated[Kind, Field(strict=False)]
    level: Annotated[float | None, Field(strict=True, gt=0, lt=1)] = None

    @model_validator(mode="after")
    def _one_test(self) -> Predicate:
        given = [name for name in ("inside", "covers", "at_most") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"exactly one of inside, covers, at_most must be given, got {found}")
        if self.inside is not None and not self.inside[0] <= self.inside[1]:
            raise ValueError(f"inside must be [low, high] with low <= high, got {list(self.inside)}")
        if self.inside is not None and not any(math.isfinite(end) for end in self.inside):
            raise ValueError(
                "inside must have a finite end, got [-inf, inf], which nothing fails; "
                "state a bound, or print the number without a claim"
            )
        if self.covers is not None and self.max_half_width is None:
            raise ValueError("covers must come with max_half_width, or a wide interval supports everything; add it")
        if self.relative and self.max_half_width is None:
            raise ValueError("relative must come with max_half_width, which it scales; add it")
        return self

    def concerns(self, quantity: str, cell: str) -> bool:
        """Tell whether this predicate judges the row of `quantity` at `cell`."""
        return quantity == self.quantity and fnmatchcase(cell, self.cells)

    def width(self, half_width: float, estimate: float) -> float:
        """Return a half-width in the unit of `max_half_width`: that of the quantity, or |estimate|."""
        if not self.relative:
            return half_width
        return half_width / abs(estimate) if estimate else math.inf

    def words(self) -> str:
        """Return the predicate as one line of text."""
        if self.inside is not None:
            test = f"inside [{self.inside[0]:g}, {self.inside[1]:g}]"
        elif self.covers is not None:
            test = f"covers {self.covers:g}"
        else:
            test = f"at most {self.at_most:g}"
        test = f"{test}, {self.interval}"
        if self.level is not None:
            test = f"{test} {100 * self.level:g} %"
        if self.max_half_width is None:
            return test
        kind = "relative half-width" if self.relative else "half-width"
        return f"{test}, {kind} at most {self.max_half_width:g}"


class Change(Closed):
    """One line of a claim's history: what was changed, and the verdicts before and after."""

    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    changed: Literal["stated", "predicate", "estimator", "sizes", "control", "seed"]
    text: Words
    before: str = ""
    after: str = ""


class Claim(Closed):
    """One claim: `title` is plain text, `statement` is LaTeX.

    `kind`: a prediction of this paper, a theorem of its sources, or a check that numbers are right.
    `regime`: the smallest replicates, sizes and settings (names of fields of cases, such as
    num_layers) at which the claim is meant; below any of them it is not judged.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9-]+)+$")]
    title: Words
    statement: Words
    source: Source
    estimator: Words
    predicate: Annotated[tuple[Predicate, ...], Field(min_length=1)]
    level: Annotated[float, Field(strict=True, gt=0, lt=1)]
    tolerance: dict[str, Tolerance]
    kind: Literal["prediction", "theorem", "numerical check"]
    regime: dict[Words, Count] = {}
    history: Annotated[tuple[Change, ...], Field(min_length=1)]
    negative_control: Words  # the wrong model or data that `measure` has for it
    near_control: Words | None = None  # the smallest such theory and its size, LaTeX (`ledger.near`)
    budget_minutes: Positive

    @model_validator(mode="after")
    def _tolerances_cover(self) -> Claim:
        bare = {p.quantity for p in self.predicate} - set(self.tolerance)
        if bare and "*" not in self.tolerance:
            raise ValueError(
                f"tolerance must cover each quantity of the predicate, got none for "
                f"{', '.join(sorted(bare))}; add tolerance.{min(bare)} or tolerance.'*'"
            )
        return self

    def at_any_size(self) -> Claim:
        """Return the same claim without a regime: what is wrong is refuted on small tables too."""
        return self.model_copy(update={"regime": {}})

    def tolerance_of(self, quantity: str) -> Tolerance:
        """Return the tolerance of `quantity`: its own, else that of `*`, else the default."""
        return self.tolerance.get(quantity) or self.tolerance.get("*") or DEFAULT_TOLERANCE


def files_of_claims() -> list[Path]:
    """The files that state claims: those of the paper, and of studies that bring their own."""
    guests = (study.folder / "claims.yaml" for study in studies.guests().values())
    return [*sorted(FOLDER.glob("*.yaml")), *guests]


def load_claims(*paths: Path) -> tuple[Claim, ...]:
    """Return the claims of the files in their order; raise ClaimError for the first broken rule."""
    claims = [claim for path in paths for claim in _load(path)]
    ids = [claim.id for claim in claims]
    for claim in claims:
        if ids.count(claim.id) > 1:
            raise ClaimError(
                f"{' + '.join(map(str, paths))}: claim {claim.id}: id must be unique; rename or merge one of the two"
            )
    return tuple(claims)


def _load(path: Path) -> tuple[Claim, ...]:
    try:
        content = yaml.parse(results.read_text(path))
    except yaml.YamlError as error:
        raise ClaimError(f"{path} is not YAML: {error}; correct it") from error
    if not isinstance(content, list):
        raise ClaimError(f"{path} must hold a list of claims, got {type(content).__name__}")
    return tuple(_claim(entry, position, path) for position, entry in enumerate(content))


def _claim(entry: Any, position: int, path: Path) -> Claim:
    """Return one record as a claim."""
    if not isinstance(entry, dict):
        raise ClaimError(f"{path}: claim {position + 1} must be a mapping, got {entry!r}; start it with id")
    name = entry.get("id", f"number {position + 1}")
    try:
        return Claim.model_validate(entry)
    except ValidationError as error:
        raise ClaimError(f"{path}: claim {name}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    """Return the first broken rule as `key = value: rule; remedy`."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the record"
    value = first["input"]
    if first["type"] == "missing":
        return f"{key} must be given; add it"
    if first["type"] == "extra_forbidden":
        return f"{key} = {value!r}: unknown key; remove it or correct its spelling"
    rule = first["msg"].removeprefix("Value error, ")
    if isinstance(value, str) and not math.isnan(results.number(value)):
        return f"{key} = {value!r}: {rule}; write numbers unquoted"
    shown = value if isinstance(value, int | float | str) else type(value).__name__
    return f"{key} = {shown!r}: {rule}; correct it"


def by_id(claims: Iterable[Claim]) -> dict[str, Claim]:
    """Return the claims under their ids."""
    return {claim.id: claim for claim in claims}

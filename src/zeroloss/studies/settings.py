"""What the blocks of several studies are made of: numbers, sizes, problems, laws, rules."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from ledger.config import csvtable
from ledger.config.closed import Closed
from ledger.run.packing import blocks
from zeroloss.model.catalogue import MOST_ROWS, ActivationName, ProblemName

Count = Annotated[int, Field(ge=1, le=10**9)]
Positive = Annotated[float, Field(gt=0)]
NumberType = Literal["float32", "float64"]
NonNegative = Annotated[float, Field(ge=0)]
DepthNodes = Annotated[int, Field(ge=2, le=16)]
# part of a file's name, and of words on a command line: nothing that a shell or an option could be
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]


def increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, refused unless each is above the one before."""
    if any(b <= a for a, b in pairwise(values)):
        raise ValueError("each must be above the one before")
    return values


def doubling(values: tuple[int, ...]) -> tuple[int, ...]:
    """The values, refused unless each is twice the one before."""
    if any(b != 2 * a for a, b in pairwise(values)):
        raise ValueError("each must be twice the one before")
    return values


Times = Annotated[tuple[NonNegative, ...], Field(min_length=1, strict=False), AfterValidator(increasing)]
# orders are observed, and limits extrapolated, on sizes that double
Doubling = Annotated[tuple[Count, ...], Field(min_length=2, strict=False), AfterValidator(doubling)]


class ProblemSettings(Closed):
    """A built-in problem, or a CSV by path with its target column."""

    kind: ProblemName | Literal["csv"]
    num_samples: Annotated[int, Field(ge=2)]
    path: str | None = None
    target: str | None = None
    features: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    lift: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _csv_is_named(self) -> ProblemSettings:
        asked = [self.path is not None, self.target is not None]
        if not all(asked) if self.kind == "csv" else any(asked) or self.features is not None:
            raise ValueError(
                "path and target go with kind csv, features too, and only with it; "
                f"got kind {self.kind}, path {self.path}, target {self.target}"
            )
        return self

    @model_validator(mode="after")
    def _rows_are_there(self) -> ProblemSettings:
        if self.num_samples > MOST_ROWS.get(self.kind, self.num_samples):
            raise ValueError(
                f"num_samples must be at most {MOST_ROWS[self.kind]} for {self.kind}, got {self.num_samples}"
            )
        if self.kind == "csv" and "\0" in str(self.path):
            raise ValueError(f"path must be the name of a file, got {self.path!r}")
        return self

    def check(self, num_samples: int = 0) -> None:
        """Raise DataError for a table that is none, or has fewer rows than the samples taken of it:
        those of the problem, or ``num_samples`` if these are more."""
        count = max(self.num_samples, num_samples)
        if self.kind == "csv":
            csvtable.columns(str(self.path), str(self.target), self.features, count)
        elif count > MOST_ROWS.get(self.kind, count):
            raise csvtable.DataError(
                f"{self.kind}: num_samples must be at most {MOST_ROWS[self.kind]}, got {count}; set num_samples"
            )


class LawSettings(Closed):
    """ρ_ini: a product law with a scale each for a, w, b."""

    kind: Literal["gaussian", "uniform"] = "gaussian"
    scale_a: Positive = 1.0
    scale_w: Positive = 1.0
    scale_b: Positive = 1.0


class Replicated(Closed):
    """Networks drawn so many times, on a setting."""

    setting: Name
    replicates: Annotated[int, Field(ge=8)]


class Block(Closed):
    """A block of replicates of networks of one size."""

    num_layers: Count
    num_units: Count
    first_replicate: Annotated[int, Field(ge=0)]
    replicates: Count

    @property
    def which(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)


B = TypeVar("B", bound=Block)


def in_blocks(
    model: type[B], num_layers: int, num_units: int, num_samples: int, replicates: int, most: int, **own: Any
) -> list[tuple[int, B]]:
    """Blocks of the replicates of one size, each with its work (particles × samples), which stays
    near ``most``."""
    each = num_layers * num_units * num_samples
    return [
        (
            each * (stop - start),
            model(num_layers=num_layers, num_units=num_units, first_replicate=start, replicates=stop - start, **own),
        )
        for start, stop in blocks(each, replicates, most)
    ]


class NetworkSetting(Closed):
    """One problem with its block, law and flow times: a row of the paper's table of settings."""

    problem: ProblemSettings
    activation: ActivationName
    initial_law: LawSettings
    flow_times: Times
    depth_nodes: DepthNodes


class Rule(Closed):
    """A Sobol rule of ρ_ini: 2^log2_points points, so many scrambles."""

    log2_points: Annotated[int, Field(ge=4, le=18)]
    scrambles: Annotated[int, Field(ge=2, le=1024)]

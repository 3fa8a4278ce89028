"""`zeroloss size`: the sizes of one's own problem on a terminal or as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ledger.record import results
from ledger.record.results import ResultError
from ledger.table import show
from zeroloss.model.law import InitialLaw
from zeroloss.model.problem import DataError, Problem, built_in, from_csv
from zeroloss.theory.sizing import HEADINGS, Sizes, required_size

__all__ = ["Choice", "report"]

MOST_SAMPLES = 32  # rows of a table that are taken unless --num-samples asks for more
SAMPLES = {"sine": 8, "surface": 12, "diabetes": 32, "digits": 64}
# a, w, b of the paper's settings: on real data pre-activations are kept of order 1
SCALES = {"sine": (1.0, 1.0, 1.0), "surface": (1.0, 1.0, 1.0)}
REAL_SCALES = (2.0, 0.5, 0.5)
# settings of a configuration, which errors name, as options
OPTIONS = {"problem.path": "--csv", "problem.num_samples": "--num-samples"}


class Choice(NamedTuple):
    """A problem that ships with zeroloss, or a table with the column to predict; and its rows."""

    problem: str | None = None
    csv: Path | None = None
    target: str | None = None
    num_samples: int | None = None
    seed: int = 0

    def load(self) -> tuple[Problem, str]:
        """The problem, and what is to be said about its rows; DataError for none, or for two."""
        if (self.problem is None) == (self.csv is None):
            raise DataError("give one of --problem and --csv, and not both")
        if self.problem is not None:
            return built_in(self.problem, self.num_samples or SAMPLES[self.problem], self.seed), ""
        if self.csv is None or self.target is None:
            raise DataError("a CSV needs the name of the column to predict; add --target COLUMN")
        try:
            whole = from_csv(self.csv, self.target)
            count = self.num_samples or min(whole.num_samples, MOST_SAMPLES)
            taken = from_csv(self.csv, self.target, None, count, self.seed)
        except DataError as error:
            raise DataError(f"--csv {error}") from error
        note = (
            f"{count} of {whole.num_samples} rows, chosen by seed {self.seed}; set --num-samples for more"
            if count < whole.num_samples
            else ""
        )
        return taken, note


def report(
    choice: Choice,
    accuracy: float,
    failure_probability: float,
    flow_time: float,
    *,
    activation: str,
    sampling: str,
    num_layers: int | None,
    scales: tuple[float, float, float] | None,
    as_json: bool,
) -> None:
    """Solve, and print; what cannot be solved or read raises ResultError with the remedy."""
    try:
        problem, note = choice.load()
        law = InitialLaw("gaussian", *(scales or SCALES.get(choice.problem or "", REAL_SCALES)))
        found = required_size(
            problem,
            law,
            accuracy,
            failure_probability,
            flow_time,
            activation=activation,
            sampling=sampling,
            num_layers=num_layers,
            seed=choice.seed,
            progress=sys.stderr.isatty(),
        )
    except (ValueError, FloatingPointError, RuntimeError) as error:
        message = " ".join(str(error).split())
        for setting, option in OPTIONS.items():
            message = message.replace(setting, option)
        raise ResultError(message) from error
    if as_json:
        print(json.dumps(results.jsonable(content(found, note)), indent=1, sort_keys=True))
    else:
        show(HEADINGS, found.lines(), caption(found, note))


def caption(found: Sizes, note: str) -> str:
    """What was asked, what the limit is, and what stands against reading the answers as exact."""
    asked = (
        f"{found.problem}: N = {found.num_samples}, d = {found.dim}, {found.sampling} "
        f"initialisation; |E - E(limit)| <= {found.accuracy:g} with probability "
        f"{1 - found.failure_probability:g} at flow time {found.flow_time:g}"
    )
    limit = (
        f"E(limit) = {found.limit_risk:.4g} (error about {found.limit_risk_error:.1g}), gap "
        f"of the depth {found.depth_gap:.2g}; seconds: one training on one core"
    )
    return "\n".join([asked, limit, *([note] if note else [])])


def content(found: Sizes, note: str) -> dict[str, Any]:
    """The same as a mapping of JSON's types."""
    answers = {
        one.method: {key: value for key, value in vars(one).items() if key != "method"}
        | {"log10_weights": found.log10_weights(one.method)}
        for one in found.answers
    }
    share = found.failure
    failure = share and {"estimate": share.value, "lower": share.lower, "upper": share.upper}
    return found.facts() | {"answers": answers, "failure": failure, "note": note}

"""What of the web article answers to its reader: rates, predictions beside measurements, sizes.

`ledger.show.drawn` says what each kind holds; it follows the figure that it is named after.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ledger.record import results
from ledger.show.drawn import Pair
from ledger.study import Run
from zeroloss.studies.size.demands import demand
from zeroloss.studies.size.evidence import Evidence, Ladder

Record = Mapping[str, Any]
Rows = Mapping[str, Mapping[str, Any]]

RATES = ("limits.width-independent", "limits.width-path", "limits.depth", "limits.admissible")
LAYERS = {"independent": "independent layers", "path": "smooth paths"}


def rates(record: Record, _: Callable[[str], Run]) -> Record:
    """Every measured exponent of the limit beside the range that its claim asks for."""
    judged = {entry["id"] for entry in record["claims"]}
    return {
        "kind": "claims",
        "title": "Each rate, cell by cell",
        "note": "Intervals beside the range that the claim asks for (grey); a number opens its evidence.",
        "claims": [claim for claim in RATES if claim in judged],
    }


def compared(record: Record, _: Callable[[str], Run]) -> Record:
    """What was predicted beside what was measured, nothing fitted."""
    rows = {row["key"]: row for entry in record["claims"] for row in entry["rows"]}
    rows |= {row["key"]: row for row in record["numbers"]}
    pairs = {
        "variance of the residuals, M L or M times": _variances(rows),
        "variance on smooth paths": _matched(rows, "limits/smooth_predicted", "limits/smooth_measured"),
        "width that the law asks for, and a ladder of doubling widths": _matched(
            rows, "size/width_law", "size/width_measured"
        ),
        "exponent of descent with momentum": _matched(rows, "linear/exponent_predicted", "linear/exponent"),
    }
    return {
        "kind": "pairs",
        "title": "Predicted against measured",
        "note": "Across, the prediction; up, the measurement with its interval; on the diagonal they agree.",
        "pairs": {name: found for name, found in pairs.items() if found},
    }


def _matched(rows: Rows, predicted: str, measured: str) -> list[Pair]:
    """Pairs of two quantities at the same cells; of exponents the size, since planes are of positive numbers."""
    cells = {key.removeprefix(f"{measured}/"): row for key, row in rows.items() if key.startswith(f"{measured}/")}
    return [
        _pair(row, abs(results.number(rows[f"{predicted}/{cell}"]["estimate"])), 1.0)
        for cell, row in cells.items()
        if f"{predicted}/{cell}" in rows
    ]


def _variances(rows: Rows) -> list[Pair]:
    """tr Σ of the limit, and what the largest networks have of it: their ratio to it times it."""
    return [
        _pair(row, trace, trace)
        for key, row in rows.items()
        if key.startswith("limits/ratio_to_limit/")
        for trace in [results.number(rows[f"limits/trace_limit/{row['cell']}"]["estimate"])]
    ]


def _pair(row: Mapping[str, Any], predicted: float, unit: float) -> Pair:
    value, *ends = (unit * results.number(row[name]) for name in ("estimate", "lower", "upper"))
    lower, upper = (value if math.isnan(end) else end for end in ends)
    return Pair(row["key"], predicted, *sorted(map(abs, (lower, value, upper))))


def sizes(_: Record, run_of: Callable[[str], Run]) -> Record:
    """The least width for each flow time, accuracy and failure probability of a ladder, precomputed."""
    evidence = Evidence.of(run_of("size"))
    etas = evidence.common.failure_probabilities
    return {
        "kind": "sliders",
        "title": "How wide must it be?",
        "note": "The least width M of networks with E within ε of the limit, but for a probability η, after time s.",
        "unit": "width M",
        "sliders": {
            f"{one.setting}, {LAYERS[one.sampling]}": {
                "sliders": [
                    {"name": "s", "values": [_time(one, time) for time in one.times()]},
                    {"name": "ε", "values": [f"{eps:g}" for eps in one.accuracies]},
                    {"name": "η", "values": [f"{eta:g}" for eta in etas]},
                ],
                "curves": _widths(evidence, one, list(etas)),
            }
            for one in evidence.with_role("ladder")
        },
    }


def _time(ladder: Ladder, time: int | None) -> str:
    return "all of these" if time is None else f"{ladder.flow_times[time]:g}"


def _widths(evidence: Evidence, ladder: Ladder, etas: list[float]) -> dict[str, list[list[list[float | None]]]]:
    """{method: widths[time][accuracy][η]}, None where no width of the method is known to do."""
    answers = [
        [[demand(evidence, ladder, eps, eta, time) for eta in etas] for eps in ladder.accuracies]
        for time in ladder.times()
    ]
    methods = {"Chebyshev": "chebyshev", "predicted law": "law", "measured": "measured"}
    return {
        name: [
            [[value if math.isfinite(value := getattr(one, field)) else None for one in row] for row in block]
            for block in answers
        ]
        for name, field in methods.items()
    }


INTERACTIVE = {"limits-rates": rates, "limits-risk": compared, "size-width": sizes}

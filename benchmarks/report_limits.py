"""The tables of W3 and W4."""

from __future__ import annotations

import math

from benchmarks.brute import NAME as BRUTE
from benchmarks.rows import OURS, Row, pick
from benchmarks.tables import Cell, Number, Table, first, rough
from ledger.record.formatting import NOT_MEASURED

__all__ = ["influence_costs", "limit_costs", "limit_gradients", "over_brute_force"]


def _cases(rows: list[Row]) -> list[tuple[str, float]]:
    """(problem, accuracy) in the order of measuring."""
    return list(dict.fromkeys((row.case, row.size) for row in
                              pick(rows, work="limit", method=OURS, quantity="cpu_seconds")))


def limit_costs(rows: list[Row]) -> Table:
    """CPU time of the limit to each accuracy, and by which way it is known."""
    table = Table(
        "limit", "E(ρ(s)) of the mean-field limit at s = 4 to a relative accuracy: CPU time and "
        "relative error. Error: zeroloss states its own, the one found against a far finer run is "
        "in brackets; general solvers share its rule in θ; brute force is extrapolated from "
        "networks in a budget of seconds. Over ours: at the error that zeroloss states, which is "
        "above the accuracy where its largest rule did not reach it.",
        ("problem", "accuracy", "method", "CPU s", "over ours", "error", "how"),
        (0.09, 0.10, 0.12, 0.11, 0.11, 0.19, 0.28))
    for case, accuracy in _cases(rows):
        own = pick(rows, work="limit", case=case)
        base = pick(own, method=OURS, quantity="cpu_seconds", size=accuracy)[0].value
        for row in pick(own, quantity="cpu_seconds"):
            if row.size != accuracy:
                continue
            stated = pick(own, method=row.method, quantity="stated_error", size=accuracy)
            error = pick(own, method=row.method, quantity="relative_error", size=accuracy)
            shown = f"{rough(stated)} ({rough(error)})" if stated else rough(error)
            ratio: Cell = "1" if row.method == OURS else Number(row.value / base)
            if row.method == BRUTE:
                ratio = Number(over_brute_force(rows, case, accuracy) or math.nan)
            table.rows.append([case, f"{accuracy:g}", row.method, Number(row.value), ratio, shown,
                               row.note])
    missing = [row for row in pick(rows, work="limit", quantity="cpu_seconds") if not row.repeats]
    table.rows.extend([row.case, NOT_MEASURED, row.method, row.note, NOT_MEASURED, NOT_MEASURED,
                       ""] for row in missing)
    return table


def over_brute_force(rows: list[Row], case: str, accuracy: float) -> float | None:
    """Brute force over ours at the error that ours states; its cost grows with the square of the
    inverse error."""
    own = pick(rows, work="limit", case=case, size=accuracy)
    found = [pick(own, method=method, quantity=quantity) for method, quantity in (
        (BRUTE, "cpu_seconds"), (OURS, "cpu_seconds"), (OURS, "stated_error"))]
    if not all(found):
        return None
    brute, ours, reached = (part[0].value for part in found)
    return brute * (accuracy / reached) ** 2 / ours


def limit_gradients(rows: list[Row]) -> Table:
    """One gradient of the limit by general solvers against ours."""
    table = Table(
        "limit-gradient", "One gradient of the limit by a general solver of the equation in depth, "
        "at its loosest tolerance whose whole run on one cloud differs in the risk by at most a "
        "tenth of the accuracy: CPU time against zeroloss (median with quartiles over the pairs), "
        "relative errors of risk and gradient on fixed particles, and that difference.",
        ("problem", "accuracy", "method", "CPU s", "CPU peer/ours", "risk", "gradient",
         "whole run", "at"), (0.09, 0.10, 0.12, 0.09, 0.18, 0.09, 0.09, 0.09, 0.15))
    for row in pick(rows, work="limit", quantity="gradient_ratio"):
        own = pick(rows, work="limit", case=row.case, method=row.method, size=row.size)
        table.rows.append([
            row.case, f"{row.size:g}", row.method,
            *(first(pick(own, quantity="gradient_seconds"), interval=False),
              Number(row.value, row.lower, row.upper)),
            *(rough(pick(own, quantity=name))
              for name in ("depth_error", "gradient_error", "run_difference")), row.note])
    return table


def influence_costs(rows: list[Row]) -> Table:
    """What Σ costs over the limit, and how its memory grows with the steps."""
    table = Table(
        "influence", "Covariance Σ of the residuals at s = 4: rule in θ for the accuracy (relative "
        "error in Frobenius norm, root mean square over scrambles), CPU time with Σ over that of "
        "the limit alone at the same resolution, and peak memory over that of the costates of all "
        "outputs while the steps of the flow grow.",
        ("problem", "quantity", "value", "at"), (0.15, 0.40, 0.25, 0.20))
    for row in pick(rows, work="influence"):
        names = {"points": "points in θ", "relative_error": "relative error of Σ",
                 "cpu_seconds": f"CPU s, {row.method}", "cpu_ratio": "CPU, with Σ over without",
                 "memory_ratio": f"memory over costates, {row.size:g} steps"}
        if row.quantity in names:
            table.rows.append([row.case, names[row.quantity], first([row]), row.note])
    return table

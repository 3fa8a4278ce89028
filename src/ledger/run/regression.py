"""What a case would cost that nobody has run: measured costs, regressed on the sizes it declares:

    cost = Σ coefficient × term, coefficients ≥ 0, Σ ((predicted − measured) / measured)² least

for each kind of case. Terms are totals of products of sizes: fields of a specification whose names
hold one of WORDS. No power of a size is fitted, since jobs are packed to be about equally long and
say nothing of one. Of several sums the first is taken whose error is within a tenth of the least;
an error is that of each job predicted from the others.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ledger.config.case import Case
from ledger.run.costs import MEASURING, PLANNED, PUBLISHED, Cost, Costs, digest_of

FEWEST = 3  # jobs of a kind, to predict each from the others
ENOUGH = 1.1  # of the least error
WORDS = {
    "layers": "layers|depth|ladder|nodes",
    "units": "units|widths|points",
    "samples": "samples",
    "replicates": "replicates|scrambles",
}  # log2_… is a power of two
SUMS = {
    "cpu_seconds": (("1", "L M N R"), ("1", "L M N R", "L N R"), ("1", "L M N R", "L M N² R")),
    "peak_memory_mb": (("1", "pairs"), ("1", "triples")),
    "bytes": (("1", "N R"), ("1", "N² R")),
}
"""For each measured number the sums to choose from, of L layers, M units, N samples, R replicates:
totals over a case's networks; `pairs` = L M + M N + L N and `triples` = L M N of the largest."""

Cases = Mapping[str, Mapping[str, Case]]  # by study and name
Sizes = Mapping[str, float]


class Fit(NamedTuple):
    """A sum of terms, and the factor, typical (rms) and worst, by which it misses other jobs."""

    coefficients: Sizes
    typical: float
    worst: float


class Law(NamedTuple):
    """What a kind of case costs, from so many measured jobs."""

    jobs: int
    seconds: Fit
    memory: Fit
    size: Fit

    def predict(self, spec: Mapping[str, Any]) -> Cost:
        """The cost of a case, with the worst errors of seconds and memory."""
        terms = terms_of(spec)
        seconds, memory, size = (
            sum(b * terms[name] for name, b in one.coefficients.items())
            for one in (self.seconds, self.memory, self.size)
        )
        return Cost(seconds, memory, round(size), errors=(self.seconds.worst, self.memory.worst))


def priced(mode: str, cases: Cases, by_mode: Mapping[str, Costs]) -> dict[tuple[str, str], Cost]:
    """What each case of a mode costs, where that was measured under the same specification.

    Where a mode is planned before it is run, the published run counts too, and what neither has is
    predicted.
    """
    specs = {(study, name): case.spec() for study in cases for name, case in cases[study].items()}
    costs = {
        key: cost
        for key, cost in by_mode.get(mode, {}).items()
        if key[1] == MEASURING or cost.spec == digest_of(specs.get(key))
    }
    if mode not in PLANNED:
        return costs
    published = by_mode.get(PUBLISHED, {})
    by_digest = {(study, cost.spec): cost for (study, _), cost in published.items() if cost.spec}
    costs = {
        key: by_digest[of] for key, spec in specs.items() if (of := (key[0], digest_of(spec))) in by_digest
    } | costs
    known = laws(cases, costs)
    costs |= {
        key: known[key[0], spec["kind"]].predict(spec)
        for key, spec in sorted(specs.items())
        if key not in costs and (key[0], spec["kind"]) in known
    }
    for study in [of for of, name in published if name == MEASURING and of in cases]:
        costs.setdefault((study, MEASURING), _measuring(study, costs, published))
    return costs


def _measuring(study: str, costs: Costs, published: Costs) -> Cost:
    """What it takes to measure a study: as published, in proportion to the bytes that are read."""
    read, before = (
        sum(cost.bytes for (of, name), cost in table.items() if of == study and name != MEASURING)
        for table in (costs, published)
    )
    cost, more = published[study, MEASURING], read / before if before else 1.0
    scaled = more * cost.cpu_seconds, more * cost.peak_memory_mb, cost.bytes
    return cost if more == 1.0 else Cost(*scaled, errors=(1.0, 1.0))


def laws(cases: Cases, costs: Costs) -> dict[tuple[str, str], Law]:
    """By study and kind the law of cases of which enough were measured."""
    jobs: dict[tuple[str, str], list[tuple[Sizes, Cost]]] = defaultdict(list)
    for (study, name), cost in sorted(costs.items()):
        if not cost.errors and (case := cases.get(study, {}).get(name)):
            jobs[study, case.kind].append((terms_of(case.spec()), cost))
    return {
        key: Law(len(of), *(_law(of, number, sums) for number, sums in SUMS.items()))
        for key, of in jobs.items()
        if len(of) >= FEWEST
    }


def _law(jobs: Sequence[tuple[Sizes, Cost]], number: str, sums: Sequence[Sequence[str]]) -> Fit:
    """The first of some sums for a measured number whose typical error is near the least."""
    fits = [fit(names, [(terms, getattr(cost, number)) for terms, cost in jobs]) for names in sums]
    return next(one for one in fits if one.typical <= ENOUGH * min(of.typical for of in fits))


def fit(names: Sequence[str], jobs: Sequence[tuple[Sizes, float]]) -> Fit:
    """The sum of these terms that is nearest to the positive numbers of some jobs."""
    import numpy as np
    from scipy.optimize import nnls

    A = np.array([[terms[name] / value for name in names] for terms, value in jobs])
    scale, ones = A.max(axis=0), np.ones(len(A))
    A /= scale
    missed = abs(np.log([A[i] @ nnls(np.delete(A, i, axis=0), ones[1:])[0] for i in range(len(A))]))
    return Fit(
        dict(zip(names, (nnls(A, ones)[0] / scale).tolist(), strict=True)),
        math.exp(math.sqrt(float((missed**2).mean()))),
        math.exp(float(missed.max())),
    )


def terms_of(spec: Mapping[str, Any]) -> Sizes:
    """Every term of SUMS for a case."""
    found: dict[str, float] = defaultdict(float, {"1": 1.0})
    for L, M, N, R in networks(spec):
        for name, total in (
            ("L M N R", L * M * N * R),
            ("L N R", L * N * R),
            ("N R", N * R),
            ("L M N² R", L * M * N * N * R),
            ("N² R", N * N * R),
        ):
            found[name] += total
        found["pairs"] = max(found["pairs"], L * M + M * N + L * N)
        found["triples"] = max(found["triples"], L * M * N)
    return found


def networks(spec: Mapping[str, Any], above: Sizes | None = None) -> list[tuple[float, ...]]:
    """L, M, N, R of each entry of a case's lists, in place of what the case says; 1 for none."""
    own, entries = defaultdict[str, float](float), list[Mapping[str, Any]]()
    fields = list(spec.items())
    for name, value in fields:
        if isinstance(value, Mapping):
            fields += value.items()  # the loop comes to them
            continue
        values = value if isinstance(value, list) else [value]
        entries += [one for one in values if isinstance(one, Mapping)]
        counts = [one for one in values if isinstance(one, int)]
        for size in (size for size, words in WORDS.items() if re.search(words, name)):
            own[size] += sum(2**one for one in counts) if name.startswith("log2_") else sum(counts)
    sizes = {**(above or {}), **{size: total for size, total in own.items() if total > 0}}
    return [one for entry in entries for one in networks(entry, sizes)] or [
        tuple(sizes.get(size, 1.0) for size in WORDS)
    ]

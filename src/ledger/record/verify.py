"""Compare what was rebuilt with what was published, and `published/` with itself.

Three checks. `published/verdicts.json` must be what the claims make of
`published/estimates.csv`, exactly. Rebuilt verdicts must be the published words. Rebuilt numbers
must lie within each claim's tolerance of the published ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.record import estimates, results, verdicts
from ledger.record.claims import DEFAULT_TOLERANCE, Claim, Tolerance, by_id
from ledger.display import MOST_LINES, Shown, Summary
from ledger.record.formatting import format_number
from ledger.record.results import MissingResultError, ResultError

Row = Mapping[str, Any]
VERDICTS, ESTIMATES = "verdicts.json", "estimates.csv"
AGREE, DISAGREE, MISSING = 0, 1, 2
COMPARED = ("estimate", "lower", "upper", "floor")  # within tolerance
EXACT = ("level", "replicates", "sizes")
REBUILD = "run make reproduce"
RESTORE = "restore published/ from git, or publish the new run with zeroloss publish"


@dataclass(frozen=True)
class Difference:
    """One disagreement: the claim (or study), the quantity, and what differs in words."""

    claim: str
    quantity: str
    text: str

    def __str__(self) -> str:
        place = f"{self.claim}: {self.quantity}" if self.quantity else self.claim
        return f"{place}: {self.text}"


@dataclass(repr=False)
class Comparison(Shown):
    """What `verify` found: the rebuilt record, all differences, all that is missing."""

    rebuilt: dict[str, Any]
    differences: list[Difference] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def _summary(self) -> Summary:
        words = [self.of(claim["id"]) for claim in self.rebuilt["claims"]]
        facts = {"claims": len(words), "agree": words.count("agrees"),
                 "differences": len(self.differences), "missing": len(self.missing)}
        heads = ("claim", "quantity", "difference") if self.differences else ()
        lines = [(one.claim, one.quantity, one.text) for one in self.differences[:MOST_LINES]]
        return Summary(facts, heads, lines, words=heads)

    @property
    def code(self) -> int:
        """The exit status: 1 when anything disagrees, else 2 when anything is missing, else 0."""
        if self.differences:
            return DISAGREE
        return MISSING if self.missing else AGREE

    def of(self, claim: str) -> str:
        """Return in a word how a claim fared."""
        if any(difference.claim == claim for difference in self.differences):
            return "differs"
        return "missing" if any(text.startswith(f"{claim}:") for text in self.missing) else "agrees"


def verify(
    claims: Sequence[Claim],
    rebuilt_folder: Path,
    published_folder: Path,
    mode: str,
    only: Sequence[str] = (),
) -> Comparison:
    """Compare the rebuilt results of `mode` with the published ones, for all claims or for `only`.

    Raises MissingResultError when a file, or a claim asked for, does not exist.
    """
    check_claims(claims, only)
    rebuilt = read_verdicts(Path(rebuilt_folder) / VERDICTS)
    return compare(claims, rebuilt, rebuilt_folder, published_folder, mode, only)


def check_claims(claims: Sequence[Claim], only: Sequence[str]) -> None:
    """Raise MissingResultError when a claim that is asked for is none of `claims`."""
    unknown = sorted(set(only) - set(by_id(claims)))
    if unknown:
        raise MissingResultError(
            f"claim must be one of {', '.join(by_id(claims))}, got {', '.join(unknown)}"
        )


def read_published(folder: Path, mode: str) -> dict[str, Any]:
    """Return the published record; MissingResultError when it is of another mode."""
    record = read_verdicts(Path(folder) / VERDICTS, sealed=False)
    _check_mode(record, folder, mode)
    return record


def _check_mode(record: Mapping[str, Any], place: Path, mode: str) -> None:
    if record["mode"] != mode:
        raise MissingResultError(
            f"{place} must hold a run of mode {mode}, got {record['mode']!r}; "
            "verify the mode that was published"
        )


def compare(
    claims: Sequence[Claim],
    rebuilt: dict[str, Any],
    place: Path,
    published_folder: Path,
    mode: str,
    only: Sequence[str] = (),
) -> Comparison:
    """Compare rebuilt verdicts, found at `place`, with the published ones; raises as `verify`."""
    check_claims(claims, only)
    _check_mode(rebuilt, place, mode)
    published = read_published(published_folder, mode)
    csv = Path(published_folder) / ESTIMATES
    table = estimates.from_csv(results.read_text(csv), csv.as_posix())
    known = by_id(claims)  # a run may hold claims of extensions
    rebuilt = {**rebuilt, "claims": [c for c in rebuilt["claims"] if c["id"] in known]}
    found = Comparison(_only(rebuilt, only))
    judged = verdicts.judge(claims, _stated(table, claims), mode)
    _compare_exactly(_only(published, only), _only(judged, only), found)
    _compare_rebuilt(found.rebuilt, _only(published, only), by_id(claims), found)
    return found


def read_verdicts(path: Path, sealed: bool = True) -> dict[str, Any]:
    """Return the content of a verdicts.json; what is not one raises ResultError.

    Those of a run are sealed; the published ones, which git keeps, are not.
    """
    return checked(results.read_sealed(path) if sealed else results.read_json(path), path)


def checked(record: Any, place: Path | str) -> dict[str, Any]:
    """Return a record of verdicts, or raise ResultError and name its place."""
    lists = isinstance(record, dict) and all(
        isinstance(record.get(k), list) for k in ("claims", "numbers")
    )
    if not lists or not all(
        "id" in claim and isinstance(claim.get("rows"), list) for claim in record["claims"]
    ):
        raise ResultError(f"{place} must hold mode, claims and numbers; restore or rebuild it")
    return record


def _stated(table: Any, claims: Sequence[Claim]) -> Any:
    """Return the rows whose claim is stated or empty; a misspelt one is missed by its own claim."""
    return table[table["claim"].isin(["", *(claim.id for claim in claims)])]


def _only(record: dict[str, Any], only: Sequence[str]) -> dict[str, Any]:
    """Return the record cut down to some claims, without the plain numbers; all of it for none."""
    if not only:
        return record
    return {**record, "claims": [c for c in record["claims"] if c["id"] in only], "numbers": []}


def _sections(record: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Row]]]:
    """Yield (claim or study, {key: row}) of a record."""
    for claim in record["claims"]:
        yield claim["id"], {str(row.get("key")): row for row in claim["rows"]}
    plain: dict[str, dict[str, Row]] = {}
    for row in record["numbers"]:
        key = str(row.get("key"))
        plain.setdefault(key.partition("/")[0], {})[key] = row
    yield from sorted(plain.items())


# --- published/ against itself -------------------------------------------------------------------


def _compare_exactly(
    published: Mapping[str, Any], judged: Mapping[str, Any], found: Comparison
) -> None:
    """Note every place where verdicts.json is not what the claims make of estimates.csv."""
    expected = {claim["id"]: claim for claim in judged["claims"]}
    for claim in published["claims"]:
        if claim["id"] not in expected:
            text = f"published/{VERDICTS} has it, no file of claims does; {RESTORE}"
            found.differences.append(Difference(claim["id"], "", text))
            continue
        for name, left, right in _apart(claim, expected[claim["id"]], ignore="rows"):
            text = (
                f"published/{VERDICTS} says {name} {left}, published/{ESTIMATES} "
                f"gives {right}; {RESTORE}"
            )
            found.differences.append(Difference(claim["id"], "", text))
    from_csv = dict(_sections(judged))
    from_json = dict(_sections(published))
    for section in sorted(set(from_csv) | set(from_json)):
        if section in expected or section in from_csv or "." not in section:
            _compare_rows(section, from_json.get(section, {}), from_csv.get(section, {}), found)


def _compare_rows(
    section: str, in_json: Mapping[str, Row], in_csv: Mapping[str, Row], found: Comparison
) -> None:
    """Note each field of each row that differs between the two published files."""
    for key in sorted(set(in_json) | set(in_csv)):
        if key not in in_json or key not in in_csv:
            absent = VERDICTS if key not in in_json else ESTIMATES
            text = f"{key} is not in published/{absent}; {RESTORE}"
            found.differences.append(Difference(section, _quantity(key), text))
            continue
        for name, left, right in _apart(in_json[key], in_csv[key]):
            text = (
                f"{key} {name}: published/{VERDICTS} says {left}, "
                f"published/{ESTIMATES} gives {right}; {RESTORE}"
            )
            found.differences.append(Difference(section, _quantity(key), text))


def _apart(left: Row, right: Row, ignore: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (field, read from JSON, computed) of each field in which two records differ."""
    for name in sorted((set(left) | set(right)) - {ignore}):
        computed = results.jsonable(right.get(name))
        if left.get(name) != computed:
            yield name, left.get(name), computed


def _quantity(key: str) -> str:
    parts = key.split("/")
    return parts[1] if len(parts) > 1 else ""


# --- rebuilt against published -------------------------------------------------------------------


def _compare_rebuilt(
    rebuilt: Mapping[str, Any],
    published: Mapping[str, Any],
    known: Mapping[str, Claim],
    found: Comparison,
) -> None:
    """Note verdicts that changed, numbers out of tolerance, and what only one side has."""
    old = {claim["id"]: claim for claim in published["claims"]}
    new = {claim["id"]: claim for claim in rebuilt["claims"]}
    for name in sorted(set(old) | set(new)):
        if name not in old or name not in new:
            found.missing.append(_absent(name, "published" if name not in old else "rebuilt"))
        elif old[name].get("verdict") != new[name].get("verdict"):
            text = (
                f"verdict: published {old[name].get('verdict')}, rebuilt {new[name].get('verdict')}"
            )
            found.differences.append(Difference(name, "", text))
    before, after = dict(_sections(published)), dict(_sections(rebuilt))
    for section in sorted(set(before) & set(after)):
        for key in sorted(set(before[section]) | set(after[section])):
            if key not in before[section] or key not in after[section]:
                side = "published" if key not in before[section] else "rebuilt"
                found.missing.append(_absent(f"{section}: {key}", side))
                continue
            tolerance = (
                known[section].tolerance_of(_quantity(key))
                if section in known
                else DEFAULT_TOLERANCE
            )
            for text in _numbers_apart(after[section][key], before[section][key], tolerance):
                found.differences.append(Difference(section, _quantity(key), f"{key} {text}"))


def _absent(what: str, side: str) -> str:
    """Return what is missing on one side, with the remedy, as `claim: …`."""
    remedy = "run zeroloss publish" if side == "published" else REBUILD
    separator = "" if ": " in what else ":"
    return f"{what}{separator} is not among the {side} results; {remedy}"


def _numbers_apart(rebuilt: Row, published: Row, tolerance: Tolerance) -> Iterator[str]:
    """Yield in words each number of a row that is out of tolerance."""
    for name in COMPARED:
        new, old = results.number(rebuilt.get(name)), results.number(published.get(name))
        if not tolerance.allows(new, old):
            allowed = tolerance.abs + tolerance.rel * abs(old) if math.isfinite(old) else math.nan
            shown = format_number(allowed)
            yield f"{name}: published {old!r}, rebuilt {new!r}, apart by more than {shown}"
    for name in EXACT:
        if rebuilt.get(name) != published.get(name):
            yield f"{name}: published {published.get(name)}, rebuilt {rebuilt.get(name)}"

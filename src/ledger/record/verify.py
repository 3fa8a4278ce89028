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

from ledger.display import MOST_LINES, Shown, Summary
from ledger.record import estimates, results, verdicts
from ledger.record.claims import DEFAULT_TOLERANCE, Claim, Tolerance, by_id
from ledger.record.formatting import format_number
from ledger.record.names import nearest
from ledger.record.results import MissingResultError, ResultError

Row = Mapping[str, Any]
VERDICTS, ESTIMATES = "verdicts.json", "estimates.csv"
AGREE, DISAGREE, MISSING = 0, 1, 2
COMPARED = ("estimate", "lower", "upper", "floor")  # within tolerance
EXACT = ("interval", "replicates", "sizes")
SAYS = f"published/{VERDICTS} says {{}} {{}}, published/{ESTIMATES} gives {{}}"
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
        facts = {
            "claims": len(words),
            "agree": words.count("agrees"),
            "differences": len(self.differences),
            "missing": len(self.missing),
        }
        heads = ("claim", "quantity", "difference") if self.differences else ()
        lines = [(one.claim, one.quantity, one.text) for one in self.differences[:MOST_LINES]]
        return Summary(facts, heads, lines, words=heads)

    @property
    def code(self) -> int:
        """The exit status: 1 when anything disagrees, else 2 when anything is missing, else 0."""
        if self.differences:
            return DISAGREE
        return MISSING if self.missing else AGREE

    def differs(self, claim: str, text: str, key: str = "") -> None:
        """Note that a claim, or a row of it, differs."""
        self.differences.append(Difference(claim, quantity_of(key), text))

    def of(self, claim: str) -> str:
        """Return in a word how a claim fared."""
        if any(difference.claim == claim for difference in self.differences):
            return "differs"
        return "missing" if any(text.startswith(f"{claim}:") for text in self.missing) else "agrees"


def quantity_of(key: str) -> str:
    """The quantity in the key of a row; of no key, none."""
    return "".join(key.split("/")[1:2])


def verify(
    claims: Sequence[Claim], rebuilt_folder: Path, published_folder: Path, mode: str, only: Sequence[str] = ()
) -> Comparison:
    """Compare the rebuilt results of `mode` with the published ones, for all claims or for `only`.

    Raises MissingResultError when a file, or a claim asked for, does not exist.
    """
    check_claims(claims, only)  # a misspelt claim is told before a run is missed
    rebuilt = read_verdicts(Path(rebuilt_folder) / VERDICTS)
    return compare(claims, rebuilt, rebuilt_folder, published_folder, mode, only)


def check_claims(claims: Sequence[Claim], only: Sequence[str]) -> None:
    """Raise MissingResultError when a claim that is asked for is none of `claims`."""
    known = by_id(claims)
    unknown = {name: nearest(name, known) for name in sorted(set(only) - set(known))}
    if unknown:
        got = "; ".join(f"{name} ({near})" if near else name for name, near in unknown.items())
        raise MissingResultError(f"claim must be one of the {len(known)} that are stated, got {got}")


def read_published(folder: Path, mode: str) -> dict[str, Any]:
    """Return the published record; MissingResultError when it is of another mode."""
    record = read_verdicts(Path(folder) / VERDICTS, sealed=False)
    _check_mode(record, folder, mode)
    return record


def _check_mode(record: Mapping[str, Any], place: Path, mode: str) -> None:
    if record["mode"] != mode:
        raise MissingResultError(
            f"{place} must hold a run of mode {mode}, got {record['mode']!r}; verify the mode that was published"
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
    # a misspelt claim is missed by its own
    judged = verdicts.judge(claims, table.loc[table["claim"].isin(["", *known])], mode)
    _compare_exactly(_only(published, only), _only(judged, only), found)
    _compare_rebuilt(found.rebuilt, _only(published, only), known, found)
    return found


def read_verdicts(path: Path, sealed: bool = True, mode: str = "") -> dict[str, Any]:
    """Return the content of a verdicts.json; what is not one, or of another mode, raises ResultError.

    Those of a run are sealed; the published ones, which git keeps, are not.
    """
    record = checked(results.read_sealed(path) if sealed else results.read_json(path), path)
    if mode and record["mode"] != mode:
        raise ResultError(f"{path} must be of mode {mode}, got {record['mode']}; judge that mode first")
    return record


def checked(record: Any, place: Path | str) -> dict[str, Any]:
    """Return a record of verdicts, or raise ResultError and name its place."""
    whole = (
        isinstance(record, dict)
        and all(isinstance(record.get(name), list) for name in ("claims", "numbers"))
        and all("id" in claim and isinstance(claim.get("rows"), list) for claim in record["claims"])
    )
    if not whole:
        raise ResultError(f"{place} must hold mode, claims and numbers; restore or rebuild it")
    return record


def _only(record: dict[str, Any], only: Sequence[str]) -> dict[str, Any]:
    """Return the record cut down to some claims, without the plain numbers; all of it for none."""
    if not only:
        return record
    return {**record, "claims": [c for c in record["claims"] if c["id"] in only], "numbers": []}


def rows_by_key(record: Mapping[str, Any]) -> dict[tuple[str, str], Row]:
    """Each row by its claim, or its study where no claim judges it, and by its key."""
    rows = {(claim["id"], str(row.get("key"))): row for claim in record["claims"] for row in claim["rows"]}
    keys = {str(row.get("key")): row for row in record["numbers"]}
    return rows | {(key.partition("/")[0], key): row for key, row in keys.items()}


# --- published/ against itself -------------------------------------------------------------------


def _compare_exactly(published: Mapping[str, Any], judged: Mapping[str, Any], found: Comparison) -> None:
    """Note every place where verdicts.json is not what the claims make of estimates.csv."""
    expected = {claim["id"]: claim for claim in judged["claims"]}
    for claim in published["claims"]:
        name = claim["id"]
        if name not in expected:
            found.differs(name, f"published/{VERDICTS} has it, no file of claims does; {RESTORE}")
            continue
        for part, left, right in _apart(claim, expected[name], ignore=("rows", "near")):
            found.differs(name, f"{SAYS.format(part, left, right)}; {RESTORE}")
    in_json, in_csv = rows_by_key(published), rows_by_key(judged)
    for section, key in sorted({*in_json, *in_csv}):
        if "." in section and section not in expected:
            continue
        if (section, key) not in in_json or (section, key) not in in_csv:
            absent = VERDICTS if (section, key) in in_csv else ESTIMATES
            found.differs(section, f"{key} is not in published/{absent}; {RESTORE}", key)
            continue
        for part, left, right in _apart(in_json[section, key], in_csv[section, key]):
            found.differs(section, f"{key}: {SAYS.format(part, left, right)}; {RESTORE}", key)


def _apart(left: Row, right: Row, ignore: Sequence[str] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Yield (field, read from JSON, computed) of each field in which two records differ."""
    for name in sorted({*left, *right} - {*ignore}):
        computed = results.jsonable(right.get(name))
        if left.get(name) != computed:
            yield name, left.get(name), computed


# --- rebuilt against published -------------------------------------------------------------------


def _compare_rebuilt(
    rebuilt: Mapping[str, Any], published: Mapping[str, Any], known: Mapping[str, Claim], found: Comparison
) -> None:
    """Note verdicts that changed, numbers out of tolerance, and what only one side has."""
    old, new = ({claim["id"]: claim.get("verdict") for claim in record["claims"]} for record in (published, rebuilt))
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            found.missing.append(f"{name}: {_absent(name in new)}")
        elif old[name] != new[name]:
            found.differs(name, f"verdict: published {old[name]}, rebuilt {new[name]}")
    was, now = (
        {claim["id"]: claim["near"]["verdict"] for claim in record["claims"] if "near" in claim}
        for record in (published, rebuilt)
    )
    for name in sorted(was.keys() & now.keys()):  # claims that are rebuilt alone have none
        if was[name] != now[name]:
            found.differs(name, f"near control: published {was[name]}, rebuilt {now[name]}")
    before, after = rows_by_key(published), rows_by_key(rebuilt)
    both = old.keys() & new.keys() | {of for of, _ in before} & {of for of, _ in after}
    for section, key in sorted({*before, *after}):
        if section not in both:
            continue
        was, now = before.get((section, key)), after.get((section, key))
        if was is None or now is None:
            found.missing.append(f"{section}: {key} {_absent(was is None)}")
            continue
        for text in _numbers_apart(now, was, tolerance_of(known, section, key)):
            found.differs(section, f"{key} {text}", key)


def tolerance_of(claims: Mapping[str, Claim], section: str, key: str) -> Tolerance:
    """That of a row: its claim's, or the default where no claim judges it."""
    return claims[section].tolerance_of(quantity_of(key)) if section in claims else DEFAULT_TOLERANCE


def _absent(is_rebuilt: bool) -> str:
    """Where a thing is missing that was rebuilt, or published, and the remedy."""
    side, remedy = ("published", "run zeroloss publish") if is_rebuilt else ("rebuilt", REBUILD)
    return f"is not among the {side} results; {remedy}"


def _numbers_apart(rebuilt: Row, published: Row, tolerance: Tolerance) -> Iterator[str]:
    """Yield in words each number of a row that is out of tolerance."""
    for name in COMPARED:
        new, old = results.number(rebuilt.get(name)), results.number(published.get(name))
        if not tolerance.allows(new, old):
            shown = format_number(tolerance.of(old) if math.isfinite(old) else math.nan)
            yield f"{name}: published {old!r}, rebuilt {new!r}, apart by more than {shown}"
    for name in EXACT:
        if rebuilt.get(name) != published.get(name):
            yield f"{name}: published {published.get(name)}, rebuilt {rebuilt.get(name)}"

"""Copy a run to `published/`: verdicts, estimates as text, paper, and what it cost."""

from __future__ import annotations

from pathlib import Path

from ledger.record import estimates, results
from ledger.record.results import MissingResultError, ResultError
from ledger.record.verify import ESTIMATES, REBUILD, VERDICTS, read_verdicts
from ledger.run import costs

PAPER = "paper.pdf"


def publish(results_folder: Path, published_folder: Path, mode: str) -> list[Path]:
    """Copy the run of `mode` to `published/`; return the files."""
    source, target = Path(results_folder), Path(published_folder)
    record = read_verdicts(source / VERDICTS, mode=mode)
    found = sorted(source.glob("*/estimates.parquet"))
    if not found:
        raise MissingResultError(f"{source}/*/estimates.parquet is missing; {REBUILD}")
    failed = estimates.failed(found)
    if failed:
        cases = "; ".join(f"{study}: {', '.join(sorted(lost))}" for study, lost in failed.items())
        raise ResultError(f"a run with failed cases must not be published, got {cases}; {REBUILD}")
    table = estimates.to_csv(estimates.read(found))
    paper = results.read_bytes(source / PAPER)
    spent = costs.publish(source, target, mode)
    results.write_json(target / VERDICTS, record)
    results.write_text(target / ESTIMATES, table)
    results.write_bytes(target / PAPER, paper)
    return [target / name for name in (VERDICTS, ESTIMATES, PAPER)] + [spent]

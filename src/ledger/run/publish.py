"""Copy a run to `published/`: verdicts, estimates as text, paper with what it leads to, settings, and cost.

A figure that lies there, such as the one that the README shows, is renewed.
"""

from __future__ import annotations

import re
from pathlib import Path

from ledger.config.configuration import CONFIGURATION
from ledger.record import estimates, results
from ledger.record.floats import FLOATS
from ledger.record.results import MissingResultError, ResultError
from ledger.record.verify import ESTIMATES, REBUILD, VERDICTS, read_verdicts
from ledger.run import costs

PAPER = "paper.pdf"
ARTICLE = "article.html"
BESIDE = ("supplement.pdf", "evidence.html", ARTICLE, CONFIGURATION, FLOATS)  # of the runs that have them
OF_THE_RUN = re.compile(rb"<!-- run -->.*?<!-- /run -->")  # in the article: links to what is not published


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
    stale = [name for name in BESIDE if (target / name).exists() and not (source / name).exists()]
    if stale:
        raise ResultError(
            f"{source} must have what an older run has published, got no {', '.join(stale)}; "
            f"run make reproduce and make article, or remove it from {target}"
        )
    table = estimates.to_csv(estimates.read(found))
    pages = [PAPER, *(name for name in BESIDE if (source / name).exists())]
    pictures = [path.name for path in sorted(target.glob("*.png"))]
    files = {name: results.read_bytes(source / name) for name in pages}
    files |= {name: results.read_bytes(source / "figures" / name) for name in pictures}
    if ARTICLE in files:
        files[ARTICLE] = OF_THE_RUN.sub(b"", files[ARTICLE])
    spent = costs.publish(source, target, mode)
    results.write_json(target / VERDICTS, record)
    results.write_text(target / ESTIMATES, table)
    for name, content in files.items():
        results.write_bytes(target / name, content)
    return [target / name for name in (VERDICTS, ESTIMATES, *files)] + [spent]

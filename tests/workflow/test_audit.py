"""`make audit` says what is known, and says so when it could not ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"name": "numpy", "version": "2.0.0", "vulns": []}
FLAWED = {"name": "pyarrow", "version": "14.0.0", "vulns": [{"id": "PYSEC-2023-238", "fix_versions": ["14.0.1"]}]}


def audit(folder: Path, report: list[dict[str, Any]] | None, complaint: str = "") -> tuple[int, str]:
    """Run the script with a pip-audit that answers this."""
    binaries = folder / "bin"
    binaries.mkdir()
    (binaries / "python").symlink_to(sys.executable)
    lines = ["#!/usr/bin/env bash", f"echo '{complaint}' >&2"]
    if report is not None:
        answer = folder / "answer.json"
        answer.write_text(json.dumps({"dependencies": report}))
        lines.append(f"cp '{answer}' '{folder / 'report.json'}'")
    (binaries / "pip-audit").write_text("\n".join([*lines, "exit 1", ""]))
    (binaries / "pip-audit").chmod(0o755)
    done = subprocess.run(
        ["bash", "workflow/scripts/audit.sh", sys.executable, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("report", "complaint", "code", "message"),
    [
        ([CLEAN], "", 0, "1 pins looked up, 0 known vulnerabilities"),
        ([CLEAN, FLAWED], "", 1, "pyarrow 14.0.0: PYSEC-2023-238, mended in 14.0.1"),
        (None, "ConnectionError: no route", 0, "NOT DONE, the data base of vulnerabilities could not"),
        (None, "requirement is not valid", 2, "pip-audit failed; remove"),
    ],
)
def test_the_audit_says_what_it_found(
    tmp_path: Path, report: list[dict[str, Any]] | None, complaint: str, code: int, message: str
) -> None:
    status, said = audit(tmp_path, report, complaint)
    assert status == code, said
    assert message in said


def test_without_an_index_it_says_so_and_stops(tmp_path: Path) -> None:
    """A Python whose pip finds nothing."""
    fake = tmp_path / "python"
    fake.write_text(
        '#!/usr/bin/env bash\nmkdir -p "$4/bin"\nprintf "#!/bin/sh\\nexit 1\\n" > '
        '"$4/bin/python"\nchmod +x "$4/bin/python"\n'
    )
    fake.chmod(0o755)
    done = subprocess.run(
        ["bash", "workflow/scripts/audit.sh", fake, tmp_path / "venv"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and "NOT DONE, the package index could not" in done.stderr

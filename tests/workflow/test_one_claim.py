"""One claim of the published run, checked in a checkout that has run nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.checkout import BIN, ROOT, Checkout

# its jobs take seconds in the published run
CLAIM, CASE = "zero_loss.step", "steps"


def zeroloss(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "zeroloss", *arguments], cwd=checkout.root, env=checkout.environment(), capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "published" / "costs.csv").is_file(), reason="nothing published")
def test_one_claim_alone(new_checkout: Callable[[], Checkout]) -> None:
    checkout = new_checkout()
    published = str(ROOT / "published")
    done = zeroloss(checkout, "verify", "--run", "--json", "--published", published, CLAIM)
    assert done.returncode == 0, done.stderr[-4000:]
    answer = json.loads(done.stdout)
    assert answer["agreement"] == {CLAIM: "agrees"}
    made = {path.name for path in (checkout.root / "results").rglob("*.parquet")}
    assert made == {f"{CASE}.parquet"}
    assert done.stderr.startswith("claim"), "what it costs is said first"
    whole = zeroloss(checkout, "verify", "--published", published, CLAIM)
    assert whole.returncode == 2, "the full run itself is still missing"


def test_estimating_imports_nothing_heavy(tmp_path: Path) -> None:
    for name in ("torch", "scipy", "pandas", "matplotlib", "sklearn"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name}')\n")
    checkout = Checkout(ROOT)
    environment = checkout.environment(PYTHONPATH=f"{tmp_path}:{ROOT / 'src'}")
    done = subprocess.run([BIN / "zeroloss", "estimate"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "together" in done.stdout

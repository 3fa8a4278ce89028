"""The workflow on a real Slurm: a job and a node die on the way, and the bytes are the same.

`make test-slurm` starts the cluster and runs this; SLURM_MODE=quick takes the sizes of quick, and
SLURM_REQUIRED=1 makes a failure of what is else a skip: that there is no Slurm.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflow.checkout import BIN, RESULTS, ROOT, TINY, Checkout, folder_of, hashes

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

SCRIPT = ROOT / "workflow" / "scripts" / "slurm-cluster.sh"
MODE, FOLDER = {"tiny": (TINY, RESULTS), "quick": (("--config", "mode=quick"), folder_of())}[
    os.environ.get("SLURM_MODE", "tiny")
]
# The cluster of the test is quick to say what became of a job, and its nodes share one disk.
SLURM = (
    *("--profile", "workflow/profiles/slurm", "--seconds-between-status-checks", "2"),
    *("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5"),
)
PATIENCE = 300  # seconds for a step of the story


@dataclass(frozen=True)
class Cluster:
    """The Slurm of `slurm-cluster.sh with`."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What finds this cluster, in a shell and inside its jobs."""
        path = os.pathsep.join([str(BIN), str(self.folder / "bin"), os.environ["PATH"]])
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def call(self, *command: str) -> str:
        done = subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self) -> dict[str, tuple[str, str]]:
        """{job: (state, node)} of all jobs, the ended ones too."""
        lines = self.call("squeue", "--states=all", "--noheader", "--format=%i|%T|%N")
        rows = (line.split("|") for line in lines.splitlines())
        return {job: (state, node) for job, state, node in rows}

    def running(self, node: str, but: str = "") -> str | None:
        """A job that runs on a node."""
        rows = self.jobs().items()
        found = [job for job, row in rows if row == ("RUNNING", node) and job != but]
        return found[0] if found else None

    def crash(self, node: str) -> None:
        self.call("bash", str(SCRIPT), "crash", str(self.folder), node[1:])

    def revive(self, node: str) -> None:
        self.call("bash", str(SCRIPT), "revive", str(self.folder), node[1:])


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    folder = os.environ.get("SLURM_TEST_CLUSTER")
    if not folder:
        done = subprocess.run(["bash", SCRIPT, "check"], capture_output=True, text=True)
        missing = done.stderr.strip() or "no cluster was started; run make test-slurm"
        # Where Slurm must be had, as in the CI job that installs it, a skip would hide a failure.
        assert not os.environ.get("SLURM_REQUIRED"), missing
        pytest.skip(missing)
    return Cluster(Path(folder))


@pytest.fixture(scope="module")
def local(new_checkout: Callable[[], Checkout]) -> dict[str, str]:
    """Hashes of a run on this machine alone."""
    checkout = new_checkout()
    checkout.snakemake(*MODE, "--cores", "2")
    return hashes(checkout, FOLDER)


@dataclass
class Run:
    """A run on the cluster while it goes on."""

    checkout: Checkout
    process: subprocess.Popen[str]
    log: Path

    def wait_for(self, what: Callable[[], object]) -> None:
        """Wait until something is so; the run must not end before."""
        end = time.monotonic() + PATIENCE
        while not what():
            assert self.process.poll() is None, f"ended too early\n{self.log.read_text()[-6000:]}"
            assert time.monotonic() < end, f"waited in vain\n{self.log.read_text()[-6000:]}"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def started(
    cluster: Cluster, new_checkout: Callable[[], Checkout], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    checkout, log = new_checkout(), tmp_path_factory.mktemp("slurm") / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            checkout.command(*MODE, *SLURM),
            cwd=checkout.root,
            env=checkout.environment(**cluster.environment),
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # Who ends this test ends the run too. Snakemake would first wait for its jobs; those end
        # with their cluster.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield Run(checkout, process, log)
        finally:
            signal.signal(signal.SIGTERM, before)
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def test_a_cancelled_job_and_a_dead_node_change_no_byte(
    cluster: Cluster, started: Run, request: pytest.FixtureRequest
) -> None:
    started.wait_for(lambda: cluster.running("n1") and cluster.running("n2"))
    cancelled = cluster.running("n1") or ""
    cluster.call("scancel", cancelled)
    started.wait_for(lambda: cluster.running("n1", but=cancelled))
    lost = cluster.running("n1", but=cancelled) or ""
    cluster.crash("n1")
    started.wait_for(lambda: cluster.jobs()[lost][0] == "NODE_FAIL")
    cluster.revive("n1")

    assert started.process.wait(timeout=3 * PATIENCE) == 0, started.log.read_text()[-6000:]
    jobs = cluster.jobs()
    assert jobs[cancelled][0] == "CANCELLED"
    ended = [state for state, _ in jobs.values()]
    assert ended.count("COMPLETED") == len(ended) - 2 > 5, ended
    assert hashes(started.checkout, FOLDER) == request.getfixturevalue("local")


def test_jobs_ask_for_what_was_measured(cluster: Cluster, started: Run) -> None:
    started.process.wait()
    lines = cluster.call("squeue", "--states=all", "--noheader", "--format=%m|%C|%l").splitlines()
    asked = [line.split("|") for line in lines]
    assert len({memory for memory, _, _ in asked}) > 1
    assert {threads for _, threads, _ in asked} == {"1"}
    assert "UNLIMITED" not in {limit for _, _, limit in asked}

"""What a claim costs is said before it is run, and no more is run than it rests on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import evidence
import pytest
from toy import Narrow, Toy

from ledger.config import configuration as config
from ledger.record import estimates, results, verdicts
from ledger.record.claims import load_claims
from ledger.run import jobs, planning
from ledger.run.costs import Cost
from ledger.study import measures
from zeroloss import cli

ROOT = Path(__file__).resolve().parents[3]
DEPTH, WIDTH = evidence.DEPTH, evidence.WIDTH


@pytest.fixture
def root(tmp_path: Path, toy: Toy, capsys) -> Path:
    """A folder whose run of the study `toy` is published; two claims, one of them on one case."""
    toy.rows = [
        evidence.row("slope_L", -1.0, 0.001, sources="wide"),
        evidence.row("distance", 0.01, 0.001, claim=WIDTH, sources="wide;narrow"),
        evidence.row("slope_M", -0.5, 0.001, claim=WIDTH, sources="wide;narrow"),
    ]
    vars(toy.modules[-1])["rates"] = measures(DEPTH, WIDTH)(toy._measure())
    claims = evidence.write_claims(tmp_path / "claims.yaml", evidence.claim_entry(), evidence.width_entry())
    folder = tmp_path / "results" / "full"
    specs, table = folder / "toy" / "specs.json", folder / "toy" / "estimates.parquet"
    jobs.write_specs("toy", toy.cases, specs)
    for name, case in toy.cases.items():
        jobs.run("toy", name, case, folder / "toy" / f"{name}.parquet")
    jobs.measure("toy", specs, specs.parent, table)
    record = verdicts.judge(load_claims(claims), estimates.read([table]), "full", {})
    results.write_sealed(folder / "verdicts.json", record)
    (folder / "paper.pdf").write_bytes(b"%PDF")
    assert call(tmp_path, "publish") == 0
    cost = (tmp_path / "published" / "costs.csv").read_text().splitlines()
    assert len(cost) == 4 and cost[3].endswith(f",{DEPTH};{WIDTH}")
    toy.measured_on.clear()
    capsys.readouterr()
    return tmp_path


def call(root: Path, command: str, *more: str) -> int:
    places = ["--published", str(root / "published")]
    if command in ("publish", "verify"):
        places += ["--results", str(root / "results")]
    if command != "publish":
        places += ["--claims", str(root / "claims.yaml")]
    return cli.main([command, *places, *more])


@pytest.fixture
def snakemake(root: Path, toy: Toy, monkeypatch, capsys) -> SimpleNamespace:
    """Stands in for Snakemake: runs the cases whose tables are asked for, and notes them."""
    seen = SimpleNamespace(targets=[], command=[], said="", code=0)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        seen.said = capsys.readouterr().err
        at = command.index("--")
        seen.command, seen.targets = command[:at], command[at + 1 :]
        for target in map(Path, seen.targets):
            jobs.run("toy", target.stem, toy.cases[target.stem], target)
        return subprocess.CompletedProcess(command, seen.code)

    monkeypatch.setattr(planning, "subprocess", SimpleNamespace(run=run))
    for path in (root / "results").rglob("*.*"):
        path.unlink()
    return seen


def test_a_claim_alone_runs_what_it_rests_on(root: Path, toy: Toy, snakemake, capsys) -> None:
    assert call(root, "verify", "--run", "--cores", "3", DEPTH) == 0
    folder = (root / "results" / "full").as_posix()
    assert snakemake.targets == [f"{folder}/toy/wide.parquet"]
    assert snakemake.command[1:] == [
        "-m", "snakemake", "--profile", "workflow/profiles/local", "--cores", "3",
        "--config", "mode=full"]  # fmt: skip
    assert toy.measured_on == [["wide"]]
    out = capsys.readouterr().out
    assert f"{DEPTH}" in out and "agrees" in out and WIDTH not in out
    assert call(root, "verify", "--run", WIDTH, DEPTH, WIDTH) == 0
    assert [Path(path).stem for path in snakemake.targets] == ["narrow", "wide"]


def test_what_it_costs_is_said_before_it_starts(root: Path, snakemake, capsys) -> None:
    assert call(root, "verify", "--run", "--json", DEPTH) == 0
    assert snakemake.said.splitlines()[0].split()[:2] == ["claim", "jobs"]
    assert snakemake.said.splitlines()[1].split()[:2] == [DEPTH, "2"]
    answer = json.loads(capsys.readouterr().out)
    assert answer["code"] == 0 and answer["agreement"] == {DEPTH: "agrees"}


def test_a_claim_alone_can_disagree(root: Path, toy: Toy, snakemake, capsys) -> None:
    toy.rows[0] |= {"estimate": -0.5, "lower": -0.51, "upper": -0.49}
    assert call(root, "verify", "--run", DEPTH) == 1
    assert f"{DEPTH}: verdict: published supported, rebuilt refuted" in capsys.readouterr().out


def test_what_cannot_be_run_gives_two(root: Path, snakemake, capsys) -> None:
    assert call(root, "verify", "--run") == 2
    assert "--run must be given claims, got none; name them" in capsys.readouterr().err
    assert call(root, "verify", "--run", "toy.none") == 2
    assert call(root, "verify", "--run", "--mode", "quick", DEPTH) == 2
    assert "must hold a run of mode quick, got 'full'" in capsys.readouterr().err
    assert snakemake.targets == []
    snakemake.code = 7
    assert call(root, "verify", "--run", DEPTH) == 2
    assert "must make 1 tables, ended with status 7; mend" in capsys.readouterr().err


def estimate(root: Path, capsys, *more: str) -> list[list[str]]:
    assert call(root, "estimate", "--cores", "2", *more) == 0
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def price(root: Path, toy: Toy, **seconds: float) -> None:
    """Publish other costs of the cases."""
    claims = {"wide": (DEPTH, WIDTH), "narrow": (WIDTH,)}
    made = {}
    for case, value in seconds.items():
        spec = planning.costs.digest_of(toy.cases[case].spec()) if case in toy.cases else ""
        made["toy", case] = Cost(value, 100.0, 2**20, "2 x cpu", spec, claims.get(case, ()))
    (root / "published" / "costs.csv").write_text(planning.costs.as_text({"full": made}))


def test_the_bill_of_a_study_and_of_claims(root: Path, toy: Toy, capsys) -> None:
    price(root, toy, wide=120, narrow=60, estimates=30)
    lines = estimate(root, capsys)
    assert lines[1] == ["toy", "3", "3.5", "2.5", "200", "3.0"]
    assert "2 cores" in " ".join(lines[2])
    lines = estimate(root, capsys, DEPTH, WIDTH)
    assert lines[1:4] == [
        [DEPTH, "2", "2.5", "2.5", "100", "2.0"],
        [WIDTH, "3", "3.5", "2.5", "200", "3.0"],
        ["together", "3", "3.5", "2.5", "200", "3.0"],
    ]


def test_what_was_never_measured_is_named(root: Path, toy: Toy, capsys) -> None:
    price(root, toy, narrow=60, estimates=30)
    lines = estimate(root, capsys)
    assert " ".join(lines[1]) == "toy 3 > 1.5 > 1.5 > 100 > 2.0"
    assert " ".join(lines[-1]) == "not measured, so not counted: toy: wide"
    (root / "published" / "costs.csv").write_text(planning.costs.as_text({}))
    lines = estimate(root, capsys)
    assert lines[1] == ["toy", "3", *4 * ["unknown"]]
    assert " ".join(lines[-1]) == "not measured, so not counted: toy: narrow, wide, measuring"
    assert call(root, "estimate", "--json") == 0
    bill = json.loads(capsys.readouterr().out)["bills"][0]
    assert bill["unmeasured"] == ["toy/narrow", "toy/wide", "toy/estimates"]


def test_costs_under_other_settings_do_not_count(root: Path, toy: Toy, capsys) -> None:
    price(root, toy, wide=120, narrow=60, estimates=30)
    toy.cases["narrow"] = Narrow(num_layers=[8, 32])
    lines = estimate(root, capsys, DEPTH)
    assert " ".join(lines[1]) == f"{DEPTH} 3 > 2.5 > 2.5 > 100 > 2.0"
    assert " ".join(lines[-1]) == "not measured, so not counted: toy: narrow"


def test_a_process_of_several_cases_is_one_job(root: Path, toy: Toy, capsys, monkeypatch) -> None:
    price(root, toy, wide=120, narrow=60, estimates=30)
    of_it = SimpleNamespace(**{**vars(config.load()), "cases_per_job": 2})
    monkeypatch.setattr(config, "load", lambda *paths: of_it)
    lines = estimate(root, capsys, DEPTH)
    assert lines[1] == [DEPTH, "2", "3.5", "3.5", "100", "3.0"], "narrow is run with wide"


@pytest.mark.parametrize("cores", ["0", "-1", "two"])
def test_cores_are_a_number(root: Path, capsys, cores: str) -> None:
    assert call(root, "estimate", f"--cores={cores}") == 2
    assert "'--cores'" in capsys.readouterr().err


def test_without_costs_the_remedy_is_said(root: Path, capsys) -> None:
    (root / "published" / "costs.csv").unlink()
    assert call(root, "estimate") == 2
    assert "costs.csv is missing; restore it from git, or publish" in capsys.readouterr().err


def test_costs_alone_are_published(root: Path, capsys) -> None:
    before = (root / "published" / "verdicts.json").stat().st_mtime_ns
    (root / "published" / "costs.csv").unlink()
    assert call(root, "publish", "--costs") == 0
    assert capsys.readouterr().out.strip().endswith("published/costs.csv")
    assert (root / "published" / "verdicts.json").stat().st_mtime_ns == before


# ---- a mode that is planned before it is run


def test_the_large_study_is_priced_before_anybody_runs_it(capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    answers = {}
    for mode in ("full", "large"):
        assert cli.main(["estimate", "--mode", mode, "--cores", "64", "--json"]) == 0
        answers[mode] = json.loads(capsys.readouterr().out)
    answer = answers["large"]
    assert (answer["mode"], answer["cores"]) == ("large", 64)
    bills, published = ({bill["what"]: bill for bill in one["bills"]} for one in (answer, answers["full"]))
    limits, whole = bills["limits"], bills["together"]
    assert not any(bill["predicted"] for bill in published.values())
    assert not answers["full"]["laws"] and not answers["full"]["memory"]
    assert limits["predicted"]
    kinds, known = ({name.split("-")[0] for name in one["unmeasured"]} for one in (limits, published["limits"]))
    assert kinds <= known, "what it adds is priced, where a job of its kind was measured"
    added = set(whole["predicted"]) - set(published["together"]["unmeasured"])
    assert added and all(name.startswith("limits/") or name.endswith("/estimates") for name in added)
    low, high = limits["cpu_minutes_between"]
    assert low < limits["cpu_minutes"] < high and limits["cpu_minutes"] > 30_000
    assert limits["wall_minutes"] >= limits["cpu_minutes"] / 64
    assert limits["peak_memory_mb"] > 10**5 and limits["disk_mb"] > 100
    laws = {law["kind"]: law for law in answer["laws"] if law["study"] == "limits"}
    assert {"ensemble", "reference", "wide"} <= set(laws), "kinds that the published run has measured as they are"
    assert laws["ensemble"]["jobs"] > 30
    for law in laws.values():
        for error in (law["seconds"], law["memory"]):
            assert 1 < error["typical"] <= error["worst"]
            assert error["typical"] < 1.7, "each job from the others"
    assert any("more than 24 GB" in line for line in answer["memory"])
    assert any("256 GB" in line for line in answer["memory"])


def test_a_prediction_is_marked_and_its_law_is_stated(capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.main(["estimate", "--mode", "large", "--cores", "64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = {line.split()[0]: line for line in lines[:7]}
    assert "CPU hours" in lines[0]
    assert table["limits"].count("~ ") + table["limits"].count("> ") == 4
    assert "~" not in table["linear"], "as published"
    for start, part in (
        ("~ predicted, not measured: ", " CPU hours, "),
        ("law of limits/ensemble: ", "predicted from the others"),
        ("memory: ", "run them where nodes have it"),
    ):
        assert any(line.startswith(start) and part in line for line in lines), start

"""From what a reader sees back to what made it; every command that is said makes the same bytes."""

from __future__ import annotations

import json
import shlex
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import evidence
import pytest
from toy import Toy, walk

from ledger.paper import typeset
from ledger.record import estimates, results
from ledger.show import printed
from zeroloss import cli
from ledger.show.tracing_report import run_of

KEY = "toy.depth/slope_L/sine.s4"


@pytest.fixture
def base(tmp_path: Path, toy: Toy, figures_path: None, capsys) -> Path:
    """The folder of a finished run of the study `toy`."""
    walk(tmp_path)
    capsys.readouterr()
    return tmp_path / "results" / "quick"


def words(base: Path, *more: str) -> list[str]:
    root = base.parents[1]
    places = ["--results", str(root / "results"), "--claims", str(root / "claims.yaml")]
    return ["trace", "--mode", "quick", *places, *more]


def traced(base: Path, capsys, name: str) -> dict[str, Any]:
    assert cli.main(words(base, name, "--json")) == 0
    return json.loads(capsys.readouterr().out)


def sha256(path: Path | str) -> str:
    return results.sha256_of(Path(path).read_bytes())


def test_a_number_goes_back_to_its_tables_and_their_settings(base: Path, toy: Toy, capsys) -> None:
    found = traced(base, capsys, KEY)
    assert (found["kind"], found["facts"]["estimate"]) == ("number", "-1.0000")
    assert found["facts"]["interval"] == "[-1.0010, -0.9990]"
    assert [row["quantity"] for row in found["rows"]] == ["slope_L"]
    assert [step["rule"] for step in found["steps"]] == [
        "measure_toy", "simulate_toy", "simulate_toy"]  # fmt: skip
    wide = next(step for step in found["steps"] if step["what"] == "toy/wide")
    table = base / "toy" / "wide.parquet"
    assert wide["files"] == {table.as_posix(): sha256(table)}
    assert wide["rows"] == 3
    assert wide["first_rows"][1] == {"kind": "wide", "risk": 0.5}
    assert wide["seeds"] == {"seed": 3, "law.seed_law": 4}
    assert wide["configuration"]["wide.law.seed_law"] == "4"
    manifest = results.read_manifest(base / "toy" / "wide.parquet")
    assert wide["commit"] == manifest["git_commit"]
    assert wide["version"] == manifest["package_version"]
    assert wide["code"] == "zeroloss.studies.toy.simulate"
    narrow = next(step for step in found["steps"] if step["what"] == "toy/narrow")
    assert narrow["configuration"] == {"narrow.kind": "narrow", "narrow.num_layers": "8, 16"}


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("toy.depth", ["judge_claims", "measure_toy", "simulate_toy", "simulate_toy"]),
        ("toy-rates", ["draw_toy", "measure_toy", "simulate_toy"]),
        ("toy/narrow", ["simulate_toy"]),
        ("toy/risk/sine.s4", ["measure_toy", "simulate_toy", "simulate_toy"]),
    ],
)
def test_what_is_said_makes_the_same_bytes_again(base: Path, capsys, name, rules) -> None:
    found = traced(base, capsys, name)
    assert [step["rule"] for step in found["steps"]] == rules
    for step in found["steps"]:
        command = shlex.split(step["command"])
        for path, digest in step["files"].items():
            assert sha256(path) == digest
            Path(path).unlink()
        assert command[0] == "zeroloss" and cli.main(command[1:]) == 0
        for path, digest in step["files"].items():
            assert sha256(path) == digest, step["command"]


def test_a_figure_goes_back_to_the_tables_that_it_read(base: Path, capsys) -> None:
    found = traced(base, capsys, "toy-rates")
    assert found["facts"] == {"drawn by": "figures.toy_drawings.rates", "study": "toy"}
    assert [step["what"] for step in found["steps"]] == ["toy-rates", "toy/estimates", "toy/wide"]


def test_a_setting_goes_back_to_its_job(base: Path, capsys) -> None:
    found = traced(base, capsys, "narrow.num_layers.1")
    assert (found["kind"], found["facts"]) == ("setting", {"value": "16"})
    assert [step["what"] for step in found["steps"]] == ["toy/narrow"]
    assert cli.main(words(base, "narrow.num_units")) == 2


def test_a_claim_says_its_verdict(base: Path, capsys) -> None:
    assert traced(base, capsys, "toy.depth")["facts"]["verdict"] == "supported"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("-1.0000", {KEY: "estimate"}),
        ("−1.0010", {KEY: "lower end"}),
        ("1.2 × 10⁻⁹", {KEY: "floor"}),
        ("1.2e-9", {KEY: "floor"}),
        ("0.25", {"toy/risk/sine.s4": "estimate"}),
        ("8", {"narrow.num_layers.0": "setting of toy/narrow"}),
    ],
)
def test_a_printed_number_names_its_keys(base: Path, capsys, text: str, keys) -> None:
    assert traced(base, capsys, text) == {"printed_by": keys}
    assert cli.main(words(base, text)) == 0
    out = capsys.readouterr().out
    assert all(key in out and where in out for key, where in keys.items())


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("toy.dept", "nearest: toy.depth"),
        ("toy-rate", "nearest: toy-rates"),
        ("-1.000", "nearest: -1.0000 of toy.depth/slope_L/sine.s4"),
        ("@@", "zeroloss claims lists the claims"),
    ],
)
def test_the_unknown_is_refused_with_what_is_near(base: Path, capsys, name, remedy) -> None:
    assert cli.main(words(base, name)) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert said.err.startswith("zeroloss trace: NAME must be a key, claim, figure, table or")
    assert f"got {name!r}; {remedy}" in said.err


@pytest.mark.parametrize(("damaged", "name"), [
    ("toy/wide.parquet", KEY), ("figures/toy-rates.png", "toy-rates")])  # fmt: skip
def test_a_file_that_was_changed_is_not_passed_off(base: Path, capsys, damaged, name) -> None:
    (base / damaged).write_bytes(b"other")
    assert cli.main(words(base, name)) == 2
    assert f"{damaged} is not the file its manifest describes" in capsys.readouterr().err


def test_without_a_run_the_remedy_is_said(tmp_path: Path, toy: Toy, capsys) -> None:
    assert cli.main(words(tmp_path / "results" / "quick", KEY)) == 2
    assert "estimates.parquet is missing; build it with make" in capsys.readouterr().err


def test_text_shows_the_first_table_and_with_all_each(base: Path, capsys) -> None:
    assert cli.main(words(base, "toy.depth")) == 0
    short = capsys.readouterr().out
    assert "from 2 tables" in short and "\x1b" not in short
    assert "setting      narrow.num_layers = 8, 16" in short
    assert "wide.law.seed_law" not in short
    assert "zeroloss trace toy/wide says the same" in short
    assert cli.main(words(base, "toy.depth", "--all")) == 0
    assert "setting      wide.law.seed_law = 4" in capsys.readouterr().out


def test_rules_of_several_cases_are_numbered(tmp_path: Path, monkeypatch) -> None:
    results.write_sealed(tmp_path / "toy" / "specs.json", {name: {} for name in "cabde"})
    for per_job, rules in ((2, "00112"), (3, "00011")):
        config = SimpleNamespace(cases_per_job=per_job)
        monkeypatch.setattr("ledger.config.configuration.load", lambda *paths, config=config: config)
        run = run_of(tmp_path, tmp_path / "claims.yaml", "quick")
        assert [run.rule_of("toy", name) for name in "abcde"] == [
            f"simulate_toy_{number}" for number in rules]  # fmt: skip
    # a run knows how many its own processes took
    (tmp_path / "configuration.yaml").write_text("cases_per_job: 1\n")
    assert run_of(tmp_path, tmp_path / "claims.yaml", "quick").rule_of("toy", "a") == "simulate_toy"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("−5.523 × 10⁻¹¹", Decimal("-5.523e-11")),
        (r"5 \times 10^{-3}", Decimal("0.005")),
        ("1 200", Decimal(1200)),
        ("sine.s4", None),
        ("inf", None),
    ],
)
def test_typography_does_not_matter(text: str, number: Decimal | None) -> None:
    assert printed.number_in(text) == number
    assert number is None or printed.same_digits(number, printed.number_in(text))


def test_digits_do_matter() -> None:
    assert not printed.same_digits(Decimal("0.5"), printed.number_in("0.50"))
    assert printed.same_digits(Decimal("8e-4"), printed.number_in("0.0008"))


def test_values_are_those_that_the_paper_prints() -> None:
    for row in estimates.records(evidence.frame(*evidence.rows())):
        shown, line = printed.values_of(row), typeset.estimate_of(row)
        assert line == rf"\num{{{shown['estimate']}}}"
        interval = typeset.interval_of(row)
        for end in ("lower end", "upper end"):
            assert shown[end] == "n/a" or shown[end].partition("e")[0] in interval

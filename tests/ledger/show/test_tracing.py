"""From what a reader sees back to what made it; every command that is said makes the same bytes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from toy import Toy, walk

from ledger.record import estimates, results
from zeroloss import cli

ROOT = Path(__file__).resolve().parents[3]
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
    assert found["facts"]["floor"] == "1.2e-9"
    assert [row["quantity"] for row in found["rows"]] == ["slope_L"]
    assert [step["rule"] for step in found["steps"]] == [
        "measure", "simulate", "simulate"]  # fmt: skip
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
    assert wide["code"] == "studies_of_tests.toy.jobs"
    narrow = next(step for step in found["steps"] if step["what"] == "toy/narrow")
    assert narrow["configuration"] == {"narrow.kind": "narrow", "narrow.num_layers": "[8, 16]"}


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("toy.depth", ["judge_claims", "measure", "simulate", "simulate"]),
        ("toy-rates", ["draw", "measure", "simulate"]),
        ("toy/narrow", ["simulate"]),
        ("toy/risk/sine.s4", ["measure", "simulate", "simulate"]),
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


def test_a_claim_says_its_verdict(base: Path, capsys) -> None:
    assert traced(base, capsys, "toy.depth")["facts"]["verdict"] == "supported"


def test_the_link_of_a_number_names_its_key(base: Path, capsys) -> None:
    """In the PDF a number leads to the line of its key, beside it."""
    style = (ROOT / "paper" / "zeroloss.sty").read_text()
    assert (
        r"\DeclareRobustCommand{\zlest}[1]{\zl@link{zl:#1}" in style and r"\href{\zlevidence\#\detokenize{#1}}" in style
    )
    targets = re.findall(r'<tr id="zl:(toy[./][^"]*)">', (base / "evidence.html").read_text())
    assert targets == [KEY, "toy/risk/sine.s4"]
    for key in targets:
        assert traced(base, capsys, key)["kind"] == "number"


FLOATS = f"""holds zl:{KEY}
begin
holds toy-rates.pdf
Figure 1
begin
holds zl:claim:toy.depth
holds zl:case:narrow
holds zl:{KEY}
holds zl:{KEY}
Table S6
"""


@pytest.mark.parametrize(
    ("name", "rules", "facts"),
    [
        ("Figure 1", ["draw", "measure", "simulate"], {"drawings": "toy-rates"}),
        ("tab. s6", ["measure", "simulate", "simulate"],
         {"claims": "toy.depth", "settings of": "narrow", "numbers": KEY}),
    ],
)  # fmt: skip
def test_a_figure_or_table_of_the_pdf_leads_to_what_it_holds(base: Path, capsys, name, rules, facts) -> None:
    (base / "floats.txt").write_text(FLOATS)
    found = traced(base, capsys, name)
    assert [step["rule"] for step in found["steps"]] == rules and found["facts"] == facts
    assert cli.main(words(base, *name.split())) == 0
    assert capsys.readouterr().out.startswith(f"part of the PDF {name}\n")
    assert cli.main(words(base, "Table S7")) == 2
    assert "got 'Table S7'; nearest: Table S6" in capsys.readouterr().err


def test_without_tex_a_number_of_the_pdf_is_answered_in_words(base: Path, capsys) -> None:
    assert cli.main(words(base, "Table", "6")) == 2
    said = capsys.readouterr().err
    assert "quick/floats.txt is missing; build the paper with TeX, or follow the link of a number" in said


@pytest.mark.parametrize("name", [KEY, "toy.depth", "Table S6"])
def test_where_nothing_was_run_the_published_numbers_answer(base: Path, tmp_path: Path, capsys, name) -> None:
    published = tmp_path / "published"
    published.mkdir()
    table = estimates.read([base / "toy" / "estimates.parquet"])
    (published / "estimates.csv").write_text(estimates.to_csv(table))
    results.write_json(published / "verdicts.json", results.read_sealed(base / "verdicts.json"))
    (published / "floats.txt").write_text(FLOATS)
    places = ["--results", str(tmp_path / "nowhere"), "--published", str(published)]
    assert cli.main([*words(base)[:3], *places, "--claims", str(tmp_path / "claims.yaml"), name]) == 0
    said = capsys.readouterr().out
    assert "-1.0000" in said and "wide;narrow" in said and "make reproduce" in said
    assert cli.main(["trace", "--mode", "full", *places, name]) == 2
    assert "estimates.parquet is missing; build it with make" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("toy.dept", "nearest: toy.depth"),
        ("toy-rate", "nearest: toy-rates"),
        ("0.9990", "a number of the PDF is a link to its key"),
        ("@@", "zeroloss claims lists the claims"),
    ],
)
def test_the_unknown_is_refused_with_what_is_near(base: Path, capsys, name, remedy) -> None:
    assert cli.main(words(base, name)) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert said.err.startswith("zeroloss trace: NAME must be a claim, key, figure or table")
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
    assert "setting      narrow.num_layers = [8, 16]" in short
    assert "wide.law.seed_law" not in short
    assert "zeroloss trace toy/wide says the same" in short
    assert cli.main(words(base, "toy.depth", "--all")) == 0
    assert "setting      wide.law.seed_law = 4" in capsys.readouterr().out

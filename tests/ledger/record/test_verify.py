"""A rebuilt or hand-edited number that disagrees is found, and named by claim and quantity."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import evidence
import pytest

from ledger.record import estimates, results
from published import Tree


@pytest.fixture
def tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tree:
    made = Tree(tmp_path)
    capsys.readouterr()
    return made


def changed(**changes: Any) -> list[dict[str, Any]]:
    first, *others = evidence.rows()
    return [first | changes, *others]


def test_an_untouched_run_agrees(tree: Tree, capsys) -> None:
    assert tree.call("verify") == 0
    out = capsys.readouterr().out
    assert "toy.depth" in out
    assert "-1.0021" in out
    assert "[-1.0052, -0.9990]" in out
    assert "agrees" in out
    assert "all verdicts and numbers agree" in out
    assert "\x1b" not in out


def test_publishing_is_reproducible(tree: Tree) -> None:
    before = {path.name: path.read_bytes() for path in tree.verdicts.parent.iterdir()}
    assert tree.call("publish") == 0
    assert before == {path.name: path.read_bytes() for path in tree.verdicts.parent.iterdir()}
    assert sorted(before) == ["costs.csv", "estimates.csv", "paper.pdf", "verdicts.json"]


@pytest.mark.parametrize(
    ("place", "old", "new", "claim", "quantity"),
    [
        ("verdicts", '"estimate": -0.99834', '"estimate": -0.99833', "toy.depth", "slope_L"),
        ("verdicts", '"estimate": -0.99834', '"estimate": "x"', "toy.depth", "slope_L"),
        ("verdicts", '"replicates": 2000', '"replicates": 2001', "toy.width", "distance"),
        ("verdicts", '"floor": 1.234e-09', '"floor": 1.233e-09', "toy.depth", "slope_L"),
        ("verdicts", '"verdict": "supported"', '"verdict": "refuted"', "toy.depth", "slope_L"),
        (
            "verdicts",
            '],\n   "verdict": "supported"',
            '],\n   "verdict": "refuted"',
            "toy.depth",
            "",
        ),
        (
            "verdicts",
            '"deciding": "toy.depth/slope_L/sine.s0"',
            '"deciding": null',
            "toy.depth",
            "",
        ),
        ("verdicts", "-0.9971] is", "-0.9970] is", "toy.depth", "slope_L"),
        ("verdicts", "every predicate holds", "every predicate held", "toy.depth", ""),
        ("verdicts", '"estimate": 1.2345678e-05', '"estimate": 1.3e-05', "toy", "risk"),
        ("estimates", "-0.99834", "-0.99833", "toy.depth", "slope_L"),
        ("estimates", "-0.99834", "about one", "toy.depth", "slope_L"),
        ("estimates", "-0.99834", "7.5", "toy.depth", "slope_L"),
        ("estimates", "2000,4", "2000.5,4", "toy.width", "distance"),
        ("estimates", "1.2345678e-05", "1.2345679e-05", "toy", "risk"),
        ("estimates", "toy,toy.depth,slope_L", "toy,toy.depht,slope_L", "toy.depth", "slope_L"),
    ],
)
def test_a_hand_edited_publication_is_named(
    tree: Tree, capsys, place, old, new, claim, quantity
) -> None:
    tree.edit(getattr(tree, place), old, new)
    assert tree.call("verify") == 1
    out = capsys.readouterr().out
    named = [line for line in out.splitlines() if line.startswith(f"{claim}: {quantity}")]
    assert named, out
    assert "published/" in named[0]


def test_an_edit_of_both_files_disagrees_with_the_rebuilt_run(tree: Tree, capsys) -> None:
    tree.edit(tree.verdicts, '"estimate": -0.4987', '"estimate": -0.4997')
    tree.edit(tree.estimates, "-0.4987", "-0.4997")
    assert tree.call("verify") == 0  # within the tolerance of 5 %
    tree.edit(tree.verdicts, '"lower": -0.5068', '"lower": -0.6')
    tree.edit(tree.estimates, "-0.5068", "-0.6")
    assert tree.call("verify") == 1
    assert "toy.width: slope_M: toy.width/slope_M/sine.s4 lower: published -0.6" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"estimate": -0.9989}, 0, ""),
        ({"estimate": -0.985, "upper": -0.98, "lower": -0.99}, 1, "toy.depth: slope_L: "),
        ({"estimate": None, "lower": None, "upper": None}, 1, "rebuilt nan"),
        ({"replicates": 99}, 1, "replicates: published 100, rebuilt 99"),
        ({"cell": "new.s4"}, 2, "toy.depth/slope_L/new.s4 is not among the published results"),
    ],
)
def test_rebuilt_numbers_are_compared_within_tolerance(
    tree: Tree, capsys, changes, code, text
) -> None:
    tree.build(changed(**changes))
    assert tree.call("verify") == code
    assert text in capsys.readouterr().out


def test_verdicts_are_compared_as_words(tree: Tree, capsys) -> None:
    record = json.loads(tree.rebuilt.read_text())
    record["claims"][0]["verdict"] = "inconclusive"
    results.write_sealed(tree.rebuilt, record)
    assert tree.call("verify") == 1
    out = capsys.readouterr().out
    assert "toy.depth: verdict: published supported, rebuilt inconclusive" in out
    assert tree.call("verify", "toy.width") == 0


def test_only_the_claims_asked_for_are_compared(tree: Tree, capsys) -> None:
    tree.edit(tree.estimates, "-0.99834", "-0.99833")
    assert tree.call("verify", evidence.WIDTH) == 0
    assert "toy.depth" not in capsys.readouterr().out
    assert tree.call("verify", evidence.DEPTH) == 1
    assert tree.call("verify", "toy.unknown") == 2
    assert "claim must be one of toy.depth, toy.width, got toy.unknown" in capsys.readouterr().err


def drop_claim(tree: Tree) -> None:
    record = json.loads(tree.rebuilt.read_text())
    record["claims"].pop()
    results.write_sealed(tree.rebuilt, record)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda tree: tree.rebuilt.unlink(), "verdicts.json is missing; build it"),
        (lambda tree: tree.verdicts.unlink(), "verdicts.json is missing"),
        (lambda tree: tree.estimates.unlink(), "estimates.csv is missing"),
        (drop_claim, "toy.width: is not among the rebuilt results; run make reproduce"),
        (
            lambda tree: tree.edit(tree.verdicts, '"full"', '"quick"'),
            "must hold a run of mode full",
        ),
    ],
)
def test_what_is_missing_gives_two(tree: Tree, capsys, spoil: Callable[[Tree], None], text) -> None:
    spoil(tree)
    assert tree.call("verify") == 2
    captured = capsys.readouterr()
    assert text in captured.out + captured.err


def test_a_claim_that_was_restated_after_publication_disagrees(tree: Tree, capsys) -> None:
    tree.edit(tree.claims, "[-1.02, ", "[-1.0021, ")
    assert tree.call("verify") == 1
    assert "toy.depth: published/verdicts.json says verdict supported" in capsys.readouterr().out


def test_a_damaged_publication_gives_one(tree: Tree, capsys) -> None:
    tree.verdicts.write_text("{")
    assert tree.call("verify") == 1
    assert "is not JSON" in capsys.readouterr().err
    tree.verdicts.write_text("[]")
    assert tree.call("verify") == 1


def test_verify_speaks_json(tree: Tree, capsys) -> None:
    tree.edit(tree.verdicts, '"estimate": -0.99834', '"estimate": -0.99833')
    assert tree.call("verify", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["code"] == 1
    assert answer["agreement"] == {"toy.depth": "differs", "toy.width": "agrees"}
    assert answer["differences"][0].startswith("toy.depth: slope_L: ")
    assert answer["claims"][0]["verdict"] == "supported"


def test_the_table_of_claims_is_plain_in_a_pipe_and_coloured_on_a_terminal(tree, capsys) -> None:
    assert tree.call("claims") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "claim",
        "verdict",
        "quantity",
        "estimate",
        "interval",
        "replicates",
    ]
    assert lines[1].split()[:2] == ["toy.depth", "supported"]
    assert lines[-1] == "2 claims in mode full (2 theorems): 2 supported, 0 inconclusive, 0 refuted"
    assert tree.call("claims", "--json") == 0
    assert json.loads(capsys.readouterr().out) == results.read_sealed(tree.rebuilt)


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_colour_is_for_a_terminal_alone(tree: Tree, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stdout", stream)
        assert tree.call("verify") == 0
        shown[type(stream)] = stream.getvalue()
    assert "\x1b[32msupported" in shown[Terminal]
    assert "\x1b" not in shown[io.StringIO]
    assert all("toy.depth" in text for text in shown.values())


def test_nothing_is_published_from_another_mode_or_without_a_paper(tree: Tree, capsys) -> None:
    (tree.rebuilt.parent / "paper.pdf").unlink()
    before = tree.estimates.read_bytes()
    tree.estimates.unlink()
    assert tree.call("publish") == 2
    assert "paper.pdf is missing" in capsys.readouterr().err
    assert not tree.estimates.exists()
    tree.estimates.write_bytes(before)
    assert tree.call("publish", "--mode", "quick") == 2


def test_published_text_is_the_table(tree: Tree) -> None:
    frame = evidence.frame(*evidence.rows())
    assert tree.estimates.read_text() == estimates.to_csv(frame)

"""A rebuilt or hand-edited number that disagrees is found, and named by claim and quantity."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import evidence
import pytest
from publication import Tree

from ledger.record import estimates, results


@pytest.fixture
def tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tree:
    made = Tree(tmp_path)
    capsys.readouterr()
    return made


Spoil = Callable[[Tree], object]
# lines that name the claim, the quantity and the published file
DEPTH, WIDTH, RISK, CLAIM = (
    f"^{name}.*published/" for name in ("toy.depth: slope_L", "toy.width: distance", "toy: risk", "toy.depth: ")
)


def edited(place: str, old: str, new: str) -> Spoil:
    """An edit by hand of a published file, or of the claims."""
    return lambda tree: tree.edit(getattr(tree, place), old, new)


def rebuilt(**changes: Any) -> Spoil:
    """A run whose first row comes out otherwise."""
    first, *others = evidence.rows()
    return lambda tree: tree.build([first | changes, *others])


def gone(place: str) -> Spoil:
    return lambda tree: getattr(tree, place).unlink()


def rejudged(tree: Tree) -> None:
    record = json.loads(tree.rebuilt.read_text())
    record["claims"][0]["verdict"] = "inconclusive"
    results.write_sealed(tree.rebuilt, record)


def without_a_claim(tree: Tree) -> None:
    record = json.loads(tree.rebuilt.read_text())
    record["claims"].pop()
    results.write_sealed(tree.rebuilt, record)


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


def test_the_published_article_leads_to_nothing_that_is_not_published(tree: Tree) -> None:
    results.write_bytes(tree.folder / "article.html", b"<p><a>all</a><!-- run -->, <a>report</a><!-- /run -->.</p>")
    assert tree.call("publish") == 0
    assert tree.verdicts.with_name("article.html").read_bytes() == b"<p><a>all</a>.</p>"


def test_what_an_older_run_has_published_does_not_stay_beside_a_new_one(tree: Tree, capsys) -> None:
    results.write_bytes(tree.verdicts.with_name("article.html"), b"of the run before")
    before = tree.verdicts.read_bytes()
    assert tree.call("publish") == 2
    assert "got no article.html; run make reproduce and make article" in capsys.readouterr().err
    assert tree.verdicts.read_bytes() == before


def test_a_published_figure_is_renewed(tree: Tree, capsys) -> None:
    shown = tree.verdicts.with_name("toy-rates.png")
    shown.write_bytes(b"of the run before")
    assert tree.call("publish") == 2, "this run did not draw it"
    assert "figures/toy-rates.png is missing" in capsys.readouterr().err
    drawn = tree.folder / "figures" / "toy-rates.png"
    results.write_bytes(drawn, b"of this run")
    assert tree.call("publish") == 0
    assert shown.read_bytes() == b"of this run" and shown.as_posix() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (edited("verdicts", '"estimate": -0.99834', '"estimate": -0.99833'), 1, DEPTH),
        (edited("verdicts", '"estimate": -0.99834', '"estimate": "x"'), 1, DEPTH),
        (edited("verdicts", '"replicates": 2000', '"replicates": 2001'), 1, WIDTH),
        (edited("verdicts", '"floor": 1.234e-09', '"floor": 1.233e-09'), 1, DEPTH),
        (edited("verdicts", '"verdict": "supported"', '"verdict": "refuted"'), 1, DEPTH),
        (edited("verdicts", '],\n   "verdict": "supported"', '],\n   "verdict": "refuted"'), 1, CLAIM),
        (edited("verdicts", '"deciding": "toy.depth/slope_L/sine.s0"', '"deciding": null'), 1, CLAIM),
        (edited("verdicts", "-0.9971] is", "-0.9970] is"), 1, DEPTH),
        (edited("verdicts", "every predicate holds", "every predicate held"), 1, CLAIM),
        (edited("verdicts", '"estimate": 1.2345678e-05', '"estimate": 1.3e-05'), 1, RISK),
        (edited("estimates", "-0.99834", "-0.99833"), 1, DEPTH),
        (edited("estimates", "-0.99834", "about one"), 1, DEPTH),
        (edited("estimates", "-0.99834", "7.5"), 1, DEPTH),
        (edited("estimates", "2000,4", "2000.5,4"), 1, WIDTH),
        (edited("estimates", "1.2345678e-05", "1.2345679e-05"), 1, RISK),
        (edited("estimates", "toy,toy.depth,slope_L", "toy,toy.depht,slope_L"), 1, DEPTH),
        (edited("claims", "[-1.02, ", "[-1.0021, "), 1, "^toy.depth: published/verdicts.json says verdict supported"),
        (lambda tree: tree.verdicts.write_text("{"), 1, "is not JSON"),
        (lambda tree: tree.verdicts.write_text("[]"), 1, "verdicts.json"),
        (rebuilt(estimate=-0.9989), 0, "all verdicts and numbers agree"),
        (rebuilt(estimate=-0.985, upper=-0.98, lower=-0.99), 1, "^toy.depth: slope_L: "),
        (rebuilt(estimate=None, lower=None, upper=None), 1, "rebuilt nan"),
        (rebuilt(replicates=99), 1, "replicates: published 100, rebuilt 99"),
        (rebuilt(cell="new.s4"), 2, "toy.depth/slope_L/new.s4 is not among the published results"),
        (rejudged, 1, "^toy.depth: verdict: published supported, rebuilt inconclusive"),
        (without_a_claim, 2, "^toy.width: is not among the rebuilt results; run make reproduce"),
        (gone("rebuilt"), 2, "verdicts.json is missing; build it"),
        (gone("verdicts"), 2, "verdicts.json is missing"),
        (gone("estimates"), 2, "estimates.csv is missing"),
        (edited("verdicts", '"full"', '"quick"'), 2, "must hold a run of mode full"),
    ],
)
def test_what_disagrees_is_named(tree: Tree, capsys, spoil: Spoil, code: int, said: str) -> None:
    spoil(tree)
    assert tree.call("verify") == code
    shown = capsys.readouterr()
    assert re.search(said, shown.out + shown.err, re.MULTILINE), shown


def test_an_edit_of_both_files_disagrees_with_the_rebuilt_run(tree: Tree, capsys) -> None:
    tree.edit(tree.verdicts, '"estimate": -0.4987', '"estimate": -0.4997')
    tree.edit(tree.estimates, "-0.4987", "-0.4997")
    assert tree.call("verify") == 0  # within the tolerance of 5 %
    tree.edit(tree.verdicts, '"lower": -0.5068', '"lower": -0.6')
    tree.edit(tree.estimates, "-0.5068", "-0.6")
    assert tree.call("verify") == 1
    assert "toy.width: slope_M: toy.width/slope_M/sine.s4 lower: published -0.6" in (capsys.readouterr().out)


def test_only_the_claims_asked_for_are_compared(tree: Tree, capsys) -> None:
    tree.edit(tree.estimates, "-0.99834", "-0.99833")
    assert tree.call("verify", evidence.WIDTH) == 0
    assert "toy.depth" not in capsys.readouterr().out
    assert tree.call("verify", evidence.DEPTH) == 1
    rejudged(tree)
    assert tree.call("verify", evidence.WIDTH) == 0
    assert tree.call("verify", "toy.dept") == 2
    assert "one of the 2 that are stated, got toy.dept (nearest: toy.depth, toy.width)" in capsys.readouterr().err


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
    assert lines[0].split() == ["claim", "verdict", "quantity", "estimate", "interval", "type", "replicates"]
    assert lines[1].split()[:2] == ["toy.depth", "supported"]
    counted = "2 claims in mode full (2 theorems): 2 supported, 0 inconclusive, 0 refuted"
    assert lines[-1] == f"{counted}; a true value is not covered somewhere with a chance of 5 % at most"
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

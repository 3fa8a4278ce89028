"""A sweep checks all of its points first, runs them one by one, and says which verdicts differ."""

from __future__ import annotations

import csv
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from snakemake.cli import parse_config
from snakemake_interface_executor_plugins.utils import format_cli_arg

from zeroloss import cli, planning, results, sweeping
from zeroloss.config import MODES, ConfigError, load, results_folder, typed
from zeroloss.plain_yaml import flow
from zeroloss.sweeping import axis, points

ROOT = Path(__file__).resolve().parents[1]
REPLICATES = "limits.commute.replicates"
SHELL = "; touch owned & {case} && a | > owned # *"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the configuration that ships and no results."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "owned").exists()


# ---- which points


@pytest.mark.parametrize(("text", "values"), [
    ("a.b=96,128", [96, 128]),
    ("a.b=[96, 128]", [96, 128]),
    ("a.b=96", [96]),
    ("a.b=1.0e-5,1e-5", [1.0e-5, "1e-5"]),
    ("a.b=true,null,cuda", [True, None, "cuda"]),
    ("a.b=[[8, 16], [16, 32]]", [[8, 16], [16, 32]]),
    ("a.b=[[8, 16]]", [[8, 16]]),
    ("a.b={kind: sine},{kind: surface}", [{"kind": "sine"}, {"kind": "surface"}]),
    ("a-b.c=x=y", ["x=y"]),
    ("a.b='a, b',\"[c\"", ["a, b", "[c"]),
])
def test_values_are_a_list_of_yaml(text: str, values: list[Any]) -> None:
    assert axis(text)[1] == values


@pytest.mark.parametrize(("text", "said"), [
    (REPLICATES, "must be KEY=VALUES"),
    ("=1", "must be KEY=VALUES"),
    ("a b=1", "must be KEY=VALUES"),
    ("$(touch owned)=1", "must be KEY=VALUES"),
    ("mode=quick,full", "give --mode"),
    ("a.b=", "must have one value or more"),
    ("a.b=[]", "must have one value or more"),
    ("a.b=[1, 2", "must be a list of YAML, got '[1, 2'"),
    ("a.b=[1, 2],[3, 4]", "write a.b=1,2 or a.b=[[1, 2], [3, 4]]"),
    ("a.b=&x 1,*x", "must be a list of YAML"),
    ("a.b=!!python/object/apply:os.system ['touch owned']", "must be a list of YAML"),
])
def test_what_is_no_list_of_values_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        axis(text)
    assert said in str(caught.value) and "; " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_product_of_all_values() -> None:
    made = points([f"{REPLICATES}=96,128", "seed=0,1"], "quick", [])
    assert [str(point) for point in made] == [
        f"{REPLICATES}={count} seed={seed}" for count in (96, 128) for seed in (0, 1)]
    over = {"limits": {"commute": {"replicates": 128}}, "seed": 1}
    assert made[3].settings == over
    assert made[3].folder == results_folder(load(*MODES["quick"], overrides=over))
    assert len({point.folder for point in made}) == 4


def test_a_point_as_shipped_lies_where_the_mode_does() -> None:
    shipped = load(*MODES["quick"]).limits.commute.replicates
    (point,) = points([f"{REPLICATES}={shipped}"], "quick", [])
    assert point.folder == Path("results/quick")


def test_files_lie_below_the_points(here: Path) -> None:
    mine = here / "mine.yaml"
    mine.write_text("seed: 7\nlimits: {commute: {replicates: 32}}\n")
    (point,) = points([f"{REPLICATES}=96"], "quick", [mine])
    over = {"limits": {"commute": {"replicates": 96}}, "seed": 7}
    assert point.folder == results_folder(load(*MODES["quick"], overrides=over))


@pytest.mark.parametrize(("asked", "said"), [
    ([f"{REPLICATES}=96,7"], [f"{REPLICATES}=7: ", f"{REPLICATES}: ", "got 7"]),
    (["limits.commute.replicate=96"], ["limits.commute.replicate: unknown key (value 96)"]),
    (["limits.commute=3"], ["limits.commute: ", "got 3"]),
    (["device='$(touch owned)'"], ["device: must hold no quotes", "got '$(touch owned)'"]),
    (["device='; touch owned'"], ["device: ", "got '; touch owned'"]),
    (["seed='a'"], ["seed: ", "got 'a'"]),
    (["seed=[2020-13-45x, '2020-13-45']"], ["seed: must be a plain YAML value, got '2020-13-45'"]),
    (["seed=1,2,1"], ["seed=1 must be a run of its own, but has the settings of seed=1"]),
    (["seed=1", "seed=2"], ["must name a key once, got seed twice"]),
])
def test_points_that_cannot_be_are_named_before_any_run(
    asked: list[str], said: list[str], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "subprocess", SimpleNamespace())
    assert cli.main(["sweep", "--mode", "quick", *(w for text in asked for w in ("--set", text))]
                    ) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in said), error
    assert "point 1" not in error and not Path("results").exists()


NUMBERS = st.integers(-10**12, 10**12) | st.floats(allow_nan=False) | st.booleans() | st.none()
TEXT = st.sampled_from([SHELL, "1e-5", "96", "", "~", "a: b", "x #y", "no", "[1", "-", "ü", " "])
TEXT |= st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="=<\"'$`\\"),
                max_size=8)
VALUES = st.recursive(NUMBERS | TEXT, lambda inner: st.lists(inner, max_size=3)
                      | st.dictionaries(st.sampled_from("abc"), inner, max_size=2), max_leaves=6)


def read(content: Any) -> Any:
    """What the command line means; a text that is no plain value, such as "!", is refused."""
    try:
        return typed(content)
    except ConfigError:
        return ConfigError


@settings(max_examples=200)
@given(value=VALUES)
@example("!")
def test_a_run_gets_the_settings_that_were_checked(value: Any) -> None:
    """Through the words of the command line, and through a shell to the node of a cluster."""
    word = f"limits={flow({'x': value})}"
    given = parse_config([word])
    assert read(given) == read({"limits": {"x": value}})
    sent = format_cli_arg("--config", [word])  # the rest of a line for the shell
    assert not set(sent) & set("$`\\") and shlex.split(sent) == ["--config", word]


# ---- what came of them


class Snakemake:
    """Stands in for Snakemake: leaves the verdicts that were prepared for each point."""

    def __init__(self, asked: list[str], *prepared: str) -> None:
        self.asked, self.prepared = asked, prepared
        self.commands: list[list[str]] = []

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        words = self.prepared[len(self.commands)].split()
        folder = points(self.asked, "quick", [])[len(self.commands)].folder
        self.commands.append(command)
        claims = [{"id": f"toy.{name}", "verdict": verdict, "rows": []}
                  for name, verdict in zip("abc", words, strict=False)]
        if len(claims) == 3:
            record = {"mode": "quick", "claims": claims, "numbers": []}
            results.write_sealed(folder / "verdicts.json", record)
        return subprocess.CompletedProcess(command, 0 if words else 7)


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*prepared: str, more: tuple[str, ...] = ()) -> tuple[int, Snakemake]:
        values = ",".join(str(96 + 32 * i) for i in range(len(prepared)))
        asked = [f"{REPLICATES}={values}"]
        fake = Snakemake(asked, *prepared)
        monkeypatch.setattr(planning, "subprocess", fake)
        return cli.main(["sweep", "--mode", "quick", "--cores", "3", "--set", *asked, *more]), fake

    return run


S, R, I = "supported", "refuted", "inconclusive"


def table(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_table_says_what_differs_from_the_first(sweep: Any, capsys: Any) -> None:
    status, fake = sweep(f"{S} {S} {I}", f"{S} {R} {S}", f"{S} {S} {I}")
    assert status == 0 and len(fake.commands) == 3
    done = capsys.readouterr()
    where = [point.folder.as_posix() for point in points(fake.asked, "quick", [])]
    lines = table(done.out)
    assert lines[0] == "point folder supported inconclusive refuted differs from the first"
    assert lines[1] == f"{REPLICATES}=96 {where[0]} 2 1 0"
    assert lines[2] == (f"{REPLICATES}=128 {where[1]} 2 0 1 "
                        f"toy.b: {S} -> {R}; toy.c: {I} -> {S}")
    assert lines[3] == f"{REPLICATES}=160 {where[2]} 2 1 0 none"
    assert f"point 2 of 3, {REPLICATES}=128: {where[1]}" in done.err
    (file,) = Path("results").glob("sweep-*.csv")
    content = file.read_bytes()
    assert file.name == f"sweep-{results.sha256_of(content)[:8]}.csv" and str(file) in done.out
    rows = list(csv.reader(content.decode().splitlines()))
    assert rows[0] == [REPLICATES, "folder", S, I, R, "differs"]
    assert rows[2] == ["128", where[1], "2", "0", "1", f"toy.b: {S} -> {R}; toy.c: {I} -> {S}"]


def test_snakemake_is_called_with_the_point(sweep: Any) -> None:
    Path("mine.yaml").write_text("mode: quick\n")
    _, fake = sweep(f"{S} {S} {S}", more=("--target", "paper", "--configfile", "mine.yaml"))
    assert fake.commands[0][1:] == [
        "-m", "snakemake", "--profile", "workflow/profiles/local", "--cores", "3", "--configfile",
        "mine.yaml", "--config", "mode=quick", "limits={commute: {replicates: 96}}", "--", "paper",
        "verdicts"]


@pytest.mark.parametrize("left", ["", f"{S}"], ids=["status", "no verdicts"])
def test_a_point_that_fails_is_named_and_the_others_go_on(
    sweep: Any, capsys: Any, left: str
) -> None:
    status, fake = sweep(left, f"{S} {S} {S}", f"{S} {S} {R}")
    assert status == 2 and len(fake.commands) == 3
    done = capsys.readouterr()
    assert f"1 of 3 points failed: {REPLICATES}=96; mend" in done.err
    lines = table(done.out)
    assert " n/a n/a n/a failed" in lines[1]
    assert lines[2].endswith("3 0 0") and lines[3].endswith(f"2 0 1 toy.c: {S} -> {R}")
    assert len(list(Path("results").glob("sweep-*.csv"))) == 1


def test_verdicts_of_an_earlier_run_do_not_hide_a_failure(sweep: Any, capsys: Any) -> None:
    assert sweep(f"{S} {S} {S}")[0] == 0
    assert sweep("")[0] == 2
    assert "n/a n/a n/a failed with status 7" in " ".join(table(capsys.readouterr().out))


def test_planning_writes_nothing(sweep: Any, capsys: Any) -> None:
    status, fake = sweep(f"{S}", f"{S}", more=("--dry-run",))
    assert status == 0 and all("--dry-run" in command for command in fake.commands)
    assert table(capsys.readouterr().out)[2].endswith("planned")
    assert not Path("results").exists()


def test_sweeping_needs_no_first_verdict() -> None:
    """A first run in which a claim was not stated is no verdict to differ from."""
    one, two = sweeping.Outcome({}), sweeping.Outcome({"toy.a": S})
    assert two.differing(one) == [f"toy.a: none -> {S}"]

"""The command line carries a study from its configuration to LaTeX, and fails in words."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import evidence
import pytest
from toy import WIDE, Broken, Divergent, Toy, Wide, walk
from typer.main import get_command

import ledger.cli
import zeroloss
from ledger.cli import options
from ledger.config import configuration as config
from ledger.record import estimates, results, verdicts
from ledger.record.claims import load_claims
from ledger.record.results import ResultError
from ledger.run import jobs
from ledger.show import artifact
from zeroloss import cli

ROOT = Path(__file__).resolve().parents[2]


def test_the_way_through_and_its_bytes(tmp_path, toy, capsys, figures_path) -> None:
    walk(tmp_path)
    base = tmp_path / "results" / "quick"
    made = {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*.*")}
    assert set(made) == {
        "toy/specs.json", "toy/wide.parquet", "toy/wide.manifest.json", "toy/narrow.parquet",
        "toy/narrow.manifest.json", "toy/estimates.parquet", "toy/estimates.manifest.json",
        "verdicts.json", "figures/toy-rates.pdf", "figures/toy-rates.png",
        "figures/toy-rates.manifest.json", "tex/numbers.tex",
        "tex/claims.tex", "tex/glance.tex", "evidence.html", "tex/sizes.tex", "tex/mode.tex",
        "tex/extensions.tex",
    }  # fmt: skip
    assert "1 claims in mode quick (1 theorem): 1 supported" in capsys.readouterr().out
    walk(tmp_path)
    for name, content in made.items():
        if "manifest" not in name:
            assert (base / name).read_bytes() == content, name


def test_a_manifest_says_what_made_the_table(tmp_path: Path, toy: Toy, figures_path) -> None:
    walk(tmp_path)
    study = tmp_path / "results" / "quick" / "toy"
    manifest = results.read_manifest(study / "wide.parquet")
    assert manifest["spec"] == toy.specs["wide"]
    assert manifest["seeds"] == {"seed": 3, "law.seed_law": 4}
    assert manifest["code_sha256"] == "c0de" * 16
    assert manifest["cpu_seconds"] >= 0
    assert manifest["peak_memory_mb"] > 1
    assert manifest["versions"]["python"].startswith("3.")
    assert set(manifest["machine"]) >= {"architecture", "processors", "threads"}
    measured = results.read_manifest(study / "estimates.parquet")
    assert measured["inputs"] == {
        case: results.sha256_of((study / f"{case}.parquet").read_bytes()) for case in toy.specs
    }
    assert estimates.read([study / "estimates.parquet"])["study"].unique() == ["toy"]


def test_the_manifest_of_a_figure_says_what_it_was_drawn_from(tmp_path, toy, figures_path) -> None:
    walk(tmp_path)
    base = tmp_path / "results" / "quick"
    drawn = results.read_manifest(base / "figures" / "toy-rates.pdf")
    assert drawn["function"] == "figures.toy_drawings.rates"
    wide = results.read_manifest(base / "toy" / "wide.parquet")["sha256"]
    assert drawn["inputs"] == {"wide": wide}, "narrow was not looked at"
    assert drawn["estimates"] == results.read_manifest(base / "toy/estimates.parquet")["sha256"]
    assert drawn["files"] == {
        path.name: results.sha256_of(path.read_bytes()) for path in (base / "figures").glob("toy-rates.p*")
    }
    assert len(drawn["files"]) == 2


def test_a_case_that_fails_is_named_and_leaves_nothing(tmp_path: Path, toy: Toy) -> None:
    with pytest.raises(KeyError, match="rows") as caught:
        jobs.run("toy", "late", Broken(), tmp_path / "late.parquet")
    assert caught.value.__notes__ == ["in study toy, case late"]
    assert list(tmp_path.iterdir()) == []


def run_with_failure(folder: Path, toy: Toy) -> tuple[Path, Path]:
    """Specs and estimates of a study in which one case of three was not finite."""
    toy.cases["late"] = Divergent()
    specs, table = folder / "specs.json", folder / "estimates.parquet"
    jobs.write_specs("toy", toy.cases, specs)
    assert cli.main(["run", "toy", *toy.cases, "--config", "any", "--out", str(folder)]) == 0
    places = ["--specs", str(specs), "--tables", str(folder), "--out", str(table)]
    assert cli.main(["measure", "toy", *places]) == 0
    return specs, table


def test_a_case_that_is_not_finite(tmp_path: Path, toy: Toy, capsys) -> None:
    """Its claims are inconclusive, no figure is drawn of it, and the run is not published."""
    base = tmp_path / "results" / "full"
    specs, table = run_with_failure(base / "toy", toy)
    assert "study toy, case late: risk is nan at step 7" in capsys.readouterr().err
    assert len(results.read_table(base / "toy" / "late.parquet")) == 0
    manifest = results.read_manifest(base / "toy" / "late.parquet")
    assert manifest["failed"] == "risk is nan at step 7"
    assert len(results.read_table(table)) == 2, "the other cases are measured"
    claims = evidence.write_claims(tmp_path / "claims.yaml", evidence.claim_entry())
    words = ["--claims", str(claims), "--estimates", str(table), "--mode", "full"]
    assert cli.main(["judge", *words, "--out", str(base / "verdicts.json")]) == 0
    (claim,) = results.read_sealed(base / "verdicts.json")["claims"]
    assert claim["verdict"] == "inconclusive" and claim["rows"]
    assert claim["reasons"] == ["case late failed: risk is nan at step 7"]
    with pytest.raises(ResultError, match="case late has no rows, since it failed: risk is nan at"):
        jobs.read_run(jobs.read_cases("toy", specs), base / "toy")
    places = ["--results", str(tmp_path / "results"), "--published", str(tmp_path / "published")]
    assert cli.main(["publish", *places]) == 2
    assert "must not be published, got toy: late" in capsys.readouterr().err
    assert not (tmp_path / "published").exists()


def test_a_failure_of_another_spec_is_stale(tmp_path: Path, toy: Toy) -> None:
    specs, table = run_with_failure(tmp_path, toy)
    results.write_sealed(specs, toy.specs | {"late": Divergent(seed=5).spec()})
    with pytest.raises(ResultError, match=r"late\.parquet was made under another spec"):
        jobs.measure("toy", specs, tmp_path, table)


def test_what_cannot_be_measured_without_a_case_is_left_out(tmp_path: Path, toy: Toy) -> None:
    toy.rows = [{"claim": "toy.depth"}]  # no table of estimates
    _, table = run_with_failure(tmp_path, toy)
    assert len(results.read_table(table)) == 0
    assert results.read_manifest(table)["failed"] == {"late": "risk is nan at step 7"}


def test_a_table_of_another_spec_is_stale(tmp_path: Path, toy: Toy) -> None:
    jobs.run("toy", "wide", WIDE, tmp_path / "wide.parquet")
    run, _ = jobs.read_run({"wide": WIDE}, tmp_path)
    assert list(run.tables) == ["wide"]
    with pytest.raises(ResultError, match=r"made under another spec of case wide .* delete"):
        jobs.read_run({"wide": Wide(seed=2, law=WIDE.law)}, tmp_path)


@pytest.mark.parametrize("name", ["Wide", "a.b", "estimates", "specs", ""])
def test_case_names_keep_to_their_rule(tmp_path: Path, toy: Toy, name: str) -> None:
    with pytest.raises(ResultError, match="a name must be made of lower-case letters"):
        jobs.write_specs("toy", {name: WIDE}, tmp_path / "specs.json")


def test_sources_are_cases(tmp_path: Path, toy: Toy, capsys) -> None:
    toy.rows = [evidence.row(sources="wide;broad")]
    for name, case in toy.cases.items():
        jobs.run("toy", name, case, tmp_path / f"{name}.parquet")
    jobs.write_specs("toy", toy.cases, tmp_path / "specs.json")
    places = ["--specs", str(tmp_path / "specs.json"), "--tables", str(tmp_path)]
    assert cli.main(["measure", "toy", *places, "--out", str(tmp_path / "e.parquet")]) == 2
    assert "sources must be cases of the study, got broad" in capsys.readouterr().err
    assert not (tmp_path / "e.parquet").exists()


def test_errors_are_said_in_words(tmp_path: Path, toy: Toy, capsys) -> None:
    def said(*words: object) -> str:
        assert cli.main(list(map(str, words))) == 2
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1, err
        return err

    specs = tmp_path / "specs.json"
    jobs.write_specs("toy", toy.cases, specs)
    run = ["run", "toy", "--config", "any", "--out", tmp_path]
    assert said("run", "elsewhere", "wide", *run[2:]).startswith(
        "zeroloss run: study must be one of toy, got elsewhere; give the"
    )
    assert "study must be one of toy, got elsewhere; install it" in said(
        "measure", "elsewhere", "--specs", specs, "--tables", tmp_path, "--out", tmp_path / "e"
    )
    assert "zeroloss run: cases must be those of" in said("run", "toy", "broad", *run[2:])
    assert "Missing argument 'CASE'; zeroloss run --help says more" in said(*run)
    assert said("claims", "--mode", "fast") == (
        "zeroloss claims: Invalid value for '--mode': 'fast' is not one of 'full', 'quick', "
        "'large'; zeroloss claims --help says more\n"
    )
    assert "No such command 'claim'. Did you mean 'claims'?" in said("claim")
    assert "zeroloss verify: Invalid value for '--cores': " in said("verify", "--cores", 0)
    assert list(tmp_path.iterdir()) == [specs]


def test_an_option_takes_several_words_and_may_be_repeated(tmp_path: Path, toy: Toy) -> None:
    walk(tmp_path)
    table = str(tmp_path / "results/quick/toy/estimates.parquet")
    claims = [
        evidence.write_claims(tmp_path / f"{entry['id']}.yaml", entry)
        for entry in (evidence.claim_entry(), evidence.width_entry())
    ]
    records = []
    for words in (["--claims", *map(str, claims)], ["--claims", str(claims[0]), "--claims", str(claims[1])]):
        out = tmp_path / "verdicts.json"
        words += ["--estimates", table, "--mode", "quick", "--out", str(out)]
        assert cli.main(["judge", *words]) == 0
        records.append(results.read_sealed(out))
    assert records[0] == records[1]
    assert [claim["id"] for claim in records[0]["claims"]] == [evidence.DEPTH, evidence.WIDTH]


def test_every_command_says_what_it_does_with_an_example(capsys) -> None:
    app: Any = get_command(cli.app)
    names = list(app.commands)
    rules = {"configuration", "specs", "run", "measure", "near", "judge", "draw", "typeset", "artifact"}
    assert set(names) == rules | {
        "claims", "verify", "trace", "estimate", "replicate", "size", "plant", "new-study", "compare",
        "publish", "crate", "article"}  # fmt: skip
    assert cli.main(["--help"]) == 0
    page = capsys.readouterr().out
    _, people, of_rules = re.split(r"─ Commands[^─]*─", page)
    for name in names:
        assert name in (of_rules if name in rules else people)
        command = app.commands[name]
        example = command.epilog.removeprefix("Example: ")
        words = shlex.split(example)
        assert words[:2] == ["zeroloss", name]
        command.make_context(name, words[2:])  # it is one
        assert cli.main([name, "--help"]) == 0
        assert example in " ".join(capsys.readouterr().out.split())


def test_a_paper_has_these_commands_under_its_own_name(capsys, tmp_path, monkeypatch) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"zeroloss {zeroloss.__version__}\n"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'mine'\nversion = '3'\ndescription = 'about mine'\n")
    assert ledger.cli.main(["--version"]) == 0
    assert ledger.cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ledger 3\n") and "mine: about mine" in out and " size " not in out
    assert ledger.cli.main(["claims"]) == 2
    assert capsys.readouterr().err.startswith("ledger claims: results/full/verdicts.json is miss")


def test_modes_and_problems_are_those_of_the_configuration() -> None:
    (mode, *_) = get_args(options.Mode)
    assert get_args(mode) == tuple(config.MODES)


def test_all_settings_of_a_run_are_written_down(tmp_path: Path, capsys) -> None:
    files = [str(ROOT / "config" / f"{mode}.yaml") for mode in ("full", "quick")]
    out = tmp_path / "configuration.yaml"
    words = ["configuration", "--config", *files, "--out", str(out), "--overrides"]
    assert cli.main([*words, '{"linear": {"unbalanced": {"replicates": 3}}}']) == 0
    made = config.load(out)
    assert made.linear.unbalanced.replicates == 3 and made.mode == "quick"
    assert made.limits == config.load(*files).limits
    out.unlink()
    assert cli.main([*words, '{"linear": {"unbalanced": {"replicates": 0}}}']) == 2
    said = capsys.readouterr().err
    assert "command line: linear.unbalanced.replicates: " in said and "got 0; set linear" in said
    for wrong in ("{'a': 1}", "[1]", "3"):
        assert cli.main([*words, wrong]) == 2
        assert f"must be a mapping in JSON, got {wrong}" in capsys.readouterr().err
    assert not out.exists()


def test_specs_are_those_of_the_overrides(tmp_path: Path) -> None:
    files = [str(ROOT / "config" / f"{mode}.yaml") for mode in ("full", "quick")]
    specs, mine = {}, '{"linear": {"unbalanced": {"replicates": 3}}}'
    for name, over in (("shipped", "{}"), ("mine", mine)):
        out = tmp_path / f"{name}.json"
        words = ["specs", "linear", "--config", *files, "--overrides", over, "--out", str(out)]
        assert cli.main(words) == 0
        specs[name] = results.read_sealed(out)
    assert specs["mine"].pop("unbalanced")["replicates"] == 3
    assert specs["shipped"].pop("unbalanced")["replicates"] != 3
    assert specs["mine"] == specs["shipped"]


def test_a_mode_is_never_mixed_with_the_other(tmp_path: Path, toy, capsys, figures_path) -> None:
    walk(tmp_path, "quick")
    base = tmp_path / "results" / "quick"
    table = str(base / "toy" / "estimates.parquet")
    words = ["typeset", "--verdicts", str(base / "verdicts.json"), "--estimates", table]
    words += ["--claims", str(tmp_path / "claims.yaml"), "--specs", str(base / "toy/specs.json")]
    words += ["--figures", str(base / "figures/toy-rates.manifest.json")]
    words += ["--manifests-dir", str(base), "--mode", "full", "--out", str(tmp_path / "tex")]
    capsys.readouterr()
    assert cli.main(words) == 2
    assert "must be of mode full, got quick; judge that mode first" in capsys.readouterr().err
    assert not (tmp_path / "tex").exists()


def test_a_negative_control_is_judged_in_the_tables_of_a_run(tmp_path: Path, toy: Toy, capsys) -> None:
    study = tmp_path / "results" / "quick" / "toy"
    jobs.write_specs("toy", toy.cases, study / "specs.json")
    for name, case in toy.cases.items():
        jobs.run("toy", name, case, study / f"{name}.parquet")
    before = {path: path.read_bytes() for path in study.iterdir()}
    claims = evidence.write_claims(tmp_path / "claims.yaml")

    def plant(claim: str = evidence.DEPTH, *more: str) -> int:
        return cli.main(
            ["plant", claim, "--claims", str(claims), "--mode", "quick", "--results", str(tmp_path / "results"), *more]
        )

    assert plant() == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{evidence.DEPTH} with the gap of a scheme of order 1/2: refuted\n")
    assert plant(evidence.DEPTH, "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "refuted"
    toy.planted = toy.rows
    assert plant() == 1, "what changes nothing is not refuted"
    assert plant(evidence.WIDTH) == 2 and plant("toy.none") == 2
    said = capsys.readouterr().err
    assert "a negative control of toy.width must be in the module measure of toy" in said
    assert "claim must be one of the 2 that are stated, got toy.none (nearest: toy.depth" in said
    assert {path: path.read_bytes() for path in study.iterdir()} == before


def test_verdicts_of_several_runs_stand_side_by_side(tmp_path: Path, capsys) -> None:
    def write(name: str, *verdicts: tuple[str, str]) -> str:
        claims = [{"id": claim, "verdict": verdict, "rows": []} for claim, verdict in verdicts]
        results.write_sealed(tmp_path / name / "verdicts.json", {"mode": "quick", "claims": claims, "numbers": []})
        return (tmp_path / name).as_posix()

    runs = [
        write("a", ("toy.depth", "supported"), ("toy.width", "refuted")),
        write("b", ("toy.depth", "supported"), ("toy.width", "supported")),
        write("c", ("toy.depth", "supported")),
    ]
    assert cli.main(["compare", *runs]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["claim", *runs]
    assert [line.split() for line in lines[-3:-1]] == [
        ["toy.depth", *["supported"] * 3],
        ["toy.width", "refuted", "supported", "none", "differs"]]  # fmt: skip
    assert lines[-1] == "1 of 2 claims differ"
    assert cli.main(["compare", *runs[:2], "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["differing"] == ["toy.width"] and found["runs"] == runs[:2]
    assert found["claims"]["toy.width"] == ["refuted", "supported"]
    assert cli.main(["compare", runs[0], str(tmp_path / "none")]) == 2
    assert "none/verdicts.json is missing" in capsys.readouterr().err


def test_two_runs_are_as_far_apart_as_their_farthest_number(tmp_path: Path, capsys) -> None:
    claims = evidence.write_claims(tmp_path / "claims.yaml")
    runs = []
    for name, slope, other in (("a", -1.0, 2.0), ("b", -1.004, 2.1)):
        rows = evidence.frame(evidence.row("slope_L", slope), evidence.plain("minutes", other))
        record = verdicts.judge(load_claims(claims), rows, "quick")
        results.write_sealed(tmp_path / name / "verdicts.json", record)
        runs.append((tmp_path / name).as_posix())
    words = ["compare", *runs, "--claims", str(claims)]
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["apart"]
    assert found[evidence.DEPTH]["key"] == "toy.depth/slope_L/sine.s4"
    assert found[evidence.DEPTH]["tolerances"] == pytest.approx(0.004 / 0.01)
    assert (found["toy"]["first"], found["toy"]["second"]) == (2.0, 2.1)
    assert found["toy"]["tolerances"] == pytest.approx(0.1 / (0.02 * 2 + 1e-9))
    assert cli.main(words) == 0
    assert "0.4 at toy.depth/slope_L/sine.s4" in capsys.readouterr().out
    (tmp_path / "builds.json").write_text(json.dumps({"runs": runs, "claims": {}, "apart": found}))
    assert "| 0.4 | toy.depth/slope_L/sine.s4 |" in artifact.builds(tmp_path / "builds.json")


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    results.write_sealed(
        tmp_path / "full" / "verdicts.json",
        {
            "mode": "full",
            "numbers": [],
            "claims": [{"id": f"toy.{i}", "verdict": "supported", "rows": []} for i in range(9999)],
        },
    )
    script = "import sys; from zeroloss.cli import main; raise SystemExit(main(sys.argv[1:]))"
    words = ["claims", "--json", "--results", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == ledger.cli.UNREAD

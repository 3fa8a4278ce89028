"""The command line carries a study from its configuration to LaTeX, and fails in words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import evidence
import pytest
from toy import Toy, walk

from ledger.config import configuration as config
from ledger.record import estimates, results
from ledger.run import jobs
from zeroloss import cli
from ledger.record.results import ResultError

ROOT = Path(__file__).resolve().parents[1]


def test_the_way_through_and_its_bytes(tmp_path, toy, capsys, figures_path) -> None:
    walk(tmp_path)
    base = tmp_path / "results" / "quick"
    made = {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*.*")}
    assert set(made) == {
        "toy/specs.json", "toy/wide.parquet", "toy/wide.manifest.json", "toy/narrow.parquet",
        "toy/narrow.manifest.json", "toy/estimates.parquet", "toy/estimates.manifest.json",
        "verdicts.json", "figures/toy-rates.pdf", "figures/toy-rates.png",
        "figures/toy-rates.manifest.json", "tex/numbers.tex",
        "tex/claims.tex", "tex/provenance.tex", "tex/sizes.tex", "tex/mode.tex",
        "tex/extensions.tex",
    }  # fmt: skip
    assert "1 claims in mode quick: 1 supported" in capsys.readouterr().out
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
    assert manifest["wall_seconds"] >= 0
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
        path.name: results.sha256_of(path.read_bytes())
        for path in (base / "figures").glob("toy-rates.p*")
    }
    assert len(drawn["files"]) == 2


def test_a_case_that_fails_is_named_and_leaves_nothing(tmp_path: Path, toy: Toy) -> None:
    with pytest.raises(KeyError, match="rows") as caught:
        jobs.run("toy", "late", {"kind": "broken"}, tmp_path / "late.parquet")
    assert caught.value.__notes__ == ["in study toy, case late"]
    assert list(tmp_path.iterdir()) == []


def run_with_failure(folder: Path, toy: Toy) -> tuple[Path, Path]:
    """Specs and estimates of a study in which one case of three was not finite."""
    toy.specs["late"] = {"kind": "divergent"}
    specs, table = folder / "specs.json", folder / "estimates.parquet"
    jobs.write_specs("toy", [], specs)
    words: list[str] = ["run", "toy"]
    for option, values in (("--case", list(toy.specs)),
                           ("--spec", [json.dumps(spec) for spec in toy.specs.values()]),
                           ("--out", [str(folder / f"{case}.parquet") for case in toy.specs])):
        words += [option, *values]
    assert cli.main(words) == 0
    places = ["--specs", str(specs), "--tables", str(folder), "--out", str(table)]
    assert cli.main(["measure", "toy", *places]) == 0
    return specs, table


def test_a_case_that_is_not_finite_makes_its_claims_inconclusive(
    tmp_path: Path, toy: Toy, capsys
) -> None:
    _, table = run_with_failure(tmp_path, toy)
    assert "study toy, case late: risk is nan at step 7" in capsys.readouterr().err
    assert len(results.read_table(tmp_path / "late.parquet")) == 0
    assert results.read_manifest(tmp_path / "late.parquet")["failed"] == "risk is nan at step 7"
    assert len(results.read_table(table)) == 2, "the other cases are measured"
    claims = evidence.write_claims(tmp_path / "claims.yaml", evidence.claim_entry())
    out = tmp_path / "verdicts.json"
    words = ["--claims", str(claims), "--estimates", str(table), "--mode", "quick"]
    assert cli.main(["judge", *words, "--out", str(out)]) == 0
    (claim,) = results.read_sealed(out)["claims"]
    assert claim["verdict"] == "inconclusive" and claim["rows"]
    assert claim["reasons"] == ["case late failed: risk is nan at step 7"]


def test_a_failure_of_another_spec_is_stale(tmp_path: Path, toy: Toy) -> None:
    specs, table = run_with_failure(tmp_path, toy)
    results.write_sealed(specs, toy.specs | {"late": {"kind": "divergent", "seed": 5}})
    with pytest.raises(ResultError, match=r"late\.parquet was made under another spec"):
        jobs.measure("toy", specs, tmp_path, table)


def test_what_cannot_be_measured_without_a_case_is_left_out(tmp_path: Path, toy: Toy) -> None:
    toy.rows = [{"claim": "toy.depth"}]  # no table of estimates
    _, table = run_with_failure(tmp_path, toy)
    assert len(results.read_table(table)) == 0
    assert results.read_manifest(table)["failed"] == {"late": "risk is nan at step 7"}


def test_a_figure_of_a_failed_case_says_why_it_cannot_be(tmp_path: Path, toy: Toy) -> None:
    specs, _ = run_with_failure(tmp_path, toy)
    with pytest.raises(ResultError, match="case late has no rows, since it failed: risk is nan at"):
        jobs.read_tables(jobs.read_specs(specs), tmp_path)


def test_a_run_with_failed_cases_is_not_published(tmp_path: Path, toy: Toy, capsys) -> None:
    _, table = run_with_failure(tmp_path / "results" / "full" / "toy", toy)
    claims = evidence.write_claims(tmp_path / "claims.yaml", evidence.claim_entry())
    record = tmp_path / "results" / "full" / "verdicts.json"
    words = ["--claims", str(claims), "--estimates", str(table), "--mode", "full"]
    assert cli.main(["judge", *words, "--out", str(record)]) == 0
    places = ["--results", str(tmp_path / "results"), "--published", str(tmp_path / "published")]
    assert cli.main(["publish", *places]) == 2
    assert "must not be published, got toy: late" in capsys.readouterr().err
    assert not (tmp_path / "published").exists()


def test_a_table_of_another_spec_is_stale(tmp_path: Path, toy: Toy) -> None:
    jobs.run("toy", "wide", {"kind": "wide", "seed": 1}, tmp_path / "wide.parquet")
    frames, _ = jobs.read_tables({"wide": {"kind": "wide", "seed": 1}}, tmp_path)
    assert list(frames) == ["wide"]
    with pytest.raises(ResultError, match=r"made under another spec of case wide .* delete"):
        jobs.read_tables({"wide": {"kind": "wide", "seed": 2}}, tmp_path)


@pytest.mark.parametrize("name", ["Wide", "a.b", "estimates", "specs", ""])
def test_case_names_keep_to_their_rule(tmp_path: Path, toy: Toy, name: str) -> None:
    toy.specs = {name: {}}
    with pytest.raises(ResultError, match="a name must be made of lower-case letters"):
        jobs.write_specs("toy", [], tmp_path / "specs.json")


def test_sources_are_cases(tmp_path: Path, toy: Toy, capsys) -> None:
    toy.rows = [evidence.row(sources="wide;broad")]
    for case, spec in toy.specs.items():
        jobs.run("toy", case, spec, tmp_path / f"{case}.parquet")
    results.write_sealed(tmp_path / "specs.json", toy.specs)
    places = ["--specs", str(tmp_path / "specs.json"), "--tables", str(tmp_path)]
    assert cli.main(["measure", "toy", *places, "--out", str(tmp_path / "e.parquet")]) == 2
    assert "sources must be cases of the study, got broad" in capsys.readouterr().err
    assert not (tmp_path / "e.parquet").exists()


def test_errors_are_said_in_words(tmp_path: Path, toy: Toy, capsys) -> None:
    run = ["run", "elsewhere", "--case", "a", "--spec", "{}", "--out", str(tmp_path / "a.parquet")]
    assert cli.main(run) == 2
    assert (
        "zeroloss run: study must be one of toy, got elsewhere; add it" in capsys.readouterr().err
    )
    assert cli.main([*run, str(tmp_path / "b.parquet")]) == 2
    assert "as many, got 1, 1 and 2; give each" in capsys.readouterr().err
    run[5] = "{'a': 1}"
    assert cli.main(run) == 2
    assert "--spec must be JSON" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["claims", "--mode", "fast"])
    assert "invalid choice: 'fast'" in capsys.readouterr().err


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
        with pytest.raises(SystemExit):
            cli.main([*words, wrong])
        assert f"must be a mapping in JSON, got {wrong}" in capsys.readouterr().err
    assert not out.exists()


def test_specs_are_those_of_the_overrides(tmp_path: Path) -> None:
    files = [str(ROOT / "config" / f"{mode}.yaml") for mode in ("full", "quick")]
    specs, mine = {}, '{"linear": {"unbalanced": {"replicates": 3}}}'
    for name, over in (("shipped", "{}"), ("mine", mine)):
        out = tmp_path / f"{name}.json"
        words = ["specs", "linear", "--config", *files, "--overrides", over, "--out", str(out)]
        assert cli.main(words) == 0
        specs[name] = jobs.read_specs(out)
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


def test_a_planted_failure_is_judged_in_the_tables_of_a_run(
    tmp_path: Path, toy: Toy, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "results" / "quick" / "toy"
    results.write_sealed(study / "specs.json", toy.specs)
    for case, spec in toy.specs.items():
        jobs.run("toy", case, spec, study / f"{case}.parquet")
    before = {path: path.read_bytes() for path in study.iterdir()}
    claims = evidence.write_claims(tmp_path / "claims.yaml", evidence.claim_entry())

    def plant(claim: str = evidence.DEPTH, *more: str) -> int:
        return cli.main(["plant", claim, "--claims", str(claims), "--mode", "quick", "--results",
                         str(tmp_path / "results"), *more])

    planted = ModuleType("zeroloss.studies.toy.planted")
    monkeypatch.setitem(sys.modules, planted.__name__, planted)
    planted.__dict__["PLANTED"] = {"half-order": lambda tables, specs: tables}
    assert plant() == 1, "what changes nothing is not refuted"
    capsys.readouterr()
    toy.rows = [evidence.row("slope_L", -0.5, 0.001)]
    assert plant() == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{evidence.DEPTH} with the gap of a scheme of order 1/2: refuted\n")
    assert plant(evidence.DEPTH, "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "refuted"
    planted.__dict__["PLANTED"] = {"other": lambda tables, specs: tables}
    assert plant() == 2 and plant("toy.none") == 2
    said = capsys.readouterr().err
    assert "must be one of other, got half-order; add it to PLANTED" in said
    assert "claim must be one of toy.depth, got toy.none" in said
    assert {path: path.read_bytes() for path in study.iterdir()} == before


def test_asking_for_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, zeroloss.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'scipy', 'matplotlib', 'pyarrow', 'rich'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "publish" in done.stdout


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    script = "from zeroloss.cli import main; raise SystemExit(main(['estimate', '--json']))"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == cli.UNREAD

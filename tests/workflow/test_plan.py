"""What the workflow plans, without running it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.config.configuration import MODES, cases_of, load
from ledger.run import costs, regression, resources
from tests.workflow.checkout import BIN, ROOT, Checkout, jobs_in

# not pandas, which the Slurm plugin of Snakemake imports
HEAVY = ("torch", "scipy", "matplotlib", "sklearn")


@pytest.fixture(scope="module")
def checkout(new_checkout: Callable[[], Checkout]) -> Checkout:
    return new_checkout()


@pytest.fixture(scope="module")
def planned(checkout: Checkout) -> dict[str, str]:
    """What a dry run says in each mode; full is the default."""
    return {"full": checkout.snakemake("-n"), "quick": checkout.snakemake("-n", "--config", "mode=quick")}


@pytest.mark.parametrize("mode", ["full", "quick"])
def test_both_modes_plan(checkout: Checkout, planned: dict[str, str], mode: str) -> None:
    jobs = jobs_in(planned[mode])
    studies = load(*(checkout.root / path for path in MODES[mode])).studies
    assert mode == "quick" or jobs["simulate"] > 2 * len(studies)
    assert mode == "full" or jobs["simulate_limits_0"] == 1
    assert jobs["measure"] == jobs["write_specs"] == len(studies) < jobs["draw"]
    assert jobs["judge_claims"] == 1
    assert sum(jobs.values()) < 500, "a job is worth its start-up: batch more"


def test_the_large_mode_plans_every_job_of_its_study(checkout: Checkout) -> None:
    checked = load(*(checkout.root / path for path in MODES["large"]))
    cases = [case for study in checked.studies for case in cases_of(checked, study)]
    jobs = checkout.plan("--config", "mode=large")
    assert jobs["simulate"] == len(cases) > 300 and jobs["judge_claims"] == 1


def test_full_is_the_default_and_modes_do_not_mix(checkout: Checkout, planned: dict[str, str]) -> None:
    for mode, said in planned.items():
        folders = set(re.findall(r"results/[\w-]+", said))
        assert folders == {f"results/{mode}"} and "Results lie in" not in said
    assert checkout.plan("--configfile", "config/quick.yaml") == jobs_in(planned["quick"])


COMMUTE = ("results/full/limits/commute.parquet",)


def plan_with_costs(checkout: Checkout, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Plan one job beside this table of costs, which is gone afterwards."""
    table = checkout.root / "published" / "costs.csv"
    table.parent.mkdir()
    table.write_text(text)
    done = checkout.attempt("-n", *(arguments or COMMUTE))
    shutil.rmtree(table.parent)
    return done


def test_jobs_ask_for_what_was_measured(checkout: Checkout) -> None:
    row = "full,limits,commute,1000,4000,1,,,\n"
    plan = plan_with_costs(checkout, ",".join(costs.COLUMNS) + "\n" + row).stdout
    assert re.search(r"resources: .*mem_mb=6000\b", plan)
    assert re.search(r"resources: .*runtime=69\b", plan)


def test_jobs_that_nobody_ran_ask_for_what_is_predicted(checkout: Checkout) -> None:
    """Of a mode that is planned first: what the regression on the published run says."""
    checked = load(*(checkout.root / path for path in MODES["large"]))
    name, _ = max(cases_of(checked, "limits").items(), key=lambda item: len(str(item[1])))
    published = costs.read(ROOT / "published")
    priced = regression.priced("large", {"limits": cases_of(checked, "limits")}, published)
    asked = resources.request(priced, "limits", [name])
    table, target = (ROOT / "published" / costs.COSTS).read_text(), f"results/large/limits/{name}.parquet"
    plan = plan_with_costs(checkout, table, target, "--config", "mode=large").stdout
    assert re.search(rf"resources: .*mem_mb={asked.mem_mb}\b", plan)
    assert re.search(rf"resources: .*runtime={asked.runtime}\b", plan)


def test_a_damaged_table_of_costs_stops_before_any_job(checkout: Checkout) -> None:
    done = plan_with_costs(checkout, "study,case\n")
    assert done.returncode != 0 and "must have the columns" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("last", [
    {"figures": "draw", "tables": "typeset_numbers", "verdicts": "judge_claims"},
    {"paper": "build_paper"},
])  # fmt: skip
def test_targets(checkout: Checkout, last: dict[str, str]) -> None:
    jobs = checkout.plan(*last, "--config", "mode=quick")
    for target, rule in last.items():
        assert jobs[rule] >= jobs[target] == 1
    assert ("build_paper" in jobs) == ("paper" in last)


def test_one_study_is_run_to_its_verdicts_and_figures(checkout: Checkout) -> None:
    jobs = checkout.plan("--config", "mode=quick", "study=linear")
    once = (
        "write_configuration",
        "write_specs",
        "simulate_linear_0",
        "measure",
        "weigh_near_controls",
        "judge_study",
        "all",
    )
    assert jobs == {**dict.fromkeys(once, 1), "draw": 3}


def test_planning_imports_nothing_heavy(checkout: Checkout, tmp_path: Path) -> None:
    for name in HEAVY:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} at parse time')\n")
    path = f"{tmp_path}:{checkout.root / 'src'}"
    assert checkout.plan("--config", "mode=quick", PYTHONPATH=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "mode=fast"], "mode must be full, quick, large, got fast"),
        (
            ["--config", "mode=quick", "limits={commute: {replicates: ; touch owned}}"],
            "command line: limits.commute.replicates: input should be a valid integer, got "
            "'; touch owned'; set limits.commute.replicates",
        ),
        (
            ["--config", "limits={commute: {replicates: $(touch owned)}}"],
            "command line: limits.commute.replicates: must hold no quotes, $, `, \\ and line breaks, "
            "got '$(touch owned)'; write it to a file",
        ),
        (["--config", "no_such=1"], "command line: no_such: unknown key (value 1); remove it"),
        (["--config", "extensions=examples/my_study"], "extensions must be a list of folders, got"),
        (["--configfile", "bad.yaml"], "no_such_key"),
        (["--config", "study=nosuch"], "study must be one of limits, "),
    ],
)
def test_a_wrong_configuration_stops_before_any_job(checkout: Checkout, arguments: list[str], message: str) -> None:
    (checkout.root / "bad.yaml").write_text("no_such_key: 1\n")
    done = checkout.attempt("-n", *arguments)
    output = done.stdout
    assert done.returncode != 0 and message in output and "Job stats" not in output
    assert "Traceback" not in output
    assert not {"owned", "results"} & {path.name for path in checkout.root.iterdir()}


def test_settings_of_the_command_line_reach_the_job(checkout: Checkout) -> None:
    (checkout.root / "mine.yaml").write_text("seed: 3\nlinear: {unbalanced: {replicates: 6}}\n")
    folder = checkout.folder("mine.yaml")
    target = str(folder / "linear" / "specs.json")
    given = ("--config", "mode=quick", "seed=3", "linear={unbalanced: {replicates: 6}}")
    plan = checkout.snakemake("-n", "-p", *given, "--", target)
    assert f"Results lie in {folder}; different from quick as shipped: " in plan
    assert "shipped: seed, linear.unbalanced.replicates" in plan
    shown = '{"linear": {"unbalanced": {"replicates": 6}}, "seed": 3}'
    assert f"--overrides '{shown}' --out {target}" in plan
    file = ("--config", "mode=quick", "--configfile", "mine.yaml")
    assert f"--overrides '{shown}'" in checkout.snakemake("-n", "-p", *file, "--", target)
    assert not (checkout.root / "results").exists()


def test_lint_and_format(checkout: Checkout) -> None:
    assert "good condition" in checkout.snakemake("--lint")
    subprocess.run([BIN / "snakefmt", "--check", "workflow"], cwd=checkout.root, check=True)
    snakefile = (checkout.root / "workflow" / "Snakefile").read_text().splitlines()
    assert len(snakefile) < 40


def test_another_directory_takes_the_results_alone(checkout: Checkout, tmp_path: Path) -> None:
    target = "results/quick/linear/specs.json"
    arguments = ("--cores", "1", "--config", "mode=quick", "--directory", str(tmp_path))
    checkout.snakemake(*arguments, "--", target)
    assert not (checkout.root / "results").exists()
    assert {path.name for path in tmp_path.iterdir() if not path.is_symlink()} == {".snakemake", "results"}
    assert (tmp_path / target).is_file()
    assert "Nothing to be done" in checkout.snakemake(*arguments, "--", target)
    assert jobs_in(checkout.snakemake(*arguments, "-n"))["draw"] > 20, "figures and sections are found"


@pytest.mark.parametrize("graph", ["--dag", "--rulegraph"])
def test_graphs(checkout: Checkout, graph: str) -> None:
    assert "digraph snakemake_dag" in checkout.snakemake(graph, "--config", "mode=quick")


def test_rules_call_commands_only(checkout: Checkout) -> None:
    for path in (checkout.root / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        assert "script:" not in text and "run:" not in text
        assert "published/" not in text, "no rule writes where the published run lies"
        assert text.startswith('"""'), "a rule file opens with what it is for"

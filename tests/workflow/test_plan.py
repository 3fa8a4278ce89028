"""What the workflow plans, without running it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.checkout import BIN, OVERLAY, RESULTS, Checkout, jobs_in
from ledger.run import costs, resources
from ledger.config.configuration import MODES, load
from zeroloss.studies.limits.cases import cases
from zeroloss.studies.limits.work import count

# not pandas, which the Slurm plugin of Snakemake imports
HEAVY = ("torch", "scipy", "matplotlib", "sklearn")


@pytest.fixture(scope="module")
def checkout(new_checkout: Callable[[], Checkout]) -> Checkout:
    return new_checkout()


@pytest.fixture(scope="module")
def planned(checkout: Checkout) -> dict[str, str]:
    """What a dry run says in each mode; full is the default."""
    return {"full": checkout.snakemake("-n"),
            "quick": checkout.snakemake("-n", "--config", "mode=quick")}


@pytest.mark.parametrize("mode", ["full", "quick"])
def test_both_modes_plan(planned: dict[str, str], mode: str) -> None:
    jobs = jobs_in(planned[mode])
    assert mode == "quick" or jobs["simulate_limits"] >= 2
    assert mode == "full" or jobs["simulate_limits_0"] == 1
    assert jobs["measure_limits"] == jobs["draw_limits"] == jobs["judge_claims"] == 1
    assert sum(jobs.values()) < 500, "a job is worth its start-up: batch more"


def test_the_large_mode_plans_every_job_of_its_study(checkout: Checkout) -> None:
    checked = load(*(checkout.root / path for path in MODES["large"]))
    jobs = checkout.plan("--config", "mode=large")
    assert jobs["simulate_limits"] == len(cases(checked)) > 300
    assert jobs["simulate_size"] > 1 and jobs["measure_limits"] == jobs["judge_claims"] == 1


def test_full_is_the_default_and_modes_do_not_mix(
    checkout: Checkout, planned: dict[str, str]
) -> None:
    for mode, said in planned.items():
        folders = set(re.findall(r"results/[\w-]+", said))
        assert folders == {f"results/{mode}"} and "Results lie in" not in said
    assert checkout.plan("--configfile", "config/quick.yaml") == jobs_in(planned["quick"])


COMMUTE = ("results/full/limits/commute.parquet",)


def plan_with_costs(checkout: Checkout, text: str, *arguments: str
                    ) -> subprocess.CompletedProcess[str]:
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
    """As if an ensemble of the published run had taken 10 ns for a unit of work, and 300 MB."""
    made = cases(load(*(checkout.root / path for path in MODES["large"])))
    name = next(name for name, spec in made.items() if spec["kind"] == "ensemble" and any(
        z["num_layers"] == z["num_units"] == 10**4 for z in spec["sizes"]))
    known, asked = count(made["independent-surface-0"]), count(made[name])
    assert known and asked
    row = (f"full,limits,independent-surface-0,{1e-8 * known.work},{300 + known.held / 2**20},1,,"
           f"{costs.digest_of(made['independent-surface-0'])},\n")
    plan = plan_with_costs(checkout, ",".join(costs.COLUMNS) + "\n" + row,
                           f"results/large/limits/{name}.parquet", "--config", "mode=large").stdout
    request = resources.request(
        {("limits", name): costs.Cost(1e-8 * asked.work, 300 + asked.held / 2**20, 1)},
        "limits", [name])
    assert request.mem_mb > 1.5 * 60_000 and request.runtime > 4 * 100 * 60
    assert re.search(rf"resources: .*mem_mb={request.mem_mb}\b", plan)
    assert re.search(rf"resources: .*runtime={request.runtime}\b", plan)


def test_a_damaged_table_of_costs_stops_before_any_job(checkout: Checkout) -> None:
    done = plan_with_costs(checkout, "study,case\n")
    assert done.returncode != 0 and "must have the columns" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("last", [
    {"figures": "draw_limits", "tables": "typeset_numbers", "verdicts": "judge_claims"},
    {"paper": "build_paper"},
])  # fmt: skip
def test_targets(checkout: Checkout, last: dict[str, str]) -> None:
    jobs = checkout.plan(*last, "--config", "mode=quick")
    for target, rule in last.items():
        assert jobs[rule] == jobs[target] == 1
    assert ("build_paper" in jobs) == ("paper" in last)


def test_planning_imports_nothing_heavy(checkout: Checkout, tmp_path: Path) -> None:
    for name in HEAVY:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} at parse time')\n")
    path = f"{tmp_path}:{checkout.root / 'src'}"
    assert checkout.plan("--config", "mode=quick", PYTHONPATH=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "mode=fast"], "mode must be full, quick, large, got fast"),
        (["--config", "mode=quick", "limits={commute: {replicates: ; touch owned}}"],
         "command line: limits.commute.replicates: input should be a valid integer, got "
         "'; touch owned'; set limits.commute.replicates"),
        (["--config", "limits={commute: {replicates: $(touch owned)}}"],
         "command line: limits.commute.replicates: must hold no quotes, $, `, \\ and line breaks, "
         "got '$(touch owned)'; write it to a file"),
        (["--config", "no_such=1"], "command line: no_such: unknown key (value 1); remove it"),
        (["--config", "extensions=examples/my_study"], "extensions must be a list of folders, got"),
        (["--configfile", "bad.yaml"], "no_such_key"),
    ],
)
def test_a_wrong_configuration_stops_before_any_job(
    checkout: Checkout, arguments: list[str], message: str
) -> None:
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


def test_a_sweep_over_the_sizes_of_the_tests_plans(checkout: Checkout) -> None:
    words = ("--mode", "quick", "--configfile", OVERLAY, "--set", "seed=0", "--dry-run")
    done = subprocess.run([BIN / "zeroloss", "sweep", *words], cwd=checkout.root, text=True,
                          env=checkout.environment(), capture_output=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines()[1].split() == ["seed=0", str(RESULTS), "planned"]
    assert jobs_in(done.stderr)["judge_claims"] == 1
    assert not (checkout.root / "results").exists()


def test_lint_and_format(checkout: Checkout) -> None:
    assert "good condition" in checkout.snakemake("--lint")
    subprocess.run(
        [BIN / "snakefmt", "--check", "Snakefile", "workflow"], cwd=checkout.root, check=True
    )
    snakefile = (checkout.root / "Snakefile").read_text().splitlines()
    assert len(snakefile) < 40


@pytest.mark.parametrize("graph", ["--dag", "--rulegraph"])
def test_graphs(checkout: Checkout, graph: str) -> None:
    assert "digraph snakemake_dag" in checkout.snakemake(graph, "--config", "mode=quick")


def test_rules_call_commands_only(checkout: Checkout) -> None:
    for path in (checkout.root / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        assert "script:" not in text and "run:" not in text
        assert "published/" not in text, "no rule writes where the published run lies"
        assert text.startswith('"""'), "a rule file opens with what it is for"

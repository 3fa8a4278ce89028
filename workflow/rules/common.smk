"""Configuration, cases and places of files, for all the others."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# Jobs call `zeroloss` of the environment that runs Snakemake, also when it is not activated; and
# same input, same bytes: no order of a set may depend on the process.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.getenv("PATH", os.defpath)]),
    PYTHONHASHSEED="0",
)

# Studies from elsewhere: every job knows them by this variable, which is read on import.
EXTENSIONS = config.get("extensions") or []
if not isinstance(EXTENSIONS, list):
    raise WorkflowError(f"extensions must be a list of folders, got {EXTENSIONS}; put it in [ ]")
EXTENSIONS = [os.path.abspath(str(folder)) for folder in EXTENSIONS]
for folder in EXTENSIONS:
    if not os.path.isfile(os.path.join(folder, os.path.basename(folder), "cases.py")):
        raise WorkflowError(
            f"extensions must be folders that hold a package of their own name, got {folder}; "
            "see examples/my_study"
        )
os.environ.update(ZEROLOSS_EXTENSIONS=os.pathsep.join(EXTENSIONS))

try:
    from ledger.run import costs, resources, scaling
    from ledger.run.codegraph import literal_keys, sources
    from ledger.config.configuration import (
        CONFIGURATION,
        MODES,
        ConfigError,
        beyond_shipped,
        load,
        names_of,
        results_folder,
        typed,
    )
    from ledger.record.results import MissingResultError, ResultError
    from zeroloss.studies import FOLDERS, STUDIES
    from ledger.run.packing import batches
except ModuleNotFoundError as error:
    raise WorkflowError(f"{error}; run `pip install -e .` in this environment first") from error


def load_config():
    """The checked configuration, closed: a key that nothing reads stops the run.

    The files of its mode, what lies over them, and on top what --config says.
    """
    mode = str(config.get("mode", "full"))
    if mode not in MODES:
        raise WorkflowError(f"mode must be {', '.join(MODES)}, got {mode}; set --config mode=quick")
    given = [os.path.relpath(path) for path in workflow.configfiles]
    try:
        above = typed(workflow.config_settings.config)
        return load(*dict.fromkeys([*MODES[mode], *given]), overrides=above)
    except ConfigError as error:
        raise WorkflowError(str(error)) from error


def say_where():
    """Say once where the results are, when it is not where those of the mode as shipped are."""
    names = names_of(OVERRIDES)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    if names and workflow.is_main_process:
        logger.info(
            f"Results lie in {FOLDER}; different from {MODE} as shipped: "
            f"{', '.join(names[:NAMED])}{more}"
        )


def check_results_folder():
    """Say at once that nothing could be written, not job by job."""
    folder = next(path for path in [FOLDER, *FOLDER.parents] if path.exists())
    if not os.access(folder, os.W_OK):
        raise WorkflowError(
            f"{folder} must be writable, but it is read-only; make it writable, or run in a copy"
            " of this folder"
        )


def result(*parts):
    """A file of this run's results; wildcards stay as they are."""
    return os.path.join(FOLDER, *parts)


def tables_of(study):
    """The table of each case of a study."""
    return [result(study, f"{case}.parquet") for case in SPECS[study]]


def manifests_of(study):
    """The manifest of each case of a study: one that is missing or changed counts as its table."""
    return [result(study, f"{case}.manifest.json") for case in SPECS[study]]


def batches_of(study):
    """The cases of a study in runs of as many as one process takes."""
    return batches(SPECS[study], CONFIG.cases_per_job)


def spec_of(study):
    """The specification of a job's case: when it changes, that case alone reruns."""
    return lambda wildcards: json.dumps(SPECS[study][wildcards.case], sort_keys=True)


def all_specs_of(study):
    """All specifications of a study, to rerun what reads them when one changes."""
    return lambda wildcards: json.dumps(SPECS[study], sort_keys=True)


def overrides(wildcards):
    """What lies over the files of the mode. A function: it holds braces."""
    return json.dumps(OVERRIDES, sort_keys=True)


def specs_of(study, cases):
    """The specifications of a batch. A function: Snakemake reads braces in text as its own."""
    return lambda wildcards: [json.dumps(SPECS[study][case], sort_keys=True) for case in cases]


def code_of(*targets):
    """The source files a job's code lives in: an edit reruns what imports them, nothing else.

    results.py, which reads and writes for every job, always counts. cli.py does not: it only hands
    arguments over, and counting it would rerun everything for a word in a help text.
    """
    return [os.path.relpath(path) for path in sources("ledger.record.results", *targets)]


def memory_for(study, *cases):
    """Memory in MB for a job of these cases, or of the one that a wildcard names; more on retries."""
    return lambda wildcards, attempt: resources.request(
        COSTS, study, cases or [wildcards.case], attempt
    ).mem_mb


def minutes_for(study, *cases):
    """Time likewise, in minutes."""
    return lambda wildcards, attempt: resources.request(
        COSTS, study, cases or [wildcards.case], attempt
    ).runtime


def part_of(study, extension, own):
    """A file of a study: in the folder of an extension, or where the paper's own lie."""
    return os.path.relpath(FOLDERS[study] / extension) if study in FOLDERS else own


def figure_module(study):
    """The module that draws a study."""
    return part_of(study, f"figures/{study}.py", f"figures/{study}.py")


def figures_of(study, suffix):
    """The figures of a study in one format."""
    names = literal_keys(Path(figure_module(study)), "FIGURES")
    return [result("figures", f"{study}-{name}.{suffix}") for name in names]


def caption_of(path):
    """The caption of a figure in the report: its own file, or else a general one."""
    caption = f"workflow/report/{Path(path).stem}.rst"
    return caption if os.path.exists(caption) else "workflow/report/figure.rst"


def load_costs():
    """What each case took in the published run; a case that is not there asks for a default, and
    in a mode that is planned before it is run for what is predicted."""
    try:
        published = costs.read(Path("published"))
        if MODE in costs.PLANNED:
            return scaling.costs_of(MODE, SPECS, published).costs
        return published.get("full", {})
    except MissingResultError:
        return {}
    except ResultError as error:
        raise WorkflowError(str(error)) from error


NAMED = 8  # keys, in one line

CONFIG = load_config()
MODE = CONFIG.mode
FOLDER = results_folder(CONFIG)
# Jobs get what differs from the files of the mode, not how it was given: the same settings in other
# words rerun nothing.
OVERRIDES = beyond_shipped(CONFIG)
say_where()
check_results_folder()
SPECS = {study: import_module(f"zeroloss.studies.{study}.cases").cases(CONFIG) for study in STUDIES}
COSTS = load_costs()
HAVE_TEX = (
    subprocess.run(
        ["bash", "workflow/scripts/find-tex.sh", "check"], stderr=subprocess.DEVNULL
    ).returncode
    == 0
)


wildcard_constraints:
    case="[a-z0-9-]+",

"""The run that all rules are of: its configuration, and where its files lie."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# Jobs call the command of the environment that runs Snakemake, also when it is not activated; and
# same input, same bytes: no order of a set may depend on the process.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.getenv("PATH", os.defpath)]),
    PYTHONHASHSEED="0",
)

# With --directory only the results lie elsewhere: what they are made from is linked to from there.
PLACE = Path(workflow.main_snakefile).parent
PLACE = PLACE.parent if PLACE.name == "workflow" else PLACE
for source in ["benchmarks", "config", "figures", "paper", "published", "pyproject.toml"]:
    if (PLACE / source).exists() and not os.path.lexists(source):
        Path(source).symlink_to(os.path.relpath(PLACE / source))

try:
    from ledger.config.configuration import CONFIGURATION, MODES, ConfigError
    from ledger.config.paper import paper
    from ledger.config.studies import StudyError
    from ledger.record.results import ResultError
    from ledger.run.workflow import load
except ModuleNotFoundError as error:
    raise WorkflowError(f"{error}; run `pip install -e .` in this environment first") from error


def load_run():
    """The checked run of the files of its mode, what lies over them, and --config on top."""
    given = {key: value for key, value in workflow.config_settings.config.items() if key != "study"}
    try:
        run = load(str(config.get("mode", "full")), workflow.configfiles, given)
        if STUDY and STUDY not in run.config.studies:
            studies = ", ".join(run.config.studies)
            raise ConfigError(f"study must be one of {studies}, got {STUDY}; set --config study=")
        folder = run.folder
        if run.differences and workflow.is_main_process:
            logger.info(
                f"Results lie in {folder}; different from {run.config.mode} as shipped: "
                f"{run.differences}"
            )
        return run
    except (ConfigError, StudyError, ResultError) as error:
        raise WorkflowError(str(error)) from error


def command(words):
    """A command line of this paper's program."""
    return f"{paper().name} {words}"


def by_study(function, *arguments):
    """What a study decides: function(study, *arguments)."""
    return lambda wildcards: function(wildcards.study, *arguments)


def always(text):
    """A parameter that holds braces: Snakemake reads those in plain text as its own."""
    return lambda wildcards: text


def asks(what, study=None, cases=None):
    """The `mem_mb` or `runtime` of a job of these cases, or of that which the wildcards name."""
    return lambda wildcards, attempt: getattr(
        RUN.request(study or wildcards.study, cases or [wildcards.case], attempt), what
    )


STUDY = str(config.get("study", ""))  # the only one whose targets are made
RUN = load_run()
MODE = RUN.config.mode
STUDIES = [STUDY] if STUDY else RUN.config.studies
SCRIPTS = os.path.relpath(
    os.path.join(workflow.current_basedir.get_path_or_uri(True), "../scripts")
)
result = RUN.result


wildcard_constraints:
    study="|".join(RUN.config.studies),
    case=r"(?!estimates\.)[a-z0-9-]+",

"""The configuration: closed, frozen models, read from YAML with sparse overlays.

Nothing heavy is imported here: the workflow reads the configuration before every run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, create_model

from ledger.config import yaml
from ledger.config.closed import Closed

if TYPE_CHECKING:
    from ledger.config.case import Case

__all__ = [
    "CONFIGURATION",
    "MODES",
    "Config",
    "ConfigError",
    "as_yaml",
    "beyond_shipped",
    "cases_of",
    "load",
    "names_of",
    "overlay",
    "read",
    "results_folder",
    "typed",
]

MODES = {
    "full": ("config/full.yaml",),
    "quick": ("config/full.yaml", "config/quick.yaml"),
    "large": ("config/full.yaml", "config/large.yaml"),
}
"""The files of each mode, in order."""

RESULTS = Path("results")
CONFIGURATION = "configuration.yaml"  # beside the results of a run: all of its settings
COMMAND_LINE = "command line"  # what messages call it, as they call a file by its path
SHELL = frozenset("\"'$`\\")  # marks that are more than text in the words of a command
LONGEST_SHOWN = 60


class ConfigError(ValueError):
    """A configuration that cannot be run: the message names file, key, value and remedy."""


def _from_here(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Spell a folder in one way, so that two spellings are one configuration."""
    return tuple(Path(os.path.relpath(folder)).as_posix() for folder in folders)


Extensions = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_from_here)]


class Config(Closed):
    """How to run. `load` adds one block for each study that the files have a block of."""

    mode: Literal["full", "quick", "large"]
    seed: int = Field(ge=0)  # of all randomness of methods
    data_seed: int = Field(0, ge=0)  # of the data: which rows, which synthetic inputs
    device: Literal["cpu", "cuda"] = "cpu"
    cases_per_job: int = Field(ge=1, le=50)  # their specifications stand in one command line
    extensions: Extensions = ()  # folders of other studies

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The block of a study."""

    @property
    def studies(self) -> tuple[str, ...]:
        """The studies of the run, in the order of their blocks."""
        return tuple(name for name in type(self).model_fields if name not in Config.model_fields)


def load(*paths: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read the first file and lay the others over it: mappings merge, lists and scalars replace.

    `overrides` of the command line lie on top. Raises ConfigError naming file, key, value and
    remedy.
    """
    over = overrides or {}
    # the mode alone has only said which files these are
    source = " + ".join([*map(str, paths), *([COMMAND_LINE] if set(over) - {"mode"} else [])])
    merged = overlay(_merged(paths), over)
    merged = overlay(_of_guests(merged, source), merged)
    config = _checked(_model(merged), merged, source)
    _check_plan(config, source)
    return config


def cases_of(config: Config, study: str) -> dict[str, Case]:
    """Every case of a study by name, as its plan has them.

    Raises ConfigError for a study that is not in the configuration, ValueError for what no job is
    made of.
    """
    from ledger.config import studies
    from ledger.config.case import Common

    if study not in config.studies:
        raise ConfigError(
            f"study must be one of {', '.join(config.studies)}, got {study}; "
            "give the configuration a block of this name"
        )
    plan = import_module(studies.study(study).module("plan"))
    return plan.cases(getattr(config, study), Common(config.seed, config.device, config.data_seed))


def typed(content: Any, key: str = "") -> Any:
    """Return what a command line gave with each text in it read as a plain YAML scalar.

    Snakemake hands over the values inside of `--config KEY={...}` as text, whatever they are.
    Raises ConfigError for a text that looks like a value and is none, such as the 45th of May, and
    for one that Snakemake could not hand on to the node of a cluster as it stands.
    """
    if isinstance(content, Mapping):
        for name in content:
            _check_text(str(name), key)
        return {name: typed(value, f"{key}.{_word(name)}".lstrip(".")) for name, value in content.items()}
    if isinstance(content, list):
        return [typed(value, f"{key}.{i}") for i, value in enumerate(content)]
    if not isinstance(content, str):
        return content
    _check_text(content, key)
    try:
        return yaml.scalar(content)
    except yaml.YamlError as error:
        raise ConfigError(
            f"{COMMAND_LINE}: {key}: must be a plain YAML value, got {_shown(content)} ({error}); set {key}"
        ) from error


def _check_text(text: str, key: str) -> None:
    """Refuse what a shell may read as its own: for a cluster Snakemake quotes as Python does."""
    if SHELL.intersection(text) or not text.isprintable():
        raise ConfigError(
            f"{COMMAND_LINE}: {key}: must hold no quotes, $, `, \\ and line breaks, "
            f"got {_shown(text)}; write it to a file and give that with --configfile"
        )


def results_folder(config: Config) -> Path:
    """Return where the run of a configuration lies: `results/MODE` where it is as the mode ships.

    Any other lies in `results/with-DIGEST/MODE`, where DIGEST is the first 8 hexadecimal digits
    of the SHA-256 of the checked configuration as JSON with sorted keys: no run overwrites
    another's, and the same settings meet in one folder, however they were given.
    """
    if not beyond_shipped(config):
        return RESULTS / config.mode
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return RESULTS / f"with-{hashlib.sha256(text.encode()).hexdigest()[:8]}" / config.mode


def beyond_shipped(config: Config) -> dict[str, Any]:
    """Return the smallest overlay that makes this configuration of that of its mode as shipped."""
    files = MODES[config.mode]
    merged = _merged(files)
    shipped = _checked(_model(merged), merged, " + ".join(files))
    return _beyond(shipped.model_dump(mode="json"), config.model_dump(mode="json"))


def names_of(content: Mapping[str, Any]) -> list[str]:
    """Return the dotted key of each value in a mapping of mappings."""
    return [
        name if inner is None else f"{name}.{inner}"
        for name, value in content.items()
        for inner in (names_of(value) if value and isinstance(value, Mapping) else [None])
    ]


def as_yaml(config: Config) -> str:
    """Return the whole of a configuration as YAML; loaded again, it is the same one."""
    return "# All settings of this run. To run it again: snakemake --configfile THIS-FILE\n" + yaml.block(
        config.model_dump(mode="json")
    )


def _merged(paths: Iterable[str | Path]) -> dict[str, Any]:
    """The content of files, each laid over those before it."""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = overlay(merged, read(Path(path)))
    return merged


def _checked(model: type[Config], content: Mapping[str, Any], source: str) -> Config:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_message(error, source)) from error


def _of_guests(given: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The blocks that studies from elsewhere bring, to lie below what is given: `config.yaml` of
    each folder, and `MODE.yaml` over it where there is one."""
    from ledger.config import studies

    asked = given.get("extensions", [])
    names = [Path(str(folder)).name for folder in asked] if isinstance(asked, list) else []
    if sorted(names) != sorted(studies.extensions()):
        raise ConfigError(
            f"{source}: extensions: must be those of this run, {sorted(studies.extensions())}, got "
            f"{names}; give them to Snakemake with --configfile, to other commands in "
            f"{studies.ENVIRONMENT}"
        )
    below: dict[str, Any] = {}
    for guest in studies.guests().values():
        below = overlay(below, read(guest.folder / studies.BLOCK))
        of_mode = guest.folder / f"{given.get('mode')}.yaml"
        if of_mode.is_file():
            below = overlay(below, read(of_mode))
    return below


def _model(content: Mapping[str, Any]) -> type[Config]:
    """The model with a closed block for each study that the content has a block of."""
    from ledger.config import studies

    known = studies.studies()
    return _with_blocks(
        tuple((name, import_module(known[name].module("plan")).Settings) for name in content if name in known)
    )


@cache
def _with_blocks(blocks: tuple[tuple[str, type[Closed]], ...]) -> type[Config]:
    """One class for the same studies, since configurations of two classes are never equal."""
    fields: dict[str, Any] = {name: (settings, ...) for name, settings in blocks}
    return create_model("Config", __base__=Config, **fields)


def _check_plan(config: Config, source: str) -> None:
    """Refuse what no job could be made of, and data that no job could read."""
    for study in config.studies:
        try:
            cases = cases_of(config, study)
        except ValueError as error:
            raise ConfigError(f"{source}: {study}: {error}") from error
        for name, case in cases.items():
            try:
                case.check()
            except ValueError as error:
                raise ConfigError(f"{source}: {study}, case {name}: {error}") from error


def read(path: Path) -> dict[str, Any]:
    """Return the content of a file, unchecked but for being a mapping; raise ConfigError if not."""
    try:
        content = yaml.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; give an existing configuration") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a file that can be") from error
    except ValueError as error:  # of the YAML, or of its encoding
        raise ConfigError(f"{path}: not readable as YAML ({error}); mend the syntax") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: must be a mapping of keys, got {type(content).__name__}; start from config/full.yaml"
        )
    return content


def _beyond(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """What to lay over the one to have the other, which lacks no key of it."""
    return {
        key: _beyond(below[key], value) if isinstance(value, Mapping) and isinstance(below.get(key), Mapping) else value
        for key, value in above.items()
        if key not in below or below[key] != value
    }


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another: mappings in both merge, all else of the upper one replaces."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            value = overlay(known, value)
        merged[key] = value
    return merged


def _message(error: ValidationError, source: str) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(_word(part) for part in item["loc"]) or "(top)"
        shown = _shown(item.get("input"))
        if item["type"] == "extra_forbidden":
            lines.append(f"{source}: {key}: unknown key (value {shown}); remove it or mend its name")
        elif item["type"] == "missing":
            lines.append(f"{source}: {key}: missing; set it as config/full.yaml does")
        else:
            text = item["msg"].removeprefix("Value error, ")
            if ", got " not in text:  # rules over several keys say their values themselves
                text += f", got {shown}"
            lines.append(f"{source}: {key}: {text[:1].lower()}{text[1:]}; set {key}")
    return "\n".join(lines)


def _word(part: Any) -> str:
    """A key of the file; what would break the line is quoted."""
    text = str(part)
    return text if text.isprintable() and len(text) <= LONGEST_SHOWN else _shown(part)


def _shown(value: Any) -> str:
    text = repr(value)
    if len(text) <= LONGEST_SHOWN:
        return text
    return f"a {type(value).__name__}" if isinstance(value, (dict, list)) else (f"{text[:LONGEST_SHOWN]}…")

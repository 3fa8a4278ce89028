"""The configuration: closed, frozen models, read from YAML with sparse overlays.

Nothing heavy is imported here: the workflow reads the configuration before every run. YAML is read
as data alone: no tags, no aliases, no key twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, create_model

from zeroloss import csvtable
from zeroloss.closed import Closed
from zeroloss.csvtable import AT_MOST, DataError
from zeroloss.studies import FOLDERS, STUDIES
from zeroloss.studies.limits.settings import Settings as LimitsSettings
from zeroloss.studies.linear.settings import Settings as LinearSettings
from zeroloss.studies.size.settings import Settings as SizeSettings
from zeroloss.studies.zero_loss.settings import Settings as ZeroLossSettings

__all__ = ["MODES", "Config", "ConfigError", "load"]

MODES = {
    "full": ("config/full.yaml",),
    "quick": ("config/full.yaml", "config/quick.yaml"),
    "large": ("config/full.yaml", "config/large.yaml"),
}
"""The files of each mode, in order."""

LONGEST_SHOWN = 60


class ConfigError(ValueError):
    """A configuration that cannot be run: the message names file, key, value and remedy."""


class Config(Closed):
    """The whole configuration: how to run, and one block per study."""

    mode: Literal["full", "quick", "large"]
    seed: int = Field(ge=0)
    device: Literal["cpu", "cuda"] = "cpu"
    cases_per_job: int = Field(ge=1, le=50)  # their specifications stand in one command line
    extensions: Annotated[tuple[str, ...], Field(strict=False)] = ()  # folders of other studies
    limits: LimitsSettings
    linear: LinearSettings
    size: SizeSettings
    zero_loss: ZeroLossSettings


def load(*paths: str | Path) -> Config:
    """Read the first file and lay the others over it: mappings merge, lists and scalars replace.

    Raises ConfigError naming file, key, value and remedy.
    """
    merged: dict[str, Any] = {}
    source = " + ".join(str(path) for path in paths)
    for path in paths:
        merged = _overlay(merged, _read(Path(path)))
    merged = _overlay(_extended(merged, source), merged)
    try:
        config = _model().model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_message(error, source)) from error
    _check_plan(config, source)
    return config


def _extended(given: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The blocks that the extensions bring, to lie below what is given: `config.yaml` of each
    folder, and `quick.yaml` over it in that mode."""
    asked = given.get("extensions", [])
    names = [Path(str(folder)).name for folder in asked] if isinstance(asked, list) else []
    if sorted(names) != sorted(FOLDERS):
        raise ConfigError(
            f"{source}: extensions: must be those of this run, {sorted(FOLDERS)}, got {names}; "
            "give them to Snakemake with --configfile"
        )
    below: dict[str, Any] = {}
    for folder in FOLDERS.values():
        below = _overlay(below, _read(folder / "config.yaml"))
        quick = folder / "quick.yaml"
        if given.get("mode") == "quick" and quick.is_file():
            below = _overlay(below, _read(quick))
    return below


def _model() -> type[Config]:
    """The model with a block for each extension, as closed as the others."""
    blocks: dict[str, Any] = {
        name: (import_module(f"zeroloss.studies.{name}.settings").Settings, ...) for name in FOLDERS
    }
    return create_model("Config", __base__=Config, **blocks) if blocks else Config


def _check_plan(config: Config, source: str) -> None:
    """Refuse what no job could be made of, and data that no job could read."""
    seen: set[str] = set()
    for study in STUDIES:
        try:
            specs = import_module(f"zeroloss.studies.{study}.cases").cases(config)
        except ValueError as error:
            raise ConfigError(f"{source}: {study}: {error}") from error
        for case, spec in specs.items():
            for problem in _problems(spec):
                if repr(problem) in seen:
                    continue
                seen.add(repr(problem))
                try:
                    _check_problem(**problem)
                except DataError as error:
                    raise ConfigError(f"{source}: {study}, case {case}: {error}") from error


def _problems(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every problem of a specification, with the most samples that are taken of it."""
    if "problem" in spec:
        counts = spec.get("num_samples", [])
        counts = counts if isinstance(counts, list) else []
        yield spec["problem"] | {"num_samples": max([spec["problem"]["num_samples"], *counts])}
    for part in spec.get("cases", []):
        yield from _problems(part)


def _check_problem(kind: str, num_samples: int, path: str, target: str,
                   features: list[str] | None, lift: int) -> None:
    """Raise DataError for a table that is none, and for more samples than there are rows."""
    del lift
    if kind == "csv":
        csvtable.columns(path, target, features, num_samples)
    elif num_samples > AT_MOST.get(kind, num_samples):
        raise DataError(f"{kind}: num_samples must be at most {AT_MOST[kind]}, got {num_samples}; "
                        "set num_samples")


class _Loader(yaml.SafeLoader):
    """Plain YAML: what a reader sees is what is there."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases, which can make a small file huge, or a loop."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias{self.peek_event().start_mark}: write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: one of its values would be lost in silence."""
        seen: set[Any] = set()
        for part, _ in node.value:
            key = self.construct_object(part, deep=True)
            if not isinstance(key, str | int | float):
                raise yaml.YAMLError(f"key {_shown(key)}{node.start_mark}: write a plain word")
            if key in seen:
                raise yaml.YAMLError(f"key {_shown(key)} occurs twice{node.start_mark}: "
                                     "remove one")
            seen.add(key)
        return super().construct_mapping(node, deep)


@lru_cache(maxsize=8)
def _parse(text: str) -> Any:
    """The content of a YAML text; nobody may alter it, since it is handed out again."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; give an existing configuration") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a file that can "
                          "be") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no such date
        first = " ".join(str(error).split())
        raise ConfigError(f"{path}: not readable as YAML ({first}); mend the syntax") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be a mapping of keys, got {type(content).__name__}; "
                          "start from config/full.yaml")
    return content


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            value = _overlay(known, value)
        merged[key] = value
    return merged


def _message(error: ValidationError, source: str) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(_word(part) for part in item["loc"]) or "(top)"
        shown = _shown(item.get("input"))
        if item["type"] == "extra_forbidden":
            lines.append(f"{source}: {key}: unknown key (value {shown}); remove it or mend its "
                         "name")
        elif item["type"] == "missing":
            lines.append(f"{source}: {key}: missing; set it as config/full.yaml does")
        else:
            text = item["msg"].removeprefix("Value error, ")
            if item["type"] == "float_type" and isinstance(item.get("input"), str):
                text += " (YAML reads 1e-5 as text: write 1.0e-5)"
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
    return f"a {type(value).__name__}" if isinstance(value, (dict, list)) else (
        f"{text[:LONGEST_SHOWN]}…")

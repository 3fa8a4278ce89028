"""The configuration: closed, frozen models, read from YAML with sparse overlays.

Nothing heavy is imported here: the workflow reads the configuration before every run. YAML is read
as data alone: no tags, no aliases, no key twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from zeroloss.closed import Closed
from zeroloss.studies import STUDIES
from zeroloss.studies.limits.settings import Settings as LimitsSettings
from zeroloss.studies.linear.settings import Settings as LinearSettings
from zeroloss.studies.settings import ProblemSettings
from zeroloss.studies.size.settings import Settings as SizeSettings
from zeroloss.studies.zero_loss.settings import Settings as ZeroLossSettings

__all__ = ["MODES", "Config", "ConfigError", "load"]

MODES = {"full": ("config/full.yaml",), "quick": ("config/full.yaml", "config/quick.yaml")}
"""The files of each mode, in order."""

LONGEST_SHOWN = 60


class ConfigError(ValueError):
    """A configuration that cannot be run: the message names file, key, value and remedy."""


class Config(Closed):
    """The whole configuration: how to run, and one block per study."""

    mode: Literal["full", "quick"]
    seed: int = Field(ge=0)
    device: Literal["cpu", "cuda"] = "cpu"
    cases_per_job: int = Field(ge=1, le=50)  # their specifications stand in one command line
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
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_message(error, source)) from error
    _check_plan(config, source)
    return config


def _check_plan(config: Config, source: str) -> None:
    """Refuse what no job could be made of, or no job could read."""
    for study in STUDIES:
        try:
            import_module(f"zeroloss.studies.{study}.cases").cases(config)
        except ValueError as error:
            raise ConfigError(f"{source}: {study}: {error}") from error
    for key, problem in _problems(config):
        if problem.path is not None and not Path(problem.path).is_file():
            raise ConfigError(f"{source}: {key}.path: no such file, got {problem.path!r}; set "
                              f"{key}.path to a CSV")


def _problems(model: BaseModel, place: str = "") -> Iterator[tuple[str, ProblemSettings]]:
    """Every problem of a configuration with its key."""
    for name, value in model:
        key = f"{place}.{name}" if place else name
        found = value.items() if isinstance(value, dict) else [("", value)]
        for part, inner in found:
            where = f"{key}.{part}" if part else key
            if isinstance(inner, ProblemSettings):
                yield where, inner
            elif isinstance(inner, BaseModel):
                yield from _problems(inner, where)


class _Loader(yaml.SafeLoader):
    """Plain YAML: what a reader sees is what is there."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases, which can make a small file huge, or a loop."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias{self.peek_event().start_mark}: write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: one of its values would be lost in silence."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if not isinstance(key, str | int | float):
                raise yaml.YAMLError(f"key {_shown(key)}{node.start_mark}: write a plain word")
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"key {_shown(key)} occurs twice{node.start_mark}: "
                                     "remove one")
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

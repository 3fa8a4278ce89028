"""The configuration: closed, frozen models, read from YAML with sparse overlays.

Nothing heavy is imported here: the workflow reads the configuration before every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from zeroloss.closed import Closed
from zeroloss.studies.limits.settings import Settings as LimitsSettings
from zeroloss.studies.linear.settings import Settings as LinearSettings
from zeroloss.studies.size.settings import Settings as SizeSettings
from zeroloss.studies.zero_loss.settings import Settings as ZeroLossSettings

__all__ = ["Config", "ConfigError", "load"]

LONGEST_SHOWN = 60


class ConfigError(ValueError):
    """A configuration that cannot be run: the message names file, key, value and remedy."""


class Config(Closed):
    """The whole configuration: how to run, and one block per study."""

    mode: Literal["full", "quick"]
    seed: int = Field(ge=0)
    device: Literal["cpu", "cuda"] = "cpu"
    cases_per_job: int = Field(ge=1)
    limits: LimitsSettings
    linear: LinearSettings
    size: SizeSettings
    zero_loss: ZeroLossSettings


def load(*paths: str | Path) -> Config:
    """Read the first file and lay the others over it: mappings merge, lists and scalars replace.

    Raises ConfigError naming file, key, value and remedy.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        merged = _overlay(merged, _read(Path(path)))
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_message(error, " + ".join(str(p) for p in paths))) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; give an existing configuration") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{path}: not readable as YAML ({first}); mend the syntax") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be a mapping of keys, got {type(content).__name__}; "
                          "start from config/full.yaml")
    return content


@lru_cache(maxsize=8)
def _parsed(text: str) -> Any:
    """The content of a YAML text; nobody may alter it, since it is handed out again."""
    return yaml.safe_load(text)


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
        key = ".".join(str(part) for part in item["loc"]) or "(top)"
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


def _shown(value: Any) -> str:
    text = repr(value)
    plain = not isinstance(value, (dict, list)) or len(text) <= LONGEST_SHOWN
    return text if plain else f"a {type(value).__name__}"

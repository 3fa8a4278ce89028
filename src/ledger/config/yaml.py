"""YAML 1.2 as data alone: no tags, no aliases, no key twice. What one sees is what is there."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.error import YAMLError as RuamelError
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

__all__ = ["YamlError", "block", "parse", "scalar"]

WORDS = re.compile(r"\w[\w ./-]*", re.ASCII)
MERGE = "<<"  # a key whose value would be laid below the others


class YamlError(ValueError):
    """A text that is no plain YAML; the message says why, in one line."""


class _Composer(Composer):
    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse anchors and aliases, which can make a small file huge, or a loop, and tags."""
        event = self.parser.peek_event()
        line = event.start_mark.line + 1
        if event.anchor:
            raise YamlError(f"anchor or alias {event.anchor} in line {line}: write the value out")
        if getattr(event, "tag", None):
            raise YamlError(f"tag {event.tag} in line {line}: write a plain value")
        is_key = parent is not None and index is None
        if is_key and (not isinstance(event, ScalarEvent) or event.value == MERGE):
            raise YamlError(f"a key in line {line} is none: write a plain word")
        return super().compose_node(parent, index)


class _Representer(SafeRepresenter):
    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out: the reader refuses aliases."""
        return True

    def represent_str(self, data: str) -> Any:
        """Quote what is more than words: the reader refuses some of it, such as `{a: :0}`."""
        style = None if WORDS.fullmatch(data) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Representer.add_representer(str, _Representer.represent_str)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Representer = _Composer, _Representer
    return yaml


@lru_cache(maxsize=16)
def parse(text: str) -> Any:
    """The content of a text, which nobody may alter, since it is handed out again."""
    try:
        return _yaml().load(text)
    except YamlError:
        raise
    except (RuamelError, ValueError, RecursionError) as error:  # ValueError: no such date
        raise YamlError(_line(error)) from error


def scalar(text: str) -> Any:
    """What a text means as a plain scalar, a number say; no part of it is syntax."""
    yaml = _yaml()
    yaml.get_constructor_parser(io.StringIO())
    try:
        tag = yaml.resolver.resolve(ScalarNode, text, (True, False))
        return yaml.constructor.construct_object(ScalarNode(tag, text))
    except (RuamelError, ValueError) as error:
        raise YamlError(_line(error)) from error


def block(content: Any) -> str:
    """Content as a page of YAML, its keys in their order, innermost lists in one line."""
    yaml, page = _yaml(), io.StringIO()
    yaml.default_flow_style, yaml.width = None, 100
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.dump(content, page)
    return page.getvalue()


def _line(error: Exception) -> str:
    """What a parser says of a text, with the line, and without its excerpts."""
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        problem = " ".join(error.problem.split())
        if isinstance(error, DuplicateKeyError):
            problem = f"{problem.partition(' with value')[0]}, which occurs twice,"
        return f"{problem} in line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())

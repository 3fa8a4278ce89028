"""YAML as data alone: no tags, no aliases, no key twice. What a reader sees is what is there."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

__all__ = ["YamlError", "block", "flow", "parse", "scalar"]


class YamlError(ValueError):
    """A text that is no plain YAML; the message says why, in one line."""


class _Loader(yaml.SafeLoader):
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
                raise yaml.YAMLError(f"key {key!r:.60}{node.start_mark}: write a plain word")
            if key in seen:
                raise yaml.YAMLError(f"key {key!r:.60} occurs twice{node.start_mark}: remove one")
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out: the reader refuses aliases."""
        return True


@lru_cache(maxsize=8)
def parse(text: str) -> Any:
    """Return the content of a text, which nobody may alter, since it is handed out again."""
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no such date
        raise YamlError(_line(error)) from error


def scalar(text: str) -> Any:
    """Return what a text means as a plain scalar, a number say; no part of it is syntax."""
    loader = _Loader("")
    try:
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))
        return loader.construct_object(yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError) as error:
        raise YamlError(_line(error)) from error
    finally:
        loader.dispose()


def block(content: Any) -> str:
    """Return content as a page of YAML, its keys in their order, innermost lists in one line."""
    return yaml.dump(content, Dumper=_Dumper, default_flow_style=None, sort_keys=False,
                     allow_unicode=True, width=100)


def flow(value: Any) -> str:
    """Return a value as it is written on a command line: in one line, in braces and brackets."""
    text = yaml.dump([value], Dumper=_Dumper, default_flow_style=True, sort_keys=False,
                     allow_unicode=True, width=float("inf"))
    return text.strip()[1:-1]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())

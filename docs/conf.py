"""How Sphinx builds the documentation: these pages, and one for each module from its docstrings.

`make docs` calls it, offline and with every warning an error. Docstrings are plain text with the
mathematics in its own symbols: they are turned into markup here, so that |θ|² needs no backslash
where it is read most.
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SOURCE))

import zeroloss  # noqa: E402  (found on the path above)

project = "zeroloss"
author = copyright = "the zeroloss authors"
version = release = zeroloss.__version__

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["build", "api/*/modules.rst"]
html_theme = "alabaster"
html_theme_options = {"description": zeroloss.__doc__, "page_width": "70em"}
html_show_sphinx = False
highlight_language = "none"  # indented text is mathematics
myst_heading_anchors = 3

# The pages of the packages are written anew at each build; git ignores them.
apidoc_modules = [
    {
        "path": SOURCE / name,
        "destination": f"api/{name}",  # a folder each, since a run clears its folder
        "separate_modules": True,
        "module_first": True,
        # relative patterns would be taken from here; the compiled engine lies beside its source
        "exclude_patterns": [f"{SOURCE}/**/{name}" for name in ("__main__.py", "*.so")],
        "automodule_options": {"members"},
    }
    for name in ("ledger", "zeroloss")
]

# The packages are imported, not run: what is large is not needed for that.
autodoc_mock_imports = ["matplotlib", "rich", "rocrate", "scipy", "seaborn", "sklearn", "torch", "triton"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# Types stand in signatures as the source writes them, and two modules have a class `Flow`: that one
# is left without a link.
suppress_warnings = ["ref.python"]

CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
ITEM = re.compile(r"- |\d+\. ")


def markup(lines: list[str]) -> list[str]:
    """Return a docstring as markup: examples and lists stay, indented text is set as it stands."""
    out: list[str] = []
    for empty, block in groupby(lines, key=lambda line: not line.strip()):
        if empty:
            continue
        kept = list(block)
        if kept[0].lstrip().startswith(">>>"):
            out += [*kept, ""]
        elif ITEM.match(kept[0]):
            out += [*escaped("\n".join(kept)).split("\n"), ""]
        else:
            for indented, part in groupby(kept, key=lambda line: line.startswith(" ")):
                text = list(part)
                out += ["::", "", *text, ""] if indented else [escaped(" ".join(text)), ""]
    return out


def escaped(text: str) -> str:
    """Return running text with its code marked as code, and nothing else taken for markup."""
    parts = CODE.split(text)
    for index, part in enumerate(parts):
        if index % 2:
            # Code ends before a letter only if told so: `Pair`s.
            joined = r"\ " if parts[index + 1][:1].isalnum() else ""
            parts[index] = f"``{part.strip('`')}``{joined}"
        else:
            parts[index] = re.sub(r"([\\*|`]|_(?!\w))", r"\\\1", part)
    return "".join(parts)


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Replace the lines of a docstring, as autodoc asks for it."""
    lines[:] = markup(lines)


def _skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the parametrised models that pydantic puts beside a generic one, `Parts[Line]`."""
    return True if "[" in name else None


def setup(app: Any) -> None:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)

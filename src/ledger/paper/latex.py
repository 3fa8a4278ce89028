"""LaTeX text: escaping, breakable names, tables that keep to the text width; its mathematics as MathML.

The macros that the text uses (column types Z and Y, targets) are those of `paper/zeroloss.sty`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")
BREAK_AFTER = "/.-_,"


class Column(NamedTuple):
    """A column of a table: its heading, its share of the text width, numbers flush right or not."""

    heading: str
    share: float
    right: bool = False


def escape(text: str) -> str:
    """Return plain text with the characters that LaTeX gives a meaning to made harmless."""
    return "".join(SPECIAL.get(character, character) for character in text)


def numbers_in(text: str) -> str:
    r"""Return plain text, escaped, with each number in it set by `\num`."""
    return NUMBER.sub(lambda found: rf"\num{{{found[0]}}}", escape(text))


def name(text: str) -> str:
    r"""Return a key, file or case name in typewriter, which may break after `/ . - _`.

    Hyphens are boxed, so that `--` stays two of them.
    """
    parts = []
    for character in text:
        shown = "{-}" if character == "-" else escape(character)
        parts.append(shown + (r"\allowbreak{}" if character in BREAK_AFTER else ""))
    return rf"\texttt{{{''.join(parts)}}}"


def longtable(
    columns: Sequence[Column], rows: Iterable[str], caption: str, label: str, size: str = r"\footnotesize"
) -> str:
    r"""Return a booktabs longtable as wide as the text, with caption, label and repeated heading.

    Shares are scaled to sum to one. Each row is LaTeX source that ends its own line (`\\`).
    """
    total = sum(column.share for column in columns)
    kinds = "".join(f"{'Y' if c.right else 'Z'}{{{c.share / total:.4f}}}" for c in columns)
    heading = " & ".join(column.heading for column in columns) + r" \\"
    lines = [
        "{" + size + r"\setlength{\tabcolsep}{3pt}\setlength{\LTcapwidth}{\linewidth}%",
        rf"\begin{{longtable}}{{{kinds}}}",
        rf"\caption{{{caption}}}\label{{{label}}}\\",
        rf"\toprule {heading} \midrule",
        r"\endfirsthead",
        rf"\multicolumn{{{len(columns)}}}{{l}}{{\tablename~\thetable, continued}} \\",
        rf"\toprule {heading} \midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *rows,
        r"\end{longtable}}",
    ]
    return "\n".join(lines) + "\n"


def row(*cells: str) -> str:
    r"""Return one line of a table: cells joined by `&`, ended by `\\`."""
    return " & ".join(cells) + r" \\"


def macros(preamble: str) -> dict[str, str]:
    r"""Return the macros without arguments that a preamble defines: {r"\PP": r"\mathbb{P}"}."""
    return dict(re.findall(r"^\\newcommand\{(\\[A-Za-z]+)\}\{(.*)\}$", preamble, re.MULTILINE))


def mathematics(text: str, defined: Mapping[str, str]) -> Any:
    """Return text with LaTeX between dollars as HTML with MathML; all else is escaped."""
    import markupsafe
    from latex2mathml.converter import convert

    made = []
    for i, part in enumerate(text.split("$")):
        if i % 2 == 0:
            made.append(markupsafe.escape(part))
            continue
        for name, meaning in defined.items():
            part = re.sub(rf"{re.escape(name)}(?![A-Za-z])", lambda _, to=meaning: to, part)
        made.append(markupsafe.Markup(convert(part)))
    return markupsafe.Markup("").join(made)

"""Writes a page of Markdown as a notebook, its blocks of Python run.

    python workflow/scripts/notebook.py docs/notebook.md docs/notebook.ipynb

The blocks run in this process, in order, as in a Python session: Jupyter is needed to open the notebook,
not to write it. A block of text below a block of Python is what it prints, and is left out.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import re
import sys
from pathlib import Path
from typing import Any

CELL = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)


def cells(page: str) -> list[tuple[str, str]]:
    """Each block of Python of a page, and what it is said to print."""
    return CELL.findall(page)


def run(source: str, names: dict[str, Any]) -> tuple[str, Any]:
    """What a cell prints, and the value of its last expression, None if it ends with none."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return printed.getvalue(), value


def write(page: Path, out: Path) -> None:
    """Run the page and write the notebook."""
    import matplotlib

    matplotlib.use("Agg")
    import nbformat.v4 as nb

    names: dict[str, Any] = {}
    parts, made = CELL.split(page.read_text(encoding="utf-8")), []
    for text, source in zip(parts[::3], [*parts[1::3], ""], strict=True):
        if text.strip():
            made.append(nb.new_markdown_cell(text.strip(), id=f"text-{len(made)}"))
        if source:
            number = sum(cell.cell_type == "code" for cell in made) + 1
            outputs = _outputs(nb, *run(source, names), number)
            made.append(nb.new_code_cell(source.rstrip(), id=f"code-{number}", execution_count=number, outputs=outputs))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nb.new_notebook(cells=made, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    out.write_text(nb.writes(notebook) + "\n", encoding="utf-8")


def _outputs(nb: Any, printed: str, value: Any, number: int) -> list[Any]:
    """What Jupyter shows below a cell: what is printed, its value, and the figures it has drawn."""
    from matplotlib import pyplot

    found = [nb.new_output("stream", text=printed)] if printed else []
    if value is not None:
        data = {"text/plain": repr(value)}
        if hasattr(value, "_repr_html_") and (html := value._repr_html_()):
            data["text/html"] = html
        found.append(nb.new_output("execute_result", data, execution_count=number))
    for figure in map(pyplot.figure, pyplot.get_fignums()):
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=80, metadata={"Software": None})
        found.append(
            nb.new_output(
                "display_data", {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": repr(figure)}
            )
        )
    pyplot.close("all")
    return found


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))

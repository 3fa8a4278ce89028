"""The skeleton of a study: small files in every room of a paper, whose one claim can be judged.

It measures how fast the mean of independent draws settles, until somebody writes their own science
over it. The templates lie in `templates/study`, and `@study@` in them is the name.
"""

from __future__ import annotations

import keyword
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path

from ledger.config import studies
from ledger.config.configuration import Config, read
from ledger.record import results
from ledger.record.results import ResultError

__all__ = ["write"]

NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
# names in the folder of a run, and in its configuration
RESERVED = {"figures", "tex", "logs", *Config.model_fields}
MAIN, LAST_INPUT = Path("paper/main.tex"), "\\input{extensions.tex}"
BLOCKS = {Path("config/full.yaml"): "full.yaml", Path("config/quick.yaml"): "quick.yaml"}


def write(name: str, root: Path) -> list[Path]:
    """Write the study in every room of the paper at `root`; return the files, relative to it.

    Nothing is written for a name that is malformed or taken, or a paper without a place for it:
    ResultError, with rule, value and remedy.
    """
    package, folder = _package(root)
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or name in RESERVED:
        raise ResultError(
            "the name of a study must be 2 to 40 lower-case letters, digits and '_', "
            "start with a letter, be no word of Python, and be none of "
            f"{', '.join(sorted(RESERVED))}, got {name!r}; choose another"
        )
    new = dict(_rooms(name, folder))
    taken = [path.as_posix() for path in new if (root / path).exists()]
    taken += [path.as_posix() for path in BLOCKS if name in read(root / path)]
    if name in studies.studies() or taken:
        where = taken[0] if taken else studies.study(name).folder
        raise ResultError(f"the name of a study must be its own, got {name}, which is in {where}; choose another")
    main = results.read_text(root / MAIN)
    if LAST_INPUT not in main:
        raise ResultError(f"{MAIN} must have a line {LAST_INPUT}, before which sections are put, found none; add it")
    texts = {path: _filled(template, name, package) for path, template in new.items()}
    for path, template in BLOCKS.items():
        texts[path] = results.read_text(root / path) + _filled(template, name, package)
    texts[MAIN] = main.replace(LAST_INPUT, f"\\input{{sections/{name}}}\n{LAST_INPUT}", 1)
    for path, text in texts.items():
        results.write_text(root / path, text)
    return list(texts)


def _package(root: Path) -> tuple[str, Path]:
    """The package of a paper's own studies, and its folder relative to the paper's."""
    try:
        project = tomllib.loads(results.read_text(root / "pyproject.toml"))["project"]
        package = str(next(iter(project["entry-points"][studies.GROUP].values())))
    except (KeyError, StopIteration, tomllib.TOMLDecodeError) as error:
        raise ResultError(
            f"{root / 'pyproject.toml'} must have an entry point of the group "
            f"{studies.GROUP}, found none; name the package of the studies there"
        ) from error
    path = Path(*package.split("."))
    for folder in (Path("src") / path, path):
        if (root / folder).is_dir():
            return package, folder
    raise ResultError(
        f"the package of the studies must lie below {root}, got {package}; run this in the folder of the paper"
    )


def _rooms(name: str, folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file of a study, and its template."""
    for part in ("__init__", "plan", "jobs", "measure"):
        yield folder / name / f"{part}.py", f"{part}.py"
    yield Path(f"paper/claims/{name}.yaml"), "claims.yaml"
    yield Path(f"paper/sections/{name}.tex"), "section.tex"
    yield Path(f"figures/{name}.py"), "figure.py"
    yield Path(f"figures/{name}-rate.rst"), "caption.rst"
    yield Path(f"tests/studies/test_{name}.py"), "test.py"


def _filled(template: str, name: str, package: str) -> str:
    text = (files("ledger.run") / "templates" / "study" / f"{template}.txt").read_text("utf-8")
    words = {
        "@study@": name,
        "@package@": package,
        "@tex@": name.replace("_", r"\_"),
        "@today@": date.today().isoformat(),
    }
    return re.sub("|".join(words), lambda found: words[found[0]], text)

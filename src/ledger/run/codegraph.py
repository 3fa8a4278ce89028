"""Which source files a module depends on, read from the source without running it.

The workflow lists these files as inputs of the jobs that run the module, so that an edit reruns
what depends on it and nothing else; result manifests carry their digest. Counted are imports at any
depth (also inside functions, also relative ones) of modules of this repository, and the `__init__`
of every package on the way, since importing runs it, with the C sources and templates beside it.
Not counted:
imports under `if TYPE_CHECKING:`, which never run, and modules of other distributions, which the
lock pins.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ledger.config import studies

SOURCE_ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages: `src` in a checkout."""
STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)  # they alone hold statements


class CodeGraphError(Exception):
    """A module or name is not where the source says it should be."""


def sources(*targets: str) -> tuple[Path, ...]:
    """Files that the targets depend on, themselves included: absolute, sorted, without repetition.

    A target is a dotted module name ("zeroloss.studies.limits.simulate") or the path of a script
    ("figures/limits.py"); a script also finds modules that lie beside it or beside its folder.
    Raises CodeGraphError if a target does not exist.
    """
    found: set[Path] = set()
    for target in targets:
        found |= _reachable(*_locate_target(target))
    beside = {
        part
        for path in found
        if path.name == "__init__.py"
        for pattern in ("*.[ch]", "templates/*.jinja")
        for part in path.parent.glob(pattern)
    }
    return tuple(sorted(found | beside))


def digest(*targets: str) -> str:
    """SHA-256 over the names (relative to the source root) and contents of `sources(*targets)`."""
    total = hashlib.sha256()
    for path in sources(*targets):
        shared = path.relative_to(SOURCE_ROOT) if path.is_relative_to(SOURCE_ROOT) else path.name
        name = Path(shared).as_posix()
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def imports(path: Path, roots: tuple[Path, ...] = (SOURCE_ROOT,)) -> frozenset[Path]:
    """Files of this repository that one file imports directly, packages on the way included."""
    return _imports(path.resolve(), roots)


def literal_keys(path: Path, name: str) -> tuple[str, ...]:
    """Keys of the dictionary literal bound to `name` at the top of a file, in order.

    The workflow names the figures of `FIGURES = {"rates": ..., }` without importing matplotlib.
    Raises CodeGraphError if there is no such literal or a key is not a plain string.
    """
    for node in _tree(path.resolve()).body:
        if isinstance(node, ast.Assign):
            bound, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign):
            bound, value = [node.target], node.value
        else:
            continue
        if any(isinstance(b, ast.Name) and b.id == name for b in bound):
            keys = value.keys if isinstance(value, ast.Dict) else [None]
            plain = [k.value for k in keys if isinstance(k, ast.Constant)]
            if len(plain) == len(keys) and all(isinstance(k, str) for k in plain):
                return tuple(str(k) for k in plain)
    raise CodeGraphError(
        f"{path} must bind {name} to a dictionary literal with string keys at its top level; "
        f"write {name} = {{'name': function, ...}}"
    )


def _locate_target(target: str) -> tuple[Path, tuple[Path, ...]]:
    if target.endswith(".py"):
        path = Path(target).resolve()
        if not path.is_file():
            raise CodeGraphError(f"{target} must be a Python file, found none; check the path")
        # figures of an extension use the style of the paper's
        return path, (SOURCE_ROOT, path.parent, path.parent.parent, Path.cwd())
    path = _find(target, (SOURCE_ROOT,))
    if path is None:
        raise CodeGraphError(f"module {target} must lie below {SOURCE_ROOT.name}/, found none; check the name")
    return path, (SOURCE_ROOT,)


def _reachable(start: Path, roots: tuple[Path, ...]) -> set[Path]:
    seen = {start, *_packages_of(start, roots)}
    waiting = list(seen)
    while waiting:
        new = _imports(waiting.pop(), roots) - seen
        seen |= new
        waiting += new
    return seen


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _imports(path: Path, roots: tuple[Path, ...]) -> frozenset[Path]:
    found = {file for name in _names(path) for file in _files_on_the_way(name, roots)}
    return frozenset(found - {path})


@cache
def _names(path: Path) -> frozenset[str]:
    """What a file imports, by dotted names; of a `from` import also what could be a module."""
    package = _package_name(path)
    return frozenset(name for node in _running(_tree(path)) for name in _imported_names(node, package))


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement that may run: all but the bodies of `if TYPE_CHECKING:`."""
    never = isinstance(node, ast.If) and _is_type_checking(node.test)
    for child in vars(node)["orelse"] if never else ast.iter_child_nodes(node):
        if isinstance(child, STATEMENTS):
            yield child
            yield from _running(child)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _imported_names(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        here = package[: len(package) - (node.level - 1)] if node.level else ()
        base = ".".join([*here, *([node.module] if node.module else [])])
        yield base
        # `from package import module` names a module as often as an attribute.
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _package_name(path: Path) -> tuple[str, ...]:
    """Dotted name of the package a file lives in, for relative imports; empty for a script."""
    if path.is_relative_to(SOURCE_ROOT):
        return path.relative_to(SOURCE_ROOT).parent.parts
    for study in studies.studies().values():
        folder = study.folder.resolve()
        if path.is_relative_to(folder):
            return (*study.package.split("."), *path.relative_to(folder).parent.parts)
    return ()


def _find(name: str, roots: tuple[Path, ...]) -> Path | None:
    parts = name.split(".")
    bases = [root.joinpath(*parts) for root in roots]
    for study in studies.studies().values():  # the package of one from elsewhere lies elsewhere
        own = study.package.split(".")
        if parts[: len(own)] == own:
            bases.append(study.folder.resolve().joinpath(*parts[len(own) :]))
    for base in bases:
        for candidate in (base / "__init__.py", base.with_name(base.name + ".py")):
            if candidate.is_file():
                return candidate
    return None


@cache
def _is_ours(first: str, roots: tuple[Path, ...]) -> bool:
    """Whether a name may begin here: most imports are of other distributions."""
    return any((root / first).is_dir() or (root / f"{first}.py").is_file() for root in roots)


def _files_on_the_way(name: str, roots: tuple[Path, ...]) -> Iterator[Path]:
    parts = name.split(".")
    elsewhere = {study.package.split(".")[0] for study in studies.studies().values()}
    if not (parts[0] in elsewhere or _is_ours(parts[0], roots)):
        return
    for end in range(1, len(parts) + 1):
        path = _find(".".join(parts[:end]), roots)
        if path is not None:
            yield path


def _packages_of(path: Path, roots: tuple[Path, ...]) -> Iterator[Path]:
    yield from _files_on_the_way(".".join(_package_name(path)), roots)

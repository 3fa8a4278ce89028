"""pyproject.toml, constraints.txt and environment.yml say the same."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

ROOT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {
    "torch": "pytorch",
    "snakemake": "snakemake-minimal",
    "matplotlib": "matplotlib-base",
    "ruamel-yaml": "ruamel.yaml",
}
FROM_PIP = ["ziglang", "rocrate", "snakemake-logger-plugin-rich"]  # not in the channels


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    name: [Requirement(line) for line in lines if not line.startswith("zeroloss")]
    for name, lines in PROJECT["optional-dependencies"].items()
}
RUN = [Requirement(line) for line in PROJECT["dependencies"]]
DIRECT: dict[str, Requirement] = {canonicalize_name(r.name): r for r in sum(EXTRAS.values(), RUN)}
DEV = {canonicalize_name(r.name) for r in EXTRAS["dev"]}


def requirements(name: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).open())
    return [Requirement(line) for line in lines if line]


def pins(python: dict[str, str] | None = None) -> dict[str, str]:
    """The pins that hold on this Python, or on another."""
    return {
        canonicalize_name(r.name): next(iter(r.specifier)).version
        for r in requirements("constraints.txt")
        if r.marker is None or r.marker.evaluate(python)
    }


PINS = pins({"python_full_version": "3.11.7", "python_version": "3.11"})  # the Python of the lock
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())


def test_every_line_of_the_lock_is_a_pin() -> None:
    for one in requirements("constraints.txt"):
        assert one.url is None and not one.extras
        assert [s.operator for s in one.specifier] == ["=="]
        assert Version(next(iter(one.specifier)).version).local is None, f"{one} is no public version"


def test_the_lock_knows_no_machine() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"://|file:|--(?!universal|python-version|all-extras)|/home|/root|/tmp|/opt", text)


def test_torch_is_the_version_that_was_run() -> None:
    assert PINS["torch"] == "2.13.0"


@pytest.mark.parametrize("name", DIRECT)
def test_direct_dependencies_are_pinned_and_installed(name: str) -> None:
    assert DIRECT[name].specifier.contains(PINS[name])
    assert Version(metadata.version(name)).public == pins()[name]


def test_the_engine_is_compiled_by_the_pinned_compiler() -> None:
    library = (ROOT / "src" / "zeroloss" / "network" / "engine" / "library.py").read_text()
    assert f'COMPILER = "ziglang=={PINS["ziglang"]}"' in library


def test_what_runs_imports_nothing_of_dev() -> None:
    names = "|".join({"py-rattler": "rattler", "pyyaml": "yaml", "pytest-xdist": "xdist"}.get(one, one) for one in DEV)
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "figures").glob("*.py")]:
        found = re.search(rf"^ *(import|from) ({names})\b", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not found, f"{path}: {found and found[0]}"


def conda_specs() -> dict[str, MatchSpec]:
    specs = [MatchSpec(s, strict=True) for s in ENVIRONMENT["dependencies"] if isinstance(s, str)]
    # A name may be a pattern in general; ours are plain, and `normalized` is how they are written.
    return {re.split(r"[ =]", str(spec))[0]: spec for spec in specs}


def test_conda_pins_are_those_of_the_lock() -> None:
    specs = conda_specs()
    for name in (set(DIRECT) | {"setuptools"}) - DEV - set(FROM_PIP):
        spec = specs.pop(CONDA_NAMES.get(name, name))
        assert str(spec.version) == f"{PINS[name]}.*", name
    assert set(specs) == {"python", "pip", "tectonic", "poppler", "graphviz", "make", "git"}
    assert str(specs["python"].version) == "3.11.*"


def test_conda_installs_the_package_itself() -> None:
    pinned = [f"{name}=={PINS[name]}" for name in FROM_PIP]
    assert ENVIRONMENT["dependencies"][-1] == {"pip": [*pinned, "--editable=."]}
    assert ENVIRONMENT["channels"] == ["conda-forge", "bioconda", "nodefaults"]

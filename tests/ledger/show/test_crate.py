"""A crate holds a run and says what it is; a crate that was changed, or disagrees, is found."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import evidence
import pytest
from publication import Tree
from rocrate.rocrate import ROCrate

from ledger.record import results
from ledger.show import crate

MADE, CLAIMS = "results/full/", "paper/claims/toy.yaml"


class Run(Tree):
    """A repository with a small run that was published and packed."""

    CLAIMS = CLAIMS

    def __init__(self, root: Path) -> None:
        for name in (crate.WORKFLOW, *crate.MADE_FROM, CLAIMS):
            results.write_text(root / name, f"# {name}")
        super().__init__(root)
        self.file = root / "crate.zip"
        results.write_sealed(self.folder / "toy" / "specs.json", {"wide": {}, "narrow": {}})
        results.write_bytes(self.folder / "figures" / "toy-gaps.pdf", b"%PDF figure")
        results.write_text(self.folder / "configuration.yaml", "mode: full")

    def pack(self, **more: Any) -> list[str]:
        return crate.write(self.root, self.folder, "full", self.file, **more)

    def verify(self, *more: str) -> int:
        return self.call("verify", "--crate", str(self.file), *more)

    def contents(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def repack(self, changes: dict[str, bytes | None]) -> None:
        """Replace files of the crate, or take them away."""
        contents = self.contents() | changes
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            for name, content in contents.items():
                if content is not None:
                    archive.writestr(name, content)
        self.file.write_bytes(sink.getvalue())


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    made = Run(tmp_path)
    made.pack(date="2026-01-01")
    capsys.readouterr()
    return made


def test_it_holds_results_paper_configuration_environment_and_manifests(run: Run) -> None:
    names, tables = set(run.contents()), ("estimates", "wide", "narrow")
    made = {"verdicts.json", "paper.pdf", "configuration.yaml", "figures/toy-gaps.pdf", "toy/specs.json"}
    made |= {f"toy/{table}.{end}" for table in tables for end in ("parquet", "manifest.json")}
    assert names == {crate.METADATA, crate.WORKFLOW, *crate.MADE_FROM, CLAIMS, *(MADE + name for name in made)}
    assert {"config/full.yaml", "constraints.txt", "environment.yml"} <= names
    assert run.contents()[MADE + "paper.pdf"] == b"%PDF"


def test_the_library_reads_it_and_finds_every_file_described(run: Run, tmp_path: Path) -> None:
    read: Any = ROCrate(run.file)
    described = {entity.id: entity for entity in read.data_entities}
    contents = run.contents()
    assert set(described) == set(contents) - {crate.METADATA}
    for name, entity in described.items():
        assert entity["sha256"] == results.sha256_of(contents[name])
        assert int(entity["contentSize"]) == len(contents[name])
        assert entity["description"] and entity["encodingFormat"]
    assert read.mainEntity.id == crate.WORKFLOW
    assert read.root_dataset["license"].id == "LICENSE"
    assert read.root_dataset["datePublished"].startswith("2026-01-01")


def test_it_says_what_ran_on_what_and_made_what(run: Run) -> None:
    read: Any = ROCrate(run.file)
    entity = read.get("#run")
    assert entity is not None and entity.type == "CreateAction"
    assert entity["name"] == f"snakemake --configfile {MADE}configuration.yaml"
    assert entity["instrument"].id == crate.WORKFLOW
    assert {one.id for one in entity["object"]} == {*crate.MADE_FROM, CLAIMS}
    made = {one.id for one in entity["result"]}
    assert made == {name for name in run.contents() if name.startswith(MADE)}


def test_the_same_run_makes_the_same_bytes(run: Run) -> None:
    before = run.file.read_bytes()
    run.pack(date="2026-01-01")
    assert run.file.read_bytes() == before


def test_the_files_of_the_repository_are_there() -> None:
    root = Path(__file__).resolve().parents[3]
    sources = crate.made_from(root)
    assert all((root / name).is_file() for name in (crate.WORKFLOW, *sources))
    assert {"paper/claims/limits.yaml", "paper/claims/linear.yaml"} <= set(sources)


def test_an_untouched_crate_agrees(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.verify() == 0
    assert "all verdicts and numbers agree" in capsys.readouterr().out


def test_another_number_is_named_by_claim(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = evidence.rows()
    moved = first | {"estimate": -1.5, "lower": -1.6, "upper": -1.4}
    run.build([moved, *others])
    run.pack()
    assert run.verify("--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert any(text.startswith("toy.depth: slope_L") for text in found["differences"])
    assert not any(text.startswith("crate") for text in found["differences"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({MADE + "paper.pdf": b"%PDF other"}, "paper.pdf is not the file described"),
        ({MADE + "paper.pdf": None}, "paper.pdf is described and not in the crate"),
        ({"more.txt": b"more"}, "more.txt is in the crate and not described"),
        ({MADE + "toy/wide.manifest.json": b"{}"}, "wide.parquet is not the table of its manifest"),
        ({MADE + "toy/wide.parquet": b"x"}, "wide.parquet is not the table of its manifest"),
    ],
)
def test_a_changed_crate_is_found(
    run: Run, capsys: pytest.CaptureFixture[str], changes: dict[str, bytes | None], message: str
) -> None:
    run.repack(changes)
    assert run.verify() == 1
    out = capsys.readouterr().out
    assert message in out and "make crate" in out


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({crate.METADATA: None}, 1, f"must hold {crate.METADATA}"),
        ({crate.METADATA: b"{"}, 1, f"{crate.METADATA} is not JSON"),
        ({crate.METADATA: b"{}"}, 1, "describes no crate"),
        ({crate.METADATA: b'"crate"'}, 1, "describes no crate"),
        ({crate.METADATA: b'{"@context": "", "@graph": [{"@id": "a"}]}'}, 1, "describes no crate"),
        ({MADE + "verdicts.json": None}, 2, "a run of mode full"),
        ({MADE + "verdicts.json": b"[]"}, 1, "must hold mode, claims and numbers"),
    ],
)
def test_what_is_no_crate_of_a_run_is_refused(
    run: Run, capsys: pytest.CaptureFixture[str], changes: dict[str, bytes | None], code: int, message: str
) -> None:
    run.repack(changes)
    assert run.verify() == code
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_zip_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.file.write_text("no zip")
    assert run.verify() == 1
    assert "must be a zip" in capsys.readouterr().err
    run.file.unlink()
    assert run.verify() == 2


def test_a_run_that_is_not_there_is_not_packed(run: Run, tmp_path: Path) -> None:
    with pytest.raises(results.MissingResultError):
        crate.write(run.root, tmp_path / "no", "full", tmp_path / "no.zip")
    with pytest.raises(results.ResultError, match="must be of mode quick, got full"):
        crate.write(run.root, run.folder, "quick", tmp_path / "no.zip")
    (run.root / "constraints.txt").unlink()
    with pytest.raises(results.MissingResultError, match="constraints"):
        crate.write(run.root, run.folder, "full", tmp_path / "no.zip")
    assert not (tmp_path / "no.zip").exists()

"""The configuration is closed: what is wrong in it is named before anything runs."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from overlays import FULL, PUBLISHED, ROOT, Place, at, laid_over, places
from snakemake.cli import parse_config

from ledger.config import yaml
from ledger.config.configuration import (
    MODES,
    Config,
    ConfigError,
    as_yaml,
    beyond_shipped,
    cases_of,
    load,
    names_of,
    results_folder,
    typed,
)

QUICK, LARGE = (ROOT / "config" / f"{name}.yaml" for name in ("quick", "large"))
TINY = ROOT / "tests" / "workflow" / "tiny.yaml"
SMALL = ROOT / "tests" / "faults" / "small.yaml"


def write(folder: Path, content: Any, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.block(content), encoding="utf-8")
    return path


def specs(config: Config, study: str = "limits") -> dict[str, Any]:
    """The specification of each case of a study."""
    return {name: case.spec() for name, case in cases_of(config, study).items()}


def refusal(*paths: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*paths)
    return str(caught.value)


def dotted(place: Place) -> str:
    return ".".join(map(str, place))


# ---- what ships


@pytest.mark.parametrize(
    "paths", [(FULL,), (FULL, QUICK), (FULL, QUICK, TINY), (FULL, LARGE)], ids=["full", "quick", "tiny", "large"]
)
def test_what_ships_loads_and_makes_jobs_of_json(paths: tuple[Path, ...]) -> None:
    config = load(*paths)
    assert config.mode == ("full" if paths == (FULL,) else "large" if LARGE in paths else "quick")
    made = specs(config)
    assert json.loads(json.dumps(made)) == made
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in made)
    assert all({"kind", "seed", "device"} <= set(spec) for spec in made.values())


@pytest.mark.parametrize("path", [QUICK, TINY, LARGE], ids=["quick", "tiny", "large"])
def test_an_overlay_alone_is_not_a_configuration(path: Path) -> None:
    message = refusal(path)
    assert "rtol: missing; set it as config/full.yaml does" in message and str(path) in message


def test_quick_says_only_what_differs() -> None:
    def differences(below: Any, above: Any, place: Place = ()) -> list[str]:
        if isinstance(above, dict):
            return [d for k, v in above.items() for d in differences(below[k], v, (*place, k))]
        return [dotted(place)] if below == above else []

    assert not differences(PUBLISHED, yaml.parse(QUICK.read_text(encoding="utf-8")))


def test_large_adds_to_what_is_published_and_changes_nothing_of_it() -> None:
    below, above = load(FULL), load(FULL, LARGE)
    assert specs(below).items() <= specs(above).items()
    for study in ("linear", "size", "zero_loss", "controls"):
        assert getattr(below, study) == getattr(above, study)
    assert above.limits.ensembles == below.limits.ensembles


def test_large_ends_at_a_hundred_million_particles_one_network_to_a_job() -> None:
    made = specs(load(FULL, LARGE))
    networks = [(z, spec) for spec in made.values() if spec["kind"] == "ensemble" for z in spec["sizes"]]
    tops = [(z, spec) for z, spec in networks if z["num_layers"] * z["num_units"] >= 10**8]
    assert len(tops) >= 8, "several replicates"
    for z, spec in tops:
        assert spec["sizes"] == [z] and z["replicates"] == 1
        assert spec["problem"]["num_samples"] == 10**4
    assert not [name for name in made if name.startswith("influence-surface-large")]


def test_a_setting_has_jobs_of_its_own_size(tmp_path: Path) -> None:
    over = {"limits": {"settings": {"surface": {"elements_per_job": 2 * 10**6}}}}
    below, above = specs(load(FULL)), specs(load(FULL, write(tmp_path, over)))

    def of(setting: str, jobs: dict[str, Any]) -> dict[str, Any]:
        return {name: spec for name, spec in jobs.items() if spec.get("setting") == setting}

    assert of("sine", below) == of("sine", above)
    assert len(of("surface", above)) > 10 * len(of("surface", below))


# ---- overlays


def test_mappings_merge_and_lists_and_scalars_replace(tmp_path: Path) -> None:
    over = {"seed": 7, "limits": {"settings": {"sine": {"flow_times": [0.0, 4.0]}}, "portrait": {"depth_nodes": 5}}}
    below, config = load(FULL), load(FULL, write(tmp_path, over))
    assert config.seed == 7 and config.mode == below.mode
    assert config.limits.settings["sine"].flow_times == (0.0, 4.0)
    assert config.limits.settings["sine"].ladder == below.limits.settings["sine"].ladder
    assert config.limits.settings["digits"] == below.limits.settings["digits"]
    assert config.limits.portrait.depth_nodes == 5
    assert config.limits.portrait.flow_times == below.limits.portrait.flow_times


def test_a_setting_can_be_added(tmp_path: Path) -> None:
    new = PUBLISHED["limits"]["settings"]["sine"] | {"activation": "sigmoid"}
    config = load(FULL, write(tmp_path, {"limits": {"settings": {"sine-sigmoid": new}}}))
    assert set(config.limits.settings) == {*load(FULL).limits.settings, "sine-sigmoid"}


def test_later_files_win_and_empty_ones_change_nothing(tmp_path: Path) -> None:
    first = write(tmp_path, {"seed": 1}, "first.yaml")
    second = write(tmp_path, {"seed": 2}, "second.yaml")
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n", encoding="utf-8")
    assert load(FULL, first, second).seed == 2
    assert load(FULL, second, first).seed == 1
    assert load(FULL, empty) == load(FULL) == load(FULL, FULL)


@settings(max_examples=40)  # each reads a file
@given(place=st.sampled_from([p for p in places(PUBLISHED["limits"], ("limits",)) if not isinstance(p[-1], int)]))
def test_an_overlay_of_what_is_there_changes_nothing(tmp_path_factory: pytest.TempPathFactory, place: Place) -> None:
    same = laid_over(place, at(place))
    assert load(FULL, write(tmp_path_factory.mktemp("overlay"), same)) == load(FULL)


# ---- settings of the command line, and where results lie


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that a run starts in: what ships is looked up from there."""
    monkeypatch.chdir(ROOT)


def over(text: str) -> Config:
    """The quick mode under `--config` of Snakemake, which leaves texts inside of braces."""
    return load(*MODES["quick"], overrides=typed(parse_config(["mode=quick", *text.split(" & ")])))


PLAIN = "sine", "[1, 2]", "{a: 1}", "a: b", "x #y", "*a", "&a", "!!int 3", "; touch owned", "(a) | b > c & {d} ü"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("96", 96),
        ("-3", -3),
        ("1.0e-5", 1e-5),
        ("1e-5", 1e-5),
        ("true", True),
        ("", None),
        *((text, text) for text in PLAIN),
    ],
)
def test_a_text_is_read_as_a_plain_scalar(text: str, value: Any) -> None:
    assert typed({"a": [text], "b": {"c": text}}) == {"a": [value], "b": {"c": value}}


@pytest.mark.parametrize("text", ["2020-13-45", "<<", "=", "9" * 5000])
def test_a_text_that_is_no_value_is_named(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        typed({"limits": {"commute": {"widths": ["1", text]}}})
    said = str(caught.value)
    assert said.startswith("command line: limits.commute.widths.1: must be a plain YAML value, got")
    assert said.endswith("; set limits.commute.widths.1") and len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "text", ["$(touch owned)", "`touch owned`", "$HOME", "'3'", 'say "a"', "a\\b", "a\nb", "\x07", "\u2028"]
)
def test_what_a_shell_would_read_is_refused(text: str) -> None:
    """On its way to the node of a cluster a value goes through one, in quotes of Python."""
    for content in ({"size": {"path": text}}, {"size": {"path": {text: "1"}}}, {"size": [text]}):
        with pytest.raises(ConfigError) as caught:
            typed(content)
        said = str(caught.value)
        assert said.startswith("command line: size") and ": must hold no quotes, $, " in said
        assert said.endswith("--configfile") and len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("limits={commute: {replicates: 7}}", "limits.commute.replicates", "7"),
        ("limits={commute: {replicate: 96}}", "limits.commute.replicate", "96"),
        ("limits={commute: {replicates: 96}", "limits", "'{commute: {replicates: 96}'"),
        ("limits={commute: {widths: [64, 100]}}", "limits.commute.widths", "[64, 100]"),
        ("seed=-3", "seed", "-3"),
        ("seed=", "seed", "None"),
        ("device=; touch owned", "device", "'; touch owned'"),
        ("no_such=1", "no_such", "1"),
        ("extensions=[nowhere]", "extensions", "['nowhere']"),
    ],
)
def test_a_wrong_setting_of_the_command_line_is_named(here: None, text: str, key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        over(text)
    said = str(caught.value)
    assert said.startswith(f"config/full.yaml + config/quick.yaml + command line: {key}: "), said
    assert value in said and "; " in said and len(said.splitlines()) == 1, said


def test_a_mode_as_it_ships_keeps_its_folder(here: None, tmp_path: Path) -> None:
    for mode, files in MODES.items():
        config = load(*files)
        assert results_folder(config) == Path("results", mode) and not beyond_shipped(config)
        assert results_folder(load(*files, *files)) == Path("results", mode)
        assert results_folder(load(*files, overrides={"mode": mode})) == Path("results", mode)
    shipped = load(*MODES["quick"]).limits.commute.replicates
    assert results_folder(over(f"limits={{commute: {{replicates: {shipped}}}}}")) == Path("results/quick"), (
        "a setting as it ships changes nothing"
    )


def test_the_same_settings_meet_in_one_folder_however_given(here: None, tmp_path: Path) -> None:
    text = "limits={commute: {replicates: 96}, network_rtol: 1.0e-3} & seed=3"
    folder = results_folder(over(text))
    assert folder.parts[0] == "results" and folder.parts[2] == "quick"
    assert re.fullmatch("with-[0-9a-f]{8}", folder.parts[1])
    rest = {"seed": 3, "limits": {"network_rtol": 0.001, "commute": {"replicates": 96}}}
    one = write(tmp_path, rest, "one.yaml")
    whole = tmp_path / "whole.yaml"
    whole.write_text(as_yaml(over(text)), encoding="utf-8")
    for files in ((one,), (one, QUICK, one), (one, one), (whole,)):
        assert results_folder(load(*MODES["quick"], *files)) == folder
    other = over("seed=3 & limits={network_rtol: 0.001} & limits={commute: {replicates: '96'}}")
    assert results_folder(other) == folder


def test_other_settings_have_other_folders(here: None) -> None:
    inner = ("replicates: 96", "joint_replicates: 96", "widths: [32, 64]")
    texts = ["seed=3", "seed=4", "cases_per_job=9", *(f"limits={{commute: {{{one}}}}}" for one in inner)]
    folders = [results_folder(over(text)) for text in texts]
    assert len({*folders, Path("results/quick")}) == len(texts) + 1
    full = results_folder(load(*MODES["full"], overrides={"seed": 3}))
    assert full.name == "full" and full.parent != folders[0].parent


@pytest.mark.parametrize("paths", [(), (TINY,), (TINY, SMALL)], ids=["quick", "tiny", "small"])
def test_what_is_written_down_is_the_whole_configuration(here: None, tmp_path: Path, paths: tuple[Path, ...]) -> None:
    config = load(*MODES["quick"], *paths)
    text = as_yaml(config)
    assert list(yaml.parse(text)) == [*type(config).model_fields]
    path = tmp_path / "configuration.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path) == config and as_yaml(load(path)) == text
    beyond = beyond_shipped(config)
    assert bool(beyond) == bool(paths)
    again = load(*MODES["quick"], overrides=json.loads(json.dumps(beyond)))
    assert again == config and results_folder(again) == results_folder(config)


def test_what_differs_is_named(here: None) -> None:
    beyond = beyond_shipped(over("limits={commute: {replicates: 96}} & seed=3"))
    assert beyond == {"seed": 3, "limits": {"commute": {"replicates": 96}}}
    assert names_of(beyond) == ["seed", "limits.commute.replicates"]
    assert names_of({"a": {}, "b": {"c": [], "d": {"e": 1}}}) == ["a", "b.c", "b.d.e"]


@pytest.mark.parametrize(
    ("text", "concerned"),
    [
        ("limits={commute: {replicates: 96}}", {"limits/commute"}),
        ("linear={unbalanced: {replicates: 3}}", {"linear/unbalanced"}),
        ("cases_per_job=9", set[str]()),
    ],
)
def test_a_setting_reaches_the_cases_that_it_concerns_and_no_other(here: None, text: str, concerned: set[str]) -> None:
    def every(config: Config) -> dict[str, Any]:
        return {f"{study}/{case}": spec for study in config.studies for case, spec in specs(config, study).items()}

    before, after = every(load(*MODES["quick"])), every(over(text))
    assert {name for name in before if before[name] != after.get(name)} == concerned
    assert set(after) == set(before)


def test_the_spelling_of_a_folder_does_not_count() -> None:
    content = {key: PUBLISHED[key] for key in Config.model_fields if key in PUBLISHED}
    whole = str(Path.cwd() / "examples/my_study")
    for folder in ("examples/my_study", "./examples/my_study/", "examples/../examples/my_study", whole):
        content["extensions"] = [folder]
        assert Config.model_validate(content).extensions == ("examples/my_study",)


# ---- what is refused: file, key, value, remedy


def check_refused(folder: Path, place: Place, value: Any, said: str = "") -> None:
    """The lines on this place, or all those that say this, name file, value and remedy."""
    path = write(folder, laid_over(place, value))
    mark = said or f": {dotted(place)}"
    lines = [line for line in refusal(FULL, path).splitlines() if mark in line]
    assert lines, f"no line has {mark}"
    shown = [value, *value] if isinstance(value, list) else [value]
    for line in lines:
        assert line.startswith(f"{FULL} + {path}: {place[0]}")
        assert said or any(repr(one) in line for one in shown), line
        assert "; set " in line or "; remove it or mend its name" in line, f"no remedy: {line}"


LEAVES = [p for p in places() if not isinstance(at(p), dict)]
NUMBERS = [p for p in LEAVES if isinstance(at(p), int | float)]
MAPPINGS = [(), *(p for p in places() if isinstance(at(p), dict))]
# mappings whose keys are names that a user chooses, and numbers of either sign
BY_NAME = {"settings", "flows", "spread", "laws", "methods", "num_samples"}
SIGNED = {"seed", "log_values", "inputs", "box_a", "box_b", "centre_a", "centre_w", "centre_b"}
OPTIONAL = {"step", "log2_points"}  # what a flow may leave to its setting
WRONG: dict[str, tuple[list[Place], st.SearchStrategy[Any]]] = {
    "no number": (NUMBERS, st.sampled_from([["no", "list"], "a", math.nan, math.inf, -math.inf, True])),
    "negative": (
        [p for p in NUMBERS if not SIGNED & set(p)],
        st.integers(max_value=-1) | st.floats(max_value=-1e-300, allow_infinity=False),
    ),
    "null": ([p for p in LEAVES if p[1:2] != ("flows",) or p[-1] not in OPTIONAL], st.none()),
    "mapping": (LEAVES, st.just({"no": "mapping"})),
    "unknown key": (
        [(*p, "no_such_key") for p in MAPPINGS if not BY_NAME & set(p[-1:])],
        st.integers() | st.text("abc", max_size=5),
    ),
    "no block": ([p for p in MAPPINGS if p and p != ("limits", "settings")], st.just(3)),
}


@pytest.mark.parametrize("kind", WRONG)
@settings(max_examples=40)
@given(data=st.data())
def test_a_wrong_value_is_named(tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject) -> None:
    among, values = WRONG[kind]
    check_refused(tmp_path_factory.mktemp("wrong"), data.draw(st.sampled_from(among)), data.draw(values))


SINE = ("limits", "settings", "sine")
ENSEMBLE = ("limits", "ensembles", 3)  # of role constant
DECAY = ("limits", "ensembles", 29)
IMPOSSIBLE: list[tuple[Place, Any]] = [
    (("mode",), "fast"),
    (("device",), "tpu"),
    ((*SINE, "activation"), "tan"),
    ((*SINE, "problem", "kind"), "cosine"),
    ((*SINE, "problem", "num_samples"), 1),
    ((*SINE, "initial_law", "kind"), "cauchy"),
    ((*SINE, "initial_law", "scale_w"), 0.0),
    ((*SINE, "flow_times"), []),
    ((*SINE, "flow_times"), [0.0, 4.0, 4.0]),
    ((*SINE, "flow_times"), [4.0, 0.0]),
    ((*SINE, "ladder"), [8]),
    ((*SINE, "ladder"), [8, 24]),
    ((*SINE, "ladder"), [16, 8]),
    ((*SINE, "depth_nodes"), 1),
    ((*SINE, "reference", "log2_points"), 40),
    ((*SINE, "reference", "scrambles"), 1),
    ((*SINE, "influence", "scrambles"), 10**9),
    ((*ENSEMBLE, "sampling"), "iid"),
    ((*ENSEMBLE, "replicates"), 7),
    ((*ENSEMBLE, "num_layers"), 0),
    (("limits", "smooth", "correlations"), [0.5, 0.9, 1.1]),
    (("limits", "smooth", "correlations"), [0.5, 0.5, 1.0]),
    (("limits", "fixed_paths", "depths"), [16, 32, 96]),
    (("limits", "fixed_paths", "depth_nodes"), 3),
    (("limits", "rough_paths", "hurst"), [0.5, 1.0]),
    (("limits", "commute", "sizes"), [16, 32]),
    (("limits", "commute", "widths"), [64, 100]),
]


# values that do not fit each other, and what is said
UNFIT: list[tuple[Place, Any, str]] = [
    ((*ENSEMBLE, "num_layers"), 12, "ladder [8, 16, 32, 64, 128] of its setting sine, got 12"),
    ((*ENSEMBLE, "setting"), "cosine", "setting must be one of settings, sine,"),
    ((*ENSEMBLE, "num_units"), 128, "got ('sine', 'independent', 8, 128) twice"),
    ((*DECAY, "num_units"), 1024, "units in sine, independent, 8, where the other has 512"),
    ((*DECAY, "num_layers"), 16, "units in sine, independent, 16, where the other has none"),
    (("limits", "energy", "settings"), ["sine", "cosine"], "got 'cosine'"),
    (("limits", "rough_paths", "trained_depths"), [32, 64], "got [32] besides"),
    (("limits", "commute", "flow_times"), [5.0], "[0.0, 4.0, 50.0], got [5.0]"),
    (("limits", "settings", "surface", "influence"), None, "must have a rule influence, got none in surface"),
    ((*SINE, "ladder"), [8, 16], "must have 3 depths or more, got [8, 16]"),
    ((*SINE, "problem", "path"), "mine.csv", "path and target go with kind csv"),
    ((*SINE, "problem", "features"), ["a"], "got kind sine, path None, target None"),
    ((*SINE, "problem", "kind"), "csv", "path and target go with kind csv"),
]


@pytest.mark.parametrize(("place", "value", "said"), [*((*one, "") for one in IMPOSSIBLE), *UNFIT])
def test_an_impossible_value_is_named(tmp_path: Path, place: Place, value: Any, said: str) -> None:
    check_refused(tmp_path, place, value, said)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    content = copy.deepcopy(PUBLISHED)
    content["limits"]["portrait"]["depth_nodes"] = 0
    content["limits"]["energy"]["rtol"] = -1.0
    del content["limits"]["commute"]["widths"]
    lines = refusal(write(tmp_path, content)).splitlines()
    assert len(lines) == 3
    for key in ("portrait.depth_nodes", "energy.rtol", "commute.widths: missing"):
        assert any(f"limits.{key}" in line for line in lines), key


def test_a_csv_is_a_problem(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("a,b,y\n" + "".join(f"{i},{i * i},{-i}\n" for i in range(20)))
    problem = {"kind": "csv", "num_samples": 20, "path": str(table), "target": "y", "features": ["a", "b"]}
    config = load(FULL, write(tmp_path, laid_over((*SINE, "problem"), problem)))
    assert config.limits.settings["sine"].problem.features == ("a", "b")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"seed: 1\ndevice: cpu\nseed: 2\n",
            'not readable as YAML (found duplicate key "seed", which occurs twice, in line 3); mend the syntax',
        ),
        (b"\xff\xfe\x00x", "not readable as YAML"),
        (b"- 1\n", "must be a mapping of keys, got list; start from config/full.yaml"),
        (None, "no such file; give an existing configuration"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    for paths in ((path,), (FULL, path)):
        assert refusal(*paths).startswith(f"{path}: {said}")


def test_a_configuration_does_not_change() -> None:
    config = load(FULL)
    before = copy.deepcopy(config)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # pyright: ignore[reportAttributeAccessIssue]
    assert config == before and isinstance(config, Config)

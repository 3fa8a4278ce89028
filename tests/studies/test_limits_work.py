"""What a case of `limits` takes is counted from its specification alone, and exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies.conftest import Run

from zeroloss import problem as problems
from zeroloss.block import ACTIVATIONS
from zeroloss.runge_kutta import DORMAND_PRINCE
from zeroloss.studies import packing, setup
from zeroloss.studies.limits import networks, simulate, work
from zeroloss.studies.packing import Counted

Spec = dict[str, Any]
COUNTED = sorted(work.KINDS)


def one(tiny: Run, kind: str) -> Spec:
    return next(spec for spec in tiny.specs.values() if spec["kind"] == kind)


def counted(spec: Spec) -> Counted:
    made = work.count(spec)
    assert made is not None
    return made


def ensemble(L: int, M: int, R: int, N: int = 12, flow_times: tuple[float, ...] = (0.0, 50.0)
             ) -> Spec:
    size = {"num_layers": L, "num_units": M, "first_replicate": 0, "replicates": R, "roles": []}
    return {"kind": "ensemble", "setting": "surface", "sampling": "independent", "sizes": [size],
            "problem": {"kind": "surface", "num_samples": N}, "activation": "tanh",
            "flow_times": list(flow_times)}


@pytest.mark.parametrize("kind", COUNTED)
def test_rows_are_those_of_the_table(tiny: Run, kind: str) -> None:
    for name, spec in tiny.specs.items():
        if spec["kind"] == kind:
            assert counted(spec).rows == len(tiny.tables[name]), name


def test_what_nobody_has_counted_is_not_guessed(tiny: Run) -> None:
    assert set(simulate.KINDS) - set(COUNTED) == {"energy", "portrait"}
    assert work.count(one(tiny, "energy")) is work.count(one(tiny, "portrait")) is None


def test_the_work_of_networks_is_their_products() -> None:
    # layers, units with those of a sum over lanes, replicates, samples; tanh as two dimensions and
    # d = 3; 10 to start and s = 50
    assert counted(ensemble(8, 512, 6000)).work == 8 * 520 * 6000 * 12 * (2 + 3) * (10 + 50)
    two = ensemble(8, 512, 1) | {"sizes": [ensemble(4, 16, 3)["sizes"][0],
                                           ensemble(2, 8, 5)["sizes"][0]]}
    assert counted(two).work == (4 * 24 * 3 + 2 * 16 * 5) * 12 * 5 * 60
    gelu = counted(ensemble(8, 512, 6000) | {"activation": "gelu"})
    assert gelu.work / counted(ensemble(8, 512, 6000)).work == (4 + 3) / (2 + 3)


def test_units_fill_vectors() -> None:
    assert counted(ensemble(8, 1, 10)).work == counted(ensemble(8, 8, 10)).work
    assert counted(ensemble(8, 9, 10)).work == counted(ensemble(8, 16, 10)).work


def test_what_leaves_the_cache_counts_as_well() -> None:
    # activations of 10 layers of 10⁴ units on 10⁴ samples: twice the tanh, nine passages each
    elements, lanes = 10 * 10_000 * 10_000, 10 * 8 * 10_000
    products = (elements + lanes) * (2 + 3 + 2)
    assert counted(ensemble(10, 10_000, 1, 10_000, (4.0,))).work == pytest.approx(
        (products + 1.5 * 9 * elements) * 14)
    # parameters and stages of 10⁴ layers of 16 units on 12 samples; activations stay in cache
    numbers = 10_000 * 7 * 16
    assert counted(ensemble(10_000, 16, 1)).work == pytest.approx(
        (10_000 * 24 * 12 * 5 + 1.5 * 10 * numbers) * 60)


sizes = st.integers(1, 40)


@given(L=sizes, M=sizes, R=sizes, N=sizes, s=st.floats(0.1, 1e3))
def test_work_grows_in_proportion(L: int, M: int, R: int, N: int, s: float) -> None:
    base = counted(ensemble(L, 8 * M, R, N, (s,)))
    wide, late = ensemble(L, 16 * M, R, N, (s,)), ensemble(L, 8 * M, R, N, (2 * s,))
    for doubled in (ensemble(2 * L, 8 * M, R, N, (s,)), ensemble(L, 8 * M, 2 * R, N, (s,)),
                    ensemble(L, 8 * M, R, 2 * N, (s,))):
        assert counted(doubled).work == pytest.approx(2 * base.work)
    for more in (wide, ensemble(2 * L, 8 * M, R, N, (s,)), ensemble(L, 8 * M, 2 * R, N, (s,)),
                 ensemble(L, 8 * M, R, 2 * N, (s,))):
        assert counted(more).held >= base.held and counted(more).rows >= base.rows
    assert counted(wide).work / base.work == pytest.approx((2 * M + 1) / (M + 1))
    assert counted(late).work / base.work == pytest.approx((10 + 2 * s) / (10 + s))


@given(L=st.integers(1, 10**4), M=st.integers(1, 10**4), N=st.integers(1, 10**4))
def test_no_size_takes_less_than_a_smaller_one(L: int, M: int, N: int) -> None:
    base = counted(ensemble(L, M, 8, N))
    for more in (ensemble(L + 1, M, 8, N), ensemble(L, M + 1, 8, N), ensemble(L, M, 9, N),
                 ensemble(L, M, 8, N + 1)):
        assert counted(more).work >= base.work


def grown(spec: Spec, samples: int = 1, points: int = 0) -> Spec:
    problem = spec["problem"] | {"num_samples": samples * spec["problem"]["num_samples"]}
    rule = spec["rule"] | {"log2_points": spec["rule"]["log2_points"] + points}
    return spec | {"problem": problem, "rule": rule}


@pytest.mark.parametrize(("kind", "power"), [("reference", 1), ("ladder", 1), ("wide", 1),
                                             ("influence", 2), ("pairs", 2)])
def test_a_limit_takes_its_particles_times_a_power_of_its_samples(tiny: Run, kind: str,
                                                                  power: int) -> None:
    spec = one(tiny, kind)
    base = counted(spec)
    assert counted(grown(spec, samples=3)).work == pytest.approx(3**power * base.work)
    P, lanes = 2 ** spec["rule"]["log2_points"], 8 if power == 1 else 0
    assert counted(grown(spec, points=2)).work / base.work == pytest.approx(
        (4 * P + lanes) / (P + lanes))
    assert counted(grown(spec, samples=300)).held > base.held
    if kind == "influence":
        assert counted(grown(spec, samples=3)).rows == 9 * base.rows


def test_memory_holds_the_arrays_of_the_largest_network() -> None:
    L, M, N, d = 1000, 10_000, 10_000, 3
    theta = 8 * L * M * (2 * d + 1)
    assert not packing.recomputes(8, 1024, 64)  # more than the published run trains
    assert packing.recomputes(L, M, N)
    held = counted(ensemble(L, M, 8, N)).held
    # given and final parameters, two states and seven stages; two layers; features between layers
    assert held == 11 * theta + 2 * 8 * N * M + 8 * (L + 1) * N * d
    assert held < 8 * L * M * N / 50, "all activations would be fifty times as many and more"


def test_constants_are_those_of_the_code() -> None:
    for name, d in work.DIMENSIONS.items():
        assert problems.built_in(name, 8, 0).dim == d
    assert set(work.DIMENSIONS) == set(problems.BUILT_IN)
    kept = {name for name, one in ACTIVATIONS.items() if one.slope_of_value is not None}
    assert set(work.KEEPS_SLOPE) <= kept and set(work.ACTIVATIONS) <= set(ACTIVATIONS)
    assert len(DORMAND_PRINCE.c) + 2 == work.STATES
    assert work.DRAWN_BYTES == 8 * setup._BATCH_NUMBERS


def test_the_dimension_of_a_table(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("a,b,y\n1,2,3\n4,6,5\n")
    problem = {"kind": "csv", "path": str(table), "target": "y", "features": None, "lift": 1}
    assert work.dimension(problem) == 3
    assert work.dimension(problem | {"features": ["b"]}) == 2


def test_activations_computed_twice_are_the_same_bytes(tiny: Run, monkeypatch) -> None:
    spec = tiny.specs["independent-sine-0"]
    monkeypatch.setattr(packing, "MOST_KEPT", 0)
    seen = []
    network = networks.Network

    def noted(*given: Any, recompute: bool) -> Any:
        seen.append(recompute)
        return network(*given, recompute=recompute)

    monkeypatch.setattr(networks, "Network", noted)
    pd.testing.assert_frame_equal(simulate.run(spec), tiny.tables["independent-sine-0"],
                                  check_exact=True)
    assert seen and all(seen)


def test_a_block_holds_a_replicate_at_least() -> None:
    assert packing.blocks(10**12, 3, 10**8) == [(0, 1), (1, 2), (2, 3)]
    assert packing.blocks(10, 4, 20) == [(0, 2), (2, 4)]
    with pytest.raises(ValueError, match="must fit 1000 jobs of elements_per_job 1, got 2000"):
        packing.blocks(10, 2000, 1)



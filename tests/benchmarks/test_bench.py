"""The benchmark measures what it says: work counted entry by entry, peers that agree, whole files.

Nothing here needs a peer that is not installed with the package: JAX is left to `make bench`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import asdict
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest

from benchmarks import machine, networks, quick, report, roofline, run, scaling, tables
from benchmarks.machine import describe
from benchmarks.rows import OURS, Row, pick, spread
from benchmarks.targets import judged, over_brute_force
from benchmarks.timing import Effort, Method, alternate, compare, difference
from benchmarks.workload import Shape, Workload, bytes_held, bytes_moved, flops, workload
from ledger.record import results
from zeroloss.network.resnet import Network

QUICK = Effort(repeats=2, seconds=1e-4)
SMALL = Shape(networks=2, L=3, M=4, N=3, steps=3)


class Counted:
    """A number that counts the additions and multiplications done with it."""

    count = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def done(self, operation: Callable[[float, float], float], other: Counted) -> Counted:
        Counted.count += 1
        return Counted(operation(self.value, other.value))

    __add__ = partialmethod(done, operator.add)
    __sub__ = partialmethod(done, operator.sub)
    __mul__ = partialmethod(done, operator.mul)


counted = np.vectorize(Counted, otypes=[object])
tanh = np.vectorize(lambda u: Counted(math.tanh(u.value)), otypes=[object])
uncounted = np.vectorize(lambda u: u.value, otypes=[float])


def naive(load: Workload, i: int) -> tuple[float, np.ndarray]:
    """Risk and L M ∇E of network i, on arrays of numbers that count: a sum of n takes n − 1."""
    N, d, p = load.shape.N, load.shape.d, load.problem
    z, y, g, theta = (counted(part.numpy()) for part in (p.inputs, p.targets, p.readout, load.theta[i]))
    scale, each, half, one = counted([load.scale, 1 / N, 0.5 / N, 1.0])[:, None]
    states = []
    for layer in theta:
        a, w, b = layer[:d], layer[d : 2 * d], layer[2 * d]
        h = tanh(z @ w + b)
        states.append((a, w, z, h))
        z = z + (h @ a.T) * scale
    r = z @ g - y
    risk = half * (r * r).sum()
    adjoint = (r * each)[:, None] * g
    slopes = []
    for l, (a, w, z, h) in reversed(list(enumerate(states))):
        q = (adjoint @ a) * (one - h * h)
        slopes.append(np.concatenate([adjoint.T @ h, z.T @ q, q.sum(0)[None]]))
        if l:
            adjoint = adjoint + (q @ w.T) * scale
    return risk[0].value, uncounted(np.stack(slopes[::-1]))


@pytest.mark.parametrize("sizes", [(1, 1, 1, 2), (2, 3, 4, 3), (1, 2, 5, 4)])
def test_flops_are_those_of_a_gradient_done_one_operation_at_a_time(sizes) -> None:
    shape = Shape(*sizes)
    load = workload(shape)
    Counted.count = 0
    found = [naive(load, i) for i in range(shape.networks)]
    assert Counted.count == flops(shape)
    slope, residuals = Network(load.problem, shape.L, shape.M).gradient(load.theta)
    risk = load.problem.risk(residuals).numpy()
    assert [risk[i] for i in range(shape.networks)] == pytest.approx([one for one, _ in found])
    assert np.stack([one for _, one in found]) == pytest.approx(slope.numpy(), abs=1e-14)


def test_bytes() -> None:
    shape = Shape(networks=1, L=1, M=1, N=7)
    assert bytes_moved(shape) == 2 * 5 * 8
    assert bytes_held(shape, 4) == (2 * 5 + 7) * 4


@pytest.mark.parametrize("work", ["gradient", "training"])
@pytest.mark.parametrize("peer", ["torch modules", "torch.func"])
def test_peers_in_torch_give_our_numbers(work: str, peer: str) -> None:
    makers = networks.methods(work, workload(SMALL))
    ours, theirs = makers[OURS](), makers[peer]()
    for _ in range(2):  # a second call starts afresh
        assert difference(ours.result(), theirs.result()) < 1e-12


def constant(name: str, value: float) -> Method:
    return Method(name, lambda _: [np.array([value])])


def test_a_peer_that_disagrees_is_not_timed() -> None:
    peers = [constant("right", 1.0 + 1e-12), constant("wrong", 1.1)]
    rows = compare("w", "c", constant(OURS, 1.0), peers, QUICK, 1e-9)
    assert pick(rows, method="wrong", quantity="difference")[0].value == pytest.approx(0.1)
    assert not pick(rows, method="wrong", quantity="cpu_ratio")
    assert pick(rows, method="right", quantity="cpu_ratio")[0].repeats == 2
    assert "not timed" in pick(rows, method="wrong")[0].note


def test_pairs_alternate() -> None:
    order: list[str] = []
    one, other = (Method(name, lambda _, name=name: order.append(name)) for name in "ab")
    assert len(alternate(one, other, Effort(3, 0.0))) == 3
    assert order[-6:] == list("ababab")


def test_what_is_not_installed_has_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jax", None)
    monkeypatch.delitem(__import__("sys").modules, "benchmarks.peers_jax", raising=False)
    rows = networks.measure("gradient", SMALL, QUICK)
    assert "not available" in pick(rows, method="JAX vmap", case="float64")[0].note
    assert math.isfinite(pick(rows, method="torch.func", quantity="cpu_ratio")[0].value)


def tiny_rates() -> list[Row]:
    return roofline.rates(roofline.Probe(32, 256, 1 << 12, 1 << 16, 0.002))


def test_rates_and_bounds_are_positive() -> None:
    ours = Row("gradient", "float64", OURS, "cpu_seconds", 1.0, "s", lower=1.0, upper=1.0)
    rows = [ours, *tiny_rates()]
    bounds = roofline.bounds(SMALL, rows)
    assert all(row.value > 0 for row in [*rows, *bounds])
    seconds = {row.method: row.value for row in pick(bounds, quantity="seconds", case="float64")}
    assert seconds["sum"] == pytest.approx(seconds["tanh"] + seconds["products"])
    assert seconds["largest"] == max(seconds[part] for part in ("tanh", "products", "memory"))
    ratio = pick(bounds, quantity="ratio", method="sum", case="float64")[0]
    assert ratio.value == pytest.approx(1.0 / seconds["sum"])


def test_exponent_of_a_power() -> None:
    slope, low, high = scaling.exponent([1, 2, 4, 8], [3.0 * f**1.5 for f in (1, 2, 4, 8)])
    assert slope == pytest.approx(1.5) and low <= slope <= high


def test_spread_is_median_and_quartiles() -> None:
    assert spread([4.0, 1.0, 2.0, 3.0, 5.0]) == {"value": 3.0, "lower": 2.0, "upper": 4.0, "repeats": 5}


def test_a_table_in_two_forms() -> None:
    lines = [["p|q_r", tables.number(0.0123456, 0.012, 0.013)], ["none", tables.number(math.nan)]]
    table = tables.Table("x_y", "a & Σ", "who_1 | s", "Z50 Y50", lines)
    assert r"p\|q_r | 0.01235 [0.01200, 0.01300]" in table.markdown()
    tex = table.tex()
    assert r"who\_1" in tex and r"p\textbar{}q\_r" in tex and r"\zlna{}" in tex
    assert r"\num{0.01235} \ensuremath{[\num{0.01200}, \num{0.01300}]}" in tex
    assert r"\caption{a \& \ensuremath{\Sigma}}\label{tab:bench-x_y}" in tex


def test_a_run_is_written_and_read_back(tmp_path: Path) -> None:
    rows = [*networks.measure("gradient", SMALL, QUICK), *tiny_rates()]
    groups = {"w1": [*rows, *roofline.bounds(SMALL, rows)]}
    records = {"w1": {"settings": {"shape": asdict(SMALL)}, "seconds": 1.0, **describe()}}
    records["w1"]["machine"]["processor"] = "a_processor"
    run.write(tmp_path, groups, records)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"bench{end}" for end in (".csv", ".json", ".md", ".tex", ".pdf", "-cost.pdf")
    }
    again, known = run.read(tmp_path)
    assert known == records
    for row, old in zip(again["w1"], groups["w1"], strict=True):
        assert (row.method, row.quantity, row.note) == (old.method, old.quantity, old.note)
        assert row.value == pytest.approx(old.value, rel=1e-5, nan_ok=True)
    made = report.tables(again["w1"], known)
    assert [table.key for table in made] == ["targets", "gradient", "bound", "machine"]
    assert "a_processor" in results.read_text(tmp_path / "bench.md")
    assert r"a\_processor" in results.read_text(tmp_path / "bench.tex")


def test_the_published_pages_are_those_of_the_published_rows() -> None:
    groups, records = run.read(run.HOME)
    made = report.tables([row for rows in groups.values() for row in rows], records)
    assert report.tex_report(made) == results.read_text(run.HOME / "bench.tex")
    page = results.read_text(run.HOME / "bench.md")
    assert all(table.markdown() in page for table in made)


def test_nothing_was_measured_yet(tmp_path: Path) -> None:
    assert run.read(tmp_path) == ({}, {})


def test_an_unknown_work_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--only", "w9"])
    assert "unknown work 'w9'" in capsys.readouterr().err


def test_smoke_runs_end_to_end(tmp_path: Path) -> None:
    """In processes of their own: exponents in four sizes, and threads where there are two."""
    assert run.main(["--smoke", "--only", "scaling", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "bench.pdf").stat().st_size > 1000
    groups, records = run.read(tmp_path)
    assert records["scaling"]["machine"]["processors"] >= 1
    assert records["scaling"]["versions"]["torch"]
    rows = groups["scaling"]
    assert len(pick(rows, quantity="exponent")) == 4 and len(pick(rows, work="threads")) == 1
    assert [row.size for row in pick(rows, case="units", quantity="cpu_seconds")] == [16, 32, 64]


def test_targets_are_judged_by_the_worst_peer() -> None:
    rows = [
        Row("gradient", "float64", name, "cpu_ratio", value)
        for name, value in (("JAX vmap", 9.0), ("JAX map", 2.5), ("torch modules", 7.0))
    ]
    rows += [Row("bound", "float64", "sum", "ratio", 2.6), Row("threads", "float64", OURS, "speedup", 1.9)]
    assert {(one.work, one.target): one.met for one in judged(rows)} == {
        ("W1 gradient, float64", "3 × faster than the faster JAX"): False,
        ("W1 gradient, float64", "5 × faster than plain PyTorch"): True,
        ("W1 gradient, float64", "within 2.5 × of tanh and products"): False,
        ("W1 scaling, threads", "two at least 1.8 × one"): True,
    }
    assert [row[3] for row in report.targets(rows)] == ["missed", "met", "missed", "met"]


def test_brute_force_is_compared_at_the_error_that_was_reached() -> None:
    rows = [
        Row("limit", "sine", "brute force", "cpu_seconds", 600.0, size=1e-4),
        Row("limit", "sine", OURS, "cpu_seconds", 6.0, size=1e-4),
        Row("limit", "sine", OURS, "stated_error", 5e-5, size=1e-4),
    ]
    assert over_brute_force(rows, "sine", 1e-4) == pytest.approx(400.0)
    assert over_brute_force(rows, "sine", 1e-5) is None


def test_a_ratio_that_falls_is_found_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve runs about 6, of which ten are kept; a run at 3.9 fails and is not added, one at 4.1 passes."""
    history = tmp_path / "deep" / "ratios.jsonl"

    def measured(ratio: float) -> int:
        rows = [Row("gradient", "float64", "PyTorch", "wall_ratio", ratio), Row("gradient", "float64", OURS, "s", 1.0)]
        monkeypatch.setattr(machine, "in_process", lambda function, work, *_: rows if work == "gradient" else [])
        return quick.main(["--history", str(history)])

    assert [measured(6.0 + 0.01 * i) for i in range(12)] == [0] * 12
    assert len(history.read_text().splitlines()) == 10
    before = history.read_text()
    assert measured(3.9) == 1 and history.read_text() == before
    assert "gradient, float64, PyTorch: 3.90, was 6.06: slower" in capsys.readouterr().out
    assert measured(4.1) == 0 and history.read_text() != before


def test_two_runs_say_nothing_of_a_third() -> None:
    runs = [{"x": 6.0}, {"x": 6.0}]
    assert not quick.judge({"x": 1.0}, runs) and quick.judge({"x": 1.0}, [*runs, {"x": 6.0, "y": 1.0}])

"""The benchmark measures what it says: work counted entry by entry, peers that agree, whole files.

Nothing here needs a peer that is not installed with the package: JAX is left to `make bench`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import networks, report, roofline, run, scaling, tables
from benchmarks.report_limits import over_brute_force
from benchmarks.rows import OURS, Row, pick, spread
from benchmarks.targets import judged, target_table
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

    def _made(self, value: float) -> Counted:
        Counted.count += 1
        return Counted(value)

    def __add__(self, other: Counted) -> Counted:
        return self._made(self.value + other.value)

    def __sub__(self, other: Counted) -> Counted:
        return self._made(self.value - other.value)

    def __mul__(self, other: Counted) -> Counted:
        return self._made(self.value * other.value)


def counted(array: np.ndarray) -> np.ndarray:
    return np.vectorize(Counted, otypes=[object])(array)


def total(terms: list[Counted]) -> Counted:
    first, *others = terms
    for term in others:
        first = first + term
    return first


def dot(one: list[Counted], other: list[Counted]) -> Counted:
    return total([x * y for x, y in zip(one, other, strict=True)])


def naive(load: Workload, i: int) -> tuple[float, np.ndarray]:
    """Risk and L M ∇E of network i, one operation at a time."""
    L, M, N, d = load.shape.L, load.shape.M, load.shape.N, load.shape.d
    theta = counted(load.theta[i].numpy())
    p = load.problem
    x, y, g = (counted(part.numpy()) for part in (p.inputs, p.targets, p.readout))
    scale, each, one = Counted(load.scale), Counted(1 / N), Counted(1.0)
    z, h = [x], []
    for l in range(L):
        a, w, b = theta[l, :d], theta[l, d : 2 * d], theta[l, 2 * d]
        h.append([[Counted(math.tanh((dot(list(w[:, m]), list(z[l][n])) + b[m]).value))
                   for m in range(M)] for n in range(N)])
        z.append(np.array([[z[l][n][j] + scale * dot(list(a[j]), h[l][n]) for j in range(d)]
                           for n in range(N)], dtype=object))
    r = [dot(list(g), list(z[L][n])) - y[n] for n in range(N)]
    risk = Counted(0.5 / N) * total([one_r * one_r for one_r in r])
    adjoint = []
    for n in range(N):
        weight = r[n] * each
        adjoint.append([weight * g[j] for j in range(d)])
    out = np.empty_like(theta)
    for l in reversed(range(L)):
        a, w = theta[l, :d], theta[l, d : 2 * d]
        q = [[dot(adjoint[n], list(a[:, m])) * (one - h[l][n][m] * h[l][n][m]) for m in range(M)]
             for n in range(N)]
        for m in range(M):
            column = [q[n][m] for n in range(N)]
            for j in range(d):
                out[l, j, m] = dot([adjoint[n][j] for n in range(N)],
                                   [h[l][n][m] for n in range(N)])
                out[l, d + j, m] = dot([z[l][n][j] for n in range(N)], column)
            out[l, 2 * d, m] = total(column)
        if l:
            adjoint = [[adjoint[n][j] + scale * dot(list(w[j]), q[n]) for j in range(d)]
                       for n in range(N)]
    return risk.value, np.vectorize(lambda c: c.value, otypes=[float])(out)


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


def test_flops_to_leading_order() -> None:
    shape = Shape()
    units = shape.particles * shape.N
    assert flops(shape) / units == pytest.approx(12 * shape.d + 3, rel=0.02)


def test_bytes() -> None:
    shape = Shape(networks=1, L=1, M=1, N=7)
    assert bytes_moved(shape) == 2 * 5 * 8
    assert bytes_held(shape, 4) == (2 * 5 + 7) * 4


@pytest.mark.parametrize("work", ["gradient", "training"])
@pytest.mark.parametrize("peer", ["torch modules", "torch.func"])
def test_peers_in_torch_give_our_numbers(work: str, peer: str) -> None:
    make_ours, peers = networks.methods(work, workload(SMALL))
    ours, theirs = make_ours(), peers[peer]()
    for _ in range(2):  # a second call starts afresh
        expected = ours.numbers(ours.run(ours.fresh()))
        found = theirs.numbers(theirs.run(theirs.fresh()))
        assert [part.shape for part in found] == [part.shape for part in expected]
        assert difference(expected, found) < 1e-12


def test_a_gradient_is_what_the_network_says() -> None:
    load = workload(SMALL)
    peers = networks.methods("gradient", load)[1]
    method = peers["torch modules"]()
    _, gradient = method.numbers(method.run(method.fresh()))
    slope, _ = Network(load.problem, SMALL.L, SMALL.M).gradient(load.theta)
    assert gradient == pytest.approx(slope.numpy(), rel=1e-12, abs=1e-15)


def constant(name: str, value: float) -> Method:
    return Method(name, lambda _: [np.array([value])])


def test_a_peer_that_disagrees_is_not_timed() -> None:
    peers = {"right": constant("right", 1.0 + 1e-12), "wrong": constant("wrong", 1.1)}
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
    rows = networks.gradient(SMALL, QUICK)
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


def test_exponents_and_threads_have_rows() -> None:
    rows = scaling.exponents(scaling.Sweep(replace(SMALL, networks=1), (1, 2, 4)), QUICK)
    assert len(pick(rows, quantity="exponent")) == 4
    assert [row.size for row in pick(rows, case="units", quantity="cpu_seconds")] == [4, 8, 16]
    assert len(scaling.threads(SMALL, QUICK)) == 1
    assert torch.get_num_threads() == 1


def test_spread_is_median_and_quartiles() -> None:
    assert spread([4.0, 1.0, 2.0, 3.0, 5.0]) == {"value": 3.0, "lower": 2.0, "upper": 4.0,
                                                "repeats": 5}


def test_a_table_in_three_forms() -> None:
    table = tables.Table("x_y", "a & Σ", ("who_1", "s"), (0.5, 0.5),
                         [["p|q_r", tables.Number(0.0123456, 0.012, 0.013)],
                          ["none", tables.Number(math.nan)]])
    assert r"p\|q_r | 0.01235 [0.01200, 0.01300]" in tables.markdown(table)
    tex = tables.tex(table)
    assert r"who\_1" in tex and r"p\textbar{}q\_r" in tex and r"\num{0.01235}" in tex
    assert r"\caption{a \& \ensuremath{\Sigma}}\label{tab:bench-x_y}" in tex and r"\zlna{}" in tex
    assert tables.rich_table(table).row_count == 2


def example() -> tuple[dict[str, list[Row]], dict[str, dict]]:
    rows = networks.gradient(SMALL, QUICK)
    rates = tiny_rates()
    shape = {"networks": 2, "L": 3, "M": 4, "N": 3}
    record = {"settings": {"shape": shape}, "seconds": 1.0, "commit": "0" * 40,
              "machine": {"processor": "a_processor", "processors": 2}, "versions": {"torch": "2"}}
    return {"w1": [*rows, *rates, *roofline.bounds(SMALL, [*rows, *rates])]}, {"w1": record}


def test_a_run_is_written_and_read_back(tmp_path: Path) -> None:
    groups, records = example()
    run.write(tmp_path, groups, records)
    names = {"bench.csv", "bench.json", "bench.md", "bench.tex", "bench.pdf"}
    assert names <= {path.name for path in tmp_path.iterdir()}
    assert not list(tmp_path.glob(".*"))
    again, known = run.read(tmp_path)
    assert known == records
    for row, old in zip(again["w1"], groups["w1"], strict=True):
        assert (row.method, row.quantity, row.note) == (old.method, old.quantity, old.note)
        assert row.value == pytest.approx(old.value, rel=1e-5, nan_ok=True)
    made = report.tables(again["w1"], known)
    assert [table.key for table in made] == ["targets", "gradient", "bound", "machine"]
    assert "a_processor" in results.read_text(tmp_path / "bench.md")
    assert r"a\_processor" in results.read_text(tmp_path / "bench.tex")


def test_nothing_was_measured_yet(tmp_path: Path) -> None:
    assert run.read(tmp_path) == ({}, {})


def test_an_unknown_work_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--only", "w9"])
    assert "unknown work 'w9'" in capsys.readouterr().err


def test_smoke_runs_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(run.__file__).resolve().parents[1]
    monkeypatch.chdir(root)
    assert run.main(["--smoke", "--only", "scaling", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "bench.pdf").stat().st_size > 1000
    record = run.read(tmp_path)[1]["scaling"]
    assert record["machine"]["processors"] >= 1 and record["versions"]["torch"]


def test_targets_are_judged_by_the_worst_peer() -> None:
    rows = [Row("gradient", "float64", name, "cpu_ratio", value)
            for name, value in (("JAX vmap", 9.0), ("JAX map", 2.5), ("torch modules", 7.0))]
    rows += [Row("bound", "float64", "sum", "ratio", 2.6), Row("threads", "float64", OURS,
                                                               "speedup", 1.9)]
    told = {(one.work, one.asked): one.met for one in judged(rows)}
    assert told == {
        ("W1 gradient, float64", "3 × faster than the faster JAX"): False,
        ("W1 gradient, float64", "5 × faster than plain PyTorch"): True,
        ("W1 gradient, float64", "within 2.5 × of tanh and products"): False,
        ("W1 scaling, threads", "two at least 1.8 × one"): True,
    }
    assert [row[3] for row in target_table(rows).rows] == ["missed", "met", "missed", "met"]


def test_brute_force_is_compared_at_the_error_that_was_reached() -> None:
    rows = [Row("limit", "sine", "brute force", "cpu_seconds", 600.0, size=1e-4),
            Row("limit", "sine", OURS, "cpu_seconds", 6.0, size=1e-4),
            Row("limit", "sine", OURS, "stated_error", 5e-5, size=1e-4)]
    assert over_brute_force(rows, "sine", 1e-4) == pytest.approx(400.0)
    assert over_brute_force(rows, "sine", 1e-5) is None

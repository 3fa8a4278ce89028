"""The figures of `limits` draw from whatever sizes a run has, and the same run the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from figures.limits import FIGURES
from figures.limits_data import main_setting
from ledger.paper.drawing import Frames, render
from ledger.record.estimates import COLUMNS, with_keys
from ledger.record.tidy import tidy
from ledger.study import Run
from zeroloss.studies.limits import plan

matplotlib.use("Agg")
N, R, TIMES = 3, 24, (0.0, 2.0)
SAMPLES = range(N)
Ran = tuple[plan.LimitCase, pd.DataFrame]
K = TypeVar("K", bound=plan.LimitCase)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape)


def case(kind: type[K], **fields: Any) -> K:
    """A case of the setting `toy` that has these fields alone."""
    return kind.model_construct(**{"setting": "toy", "flow_times": TIMES, **fields})


def sizes(*each: tuple[Any, ...]) -> tuple[plan.Size, ...]:
    """Sizes (L, M, roles)."""
    return tuple(plan.Size.model_construct(num_layers=L, num_units=M, roles=roles)
                 for L, M, roles in each)


def ensemble(sampling: str, *each: tuple[int, int, tuple[str, ...]]) -> Ran:
    axes = {"replicate": range(R), "flow_time": TIMES, "sample": SAMPLES}
    tables = [tidy(1 + noise(R, 2, N) / M, axes, "residual", num_layers=L, num_units=M)
              for L, M, _ in each]
    return case(plan.Ensemble, sampling=sampling, sizes=sizes(*each)), pd.concat(tables)


def limits() -> dict[str, Ran]:
    """The limit's side of a run: reference, ladder, influence, pairs, portrait."""
    gaps = np.array([1e-4, 0.0, 0.25, 0.125])[:, None, None] + np.zeros((2, 4, 2, N))
    near = {"flow_time": TIMES, "sample": SAMPLES}
    ran: dict[str, Ran] = {"reference": (case(plan.Reference), pd.concat([
        tidy(1 + 1e-3 * noise(scrambles, 2, N), {"scramble": range(scrambles)} | near, "residual",
             variant=variant)
        for variant, scrambles in (("reference", 2), ("fewer-nodes", 1), ("looser-step", 1))]))}
    ran["ladder"] = (case(plan.Ladder), tidy(1 + gaps, {
        "scramble": range(2), "num_layers": [-1, 0, 4, 8], "flow_time": TIMES,
        "sample": SAMPLES}, "residual"))
    ran["wide"] = (case(plan.Wide, depths=(4,)), tidy(
        1.25 + 1e-3 * noise(2, 1, 2, N), {"scramble": range(2), "num_layers": [4],
                                          "flow_time": TIMES, "sample": SAMPLES}, "residual"))
    sigma = np.broadcast_to(np.eye(N), (2, 2, 2, N, N)) * (1 + 0.01 * noise(2, 2, 2, 1, 1))
    ran["influence"] = (case(plan.Influence), pd.concat([
        tidy(sigma, {"num_layers": [0, 4], "flow_time": TIMES, "scramble": range(2),
                     "row": SAMPLES, "column": SAMPLES}, "covariance", sampling=sampling)
        for sampling in ("independent", "path")]))
    nodes = [0.2113248654, 0.7886751346]
    ran["pairs"] = (case(plan.Pairs, num_layers=4), tidy(
        1 + 0.1 * np.abs(noise(2, 2, 2, 4, 4)), {
            "flow_time": TIMES, "scramble": range(2), "correlation": [0.5, 1.0],
            "depth": np.arange(4) / 4, "other_depth": np.arange(4) / 4}, "covariance"))
    ran["portrait"] = (case(plan.Portrait), pd.concat([
        tidy(noise(2, 4, N, 2), {"flow_time": TIMES, "depth": [0.0, *nodes, 1.0],
                                 "index": SAMPLES, "coordinate": range(2)}, "value",
             what="feature"),
        tidy(noise(2, 1, 16, 5), {"flow_time": TIMES, "depth": [0.5], "index": range(16),
                                  "coordinate": range(5)}, "value", what="particle")]))
    return ran


def frames(with_networks: bool) -> Frames:
    ran = limits()
    lengths = (0.1, 0.4)
    ran["smooth"] = case(plan.Smooth, num_layers=4, num_units=8,
                         correlation_lengths=lengths), pd.DataFrame()
    if with_networks:
        ran["independent"] = ensemble(
            "independent", (4, 8, ("units", "layers")), (4, 16, ("units", "constant")),
            (8, 8, ("layers",)))
        ran["path"] = ensemble("path", (4, 8, ("units", "constant")))
        ran["fixed-paths"] = (
            case(plan.FixedPaths, num_units=8),
            tidy(noise(4, R, 2, N), {"num_layers": [-1, 0, 4, 8], "replicate": range(R),
                                     "flow_time": TIMES, "sample": SAMPLES}, "residual"))
    rows = [("", "smooth_measured", f"toy.s{s:g}.l{length:g}") for s in TIMES for length in lengths]
    rows += [("limits.constant", "ratio_small", f"toy.independent.s{s:g}") for s in TIMES]
    rows += [("", "quantile_50", f"toy.path.s{s:g}") for s in TIMES]
    estimates = pd.DataFrame(rows, columns=["claim", "quantity", "cell"]).assign(
        estimate=1.0, lower=0.9, upper=1.1, floor=np.nan).reindex(columns=list(COLUMNS))
    return Frames(Run({name: one for name, (one, _) in ran.items()},
                      {name: table for name, (_, table) in ran.items()}),
                  with_keys(estimates, "limits"), "full")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("with_networks", [True, False])
def test_a_figure_draws_from_what_the_run_has(name: str, with_networks: bool) -> None:
    given = frames(with_networks)
    assert main_setting(given) == "toy"
    content = render(FIGURES[name](given), "pdf")
    assert content.startswith(b"%PDF")
    if with_networks and name in ("risk", "flow"):  # random draws, and pixels
        assert content == render(FIGURES[name](frames(True)), "pdf")


def on_paths(errors: dict[float, float]) -> tuple[Axes, np.ndarray]:
    """The panel of fixed paths under a reference that is off by so much at each s, and what it
    shows there: residuals (1 + depths, flow_times) of first order in 1/L, the first exact."""
    depths, s = [4, 8, 16, 32], np.array(TIMES)
    r = np.stack([0 * s, *((1 + s) / L for L in depths)])
    limit = np.array(list(errors.values()))
    table = np.broadcast_to(np.stack([2 * limit, limit, *r[1:]])[:, None, :, None], (6, R, 2, N))
    given = frames(True)
    paths = tidy(table, {"num_layers": [-1, 0, *depths], "replicate": range(R),
                         "flow_time": TIMES, "sample": SAMPLES}, "residual")
    tables = {**given.tables, "fixed-paths": paths}
    figure = FIGURES["rates"](replace(given, run=Run(given.cases, tables)))
    return next(ax for ax in figure.axes if "paths" in ax.get_title(loc="left")), r


def drawn(ax: Axes) -> list[tuple[list[float], list[float]]]:
    """Sizes and gaps of every series with intervals."""
    return [(bars[0].get_xdata().tolist(), bars[0].get_ydata().tolist()) for bars in ax.containers]


def test_gaps_are_drawn_as_their_slopes_are_measured() -> None:
    """To the limit where it is known, else between nested depths, and the axis says which."""
    ax, r = on_paths({0.0: 1e-4, 2.0: 1e-4})
    assert "to the limit" in ax.get_ylabel() and "nested" not in ax.get_ylabel()
    ax, r = on_paths({0.0: 0.02, 2.0: 0.2})
    assert "nested" in ax.get_ylabel() and "limit" not in ax.get_ylabel()
    for t, (sizes, gaps) in enumerate(drawn(ax)):
        assert sizes == [4, 8, 16] and gaps == pytest.approx(r[1:-1, t] - r[2:, t])
    ax, r = on_paths({0.0: 1e-4, 2.0: 0.2})
    assert "to the limit, $s =$ 0" in ax.get_ylabel() and "nested, $s =$ 2" in ax.get_ylabel()
    (_, first), (sizes, second) = drawn(ax)
    assert first == pytest.approx(r[1:, 0] - 1e-4) and sizes == [4, 8, 16]
    assert second == pytest.approx(r[1:-1, 1] - r[2:, 1])


def test_the_main_setting_has_most_sizes_however_many_jobs_hold_them() -> None:
    cases = {name: case(plan.Reference, setting=name) for name in ("many", "blocks")}
    cases |= {"a": case(plan.Ensemble, setting="many", sizes=sizes(
        *((8, M, ()) for M in (4, 8, 16))))}
    cases |= {f"b{i}": case(plan.Ensemble, setting="blocks", sizes=sizes((8, 32, ())))
              for i in range(9)}
    assert main_setting(Frames(Run(cases, {}), pd.DataFrame(), "full")) == "many"

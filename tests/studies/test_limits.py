"""The study `limits` on the tiny configuration: how jobs are cut, and what is read off them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from judging import Run, block_of, estimates_of, run_case, tiny
from matplotlib.axes import Axes
from pydantic import ValidationError

from figures.limits import FIGURES
from figures.limits_data import main_setting
from ledger import study
from ledger.config.case import Case
from ledger.paper.drawing import Frames
from ledger.record.estimates import COLUMNS
from ledger.record.interval import CONFIDENCE
from ledger.record.statistics import ks_distance, log_slope
from ledger.record.streams import stream
from ledger.record.tidy import tidy
from zeroloss.limit.collocation import euler
from zeroloss.limit.flow import MeanField
from zeroloss.model.law import FractionalBrownian, PathLaw, SmoothPath, sobol_rule
from zeroloss.studies.limits import plan
from zeroloss.studies.limits.block import EnsembleSettings, Settings
from zeroloss.studies.limits.evidence import Ensemble, Evidence, Prediction, evidence_of
from zeroloss.studies.limits.law import law, predicted_risks
from zeroloss.studies.limits.paths import smooth_prediction
from zeroloss.studies.limits.plan import InfluencePart, Size
from zeroloss.studies.limits.rates import predicted_slopes
from zeroloss.studies.settings import Rule
from zeroloss.studies.setup import build_law, build_problem, chunks, path_parameters, recorded, sobol
from zeroloss.theory.covariance import Trace


def size_of(ensemble: Ensemble | EnsembleSettings) -> tuple[str, str, int, int]:
    return ensemble.setting, ensemble.sampling, ensemble.num_layers, ensemble.num_units


@pytest.fixture(scope="module")
def ran() -> Run:
    return tiny("limits")


@pytest.fixture(scope="module")
def block() -> Settings:
    """Its block of the configuration."""
    return block_of("limits")[0]


@pytest.fixture(scope="module")
def evidence(ran: Run) -> Evidence:
    return evidence_of(ran.run)


def split(block: Settings, most: int) -> dict[str, Case]:
    """The cases of jobs that are as large as this."""
    return plan.cases(block.model_copy(update={"elements_per_job": most}), block_of("limits")[1])


# ---- jobs


@pytest.mark.parametrize("sampling", ["independent", "path"])
def test_replicates_are_the_same_in_jobs_of_any_size(ran: Run, sampling: str) -> None:
    def run(*blocks: tuple[int, int]) -> pd.DataFrame:
        """12 replicates of one size in blocks (first, count)."""
        of_one = Size(num_layers=4, num_units=8, first_replicate=0, replicates=1, roles=("units",))
        sizes = tuple(of_one.model_copy(update={"first_replicate": i, "replicates": n}) for i, n in blocks)
        changes = {"flow_times": (0.0, 1.0), "sizes": sizes}
        return run_case("limits", ran.cases[f"{sampling}-sine-0"].model_copy(update=changes))

    whole, parts = run((0, 12)), run((0, 5), (5, 7))
    for other in (parts, pd.concat([run((0, 1)), run((1, 11))], ignore_index=True)):
        pd.testing.assert_frame_equal(other, whole, check_exact=True)
    assert whole[whole.flow_time > 0].groupby(["replicate", "sample"]).residual.size().eq(1).all()
    assert whole.residual.nunique() == len(whole), "replicates differ"


def test_cases_cover_every_replicate_once_however_they_are_packed(block: Settings) -> None:
    for most in (20_000, 1_000_000, 10**9):
        planned: dict[tuple[str | int | bool, ...], list[int]] = {}
        for case in split(block, most).values():
            if not isinstance(case, plan.NetworksCase):
                continue
            for z in case.sizes:
                size = (case.setting, case.sampling, z.num_layers, z.num_units, isinstance(case, plan.Ensemble))
                first = z.first_replicate
                planned.setdefault(size, []).extend(range(first, first + z.replicates))
        assert planned == {(*size_of(e), e.compiled): list(range(e.replicates)) for e in block.ensembles}


@pytest.mark.parametrize(
    "path", [PathLaw(), SmoothPath(0.3), FractionalBrownian(0.3, 16)], ids=lambda path: type(path).__name__
)
def test_all_depths_share_their_paths(ran: Run, path: PathLaw) -> None:
    case = ran.cases["reference-sine"]
    assert isinstance(case, plan.Reference)
    problem, coarse = build_problem(case), np.arange(5) / 4
    fine = path_parameters(case, problem, path, range(3), np.arange(17) / 16, 6)
    there = path_parameters(case, problem, path, range(3), coarse, 6)
    torch.testing.assert_close(fine[:, ::4], there, rtol=0, atol=1e-13)
    alone = path_parameters(case, problem, path, range(2, 3), coarse, 6)
    assert torch.equal(alone[0], there[2]), "a replicate does not depend on its batch"
    assert not torch.equal(there[0], there[1])


def test_batches_cover_their_replicates() -> None:
    for first, count, each in ((0, 1, 1), (7, 100, 1), (3, 50, 100_000), (0, 5, 10**9)):
        batches = chunks(first, count, each)
        assert [i for batch in batches for i in batch] == list(range(first, first + count))
        assert all(len(batch) <= 64 for batch in batches)


def test_a_device_that_is_not_there_is_named(ran: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds none; set device: cpu"):
        ran.cases["reference-surface"].model_copy(update={"device": "cuda"}).prepare()


# ---- what the tables say, as arrays


def test_references_and_ladders(block: Settings, evidence: Evidence) -> None:
    for setting, values in block.settings.items():
        times, N = values.flow_times, values.problem.num_samples
        r, error, scrambles = evidence.reference(setting)
        assert evidence.flow_times(setting) == times
        assert r.shape == error.shape == (len(times), N)
        assert scrambles.shape == (values.reference.scrambles, len(times), N)
        assert (error > 0).all() and np.abs(scrambles - r).max() < 1
        risk, risk_error = evidence.risk(setting)
        assert (np.diff(risk) < 0).all(), "training lowers the risk"
        assert risk == pytest.approx(0.5 * (scrambles**2).mean((0, 2))) and (risk_error > 0).all()
        depths, ladder = evidence.ladder(setting)
        assert depths == [-1, 0, *values.ladder]
        assert ladder.shape == (values.ladder_rule.scrambles, len(depths), len(times), N)


def test_ensembles_put_their_blocks_together(ran: Run, block: Settings, evidence: Evidence) -> None:
    cases = split(block, 20_000)
    # the same residuals, cut into the tables of more jobs
    tables = dict(ran.tables)
    for name, case in cases.items():
        if isinstance(case, plan.NetworksCase):
            alike = ran.run.of(type(case), sampling=case.sampling, setting=case.setting)
            whole = pd.concat([table for _, _, table in alike])
            blocks = []
            for z in case.sizes:
                of_size = whole[(whole.num_layers == z.num_layers) & (whole.num_units == z.num_units)]
                blocks.append(of_size[(of_size.replicate - z.first_replicate).between(0, z.replicates - 1)])
            tables[name] = pd.concat(blocks)
    assert len(cases) > len(ran.cases)
    cut = Evidence(study.Run(cases, tables))

    def by_size(run: Evidence) -> dict[tuple[Any, ...], Ensemble]:
        found = {(size_of(e), True): e for e in run.ensembles} | {(size_of(e), False): e for e in run.in_torch}
        assert len(found) == len(run.ensembles) + len(run.in_torch) == len(block.ensembles)
        return found

    of_parts, of_wholes = by_size(cut), by_size(evidence)
    for e in block.ensembles:
        part, whole = (each[size_of(e), e.compiled] for each in (of_parts, of_wholes))
        assert part.residuals.shape[:2] == (e.replicates, len(block.settings[e.setting].flow_times))
        assert part.residuals.tobytes() == whole.residuals.tobytes()
        assert whole.roles == e.roles
        assert whole.count == e.num_units * (e.num_layers if e.sampling == "independent" else 1)
        assert whole.risk == pytest.approx(0.5 * (whole.residuals**2).mean(2))


def test_torch_and_the_compiled_engine_train_the_same_networks(ran: Run, evidence: Evidence) -> None:
    """From the same draws, in float64 and in float32; and the cells of torch are of one claim, and no others'."""
    (e,) = evidence.in_torch
    (same,) = (other for other in evidence.ensembles if size_of(other) == size_of(e))
    np.testing.assert_allclose(e.residuals, same.residuals[: len(e.residuals)], rtol=0, atol=2e-5)
    rows = ran.estimates.loc[ran.estimates.sources.str.contains("torch-")]
    cells = [f"sine.independent.torch.s{s:g}" for s in e.flow_times]
    assert list(rows.loc[rows.claim != ""].key) == [f"limits.constant/ratio_small/{cell}" for cell in sorted(cells)]
    gaps = rows.loc[rows.claim == ""]
    assert set(gaps.quantity) == {"engines"} and len(gaps) == len(cells)
    assert 0 < gaps.estimate.max() < 2e-5


def test_predicted_covariances(ran: Run, block: Settings, evidence: Evidence) -> None:
    for e in evidence.with_role("constant"):
        for depth in (0, e.num_layers):
            sigma, names = evidence.covariance(e.setting, e.sampling, depth)
            assert names and {ran.cases[name].kind for name in names} == {"influence"}
            rule = block.settings[e.setting].influence
            assert rule is not None
            scrambles = rule.scrambles
            assert len(sigma) == (scrambles if depth else max(2, scrambles // 2))
            assert sigma.shape[1:] == (len(e.flow_times), *[e.residuals.shape[2]] * 2)
            assert np.abs(sigma - sigma.swapaxes(2, 3)).max() < 1e-12 * np.abs(sigma).max()
            assert np.linalg.eigvalsh(sigma).min() > -1e-12 * np.abs(sigma).max()
    with pytest.raises(ValueError, match="give an ensemble of that depth the role constant"):
        evidence.covariance("sine", "path", 3)


def test_the_largest_ensembles_are_judged(block: Settings, evidence: Evidence) -> None:
    largest = evidence.largest()
    assert {(e.setting, e.sampling) for e in largest} == {
        (e.setting, e.sampling) for e in block.ensembles if "constant" in e.roles
    }
    units = evidence.with_role("units", setting="sine", sampling="independent")
    assert [e.num_units for e in units] == sorted(e.num_units for e in units)


def test_what_is_not_there_is_named(ran: Run) -> None:
    for fields in ({"setting": "cosine"}, {}):
        with pytest.raises(LookupError, match=r"one case of kind reference .* must be there"):
            ran.run.one(plan.Reference, **fields)


def made_ladder(A: np.ndarray, B: np.ndarray, times: list[float]) -> Evidence:
    """A ladder of residuals r + A/L + B/L² exactly."""
    depths = [-1, 0, 4, 8, 16]
    r = np.stack([1.0 + (A / L + B / L**2 if L > 0 else 0.0 * A) for L in depths], 1)
    axes = {"scramble": range(len(A)), "num_layers": depths, "flow_time": times, "sample": range(A.shape[2])}
    case = plan.Ladder.model_construct(setting="made")
    return Evidence(study.Run({"ladder": case}, {"ladder": tidy(r, axes, "residual")}))


def test_the_first_order_bias_is_extrapolated_exactly() -> None:
    rng = stream("made ladder")
    A, B = rng.standard_normal((2, 3, 2, 5))
    evidence = made_ladder(A, B, [0.0, 4.0])
    np.testing.assert_allclose(evidence.first_order_bias("made"), A, rtol=1e-10)


def test_draws_of_the_predicted_risk() -> None:
    """E = ½ mean(m² + Σ/n), Var = (2 tr(Σ/n)² + 4 mᵀ(Σ/n)m) / (4 N²), for quadratic forms."""
    N, n, draws = 4, 32, 400_000
    rng = stream("prediction")
    root = rng.standard_normal((N, 2))  # Σ of rank 2
    mean, sigma = rng.standard_normal(N), root @ root.T
    made = Prediction(mean, np.zeros(N), sigma, Trace(float(np.trace(sigma))), [])
    risks = made.risks(n, draws, stream("draws"))
    S = sigma / n
    assert risks.shape == (draws,) and (risks >= 0).all()
    exact = 0.5 * np.mean(mean**2 + np.diag(S))
    variance = (2 * np.trace(S @ S) + 4 * mean @ S @ mean) / (4 * N**2)
    assert risks.mean() == pytest.approx(exact, abs=4 * math.sqrt(variance / draws))
    assert risks.var() == pytest.approx(variance, rel=0.02)
    assert risks.tobytes() == made.risks(n, draws, stream("draws")).tobytes()


def test_a_prediction_is_that_of_the_wide_limit_at_its_depth(ran: Run, evidence: Evidence) -> None:
    """The jobs solve it as one network with a unit per point, here it is a cloud."""
    e = next(e for e in evidence.largest() if e.setting == "sine")
    made = evidence.prediction(e, 1)
    _, case, _ = ran.run.one(plan.Wide, setting="sine")
    problem = build_problem(case)
    clouds = []
    for scramble in range(case.rule.scrambles):
        points = sobol_rule(
            build_law(case.initial_law), problem.dim, case.rule.log2_points, case.seed, "sine", "wide", scramble
        )
        field = MeanField(problem, euler(e.num_layers), points.shape[-1])
        run = field.run(field.start(points[None]), e.flow_times, rtol=case.limit_rtol)
        clouds.append(run.residuals[1, 0].numpy())
    assert made.mean == pytest.approx(np.mean(clouds, axis=0), abs=1e-9)
    sigma, names = evidence.covariance(e.setting, e.sampling, e.num_layers)
    assert made.covariance == pytest.approx(sigma[:, 1].mean(0))
    assert set(names) < set(made.sources) and 0 < made.trace.error < made.trace.value


def test_half_of_the_points_bound_the_bias_of_a_prediction(ran: Run, evidence: Evidence) -> None:
    """They are the first half of the same scramble, a rule of their own; the whole rule is the prediction."""
    e = next(e for e in evidence.largest() if e.setting == "sine" and e.sampling == "path")
    whole, _ = evidence.covariance("sine", "path", e.num_layers)
    half, _ = evidence.covariance("sine", "path", e.num_layers, halved=True)
    _, case, _ = next(ran.run.of(plan.Influence, setting="sine"))
    assert len(half) == plan.halved(case.rule) < len(whole)
    problem, points = build_problem(case), 2**case.rule.log2_points // 2
    rule = sobol(case, problem, case.rule.log2_points, "influence", 0)
    again = recorded(case, problem, euler(e.num_layers), rule[:, :points], case.limit_rtol)
    np.testing.assert_allclose(half[0, 1], again.covariances(e.flow_times[1])["path"], rtol=1e-12)
    traces = [np.trace(sigma[:, 1], axis1=1, axis2=2) for sigma in (whole, half)]
    made = evidence.prediction(e, 1).trace
    assert made.value == pytest.approx(traces[0].mean())
    assert made.degrees == len(whole) - 1
    assert made.bias == pytest.approx(abs(np.median(traces[0][: len(half)] - traces[1]))) and made.bias > 0


def test_every_width_of_role_constant_is_judged(ran: Run, block: Settings) -> None:
    rows = ran.estimates.loc[ran.estimates.claim == "limits.constant"]
    pooled = rows.quantity == "ratio_pooled"
    assert set(rows.cell[pooled]) == {"start", "middle", "end"}
    rows = rows.loc[~pooled]
    expected = {
        f"{e.setting}.{e.sampling}.{f'm{e.num_units}' if e.compiled else 'torch'}.s{s:g}"
        for e in block.ensembles
        if "constant" in e.roles
        for s in block.settings[e.setting].flow_times
    }
    assert set(rows.cell) == expected and len(rows) == len(expected)
    assert {"sine.independent.m16.s4", "sine.independent.m32.s4"} < expected
    content = block.model_dump()
    twice = next(e for e in block.ensembles if "constant" in e.roles)
    content["more_ensembles"] = [twice.model_dump() | {"num_layers": 2 * twice.num_layers}]
    with pytest.raises(ValidationError, match="must differ in num_units, which names them, got 16 twice"):
        Settings.model_validate(content)


# ---- the slope in depth


def test_the_slope_in_depth_is_predicted_through_the_limit_and_two_depths(evidence: Evidence) -> None:
    """Exactly for tr Σ_L = T + c/L + c₂/L² at any sizes, and −½ for a Σ that does not depend on L."""
    T, c, c2 = np.array([[2.0, 3.0], [-5.0, 0.0], [20.0, 0.0]])
    depths, sizes = np.array([0, 64, 128]), np.array([64, 128, 256, 512])

    def traces(L: np.ndarray) -> np.ndarray:
        return np.stack([T + c * x + c2 * x**2 for x in 1 / L], 1)

    known = np.concatenate([T[:, None], traces(depths[1:])], 1)
    slopes = predicted_slopes(depths, known, list(sizes))
    np.testing.assert_allclose(slopes, 0.5 * log_slope(sizes, traces(sizes) / sizes), rtol=1e-12)
    assert slopes[0] > -0.5 + 0.003 and slopes[1] == pytest.approx(-0.5, abs=1e-12)
    found, own, names = evidence.traces_in_depth("sine", "independent")
    assert list(found) == [0, 4, 8] and own.shape == (2, 3, 3) and (own > 0).all() and names


def test_the_slope_in_depth_is_judged_by_its_difference(ran: Run) -> None:
    """The errors of both add in quadrature; neither is itself judged, and no other slope in L predicted."""
    table = ran.estimates
    of_depth = table[table.quantity.str.startswith("slope_L") & ~(table.claim == "limits.width-path")]
    for s in ("s0", "s4", "s50"):
        rows = of_depth[of_depth.cell == f"sine.{s}"].set_index("quantity")
        assert dict(rows.claim) == {
            "slope_L": "",
            "slope_L_predicted": "",
            "slope_L_difference": "limits.width-independent",
        }
        measured, predicted, difference = (rows.loc[f"slope_L{part}"] for part in ("", "_predicted", "_difference"))
        assert difference.estimate == pytest.approx(measured.estimate - predicted.estimate)
        assert difference.upper - difference.lower > measured.upper - measured.lower
        assert set(difference.sources.split(";")) == {
            name for one in (measured, predicted) for name in one.sources.split(";")
        }
    assert len(of_depth) == 9


# ---- from paths to independent layers


def separable(L: int, times: list[float]) -> pd.DataFrame:
    """G_{ll'}(κ) = (1 + s) g_l g_l' (κ + ½ κ² − ¼ κ³), with a g that is smooth in no sense."""
    kappas = np.array([0.3, 0.6, 1.0])
    t, of_kappa = np.arange(L) / L, kappas + 0.5 * kappas**2 - 0.25 * kappas**3
    g = profile(L)
    G = np.stack([of_kappa[:, None, None] * np.outer(g, g) * (1 + s) for s in times])
    return tidy(
        np.stack([G, 2 * G]),
        {"scramble": [0, 1], "flow_time": times, "correlation": list(kappas), "depth": list(t), "other_depth": list(t)},
        "covariance",
    )


def profile(L: int) -> np.ndarray:
    return 1.0 + np.arange(L) % 3


@pytest.mark.parametrize("L", [1, 2, 7, 32])
def test_the_curve_of_correlation_lengths_by_hand(L: int) -> None:
    """At any depth: long paths are constant ones, short ones independent layers over L."""
    table, g = separable(L, [0.0, 4.0]), profile(L)
    for s, factor in ((0.0, 1.25), (4.0, 6.25)):
        kappa = np.exp([[-0.5 * ((l - m) / L / 0.2) ** 2 for m in range(L)] for l in range(L)])
        between = ((kappa + 0.5 * kappa**2 - 0.25 * kappa**3) * np.outer(g, g)).mean() / 1.25
        ends = (g**2).mean() / L, g.mean() ** 2
        curve = smooth_prediction(table, s, [1e-9, 0.2, 1e9, math.inf])
        assert curve.shape == (4, 2)
        by_hand = factor * np.outer([ends[0], between, ends[1], ends[1]], [1, 2])
        np.testing.assert_allclose(curve, by_hand, rtol=1e-11)


def test_the_curve_is_predicted_at_the_depth_of_its_networks(ran: Run, block: Settings) -> None:
    """Two layers are far from their limit: both ends of the curve are the covariances of two
    layers, by another rule in θ₀, and not those of the limit."""
    pairs, influence = ran.cases["pairs"], ran.cases["influence-sine-0"]
    (_, smooth, _), (_, of_pairs, _) = ran.run.one(plan.Smooth), ran.run.one(plan.Pairs)
    assert of_pairs.num_layers == smooth.num_layers == block.smooth.num_layers
    assert np.unique(ran.tables["pairs"].depth) == pytest.approx(np.arange(8) / 8)
    times = (0.0, 4.0)
    changes = {"num_layers": 2, "flow_times": times, "rule": Rule(log2_points=9, scrambles=4)}
    table = run_case("limits", pairs.model_copy(update=changes))
    parts = tuple(InfluencePart(num_layers=L, scramble=i) for L in (0, 2) for i in range(4))
    changes = {"flow_times": times, "rule": Rule(log2_points=10, scrambles=4), "parts": parts}
    predicted = run_case("limits", influence.model_copy(update=changes))
    on_diagonal = predicted[predicted.row == predicted.column]
    traces = on_diagonal.groupby(["flow_time", "num_layers", "sampling"]).covariance.sum() / 4
    for s in times:
        curve = smooth_prediction(table, s, [1e-9, math.inf]).mean(1) * [2, 1]
        for sampling, value in zip(("independent", "path"), curve, strict=True):
            limit, own = (traces[s, depth, sampling] for depth in (0, 2))
            assert value == pytest.approx(own, rel=0.06), (sampling, s)
            assert s == 0 or value < 0.85 * limit, (sampling, s)


# ---- the law from small networks to large ones


def without_decay(ran: Run) -> study.Run:
    """The run without ensembles of role decay."""
    return study.Run(
        {
            name: case.model_copy(update={"sizes": tuple(z for z in case.sizes if z.roles != ("decay",))})
            if isinstance(case, plan.Ensemble)
            else case
            for name, case in ran.cases.items()
        },
        ran.tables,
    )


def changes(run: study.Run) -> dict[str, tuple[float, set[str]]]:
    """ks_change by cell, with its sources."""
    return {r["cell"]: (r["estimate"], set(r["sources"].split(";"))) for r in law(run) if r["quantity"] == "ks_change"}


def distance(evidence: Evidence, e: Ensemble, t: int) -> float:
    return ks_distance(e.risk[:, t], predicted_risks(evidence, e, t), CONFIDENCE).value


def test_the_law_decays_from_its_own_small_networks(ran: Run, evidence: Evidence) -> None:
    """From role decay to role constant of the same depth, wherever the run has both."""
    found = changes(ran.run)
    small = evidence.with_role("decay")
    assert len(small) == 6 and all(e.num_units == 4 for e in small)
    expected = {}
    for e in small:
        large = evidence.with_role("constant", setting=e.setting, sampling=e.sampling, num_layers=e.num_layers)[-1]
        for t, s in enumerate(e.flow_times):
            expected[f"{e.setting}.{e.sampling}.s{s:g}"] = (
                pytest.approx(distance(evidence, large, t) - distance(evidence, e, t)),
                {
                    *e.sources,
                    *large.sources,
                    f"wide-{e.setting}",
                    *evidence.covariance(e.setting, e.sampling, e.num_layers)[1],
                },
            )
    assert found == expected


def test_without_small_networks_the_law_decays_along_the_sweep(ran: Run) -> None:
    run = without_decay(ran)
    evidence, found = evidence_of(run), changes(run)
    assert {cell.rpartition(".")[0] for cell in found} == {"sine.independent", "sine.path"}
    for sampling in ("independent", "path"):
        sweep = evidence.with_role("units", setting="sine", sampling=sampling, num_layers=4)
        change = distance(evidence, sweep[-1], 1) - distance(evidence, sweep[0], 1)
        assert found[f"sine.{sampling}.s4"][0] == pytest.approx(change)


def test_small_networks_for_the_law_serve_nothing_else(ran: Run) -> None:
    """Every other estimate is what it is without them."""
    without, with_them = (
        table.loc[table.quantity != "ks_change", list(COLUMNS)].reset_index(drop=True)
        for table in (estimates_of("limits", without_decay(ran)), ran.estimates)
    )
    pd.testing.assert_frame_equal(without, with_them, check_exact=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"roles": ("constant", "units")}, r"an ensemble with compiled: false must be \[constant\]"),
        ({"compiled": True}, "each size of ensembles must be given once"),
    ],
)
def test_networks_in_torch_serve_the_constant_alone(block: Settings, changes: dict[str, object], message: str) -> None:
    in_torch = next(e for e in block.ensembles if not e.compiled)
    content = block.model_dump()
    content["more_ensembles"] = [in_torch.model_dump() | changes]
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate(content)


# ---- figures


def on_paths(ran: Run, errors: tuple[float, float]) -> tuple[Axes, np.ndarray]:
    """The panel of fixed paths under a reference that is off by so much at each s, and what it
    shows there: residuals (1 + depths, flow_times) of first order in 1/L, the first exact."""
    depths = [4, 8, 16, 32]
    name, case, _ = ran.run.one(plan.FixedPaths)
    s, limit = np.array([0.0, 4.0]), np.array(errors)
    r = np.stack([0 * s, *((1 + s) / L for L in depths)])
    table = np.broadcast_to(np.stack([2 * limit, limit, *r[1:]])[:, None, :, None], (6, 24, 2, 3))
    paths = tidy(
        table, {"num_layers": [-1, 0, *depths], "replicate": range(24), "flow_time": s, "sample": range(3)}, "residual"
    )
    cases = {**ran.cases, name: case.model_copy(update={"flow_times": tuple(s)})}
    run = study.Run(cases, {**ran.tables, name: paths})
    figure = FIGURES["rates"](Frames(run, ran.estimates, "quick"))
    return next(ax for ax in figure.axes if "paths" in ax.get_title(loc="left")), r


def drawn(ax: Axes) -> list[tuple[list[float], list[float]]]:
    """Sizes and gaps of every series with intervals."""
    return [(bars[0].get_xdata().tolist(), bars[0].get_ydata().tolist()) for bars in ax.containers]


def test_gaps_are_drawn_as_their_slopes_are_measured(ran: Run) -> None:
    """To the limit where it is known, else between nested depths, and the axis says which."""
    ax, r = on_paths(ran, (4.5e-3, 1e-4))
    assert "to the limit" in ax.get_ylabel() and "nested" not in ax.get_ylabel()
    assert len(ax.patches) == 1, "the error of the reference is shaded where it is near the gaps"
    ax, r = on_paths(ran, (0.02, 0.2))
    assert "nested" in ax.get_ylabel() and "limit" not in ax.get_ylabel()
    for t, (sizes, gaps) in enumerate(drawn(ax)):
        assert sizes == [4, 8, 16] and gaps == pytest.approx(r[1:-1, t] - r[2:, t])
    ax, r = on_paths(ran, (1e-4, 0.2))
    assert "to the limit, $s =$ 0" in ax.get_ylabel() and "nested, $s =$ 4" in ax.get_ylabel()
    (_, first), (sizes, second) = drawn(ax)
    assert first == pytest.approx(r[1:, 0] - 1e-4) and sizes == [4, 8, 16]
    assert second == pytest.approx(r[1:-1, 1] - r[2:, 1])


def test_the_main_setting_has_most_sizes_however_many_jobs_hold_them() -> None:
    def networks(setting: str, *widths: int) -> plan.Ensemble:
        return plan.Ensemble.model_construct(
            setting=setting, sizes=[plan.Size.model_construct(num_layers=8, num_units=M) for M in widths]
        )

    cases = {name: plan.Reference.model_construct(setting=name) for name in ("many", "blocks")}
    cases |= {"a": networks("many", 4, 8, 16)}
    cases |= {f"b{i}": networks("blocks", 32) for i in range(9)}
    assert main_setting(Frames(study.Run(cases, {}), pd.DataFrame(), "full")) == "many"

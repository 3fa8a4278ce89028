"""The study `limits`: jobs that are functions of their specification, and what is read off them."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import evidence
import numpy as np
import pandas as pd
import pytest
import torch
from studies.conftest import ROOT, Run

from ledger.record import estimates
from ledger.record.claims import Claim, load_claims
from ledger.config.configuration import load
from zeroloss.model.law import FractionalBrownian, PathLaw, SmoothPath, sobol_rule
from zeroloss.limit.collocation import euler
from zeroloss.limit.flow import MeanField
from ledger.record.statistics import ks_distance
from ledger.record.streams import stream
from zeroloss.studies import STUDIES
from zeroloss.studies.limits import simulate
from zeroloss.studies.limits.agreements import law, predicted_risks
from zeroloss.studies.limits.cases import cases
from zeroloss.studies.limits.evidence import Ensemble, Evidence, Prediction
from zeroloss.studies.limits.measure import measure
from zeroloss.studies.limits.planted import PLANTED
from zeroloss.studies.limits.rates import smooth_prediction
from zeroloss.studies.setup import build_law, build_problem, chunks, path_parameters
from ledger.record.tidy import tidy
from ledger.record.verdicts import REFUTED, SUPPORTED, judge_claim

Spec = dict[str, Any]
CLAIMS = {claim.id: claim for claim in load_claims(ROOT / "paper" / "claims.yaml")
          if claim.id.startswith("limits.")}
EACH_CLAIM = pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
# of these alone sizes of seconds are enough for the predicate to be fair
NOT_ASYMPTOTIC = ("limits.energy", "limits.loss-bias", "limits.smooth", "limits.commute")


# ---- jobs


def test_every_kind_of_job_is_run(tiny: Run) -> None:
    assert {spec["kind"] for spec in tiny.specs.values()} == set(simulate.KINDS)
    for name, table in tiny.tables.items():
        assert len(table) and not table.isna().any(axis=None), name


@pytest.mark.parametrize("kind", simulate.KINDS)
def test_a_job_is_a_function_of_its_specification(tiny: Run, kind: str) -> None:
    name = min((n for n, spec in tiny.specs.items() if spec["kind"] == kind),
               key=lambda n: len(tiny.tables[n]))
    torch.manual_seed(1)  # nothing may draw from a shared generator
    pd.testing.assert_frame_equal(simulate.run(tiny.specs[name]), tiny.tables[name],
                                  check_exact=True)


def ensemble_spec(tiny: Run, sampling: str, *blocks: tuple[int, int]) -> Spec:
    """12 replicates of one size in blocks (first, count)."""
    return tiny.specs[f"{sampling}-sine-0"] | {"flow_times": [0.0, 1.0], "sizes": [
        {"num_layers": 4, "num_units": 8, "first_replicate": first, "replicates": count,
         "roles": ["units"]} for first, count in blocks]}


@pytest.mark.parametrize("sampling", ["independent", "path"])
def test_replicates_are_the_same_in_jobs_of_any_size(tiny: Run, sampling: str) -> None:
    whole = simulate.run(ensemble_spec(tiny, sampling, (0, 12)))
    parts = simulate.run(ensemble_spec(tiny, sampling, (0, 5), (5, 7)))
    jobs = [simulate.run(ensemble_spec(tiny, sampling, block)) for block in ((0, 1), (1, 11))]
    for other in (parts, pd.concat(jobs, ignore_index=True)):
        pd.testing.assert_frame_equal(other, whole, check_exact=True)
    assert whole[whole.flow_time > 0].groupby(["replicate", "sample"]).residual.size().eq(1).all()
    assert whole.residual.nunique() == len(whole), "replicates differ"


def test_cases_cover_every_replicate_once_however_they_are_packed(tiny: Run) -> None:
    for most in (20_000, 1_000_000, 10**9):
        config = tiny.config.model_copy(update={"limits": tiny.config.limits.model_copy(
            update={"elements_per_job": most})})
        blocks: dict[tuple[Any, ...], list[int]] = {}
        for spec in cases(config).values():
            for z in spec.get("sizes", []) if spec["kind"] == "ensemble" else []:
                size = (spec["setting"], spec["sampling"], z["num_layers"], z["num_units"])
                first = z["first_replicate"]
                blocks.setdefault(size, []).extend(range(first, first + z["replicates"]))
        asked = {(e.setting, e.sampling, e.num_layers, e.num_units): list(range(e.replicates))
                 for e in config.limits.ensembles}
        assert blocks == asked


@pytest.mark.parametrize("path", [PathLaw(), SmoothPath(0.3), FractionalBrownian(0.3, 16)],
                         ids=lambda path: type(path).__name__)
def test_all_depths_share_their_paths(tiny: Run, path: PathLaw) -> None:
    spec = tiny.specs["reference-sine"]
    problem, coarse = build_problem(spec), np.arange(5) / 4
    fine = path_parameters(spec, problem, path, range(3), np.arange(17) / 16, 6)
    there = path_parameters(spec, problem, path, range(3), coarse, 6)
    torch.testing.assert_close(fine[:, ::4], there, rtol=0, atol=1e-13)
    alone = path_parameters(spec, problem, path, range(2, 3), coarse, 6)
    assert torch.equal(alone[0], there[2]), "a replicate does not depend on its batch"
    assert not torch.equal(there[0], there[1])


def test_batches_cover_their_replicates() -> None:
    for first, count, each in ((0, 1, 1), (7, 100, 1), (3, 50, 100_000), (0, 5, 10**9)):
        batches = chunks(first, count, each)
        assert [i for batch in batches for i in batch] == list(range(first, first + count))
        assert all(len(batch) <= 64 for batch in batches)


def test_a_job_that_cannot_run_says_why(tiny: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny.specs["reference-surface"]
    with pytest.raises(ValueError, match="unknown kind 'guess'; choose one of reference, ladder"):
        simulate.run(spec | {"kind": "guess"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds none; set device: cpu"):
        simulate.run(spec | {"device": "cuda"})
    broken = pd.DataFrame({"sample": [0, 1], "residual": [0.0, math.nan]})
    monkeypatch.setitem(simulate.KINDS, "reference", lambda _: broken)
    with pytest.raises(FloatingPointError, match="residual is not finite in a job of kind refer"):
        simulate.run(spec)


# ---- what the tables say, as arrays


def test_references_and_ladders(tiny: Run) -> None:
    for setting, block in tiny.config.limits.settings.items():
        times, N = block.flow_times, block.problem.num_samples
        r, error, scrambles = tiny.evidence.reference(setting)
        assert tiny.evidence.flow_times(setting) == times
        assert r.shape == error.shape == (len(times), N)
        assert scrambles.shape == (block.reference.scrambles, len(times), N)
        assert (error > 0).all() and np.abs(scrambles - r).max() < 1
        risk, risk_error = tiny.evidence.risk(setting)
        assert (np.diff(risk) < 0).all(), "training lowers the risk"
        assert risk == pytest.approx(0.5 * (scrambles**2).mean((0, 2))) and (risk_error > 0).all()
        depths, ladder = tiny.evidence.ladder(setting)
        assert depths == [-1, 0, *block.ladder]
        assert ladder.shape == (block.ladder_rule.scrambles, len(depths), len(times), N)


def test_ensembles_put_their_blocks_together(tiny: Run) -> None:
    split = tiny.config.model_copy(update={"limits": tiny.config.limits.model_copy(
        update={"elements_per_job": 20_000})})
    specs = cases(split)
    # the same residuals, cut into the tables of more jobs
    tables = dict(tiny.tables)
    for name, spec in specs.items():
        if spec["kind"] == "ensemble":
            whole = pd.concat([t for n, t in tiny.tables.items() if tiny.specs[n]["kind"]
                               == "ensemble" and all(tiny.specs[n][k] == spec[k]
                                                     for k in ("sampling", "setting"))])
            tables[name] = pd.concat([whole.query(
                "num_layers == @z['num_layers'] and num_units == @z['num_units'] and "
                "0 <= replicate - @z['first_replicate'] < @z['replicates']")
                for z in spec["sizes"]])
    made = {(e.setting, e.sampling, e.num_layers, e.num_units): e
            for e in Evidence(tables, specs).ensembles}
    assert len(specs) > len(tiny.specs)
    asked = tiny.config.limits.ensembles
    assert len(made) == len(asked) == len(tiny.evidence.ensembles)
    known = {(e.setting, e.sampling, e.num_layers, e.num_units): e
             for e in tiny.evidence.ensembles}
    for e in asked:
        size = e.setting, e.sampling, e.num_layers, e.num_units
        part, whole = made[size], known[size]
        times = tiny.config.limits.settings[e.setting].flow_times
        assert part.residuals.shape[:2] == (e.replicates, len(times))
        assert part.residuals.tobytes() == whole.residuals.tobytes()
        assert whole.roles == e.roles
        assert whole.count == e.num_units * (e.num_layers if e.sampling == "independent" else 1)
        assert whole.risk == pytest.approx(0.5 * (whole.residuals**2).mean(2))


def test_predicted_covariances(tiny: Run) -> None:
    for e in tiny.evidence.with_role("constant"):
        for depth in (0, e.num_layers):
            sigma, names = tiny.evidence.covariance(e.setting, e.sampling, depth)
            assert names and {tiny.specs[name]["kind"] for name in names} == {"influence"}
            rule = tiny.config.limits.settings[e.setting].influence
            assert rule is not None
            scrambles = rule.scrambles
            assert len(sigma) == (scrambles if depth else max(2, scrambles // 2))
            assert sigma.shape[1:] == (len(e.flow_times), *[e.residuals.shape[2]] * 2)
            assert np.abs(sigma - sigma.swapaxes(2, 3)).max() < 1e-12 * np.abs(sigma).max()
            assert np.linalg.eigvalsh(sigma).min() > -1e-12 * np.abs(sigma).max()
    with pytest.raises(ValueError, match="give an ensemble of that depth the role constant"):
        tiny.evidence.covariance("sine", "path", 3)


def test_the_largest_ensembles_are_judged(tiny: Run) -> None:
    largest = tiny.evidence.largest()
    assert {(e.setting, e.sampling) for e in largest} == {
        (e.setting, e.sampling) for e in tiny.config.limits.ensembles if "constant" in e.roles}
    units = tiny.evidence.with_role("units", setting="sine", sampling="independent")
    assert [e.num_units for e in units] == sorted(e.num_units for e in units)


def test_what_is_not_there_is_named(tiny: Run) -> None:
    for match in ({"setting": "cosine"}, {}):
        with pytest.raises(ValueError, match=r"cases of kind reference match .* one is needed"):
            tiny.evidence.one("reference", **match)


def made_ladder(A: np.ndarray, B: np.ndarray, times: list[float]) -> Evidence:
    """A ladder of residuals r + A/L + B/L² exactly."""
    depths = [-1, 0, 4, 8, 16]
    r = np.stack([1.0 + (A / L + B / L**2 if L > 0 else 0.0 * A) for L in depths], 1)
    axes = {"scramble": range(len(A)), "num_layers": depths, "flow_time": times,
            "sample": range(A.shape[2])}
    spec = {"kind": "ladder", "setting": "made"}
    return Evidence({"ladder": tidy(r, axes, "residual")}, {"ladder": spec})


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
    made = Prediction(mean, np.zeros(N), sigma, 0.0, [])
    risks = made.risks(n, draws, stream("draws"))
    S = sigma / n
    assert risks.shape == (draws,) and (risks >= 0).all()
    exact = 0.5 * np.mean(mean**2 + np.diag(S))
    variance = (2 * np.trace(S @ S) + 4 * mean @ S @ mean) / (4 * N**2)
    assert risks.mean() == pytest.approx(exact, abs=4 * math.sqrt(variance / draws))
    assert risks.var() == pytest.approx(variance, rel=0.02)
    assert risks.tobytes() == made.risks(n, draws, stream("draws")).tobytes()


def test_a_prediction_is_that_of_the_wide_limit_at_its_depth(tiny: Run) -> None:
    """The jobs solve it as one network with a unit per point, here it is a cloud."""
    e = next(e for e in tiny.evidence.largest() if e.setting == "sine")
    made = tiny.evidence.prediction(e, 1)
    spec = tiny.specs["wide-sine"]
    problem = build_problem(spec)
    clouds = []
    for scramble in range(spec["rule"]["scrambles"]):
        points = sobol_rule(build_law(spec), problem.dim, spec["rule"]["log2_points"],
                            spec["seed"], "sine", "wide", scramble)
        field = MeanField(problem, euler(e.num_layers), points.shape[-1])
        run = field.run(field.start(points[None]), e.flow_times, rtol=spec["limit_rtol"])
        clouds.append(run.residuals[1, 0].numpy())
    assert made.mean == pytest.approx(np.mean(clouds, axis=0), abs=1e-9)
    sigma, names = tiny.evidence.covariance(e.setting, e.sampling, e.num_layers)
    assert made.covariance == pytest.approx(sigma[:, 1].mean(0))
    assert set(names) < set(made.sources) and 0 < made.trace_error < 1


# ---- from paths to independent layers


def separable(L: int, times: list[float]) -> pd.DataFrame:
    """G_{ll'}(κ) = (1 + s) g_l g_l' (κ + ½ κ² − ¼ κ³), with a g that is smooth in no sense."""
    kappas = np.array([0.3, 0.6, 1.0])
    t, of_kappa = np.arange(L) / L, kappas + 0.5 * kappas**2 - 0.25 * kappas**3
    g = profile(L)
    G = np.stack([of_kappa[:, None, None] * np.outer(g, g) * (1 + s) for s in times])
    return tidy(np.stack([G, 2 * G]), {"scramble": [0, 1], "flow_time": times,
                                       "correlation": list(kappas),
                                       "depth": list(t), "other_depth": list(t)},
                "covariance")


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


def test_the_curve_is_predicted_at_the_depth_of_its_networks(tiny: Run) -> None:
    """Two layers are far from their limit: both ends of the curve are the covariances of two
    layers, by another rule in θ₀, and not those of the limit."""
    smooth, pairs = tiny.specs["smooth-0"], tiny.specs["pairs"]
    assert pairs["num_layers"] == smooth["num_layers"] == tiny.config.limits.smooth.num_layers
    assert np.unique(tiny.tables["pairs"].depth) == pytest.approx(np.arange(8) / 8)
    times = [0.0, 4.0]
    table = simulate.run(pairs | {"num_layers": 2, "flow_times": times,
                                  "rule": {"log2_points": 9, "scrambles": 4}})
    predicted = simulate.run(tiny.specs["influence-sine-0"] | {
        "flow_times": times, "rule": {"log2_points": 10, "scrambles": 4},
        "parts": [{"num_layers": L, "scramble": i} for L in (0, 2) for i in range(4)]})
    on_diagonal = predicted[predicted.row == predicted.column]
    traces = on_diagonal.groupby(["flow_time", "num_layers", "sampling"]).covariance.sum() / 4
    for s in times:
        curve = smooth_prediction(table, s, [1e-9, math.inf]).mean(1) * [2, 1]
        for sampling, value in zip(("independent", "path"), curve, strict=True):
            limit, own = (traces[s, depth, sampling] for depth in (0, 2))
            assert value == pytest.approx(own, rel=0.06), (sampling, s)
            assert s == 0 or value < 0.85 * limit, (sampling, s)


# ---- estimates, verdicts, planted failures


def test_measuring_yields_every_claim(tiny: Run) -> None:
    table = estimates.check(tiny.estimates, "limits")
    assert set(table.claim) - {""} == set(CLAIMS)
    known = table[table.estimate.notna()]
    assert len(known) == len(table)
    assert (known.lower.fillna(-math.inf) <= known.estimate).all()
    assert (known.estimate <= known.upper.fillna(math.inf)).all()
    for sources in table.sources:
        assert sources and set(sources.split(";")) <= set(tiny.specs)


@EACH_CLAIM
def test_the_sources_of_a_claim_are_all_that_it_rests_on(tiny: Run, claim: Claim) -> None:
    evidence.check_sources(measure, tiny, "limits", claim.id)


def test_who_measures_which_claim_is_known_for_every_claim() -> None:
    for study in STUDIES:
        part = import_module(f"zeroloss.studies.{study}.measure")
        stated = {claim.id for claim in load_claims(ROOT / "paper" / "claims.yaml")
                  if estimates.study_of(claim.id) == study}
        assert set(part.MEASURED_BY) == stated


@EACH_CLAIM
def test_every_predicate_finds_its_rows(tiny: Run, claim: Claim) -> None:
    rows = tiny.estimates[tiny.estimates.claim == claim.id]
    for predicate in claim.predicate:
        assert any(predicate.concerns(q, c) for q, c in zip(rows.quantity, rows.cell,
                                                            strict=True)), predicate
    record = judge_claim(claim, tiny.estimates)
    minimum = claim.minimum.replicates or claim.minimum.sizes
    assert minimum is None or record["verdict"] != SUPPORTED, "tiny sizes support nothing"


def test_measuring_is_a_function_of_the_tables(tiny: Run) -> None:
    again = measure({n: t.sample(frac=1.0, random_state=1) for n, t in tiny.tables.items()},
                    tiny.specs)
    pd.testing.assert_frame_equal(again, tiny.estimates, rtol=1e-9)


def test_every_claim_has_its_planted_failure() -> None:
    assert {claim.planted_failure.name for claim in CLAIMS.values()} == set(PLANTED)
    assert len(CLAIMS) == 10


def without_decay(tiny: Run) -> dict[str, Spec]:
    """The specifications of a run that has no ensemble of role decay."""
    return {name: spec | {"sizes": [z for z in spec["sizes"] if z["roles"] != ["decay"]]}
            if spec["kind"] == "ensemble" else spec for name, spec in tiny.specs.items()}


def changes(evidence: Evidence) -> dict[str, tuple[float, set[str]]]:
    """ks_change by cell, with its sources."""
    return {r["cell"]: (r["estimate"], set(r["sources"].split(";"))) for r in law(evidence)
            if r["quantity"] == "ks_change"}


def distance(evidence: Evidence, e: Ensemble, t: int) -> float:
    return ks_distance(e.risk[:, t], predicted_risks(evidence, e, t)).value


def test_the_law_decays_from_its_own_small_networks(tiny: Run) -> None:
    """From role decay to role constant of the same depth, wherever the run has both."""
    found = changes(tiny.evidence)
    small = tiny.evidence.with_role("decay")
    assert len(small) == 6 and all(e.num_units == 4 for e in small)
    expected = {}
    for e in small:
        large = tiny.evidence.with_role("constant", setting=e.setting, sampling=e.sampling,
                                        num_layers=e.num_layers)[-1]
        for t, s in enumerate(e.flow_times):
            expected[f"{e.setting}.{e.sampling}.s{s:g}"] = (
                pytest.approx(distance(tiny.evidence, large, t) - distance(tiny.evidence, e, t)),
                {*e.sources, *large.sources, f"wide-{e.setting}",
                 *tiny.evidence.covariance(e.setting, e.sampling, e.num_layers)[1]})
    assert found == expected


def test_without_small_networks_the_law_decays_along_the_sweep(tiny: Run) -> None:
    evidence = Evidence(tiny.tables, without_decay(tiny))
    found = changes(evidence)
    assert {cell.rpartition(".")[0] for cell in found} == {"sine.independent", "sine.path"}
    for sampling in ("independent", "path"):
        sweep = evidence.with_role("units", setting="sine", sampling=sampling, num_layers=4)
        change = distance(evidence, sweep[-1], 1) - distance(evidence, sweep[0], 1)
        assert found[f"sine.{sampling}.s4"][0] == pytest.approx(change)


def test_small_networks_for_the_law_serve_nothing_else(tiny: Run) -> None:
    """Every other estimate is what it is without them."""
    without, with_them = (table.loc[table.quantity != "ks_change"].reset_index(drop=True)
                          for table in (measure(tiny.tables, without_decay(tiny)), tiny.estimates))
    pd.testing.assert_frame_equal(without, with_them, check_exact=True)


@EACH_CLAIM
def test_a_planted_failure_is_refuted(tiny: Run, claim: Claim) -> None:
    planted = PLANTED[claim.planted_failure.name](tiny.tables, tiny.specs)
    failed = judge_claim(claim, measure(planted, tiny.specs))
    assert failed["verdict"] == REFUTED, failed["reasons"]
    # not for a row alone that small sizes refute anyway
    honest = {r["key"]: r["verdict"] for r in judge_claim(claim, tiny.estimates)["rows"]}
    assert any(r["verdict"] == REFUTED != honest[r["key"]] for r in failed["rows"])


@pytest.mark.parametrize("name", NOT_ASYMPTOTIC)
def test_the_honest_run_is_not_refuted(tiny: Run, name: str) -> None:
    record = judge_claim(CLAIMS[name], tiny.estimates)
    assert record["verdict"] != REFUTED, record["reasons"]


def content(table: pd.DataFrame) -> str:
    return table.to_csv()


@pytest.mark.parametrize("name", PLANTED)
def test_planting_leaves_the_honest_tables_alone(tiny: Run, name: str) -> None:
    before = {n: content(t) for n, t in tiny.tables.items()}
    planted = PLANTED[name](tiny.tables, tiny.specs)
    assert {n: content(t) for n, t in tiny.tables.items()} == before
    assert set(planted) == set(tiny.tables)
    assert any(not planted[n].equals(t) for n, t in tiny.tables.items())


def test_the_published_settings_make_the_same_kinds_of_jobs(tiny: Run) -> None:
    config = load(ROOT / "config" / "full.yaml")
    made = cases(config)
    assert {spec["kind"] for spec in made.values()} == set(simulate.KINDS)
    assert len(made) < 200, "a job is worth its start-up"
    keys = {spec["kind"]: set(spec) for spec in made.values()}
    assert all(set(spec) == keys[spec["kind"]] for spec in tiny.specs.values())


def made_ensemble(sampling: str) -> Ensemble:
    return Ensemble("made", sampling, 8, 32, ("units",), (0.0,), np.array([[[3.0, 4.0]]]), ["one"])


def test_how_many_draws_an_ensemble_averages() -> None:
    assert made_ensemble("independent").count == 256 and made_ensemble("path").count == 32
    assert made_ensemble("path").risk.tolist() == [[6.25]]

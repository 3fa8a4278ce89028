"""Plots return the axes that they drew into, and what they show is what they were given."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zeroloss.limit import flow, predict
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.model import problem
from zeroloss.model.law import InitialLaw, sobol_rule
from zeroloss.network import ensembles
from zeroloss.network.resnet import Training
from zeroloss.notebook import plots
from zeroloss.theory.sizing import Answer, Sizes

matplotlib.use("Agg")
LAW = InitialLaw()
TIMES = [0.0, 0.5, 1.0]
SINE = problem.built_in("sine", num_samples=4, seed=0)


@pytest.fixture(scope="module")
def trained() -> Training:
    return ensembles.train(SINE, LAW, 4, 16, TIMES, replicates=40)


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def test_the_risk_has_median_band_and_limit(trained: Training, ax: Axes) -> None:
    limit = flow.solve(SINE, LAW, TIMES, accuracy=0.1, depth_nodes=3, log2_points=5)
    assert plots.risk(trained, limit, ax) is ax
    median, centre = (np.asarray(line.get_ydata()) for line in ax.get_lines()[:2])
    assert np.array_equal(median, np.median(trained.risk.numpy(), axis=1))
    assert np.array_equal(centre, limit.risk)
    entries = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert entries == ["10 to 90 % of the networks", "median of the networks", "limit, with its error"]


def test_the_law_of_the_risk_is_two_distribution_functions(trained: Training, ax: Axes) -> None:
    predicted = predict(SINE, LAW, 4, 1.0, log2_points=5, scrambles=2).law(16)
    plots.law_of_risk(trained, predicted, ax)
    measured, law = ax.get_lines()
    assert np.array_equal(np.asarray(measured.get_xdata()), np.sort(trained.risk[-1].numpy()))
    for line in (measured, law):
        heights = np.asarray(line.get_ydata())
        assert (np.diff(heights) > 0).all() and 0 < heights[0] < heights[-1] <= 1


def test_eigenvalues_are_those_of_the_kernel(ax: Axes) -> None:
    field = flow.MeanField(SINE, gauss_legendre(3), 64)
    run = field.run(field.start(sobol_rule(LAW, 2, 6, "plots")[None]), TIMES, keep=True)
    plots.eigenvalues(field, run, ax)
    drawn = np.array([line.get_ydata() for line in ax.get_lines()])
    assert run.particles is not None
    kernel = field.linearise(run.particles[1, 0]).kernel
    assert drawn[:, 1].sum() == pytest.approx(float(kernel.trace()), rel=1e-10)
    assert (np.diff(drawn, axis=0) <= 0).all(), "the largest first"


def test_an_answer_without_a_size_has_no_mark(ax: Axes) -> None:
    answers = (
        Answer("theorem", 2.0, 60.8, 50.0, ""),
        Answer("law", 0.9, 2.0, 0.0, ""),
        Answer("measured", 0.9, np.inf, np.inf, ""),
    )
    found = Sizes("mine", 8, 2, "path", 0.05, 0.1, 1.0, 0.1, 0.0, 0.0, answers, None)
    plots.sizes(found, ax)
    assert [line.get_ydata() for line in ax.get_lines()] == [[0], [1]]
    assert "no size" in [text.get_text() for text in ax.texts]


def test_a_new_figure_is_made_where_no_axes_are_given(trained: Training) -> None:
    before = set(pyplot.get_fignums())
    made = plots.risk(trained)
    assert set(pyplot.get_fignums()) - before == {made.figure.number}  # type: ignore[union-attr]
    pyplot.close("all")


def test_no_setting_of_matplotlib_is_touched(trained: Training, ax: Axes) -> None:
    before = dict(matplotlib.rcParams)
    plots.risk(trained, ax=ax)
    assert dict(matplotlib.rcParams) == before


def test_refusals_say_what_to_do(trained: Training, ax: Axes) -> None:
    single = ensembles.train(SINE, LAW, 2, 4, 1.0, replicates=2)
    with pytest.raises(ValueError, match=r"flow_times must be at least 2 .* got 1; pass several"):
        plots.risk(single, ax=ax)
    field = flow.MeanField(SINE, gauss_legendre(2), 8)
    run = field.run(field.start(sobol_rule(LAW, 2, 3, "plots")[None]), TIMES)
    with pytest.raises(ValueError, match="must have kept its particles, got none; run"):
        plots.eigenvalues(field, run, ax)

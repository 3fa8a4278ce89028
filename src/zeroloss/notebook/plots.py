"""Plots for a notebook: each draws into ``ax``, or into a new figure, and returns the Axes.

They touch no setting of matplotlib, so that they look like the other plots of their reader; colours
are seaborn's colour-blind palette, and lines differ in more than colour. The figures of the paper
are others: `figures/`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroloss.limit.flow import LimitFlow, LimitNumbers, MeanField
from zeroloss.limit.prediction import ResidualLaw
from zeroloss.network.resnet import Training
from zeroloss.theory.sizing import HEADINGS, Sizes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["eigenvalues", "law_of_risk", "risk", "sizes"]

LEVELS = (0.1, 0.9)  # of the band of an ensemble
CONFIDENCE = 0.95
BAND: dict[str, Any] = {"alpha": 0.25, "linewidth": 0}
CURVE_POINTS = 400
PATCH = {"facecolor": "white", "alpha": 0.75, "pad": 0.6, "linewidth": 0}  # under words on lines
POWER = re.compile(r"10\^([\d.]+)")


def _axes(ax: Axes | None) -> Axes:
    """The axes that were given, or those of a new figure."""
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _colours() -> list[Any]:
    from seaborn import color_palette

    return list(color_palette("colorblind"))


def risk(trained: Training, limit: LimitNumbers | None = None, ax: Axes | None = None) -> Axes:
    """Risk E of an ensemble over flow time s: median, 10 to 90 % of the networks, and the limit.

    ``trained`` has several flow times; ``limit`` shows E(ρ(s)) with its error. Raises ValueError
    for a single flow time.

    >>> from matplotlib.figure import Figure
    >>> from zeroloss.model import law, problem
    >>> from zeroloss.network import ensembles
    >>> sine = problem.built_in("sine", num_samples=8, seed=0)
    >>> trained = ensembles.train(sine, law.InitialLaw(), num_layers=4, num_units=16,
    ...                           flow_time=[0.0, 2.0, 4.0], replicates=20)
    >>> ax = risk(trained, ax=Figure().subplots())
    >>> ax.get_xlabel()
    'flow time $s$'
    >>> len(ax.get_lines()[0].get_xdata())
    3
    """
    times = np.asarray(trained.flow_times)
    if len(times) < 2:
        raise ValueError(
            f"flow_times must be at least 2 to draw the risk over them, got "
            f"{len(times)}; pass several to ensembles.train"
        )
    ax, colours = _axes(ax), _colours()
    values = trained.risk.cpu().numpy()
    low, high = np.quantile(values, LEVELS, axis=1)
    band = f"{100 * LEVELS[0]:g} to {100 * LEVELS[1]:g} % of the networks"
    ax.fill_between(times, low, high, label=band, color=colours[0], **BAND)
    ax.plot(times, np.median(values, axis=1), color=colours[0], label="median of the networks")
    if limit is not None:
        look: dict[str, Any] = {"fmt": "s--", "color": "0.2", "markersize": 4, "capsize": 2}
        ax.errorbar(limit.flow_times, limit.risk, limit.risk_error, label="limit, with its error", **look)
    ax.set(xlabel="flow time $s$", ylabel="risk $E$")
    ax.legend(frameon=False)
    return ax


def law_of_risk(trained: Training, predicted: ResidualLaw, ax: Axes | None = None, output: int = -1) -> Axes:
    """Distribution functions of the trained risk, measured and predicted, at one output time.

    The band holds the whole true distribution function with probability 95 % (Dvoretzky, Kiefer,
    Wolfowitz; Massart 1990): F_n ± √(log(2/0.05)/(2n)) for n networks.

    >>> from matplotlib.figure import Figure
    >>> from zeroloss.model import law, problem
    >>> from zeroloss.network import ensembles
    >>> from zeroloss.limit import predict
    >>> sine = problem.built_in("sine", num_samples=4, seed=0)
    >>> trained = ensembles.train(sine, law.InitialLaw(), 4, 64, flow_time=1.0, replicates=50)
    >>> predicted = predict(sine, law.InitialLaw(), 4, flow_time=1.0, log2_points=6).law(64)
    >>> ax = law_of_risk(trained, predicted, ax=Figure().subplots())
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('risk $E$ at $s = 1$', 'share of networks below')
    """
    ax, colours = _axes(ax), _colours()
    measured = np.sort(trained.risk[output].cpu().numpy())
    n = len(measured)
    half = math.sqrt(math.log(2 / (1 - CONFIDENCE)) / (2 * n))
    share = np.arange(1, n + 1) / n
    low, high = (share - half).clip(0), (share + half).clip(max=1)
    band = f"{100 * CONFIDENCE:g} % band"
    ax.fill_between(measured, low, high, step="post", label=band, color=colours[0], **BAND)
    ax.step(measured, share, where="post", color=colours[0], label=f"{n} networks")
    levels = (np.arange(CURVE_POINTS) + 0.5) / CURVE_POINTS
    ax.plot(np.quantile(predicted.risks(), levels), levels, "--", color="0.2", label="predicted")
    ax.set(xlabel=f"risk $E$ at $s = {trained.flow_times[output]:g}$", ylabel="share of networks below", ylim=(0, 1))
    ax.legend(frameon=False)
    return ax


def eigenvalues(field: MeanField, run: LimitFlow, ax: Axes | None = None) -> Axes:
    """Eigenvalues of the kernel K(s), dr/ds = −K r/N, of the first cloud of a limit run.

    ``run`` comes from ``field.run(…, keep=True)``. Values that are not above 0 to rounding are left
    out of the logarithmic axis. Raises ValueError for a run that kept no particles.

    >>> from matplotlib.figure import Figure
    >>> from zeroloss.model import law, problem
    >>> from zeroloss.limit.collocation import gauss_legendre
    >>> sine = problem.built_in("sine", num_samples=4, seed=0)
    >>> field = MeanField(sine, gauss_legendre(3), 64)
    >>> cloud = law.sobol_rule(law.InitialLaw(), sine.dim, 6, "example")
    >>> run = field.run(field.start(cloud[None]), [0.0, 1.0, 2.0], keep=True)
    >>> len(eigenvalues(field, run, ax=Figure().subplots()).get_lines())  # one for each sample
    4
    """
    if run.particles is None:
        raise ValueError("the run must have kept its particles, got none; run the field with keep=True")
    ax, colours = _axes(ax), _colours()
    values = np.array(
        [np.linalg.eigvalsh(field.linearise(theta[0]).kernel.cpu().numpy())[::-1] for theta in run.particles]
    )
    values[values <= np.finfo(np.float64).eps * values.max()] = np.nan
    for i, line in enumerate(values.T):
        ax.plot(run.flow_times, line, color=colours[0], linewidth=1.6 if i == 0 else 0.8, alpha=1.0 if i == 0 else 0.6)
    ax.set(yscale="log", xlabel="flow time $s$", ylabel="eigenvalues of the kernel $K(s)$")
    return ax


def sizes(found: Sizes, ax: Axes | None = None) -> Axes:
    """The number of weights that each of the four answers asks for, with its layers and units.

    An answer that no size satisfies stands without a mark.

    >>> from matplotlib.figure import Figure
    >>> from zeroloss.theory.sizing import Answer
    >>> answers = (Answer("theorem", 2.0, 40.0, 30.0, ""), Answer("law", 0.9, 2.0, -1.0, ""))
    >>> found = Sizes("mine", 8, 2, "independent", 0.05, 0.1, 1.0, 0.11, 0.001, 0.01, answers, None)
    >>> ax = sizes(found, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['theorem', 'law']
    """
    from matplotlib.ticker import MaxNLocator

    ax, colours = _axes(ax), _colours()
    shown = [dict(zip(HEADINGS, line, strict=True)) for line in found.lines()]
    names = [line["answer"] for line in shown]
    weights = [found.log10_weights(name) for name in names]
    middle = max((x for x in weights if math.isfinite(x)), default=0.0) / 2
    for i, (x, line) in enumerate(zip(weights, shown, strict=True)):
        if math.isfinite(x):
            ax.plot([x], [i], "o", color=colours[0])
            text = POWER.sub(r"$10^{\1}$", f"{line['layers']} layers, {line['units']} units")
            # words run towards the middle, never out of the axes
            offset, side = ((4, 7), "right") if x > middle else ((0, 7), "left")
            place = {"xytext": offset, "textcoords": "offset points", "ha": side, "va": "bottom"}
            ax.annotate(text, (x, i), bbox=PATCH, **place)
        else:
            ax.annotate("no size", (0.02, i), xycoords=("axes fraction", "data"), va="center")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlim=(0.0, 2.2 * middle + 1.0), ylim=(len(names) - 0.5, -0.6), xlabel="weights asked for")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
    ax.grid(True, axis="x", linewidth=0.4, color="0.9")
    ax.set_axisbelow(True)
    return ax

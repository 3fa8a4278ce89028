"""Figures of the study `zero_loss`: the risk to the floor, its law, the kernel through training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from figures import style
from figures.zero_loss_density import density
from figures.zero_loss_law import law
from ledger.paper.drawing import Frames
from zeroloss.model.kernel import log_certificate
from zeroloss.studies.zero_loss.measure import MODELS, run_of
from zeroloss.studies.zero_loss.plan import Flow

Array = np.ndarray
CERTIFIED = "tanh"  # the activation whose certificate and kernel are drawn
RANKS = {"largest": 1.0, "median": 0.5, "least": 0.0}  # quantiles of the eigenvalues
EARLIEST = 0.1  # training time at which the logarithmic axes begin


def _panels(frames: Frames, height: float) -> tuple[Figure, list[Axes], list[tuple[Flow, pd.DataFrame]]]:
    """One panel per setting, two in a row."""
    cases = [(case, table) for _, case, table in frames.run.of(Flow)]
    names = [case.setting for case, _ in cases]
    rows = [names[i : i + 2] for i in range(0, len(names), 2)]
    if len(rows[-1]) < len(rows[0]):
        rows[-1] = [*rows[-1], "."]
    figure, axes = style.canvas(rows, height)
    style.names(axes, {case.setting: f"{case.setting}, $N={case.problem.num_samples}$" for case, _ in cases})
    for row in rows:
        axes[row[0]].set_ylabel("risk $E$")
    for name in names[-2:]:
        axes[name].set_xlabel("training time $s$")
    return figure, [axes[name] for name in names], cases


def _shown(run: dict[str, Array], floor: float) -> Array:
    """From the first time of the axis to the floor, below which the risk is round-off."""
    return (run["flow_time"] >= EARLIEST) & (run["risk"] >= floor)


def risk(frames: Frames) -> Figure:
    """The risk of limit and networks down to the floor, and the certificate of one activation."""
    figure, panels, cases = _panels(frames, 5.0)
    colours = style.by_colour([training.activation for training in cases[0][0].flows])
    markers = dict(zip(colours, style.MARKERS, strict=False))
    for ax, (case, table) in zip(panels, cases, strict=True):
        for training in case.flows:
            of_it = table.loc[table.activation == training.activation]
            for model in MODELS:
                run = run_of(of_it, model, 0)
                seen = _shown(run, case.floor)
                times, colour = run["flow_time"][seen], colours[training.activation]
                ax.plot(times, run["risk"][seen], style.MODELS[model], color=colour, zorder=3)
                end = {
                    "marker": markers[training.activation],
                    "markerfacecolor": colour if model == "limit" else "white",
                }
                ax.plot(times[-1:], run["risk"][seen][-1:], color=colour, markersize=3.5, zorder=5, **end)
                if training.activation == CERTIFIED and model == "limit":
                    smallest, count = run["eigenvalue"][:, 0], run["eigenvalue"].shape[1]
                    bound = run["risk"][0] * np.exp(log_certificate(run["flow_time"], smallest, count))
                    ax.plot(times, bound[seen], ":", color="0.25", linewidth=1.3, zorder=4)
        ax.set(xscale="log", yscale="log", ylim=(0.1 * case.floor, 1.0))
        ax.yaxis.set_major_locator(LogLocator(numticks=8))
    certificate = style.entry(f"certificate of the limit, {CERTIFIED}", color="0.25", linestyle=":")
    entries = [style.entry(style.ACTIVATIONS[name], colours[name], "-", markers[name]) for name in colours]
    style.legend(figure, entries, [*style.models(), certificate])
    return figure


def spectrum(frames: Frames) -> Figure:
    """Least, median and largest eigenvalue of the kernel K(s) through training, of limit and network."""
    figure, panels, cases = _panels(frames, 4.4)
    colours = style.by_colour([*RANKS])
    for ax, (case, table) in zip(panels, cases, strict=True):
        shown = table.loc[table.activation == CERTIFIED]
        if shown.empty:
            style.missing(ax, CERTIFIED)
            continue
        for model in MODELS:
            run = run_of(shown, model, 0)
            seen = _shown(run, case.floor)
            for name, share in RANKS.items():
                values = np.quantile(run["eigenvalue"][seen], share, axis=1)
                ax.plot(run["flow_time"][seen], values, style.MODELS[model], color=colours[name])
        ax.set(xscale="log", yscale="log", ylabel="" if ax.get_ylabel() == "" else "eigenvalues of $K(s)$")
    style.legend(figure, style.lines(colours, "{} eigenvalue"), style.models())
    return figure


FIGURES = {"risk": risk, "spectrum": spectrum, "density": density, "law": law}

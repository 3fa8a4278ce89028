"""The training flow of the limit itself: features over depth, particles of ρ."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from scipy.interpolate import BarycentricInterpolator

from figures import style
from figures.limits_data import evidence_of
from ledger.paper.drawing import Frames
from ledger.record.tidy import untidy
from zeroloss.studies.limits.evidence import Evidence
from zeroloss.studies.limits.plan import Portrait

Array = np.ndarray
SHOWN_PARTICLES = 1024  # the first points of a Sobol rule are a rule themselves
CURVE_POINTS = 80


def flow(frames: Frames) -> Figure:
    """Features over depth, and particles at mid-depth, at several training times."""
    _, case, table = frames.run.one(Portrait)
    evidence, times = evidence_of(frames, case.setting), list(case.flow_times)
    parts = dict(tuple(table.groupby("what")))
    features, labels = untidy(parts["feature"], ["flow_time", "depth", "index", "coordinate"], "value")
    particles, _ = untidy(parts["particle"], ["flow_time", "index", "coordinate"], "value")
    top, bottom = ([f"{row} {i}" for i in range(len(times))] for row in ("z", "rho"))
    figure, axes = style.canvas([top, bottom], 4.3)
    targets = _targets(evidence, case.setting, times, features)
    _feature_panels(figure, [axes[name] for name in top], features, labels["depth"], targets)
    _particle_panels(figure, [axes[name] for name in bottom], particles[:, :SHOWN_PARTICLES], features.shape[-1])
    for name, s in zip(top, times, strict=True):
        axes[name].set_title(style.time_label(s))
    if targets is not None:
        style.legend(figure, [style.entry("target $y$ of the sample of that colour", marker="x")])
    return figure


def _targets(evidence: Evidence, setting: str, times: list[float], features: Array) -> Array | None:
    """y = Z(1) − r if the last feature is what is read out, None if the residuals deny it."""
    known = evidence.flow_times(setting)
    shared = [s for s in times if s in known]
    if not shared:
        return None
    r = evidence.reference(setting)[0]
    y = np.stack([features[times.index(s), -1, :, -1] - r[known.index(s)] for s in shared])
    return y.mean(0) if np.ptp(y, axis=0).max() < 0.05 * np.ptp(y) else None


def _feature_panels(figure: Figure, axes: list[Axes], features: Array, depth: Array, targets: Array | None) -> None:
    """The last feature of every sample over depth, one panel per training time.

    Between its nodes a feature is the polynomial of the collocation, and is drawn as such.
    """
    inputs = features[0, 0, :, 0]
    # the light end of the map would be lost on white paper
    dark = ListedColormap(sns.color_palette("viridis", 256)[:225])
    colours = ScalarMappable(Normalize(inputs.min(), inputs.max()), dark)
    t = np.linspace(0.0, 1.0, CURVE_POINTS)
    for ax, z in zip(axes, features[..., -1], strict=True):
        curves = BarycentricInterpolator(depth, z)(t)
        for i, x in enumerate(inputs):
            ax.plot(t, curves[:, i], color=colours.to_rgba(x))
            if targets is not None:
                ax.plot([1.0], [targets[i]], "x", color=colours.to_rgba(x), markersize=4, clip_on=False)
        ax.set(xlabel="depth $t$", xticks=[0.0, 0.5, 1.0], xticklabels=["0", "½", "1"])
    style.share_rows(axes)
    axes[0].set_ylabel(f"feature $Z_{{{features.shape[-1]}}}(t)$")
    figure.colorbar(colours, ax=axes, label="input $x_1$", aspect=25, pad=0.01)


def _particle_panels(figure: Figure, axes: list[Axes], particles: Array, dim: int) -> None:
    """Particles (w₁, a_d), one panel per training time, coloured by where they started."""
    start = particles[0, :, dim - 1]
    bound = 1.3 * float(np.quantile(np.abs(start), 0.98))  # the map is light at its ends
    norm = Normalize(-bound, bound)
    shown = None
    for ax, theta in zip(axes, particles, strict=True):
        shown = ax.scatter(
            theta[:, dim], theta[:, dim - 1], s=3, linewidths=0, rasterized=True, c=start, cmap="icefire", norm=norm
        )
        ax.set_xlabel("weight $w_1$")
    reach = 1.05 * np.abs(particles[:, :, [dim, dim - 1]]).max((0, 1))
    for ax in axes:
        ax.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
    style.share_rows(axes)
    axes[0].set_ylabel(f"output weight $a_{{{dim}}}$")
    if shown is not None:
        figure.colorbar(shown, ax=axes, label=f"$a_{{{dim}}}$ at the start", aspect=25, pad=0.01)

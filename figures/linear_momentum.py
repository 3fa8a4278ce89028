"""The figure of `linear` on momentum: contraction against the condition number, and the width."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures import style
from ledger.paper.drawing import Frames
from zeroloss.studies.linear.accelerated import METHODS
from zeroloss.studies.linear.measure import wide_form
from zeroloss.studies.linear.plan import Momentum

TITLES = {
    "deep": "deep linear",
    "resnet": "ResNet, $1/L$",
    "resnet-root": r"ResNet, $1/\sqrt{L}$",
    "relu": "two-layer ReLU",
}
NAMES = {"descent": "gradient descent", "nesterov": "Nesterov", "heavy-ball": "heavy ball"}
LEAST = 1e-6  # of the relative errors that are shown


def momentum(frames: Frames) -> Figure:
    """Rates of contraction against κ, measured and predicted; the error of the prediction against
    the width, the worst of all replicates."""
    in_run = {case.architecture: (case, table) for _, case, table in frames.run.of(Momentum)}
    shown = {name: in_run[name] for name in TITLES if name in in_run}
    figure, axes = style.canvas([[f"rate-{a}" for a in shown], [f"width-{a}" for a in shown]], 4.2)
    colours = style.by_colour(METHODS)
    for architecture, (case, table) in shown.items():
        wide = wide_form(table)
        rate, width = axes[f"rate-{architecture}"], axes[f"width-{architecture}"]
        for method, marker in zip(METHODS, style.MARKERS, strict=False):
            part = wide.loc[(wide.method == method) & (wide.sweep == "conditions")]
            mean = part.groupby("condition")[["rate", "rate_predicted"]].mean()
            rate.plot(mean.index, mean.rate, marker, color=colours[method], markersize=3.5)
            rate.plot(mean.index, mean.rate_predicted, color=colours[method], linewidth=0.8)
            part = wide.loc[(wide.method == method) & (wide.sweep == "widths")]
            worst = (part.distance - 1).abs().groupby(part.width).max().clip(lower=LEAST)
            width.plot(worst.index, worst, marker=marker, color=colours[method], markersize=3.5)
        tolerance = 0.05 if architecture == "relu" else 0.02
        width.axhline(tolerance, color="0.5", linewidth=0.8, linestyle=":")
        width.axvline(case.stated_width, color="0.5", linewidth=0.8, linestyle=":")
        rate.set(xscale="log", yscale="log")
        width.set_xscale("log", base=2)
        width.set(yscale="log", xlabel="width $M$")
        rate.set_xlabel(r"condition number $\kappa$")
    for row, label in (("rate", r"rate $-\log\rho$ per iteration"), ("width", "error of the prediction")):
        panels = [axes[f"{row}-{a}"] for a in shown]
        style.share_rows(panels)
        panels[0].set_ylabel(label)
    style.names(axes, {f"rate-{a}": TITLES[a] for a in shown})
    methods = map(style.entry, NAMES.values(), colours.values(), ["none"] * len(NAMES), style.MARKERS)
    lines = style.entry("predicted", linestyle="-"), style.entry("tolerance and stated width", "0.5", ":")
    style.legend(figure, [*methods], lines)
    return figure

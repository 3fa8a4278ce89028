"""The estimates of `limits` and its negative controls: each stands beside what it is about."""

from zeroloss.studies.limits.law import (
    bias_a_hundredfold,
    constant,
    engines,
    law,
    layers_mistaken_for_independent,
    loss_bias,
    risk,
    to_limit,
    untrained_influence,
)
from zeroloss.studies.limits.paths import (
    admissible,
    brownian_as_lipschitz,
    correlation_ignored,
    smooth,
)
from zeroloss.studies.limits.rates import (
    branches_by_root,
    depth,
    redrawn_layers,
    second_order_layers,
    width_independent,
    width_path,
)
from zeroloss.studies.limits.routes import (
    commute,
    energy,
    half_dissipation,
    reference_at_another_time,
)

__all__ = ["admissible", "bias_a_hundredfold", "branches_by_root", "brownian_as_lipschitz",
           "commute", "constant", "correlation_ignored", "depth", "energy", "engines",
           "half_dissipation", "law", "layers_mistaken_for_independent", "loss_bias",
           "redrawn_layers", "reference_at_another_time", "risk", "second_order_layers", "smooth",
           "to_limit", "untrained_influence", "width_independent", "width_path"]

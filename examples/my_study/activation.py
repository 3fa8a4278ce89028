"""softplus(u) = log(1 + e^u): smooth, with bounded slope and curvature."""

import torch
from torch.nn.functional import softplus

from zeroloss.model.block import Activation, register

register(
    Activation(
        "softplus",
        softplus,
        torch.sigmoid,
        lambda u: torch.sigmoid(u) * torch.sigmoid(-u),
        sup_value=torch.inf,
        sup_slope=1.0,
        sup_curvature=0.25,
    )
)

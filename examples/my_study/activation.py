"""softplus(u) = log(1 + e^u): smooth, with bounded slope and curvature."""

from torch import inf, sigmoid
from torch.nn.functional import softplus

from zeroloss.model.block import Activation, register

bounds = {"sup_value": inf, "sup_slope": 1.0, "sup_curvature": 0.25}
register(Activation("softplus", softplus, sigmoid, lambda u: sigmoid(u) * sigmoid(-u), **bounds))

"""The residual block f(z, θ) = a σ(w·z + b): activations and derivatives.

Written once, used by the finite network and by its limits. Parameters of a layer are stored
with the units innermost, ``theta`` (…, dim_theta, units) with rows (a, w, b) and
dim_theta = 2 dim + 1: every kernel then runs along contiguous memory over the units.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zeroloss.model.catalogue import dim_theta

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "dim_theta",
    "field",
    "jacobian",
    "preactivation",
    "push",
    "register",
    "split",
    "theta_gradient",
    "values",
]

_SQRT_HALF = math.sqrt(0.5)
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
REGULARISED_RELU_WIDTH = 0.5


@dataclass(frozen=True)
class Activation:
    """σ with σ' and σ'', elementwise, and the constants of σ used in bounds.

    ``slope_of_value`` is set where σ' is a function of σ (tanh, sigmoid): training then stores
    one array per layer instead of two. ``sup_value``, ``sup_slope``, ``sup_curvature`` bound
    |σ|, |σ'|, |σ''| on the line (``inf`` where there is no bound).
    """

    name: str
    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor]
    sup_value: float
    sup_slope: float
    sup_curvature: float
    slope_of_value: Callable[[Tensor], Tensor] | None = None


def _tanh_slope_of_value(h: Tensor) -> Tensor:
    return torch.addcmul(torch.ones((), dtype=h.dtype, device=h.device), h, h, value=-1.0)


def _tanh_curvature(u: Tensor) -> Tensor:
    h = torch.tanh(u)
    return -2.0 * h * (1.0 - h * h)


def _sigmoid(u: Tensor) -> Tensor:
    # torch.sigmoid rounds an element by its place in the batch, exp does not
    return torch.exp(-u).add_(1.0).reciprocal_()


def _sigmoid_curvature(u: Tensor) -> Tensor:
    h = _sigmoid(u)
    return h * (1.0 - h) * (1.0 - 2.0 * h)


def _normal_cdf(u: Tensor) -> Tensor:
    return 0.5 * (1.0 + torch.erf(u * _SQRT_HALF))


def _normal_pdf(u: Tensor) -> Tensor:
    return _INV_SQRT_2PI * torch.exp(-0.5 * u * u)


def _regularised_relu(u: Tensor) -> Tensor:
    c = REGULARISED_RELU_WIDTH
    return torch.where(u > c, u, (u + c).clamp_min(0.0) ** 2 / (4.0 * c))


def _regularised_relu_slope(u: Tensor) -> Tensor:
    c = REGULARISED_RELU_WIDTH
    return ((u + c) / (2.0 * c)).clamp(0.0, 1.0)


def _regularised_relu_curvature(u: Tensor) -> Tensor:
    c = REGULARISED_RELU_WIDTH
    return torch.where(u.abs() < c, 1.0 / (2.0 * c), 0.0).to(u.dtype)


# sup|GELU'| is at u = √2, sup|GELU''| at 0: GELU'' = φ(u)(2 − u²).
_GELU_SUP_SLOPE = 0.5 * (1.0 + math.erf(1.0)) + math.sqrt(2.0) * _INV_SQRT_2PI * math.exp(-1.0)


class _Activations(dict[str, Activation]):
    """Activations by name; for an unknown one the error says which there are."""

    def __missing__(self, name: str) -> Activation:
        raise ValueError(f"activation must be one of {', '.join(self)}, got {name!r}; choose one, or register yours")


ACTIVATIONS: dict[str, Activation] = _Activations(
    (activation.name, activation)
    for activation in (
        Activation(
            "tanh",
            torch.tanh,
            lambda u: _tanh_slope_of_value(torch.tanh(u)),
            _tanh_curvature,
            1.0,
            1.0,
            4.0 / (3.0 * math.sqrt(3.0)),
            slope_of_value=_tanh_slope_of_value,
        ),
        Activation(
            "sigmoid",
            _sigmoid,
            lambda u: _sigmoid(u) * (1.0 - _sigmoid(u)),
            _sigmoid_curvature,
            1.0,
            0.25,
            1.0 / (6.0 * math.sqrt(3.0)),
            slope_of_value=lambda h: h * (1.0 - h),
        ),
        Activation(
            "gelu",
            lambda u: u * _normal_cdf(u),
            lambda u: _normal_cdf(u) + u * _normal_pdf(u),
            lambda u: _normal_pdf(u) * (2.0 - u * u),
            math.inf,
            _GELU_SUP_SLOPE,
            2.0 * _INV_SQRT_2PI,
        ),
        # 2-homogeneous blocks; σ' jumps at 0, so that σ'' has no bound in Lipschitz' sense
        Activation(
            "relu", lambda u: u.clamp_min(0.0), lambda u: (u > 0).to(u.dtype), torch.zeros_like, math.inf, 1.0, math.inf
        ),
        Activation(
            "relu2",
            lambda u: u.clamp_min(0.0) ** 2,
            lambda u: 2.0 * u.clamp_min(0.0),
            lambda u: 2.0 * (u > 0).to(u.dtype),
            math.inf,
            math.inf,
            2.0,
        ),
        Activation(
            "regularised-relu",
            _regularised_relu,
            _regularised_relu_slope,
            _regularised_relu_curvature,
            math.inf,
            1.0,
            1.0 / (2.0 * REGULARISED_RELU_WIDTH),
        ),
        Activation("identity", lambda u: u.clone(), torch.ones_like, torch.zeros_like, math.inf, 1.0, 0.0),
    )
)


def register(activation: Activation) -> None:
    """Make an activation known by its name, for an extension; torch runs it, not the engine.

    Raises ValueError if the name is taken.
    """
    if activation.name in ACTIVATIONS:
        raise ValueError(
            f"activation must have a name of its own, got {activation.name}; choose "
            f"another than {', '.join(ACTIVATIONS)}"
        )
    ACTIVATIONS[activation.name] = activation


def split(theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The views a (…, d, units), w (…, d, units), b (…, 1, units) of ``theta``."""
    d = (theta.shape[-2] - 1) // 2
    return theta[..., :d, :], theta[..., d : 2 * d, :], theta[..., 2 * d :, :]


def preactivation(z: Tensor, theta: Tensor) -> Tensor:
    """u = w·z + b: z (…, samples, dim), theta (…, dim_theta, units) -> (…, samples, units)."""
    _, w, b = split(theta)
    return z @ w + b


def values(u: Tensor, activation: Activation) -> tuple[Tensor, Tensor]:
    """σ(u) and σ'(u), each like u."""
    sigma, of_value = activation.value(u), activation.slope_of_value
    return sigma, of_value(sigma) if of_value is not None else activation.slope(u)


def field(sigma: Tensor, theta: Tensor, weights: Tensor) -> Tensor:
    """F = Σ_m ω_m f(z, θ_m): from σ (…, samples, units), with ω (units,), (…, samples, dim)."""
    a, _, _ = split(theta)
    return sigma @ (weights * a).mT


def jacobian(slope: Tensor, theta: Tensor, weights: Tensor) -> Tensor:
    """∂_z F = Σ_m ω_m σ'_m a_m w_mᵀ: from σ' (…, samples, units), (…, samples, dim, dim)."""
    a, w, _ = split(theta)
    d = a.shape[-2]
    outer = ((weights * a).unsqueeze(-2) * w.unsqueeze(-3)).flatten(-3, -2)  # (…, d d, units)
    return (slope @ outer.mT).unflatten(-1, (d, d))


def push(p: Tensor, theta: Tensor, slope: Tensor) -> Tensor:
    """∂_u pᵀf = (p·a) σ': adjoint p (…, samples, dim), σ' (…, samples, units) -> like σ'."""
    a, _, _ = split(theta)
    return (p @ a) * slope


def theta_gradient(z: Tensor, p: Tensor, sigma: Tensor, pushed: Tensor) -> Tensor:
    """Σ over samples of pᵀ ∂_θ f(z, θ), rows (a, w, b): (…, dim_theta, units).

    z, p (…, samples, dim); sigma and pushed (…, samples, units) are σ and ``push`` at z.
    """
    return torch.cat([p.mT @ sigma, z.mT @ pushed, pushed.sum(-2, keepdim=True)], dim=-2)

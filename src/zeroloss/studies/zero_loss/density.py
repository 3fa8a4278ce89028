"""Simulations of `zero_loss` that solve the mean-field equation twice: for a density, by particles.

One problem with one feature and the block a σ(z + b), so that the density lives on a plane; the
target y = x + c x³ is monotone, as it must be where features move on a line.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch

from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.density import Density, DensityFlow
from zeroloss.limit.distance import deposit, wasserstein
from zeroloss.limit.finite_volumes import Grid
from zeroloss.limit.flow import LimitFlow
from zeroloss.limit.shifts import Shifts, lattice
from zeroloss.model.problem import Problem, problem
from zeroloss.studies.setup import build_law
from ledger.record.tidy import tidy

__all__ = ["COLUMNS", "density", "weak_form"]

Spec = dict[str, Any]
Array = np.ndarray
COLUMNS = ["solver", "cells", "flow_time", "index", "quantity", "value"]
# wave vectors κ of the test functions cos κ·θ and sin κ·θ: a dozen, along both axes and across
WAVES = np.array([(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2)], dtype=np.float64)
SOLVERS = {"density": "van-leer", "upwind": "first-order"}  # the second to compare with


def _problem(spec: Spec) -> Problem:
    low, high = spec["inputs"]
    x = np.linspace(low, high, spec["num_samples"])
    return problem(spec["setting"], x, x + spec["cubic"] * x**3)


def _grid(spec: Spec, cells: int) -> Grid:
    return Grid(tuple(spec["box_a"]), tuple(spec["box_b"]), (cells, cells))


def _scheme(spec: Spec, cells: int, kind: type[Density], limiter: str) -> Density:
    return kind(_problem(spec), gauss_legendre(spec["depth_nodes"]), _grid(spec, cells),
                spec["activation"], limiter=limiter, waves=WAVES)


def _flow(spec: Spec, cells: int, kind: type[Density], limiter: str = "van-leer") -> DensityFlow:
    scheme = _scheme(spec, cells, kind, limiter)
    return scheme.run(scheme.start(scheme.grid.averages(build_law(spec))), spec["flow_times"])


def _particles(spec: Spec, cells: int, flow_times: list[float]) -> tuple[Shifts, LimitFlow, Array]:
    """A lattice of cells × cells particles: field, flow, particles (outputs, n, 3, particles)."""
    points, weights = lattice(build_law(spec), _grid(spec, cells))
    field = Shifts(_problem(spec), gauss_legendre(spec["depth_nodes"]), torch.from_numpy(weights),
                   spec["activation"])
    flow = field.run(field.start(points[None]), flow_times, rtol=spec["rtol"], keep=True)
    assert flow.particles is not None
    return field, flow, flow.particles[:, 0].numpy()


def _deposits(spec: Spec, flow: DensityFlow, cells: int) -> Array:
    """(outputs, n, support + 2, support + 2) of a density."""
    grid, coarse = _grid(spec, cells), _grid(spec, spec["support"])
    a, b = (x.ravel() for x in np.meshgrid(grid.centres(0), grid.centres(1), indexing="ij"))
    return np.array([[deposit(a, b, rho.ravel() * grid.area, coarse) for rho in nodes]
                     for nodes in flow.rho])


def density(spec: Spec) -> pd.DataFrame:
    """Densities on finer and finer grids and a lattice of particles, with their distances.

    Columns: solver (density, upwind: the same without slopes, particles), cells per axis,
    flow_time, index, quantity, value. Quantities: residual (index: sample), risk, dissipated,
    mass-defect, minimum, edge-mass (0); w1, the Wasserstein distance to the finest particles
    (index: depth node); deposit, of the last depth node (index: point of the support).
    """
    coarse, frames = _grid(spec, spec["support"]), []
    deposits: dict[tuple[str, int], Array] = {}
    for cells in (spec["lattice"] // 2, spec["lattice"]):
        field, flow, theta = _particles(spec, cells, spec["flow_times"])
        mass = field.cloud.weights.numpy()
        deposits["particles", cells] = np.array(
            [[deposit(a, b, mass, coarse) for a, _, b in nodes] for nodes in theta])
        frames += _rows(spec, "particles", cells, {
            "residual": flow.residuals[:, 0].numpy(), "risk": flow.risk.numpy(),
            "dissipated": flow.dissipated.numpy()})
    for solver, limiter in SOLVERS.items():
        for cells in spec["cells"]:
            made = _flow(spec, cells, Density, limiter)
            deposits[solver, cells] = _deposits(spec, made, cells)
            frames += _rows(spec, solver, cells, {
                "residual": made.residuals, "risk": made.risk, "dissipated": made.dissipated,
                "mass-defect": made.mass_defect, "minimum": made.minimum,
                "edge-mass": made.edge_mass})
    exact = deposits["particles", spec["lattice"]]
    for (solver, cells), found in deposits.items():
        if (solver, cells) != ("particles", spec["lattice"]):
            w1 = [[wasserstein(*pair, coarse) for pair in zip(*nodes, strict=True)]
                  for nodes in zip(found, exact, strict=True)]
            frames += _rows(spec, solver, cells, {"w1": np.array(w1)})
    for pair in (("particles", spec["lattice"]), ("density", spec["cells"][-1])):
        last = deposits[pair][:, -1]
        frames += _rows(spec, *pair, {"deposit": last.reshape(len(last), -1)})
    return pd.DataFrame(pd.concat(frames, ignore_index=True), columns=COLUMNS)


def _rows(spec: Spec, solver: str, cells: int, parts: dict[str, Array],
          flow_times: list[float] | None = None) -> list[pd.DataFrame]:
    """Arrays (outputs, …) as rows; the axes after the first are numbered as one."""
    times = spec["flow_times"] if flow_times is None else flow_times
    frames = []
    for name, part in parts.items():
        flat = part.reshape(len(times), -1)
        axes = {"flow_time": times, "index": range(flat.shape[1])}
        frames.append(tidy(flat, axes, "value", solver=solver, cells=cells, quantity=name))
    return frames


def weak_form(spec: Spec, kind: type[Density] = Density) -> pd.DataFrame:
    """Both sides of d/ds ∫ φ dρ = −∫ ∇φ·∇_θ δE/δρ dρ, integrated over s, for a dozen φ.

    Columns as of ``density``; at each flow time after the start, quantities moved, |∫ φ dρ| minus
    its start, and defect, the modulus of what the right-hand side leaves (index: node and wave).
    """
    times, frames = spec["flow_times"], []
    for cells in spec["cells"]:
        flow = _flow(spec, cells, kind)
        frames += _sides(spec, "density", cells, flow.waves, flow.balance)
    # of the particles, the integral over s is one of Gauss between each two outputs
    nodes, shares = np.polynomial.legendre.leggauss(spec["quadrature"])
    between = [[low + (high - low) * (1 + x) / 2 for x in nodes] for low, high in pairwise(times)]
    every = sorted({*times, *(s for part in between for s in part)})
    field, _, theta = _particles(spec, spec["lattice"], every)
    seen = {s: field.weak(torch.from_numpy(cloud), WAVES)
            for s, cloud in zip(every, theta, strict=True)}
    balance = [np.zeros_like(seen[times[0]].rate)]
    for (low, high), part in zip(pairwise(times), between, strict=True):
        gained = sum(share * seen[s].rate for share, s in zip(shares, part, strict=True))
        balance.append(balance[-1] + (high - low) / 2 * gained)
    frames += _sides(spec, "particles", spec["lattice"],
                     np.array([seen[s].waves for s in times]), np.array(balance))
    return pd.DataFrame(pd.concat(frames, ignore_index=True), columns=COLUMNS)


def _sides(spec: Spec, solver: str, cells: int, waves: Array, balance: Array
           ) -> list[pd.DataFrame]:
    moved = waves[1:] - waves[0]
    parts = {"moved": np.abs(moved), "defect": np.abs(moved - balance[1:] + balance[0])}
    return _rows(spec, solver, cells, parts, spec["flow_times"][1:])

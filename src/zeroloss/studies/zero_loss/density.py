"""Simulations of `zero_loss` that solve the mean-field equation twice: for a density, by particles.

One problem with one feature and the block a σ(z + b), so that the density lives on a plane; the
target y = x + c x³ is monotone, as it must be where features move on a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from ledger.record.tidy import tidy
from ledger.study import job
from zeroloss.limit.collocation import gauss_legendre
from zeroloss.limit.density import Density, DensityFlow
from zeroloss.limit.distance import deposit, wasserstein
from zeroloss.limit.finite_volumes import Grid
from zeroloss.limit.flow import LimitFlow
from zeroloss.limit.shifts import Shifts, lattice
from zeroloss.model.problem import Problem, problem
from zeroloss.studies.setup import build_law
from zeroloss.studies.zero_loss import plan

Array = np.ndarray
Tables = Iterator[pd.DataFrame]
Twice = plan.Density | plan.WeakForm
COLUMNS = ["solver", "cells", "flow_time", "index", "quantity", "value"]
# wave vectors κ of the test functions cos κ·θ and sin κ·θ: a dozen, along both axes and across
WAVES = np.array([(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2)], dtype=np.float64)
SOLVERS = {"density": "van-leer", "upwind": "first-order"}  # the second to compare with


def _problem(case: Twice) -> Problem:
    low, high = case.inputs
    x = np.linspace(low, high, case.num_samples)
    return problem(case.setting, x, x + case.cubic * x**3)


def _grid(case: Twice, cells: int) -> Grid:
    return Grid(case.box_a, case.box_b, (cells, cells))


def _flow(case: Twice, cells: int, kind: type[Density], limiter: str = "van-leer") -> DensityFlow:
    scheme = kind(
        _problem(case),
        gauss_legendre(case.depth_nodes),
        _grid(case, cells),
        case.activation,
        limiter=limiter,
        waves=WAVES,
    )
    start = scheme.start(scheme.grid.averages(build_law(case.initial_law)))
    return scheme.run(start, case.flow_times)


def _particles(case: Twice, cells: int, flow_times: Sequence[float]) -> tuple[Shifts, LimitFlow, Array]:
    """A lattice of cells × cells particles: field, flow, particles (outputs, n, 3, particles)."""
    points, weights = lattice(build_law(case.initial_law), _grid(case, cells))
    field = Shifts(_problem(case), gauss_legendre(case.depth_nodes), torch.from_numpy(weights), case.activation)
    flow = field.run(field.start(points[None]), flow_times, rtol=case.rtol, keep=True)
    assert flow.particles is not None
    return field, flow, flow.particles[:, 0].numpy()


def _deposits(case: Twice, flow: DensityFlow, cells: int) -> Array:
    """(outputs, n, support + 2, support + 2) of a density."""
    grid, coarse = _grid(case, cells), _grid(case, case.support)
    a, b = (x.ravel() for x in np.meshgrid(grid.centres(0), grid.centres(1), indexing="ij"))
    return np.array([[deposit(a, b, rho.ravel() * grid.area, coarse) for rho in nodes] for nodes in flow.rho])


@job(plan.Density)
def density(case: plan.Density) -> Tables:
    """Densities on finer and finer grids and a lattice of particles, with their distances.

    Columns: solver (density, upwind: the same without slopes, particles), cells per axis,
    flow_time, index, quantity, value. Quantities: residual (index: sample), risk, dissipated,
    mass-defect, minimum, edge-mass (0); w1, the Wasserstein distance to the finest particles
    (index: depth node); deposit, of the last depth node (index: point of the support).
    """
    coarse = _grid(case, case.support)
    deposits: dict[tuple[str, int], Array] = {}
    for cells in (case.lattice // 2, case.lattice):
        field, flow, theta = _particles(case, cells, case.flow_times)
        mass = field.cloud.weights.numpy()
        deposits["particles", cells] = np.array([[deposit(a, b, mass, coarse) for a, _, b in nodes] for nodes in theta])
        yield from _rows(
            case,
            "particles",
            cells,
            {
                "residual": flow.residuals[:, 0].numpy(),
                "risk": flow.risk.numpy(),
                "dissipated": flow.dissipated.numpy(),
            },
        )
    for solver, limiter in SOLVERS.items():
        for cells in case.cells:
            solution = _flow(case, cells, Density, limiter)
            deposits[solver, cells] = _deposits(case, solution, cells)
            yield from _rows(
                case,
                solver,
                cells,
                {
                    "residual": solution.residuals,
                    "risk": solution.risk,
                    "dissipated": solution.dissipated,
                    "mass-defect": solution.mass_defect,
                    "minimum": solution.minimum,
                    "edge-mass": solution.edge_mass,
                },
            )
    exact = deposits["particles", case.lattice]
    for (solver, cells), masses in deposits.items():
        if (solver, cells) != ("particles", case.lattice):
            w1 = [
                [wasserstein(*pair, coarse) for pair in zip(*nodes, strict=True)]
                for nodes in zip(masses, exact, strict=True)
            ]
            yield from _rows(case, solver, cells, {"w1": np.array(w1)})
    for pair in (("particles", case.lattice), ("density", case.cells[-1])):
        yield from _rows(case, *pair, {"deposit": deposits[pair][:, -1]})


def _rows(case: Twice, solver: str, cells: int, parts: dict[str, Array], flow_times: Sequence[float] = ()) -> Tables:
    """Arrays (outputs, …) as rows; the axes after the first are numbered as one."""
    times = flow_times or case.flow_times
    for name, part in parts.items():
        flat = part.reshape(len(times), -1)
        axes = {"flow_time": times, "index": range(flat.shape[1])}
        table = tidy(flat, axes, "value", solver=solver, cells=cells, quantity=name)
        yield table.reindex(columns=COLUMNS)


@job(plan.WeakForm)
def weak_form(case: plan.WeakForm) -> Tables:
    """The weak form of the equation, for densities and for particles."""
    return weak_form_of(case, Density)


def weak_form_of(case: plan.WeakForm, kind: type[Density]) -> Tables:
    """Both sides of d/ds ∫ φ dρ = −∫ ∇φ·∇_θ δE/δρ dρ, integrated over s, for a dozen φ.

    Columns as of ``density``; at each flow time after the start, quantities moved, |∫ φ dρ| minus
    its start, and defect, the modulus of what the right-hand side leaves (index: node and wave).
    """
    times = case.flow_times
    for cells in case.cells:
        flow = _flow(case, cells, kind)
        yield from _sides(case, "density", cells, flow.waves, flow.balance)
    # of the particles, the integral over s is one of Gauss between each two outputs
    nodes, shares = np.polynomial.legendre.leggauss(case.quadrature)
    between = [[low + (high - low) * (1 + x) / 2 for x in nodes] for low, high in pairwise(times)]
    every = sorted({*times, *(s for part in between for s in part)})
    field, _, theta = _particles(case, case.lattice, every)
    seen = {s: field.weak(torch.from_numpy(cloud), WAVES) for s, cloud in zip(every, theta, strict=True)}
    balance = [np.zeros_like(seen[times[0]].rate)]
    for (low, high), part in zip(pairwise(times), between, strict=True):
        gained = sum(share * seen[s].rate for share, s in zip(shares, part, strict=True))
        balance.append(balance[-1] + (high - low) / 2 * gained)
    yield from _sides(case, "particles", case.lattice, np.array([seen[s].waves for s in times]), np.array(balance))


def _sides(case: Twice, solver: str, cells: int, waves: Array, balance: Array) -> Tables:
    moved = waves[1:] - waves[0]
    parts = {"moved": np.abs(moved), "defect": np.abs(moved - balance[1:] + balance[0])}
    return _rows(case, solver, cells, parts, case.flow_times[1:])

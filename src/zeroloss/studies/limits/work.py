"""What a case of `limits` takes, counted from its specification: operations, bytes, rows.

    work = Σ (layers × units × samples × (σ + d) + THROUGH_MEMORY × doubles) × (START + s)

over networks: the products of a gradient, σ of them for the activation, and the doubles that do not
stay in cache, times the steps of the flow to s. An influence function takes N gradients at each
step. The unit is common to all jobs of a kind: `zeroloss.scaling` knows what it took when it was
measured, and nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zeroloss import csvtable
from zeroloss.studies.packing import MOST_KEPT, Counted, recomputes

__all__ = ["count", "dimension"]

Spec = Mapping[str, Any]

# in products of one dimension: docs/performance.md finds tanh and products alike at d = 2, and the
# Gaussian integral is twice as long a polynomial
ACTIVATIONS = {"tanh": 2, "sigmoid": 2, "gelu": 4}
THROUGH_MEMORY = 1.5  # likewise, of a double: 15 GB/s beside 0.35 ns
CACHE_BYTES = 16 * MOST_KEPT  # what stays near a core, kept activations with the adjoint's
START = 10.0  # sine and surface take 5 steps to s = 4, 24 to s = 50
NEWTON = 5  # an implicit rule in depth costs so many layers at each node
LANES = 8  # units fill vectors, and the sum over their lanes costs as much as one
STATES = 9  # of an embedded pair: seven stages, a state and the next
STAGED = 10  # times that a parameter is read or written for a gradient: by it, and by its stage
PASSED = 7  # the same of an activation
INFLUENCED = 5  # and in a gradient along costates, which keeps twice as many in float32
DRAWN_BYTES = 20_800_000  # parameters of small networks, which are drawn several at once
RECORDED = 80  # states and slopes that a recorded flow keeps, with its stages
POINT_BYTES = 100  # of a particle and sample at the points that an influence function goes through
COSTATES = 4  # copies of them, in float32
COLUMNS, COPIES = 7, 2  # of a table: numbers in a row; its parts and the whole
KEEPS_SLOPE = ("tanh", "sigmoid")  # σ' is a function of σ, and is not kept
DIMENSIONS = {"sine": 2, "surface": 3, "diabetes": 10, "digits": 16}


@dataclass(frozen=True)
class Stack:
    """Networks of one size, or clouds of as many particles at each node of an implicit rule."""

    layers: int
    units: int
    replicates: int
    implicit: bool = False
    drawn: bool = False  # by `studies.setup`, several at once, activations kept if they are few


def count(spec: Spec) -> Counted | None:
    """Return work, bytes and rows of a case, None for a kind that is not counted."""
    kind = KINDS.get(spec["kind"])
    return None if kind is None else kind(spec)


def dimension(problem: Spec) -> int:
    """Return d, the dimension of the features."""
    if problem["kind"] != "csv":
        return DIMENSIONS[problem["kind"]]
    named = problem["features"] or csvtable.columns(problem["path"], problem["target"])[:-1]
    return len(named) + problem["lift"]


def _steps(flow_time: float) -> float:
    """Return the steps of a flow, in units of flow time late in training."""
    return START + flow_time if flow_time > 0 else 1.0


def _filled(units: int) -> int:
    return -(-units // LANES) * LANES


# --- networks and limits -------------------------------------------------------------------------


def _trained(stacks: Sequence[Stack], spec: Spec, rows: int) -> Counted:
    N, d, sigma = (spec["problem"]["num_samples"], dimension(spec["problem"]),
                   spec["activation"])
    gradients = sum(stack.replicates * _gradient(stack, N, d, sigma) for stack in stacks)
    held = max(_held(stack, N, d, sigma) for stack in stacks)
    return Counted(gradients * _steps(spec["flow_times"][-1]), max(held, _table(rows)), rows)


def _gradient(stack: Stack, N: int, d: int, activation: str) -> float:
    """Return the work of one gradient: products, and doubles that pass through memory."""
    each = stack.layers * N
    sigma = ACTIVATIONS.get(activation, 0)
    again = _recomputes(stack, N)
    work = float(each * (_filled(stack.units) + LANES) * (sigma + d + (sigma if again else 0)))
    if _activations(stack, N, activation) > CACHE_BYTES:
        work += THROUGH_MEMORY * each * _filled(stack.units) * (PASSED + (2 if again else 0))
    work *= NEWTON if stack.implicit else 1
    if STATES * _parameters(stack, d) > CACHE_BYTES:
        work += THROUGH_MEMORY * STAGED * _parameters(stack, d) / 8
    return work


def _held(stack: Stack, N: int, d: int, activation: str) -> int:
    """Return the bytes of one network or cloud in training: parameters, stages, activations."""
    theta = _parameters(stack, d)
    given = min(stack.replicates * theta, max(theta, DRAWN_BYTES)) if stack.drawn else theta
    features = 8 * (stack.layers + 1) * N * d
    systems = 8 * N * (stack.layers * d) ** 2 if stack.implicit else 0
    return 2 * given + STATES * theta + _activations(stack, N, activation) + features + systems


def _parameters(stack: Stack, d: int) -> int:
    return 8 * stack.layers * (2 * d + 1) * _filled(stack.units)


def _activations(stack: Stack, N: int, activation: str) -> int:
    """Return the bytes of σ, and of σ' where it is no function of σ, and of one layer's adjoint."""
    kept = 1 if _recomputes(stack, N) else stack.layers
    both = 2 if stack.implicit or activation not in KEEPS_SLOPE else 1
    return 8 * N * _filled(stack.units) * (both * kept + 1)


def _recomputes(stack: Stack, N: int) -> bool:
    return stack.drawn and not stack.implicit and recomputes(stack.layers, stack.units, N)


def _table(rows: int) -> int:
    return COPIES * COLUMNS * 8 * rows


def _ensemble(spec: Spec) -> Counted:
    stacks = [Stack(size["num_layers"], size["num_units"], size["replicates"], drawn=True)
              for size in spec["sizes"]]
    return _trained(stacks, spec, _rows(spec, sum(stack.replicates for stack in stacks)))


def _smooth(spec: Spec) -> Counted:
    stack = Stack(spec["num_layers"], spec["num_units"], spec["replicates"], drawn=True)
    stacks = [stack] * len(spec["correlation_lengths"])
    return _trained(stacks, spec, _rows(spec, len(stacks) * stack.replicates))


def _rough(spec: Spec) -> Counted:
    stacks = [Stack(depth, spec["num_units"], spec["replicates"], drawn=True)
              for depth in spec["trained_depths"]] * len(spec["paths"])
    seen = [sum(s == 0 or depth in spec["trained_depths"] for s in spec["flow_times"])
            for depth in spec["depths"]]
    samples = spec["problem"]["num_samples"]
    each = sum(times * samples + 1 for times in seen)  # and the admissibility sum of each depth
    return _trained(stacks, spec, len(spec["paths"]) * spec["replicates"] * each)


def _fixed_paths(spec: Spec) -> Counted:
    M, R, nodes = spec["num_units"], spec["replicates"], spec["depth_nodes"]
    stacks = [Stack(n, M, R, implicit=True, drawn=True) for n in (nodes, nodes - 2)]
    stacks += [Stack(depth, M, R, drawn=True) for depth in spec["depths"]]
    return _trained(stacks, spec, _rows(spec, len(stacks) * R))


def _commute(spec: Spec) -> Counted:
    stacks = [Stack(spec["depth_nodes"], M, spec["replicates"], implicit=True, drawn=True)
              for M in spec["widths"]]
    stacks += [Stack(size, size, spec["joint_replicates"], drawn=True) for size in spec["sizes"]]
    return _trained(stacks, spec, _rows(spec, sum(stack.replicates for stack in stacks)))


def _reference(spec: Spec) -> Counted:
    nodes, points = spec["depth_nodes"], 2 ** spec["rule"]["log2_points"]
    scrambles = spec["rule"]["scrambles"]
    stacks = [Stack(nodes, points, scrambles + 1, implicit=True),  # one with a looser step
              Stack(nodes - 1, points, 1, implicit=True)]
    return _trained(stacks, spec, _rows(spec, scrambles + 2))


def _ladder(spec: Spec) -> Counted:
    points, scrambles = 2 ** spec["rule"]["log2_points"], spec["rule"]["scrambles"]
    stacks = [Stack(nodes, points, scrambles, implicit=True)
              for nodes in (spec["ladder_nodes"] // 2, spec["ladder_nodes"])]
    stacks += [Stack(depth, points, scrambles) for depth in spec["ladder"]]
    return _trained(stacks, spec, _rows(spec, len(stacks) * scrambles))


def _wide(spec: Spec) -> Counted:
    points, scrambles = 2 ** spec["rule"]["log2_points"], spec["rule"]["scrambles"]
    stacks = [Stack(depth, points, scrambles) for depth in spec["depths"]]
    return _trained(stacks, spec, _rows(spec, len(stacks) * scrambles))


def _rows(spec: Spec, runs: int) -> int:
    """Return the rows of a table of residuals: one for each sample at each flow time."""
    return runs * len(spec["flow_times"]) * spec["problem"]["num_samples"]


# --- influence functions -------------------------------------------------------------------------


def _influenced(nodes: Sequence[int], particles: int, spec: Spec, rows: int) -> Counted:
    """Count an influence function for each entry of ``nodes``, back from each flow time."""
    N, d = spec["problem"]["num_samples"], dimension(spec["problem"])
    each = ACTIVATIONS.get(spec["activation"], 0) + d
    if 8 * INFLUENCED * max(nodes) * particles * N > CACHE_BYTES:
        each += THROUGH_MEMORY * INFLUENCED
    work = sum(nodes) * particles * N * N * each * sum(map(_steps, spec["flow_times"]))
    state = max(nodes) * (2 * d + 1) * particles
    held = (8 * RECORDED * state + 4 * COSTATES * N * state
            + POINT_BYTES * max(nodes) * N * particles + 2 * 8 * N * N)
    return Counted(work, max(held, _table(rows)), rows)


def _influence(spec: Spec) -> Counted:
    nodes = [part["num_layers"] or spec["depth_nodes"] for part in spec["parts"]]
    rows = 2 * len(nodes) * len(spec["flow_times"]) * spec["problem"]["num_samples"] ** 2
    return _influenced(nodes, 2 ** spec["rule"]["log2_points"], spec, rows)


def _pairs(spec: Spec) -> Counted:
    layers, correlations = spec["num_layers"], len(spec["correlations"])
    scrambles, points = spec["rule"]["scrambles"], 2 ** spec["rule"]["log2_points"]
    rows = scrambles * len(spec["flow_times"]) * correlations * layers**2
    return _influenced([layers] * scrambles, (1 + correlations) * points, spec, rows)


KINDS: dict[str, Callable[[Spec], Counted]] = {
    "reference": _reference,
    "ladder": _ladder,
    "wide": _wide,
    "influence": _influence,
    "pairs": _pairs,
    "ensemble": _ensemble,
    "smooth": _smooth,
    "fixed-paths": _fixed_paths,
    "rough": _rough,
    "commute": _commute,
}

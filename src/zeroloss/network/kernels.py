"""The kernels of `zeroloss.network.gpu`, in Triton: one program for each network.

A program walks all layers of its network: on the way there it keeps z_l alone, on the way back it
computes σ a second time. It takes B units and S samples at a time, P is d padded to a power of two,
and what lies beyond d, M or N counts as 0. Sums have one order and nothing is atomic.

Threads of a program share what they write after a barrier. ``net`` is what `_slope` unpacks first;
n is the number of parameters of a network.
"""

# Triton is not installed everywhere, and its own compiler judges what stands here, not Python's
# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportIndexIssue=false

from __future__ import annotations

import triton
import triton.language as tl

from zeroloss.integrate.runge_kutta import DORMAND_PRINCE
from zeroloss.integrate.steps import GROWTH, LEAST_ERROR, SAFETY, SHORTEST, SHRINKAGE
from zeroloss.model.block import REGULARISED_RELU_WIDTH
from zeroloss.network import engine

__all__ = ["descend", "flow", "velocity"]

# a kernel may read constants of this type alone, and takes them as a second factor
_LAST, _POWER = tl.constexpr(len(DORMAND_PRINCE.c) - 1), tl.constexpr(-1.0 / DORMAND_PRINCE.order)
_SAFETY, _SHRINKAGE, _GROWTH = tl.constexpr(SAFETY), tl.constexpr(SHRINKAGE), tl.constexpr(GROWTH)
_LEAST_ERROR, _SHORTEST = tl.constexpr(LEAST_ERROR), tl.constexpr(SHORTEST)
_NOT_FINITE, _TOO_MANY = tl.constexpr(engine.NOT_FINITE), tl.constexpr(engine.TOO_MANY)
_WIDTH = tl.constexpr(REGULARISED_RELU_WIDTH)

# ---- activations


@triton.jit
def _tanh(u):
    """tanh u to 3 ulp, odd: the rational function of Cody and Waite near 0, e^{2|u|} beyond."""
    x, z = tl.abs(u), u * u
    near = x < 0.625
    p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3
    size = tl.where(near, x, 1.0) + tl.where(near, x * z * p, -2.0) / tl.where(near, q, tl.exp(2.0 * x) + 1.0)
    return tl.where(u < 0.0, -size, size)


@triton.jit
def _activate(u, SIGMA: tl.constexpr):
    """σ(u) and σ'(u); NaN stays NaN."""
    plus = tl.where(u < 0.0, 0.0, u)
    if SIGMA == "tanh":
        value = _tanh(u)
        slope = 1.0 - value * value
    elif SIGMA == "sigmoid":
        value = 1.0 / (1.0 + tl.exp(-u))
        slope = value * (1.0 - value)
    elif SIGMA == "gelu":
        below = 0.5 * (1.0 + tl.erf(u * 0.7071067811865476))
        value = u * below
        slope = below + u * 0.3989422804014327 * tl.exp(-0.5 * u * u)
    elif SIGMA == "relu":
        value = plus
        slope = tl.where(u > 0.0, 1.0, 0.0).to(u.dtype)
    elif SIGMA == "relu2":
        value = plus * plus
        slope = 2.0 * plus
    elif SIGMA == "regularised-relu":
        bend = tl.where(u < -_WIDTH, 0.0, u + _WIDTH)
        value = tl.where(u > _WIDTH, u, bend * bend / (4.0 * _WIDTH))
        slope = tl.where(u > _WIDTH, 1.0, bend / (2.0 * _WIDTH))
    else:
        tl.static_assert(SIGMA == "identity")
        value = u
        slope = u * 0.0 + 1.0
    return value, slope


# ---- a network's risk and slope


@triton.jit
def _units(theta, m, M, D: tl.constexpr, P: tl.constexpr):
    """a (P, B), w (P, B) and b (B,) of the units m (B,) of a layer, 0 where there is none."""
    i = tl.arange(0, P)
    inside = (i < D)[:, None] & (m < M)[None, :]
    at = theta + i[:, None] * M + m[None, :]
    a, w = tl.load(at, inside, 0.0), tl.load(at + D * M, inside, 0.0)
    return a, w, tl.load(theta + 2 * D * M + m, m < M, 0.0)


@triton.jit
def _preactivation(w, b, z):
    """u = w·z + b: w (P, B), b (B,), z (P, S) -> (B, S)."""
    return tl.sum(w[:, :, None] * z[:, None, :], 0) + b[:, None]


@triton.jit
def _write(out, value, theta, pull, last, inside):
    """Write a slope, after the last samples with −pull θ; its square and that of θ, 0 before."""
    value = tl.where(last, value - pull * theta, value)
    tl.store(out, value, inside)
    return tl.where(last & inside, value * value, 0.0), tl.where(last, theta * theta, 0.0)


@triton.jit
def _slope(
    theta, out, z_kept, residuals, decay, net,
    D: tl.constexpr, P: tl.constexpr, B: tl.constexpr, S: tl.constexpr, SIGMA: tl.constexpr,
):  # fmt: skip
    """Write a network's factor/scale · ∇_θ Σ_n ½ r² − 2 decay θ and r; return what is dissipated,
    the mean over units of |out|² + decay |θ|², and the mean of |θ|². ``z_kept``: (L, P, S)."""
    inputs, targets, readout, numbers, _n, L, M, N = net
    scale, factor = tl.load(numbers), tl.load(numbers + 1)
    i, n, units = tl.arange(0, P), tl.arange(0, S), tl.arange(0, B)
    g = tl.load(readout + i, i < D, 0.0)
    at, rows = i[:, None] * S + n[None, :], (2 * D + 1) * M
    squares, sizes = tl.zeros([P, B], g.dtype), tl.zeros([P, B], g.dtype)
    b_squares, b_sizes = tl.zeros([B], g.dtype), tl.zeros([B], g.dtype)
    for first in range(0, N, S):
        known, earlier, last = first + n < N, first > 0, first + S >= N
        z = tl.load(inputs + (first + n)[None, :] * D + i[:, None], known[None, :] & (i < D)[:, None], 0.0)
        layer, slopes, kept = theta, out, z_kept
        for _ in range(L):
            tl.store(kept + at, z)
            total = tl.zeros([P, B, S], g.dtype)
            for unit in range(0, M, B):
                a, w, b = _units(layer, unit + units, M, D, P)
                h, _h = _activate(_preactivation(w, b, z), SIGMA)
                total += a[:, :, None] * h[None, :, :]
            z += scale * tl.sum(total, 1)
            layer, slopes, kept = layer + rows, slopes + rows, kept + P * S
        r = tl.sum(z * g[:, None], 0) - tl.load(targets + first + n, known, 0.0)
        tl.store(residuals + first + n, r, known)
        p = factor * g[:, None] * tl.where(known, r, 0.0)[None, :]
        tl.debug_barrier()  # other threads have written z
        for _ in range(L):
            layer, slopes, kept = layer - rows, slopes - rows, kept - P * S
            z = tl.load(kept + at)
            total = tl.zeros([P, B, S], g.dtype)
            for unit in range(0, M, B):
                m = unit + units
                a, w, b = _units(layer, m, M, D, P)
                h, slope = _activate(_preactivation(w, b, z), SIGMA)
                q = tl.sum(a[:, :, None] * p[:, None, :], 0) * slope
                total += w[:, :, None] * q[None, :, :]
                inside = (i < D)[:, None] & (m < M)[None, :]
                to_a, to_b = slopes + i[:, None] * M + m[None, :], slopes + 2 * D * M + m
                to_w, again, b_again = to_a + D * M, inside & earlier, (m < M) & earlier
                da = tl.load(to_a, again, 0.0) + tl.sum(p[:, None, :] * h[None, :, :], 2)
                dw = tl.load(to_w, again, 0.0) + tl.sum(z[:, None, :] * q[None, :, :], 2)
                db = tl.load(to_b, b_again, 0.0) + tl.sum(q, 1)
                if earlier:
                    tl.debug_barrier()  # several threads read a number that one of them overwrites
                a_square, a_size = _write(to_a, da, a, 2.0 * decay, last, inside)
                w_square, w_size = _write(to_w, dw, w, 2.0 * decay, last, inside)
                b_square, b_size = _write(to_b, db, b, 2.0 * decay, last, m < M)
                squares, sizes = squares + (a_square + w_square), sizes + (a_size + w_size)
                b_squares, b_sizes = b_squares + b_square, b_sizes + b_size
            p += scale * tl.sum(total, 1)
        tl.debug_barrier()  # the next samples overwrite z and add to the slopes
    size = (tl.sum(sizes) + tl.sum(b_sizes)) / (L * M)
    return (tl.sum(squares) + tl.sum(b_squares)) / (L * M) + decay * size, size


# ---- steps in training time


@triton.jit
def _weighted(slopes, weights, count, flipped, e, n):
    """Σ_j weights_j K_j at e, j < count: K_0 and the last slope have changed places if flipped."""
    total = tl.zeros(e.shape, slopes.dtype.element_ty)
    for j in range(count):
        total += tl.load(weights + j) * tl.load(slopes + _place(j, flipped) * n + e, e < n, 0.0)
    return total


@triton.jit
def _place(j, flipped):
    """Where K_j lies, 0 ≤ j ≤ _LAST."""
    return tl.where(j == 0, flipped * _LAST, tl.where(j == _LAST, (1 - flipped) * _LAST, j))


@triton.jit
def _finite(x):
    return tl.abs(x) < float("inf")


@triton.jit
def _combine(out, start, slopes, weights, count, step, flipped, n, E: tl.constexpr):
    """out = start + step Σ_j weights_j K_j, j < count, of n numbers."""
    for first in range(0, n, E):
        e = first + tl.arange(0, E)
        value = tl.load(start + e, e < n, 0.0) + step * _weighted(slopes, weights, count, flipped, e, n)
        tl.store(out + e, value, e < n)
    tl.debug_barrier()  # other threads read it


@triton.jit
def _scaled(start, end, slopes, weights, count, step, flipped, rtol, atol, n, E: tl.constexpr):
    """step Σ_j weights_j K_j over atol + rtol max(|start|, |end|), in root mean square."""
    total = tl.zeros([E], slopes.dtype.element_ty)
    for first in range(0, n, E):
        e = first + tl.arange(0, E)
        size = tl.maximum(tl.abs(tl.load(start + e, e < n, 0.0)), tl.abs(tl.load(end + e, e < n, 0.0)))
        error = step * _weighted(slopes, weights, count, flipped, e, n) / (atol + rtol * size)
        total += tl.where(e < n, error * error, 0.0)
    return tl.sqrt(tl.sum(total) / n)


# ---- from Python


@triton.jit
def velocity(
    theta, out, kept, residuals, net,
    D: tl.constexpr, P: tl.constexpr, B: tl.constexpr, S: tl.constexpr, SIGMA: tl.constexpr,
):  # fmt: skip
    """Each program: slope and residuals of its network."""
    n, L, N, r = net[4], net[5], net[7], tl.program_id(0).to(tl.int64)
    decay = tl.load(net[3]) * 0.0
    _slope(theta + r * n, out + r * n, kept + r * L * P * S, residuals + r * N, decay, net, D, P, B, S, SIGMA)


@triton.jit
def descend(
    theta, slopes, kept, seen, counts, rule, num_steps, every, net,
    D: tl.constexpr, P: tl.constexpr, B: tl.constexpr, S: tl.constexpr, SIGMA: tl.constexpr, E: tl.constexpr,
):  # fmt: skip
    """Each program: all steps of its network, in place; counts: the first that is not finite, or −1."""
    n, L, N, r, R = net[4], net[5], net[7], tl.program_id(0).to(tl.int64), tl.num_programs(0)
    observed, integrals, sizes = seen
    table, step = rule
    theta, slopes, kept = theta + r * n, slopes + r * n, kept + r * L * P * S
    h, regular = tl.load(step), tl.load(net[3] + 2)
    integral, cursor, failed = h * 0.0, r * 0, r * 0 - 1
    for k in range(num_steps + 1):
        noted, row = (k % every == 0) | (k == num_steps), cursor * R + r
        decay = regular * tl.exp(-h * k)
        rate, size = _slope(theta, slopes, kept, observed + row * N, decay, net, D, P, B, S, SIGMA)
        tl.store(integrals + row, integral, noted)
        tl.store(sizes + row, size, noted)
        cursor += tl.where(noted, 1, 0)
        failed = tl.where((failed < 0) & (_finite(rate) == 0), k, failed)
        if k < num_steps:
            _combine(theta, theta, slopes, table, 1, h, r * 0, n, E)
            integral += h * rate
    tl.store(counts + r, failed)


@triton.jit
def flow(
    state, slopes, kept, seen, counts, rule, outputs, max_steps, net,
    D: tl.constexpr, P: tl.constexpr, B: tl.constexpr, S: tl.constexpr, SIGMA: tl.constexpr, E: tl.constexpr,
):  # fmt: skip
    """Each program: all steps of its network, as `integrate` takes them. state (2, R, n): the one at
    s and the one that is tried; counts (4, R): accepted, rejected, status, which state is the last."""
    n, L, N, r, R = net[4], net[5], net[7], tl.program_id(0).to(tl.int64), tl.num_programs(0)
    observed, integrals, sizes, stopped = seen
    table, weights, nodes, times, tolerances = rule
    rtol, atol, regular = tl.load(tolerances), tl.load(tolerances + 1), tl.load(net[3] + 2)
    y, slopes, kept = state + r * n, slopes + r * n * (_LAST + 1), kept + r * L * P * S
    rate, size = _slope(y, slopes, kept, observed + r * N, regular, net, D, P, B, S, SIGMA)
    start = _scaled(y, y, slopes, table, 1, 1.0, r * 0, rtol, atol, n, E)
    h = 0.5 * tl.minimum(tl.exp(tl.log(tl.maximum(start, 1e-12)) * _POWER), 0.5)
    s, integral, flipped, accepted, rejected = regular * 0.0, regular * 0.0, r * 0, r * 0, r * 0
    status = tl.where(_finite(start) & _finite(rate), r * 0, _NOT_FINITE)
    hit = tl.load(times) == 0.0
    tl.store(integrals + r, integral, hit)
    tl.store(sizes + r, size, hit)
    cursor = r * 0 + tl.where(hit, 1, 0)
    while (cursor < outputs) & (status == 0):
        target, row = tl.load(times + cursor), cursor * R + r
        left, gained, after = target - s, rate * tl.load(weights), rate
        step = tl.where(h >= left, left, tl.where(2.0 * h > left, 0.5 * left, h))
        y, new = state + (flipped * R + r) * n, state + ((1 - flipped) * R + r) * n
        for i in range(1, _LAST + 1):
            _combine(new, y, slopes, table + i * (_LAST + 1), i, step, flipped, n, E)
            to, decay = slopes + _place(i, flipped) * n, regular * tl.exp(-(s + step * tl.load(nodes + i)))
            after, size = _slope(new, to, kept, observed + row * N, decay, net, D, P, B, S, SIGMA)
            gained += after * tl.load(weights + i)
        difference = table + (_LAST + 1) * (_LAST + 1)
        error = _scaled(y, new, slopes, difference, _LAST + 1, step, flipped, rtol, atol, n, E)
        error = tl.where(_finite(error), error, float("inf"))
        accept = error <= 1.0
        hit = accept & (step >= left)
        status = tl.where((error == float("inf")) & (step < (1.0 + s) * _SHORTEST), _NOT_FINITE, status)
        factor = tl.exp(tl.log(tl.maximum(error, _LEAST_ERROR)) * _POWER) * _SAFETY
        tried = step * tl.minimum(tl.maximum(factor, _SHRINKAGE), _GROWTH)
        h = tl.where(accept & (step < h), tl.maximum(h, tried), tried)
        s = tl.where(hit, target, tl.where(accept, s + step, s))
        integral, rate = tl.where(accept, integral + gained * step, integral), tl.where(accept, after, rate)
        tl.store(integrals + row, integral, hit)
        tl.store(sizes + row, size, hit)
        accepted, rejected = accepted + tl.where(accept, 1, 0), rejected + tl.where(accept, 0, 1)
        cursor, flipped = cursor + tl.where(hit, 1, 0), tl.where(accept, 1 - flipped, flipped)
        late = (cursor < outputs) & (accepted + rejected >= max_steps)
        status = tl.where((status == 0) & late, _TOO_MANY, status)
    tl.store(counts + r, accepted)
    tl.store(counts + R + r, rejected)
    tl.store(counts + 2 * R + r, status)
    tl.store(counts + 3 * R + r, flipped)
    tl.store(stopped + r, s)

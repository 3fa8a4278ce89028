"""Data, targets, readout g and risk: what the network and its limits share.

E = mean over samples of ½ (g(z(1)) − y)², with a linear readout g(z) = g·z.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ledger.config import csvtable
from ledger.config.csvtable import DataError
from ledger.display import Shown, Summary, span
from ledger.record.streams import stream
from zeroloss.model.arrays import Array
from zeroloss.model.catalogue import MOST_ROWS

__all__ = ["BUILT_IN", "DataError", "Problem", "built_in", "from_csv", "problem"]


@dataclass(frozen=True, repr=False)
class Problem(Shown):
    """Inputs (samples, dim), targets (samples,), readout (dim,), in float64.

    Inputs and targets are unit-free (standardised or lifted as their builder says).
    """

    name: str
    inputs: Tensor
    targets: Tensor
    readout: Tensor

    def _summary(self) -> Summary:
        return Summary(
            {
                "name": self.name,
                "num_samples": self.num_samples,
                "dim": self.dim,
                "targets": span(self.targets.cpu()),
                "device": self.inputs.device,
            }
        )

    @property
    def num_samples(self) -> int:
        """N."""
        return self.inputs.shape[0]

    @property
    def dim(self) -> int:
        """d, the dimension of the features."""
        return self.inputs.shape[1]

    def to(self, device: str) -> Problem:
        """The same problem on another device ('cpu' or 'cuda')."""
        return Problem(self.name, self.inputs.to(device), self.targets.to(device), self.readout.to(device))

    def residuals(self, features: Tensor) -> Tensor:
        """r = g·z(1) − y: (…, samples, dim) -> (…, samples)."""
        return features @ self.readout - self.targets

    @staticmethod
    def risk(residuals: Tensor) -> Tensor:
        """E = mean ½ r²: (…, samples) -> (…)."""
        return 0.5 * residuals.square().mean(-1)


def problem(
    name: str, inputs: ArrayLike, targets: ArrayLike, readout: ArrayLike | None = None, lift: int = 0
) -> Problem:
    """A problem from arrays, or from a data frame and one of its columns: inputs (N, p), targets (N,).

    Rows belong together by position, whatever their index.

    ``lift`` appends so many zero coordinates, x -> (x, 0, …), d = p + lift. ``readout`` (d,)
    defaults to the last coordinate for lifted inputs and to (1, …, 1)/√d otherwise.

    Raises DataError for wrong shapes, non-finite values, fewer than two samples.

    >>> x = np.linspace(-1.0, 1.0, 10)
    >>> mine = problem("mine", x, x**2, lift=1)
    >>> mine.dim, mine.readout.tolist()  # read out at the coordinate that was added
    (2, [0.0, 1.0])
    >>> mine.residuals(mine.inputs)[0].item()  # 0 - y of the first sample
    -1.0
    """
    try:
        x = np.asarray(inputs, dtype=np.float64)
        y = np.array(targets, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: inputs and targets must be numbers ({error}); encode them as numbers, one row per sample"
        ) from error
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2 or y.ndim != 1 or len(x) != len(y):
        raise DataError(
            f"{name}: inputs must be (N, p) and targets (N,), got {x.shape} and {y.shape}; pass one row "
            "per sample, and targets as a single column"
        )
    if x.shape[1] < 1:
        raise DataError(f"{name}: at least 1 feature is needed, got 0; add a column")
    if len(x) < 2:
        raise DataError(f"{name}: at least 2 samples are needed, got {len(x)}; add rows")
    for what, array in (("inputs", x), ("targets", y)):
        if not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise DataError(f"{name}: {what} must be finite, row {row} is not; clean that row")
    if lift < 0:
        raise DataError(f"{name}: lift must be at least 0, got {lift}; set lift")
    x = np.concatenate([x, np.zeros((len(x), lift))], axis=1)
    d = x.shape[1]
    if readout is None:
        g = np.eye(d)[-1] if lift else np.full(d, 1.0 / math.sqrt(d))
    else:
        g = np.asarray(readout, dtype=np.float64)
    if g.shape != (d,) or not np.isfinite(g).all():
        raise DataError(
            f"{name}: readout must be {d} finite numbers, got shape {g.shape}; set readout to one weight per feature"
        )
    return Problem(name, torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(g))


def _sine(num_samples: int, seed: int) -> Problem:
    """y = 0.8 sin(π x) at equispaced x in [−1, 1], lifted to d = 2; read out at z₂."""
    del seed
    x = np.linspace(-1.0, 1.0, num_samples)
    return problem("sine", x, 0.8 * np.sin(np.pi * x), lift=1)


def _surface(num_samples: int, seed: int) -> Problem:
    """y = 0.7 sin(π x₁) x₂ + 0.5 x₁² − 0.3 x₂ (neither odd nor even) on [−1, 1]², d = 3."""
    x = stream(seed, "surface", "inputs").uniform(-1.0, 1.0, (num_samples, 2))
    y = 0.7 * np.sin(np.pi * x[:, 0]) * x[:, 1] + 0.5 * x[:, 0] ** 2 - 0.3 * x[:, 1]
    return problem("surface", x, y, lift=1)


def _standardise(x: Array) -> Array:
    return (x - x.mean(0)) / x.std(0)


def _diabetes(num_samples: int, seed: int) -> Problem:
    """Diabetes progression (Efron et al. 2004): seeded rows, all standardised, d = 10."""
    from sklearn.datasets import load_diabetes

    data, target = map(np.asarray, load_diabetes(return_X_y=True, scaled=False))
    rows = np.sort(stream(seed, "diabetes", "rows").choice(len(data), num_samples, replace=False))
    x, y = _standardise(data), _standardise(target)
    return problem("diabetes", x[rows], y[rows])


def _digits(num_samples: int, seed: int, classes: tuple[int, int] = (3, 8), dim: int = 16) -> Problem:
    """Handwritten 3 against 8 as ±1 (UCI): pixels standardised, PCA to d = 16, unit variance."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    data, label = map(np.asarray, load_digits(return_X_y=True))
    keep = np.isin(label, classes)
    data, label = data[keep], label[keep]
    data = _standardise(data[:, data.std(0) > 0])
    scores = _standardise(PCA(dim, svd_solver="full").fit_transform(data))
    half = num_samples // 2
    rows = np.sort(
        np.concatenate(
            [
                stream(seed, "digits", c).choice(np.flatnonzero(label == c), n, replace=False)
                for c, n in zip(classes, (half, num_samples - half), strict=True)
            ]
        )
    )
    # a fixed sign per component: PCA leaves it to the linear-algebra library
    scores = scores * np.sign(scores[np.abs(scores).argmax(0), np.arange(dim)])
    return problem("digits", scores[rows], np.where(label[rows] == classes[0], -1.0, 1.0))


BUILT_IN: dict[str, Callable[[int, int], Problem]] = {
    "sine": _sine,
    "surface": _surface,
    "diabetes": _diabetes,
    "digits": _digits,
}


def built_in(name: str, num_samples: int, seed: int) -> Problem:
    """A problem that ships with zeroloss, with so many samples chosen by ``seed``."""
    if name not in BUILT_IN:
        raise DataError(f"unknown problem {name!r}; choose one of {', '.join(BUILT_IN)} or a csv")
    if num_samples < 2:
        raise DataError(f"{name}: num_samples must be at least 2, got {num_samples}; set problem.num_samples")
    if num_samples > MOST_ROWS.get(name, num_samples):
        raise DataError(
            f"{name}: num_samples must be at most {MOST_ROWS[name]}, got {num_samples}; set problem.num_samples"
        )
    return BUILT_IN[name](num_samples, seed)


def from_csv(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    num_samples: int | None = None,
    seed: int = 0,
    lift: int = 0,
) -> Problem:
    """A problem from a user's CSV: the named target and feature columns, standardised.

    UTF-8, commas, one header line; blank lines are skipped. All columns but the target are
    features unless ``features`` names them. ``num_samples`` rows by a seeded choice (all by
    default). Raises DataError naming the column or line for missing or doubled columns, missing
    values, text, constant columns, and too few rows.
    """
    if not isinstance(path, str | Path):
        raise DataError(f"a CSV must be given by its path, got a {type(path).__name__}; pass its columns to problem")
    columns = csvtable.columns(path, target, features, num_samples)
    values = _standardise(np.stack([np.array(column) for column in columns], axis=1))
    rows = len(values)
    chosen = np.sort(stream(seed, "csv", "rows").choice(rows, num_samples or rows, replace=False))
    return problem(Path(path).stem, values[chosen, :-1], values[chosen, -1], lift=lift)

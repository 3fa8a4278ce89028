"""The jobs of `limits`: each stands beside the mathematics that it runs."""

from zeroloss.studies.limits.networks import (
    commute,
    energy,
    ensemble,
    fixed_paths,
    rough,
    smooth,
    torch_ensemble,
)
from zeroloss.studies.limits.references import (
    influences,
    ladder,
    pairs,
    portrait,
    reference,
    wide,
)

__all__ = ["commute", "energy", "ensemble", "fixed_paths", "influences", "ladder", "pairs",
           "portrait", "reference", "rough", "smooth", "torch_ensemble", "wide"]

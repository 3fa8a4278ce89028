"""The jobs of `size`: each stands beside the mathematics that it runs."""

from zeroloss.studies.size.networks import corollary, ensemble, threshold
from zeroloss.studies.size.predictions import law, theorem

__all__ = ["corollary", "ensemble", "law", "theorem", "threshold"]

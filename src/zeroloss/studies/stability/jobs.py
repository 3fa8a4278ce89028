"""The jobs of `stability`: each stands beside the mathematics that it runs."""

from zeroloss.studies.stability import central, depth, edge, lastbit, linearised, restrained

__all__ = ["central", "depth", "edge", "lastbit", "linearised", "restrained"]

"""The jobs of `size`: each stands beside the mathematics that it runs."""

from zeroloss.studies.size import networks, predictions

__all__ = ["networks", "predictions"]

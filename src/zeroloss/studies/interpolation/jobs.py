"""The jobs of `interpolation`: each stands beside the mathematics that it runs."""

from zeroloss.studies.interpolation import benign, features, kernels, samples

__all__ = ["benign", "features", "kernels", "samples"]

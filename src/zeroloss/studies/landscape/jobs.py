"""The jobs of `landscape`: each stands beside the mathematics that it runs."""

from zeroloss.studies.landscape import circle, paths, relu, smooth, spheres

__all__ = ["circle", "paths", "relu", "smooth", "spheres"]

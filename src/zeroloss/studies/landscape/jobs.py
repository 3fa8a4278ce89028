"""The jobs of `landscape`: each stands beside the mathematics that it runs."""

from zeroloss.studies.landscape import block, circle, hessian, paths, relu, smooth, spheres

__all__ = ["block", "circle", "hessian", "paths", "relu", "smooth", "spheres"]

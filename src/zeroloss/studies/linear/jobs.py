"""The jobs of `linear`: each stands beside the mathematics that it runs."""

from zeroloss.studies.linear import bridge, momentum, trajectories

__all__ = ["bridge", "momentum", "trajectories"]

"""The jobs of `linear`: each stands beside the mathematics that it runs."""

from zeroloss.studies.linear.bridge import bridge
from zeroloss.studies.linear.momentum import momentum
from zeroloss.studies.linear.trajectories import ends, follow, portrait, stages, unbalanced

__all__ = ["bridge", "ends", "follow", "momentum", "portrait", "stages", "unbalanced"]

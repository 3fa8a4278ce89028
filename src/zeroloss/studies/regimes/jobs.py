"""The jobs of `regimes`: each stands beside the mathematics that it runs."""

from zeroloss.studies.regimes import bridge, chains, trained

__all__ = ["bridge", "chains", "trained"]

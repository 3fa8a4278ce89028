"""The jobs of `sampling`: each stands beside the mathematics that it runs."""

from zeroloss.studies.sampling import ensembles, factorised, langevin

__all__ = ["ensembles", "factorised", "langevin"]

"""The jobs of `aspect`: each stands beside the mathematics that it runs."""

from zeroloss.studies.aspect import chains, information, matrices

__all__ = ["chains", "information", "matrices"]

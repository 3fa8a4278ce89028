"""The jobs of `imitation`, by kind of case; what they compute stands in the modules named here."""

from zeroloss.studies.imitation import layers, thinning

__all__ = ["layers", "thinning"]

"""The jobs of `controls`, each beside its mathematics."""

from zeroloss.studies.controls import conditions, floored, line, scaling

__all__ = ["conditions", "floored", "line", "scaling"]

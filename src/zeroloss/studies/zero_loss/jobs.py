"""The jobs of `zero_loss`, each beside its mathematics."""

from zeroloss.studies.zero_loss import density, descents, ensembles, flows, spread

__all__ = ["density", "descents", "ensembles", "flows", "spread"]

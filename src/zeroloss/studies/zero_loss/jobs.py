"""The jobs of `zero_loss`, each beside its mathematics."""

from zeroloss.studies.zero_loss import density, descents, flows, spread

__all__ = ["density", "descents", "flows", "spread"]

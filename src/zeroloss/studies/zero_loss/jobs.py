"""The jobs of `zero_loss`, each beside its mathematics."""

from zeroloss.studies.zero_loss.density import density, weak_form
from zeroloss.studies.zero_loss.descents import regularised, steps
from zeroloss.studies.zero_loss.flows import flow

__all__ = ["density", "flow", "regularised", "steps", "weak_form"]

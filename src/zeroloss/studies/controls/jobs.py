"""The jobs of `controls`, each beside its mathematics."""

from zeroloss.studies.controls.conditions import conditions
from zeroloss.studies.controls.degenerate import origin, parameters
from zeroloss.studies.controls.floored import identity, labels
from zeroloss.studies.controls.line import line
from zeroloss.studies.controls.scaling import root_scaling

__all__ = ["conditions", "identity", "labels", "line", "origin", "parameters", "root_scaling"]

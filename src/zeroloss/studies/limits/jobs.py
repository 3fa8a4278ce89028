"""The jobs of `limits`: each stands beside the mathematics that it runs."""

from zeroloss.studies.limits import networks, references

__all__ = ["networks", "references"]

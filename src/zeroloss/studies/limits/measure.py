"""The estimates of `limits` and its negative controls: each stands beside what it is about."""

from zeroloss.studies.limits import law, paths, rates, routes

__all__ = ["law", "paths", "rates", "routes"]

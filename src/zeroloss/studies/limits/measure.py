"""The estimates of `limits` and its negative and near controls: each stands beside what it is about."""

from zeroloss.studies.limits import bias, law, near, paths, rates, routes

__all__ = ["bias", "law", "near", "paths", "rates", "routes"]

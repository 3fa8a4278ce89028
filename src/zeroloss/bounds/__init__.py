"""Certificates of size, with explicit constants along the computed limit."""

from zeroloss.bounds.chebyshev import chebyshev_size
from zeroloss.bounds.size import Certificate, certificate, from_profile, sizes

__all__ = ["Certificate", "certificate", "chebyshev_size", "from_profile", "sizes"]

"""Certificates of size, with explicit constants along the computed limit."""

from zeroloss.theory.bounds.chebyshev import chebyshev_size
from zeroloss.theory.bounds.size import Certificate, certificate, from_profile, sizes

__all__ = ["Certificate", "certificate", "chebyshev_size", "from_profile", "sizes"]

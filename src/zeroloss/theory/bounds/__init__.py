"""Certificates of size, with explicit constants along the computed limit."""

from zeroloss.theory.bounds.size import Certificate, certificate, from_profile, sizes

__all__ = ["Certificate", "certificate", "from_profile", "sizes"]

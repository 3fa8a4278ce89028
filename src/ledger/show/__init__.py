"""A run as people see it: tables of claims, one HTML page, a trace, a crate."""

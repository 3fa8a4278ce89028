"""Means of independent draws: one study."""

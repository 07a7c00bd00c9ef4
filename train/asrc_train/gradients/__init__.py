"""Derivatives of what has none."""

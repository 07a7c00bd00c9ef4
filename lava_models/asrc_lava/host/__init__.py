"""Lava in a process of its own, kept at arm's length."""

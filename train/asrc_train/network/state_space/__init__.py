"""Layers of state-space neurons, and what these neurons compute."""

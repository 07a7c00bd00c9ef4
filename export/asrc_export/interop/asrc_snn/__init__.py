"""Checkpoints of the paper's authors."""

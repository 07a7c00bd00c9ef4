"""Layers under `torch.compile`."""

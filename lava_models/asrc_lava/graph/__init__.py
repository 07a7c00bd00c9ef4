"""The integer network as Lava processes."""

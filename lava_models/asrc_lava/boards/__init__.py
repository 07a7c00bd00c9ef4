"""A board in place of Lava's simulation."""

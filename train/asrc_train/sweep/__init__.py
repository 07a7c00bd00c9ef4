"""Many trainings of a grid of settings: each a checkpoint of its own in one folder."""

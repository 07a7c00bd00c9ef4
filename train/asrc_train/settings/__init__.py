"""What a training is, as validated data."""

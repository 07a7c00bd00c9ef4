"""What the networks do: their answers, where deployed and float part, and how neurons fire."""

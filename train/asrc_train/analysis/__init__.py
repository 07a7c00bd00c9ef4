"""What trained networks and sweeps show: gradients over time, spans over training, accuracy over a setting."""

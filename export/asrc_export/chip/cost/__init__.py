"""What a network costs on a target: bits by kind; modelled energy and time from counted events."""

"""The integer network's file."""

"""Samples in the form in which an integer network takes them."""

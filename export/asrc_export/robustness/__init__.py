"""Robustness: how accuracy falls when inputs, spikes, neurons or weights go wrong, deployed beside float.

`perturbations` holds what can go wrong, one file each; `measure` runs both networks under it; `faulty_links` runs
them where spikes get lost or late; `formats` shows the outcome.
"""

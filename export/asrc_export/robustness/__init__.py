"""Robustness: how accuracy falls when inputs, spikes, neurons or weights go wrong, deployed beside float.

`perturbations` holds what can go wrong, one file each; `measure` runs both networks under it; `faulty_run` does
so where neurons are stuck, or messages lost or late; `formats` shows the outcome.
"""

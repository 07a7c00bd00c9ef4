"""Quantization that searches: scales, roundings and bits by what they change on samples."""

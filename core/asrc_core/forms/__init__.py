"""Validated forms: TOML read and written, and what does not fit in words."""

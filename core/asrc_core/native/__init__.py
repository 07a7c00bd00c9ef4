"""Building the native libraries."""

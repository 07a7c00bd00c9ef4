"""Programs made from integer networks."""

"""Where the deployed network comes from: limits met, rounding, confirmations, versions and hashes."""

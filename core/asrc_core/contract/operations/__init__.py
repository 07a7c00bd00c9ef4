"""The operations of the contract, and their implementations that need nothing but NumPy."""

"""From floats to the contract's whole numbers: which values exist, and which constant becomes which parameter."""

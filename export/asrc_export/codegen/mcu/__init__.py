"""A whole network as one freestanding C99 file for microcontrollers, printed from the contract's operations."""

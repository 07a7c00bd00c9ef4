"""C99 from a network's operations: a neuron's step is printed, the event lists around it are written once."""

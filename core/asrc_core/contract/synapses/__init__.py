"""Synapses: the connections of a network, and the convolutions that their weights may come from."""

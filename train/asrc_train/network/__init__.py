"""The float network: layers, neurons, connections."""

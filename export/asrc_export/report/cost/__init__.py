"""What the deployed network takes on its target: cores, storage, operations, energy and time."""

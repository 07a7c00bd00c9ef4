"""How often the networks are right: accuracy and its intervals, classes, and other networks measured beside them."""

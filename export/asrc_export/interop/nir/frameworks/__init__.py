"""What differs from framework to framework: how each steps its neurons, and what its reader of NIR makes of a file."""

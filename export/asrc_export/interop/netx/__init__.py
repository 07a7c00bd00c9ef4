"""Files of lava-dl's netx, in and out."""

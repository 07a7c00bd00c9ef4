"""What a training leaves behind: a checkpoint, and the network frozen from it."""

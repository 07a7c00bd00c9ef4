"""What a network would cost, and how well it would answer, if it were narrower, coarser or shorter in memory."""

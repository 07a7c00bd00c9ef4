"""One engine a file, each with `run(network, x, trace=False) -> Result`, all with the same bits."""

"""The integer contract: what a network computes, to the last bit."""

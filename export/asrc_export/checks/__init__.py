"""What accumulators and neurons of an integer network do, in the worst case and on samples."""

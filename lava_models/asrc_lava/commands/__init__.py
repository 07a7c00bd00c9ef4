"""`asrc-sim` and `asrc-demo`."""

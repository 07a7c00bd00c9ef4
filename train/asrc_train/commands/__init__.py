"""`asrc-train`, `asrc-sweep` and `asrc-analyze`."""

"""`asrc-export`, `asrc-report`, `asrc-check` and `asrc-robustness`."""

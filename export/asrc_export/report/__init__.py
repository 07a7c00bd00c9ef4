"""The report: the deployed network beside the float model that it came from."""

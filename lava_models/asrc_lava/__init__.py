"""The integer network on Intel's Lava: processes, process models, and the runner that keeps Lava at arm's length.

Importable without lava-nc; only the modules that build a graph need it. Nothing outside this package imports Lava.
"""

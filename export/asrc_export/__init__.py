"""The integer network: what a trained network becomes on a chip, and what can be said of it.

`arithmetic` is the contract (docs/arithmetic.md), `network` the data, `network_file` its file, `engines/` run it,
`parity` compares runs, `quantization/` makes one from a frozen float network within a `target`'s formats, `report/`
tells what it costs and how well it answers. Nothing heavy is imported here, and nothing imports Lava.
"""

"""Training of skip-recurrent spiking networks in PyTorch, and their freezing to fixed spans.

`config` describes a network and its training, `model` builds it, `fit` trains it, `checkpoint`
stores it, `freeze` replaces the learned skip kernel by its span. Data sets are one file each in
`data/`, recipes one file each in `recipes/`. Nothing heavy is imported here.
"""

__version__ = "0.1.0"

"""Training of skip-recurrent spiking networks in PyTorch, and their freezing to fixed spans.

`settings` describes a network and its training, `network` builds it, `training` trains it, `trained` stores it and
replaces the learned skip kernel by its span. Data sets are one file each in `data/`, recipes one file each in
`recipes/`. Nothing heavy is imported here.
"""

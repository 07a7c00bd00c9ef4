"""Samples of one's own, from a file or a folder: read, labelled, split, and brought to small integers.

`read` knows the formats, `columns` the names of channels, `labels` what a class is, `splits` how to draw them, `events`
and `recordings` what is no array of numbers; `load` makes a data set of it, with a preprocessing that it learns from
the training part, or with the one that a network states.
"""

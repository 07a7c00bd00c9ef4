"""What every package stands on: the integer contract, errors, files, and what command lines share; free of PyTorch."""

__version__ = "0.1.0"

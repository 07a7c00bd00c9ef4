"""Checksums of files, read in pieces: a file may be larger than memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

PIECE = 2**20


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """The checksum of a file's content, in hexadecimal. Raises OSError."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()

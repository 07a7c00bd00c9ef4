"""One engine a file (or a package, if it brings sources), all with the same bits.

An engine's file has ``run(network, x, *, trace=False) -> Result``, and where they apply:

unavailable() -> str | None: why it cannot be used on this machine, as a sentence.
why_not(network) -> str | None: why it does not run a network, as a sentence.
OTHERWISE: the name of the engine that takes over in both cases.
prepared(network): the network made ready for many runs: ``run(x, *, trace=False)`` and ``stream()``.
"""

from __future__ import annotations

from asrc_core import choices


def names() -> list[str]:
    """All engines, by their files."""
    return choices.names(__path__, besides=("select",), folders=True)

"""The search that a network's readout asks for: by its answers where the readout is a layer, else layer by layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_export.chip.targets import Target
from asrc_export.quantization.search import delay_search, search
from asrc_export.quantization.search.activity import observe
from asrc_export.quantization.search.search import Found, Progress
from asrc_train.trained.frozen import FrozenNetwork


def searched(
    frozen: FrozenNetwork,
    target: Target,
    bits: int | tuple[int, ...],
    samples: NDArray[np.generic],
    progress: Progress = lambda done, note: None,
    *,
    to_train: bool = False,
) -> Found:
    """Scales found on samples: integers (n, T, channels), in the order in which the network takes its steps.

    Raises what `search.search` and `delay_search.search` raise.
    """
    if frozen.decides is not None:
        return delay_search.search(frozen, target, bits, samples, progress, to_train=to_train)
    return search.search(frozen, target, bits, observe(frozen, samples), progress, to_train=to_train)

"""All that is searched on samples: scales as a network's readout asks for them, then bits of resonators, if asked for.

By its answers where the readout is a layer, else layer by layer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from asrc_export.chip.targets import Target
from asrc_export.quantization.search import delay_search, resonator_bits, search
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
    poles: bool = False,
    modes: bool = False,
) -> Found:
    """Scales found on samples: integers (n, T, channels), in the order in which the network takes its steps.

    ``poles``, ``modes``: the fewest bits of resonators' poles, and of what reads their modes, too (`resonator_bits`).
    Raises what `search.search` and `delay_search.search` raise.
    """
    activity = observe(frozen, samples) if frozen.decides is None or poles or modes else None
    if frozen.decides is not None:
        found = delay_search.search(frozen, target, bits, samples, progress, to_train=to_train)
    else:
        assert activity is not None
        found = search.search(frozen, target, bits, activity, progress, to_train=to_train)
    if activity is None or not (poles or modes):
        return found
    return replace(found, plan=resonator_bits.fewest(found.plan, target, activity, poles=poles, modes=modes))

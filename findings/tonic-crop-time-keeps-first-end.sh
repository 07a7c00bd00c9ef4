#!/usr/bin/env bash
# tonic 1.7.0, CropTime without max: the end of the first sample that it sees cuts all later ones.
#
# Expected, by its documentation: events below min, 0 by default, and above max are dropped; so without max, which is
# None by default, none is dropped for being late, and what becomes of a sample does not depend on the others.
# Seen: the first call sets the transform's own max to the last time of its sample, and later calls use that. Of samples
# of 10, 100 and 5 events, one a us, min=2 keeps 8, 8 and 3; with the longest one first it keeps 98, 8 and 3. A copy of
# the transform for each sample keeps 8, 98 and 3. Nothing is said.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tonic==1.7.0 numpy==1.26.4
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
from tonic.io import make_structured_array
from tonic.transforms import Compose, CropTime


def kept(transform, lengths):
    """How many events it leaves of samples of these many events, one a us."""
    samples = [make_structured_array(*np.zeros((2, length)), np.arange(length), 0) for length in lengths]
    return [len(transform(sample)) for sample in samples]


with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    found = {}
    for lengths in ((10, 100, 5), (100, 10, 5)):
        crop = CropTime(min=2)
        before = crop.max
        found[lengths] = kept(Compose([crop]), lengths)
        print(
            f"tonic {version('tonic')}, CropTime(min=2), samples of {lengths} events: {found[lengths]} are left, "
            f"max is {before} before and {crop.max} after"
        )
    own = [kept(CropTime(min=2), [length])[0] for length in (10, 100, 5)]
print(f"samples of (10, 100, 5) events, each with a CropTime of its own: {own} are left")
assert not warned
assert own == [8, 98, 3]
assert found[10, 100, 5] == [8, 8, 3], "later samples are cut otherwise now"
assert found[100, 10, 5] == [98, 8, 3]
PYTHON

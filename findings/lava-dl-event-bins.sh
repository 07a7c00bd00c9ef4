#!/usr/bin/env bash
# lava-dl 0.6.0, slayer.io.Event: sums in bins do not sum, and bins of 2 ms are 3 ms and 1 ms wide in turn.
#
# Expected, by the documentation of fill_tensor and to_tensor: sampling_time is the width of a bin; with binning_mode
# "SUM", and always if events have a payload, what falls into a bin is summed.
# Seen: of several events in a bin, one is added: three spikes are 1, payloads of 7 and 20 are 20. An event goes to the
# nearest multiple of sampling_time, from half-way to the even one: events in every ms from 0 to 11, in bins of 2 ms,
# are 2, 1, 3, 1, 3 and 1 a bin, and the last is in none. A spike is 1 / sampling_time there, 0.5 and not 1.
#
# Takes the Python in PYTHON if that has lava-dl, and installs it for python3.10 otherwise. Fails if the behaviour is
# another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3.10}
if ! "$python" -c 'from lava.lib.dl import slayer' >/dev/null 2>&1; then
    "$python" -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet lava-dl==0.6.0
fi
"$python" -W ignore - 2>/dev/null <<'PYTHON'
import contextlib
import io
from importlib.metadata import version

import numpy as np

with contextlib.redirect_stdout(io.StringIO()):  # it tells of data sets that it has no tools for
    from lava.lib.dl import slayer

none = np.zeros(5, int)
three = slayer.io.Event(none, None, none, np.array([0.0, 1, 1, 1, 2]))
summed = three.fill_tensor(np.zeros((1, 1, 1, 3)), binning_mode="SUM").ravel().tolist()
graded = slayer.io.Event(none[:3], None, none[:3], np.array([0.0, 1, 1]), payload=np.array([5, 7, 20]))
payloads = graded.to_tensor().ravel().tolist()
print(f"lava-dl {version('lava-dl')}, SUM of 1, 3 and 1 spikes: {summed}; of the payloads 5 and 7 + 20: {payloads}")

channels = np.arange(12)  # one for each event, so that none hides another
every_ms = slayer.io.Event(channels, None, np.zeros(12, int), channels.astype(float))
tensor = every_ms.to_tensor(sampling_time=2)[0]
in_bin = [np.flatnonzero(column).tolist() for column in tensor.T]
print(f"ms in bins of 2 ms: {in_bin}, each spike as {tensor.max():g}")

assert summed == [1, 1, 1] and payloads == [5, 20], "sums are summed now"
assert in_bin == [[0, 1], [2], [3, 4, 5], [6], [7, 8, 9], [10]], "bins are others now"
assert tensor.max() == 0.5
PYTHON

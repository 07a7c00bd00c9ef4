#!/usr/bin/env bash
# lava-dl 0.6.0, slayer.io: events come back from lava-dl's own files with other units and at other times.
#
# Expected: what encode_1d_spikes and encode_np_spikes wrote, read_1d_spikes and read_np_spikes give back. The first
# format has 16 bits for the unit, by its description in both functions; both functions of the second take time_unit.
# Seen: the upper 8 bits of the unit are written as 0, so that 700 units, as many as the Heidelberg digits have, are
# folded onto 256: 256 becomes 0 and 699 becomes 187. Only the reader uses time_unit: with 1e-6 in both calls, times
# come back as a thousandth of what they were. Units below 256, and times at the default of 1e-3, come back right.
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
cd "$folder"
"$python" -W ignore - 2>/dev/null <<'PYTHON'
import contextlib
import io
from importlib.metadata import version

import numpy as np

with contextlib.redirect_stdout(io.StringIO()):  # it tells of data sets that it has no tools for
    from lava.lib.dl import slayer

unit, polarity, ms = np.arange(700), np.arange(700) % 2, np.arange(700) / 8
events = slayer.io.Event(unit, None, polarity, ms)

slayer.io.encode_1d_spikes("events.bin", events)
again = slayer.io.read_1d_spikes("events.bin")
print(
    f"lava-dl {version('lava-dl')}, encode_1d_spikes: {len(np.unique(unit))} units come back as "
    f"{len(np.unique(again.x))}; 255, 256, 699 as {again.x[[255, 256, 699]].tolist()}"
)
assert (again.c == polarity).all() and (again.t == ms).all()
assert (again.x == unit % 256).all(), "units above 255 are written otherwise now"

factors = []
for time_unit in (1e-3, 1e-6):
    slayer.io.encode_np_spikes("events.npy", events, time_unit=time_unit)
    again = slayer.io.read_np_spikes("events.npy", time_unit=time_unit)
    factors.append(float(again.t[-1] / ms[-1]))
    print(f"encode_np_spikes, time_unit {time_unit:g}: {ms[-1]} ms come back as {again.t[-1]:g} ms")
    assert (again.x == unit).all() and (again.c == polarity).all()
assert np.allclose(factors, [1, 1e-3]), "the writer uses its time_unit now"
PYTHON

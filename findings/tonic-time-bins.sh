#!/usr/bin/env bash
# tonic 1.7.0, ToFrame(n_time_bins=...): the end of a recording is left out, of times in seconds all of it.
#
# Expected, by the documentation of the slicer behind it: bins as wide as the recording's duration divided by their
# number, so that each event is in one.
# Seen: the width is rounded down to a whole number. An event in each of 500 ms, in 250 bins: of times in us, all but
# the last are in the frames; in ms (Downsample(time_factor=0.001)), bins are 1 ms wide and the second half of the
# events is in none; in seconds they are 0 wide, and all frames are empty. Nothing is said.
# Windows of a given width leave out the last event where the duration is a whole number of them: the four slices of
# the example in SliceByTime's documentation are three, with include_incomplete and without.
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
from tonic.slicers import SliceByTime
from tonic.transforms import Downsample, ToFrame


def events(times):
    """Events of one unit at these times."""
    made = np.zeros(len(times), [("t", np.asarray(times).dtype), ("x", int), ("p", int)])
    made["t"] = times
    return made


us = events(np.arange(500) * 1000)
samples = {"us": us, "ms": Downsample(time_factor=0.001)(us), "s": events(us["t"] * 1e-6)}
held = {}
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    for unit, sample in samples.items():
        frames = ToFrame(sensor_size=(1, 1, 1), n_time_bins=250)(sample)
        held[unit] = int(frames.sum())
        print(f"tonic {version('tonic')}, times in {unit}: {held[unit]} of {len(sample)} events in {len(frames)} bins")
assert not warned
assert held == {"us": 499, "ms": 250, "s": 0}, "bins have another width now"

for incomplete in (False, True):
    slicer = SliceByTime(time_window=100, include_incomplete=incomplete, reset_time=True)
    slices = [each["t"].tolist() for each in slicer.slice(events([0, 150, 299, 300]), 0)[0]]
    print(f"0, 150, 299, 300 in windows of 100, include_incomplete {incomplete}: {slices}")
    assert slices == [[0], [50], [99]], "the last event is in a slice now"
PYTHON

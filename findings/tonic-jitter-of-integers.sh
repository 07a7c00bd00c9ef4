#!/usr/bin/env bash
# tonic 1.7.0, SpatialJitter and TimeJitter: events of integers, as tonic reads them, go half a unit down on average.
#
# Expected, by the documentation: SpatialJitter adds samples of a Gaussian distribution, so that the mean is the event's
# own x and y and the variances are var_x and var_y; TimeJitter adds such samples to the times, with a deviation of std
# (and, by its source, a mean of 0).
# Seen: the sums are cut to whole numbers, not rounded. Of events at x = y = 50 and t = 1,000, half move by a whole
# pixel or us, all of them down, at a variance as tiny as 1e-6, and 3 of 4 in x or y. At variances of 1e-6, 1 and 25 the
# mean is 49.5, of times 999.5. With fields of floats all of it is as documented. Sums between -1 and 0 become 0, so
# that clip_negative misses them: of events at 0, half of which go below, none is dropped.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tonic==1.7.0 numpy==1.26.4
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from tonic.io import events_struct, make_structured_array
from tonic.transforms import SpatialJitter, TimeJitter

EVENTS = 100_000
floats = np.dtype([(name, float) for name in events_struct.names])
for kind, fields in (("integers", events_struct), ("floats", floats)):
    events = make_structured_array(*np.full((2, EVENTS), 50), np.full(EVENTS, 1000), 0, dtype=fields)
    for variance in (1e-6, 1, 25):
        np.random.seed(0)
        moved = SpatialJitter(sensor_size=(100, 100, 2), var_x=variance, var_y=variance)(events)
        moved["t"] = TimeJitter(std=variance**0.5)(events)["t"]
        said = []
        for field in "xyt":
            by = moved[field] - events[field]
            mean, down, up = float(by.mean()), float((by < 0).mean()), float((by > 0).mean())
            said.append(f"{field} by {mean:.2f}, {down:.0%} down, {up:.0%} up")
            expected = -0.5 if kind == "integers" else 0
            assert abs(mean - expected) < 4 * ((variance + 0.25) / EVENTS) ** 0.5, "means are others now"
            if kind == "floats":
                assert np.isclose(by.var(), variance, rtol=0.05)
            elif variance == 1e-6:
                assert set(by.tolist()) == {-1, 0} and abs(down - 0.5) < 0.01
        print(f"tonic {version('tonic')}, {kind}, variance {variance:g}: {'; '.join(said)}")
        if kind == "integers" and variance == 1e-6:
            either = float(((moved["x"] != 50) | (moved["y"] != 50)).mean())
            print(f"of these {either:.0%} move in x or y")
            assert abs(either - 0.75) < 0.01

for kind, fields in (("integers", events_struct), ("floats", floats)):
    np.random.seed(0)
    start = make_structured_array(*np.zeros((3, EVENTS)), 0, dtype=fields)
    left = len(TimeJitter(std=0.1, clip_negative=True)(start))
    print(f"{kind} at t = 0, deviation 0.1, clip_negative: {left / EVENTS:.0%} of the events are left")
    assert left == EVENTS if kind == "integers" else abs(left / EVENTS - 0.5) < 0.01
PYTHON

"""A training sample of a recurrent network with learned delays: mlGeNN's CPU backend and ours, in turns.

    python benchmarks/mlgenn.py --ours .venv/bin/python     by a Python that has mlGeNN, which is on no registry: build
                                                            genn-team/genn and genn-team/ml_genn (ml_genn/) there
    python benchmarks/mlgenn.py --ours .venv/bin/python --rounds 5

The recurrent setting of benchmarks/delays.py, which runs ours: 700 inputs, 256 recurrent neurons, 20 integrators,
delays of up to 61 steps everywhere but at the readout, T = 1,000, about 8,000 input and 12,000 hidden spikes a sample.
mlGeNN's CPU backend takes one sample at a time and lets the optimizer work after each; its kernels' own clock, which
leaves that out, is given beside the processor time of all. It compiles without optimization unless it is told to
(`optimize_code`), so both are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

STEPS, CHANNELS, HIDDEN, CLASSES, LONGEST = 1000, 700, 256, 20, 61
INPUT_SPIKES, MEAN_WEIGHT = 8000, 0.040
SAMPLES, WARM_UP = 24, 4
WAYS = {"mlGeNN as it comes": False, "mlGeNN optimized": True}


def mlgenn(optimized: bool) -> dict[str, float]:
    """Milliseconds of a sample, processor time of all and wall time of the kernels; and hidden spikes of a sample."""
    from ml_genn import Connection, Network, Population
    from ml_genn.callbacks import Callback, SpikeRecorder
    from ml_genn.compilers import EventPropCompiler
    from ml_genn.compilers.event_prop_compiler import default_params
    from ml_genn.connectivity import Dense
    from ml_genn.initializers import Normal, Uniform
    from ml_genn.neurons import LeakyIntegrate, LeakyIntegrateFire, SpikeInput
    from ml_genn.optimisers import Adam
    from ml_genn.synapses import Exponential
    from ml_genn.utils.data import preprocess_spikes

    draw = np.random.default_rng(0)
    samples = []
    for _ in range(SAMPLES):
        when, channel = np.nonzero(draw.random((STEPS, CHANNELS)) < INPUT_SPIKES / (STEPS * CHANNELS))
        samples.append(preprocess_spikes(when.astype(float), channel, CHANNELS))
    labels = draw.integers(0, CLASSES, SAMPLES)

    network = Network(default_params)
    with network:
        entry = Population(SpikeInput(max_spikes=2 * SAMPLES * INPUT_SPIKES), CHANNELS)
        hidden = Population(LeakyIntegrateFire(v_thresh=1.0, tau_mem=20.0), HIDDEN, record_spikes=True)
        readout = Population(LeakyIntegrate(tau_mem=20.0, readout="avg_var_exp_weight"), CLASSES)

        def delayed(source: Any, weights: Any) -> Any:
            dense = Dense(weights, delay=Uniform(0, LONGEST))
            return Connection(source, hidden, dense, Exponential(5.0), max_delay_steps=LONGEST + 2)

        learned = [delayed(entry, Normal(mean=MEAN_WEIGHT, sd=MEAN_WEIGHT / 3)), delayed(hidden, Normal(sd=0.02))]
        Connection(hidden, readout, Dense(Normal(sd=0.03)), Exponential(5.0))
    compiled = EventPropCompiler(
        example_timesteps=STEPS,
        losses="sparse_categorical_crossentropy",
        max_spikes=1500,
        batch_size=1,
        optimiser=Adam(1e-9),
        delay_optimiser=Adam(1e-9),
        delay_learn_conns=learned,
        backend="single_threaded_cpu",
        kernel_profiling=True,
        optimize_code=optimized,
    ).compile(network)

    begun: list[float] = []

    class Clock(Callback):  # type: ignore[misc]
        def on_batch_begin(self, batch: int) -> None:
            begun.append(time.process_time())

    with compiled:
        recorded = SpikeRecorder(hidden, key="hidden", record_counts=True)
        told = {entry: samples}, {readout: labels}
        _, found = compiled.train(*told, num_epochs=1, shuffle=False, callbacks=[Clock(), recorded])
        parts = ("neuron_update_time", "presynaptic_update_time", "postsynaptic_update_time", "synapse_dynamics_time")
        kernels = sum(getattr(compiled.genn_model, part) for part in parts)
    taken = [after - before for before, after in pairwise(begun)]
    return {
        "all": 1000 * statistics.median(taken[WARM_UP:]),
        "kernels": 1000 * kernels / SAMPLES,
        "hidden spikes": float(np.mean([np.sum(each) for each in found["hidden"]])),
    }


def in_turn(command: list[str]) -> dict[str, Any]:
    """The last line of what a command prints, which is JSON; one thread, in a folder where nothing is compiled yet."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the medians, and how many times as long as ours."""
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ours", default=sys.executable, metavar="PYTHON", help="a Python that has this project")
    parser.add_argument("--rounds", type=int, default=3, help="repeats of which the median counts")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(mlgenn(WAYS[options.one])))
        return
    if find_spec("ml_genn") is None:
        parser.error(f"'{sys.executable}' has no mlGeNN; build genn-team/genn and genn-team/ml_genn (ml_genn/) for it")
    if shutil.which(options.ours) is None:
        parser.error(f"--ours: there is no '{options.ours}'; give the Python of an environment with this project")
    here = Path(__file__).resolve()
    ours = [os.path.abspath(options.ours), str(here.with_name("delays.py")), "--rounds", "7", "--json"]
    commands = {name: [sys.executable, str(here), "--one", name] for name in WAYS}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in (*WAYS, "ours")}
    for _ in range(options.rounds):
        for name, command in commands.items():
            found[name].append(in_turn(command))
        found["ours"].append(in_turn(ours)["recurrent"])
    own = statistics.median(each["native"] for each in found["ours"])
    print(f"ours: {own:.1f} ms of processor time a sample, {found['ours'][0]['spikes']:,.0f} spikes")
    for name in WAYS:
        whole, kernels = (statistics.median(each[key] for each in found[name]) for key in ("all", "kernels"))
        spikes = INPUT_SPIKES + found[name][0]["hidden spikes"]
        print(
            f"{name}: {whole:.1f} ms of processor time, {whole / own:.1f} x; its kernels alone {kernels:.1f} ms, "
            f"{kernels / own:.1f} x; about {spikes:,.0f} spikes"
        )


if __name__ == "__main__":
    main()

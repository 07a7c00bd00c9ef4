"""lava-dl's netx computes our spikes from the file we write, and we compute its ground truth from its files."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from asrc_core.contract.chain import SkipLayer, chain
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork, Neuron
from asrc_core.contract.random_network import random_network
from asrc_core.contract.synapses.connection import Tap
from asrc_core.errors import InvalidSetting, UnreadableFile
from asrc_export.chip import targets
from asrc_export.commands import export as cli_export
from asrc_export.engines import numpy as reference
from asrc_export.exporting import Exported
from asrc_export.interop.netx import netx_format
from asrc_export.interop.netx import reader as netx_import
from asrc_export.interop.netx import writer as netx_export
from asrc_export.quantization import quantize
from asrc_lava.boards import sdk
from asrc_train.trained import freeze
from asrc_train.trained.frozen import skip_layer

# Asked of what is installed: importing it takes seconds, which only the tests that run it should spend.
LAVA_DL = sdk.why_no_lava() is None and "lava-dl" in {found.name for found in importlib.metadata.distributions()}
needs_lava_dl = [pytest.mark.lava, pytest.mark.skipif(not LAVA_DL, reason="lava-dl is not installed")]


def ground_truth(name: str) -> Path:
    """A file that lava-dl's package brings along for its own tests."""
    spec = importlib.util.find_spec("lava.lib.dl.netx") if LAVA_DL else None
    if spec is None or spec.origin is None:
        pytest.skip("lava-dl, whose package brings the data, is not installed")
    path = Path(spec.origin).parents[4] / "tests/lava/lib/dl/netx" / name
    if not path.exists():
        pytest.skip(f"this lava-dl came without {name}")
    return path


def representable(seed: int, recurrent: bool, **settings: object) -> IntegerNetwork:
    """A random network that netx has a form for, with one that fires."""
    made = random_network(
        seed,
        **{  # type: ignore[arg-type]
            "channels": 3,
            "widths": (9, 7),
            "spans": (1, 1),
            "steps": 30,
            "reset": "hard",
            "exponents": (0, 0),
            "activation_shift": 6,
            "input_range": (0, 1),
            "decay": 700,
            **settings,
        },
    )
    layers = [
        replace(
            layer,
            recurrent=layer.recurrent if recurrent else np.zeros_like(layer.recurrent),
            bias=np.clip(layer.bias, 0, layer.threshold // 3),
        )
        for layer in chain(made).layers
    ]
    return netx_export.fitted(replace(chain(made), layers=tuple(layers)).network())


def spikes_of(network: IntegerNetwork, x: NDArray[np.int32]) -> NDArray[np.uint8]:
    """(T, N) of the last layer for one (T, channels) sample."""
    trace = reference.run(network, x[np.newaxis], trace=True).trace
    assert trace is not None
    spikes: NDArray[np.uint8] = trace.layers[-1].spikes[:, 0]
    return spikes


NETX = """
import sys
import numpy as np
from lava.lib.dl import netx
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc import io

for name in sys.argv[1:]:
    x = np.load(name + ".npy")  # (T, channels)
    bits = 0 if x.max() <= 1 else 8
    net = netx.hdf5.Network(name + ".net", input_message_bits=bits, reset_interval=10_000, reset_offset=1)
    steps = len(x) + len(net)
    source = io.source.RingBuffer(data=np.pad(x.T, ((0, 0), (0, steps - len(x)))))
    sink = io.sink.RingBuffer(shape=net.out.shape, buffer=steps)
    source.s_out.connect(net.inp)
    net.out.connect(sink.a_in)
    net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    spikes = sink.data.get()
    net.stop()
    np.save(name + ".out.npy", spikes[:, len(net):].T)
"""
"""netx as its users run it: each block adds a step, and is reset just before its first input arrives."""


class TestOnLava:
    pytestmark = needs_lava_dl

    @pytest.mark.slow
    def test_netx_spikes_as_the_integer_network_does(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        networks = {
            "feed-forward": representable(1, recurrent=False),
            "recurrent": representable(2, recurrent=True),
            "graded": representable(3, recurrent=True, input_range=(0, 60), decay=3000),
            "few bits": representable(4, recurrent=False, weight_bits=3),
        }
        expected = {}
        for name, network in networks.items():
            low, high = network.input.minimum, network.input.maximum
            x = rng.integers(low, high + 1, (network.steps, network.input.channels), dtype=np.int32)
            netx_export.save(network, tmp_path / f"{name}.net")
            np.save(tmp_path / f"{name}.npy", x)
            expected[name] = spikes_of(network, x)
            assert 0 < expected[name].mean() < 1, name
        command = [sys.executable, "-W", "ignore", "-c", NETX, *networks]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
        for name, spikes in expected.items():
            assert np.array_equal(np.load(tmp_path / f"{name}.out.npy"), spikes), name


class TestGroundTruth:
    """Inputs and outputs that lava-dl (BSD-3-Clause, Intel) ships for its own tests, read where it is installed."""

    def test_the_dense_block(self, tmp_path: Path) -> None:
        weight = np.load(ground_truth("gts/dense/weight.npy"), allow_pickle=False)
        x = np.load(ground_truth("gts/dense/in.npy"), allow_pickle=False)[:, :300].T.astype(np.int32)
        truth = np.load(ground_truth("gts/dense/out.npy"), allow_pickle=False).T
        path = net_file(tmp_path, weight=weight, vThMant=6, vDecay=415)
        spikes = spikes_of(netx_import.read(path, steps=len(x)), x)
        assert spikes.any()
        assert np.array_equal(spikes, truth[1 : len(x) + 1])  # its block adds a step

    def test_pilotnets_dense_blocks_and_their_membranes(self) -> None:
        """One frame of 17 steps, from its reset on; each block works a step later than the one before."""
        network = netx_import.read(ground_truth("gts/pilotnet_lif/network.net"), steps=17, skip_layers=7)
        whd = np.load(ground_truth("gts/pilotnet_lif/conv-4.npy"), allow_pickle=False)
        x = whd.transpose(2, 1, 0, 3).reshape(-1, whd.shape[-1]).T[5:22].astype(np.int32)
        result = reference.run(network, x[np.newaxis], trace=True)
        assert [count.saturations for count in result.counts] == [0] * 4
        assert result.trace is not None
        for i, layer in enumerate(result.trace.layers):
            first = 6 + i
            spikes, v = (
                np.load(ground_truth(f"gts/pilotnet_lif/fc-{i}{name}.npy"), allow_pickle=False).T[first : first + 17]
                for name in ("", "-v")
            )
            assert np.array_equal(layer.spikes[: len(spikes), 0], spikes), i
            membrane = layer.membrane[: len(v), 0]
            assert np.array_equal(membrane[~spikes], v[~spikes]), i  # theirs is another quantity where a neuron fires
            assert layer.spikes.any()

    @pytest.mark.parametrize(
        ("name", "skip", "says"),
        [
            ("gts/ntidigits/ntidigits.net", 0, "layer 5 is of type 'average', and only dense blocks"),
            ("tiny.net", 0, "layer 0 is an input with neurons"),
            ("tiny.net", 1, "layer 1 is of type 'conv'"),
            ("gts/pilotnet_sdnn/network.net", 7, "has neurons of type 'SDNN'"),
        ],
    )
    def test_what_the_contract_has_no_form_for(self, name: str, skip: int, says: str) -> None:
        with pytest.raises(UnreadableFile, match=says):
            netx_import.read(ground_truth(name), steps=10, skip_layers=skip)

    def test_a_last_block_without_neurons_is_the_readout(self) -> None:
        network = netx_import.read(ground_truth("mnist.net"), steps=4, skip_layers=1)
        assert [layer.neurons for layer in network.hidden] == [512, 512]
        assert network.classes == 10


class TestExport:
    def test_the_command_writes_the_integer_network_of_a_file(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        network = representable(5, recurrent=True)
        netx_export.save(network, tmp_path / "n.net")
        command = [str(tmp_path / "n.net"), "--from", "netx"]
        assert cli_export.main(command) == 1
        assert "does not say how many steps" in capsys.readouterr().err
        assert cli_export.main([*command, "--steps", str(network.steps)]) == 0
        back = network_file.load(tmp_path / "n.loihi2.safetensors")
        assert back.steps == network.steps
        assert np.array_equal(chain(back).layers[0].recurrent, chain(network).layers[0].recurrent)

    def test_a_scale_of_0_is_refused_and_not_read_as_none(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        netx_export.save(representable(5, recurrent=True), tmp_path / "n.net")
        command = [str(tmp_path / "n.net"), "--from", "netx", "--steps", "9", "--input-scale"]
        assert cli_export.main([*command, "0"]) == 1
        assert "scale 0.0 is not a finite number above 0" in capsys.readouterr().err
        assert not (tmp_path / "n.loihi2.safetensors").exists()
        assert cli_export.main([*command, "0.5"]) == 0
        assert network_file.load(tmp_path / "n.loihi2.safetensors").input.scale == 0.5

    def test_what_we_write_reads_back_as_the_same_layers(self, tmp_path: Path) -> None:
        network = representable(5, recurrent=True)
        netx_export.save(network, tmp_path / "n.net")
        back = netx_import.read(tmp_path / "n.net", steps=network.steps)
        x = np.random.default_rng(0).integers(0, 2, (network.steps, 3), dtype=np.int32)
        for mine, theirs in zip(chain(network).layers, chain(back).layers, strict=True):
            for name in ("feedforward", "recurrent", "bias"):
                assert np.array_equal(getattr(mine, name), getattr(theirs, name))
            for name in ("threshold", "decay", "span", "reset", "activation_shift"):
                assert getattr(mine, name) == getattr(theirs, name)
        spikes = spikes_of(network, x)
        counted = reference.run(back, x[np.newaxis]).logits[0]
        assert np.array_equal(counted, spikes.sum(axis=0))  # the readout that a file without one gets

    def test_a_trained_network_quantized_within_netxs_formats_fits(
        self, checkpoint_path: Path, exported: Exported, tmp_path: Path
    ) -> None:
        frozen = freeze.freeze_file(checkpoint_path)
        vanilla = replace(
            frozen,
            layers=tuple(
                skip_layer(
                    layer.name,
                    layer.weight,
                    layer.recurrent,
                    layer.bias,
                    source=layer.forward.source,
                    span=1,
                    **{**{k: v for k, v in layer.constants.items() if k != "bias"}, "reset": "hard"},
                )
                for layer in frozen.layers
            ),
        )
        network = quantize.quantize(vanilla, netx_export.narrowed(targets.load("loihi2"))).network
        fitted = netx_export.fitted(network)
        for before, after in zip(chain(network).layers, chain(fitted).layers, strict=True):
            assert abs(after.threshold - before.threshold) <= 32
            assert np.abs(after.bias - before.bias).max() <= 32
        netx_export.save(fitted, tmp_path / "n.net")
        assert netx_import.read(tmp_path / "n.net", steps=64, maximum=16).layers[0].neurons == 12

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"span": 2}, "has span 2, and the public netx (lava-dl 0.6.0) cannot build a delayed recurrence"),
            ({"span": 2, "taps": (Tap(1, 1), Tap(2, 3))}, "taps 2 spans at once, and netx one"),
            ({"reset": "soft"}, "resets softly"),
            ({"activation_shift": 5}, "has the activation shift 5"),
            ({"decay": 4096}, "forgets its membrane at once"),
            ({"threshold": 640}, "has the threshold 640, which is no multiple of 64 plus 1"),
            ({"threshold": 641, "fires": "above"}, "has the threshold 642, which is no multiple of 64 plus 1"),
            ({"bias": np.full(9, 63)}, "has biases that are no 13-bit multiples of 64"),
            ({"feedforward_exponent": -3}, "rounds its feed-forward sums"),
            ({"feedforward_exponent": 3}, "which netx does not hold exactly"),
            ({"bias": np.full(9, 64), "threshold": 65, "decay": 0}, "fires from its biases in the 1 step before"),
        ],
    )
    def test_what_netx_has_no_form_for_is_refused_with_the_reason(
        self, change: dict[str, object], says: str, tmp_path: Path
    ) -> None:
        network = chain(representable(6, recurrent=True))
        changed: SkipLayer = replace(network.layers[0], **change)  # type: ignore[arg-type]
        if "threshold" in change and change["threshold"] == 65:
            changed = replace(changed, bias=np.full(9, 128))
        (tmp_path / "n.net").write_text("as before")
        with pytest.raises(InvalidSetting) as raised:
            netx_export.save(replace(network, layers=(changed, *network.layers[1:])).network(), tmp_path / "n.net")
        assert says in str(raised.value)
        assert "layer 'layer0'" in str(raised.value)
        assert "\n" not in str(raised.value)
        assert (tmp_path / "n.net").read_text() == "as before"

    def test_a_network_that_is_no_chain_is_refused_with_the_layer_and_the_reason(self, tmp_path: Path) -> None:
        made = representable(6, recurrent=True)
        first = made.layers[0]
        constants = {**first.neuron.parameters, "current_decay": 100}
        lasting = replace(first, neuron=Neuron("cuba-lif", constants))
        with pytest.raises(InvalidSetting) as raised:
            netx_export.save(replace(made, layers=(lasting, *made.layers[1:])), tmp_path / "n.net")
        assert "layer 'layer0': its neurons are of kind 'cuba-lif', not 'lif'" in str(raised.value)
        assert "\n" not in str(raised.value)
        assert not (tmp_path / "n.net").exists()

    @pytest.mark.parametrize(
        ("weights", "exact"),
        [
            ([[-256, 254]], True),
            ([[-128, 127]], True),
            ([[-129, 2]], False),
            ([[0, 129]], False),
            ([[-8, 0]], False),
            ([[-7, -3]], True),
            ([[0, 0]], False),
        ],
    )
    def test_matrices_that_netx_and_lava_hold(self, weights: list[list[int]], exact: bool) -> None:
        assert netx_format.exact(np.array(weights)) == exact


def net_file(folder: Path, **changes: object) -> Path:
    """A file of one dense block of three neurons with two inputs; a value of None leaves the entry out."""
    entries: dict[str, object] = {
        "type": np.array([b"dense"], "S10"),
        "weight": np.array([[2.0, -4.0], [6.0, 8.0], [-2.0, 0.0]], np.float32),
        "neuron/type": b"CUBA",
        "neuron/iDecay": 4096,
        "neuron/vDecay": 100,
        "neuron/vThMant": 5,
        "neuron/refDelay": 1,
    }
    for name, value in changes.items():
        entries[f"neuron/{name}" if f"neuron/{name}" in entries and name != "type" else name] = value
    if "shape" not in entries:
        entries["shape"] = np.array([np.shape(entries["weight"])[0]]) if np.ndim(entries["weight"]) else np.array([3])
    path = folder / "given.net"
    with h5py.File(path, "w") as file:
        block = file.create_group("layer/0")
        for name, value in entries.items():
            if isinstance(value, h5py.ExternalLink | h5py.SoftLink):
                block[name] = value
            elif value is not None:
                block.create_dataset(name, data=value)
    return path


def test_a_file_is_read_as_lava_runs_it_or_as_slayer_trained_it(tmp_path: Path) -> None:
    """One input spike brings the membrane to 64 times 10, just the threshold."""
    path = net_file(tmp_path, weight=np.array([[10.0, 0.0]]), vThMant=10, vDecay=0)
    x = np.zeros((1, 6, 2), np.int32)
    x[..., 0] = 1
    for fires, steps in (("above", [1, 3, 5]), ("at", [0, 1, 2, 3, 4, 5])):
        network = netx_import.read(path, steps=6, fires=fires)  # type: ignore[arg-type]
        trace = reference.run(network, x, trace=True).trace
        assert trace is not None
        assert np.flatnonzero(trace.layers[0].spikes[:, 0, 0]).tolist() == steps
        assert chain(network).layers[0].least_spike == (641 if fires == "above" else 640)


def test_neurons_that_fire_at_a_threshold_of_0_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="neuron has 'vThMant' 0"):
        netx_import.read(net_file(tmp_path, vThMant=0), steps=6, fires="at")


HOSTILE: list[tuple[dict[str, object], str]] = [
    ({"type": None}, "layer 0 has no 'type'"),
    ({"type": np.array([b"dense", b"dense"])}, "has a 'type' that is not one text"),
    ({"type": 3}, "has a 'type' of type int64"),
    ({"weight": np.array([b"a", b"b"], h5py.special_dtype(vlen=bytes))}, "has a 'weight' of type object"),
    ({"weight": np.ones((2, 2, 2))}, "has 'weight' of shape"),
    ({"weight": np.ones((0, 2))}, "has 'weight' of shape"),
    ({"weight": np.ones((3, 2)) * np.nan}, "has a 'weight' that is not in whole numbers"),
    ({"weight": np.full((3, 2), 0.5)}, "has a 'weight' that is not in whole numbers"),
    ({"weight": np.array([[257, -2], [0, 2], [2, 2]])}, "has 'weight' from -2 to 257: netx holds even numbers"),
    ({"weight": np.array([[2**40, -2], [0, 2], [2, 2]])}, "has a 'weight' beyond 32 bits"),
    ({"weight": h5py.ExternalLink("/etc/passwd", "/")}, "takes 'weight' from elsewhere"),
    ({"weight": h5py.SoftLink("/layer/0/shape")}, "takes 'weight' from elsewhere;"),
    ({"shape": np.array([4])}, "has 'weight' of shape (3, 2) for 4 neurons"),
    ({"bias": np.ones(2)}, "has 'bias' of shape (2,) for 3 neurons"),
    ({"bias": np.full(3, 5000)}, "has 'bias' from 5000 to 5000, beyond 13 bits"),
    ({"delay": np.array([0, 63, 0])}, "delays its input"),
    ({"iDecay": 1024}, "keeps a synaptic current (iDecay 1024, not 4096)"),
    ({"vDecay": -1}, "has 'vDecay' -1, outside 0 to 4096"),
    ({"vThMant": 2**20}, "has 'vThMant' 1048576, outside 0 to 131071"),
    ({"refDelay": 3}, "has 'refDelay' 3"),
    ({"type": np.array([b"dense_rec"]), "weight_rec": np.ones((3, 2))}, "has 'weight_rec' of shape (3, 2)"),
    ({"neuron/type": None, "neuron": np.ones(2)}, "has 'neuron' as a data set"),
]


class TestHostileFiles:
    @pytest.mark.parametrize(("changes", "says"), HOSTILE, ids=[says for _, says in HOSTILE])
    def test_are_refused_in_one_sentence(self, changes: dict[str, object], says: str, tmp_path: Path) -> None:
        if "neuron" in changes:
            changes = {f"neuron/{key}": None for key in ("iDecay", "vDecay", "vThMant", "refDelay")} | changes
        self.refused(net_file(tmp_path, **changes), says)

    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (lambda content: content[: len(content) // 2], "not a whole HDF5 file"),
            (lambda content: b"", "not a whole HDF5 file"),
            (lambda content: b"\x00" * len(content), "not a whole HDF5 file"),
        ],
    )
    def test_truncated_and_empty(self, spoil: Callable[[bytes], bytes], says: str, tmp_path: Path) -> None:
        path = net_file(tmp_path)
        path.write_bytes(spoil(path.read_bytes()))
        self.refused(path, says)

    def test_absent(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "absent.net", "No such file")

    def test_blocks_that_are_not_numbered_through(self, tmp_path: Path) -> None:
        path = net_file(tmp_path)
        with h5py.File(path, "a") as file:
            file.move("layer/0", "layer/1")
        self.refused(path, "layer has no '0'")

    def test_a_size_is_checked_before_it_is_read(self, tmp_path: Path) -> None:
        path = net_file(tmp_path, weight=None)
        with h5py.File(path, "a") as file:  # a petabyte, of which the file holds nothing
            file.create_dataset("layer/0/weight", shape=(2**25, 2**25), dtype="i1", chunks=(1024, 1024))
        self.refused(path, "more than the 16777216 allowed")

    def test_the_length_of_a_text_is_checked_before_it_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(netx_import, "MAX_CELLS", 100)
        path = net_file(tmp_path, type=None)
        with h5py.File(path, "a") as file:
            file.create_dataset("layer/0/type", shape=(1,), dtype="S2000")
        self.refused(path, "has a 'type' of 2000 bytes, more than the 800 allowed")

    @pytest.mark.parametrize("name", ["type", "neuron/type"])
    def test_a_long_text_is_told_in_part(self, name: str, tmp_path: Path) -> None:
        path = net_file(tmp_path, **{name: np.array([b"x" * 3000])})
        with pytest.raises(UnreadableFile, match=f"of type '{'x' * 40}'"):
            netx_import.read(path, steps=10)

    def refused(self, path: Path, says: str) -> None:
        with pytest.raises(UnreadableFile) as raised:
            netx_import.read(path, steps=10)
        assert says in str(raised.value)
        assert "\n" not in str(raised.value)

"""The C for microcontrollers: one freestanding file, equal in every number, on this machine and under QEMU."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asrc_core.contract import interpreter
from asrc_core.contract.file import network_file
from asrc_core.contract.interpreter import NumpyStream
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import require_equal
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.errors import BackendFailed, BackendMissing, ParityBroken, RulesBroken
from asrc_core.files import folder
from asrc_export.chip import devices, shape
from asrc_export.chip.devices import mcu
from asrc_export.codegen.mcu.folder import files
from asrc_export.codegen.mcu.program import Program, program
from asrc_export.commands import export as cli_export
from asrc_export.emulation import cores, emulate, tools
from asrc_export.engines import c as engine
from asrc_export.samples.dataset_samples import dataset_for

SUPPORT = Path(__file__).parents[1] / "support"
EXAMPLES = Path(__file__).parents[2] / "examples"
PSMNIST = network_file.load(EXAMPLES / "psmnist-asrc.loihi2.safetensors")


def samples(network: IntegerNetwork, count: int, seed: int = 0) -> np.ndarray:
    entry = network.input
    shape_ = (count, network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape_)


def installed(core: cores.Core) -> bool:
    return all(shutil.which(tool) for tool in (core.compiler, core.qemu) if tool)


def needs(core: cores.Core) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not installed(core), reason=f"needs {core.packages}")


def written(printed: Program, path: Path) -> Path:
    (path / "asrc_network.c").write_text(printed.source)
    (path / "asrc_network.h").write_text(printed.header)
    return path / "asrc_network.c"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_undefined_and_every_number_is_the_references(seed: int) -> None:
    network = any_network(1000 + seed)
    done = emulate.emulate(network, samples(network, 2), cores.HOST)
    assert done.compared == 2 * network.steps * 2 * sum(layer.neurons for layer in network.layers)


@pytest.mark.slow
def test_psmnist_is_equal_under_the_sanitizers_on_a_hundred_samples() -> None:
    x = dataset_for(PSMNIST).test_x[:100]
    assert emulate.emulate(PSMNIST, x, cores.HOST).samples == 100


@pytest.mark.parametrize("core", cores.CORES.values(), ids=lambda core: core.name)
def test_a_core_computes_every_spike_membrane_and_logit(core: cores.Core) -> None:
    if not installed(core):
        pytest.skip(f"needs {core.packages}")
    for seed in range(3):
        network = any_network(seed)
        done = emulate.emulate(network, samples(network, 2), core)
        assert done.compared > 0
        assert done.instructions > 0


@pytest.mark.slow
@needs(cores.CORES["cortex-m4"])
def test_psmnist_on_a_cortex_m4_stays_under_the_prototypes_instructions() -> None:
    done = emulate.emulate(PSMNIST, dataset_for(PSMNIST).test_x[:2], cores.CORES["cortex-m4"])
    assert done.per_step < 36_500 * 2 / 3  # two thirds of what was measured before spikes were kept as bits


def test_a_network_that_computes_something_else_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    network = any_network(3)
    honest = program(network)

    def wrong(*_: object) -> Program:
        text = honest.source.replace("asrc_state.logits[n] = ", "asrc_state.logits[n] = 1 + ")
        return Program(text, honest.header, honest.weights, honest.constants, honest.ram)

    monkeypatch.setattr(emulate, "program", wrong)
    with pytest.raises((ParityBroken, BackendFailed)):
        emulate.emulate(network, samples(network, 1), cores.HOST)


def test_the_hash_sees_every_spike_and_membrane(monkeypatch: pytest.MonkeyPatch) -> None:
    network = any_network(5)
    honest = program(network)
    text = honest.source.replace("asrc_trace_shown[0 + n] = ", "asrc_trace_shown[0 + n] = 1 + ")
    assert text != honest.source
    changed = Program(text, honest.header, honest.weights, honest.constants, honest.ram)
    monkeypatch.setattr(emulate, "program", lambda *_: changed)
    with pytest.raises(ParityBroken, match="its spikes or membranes"):
        emulate.emulate(network, samples(network, 1), cores.HOST)


@needs(cores.CORES["cortex-m4"])
def test_a_device_needs_no_library_and_flash_is_the_weights_and_little_more(tmp_path: Path) -> None:
    for network in (PSMNIST, any_network(7), any_network(8)):
        core, printed = cores.CORES["cortex-m4"], program(network)
        written(printed, tmp_path)
        command = [core.compiler, *core.flags, "-std=c99", "-O2", "-ffreestanding", "-c", "asrc_network.c", "-o", "n.o"]
        subprocess.run(command, cwd=tmp_path, check=True)
        undefined = subprocess.run(["arm-none-eabi-nm", "-u", "n.o"], cwd=tmp_path, check=True, capture_output=True)
        assert set(undefined.stdout.decode().split()) <= {"U", "__aeabi_ldivmod", "__aeabi_lmul"}
        found = emulate.sizes(printed, core)
        assert found.flash <= 1.05 * printed.weights + 4096
        assert found.ram - 8 <= printed.ram <= found.ram


@pytest.mark.parametrize("seed", range(20))
def test_what_is_told_before_training_is_close_to_what_is_written(seed: int) -> None:
    network = random_network(seed, widths=(64, 100), spans=(3, 30), steps=20, channels=1 + seed)
    printed, told = program(network), mcu.memory(shape.of_network(network))
    assert printed.constants <= told.flash <= 1.1 * printed.constants + mcu.CODE
    assert printed.ram <= told.ram <= 2 * printed.ram + mcu.STACK


def test_threads_do_not_meet_in_the_one_state_that_a_text_has() -> None:
    network = random_network(1, widths=(40, 40), spans=(3, 7), steps=200)
    x = np.random.default_rng(0).integers(0, 256, (400, 200, 1))
    expected = engine.run(network, x)
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda _: engine.run(network, x), range(4)):
            require_equal(network, result, expected, ("one of several threads", "alone"))


def test_a_stream_is_the_references_however_streams_take_turns() -> None:
    network = next(
        n for n in map(any_network, range(100)) if any(e.delays is not None for e in n.layers[0].connections)
    )
    ready, x = engine.prepared(network), samples(network, 2)
    mine, theirs = [ready.stream(), ready.stream()], [NumpyStream(network), NumpyStream(network)]
    for t in range(network.steps):
        for i in (0, 1):
            got, expected = mine[i].step(x[i, t]), theirs[i].step(x[i, t])
            assert np.array_equal(got.logits, expected.logits)
            assert all(np.array_equal(a, b) for a, b in zip(got.spikes, expected.spikes, strict=True))
    assert [each.counts for each in mine] == [each.counts for each in theirs]


def test_the_folder_builds_with_cmake_and_its_self_test_passes(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("needs cmake")
    written_to = folder.write(files(program(any_network(2))), tmp_path / "out")
    assert {path.name for path in written_to} >= {"asrc_network.c", "asrc_network.h", "CMakeLists.txt", "Answer.ino"}
    for command in (["cmake", "-S", "out", "-B", "build"], ["cmake", "--build", "build"], ["build/self_test"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(("steps", "type_"), [(2**16, "uint16_t"), (2**16 + 1, "uint32_t")])
def test_the_order_of_steps_is_as_wide_as_its_largest_step(steps: int, type_: str) -> None:
    network = replace(random_network(0, widths=(4,), spans=(3,), steps=1), steps=steps, permutation=np.arange(steps))
    assert f"static const {type_} asrc_order[ASRC_STEPS] = {{0, 1, 2, " in program(network).header


@pytest.mark.parametrize("seed", [302, 317, 324])
@pytest.mark.parametrize("compiler", [("cc", "-std=c99"), ("c++", "-x", "c++")])
def test_a_compiler_has_nothing_to_say(compiler: tuple[str, ...], seed: int, tmp_path: Path) -> None:
    """Not even that a constant is read by nothing: these have decays whose product became a shift."""
    folder.write(files(program(any_network(seed))), tmp_path / "out")
    strict = ("-O0", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wno-sign-conversion")
    command = [*compiler, *strict, "-Isrc", "src/asrc_network.c", "examples/self_test/main.c", "-o", "self_test"]
    compiled = subprocess.run(command, cwd=tmp_path / "out", check=True, capture_output=True, text=True)
    assert compiled.stderr == ""
    assert subprocess.run(["./self_test"], cwd=tmp_path / "out", capture_output=True).returncode == 0


def test_the_arduino_sketch_answers_and_blinks(tmp_path: Path) -> None:
    """Each sample is read to its end and no further, however its numbers are separated; what is no input is refused."""
    network = next(each for each in map(any_network, range(100)) if each.input.minimum < 0)
    folder.write(files(program(network)), tmp_path / "out")
    x = samples(network, 2)
    first, second = ([str(each) for each in sample.reshape(-1)] for sample in x)
    text = "\r\n".join(first) + "\n\n" + str(network.input.maximum + 1) + "\n" + " ".join(second) + "\n"
    board = [str(SUPPORT / "arduino_board.cpp"), "out/src/asrc_network.c"]
    where = ["-Iout/src", "-Iout/examples/Answer"]
    subprocess.run(["c++", "-Wall", "-Wextra", "-Werror", *where, *board, "-o", "board"], cwd=tmp_path, check=True)
    said = subprocess.run(["./board"], cwd=tmp_path, input=text, capture_output=True, text=True, check=True).stdout
    one, other = (int(each) for each in interpreter.run(network, x).logits.argmax(axis=1))
    assert said.splitlines() == [
        f"{one}, {one + 1} flashes",
        "out of range, send another number",
        f"{other}, {other + 1} flashes",
    ]


def test_the_export_writes_the_c_of_an_integer_file_and_prints_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.safetensors"
    network_file.save(any_network(4), path)
    assert cli_export.main([str(path), "--c", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "bytes of constants" in told
    assert (tmp_path / "out" / "src" / "asrc_network.c").exists()


@pytest.mark.parametrize("option", ["--out=x.safetensors", "--finetune=2", "--strict"])
def test_integers_stay_as_they_are(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.safetensors"
    network_file.save(any_network(4), path)
    with pytest.raises(SystemExit, match="2"):
        cli_export.main([str(path), "--c", str(tmp_path / "out"), option])
    assert "goes with a checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_network_that_a_device_has_no_room_for_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, small = tmp_path / "net.safetensors", tmp_path / "small.toml"
    network_file.save(any_network(4), path)
    text = (devices.FOLDER / "cortex-m4.toml").read_text()
    small.write_text(text.replace("value = 1048576", "value = 4096").replace("value = 131072", "value = 512"))
    before = sorted(tmp_path.iterdir())
    assert cli_export.main([str(path), "--c", str(tmp_path / "out"), "--target", str(small)]) == 1
    told = capsys.readouterr().err
    assert "breaks 2 limits of target 'cortex-m4'" in told
    assert "limit: 4,096 bytes" in told
    assert sorted(tmp_path.iterdir()) == before


def test_a_recipe_too_large_for_a_device_is_refused(tmp_path: Path) -> None:
    small = tmp_path / "small.toml"
    small.write_text((devices.FOLDER / "rv32imac.toml").read_text().replace("value = 131072", "value = 1000"))
    with pytest.raises(RulesBroken, match="limit: 1,000 bytes"):
        devices.require(PSMNIST, devices.load(str(small)))


def test_a_folder_that_cannot_be_written_to_is_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, taken = tmp_path / "net.safetensors", tmp_path / "file"
    network_file.save(any_network(4), path)
    taken.write_text("mine")
    for where in (taken, tmp_path / "absent" / "out"):
        assert cli_export.main([str(path), "--c", str(where)]) == 1
        assert "cannot write" in capsys.readouterr().err
    assert taken.read_text() == "mine"
    assert cli_export.main([str(path), "--c", "a\0b"]) == 1
    assert "is no path" in capsys.readouterr().err


def test_a_missing_tool_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BackendMissing, match=r"arm-none-eabi-gcc.*not installed; on Debian, apt install gcc-arm-none"):
        emulate.emulate(any_network(1), samples(any_network(1), 1), cores.core("cortex-m4"))


def test_a_missing_tool_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "net.safetensors", tmp_path / "out"
    network_file.save(any_network(4), path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli_export.main([str(path), "--c", str(out), "--run", "cortex-m4"]) == 1
    assert "'arm-none-eabi-gcc' is not available" in capsys.readouterr().err
    assert not out.exists()


def test_a_tool_that_fails_shows_its_last_lines_and_its_log_is_kept(tmp_path: Path) -> None:
    command = ["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; exit 3"]
    with pytest.raises(
        BackendFailed, match=r"status 3, its last lines: line 3 \| line 4 \| line 5; its log is"
    ) as told:
        tools.output(command, tmp_path, 10, "mend it")
    log = Path(str(told.value).split("its log is '")[1].split("'")[0])
    assert log.read_text().startswith("line 1")
    log.unlink()


def test_a_log_that_finds_no_room_is_told_in_the_same_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tools.tempfile, "NamedTemporaryFile", full)
    with pytest.raises(
        BackendFailed, match=r"status 3; its log could not be kept \(No space left on device\); mend it"
    ):
        tools.output(["sh", "-c", "exit 3"], tmp_path, 10, "mend it")


def test_a_tool_that_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(BackendFailed, match=r"not done after 0\.2 s") as told:
        tools.output(["sleep", "60"], tmp_path, 0.2, "mend it")
    Path(str(told.value).split("its log is '")[1].split("'")[0]).unlink()

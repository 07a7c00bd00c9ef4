"""The library names settings, commands print options."""

from __future__ import annotations

import argparse

import pytest

from asrc_core.command import command_line, options
from asrc_core.errors import InvalidSetting


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = command_line.parser("asrc-try", "", "")
    made.add_argument("network", metavar="NETWORK.safetensors")
    made.add_argument("-b", "--bits")
    made.add_argument("--float", dest="model")
    made.add_argument("--kernel-length")
    made.add_argument("--list", dest="checkpoints", action="append")
    made.add_argument("--seeds", type=int)
    inner = made.add_subparsers(dest="kind").add_parser("sweep")
    inner.add_argument("--line", dest="lines")
    return made


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("`bits`: 9 is outside 2 to 8", "--bits: 9 is outside 2 to 8"),
        ("use `mapping='synaptic-delay'` or `bits=8`", "use --mapping synaptic-delay or --bits 8"),
        ("train with `kernel_length=63` or less", "train with --kernel-length 63 or less"),
        ("`lossy=True` writes it", "--lossy writes it"),
        ("leave `model` away", "leave --float away"),  # its option has another name
        ("`checkpoint` is another", "--list is another"),  # an option given for each
        ("another `seed`", "another --seed"),  # of another command: --seeds says how many
        ("`lines`, or `line`", "--line, or --line"),  # an option of a subcommand
        ("`network` is none", "NETWORK.safetensors is none"),
        ("a `Network`, `a b`, `f(x)`, ` and `", "a `Network`, `a b`, `f(x)`, ` and `"),  # nothing of this is a setting
    ],
)
def test_a_setting_is_printed_as_the_option(said: str, printed: str, parser: argparse.ArgumentParser) -> None:
    assert options.named(said, options.of(parser)) == printed


def test_errors_and_notes_of_a_command_name_its_options(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    def body() -> None:
        command_line.say("note: `model` is old")
        raise InvalidSetting("`bits`", "9 is outside 2 to 8")

    assert command_line.run(parser, body) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("note: --float is old\n", "asrc-try: --bits: 9 is outside 2 to 8.\n")


def test_a_command_within_a_command_gives_the_names_back(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    def body() -> None:
        command_line.run(command_line.parser("asrc-other", "", ""), lambda: command_line.say("`model`"))
        command_line.say("`model`")

    command_line.run(parser, body)
    assert capsys.readouterr().out == "--model\n--float\n"

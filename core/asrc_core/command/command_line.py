"""What all commands share: help with examples, one-sentence errors, exit statuses.

0 is success, 1 a named error told in a sentence, 2 wrong usage told in a line, 130 an interrupt, 143 a SIGTERM.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from asrc_core import __version__, extras
from asrc_core.command import options
from asrc_core.errors import AsrcError
from asrc_core.files import data_folder

_names: ContextVar[Mapping[str, str]] = ContextVar("names")
"""How the command that runs names the library's settings."""


NEW_OBJECTS = 50_000
"""Objects that a command makes before Python looks for cycles among them, which by default are 700: most of what it
makes stays until it ends, and a report spent a twelfth of its time looking.
"""

SPINS = 10_000
"""How often a thread of PyTorch's looks for new work before it sleeps, some ten nanoseconds each time. By default it
looks for milliseconds, on a core that our own threads need meanwhile; without looking, operations in quick succession
would have to wake it each time.
"""


class _Parser(argparse.ArgumentParser):
    """Tells wrong usage in one line, where argparse lists every option first."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'.\n")


def parser(command: str, description: str, examples: str) -> argparse.ArgumentParser:
    """An argument parser whose ``--help`` ends with examples."""
    made = _Parser(
        prog=command,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"{command} {__version__}")
    return made


class _DataFolder(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, options: Any, value: str | Sequence[Any] | None, name: str | None = None
    ) -> None:
        os.environ[data_folder.VARIABLE] = os.path.abspath(
            os.path.expanduser(str(value))
        )  # processes that the command starts read the same data


def add_data_folder(to: argparse.ArgumentParser) -> None:
    """The option ``--data-dir``, for commands that load data sets."""
    help_text = f"where data sets lie that come with no package (default: ${data_folder.VARIABLE}, or one in the cache)"
    to.add_argument("--data-dir", metavar="FOLDER", action=_DataFolder, help=help_text)


def say(text: str) -> None:
    """Print a note of the library, its settings named as options of the command that runs."""
    print(options.named(text, _names.get({})))


class _Terminated(KeyboardInterrupt):
    """SIGTERM: batch systems send it before they kill."""


@contextmanager
def _ended_like_an_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind the command, so that temporary files go; by default it ends Python on the spot."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would cut short what the first lets go
        raise _Terminated

    if ours:  # whoever calls from a program with a handler of its own has decided
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if ours and signal.getsignal(signal.SIGTERM) in (end, signal.SIG_IGN):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run(parser: argparse.ArgumentParser, body: Callable[[], None]) -> int:
    """Run the command's ``body`` and turn its outcome into an exit status; errors name its options."""
    command = parser.prog
    before, collected = _names.set(options.of(parser)), gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *collected[1:])
    if "OMP_WAIT_POLICY" not in os.environ:  # whoever sets it has decided
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
    # When it ends, Python would look for cycles among all that PyTorch made once more: half a second for nothing.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    try:
        with _ended_like_an_interrupt():
            body()
            sys.stdout.flush()
    except AsrcError as error:
        print(options.named(f"{command}: {error}", _names.get({})), file=sys.stderr)
        return 1
    except ImportError as error:
        absent = extras.missing(error)
        if absent is None:
            raise
        print(f"{command}: {absent}", file=sys.stderr)
        return 1
    except MemoryError as error:
        print(f"{command}: not enough memory{f' ({error})' if str(error) else ''}; run fewer samples.", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"{command}: interrupted; finished outputs are whole.", file=sys.stderr)
        return 143 if isinstance(interrupt, _Terminated) else 130
    except BrokenPipeError:  # `| head` closed the pipe: nobody reads on, and that is fine
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        gc.set_threshold(*collected)
        _names.reset(before)
    return 0


def add_outputs(made: argparse.ArgumentParser, what: str, suffixes: str) -> None:
    """The repeatable option -o, each file's format named by its suffix."""
    made.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        action="append",
        default=[],
        help=f"write {what}, format by suffix ({suffixes}); repeatable. Without it, text on the terminal",
    )


def positive(text: str) -> int:
    """Argparse type: an integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value

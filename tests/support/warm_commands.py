"""The project's commands, and `python`, from a process that has imported PyTorch once.

Importing it takes several seconds of processor time, which a page of ten commands would spend ten times. The server
imports what commands need and then forks for each of them: everything else about the process is its own (arguments,
folder, environment, files, status). It has a single thread, so a fork of it is sound; it refuses to serve otherwise.

What stands on the path are small scripts of the commands' names that hand their descriptors to the server and end with
the status that comes back.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import importlib.metadata
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIRST = (
    "torch", "sklearn.model_selection", "sklearn.datasets", "matplotlib.figure", "rich.progress", "onnx", "nir",
    "asrc_train.commands.train", "asrc_train.training.fit", "asrc_export.exporting", "asrc_export.report",
    "asrc_export.commands.export", "asrc_lava.commands.sim",
)  # fmt: skip
"""Imported before any command runs: what most of them import."""

CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    order = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(order).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(order)
    told = server.recv(4)
if len(told) < 4:
    sys.exit("the server of commands is gone")
status = int.from_bytes(told, "big", signed=True)
if status < 0:  # a signal ended it
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@contextmanager
def on_path() -> Iterator[dict[str, str]]:
    """This process's environment with the commands on its path, as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="asrc-warm-") as folder:
        address = str(Path(folder, "server"))
        for name in ("python", *_commands()):
            script = Path(folder, name)
            script.write_text(CLIENT.format(python=sys.executable, address=address))
            script.chmod(0o700)
        server = subprocess.Popen([sys.executable, __file__, address], stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n", "the server of commands did not start"
            path = os.pathsep.join((folder, str(Path(sys.executable).parent), os.environ["PATH"]))
            yield {**os.environ, "PATH": path}
        finally:
            server.terminate()
            server.communicate()


def _commands() -> dict[str, str]:
    """The scripts that the distribution installs, and the function that each one calls."""
    points = importlib.metadata.distribution("asrc-toolchain").entry_points
    return {point.name: point.value for point in points if point.group == "console_scripts"}


def _serve(address: str) -> tuple[list[str], str, dict[str, str]]:
    """Returns in a process of its own for each order; the server itself goes on until it is terminated."""
    for name in FIRST:
        importlib.import_module(name)
    threads = os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ["one"]
    if len(threads) != 1:
        sys.exit(f"{len(threads)} threads run after the imports: a fork of such a process may hang")
    gc.freeze()  # what was imported stays: no collection of a command looks at it
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                return _ordered(connection)
            connection.close()
            while _ended():
                pass


def _ended() -> bool:
    """Whether one more of the processes ended; then it is not kept waiting for."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _ordered(connection: socket.socket) -> tuple[list[str], str, dict[str, str]]:
    """Arguments, folder and environment, in the process that runs them; one that waits for it sends its status.

    Descriptors 0, 1 and 2 are the client's from here on.
    """
    length, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    for to, descriptor in enumerate(descriptors):
        os.dup2(descriptor, to)
        os.close(descriptor)
    text = b""
    while len(text) < int.from_bytes(length, "big"):
        part = connection.recv(1 << 16)
        assert part, "the client is gone"
        text += part
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(status.to_bytes(4, "big", signed=True))
        os._exit(0)
    connection.close()
    argv, folder, environment = json.loads(text)
    return argv, folder, environment


def _run(argv: list[str], folder: str, environment: dict[str, str]) -> None:
    """As the command would run when started by itself."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    name = Path(argv[0]).name
    if name != "python":
        module, _, function = _commands()[name].partition(":")
        sys.argv = argv
        sys.exit(getattr(importlib.import_module(module), function)())
    if argv[1] == "-c":
        sys.argv, sys.path[0] = ["-c", *argv[3:]], ""
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(argv[2], "<string>", "exec"), main.__dict__)
    else:
        sys.argv, sys.path[0] = argv[1:], str(Path(argv[1]).resolve().parent)
        runpy.run_path(argv[1], run_name="__main__")


def _to_its_end(argv: list[str], folder: str, environment: dict[str, str]) -> None:
    """The command, what it left to be done at its end, and its status; without taking PyTorch's modules apart."""
    status: Any = 0
    try:
        _run(argv, folder, environment)
    except SystemExit as stop:
        status = stop.code or 0
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _to_its_end(*_serve(sys.argv[1]))

"""Processors that QEMU emulates here: what compiles for them, and which board has one."""

from __future__ import annotations

from dataclasses import dataclass

from asrc_core.errors import UnknownName


@dataclass(frozen=True)
class Core:
    """A processor, its cross compiler and QEMU's board with one; Debian's packages that bring both."""

    name: str
    compiler: str
    flags: tuple[str, ...]
    startup: str
    """The stem of the startup's and the linker script's files."""
    qemu: str
    board: tuple[str, ...]
    packages: str
    instructions_a_tick: int
    """Of the counter that the harness reads, with an instruction a nanosecond."""
    bare: tuple[str, ...] = ("-ffreestanding", "-nostdlib", "-Wl,-gc-sections")
    """How its programs are compiled and linked: without a library."""


def _cortex_m(name: str, board: str) -> Core:
    return Core(
        name,
        "arm-none-eabi-gcc",
        (f"-mcpu={name}", "-mthumb"),
        "arm",
        "qemu-system-arm",
        ("-M", board, "-semihosting"),
        "gcc-arm-none-eabi qemu-system-arm",
        40,  # the timer of these boards has 25 MHz
    )


CORES = {
    each.name: each
    for each in (
        _cortex_m("cortex-m3", "mps2-an385"),
        _cortex_m("cortex-m4", "mps2-an386"),
        Core(
            "rv32imac",
            "riscv64-unknown-elf-gcc",
            ("-march=rv32imac_zicsr", "-mabi=ilp32", "-mcmodel=medany"),
            "riscv",
            "qemu-system-riscv32",
            ("-M", "virt", "-bios", "none"),
            "gcc-riscv64-unknown-elf qemu-system-misc",
            1,
        ),
    )
}


HOST = Core(
    "this machine",
    "gcc",
    ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror"),
    "host",
    "",
    (),
    "gcc",
    1,
    (),
)
"""Not emulated, and watched: any access out of bounds and anything undefined ends the program."""


def core(name: str) -> Core:
    """A core by name. Raises UnknownName."""
    if name not in CORES:
        raise UnknownName("core", name, CORES)
    return CORES[name]

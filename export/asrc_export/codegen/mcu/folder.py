"""What `asrc-export --c` writes: the two files, and around them a CMake project and an Arduino library."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from asrc_core import __version__
from asrc_core.errors import UnwritableOutput
from asrc_export.codegen.mcu.program import Program

NAME = "asrc_network"


def write(printed: Program, folder: str | Path) -> list[Path]:
    """Write the folder's files, and return their paths. Files of these names are replaced, others stay.

    All of them are written beside the folder first, so that a failure leaves what was there. Raises UnwritableOutput.
    """
    out = Path(folder)
    if out.exists() and not out.is_dir():
        raise UnwritableOutput(out, "it is a file, and a folder is needed")
    try:
        with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=f".{out.name}.") as name:
            made = Path(name)
            for place, text in _files(printed).items():
                (made / place).parent.mkdir(parents=True, exist_ok=True)
                (made / place).write_text(text, encoding="utf-8")
            written = []
            for place in _files(printed):
                (out / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(made / place, out / place)
                written.append(out / place)
    except OSError as error:
        raise UnwritableOutput(out, error.strerror or str(error)) from error
    return written


def require_writable(folder: str | Path) -> None:
    """Raise UnwritableOutput now rather than after an hour of work."""
    out = Path(folder)
    if out.exists() and not out.is_dir():
        raise UnwritableOutput(out, "it is a file, and a folder is needed")
    try:
        with tempfile.TemporaryFile(dir=out if out.exists() else out.resolve().parent):
            pass
    except OSError as error:
        raise UnwritableOutput(out, error.strerror or str(error)) from error


def _files(printed: Program) -> dict[str, str]:
    return {
        f"src/{NAME}.c": printed.source,
        f"src/{NAME}.h": printed.header,
        "examples/self_test/main.c": _MAIN,
        "examples/Answer/Answer.ino": _SKETCH,
        "CMakeLists.txt": _CMAKE,
        "library.properties": _PROPERTIES.format(version=__version__),
    }


_MAIN = """\
/* Runs the self-test where there is a console: 0 if every logit is as expected. */

#include <stdio.h>

#include "asrc_network.h"

int main(void) {
    const unsigned wrong = (unsigned)asrc_self_test();
    printf("%u of %d logits are wrong\\n", wrong, ASRC_CLASSES);
    return wrong != 0;
}
"""

_SKETCH = """\
// An LED that blinks the answer: once for class 0, twice for class 1, and so on. If the self-test fails, it stays on.
// Send ASRC_STEPS * ASRC_CHANNELS numbers as lines of text, in the order of the network's steps; the answer comes back.

#include <asrc_network.h>

#ifndef LED_BUILTIN
#define LED_BUILTIN 13
#endif

static int32_t frame[ASRC_CHANNELS];

void setup() {
    pinMode(LED_BUILTIN, OUTPUT);
    Serial.begin(115200);
    while (asrc_self_test()) {
        digitalWrite(LED_BUILTIN, HIGH);
    }
    asrc_init();
}

void blink(uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        digitalWrite(LED_BUILTIN, HIGH);
        delay(200);
        digitalWrite(LED_BUILTIN, LOW);
        delay(200);
    }
}

void loop() {
    for (uint32_t t = 0; t < ASRC_STEPS; t++) {
        for (uint32_t c = 0; c < ASRC_CHANNELS; c++) {
            while (!Serial.available()) {
            }
            frame[c] = Serial.parseInt();
        }
        asrc_step(frame);
    }
    Serial.println((unsigned long)asrc_answer());
    blink(asrc_answer() + 1);
    asrc_init();
}
"""

_CMAKE = """\
cmake_minimum_required(VERSION 3.13)
project(asrc_network C)

# The network: no library is needed, and none is linked.
add_library(asrc_network STATIC src/asrc_network.c)
target_include_directories(asrc_network PUBLIC src)
set_target_properties(asrc_network PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON)
target_compile_options(asrc_network PRIVATE $<$<OR:$<C_COMPILER_ID:GNU>,$<C_COMPILER_ID:Clang>>:-O2 -ffreestanding>)

# Where there is a console: cmake -B build && cmake --build build && ctest --test-dir build
if(NOT CMAKE_CROSSCOMPILING)
  enable_testing()
  add_executable(self_test examples/self_test/main.c)
  target_link_libraries(self_test asrc_network)
  add_test(NAME self_test COMMAND self_test)
endif()
"""

_PROPERTIES = """\
name=asrc_network
version={version}
author=asrc
maintainer=asrc
sentence=An integer spiking network, equal to its file in every spike, membrane and logit.
paragraph=Written by asrc-export --c.
category=Data Processing
url=https://docs.arduino.cc/libraries/
architectures=*
includes=asrc_network.h
"""

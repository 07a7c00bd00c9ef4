"""The generated C on emulated microcontrollers: cross-compiled, run under QEMU, every spike and membrane compared."""

"""The circuit on a board: a shell that speaks bytes over a serial line, the pins of two boards, and who talks to it."""

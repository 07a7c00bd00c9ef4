"""The circuit simulated, cycle by cycle: one way to make a program of it a file."""

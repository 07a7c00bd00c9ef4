"""From a circuit to a bitstream: synthesis, place and route with YoWASP's tools, and what they say of it."""

"""docs/rules.md, from the rules' docstrings."""

from __future__ import annotations

from asrc_export.chip import devices
from asrc_export.chip.placement.budget import UNITS
from asrc_export.chip.rules.check import NUMBER_RULES, SHAPE_RULES
from asrc_export.chip.rules.finding import sentence

ON_A_CHIP = """
## How a network is taken to lie on a chip

* A connection takes, on each core with neurons of its layer, an input axon and a row of synapses for each of its
  sources, and a synapse format. Two connections from one source are counted apart.
* A spike takes a step on its way. So a layer works a step behind its source where the lag is 0, what skips a layer
  waits for it, and a span of lambda steps from a layer to itself is a wait of lambda - 1.
* Spikes wait in a delay line of the neuron that sends (32 bits of its state, once for all that read it), or in the
  synapses: each of a connection's then takes the bits of its longest wait. The host sends past inputs again.
* Inferred: no source says what a delay costs on Loihi 2; the same bits on top of a synapse's others are assumed. States
  and the delay line of a neuron there take words of 64 bits together. Biases differ freely, other constants that differ
  from neuron to neuron take a neuron group for each set.
"""


def page() -> str:
    """docs/rules.md: every rule's sentence, by what it can be asked about."""
    sections = (
        ("Rules about sizes", "Asked of a recipe before training, and at export.", SHAPE_RULES),
        ("Rules about numbers", "Asked at export, of the integer network.", NUMBER_RULES),
    )
    lines = [
        "# Hardware rules",
        "",
        "One function for each limit in `asrc_export.chip.rules`; its docstring is the sentence here and in findings.",
        "The limits themselves are a target's data, with their sources, in `export/asrc_export/chip/targets`.",
        "What is beyond a limit is refused, or it is a note, and the network is written all the same: where it runs at",
        "a price that the note tells, or where the limit itself is not certain. A target says how sure each number is:",
        "printed (read in source code or in a tool's output), vendor (a text of the maker, or a paper), second-hand",
        "(quoted by others), inferred or uncertain.",
        "This page is generated: `python -m asrc_export.chip.rules > docs/rules.md`.",
    ]
    for title, note, rules in sections:
        lines += ["", f"## {title}", "", note, "", "| rule | sentence |", "| --- | --- |"]
        lines += [f"| `{rule.__name__}` | {sentence(rule)} |" for rule in rules]
    for family, title in (("mcu", "Rules of microcontrollers"), ("fpga", "Rules of FPGAs")):
        asked = devices.RULES[family]
        if asked:
            note = f"Asked at the same times, of devices of family `{family}`, in place of those above."
            lines += ["", f"## {title}", "", note, "", "| rule | sentence |", "| --- | --- |"]
            lines += [f"| `{rule.__name__}` | {sentence(rule)} |" for rule in asked]
    lines += [
        "",
        "## Budgets of a core",
        "",
        "What placement keeps, for each core and every target that limits it:",
        "",
    ]
    lines += [f"* {name.replace('_', ' ')} ({unit})" for name, unit in UNITS.items()]
    return "\n".join(lines) + "\n" + ON_A_CHIP

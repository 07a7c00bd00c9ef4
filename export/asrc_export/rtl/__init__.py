"""An integer network as a circuit: SystemVerilog printed from the contract's operations; docs/circuit.md draws it."""

"""The five networks of the rounding ablation.

| stage | what it adds to the one before |
| --- | --- |
| float mixture | nothing: the trained network, its recurrence a softmax mixture over lags |
| float hard-max | each mixture becomes its likeliest lag, the span (float32) |
| quantized weights | W, U, b, theta and the decay factor are the exported integers; membranes stay real numbers |
| quantized state | the decayed membrane rounds toward zero, membranes and accumulators are held within 24 bits |
| deployed | negative weight exponents floor the sums over the fan-in: the whole integer contract, run by an engine |
"""

from __future__ import annotations

from typing import Literal

StageName = Literal["float_mixture", "float", "quantized_weights", "quantized_state", "deployed"]
STAGES: dict[StageName, tuple[str, str]] = {
    "float_mixture": ("float, softmax mixture", "the trained network"),
    "float": ("float, hard-max spans", "each mixture becomes the span, or the few, that it chose"),
    "quantized_weights": ("quantized weights", "weights, biases, thresholds and decay become integers"),
    "quantized_state": ("quantized state", "membranes decay in integers of 24 bits"),
    "deployed": ("deployed integers", "sums are shifted in integers"),
}
"""What each of them is, and what changes there."""
FLOAT = "float"
"""The title of "float" for a network that was trained without mixtures."""
REFERENCE: StageName = "float"
"""The one that all are compared with."""

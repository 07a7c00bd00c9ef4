"""The span kernels: each layer's weights over lags as training left them, and the spans that became of them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from asrc_export.report.behaviour import taps
from asrc_export.report.behaviour.taps import Taps
from asrc_export.report.outline import LayerOutline
from asrc_export.report.part import Part, Share, Span
from asrc_export.report.table import Table


class LayerKernel(Part):
    """One layer's kernel."""

    name: str
    span: Span = Field(description="The span, the longest one of several.")
    taps: Taps = ()
    weights: tuple[Share, ...] | None = Field(description="Softmax over lags 1 to K; null for a given span.")


class Kernels(Part):
    """The spans that the layers learned."""

    temperature: float = Field(description="Of the softmax, as training ended with it.")
    layers: tuple[LayerKernel, ...]

    @property
    def mix(self) -> bool:
        """Whether any layer was trained as a mixture over lags: else hard-max float is the trained network itself."""
        return any(layer.weights is not None for layer in self.layers)


def of(layers: Sequence[LayerOutline], weights: Sequence[Sequence[float]], temperature: float) -> Kernels:
    """From each layer's weights over lags at a temperature, empty for a given span."""
    return Kernels(
        temperature=temperature,
        layers=tuple(
            LayerKernel(name=layer.name, span=layer.span, taps=taps.of(layer.taps), weights=tuple(each) or None)
            for layer, each in zip(layers, weights, strict=True)
            if layer.span  # others have no connection to themselves
        ),
    )


def table(kernels: Kernels) -> Table:
    """Spans, and the weight that they had among all lags."""
    rows = []
    for layer in kernels.layers:
        weights = layer.weights
        chosen = taps.spans(layer.span, layer.taps)
        share = "given" if weights is None else f"{sum(weights[span - 1] for span in chosen):.1%}"
        rows.append((layer.name, taps.written(layer.span, layer.taps), len(weights) if weights else "", share))
    return Table(
        "kernels",
        "Recurrent spans",
        ("layer", "span", "lags to choose from", "weight of the chosen lags"),
        rows,
        "The span is the number of steps after which a spike comes back to its layer; of several taps, 3 x 7 is span 7 "
        f"counting three times. Weights: softmax over lags, at the temperature training ended with "
        f"({kernels.temperature:.3g}).",
    )

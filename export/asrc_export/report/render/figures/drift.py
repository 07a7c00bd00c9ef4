"""Share of spikes that differ between deployed and float, over time."""

from __future__ import annotations

from asrc_export.report.render.figures.canvas import ACCENT, NARROW, Figure, canvas, legend, legend_rows, svg
from asrc_export.report.report import Report


def draw(report: Report) -> Figure:
    """Share of spikes that differ, over time."""
    drawing, axes = canvas(NARROW, 2.2)
    layers = report.ablation.drift
    for i, layer in enumerate(layers):
        strength = 0.3 + 0.7 * (i + 1) / len(layers)
        shares = [100 * share for share in layer.per_step]
        axes.plot(shares, marker="o" if len(shares) == 1 else None, color=ACCENT, alpha=strength, label=layer.name)
    axes.set(xlabel="step of the sample", ylabel="spikes that differ, %", xlim=(0, max(report.ablation.steps - 1, 1)))
    highest = max(max(layer.per_step, default=0.0) for layer in layers)
    axes.set_ylim(0, 100 * highest * (1 + 0.16 * legend_rows(len(layers))) or None)
    axes.grid(axis="y")
    legend(axes, len(layers))
    caption = (
        "Share of neurons whose spike differs between deployed and float, step by step; deeper layers are drawn "
        "stronger. Flat curves mean that errors are forgotten, rising ones that they pile up."
    )
    return Figure(svg(drawing), "Drift between deployed and float over time", caption)

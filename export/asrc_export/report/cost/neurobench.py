"""NeuroBench's metrics: by its package on the float network, and by our own count on both."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import plural
from asrc_export.report import neurobench_counts, outline
from asrc_export.report.neurobench_counts import Metrics
from asrc_export.report.part import Part, SampleCount
from asrc_export.report.table import Table, number
from asrc_train.data.dataset import Samples

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_train.trained.checkpoint import Checkpoint

MAX_CELLS = 2**20
"""NeuroBench keeps every (step, sample, neuron) cell of a batch; samples beyond this many cells are left out."""
ABSENT = "not computed: the neurobench package is not installed (pip install 'asrc-toolchain[neurobench]')"


METRICS = {
    "footprint": "footprint in bytes",
    "connection_sparsity": "connection sparsity",
    "activation_sparsity": "activation sparsity",
    "effective_macs": "effective MACs",
    "effective_acs": "effective ACs",
    "dense": "dense operations",
    "membrane_updates": "membrane updates",
}
"""Metrics in the order of the table, and their headings."""


class OwnCounts(Part):
    """What we count by the same definitions."""

    in_float: Metrics = Field(alias="float")
    deployed: Metrics


class NeuroBench(Part):
    """The metrics on the first of the test samples."""

    available: Literal[True]
    version: str = Field(description="Of the neurobench package.")
    samples: SampleCount
    in_float: Metrics = Field(alias="float", description="By the package, on the float network with hard-max spans.")
    own_counts: OwnCounts


class NeuroBenchAbsent(Part):
    """The package is not installed."""

    available: Literal[False]
    why: str


def of(network: IntegerNetwork, trained: Checkpoint, x: Samples) -> NeuroBench | NeuroBenchAbsent:
    """The package's metrics of the float network (hard-max spans), and for the float and the deployed network what we
    count by the same definitions; on the first samples of x (n, T, channels).
    """
    try:
        installed = version("neurobench")
        version("snntorch")
    except PackageNotFoundError:
        return NeuroBenchAbsent(available=False, why=ABSENT)
    from asrc_export.report import neurobench_model
    from asrc_train.trained.freeze import freeze

    cells = x.shape[1] * sum(layer.neurons for layer in outline.of(network).layers)
    samples = x[: max(1, MAX_CELLS // cells)]
    frozen = freeze(trained)
    model = neurobench_model.of_float(frozen)
    in_float = neurobench_counts.measured(model, samples * frozen.scale, footprint=True)
    assert model.run is not None
    return NeuroBench(
        available=True,
        version=installed,
        samples=len(samples),
        in_float=in_float,
        own_counts=OwnCounts(
            in_float=neurobench_counts.counted(model.run, neurobench_counts.biases_of(frozen)),
            deployed=neurobench_counts.counted_on_integers(network, samples),
        ),
    )


def table(metrics: NeuroBench | NeuroBenchAbsent) -> Table:
    """All metrics side by side, or why there are none."""
    title, headers = "NeuroBench metrics", ("metric", "float, by NeuroBench", "float, our count", "deployed, our count")
    if isinstance(metrics, NeuroBenchAbsent):
        return Table("neurobench", title, headers, [], f"{metrics.why}.")
    columns = (metrics.in_float, metrics.own_counts.in_float, metrics.own_counts.deployed)
    return Table(
        "neurobench",
        title,
        headers,
        [(heading, *(number(getattr(column, key)) for column in columns)) for key, heading in METRICS.items()],
        f"By neurobench {metrics.version} on {plural(metrics.samples, 'sample')}; operations and updates are for one "
        "sample. Effective: active inputs times the non-zero weights they meet, zero weights and biases left out. "
        "Membrane updates: membranes that changed from one step to the next.",
    )

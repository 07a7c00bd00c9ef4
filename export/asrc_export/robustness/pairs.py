"""Integer networks with the float networks that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork, Neuron
from asrc_core.errors import InvalidSetting
from asrc_core.files.paths import model_name
from asrc_train.network.connections.connection import file_of
from asrc_train.settings.config import NetworkConfig
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class NetworkPair:
    """One integer network, the float network it came from if given, and the name of the line they belong to."""

    file: str
    variant: str
    seed: int | None
    deployed: IntegerNetwork
    floating: FrozenNetwork | None


def load(networks: Sequence[str | Path], models: Sequence[str | Path] = ()) -> list[NetworkPair]:
    """Integer networks with their checkpoints, found by the hash that each network carries; in the order given.

    Networks share a line if nothing but their seed tells them apart: the settings of their trainings, their bits and
    their target are the same. Without checkpoints that is not known, and each network has a line of its own.

    Raises UnreadableFile, InvalidSetting for a checkpoint that none of the networks came from, a network without its
    checkpoint where some are given, and a network given twice.
    """
    floats = {checkpoint.fingerprint(path): path for path in models}
    used: set[str] = set()
    found: list[NetworkPair] = []
    lines: dict[str, str] = {}
    given: dict[str, str | Path] = {}
    seeds: set[tuple[str, int]] = set()
    for path in networks:
        network = network_file.load(path)
        twin = given.get(network_file.fingerprint(network))
        if twin is not None:
            raise InvalidSetting("`networks`", f"'{twin}' and '{path}' are the same network; give it once")
        given[network_file.fingerprint(network)] = path
        exported_from = network.provenance.get("checkpoint_sha256")
        model = floats.get(exported_from) if isinstance(exported_from, str) else None
        if models and model is None:
            why = f"none of them is the checkpoint that '{path}' came from; give it, or leave `models` away"
            raise InvalidSetting("`models`", why)
        if model is None:
            found.append(
                NetworkPair(str(path), _apart(model_name(path, network.target), lines, str(path)), None, network, None)
            )
            continue
        used.add(str(exported_from))
        trained = checkpoint.load(model)
        seed, like = trained.config.training.seed, _all_but_the_seed(trained, network)
        if (like, seed) in seeds:  # something else tells them apart, such as the samples that scales were chosen on
            like += str(path)
        seeds.add((like, seed))
        line = _apart(variant_of(trained.config.network), lines, like)
        found.append(NetworkPair(str(path), line, trained.config.training.seed, network, freeze(trained)))
    left = next((path for sha256, path in floats.items() if sha256 not in used), None)
    if left is not None:
        raise InvalidSetting("`models`", f"'{left}' is the checkpoint of none of the networks given")
    return found


def _apart(name: str, lines: dict[str, str], what: str) -> str:
    """The line of ``what``, and in ``lines`` what each line is of: where another has the name, a number tells them
    apart.
    """
    called, number = name, 1
    while lines.setdefault(called, what) != what:
        number += 1
        called = f"{name} ({number})"
    return called


def _all_but_the_seed(trained: Checkpoint, network: IntegerNetwork) -> str:
    """How it was trained and exported: settings, formats of its numbers, target; of fine-tuning, that it was."""
    training = trained.config.training.model_copy(update={"seed": 0})
    parts = [
        (each.weight_bits, each.mapping, each.delays is None) for layer in network.layers for each in layer.connections
    ]
    formats = [_formats(layer.neuron) for layer in network.layers]
    exported = network.target, network.provenance.get("device"), "finetuned_from_sha256" in network.provenance
    return repr((trained.config.model_copy(update={"training": training}), parts, formats, exported))


def _formats(neuron: Neuron) -> tuple[object, ...]:
    """Its kind, and the bits of its poles if it has any."""
    return neuron.kind, neuron.parameters.get("pole_shift")


def variant_of(config: NetworkConfig) -> str:
    """The connection with its constant: vanilla, SRC 8, ASRC 16."""
    short_title = file_of(config).short_title
    return ", ".join(dict.fromkeys(short_title(layer) for layer in config.each_layer()))

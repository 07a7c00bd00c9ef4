"""The paper's tables as recipes: the published sizes come out of the recipe and the data set's shape alone."""

from __future__ import annotations

import re

import pytest

from asrc_train import data
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.settings import recipe
from asrc_train.settings.config import Config, from_recipe

TABLE_3 = {  # recipe: hidden sizes, lambda or the longest span
    "smnist-src-0.063M": ((64, 128, 128), 16),
    "smnist-src-0.15M": ((64, 212, 212), 12),
    "smnist-asrc-0.063M": ((64, 128, 128), 41),
    "psmnist-src-0.063M": ((64, 128, 128), 12),
    "psmnist-src-0.15M": ((64, 212, 212), 16),
    "psmnist-asrc-0.063M": ((64, 128, 128), 51),
    "psmnist-asrc-0.15M": ((64, 212, 212), 31),
    "ssc-src-0.37M": ((256,) * 3, 3),
    "ssc-asrc-0.37M": ((256,) * 3, 6),
    "gsc-src-0.088M": ((128,) * 3, 4),
    "gsc-asrc-0.089M": ((128,) * 3, 21),
    "scifar-src-0.18M": ((128,) * 6, 16),
    "scifar-asrc-0.18M": ((128,) * 6, 11),
}
TABLE_2 = {  # task: learning rate, that of the skip logits, weight decay, dropout, batch, epochs
    "smnist": (0.001, 0.1, 0.01, 0, 256, 200),
    "psmnist": (0.001, 0.1, 0.01, 0, 256, 200),
    "ssc": (0.001, 0.1, 0, 0.1, 128, 100),
    "gsc": (0.0025, 0.25, 0, 0.1, 128, 100),
    "scifar": (0.0005, 0.05, 0.01, 0, 128, 200),
}


def configured(name: str) -> Config:
    return from_recipe(recipe.find(name), {})


def test_every_recipe_named_for_a_size_is_a_row_of_table_3() -> None:
    assert {name for name in recipe.names() if re.search(r"\dM$", name)} == set(TABLE_3)


@pytest.mark.parametrize("name", TABLE_3)
def test_a_recipe_has_as_many_parameters_as_the_paper_states(name: str) -> None:
    """The paper cuts the digits it does not give: 0.155 million parameters are its 0.15M."""
    config = configured(name)
    shape = data.shape(config.data.name)
    network = SkipRecurrentNetwork(shape.channels, shape.classes, config.network, shape.steps)
    count = sum(parameter.numel() for parameter in network.parameters())
    stated = name.rsplit("-", 1)[1].removesuffix("M")
    assert f"{count / 1e6:.6f}".startswith(stated)


@pytest.mark.parametrize("name", TABLE_3)
def test_a_recipe_has_the_settings_of_its_row_of_tables_2_and_3(name: str) -> None:
    config = configured(name)
    task, connection, _ = name.split("-")
    network, training = config.network, config.training
    skip = training.learning_rate * training.skip_learning_rate_factor
    found = (training.learning_rate, pytest.approx(skip), training.weight_decay, network.dropout)
    assert (*found, training.batch_size, training.epochs) == TABLE_2[task]
    assert (network.connection, network.hidden) == (connection, TABLE_3[name][0])
    assert (network.span if connection == "src" else network.kernel_length) == TABLE_3[name][1]
    assert (network.decay, network.threshold, network.reset, network.neuron) == (0.5, 1, "soft", "lif")
    assert training.schedule == ("cosine" if task == "scifar" else "one-cycle")
    assert network.batch_norm == (task == "scifar")
    assert config.data.permute == (task == "psmnist")


@pytest.mark.parametrize("task", TABLE_2)
def test_a_task_alone_names_the_smallest_adaptive_network_on_it(task: str) -> None:
    assert recipe.find(task).stem == min(name for name in TABLE_3 if name.startswith(f"{task}-asrc"))


@pytest.mark.parametrize("name", ["psmnist-asrc-small", "psmnist-src-small", "psmnist-asrc-tiny"])
def test_a_smaller_twin_is_permuted_data_that_come_with_a_package(name: str) -> None:
    config = configured(name)
    assert config.data.permute
    assert config.data.name in ("digits", "mnist5k")
    assert config.network.hidden == (64, 128, 128)

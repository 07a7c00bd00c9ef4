"""Training networks with delays: what learns, what is kept, what is told, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from asrc_core.errors import InvalidSetting, TrainingDiverged, TrainingSilent
from asrc_train.commands import train as command
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.settings import config as settings
from asrc_train.settings import recipe
from asrc_train.settings.config import Config, NetworkConfig, validated
from asrc_train.trained import checkpoint
from asrc_train.training.fit import BatchDone, Epoch, Start, fit, make_optimizer, resume_path
from asrc_train.training.objective import PATIENCE, objective_of

pytestmark = pytest.mark.usefixtures("one_thread")


def config(network: dict[str, object] | None = None, **training: object) -> Config:
    """Four recurrent neurons that tell which of two spikes came first."""
    chosen = {
        "neuron": "cuba-lif",
        "connection": "delays",
        "hidden": [4],
        "max_delay": 12,
        "delay_start": 6,
        "recurrent_delay_start": 4,
        "input_weights": [6.0, 1.0],
        **(network or {}),
    }
    learning = {"epochs": 3, "batch_size": 1, "learning_rate": 0.01, "seed": 1, "revival": 0, **training}
    return validated({"data": {"name": "sequence"}, "network": chosen, "training": learning}, "test")


def made(given: Config) -> DelayNetwork:
    torch.manual_seed(given.training.seed)
    return DelayNetwork(2, 2, given.network)


def interrupted_in_the_second_epoch(event: Epoch | BatchDone) -> None:
    if isinstance(event, BatchDone) and event.epoch == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize("network", [{}, {"recurrent": False, "readout": "maximum"}, {"readout": "first-spike"}])
@pytest.mark.parametrize("gradient", ["eventprop", "surrogate"])
def test_a_training_is_reproducible_resumable_and_kept(
    network: dict[str, object], gradient: str, tmp_path: Path
) -> None:
    if gradient == "surrogate" and network.get("readout") == "first-spike":
        return
    given = config({**network, "readout_weights": [3.0, 0.5]}, gradient=gradient, rate_strength=1e-3, rate_target=2)
    whole = fit(given, tmp_path / "a.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(given, tmp_path / "b.pt", observers=(interrupted_in_the_second_epoch,))
    again = fit(given, tmp_path / "b.pt", resume=True)
    assert (again.history, again.scores, again.spans) == (whole.history, whole.scores, whole.spans)
    loaded = checkpoint.load(tmp_path / "b.pt")
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in whole.tensors.items())
    x = torch.eye(2).repeat(6, 1)[:, None]
    assert torch.equal(loaded.network()(x), whole.network()(x))
    assert {"spikes_layer0", "silent_layer0", "late_arrivals", "grazing_spikes"} == set(whole.history[0]["figures"])


def test_the_command_trains_a_network_without_hidden_layers(tmp_path: Path) -> None:
    assert command.main(["--recipe", "sequence", "--epochs", "2", "--out", str(tmp_path / "m.pt")]) == 0
    assert checkpoint.load(tmp_path / "m.pt").config.network.hidden == ()


def test_delays_alone_solve_the_sequence_task_from_the_worst_ones(tmp_path: Path) -> None:
    """Each spike is delayed where it should not be: both samples are told wrong at first, both right at the end."""
    given = settings.from_recipe(recipe.find("sequence"), {"training": {"epochs": 30}})
    network = DelayNetwork(2, 2, given.network, 25)
    with torch.no_grad():
        network.readout.delay.copy_(torch.tensor([[0.0, 10.0], [10.0, 0.0]]))
    before = network.readout.weight.detach().clone()
    solved = fit(given, tmp_path / "m.pt", start=Start(network))
    assert solved.history[0]["training_accuracy"] == 0
    assert solved.scores["test"] == solved.history[-1]["training_accuracy"] == 1
    assert torch.equal(solved.tensors["readout.weight"], before)


@pytest.mark.parametrize("learn", ["weights", "delays", "both"])
def test_only_what_is_to_learn_moves(learn: str, tmp_path: Path) -> None:
    given = config(learn=learn)
    start = made(given)
    before = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    trained = fit(given, tmp_path / "m.pt", start=Start(start))
    for kind in ("weight", "delay"):
        moved = any(not torch.equal(trained.tensors[name], before[name]) for name in before if name.endswith(kind))
        assert moved == (learn in ("both", f"{kind}s"))


def test_delays_stay_within_the_limits_and_nothing_goes_on_to_push_them() -> None:
    given = config({"max_delay": 3, "delay_start": 3, "recurrent_delay_start": 4}, delay_learning_rate=5.0)
    network = made(given)
    objective, optimizer = objective_of(network, given, None), make_optimizer(network, given)
    for group in optimizer.param_groups:
        group["lr"] = given.training.learning_rate * group["factor"]
    for parameter in network.parameters():
        parameter.grad = torch.where(torch.arange(parameter.numel()).reshape(parameter.shape) % 2 == 0, 1.0, -1.0)
    optimizer.step()
    objective.after_step(optimizer, objective.figures(torch.device("cpu")))
    for each, (low, high) in zip(network.synapses(), [(0, 3), (1, 4), (0, 3)], strict=True):
        assert each.delay.min() >= low
        assert each.delay.max() <= high
        at_limit = (each.delay == low) | (each.delay == high)
        assert at_limit.any()
        assert not optimizer.state[each.delay]["exp_avg"][at_limit].any()
        assert not optimizer.state[each.delay]["exp_avg_sq"][at_limit].any()


def test_a_delay_is_rounded_half_to_even_in_the_pass_and_stays_a_float() -> None:
    network = made(config({"hidden": [], "readout": "maximum", "recurrent": False}))
    x = torch.zeros(20, 1, 2)
    x[0, 0, 0] = 1
    answers = {}
    for delay in (2.0, 2.5, 3.0, 3.5, 4.0):
        with torch.no_grad():
            network.readout.weight.fill_(1)
            network.readout.delay.fill_(delay)
            answers[delay] = network.run(x[:6]).answers[0, 0].item()
        assert network.readout.delay[0, 0] == delay
    assert answers[2.5] == answers[2.0] != answers[3.0]
    assert answers[3.5] == answers[4.0] != answers[3.0]


def test_the_firing_rate_term_pulls_towards_its_target(tmp_path: Path) -> None:
    for target, direction in ((0, -1), (20, 1)):
        given = config(learn="weights", rate_strength=10.0, rate_target=target, learning_rate=0.05, epochs=8)
        history = fit(given, tmp_path / "m.pt").history
        change = history[-1]["figures"]["spikes_layer0"] - history[0]["figures"]["spikes_layer0"]
        assert change * direction > 0


def test_a_layer_that_is_silent_stops_the_training_unless_its_neurons_are_revived(tmp_path: Path) -> None:
    silent = {"input_weights": [0.01, 0.0], "recurrent_weights": [0.0, 0.0]}
    with pytest.raises(TrainingSilent, match=r"epoch 1: 'layers.0' has not fired in a whole epoch; no epoch"):
        fit(config(silent), tmp_path / "m.pt")
    assert not (tmp_path / "m.pt").exists()
    with pytest.raises(TrainingSilent, match=rf"for {PATIENCE} epochs; the last good checkpoint is kept"):
        fit(config(silent, revival=0.001, epochs=20), tmp_path / "m.pt")
    assert resume_path(tmp_path / "m.pt").exists()
    revived = fit(config(silent, revival=2.0), tmp_path / "n.pt")
    assert revived.history[0]["figures"]["silent_layer0"] == 4
    assert revived.history[-1]["figures"]["spikes_layer0"] > 0


def test_a_training_that_diverges_says_where(tmp_path: Path) -> None:
    network = made(given := config(learning_rate=1e30, epochs=5))
    with pytest.raises((TrainingDiverged, InvalidSetting), match=r"layers\.0|layer 0|loss"):
        fit(given, tmp_path / "m.pt", start=Start(network))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"dt": 6.0}, "tau_synapse of 5 ms is shorter than a step of 6 ms"),
        ({"recurrent_delay_start": 0}, "a recurrent delay of 0 does not exist"),
        ({"delay_start": 20}, "delays would start beyond the longest, 12 steps"),
        ({"recurrent_delay_start": 20}, "delays would start beyond the longest, 13"),
        ({"max_delay": 5000}, "max_delay"),
        ({"neuron": "lif"}, "delays are learned for neuron 'cuba-lif', not for 'lif'"),
        ({"reset": "soft"}, "reset to 0, 'hard'"),
        ({"dropout": 0.1}, "dropout: a network with a delay for each synapse has none; set it to 0.0"),
        ({"layers": [{"span": 3}]}, "a layer has no span of its own"),
    ],
)
def test_settings_that_mean_nothing_are_one_sentence(changes: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidSetting, match=why) as caught:
        config(changes)
    assert str(caught.value).count("\n") == 0


def test_what_goes_with_what_is_checked_before_training() -> None:
    with pytest.raises(InvalidSetting, match="a surrogate does not move the first spike"):
        config({"readout": "first-spike"}, gradient="surrogate")
    nowhere = {"max_delay": 0, "delay_start": 0, "recurrent_delay_start": 1}
    with pytest.raises(InvalidSetting, match="no delay can change within a `max_delay` of 0"):
        config(nowhere, learn="delays")
    with pytest.raises(InvalidSetting, match="the readout's, which has none"):
        config({"hidden": [], "readout_delays": False}, learn="delays")
    with pytest.raises(InvalidSetting, match="at least one layer"):
        validated({"data": {"name": "digits"}, "network": {"hidden": []}}, "test")
    assert NetworkConfig(neuron="cuba-lif", connection="delays").reset == "hard"


def test_a_data_set_whose_zero_is_not_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from asrc_train import data

    loaded = data.load("sequence")
    monkeypatch.setattr(data, "load", lambda *given: replace(loaded, shape=replace(loaded.shape, zero=1)))
    with pytest.raises(InvalidSetting, match="takes what differs from 0 as events"):
        fit(config(), tmp_path / "m.pt")


def test_the_command_tells_what_came_too_late() -> None:
    figures = {"late_arrivals": 2.5, "grazing_spikes": 0.0, "silent_layer0": 3.0, "spikes_layer0": 1.0}
    notes = list(command.told([{"figures": figures}]))
    assert notes[0].startswith("2.5 arrivals a sample come after the last step")
    assert notes[1] == "3 neurons of layer0 were silent in the last epoch"
    assert not list(command.told([{"figures": {}}]))

"""Divergence is noticed, explained, and costs nothing that was learned before."""

import numpy as np
import pytest

from ghost_spiking.datasets import load
from ghost_spiking.exceptions import DivergenceError
from ghost_spiking.simulation import Simulation
from ghost_spiking.specification import Specification
from ghost_spiking.training import Training


def trainer(device="numpy", **fields):
    training, test = load("digits")
    spec = Specification.create(sizes=(64, 32, 10), batch_size=20, **fields)
    return Training(Simulation(spec, device=device), training.take(400), test.take(100))


@pytest.mark.parametrize(
    ("field", "rate", "projection"),
    [
        ("feedforward", 100.0, "feedforward_1"),
        ("feedforward", (1.8, 1e5), "feedforward_2"),
        ("ghost_forward", 0.5, "ghost_forward_2"),
        ("ghost_feedback", 50.0, "ghost_feedback_2"),
    ],
)
def test_divergence_names_projection_and_rate(field, rate, projection):
    wild = trainer(learning_rates={field: rate})
    before = {name: weight.copy() for name, weight in wild.simulation.weights.items()}
    with pytest.raises(DivergenceError, match=f"'{projection}'.*learning_rates.{field}"):
        wild.run_epoch()
    assert wild.history == []
    assert wild.simulation.presented == 0
    for name, weight in before.items():
        np.testing.assert_array_equal(wild.simulation.weights[name], weight)


def test_divergence_in_a_later_epoch_keeps_the_epochs_before():
    calm = trainer()
    calm.run_epoch()
    good = {name: weight.copy() for name, weight in calm.simulation.weights.items()}
    wild = trainer(learning_rates={"ghost_forward": 0.5})
    wild.simulation.weights = dict(good)
    wild.history.extend(calm.history)
    with pytest.raises(DivergenceError, match="ghost_forward_2"):
        wild.run_epoch()
    assert len(wild.history) == 1
    for name, weight in good.items():
        np.testing.assert_array_equal(wild.simulation.weights[name], weight)


@pytest.mark.parametrize("fields", [
    {"feedback": "reconstruction"},
    {"model": "MB", "ghosts": 30},
    {"loss": "cross_entropy"},
    {"rate_function": "hard_sigmoid"},
    {"rate_function": "tanh"},
    {"rate_function": "s / (1 + abs(s))"},
])  # fmt: skip
def test_variants_learn_digits(fields):
    variant = trainer("cpp_standalone", **fields)
    for _ in range(8):
        epoch = variant.run_epoch()
    assert epoch.online_accuracy > 75  # chance is 10

"""The error of hidden units at the end of nudging, against backpropagation."""

import numpy as np
import pytest

from ghost_spiking.dense import ClampedInput
from ghost_spiking.simulation import Simulation
from ghost_spiking.specification import Specification
from ghost_spiking.values import initial_weights

from .oracle import Perceptron, angle
from .test_engines import SKIPPING, by_symbol


@pytest.mark.parametrize("engine", ["dense", "synapses"])
@pytest.mark.parametrize(
    ("hidden", "options"),
    [
        ((8,), {}),
        ((8, 7), {}),
        ((8, 7, 6), {}),
        ((8, 7), {"connections": SKIPPING}),
        ((8, 7), {"loss": "cross_entropy"}),
        ((8, 7), {"linear_output": True}),
    ],
)
def test_nudged_error_is_the_gradient(engine, hidden, options, record_property, capsys):
    softmax = "loss" in options
    beta, n = 1e-3, 5
    rates = {"feedforward": 0.0, "ghost_forward": 0.0, "ghost_feedback": 0.0}
    spec = Specification.create(
        sizes=(9, *hidden, 4),
        batch_size=n if engine == "dense" else 1,
        beta=beta,
        prediction_steps=60,
        nudging_steps=60,
        learning_rates=rates,
        initial_weights={"self_predicting": True, "feedforward": 2.0},
        **options,
    )
    weights = initial_weights(spec, 3)
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (n, 9)).astype(np.uint8)
    labels = rng.integers(0, 4, n)
    linear = spec.network.linear_output
    perceptron = Perceptron(
        spec.network.connections, by_symbol(weights), "sigmoid", softmax, linear
    )
    targets = rng.normal(size=(n, 4)) if linear else np.eye(4)[labels]
    reference, _ = perceptron.backpropagate(images / 255, targets)
    labels = targets if linear else labels
    sim = Simulation(spec, engine=engine, device="numpy", precision="float64", weights=weights)
    assert isinstance(sim.brian.stimulus, ClampedInput)
    errors = {layer: [] for layer in range(1, len(hidden) + 1)}
    for order in [np.arange(n)] if engine == "dense" else np.arange(n)[:, None]:
        sim.present(images, labels, order=order)
        for layer, found in errors.items():
            found.append(np.array(sim.brian.populations[f"pyramidal_{layer}"].error[:]))
    for layer, found in errors.items():
        error = np.concatenate(found).reshape(n, -1) / beta
        degrees = angle(error, reference[layer])
        ratio = np.linalg.norm(error) / np.linalg.norm(reference[layer])
        record_property(f"layer {layer}", f"angle {degrees:.3f} degrees, magnitude {ratio:.4f}")
        with capsys.disabled():
            print(
                f"\n  {engine}, layer {layer} of {len(hidden)}: {degrees:.3f} degrees, {ratio:.4f}"
            )
        assert degrees < 1
        assert ratio == pytest.approx(1, abs=0.03)

"""Measurements against the oracle, and against cases whose answer is known."""

import numpy as np
import pytest

from ghost_spiking.exceptions import DataError
from ghost_spiking.measure import Probe, backpropagate, compare_weights
from ghost_spiking.simulation import Simulation
from ghost_spiking.specification import Specification
from ghost_spiking.values import initial_weights
from ghost_spiking.vectors import angle as measured_angle
from ghost_spiking.vectors import norm

from .numerics.oracle import Perceptron, angle
from .numerics.test_engines import OPTIONS, SKIPPING, by_symbol, make, oracle_of

CASES = {
    "MA": {},
    "MB": {"model": "MB"},
    "alignment": {"feedback": "alignment"},
    "skip": {"connections": SKIPPING},
    "lesion": {"lesion": 0.5},
    "cross-entropy": {"loss": "cross_entropy"},
    "everything": OPTIONS["everything"],
}


@pytest.mark.parametrize("case", CASES)
def test_states_and_feedback_agree_with_oracle(case):
    spec, weights, images, labels, _ = make(11, **CASES[case])
    trace = Probe(spec, images, labels).states(weights)
    net = oracle_of(spec, weights)
    seen = []

    def record(oracle):
        seen.append({l: s.copy() for l, s in oracle.s.items()})

    for name, eta in net.eta.items():
        if (case, name) != ("MB", "V_b"):  # which replicates
            eta.update(dict.fromkeys(eta, 0.0))
    net.present(images / 255, np.eye(4)[labels], record=record)
    for layer in net.s:
        expected = np.array([s[layer] for s in seen] + [net.s[layer]])
        np.testing.assert_allclose(trace[f"pyramidal_{layer}.s"], expected, atol=1e-12)
    for layer in net.g:
        np.testing.assert_allclose(trace[f"ghost_{layer}.g"][-1], net.g[layer], atol=1e-12)
    for layer in range(1, net.L):
        np.testing.assert_allclose(
            trace[f"pyramidal_{layer}.top_down"][-1], net.t(layer), atol=1e-12
        )
        np.testing.assert_allclose(
            trace[f"pyramidal_{layer}.ghost_feedback"][-1], net.c(layer), atol=1e-12
        )


@pytest.mark.parametrize("nudging_steps", [0, 3])
def test_ghosts_of_mb_replicate_each_mini_batch(nudging_steps):
    spec, weights, images, labels, _ = make(4, model="MB")
    trace = Probe(spec, images, labels).states(weights, nudging_steps=nudging_steps)
    net = oracle_of(spec, weights)
    net.nudging_steps = nudging_steps
    for name, eta in net.eta.items():
        if name != "V_b":
            eta.update(dict.fromkeys(eta, 0.0))
    for first in range(0, 11, 4):
        rows = slice(first, first + 4)
        net.present(images[rows] / 255, np.eye(4)[labels[rows]])
        for layer in (1, 2):
            for name, values in (
                (f"pyramidal_{layer}.s", net.s[layer]),
                (f"pyramidal_{layer}.top_down", net.t(layer)),
                (f"pyramidal_{layer}.ghost_feedback", net.c(layer)),
            ):
                np.testing.assert_allclose(trace[name][-1, rows], values, atol=1e-12, err_msg=name)
    assert trace["pyramidal_1.top_down"].shape == (
        spec.protocol.prediction_steps + nudging_steps + 1,
        11,
        7,
    )
    assert Probe(spec, images, labels).measure(weights)["residual"][1] < 1


@pytest.mark.parametrize("case", ["MA", "skip", "cross-entropy", "everything"])
def test_backpropagation_agrees_with_oracle(case):
    spec, weights, images, labels, _ = make(4, **CASES[case])
    found = backpropagate(spec, weights, images / 255, labels)
    network = spec.network
    net = Perceptron(
        network.connections, by_symbol(weights), network.rate_function, "loss" in CASES[case]
    )
    if case == "everything":
        net.softmax = True
    errors, descent = net.backpropagate(images / 255, np.eye(4)[labels])
    for layer, error in errors.items():
        np.testing.assert_allclose(found.errors[layer], error, atol=1e-12)
    for (pre, post), gradient in descent.items():
        name = f"feedforward_{post}" if post == pre + 1 else f"feedforward_{pre}_{post}"
        np.testing.assert_allclose(found.weights[name], gradient / len(images), atol=1e-12)


def ideal(hidden, beta=1e-3, **fields):
    spec = Specification.create(
        sizes=(9, *hidden, 4),
        beta=beta,
        prediction_steps=40,
        nudging_steps=40,
        initial_weights={"self_predicting": True, "feedforward": 2.0},
        learning_rates={"feedforward": 1e-3, "ghost_forward": 0.0, "ghost_feedback": 0.0},
        **fields,
    )
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (6, 9)).astype(np.uint8)
    return spec, initial_weights(spec, 3), images, rng.integers(0, 4, 6)


def test_ideal_ghosts_measure_as_theorem_1_says():
    spec, weights, images, labels = ideal((8, 7))
    before = {name: weight.copy() for name, weight in weights.items()}
    found = Probe(spec, images, labels).measure(weights)
    for layer in (1, 2):
        assert found.error_angle[layer] < 0.1
        assert found.error_ratio[layer] == pytest.approx(1, abs=0.01)
        assert found["residual"][layer] < 1e-6
        assert found["feedback_mismatch"][layer] < 1e-6
    assert set(found.update_angle) == {"feedforward_1", "feedforward_2", "feedforward_3"}
    # the error builds up during the nudging phase, the gradient does not
    assert max(found.update_angle.values()) < 1
    assert max(found["state_mismatch"].values()) < 1e-6
    assert max(found["forward_distance"].values()) == 0
    assert max(found["backward_distance"].values()) == 0
    assert max(found["feedback_alignment"].values()) < 1e-4
    assert 3 < found.settling_steps < 40
    for name, weight in before.items():
        np.testing.assert_array_equal(weights[name], weight)
    row = found.flat()
    assert row["error_angle[2]"] == found.error_angle[2]
    assert row["settling_steps"] == found.settling_steps


def test_wrong_ghosts_and_random_feedback_are_noticed():
    spec, weights, images, labels = ideal((8, 7), feedback="alignment")
    weights["ghost_feedback_3"] = weights["ghost_feedback_3"] + 1.0
    weights["ghost_forward_2"] = weights["ghost_forward_2"] + np.eye(7, 8)
    found = Probe(spec, images, labels).measure(weights)
    assert found.error_angle[2] > 45
    assert found["residual"][2] > 0.1
    assert found["backward_distance"]["ghost_feedback_3"] == pytest.approx(28**0.5)
    assert found["forward_distance"]["ghost_forward_2"] == pytest.approx(7**0.5)
    expected = angle(weights["feedback_2"], weights["feedforward_2"].T)
    assert found["feedback_alignment"]["feedforward_2"] == pytest.approx(expected)
    assert found["feedback_alignment"]["feedforward_2"] > 60


def test_update_is_what_training_does():
    spec, weights, images, labels, _ = make(11)
    sim = Simulation(spec, device="numpy", precision="float64", weights=weights)
    sim.present(images, labels)
    for name, weight in Probe(spec, images, labels).update(weights).items():
        np.testing.assert_allclose(weight, sim.weights[name], atol=1e-14)


def test_a_silent_network_is_settled_at_once():
    spec = Specification.create(sizes=(6, 5, 4, 3), model="equilibrium_propagation")
    weights = {
        name: -np.ones_like(value)
        for name, value in Simulation(spec, device="numpy").weights.items()
    }
    images, labels = np.ones((4, 6)), np.array([0, 1, 2, 0])
    assert Probe(spec, images, labels).settling_steps(weights) == 0


def test_settling_of_a_network_that_does_not_settle():
    """Feedback of the wrong sign, which no ghost cancels, makes a loop that oscillates."""
    spec, weights, images, labels = ideal((8,), time_step=1.0, feedback="alignment")
    weights["feedforward_2"] = 10 * weights["feedforward_2"]
    weights["feedback_2"] = -weights["feedforward_2"].T
    weights["ghost_feedback_2"] = np.zeros((8, 4))
    assert Probe(spec, images, labels).settling_steps(weights) is None


def test_refuses_no_images():
    spec, _, images, labels = ideal((8,))
    with pytest.raises(DataError, match="no images"):
        Probe(spec, images[:0], labels[:0])


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_trace_obeys_the_dynamics(layer, loss):
    """What the electrodes record is what moved the states, eq. (1), step by step."""
    spec, weights, images, labels, _ = make(4, loss=loss)
    trace = Probe(spec, images, labels).trace(weights, layer)
    k = spec.protocol.time_step
    state, error = trace["state"], trace["error"]
    expected = state[:-1] + k * (-state + trace["bottom_up"] + error)[:-1]
    np.testing.assert_allclose(state[1:], expected, atol=1e-12)
    first = spec.protocol.prediction_steps
    assert trace.times[first] == pytest.approx(trace.nudging_from)
    if layer == 3:
        assert "top_down" not in trace.recorded
        assert not error[:first].any()
        assert error[first:].any()
    else:
        np.testing.assert_array_equal(error, trace["top_down"] - trace["ghost_feedback"])
    assert ("ghost" in trace.recorded) == (layer > 1)


def test_trace_of_a_layer_that_is_not_there():
    spec, weights, images, labels, _ = make(4)
    with pytest.raises(DataError, match="layers 1 to 3"):
        Probe(spec, images, labels).trace(weights, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("degrees", [0.0, 1e-3, 0.02, 30.0, 90.0, 179.99, 180.0])
def test_angles_are_accurate(degrees, dtype):
    u, v = np.linalg.qr(np.random.default_rng(0).normal(size=(5000, 2)))[0].T
    other = np.cos(np.radians(degrees)) * u + np.sin(np.radians(degrees)) * v
    for scale in (1.0, 1e-30, 1e30):
        found = measured_angle((scale * u).astype(dtype), other.astype(dtype))
        rounding = 1e-5 if dtype == np.float32 else 1e-12
        assert found == pytest.approx(degrees, abs=rounding)


def test_angles_that_are_none():
    one = np.ones(3)
    for nothing in (np.zeros(3), np.full(3, np.nan), np.array([1.0, np.inf, 0.0])):
        assert np.isnan(measured_angle(one, nothing))
        assert np.isnan(measured_angle(nothing, one))
    assert measured_angle(np.full(3, 1e200), -np.full(3, 1e-200)) == 180
    assert np.isnan(measured_angle(np.empty(0), np.empty(0)))


def test_exact_transposes_are_at_no_angle():
    spec = Specification.create(sizes=(64, 500, 10), feedback="alignment")
    weights = {k: w.astype(np.float32) for k, w in initial_weights(spec, 0).items()}
    for back in (weights["feedforward_2"].T, np.ascontiguousarray(weights["feedforward_2"].T)):
        weights["feedback_2"] = back
        assert compare_weights(spec, weights)["feedback_alignment"] == {"feedforward_2": 0.0}


def test_distances_are_those_of_double_precision():
    values = np.full(10**6, np.float32(0.1))
    assert norm(values) == pytest.approx(float(values[0]) * 10**3, rel=1e-12)

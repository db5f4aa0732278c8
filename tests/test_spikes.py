"""Spikes as a property of a specification: what is accepted, what runs, what can be looked at."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from ghost_spiking import GhostClassifier, Simulation, Specification, Training
from ghost_spiking.cli import main
from ghost_spiking.datasets import load
from ghost_spiking.describe import describe
from ghost_spiking.exceptions import DataError, SpecificationError
from ghost_spiking.measure import Probe, count_spikes
from ghost_spiking.models.ghost import MA
from ghost_spiking.runs import Run
from ghost_spiking.spikes import MECHANISMS
from ghost_spiking.study import Study
from ghost_spiking.values import initial_weights

SIZES = (64, 12, 10)


def spec(spikes, **fields):
    return Specification.create(**({"sizes": SIZES, "batch_size": 20} | fields), spikes=spikes)


# -- specifications -------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_saved_and_read_again(mechanism):
    specification = spec(mechanism)
    again = Specification.from_toml(specification.to_toml())
    assert again == specification
    assert again.spikes.mechanism == mechanism
    assert again.replace(beta=2.0).spikes == specification.spikes
    assert again.replace(spikes="none") == again.replace(spikes=None)
    assert again.replace(spikes=None).spikes is None


def test_without_spikes_nothing_is_said():
    specification = spec(None)
    assert specification.spikes is None
    assert "spikes" not in specification.to_toml()
    assert spec("none") == specification


def test_a_part_of_the_section_is_replaced():
    specification = spec({"mechanism": "lif", "neurons": 5})
    assert specification.replace(spikes={"noise": 12.0}).spikes.neurons == 5
    assert specification.replace(spikes={"mechanism": "bernoulli"}).spikes.neurons == 1


@pytest.mark.parametrize(
    ("spikes", "words"),
    [
        ("lfi", "did you mean 'lif'"),
        (3, "the name of a mechanism or a table"),
        ({}, "spikes.mechanism: is missing"),
        ({"mechanism": "none", "dt": 1.0}, "'none' has no other fields"),
        ({"mechanism": "change", "neurons": 3}, "'change' has no field 'neurons'"),
        ({"mechanism": "lif", "neurons": 0}, "spikes.neurons: .* got 0"),
        ({"mechanism": "lif", "neurons": 2.5}, "spikes.neurons: .* got 2.5"),
        ({"mechanism": "lif", "reset": -40.0}, "spikes.reset: must be below the threshold"),
        ({"mechanism": "lif", "membrane_time": 1.0}, "spikes.membrane_time: must be at least"),
        ({"mechanism": "lif", "synaptic_time": 1.0}, "spikes.synaptic_time: must be at least"),
        ({"mechanism": "bernoulli", "peak_rate": 300.0}, "at most 200 Hz"),
        ({"mechanism": "poisson", "neurons": 10**6}, "up to 500 spikes"),
    ],
)
def test_refused(spikes, words):
    with pytest.raises(SpecificationError, match=words):
        spec(spikes)


@pytest.mark.parametrize("fields", [{"rate_function": "tanh"}, {"loss": "cross_entropy"}])
def test_rates_that_are_no_probabilities_are_refused(fields):
    with pytest.raises(SpecificationError, match="needs rates between 0 and 1"):
        spec("bernoulli", **fields)
    assert spec("change", **fields).spikes.levels == 16


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(
    "fields",
    [
        {"rate_function": "hard_sigmoid"},
        {"model": "MB", "ghosts": 20},
        {"model": "MB", "ghosts": 20, "private_feedback": False, "batch_size": 1},
        {"feedback": "reconstruction"},
        {"feedback": "mirror"},
        {"lesion": 0.3},
        {"dale": True},
        {"connections": [[0, 1], [1, 2], [0, 2], [2, 3]], "sizes": (64, 9, 8, 10)},
        {"model": "equilibrium_propagation"},
        {"model": "microcircuit"},
    ],
    ids=str,
)
def test_any_network(mechanism, fields):
    """Every kind of network can be run with spikes, and learns something finite from them."""
    training, _ = load("digits")
    specification = Specification.create(
        **({"sizes": SIZES, "batch_size": 20, "spikes": mechanism} | fields)
    )
    simulation = Simulation(specification, device="numpy", seed=1)
    before = simulation.weights
    simulation.present(training.images[:20], training.labels[:20], maximum=16.0)
    assert np.isfinite(simulation.largest_state)
    assert all(np.isfinite(weight).all() for weight in simulation.weights.values())
    changed = [
        name for name in before if not np.array_equal(before[name], simulation.weights[name])
    ]
    assert changed  # W^f waits where ghosts are calibrated first


def test_partners_share_noise_where_hidden_layers_have_ghosts():
    def shares(mechanism, **fields):
        return spec(mechanism, **({"sizes": (64, 9, 8, 10)} | fields)).spikes.shared_noise

    assert shares("lif")
    assert shares({"mechanism": "bernoulli", "neurons": 2})
    assert not shares("lif", sizes=(64, 9, 10))
    assert not shares("lif", model="MB")
    assert not shares({"mechanism": "lif", "shared_noise": False})
    again = Specification.from_toml(spec("lif", sizes=(64, 9, 10)).to_toml())
    assert not again.spikes.shared_noise


@pytest.mark.parametrize("mechanism", ["poisson", "bernoulli", "lif"])
def test_partners_with_the_same_state_spike_alike(mechanism):
    """Ghosts that start as copies: no error before the output is nudged, and none with noise."""
    training, _ = load("digits")
    errors = {}
    for shared in (True, False):
        spikes = {"mechanism": mechanism, "shared_noise": shared}
        specification = spec(spikes, sizes=(64, 9, 8, 10), input_adaptation=False)
        probe = Probe(specification, training.images[:5], training.labels[:5], maximum=16.0)
        trace = probe.trace(initial_weights(specification, 0), 1, nudging_steps=0)
        errors[shared] = np.abs(trace["error"]).max()
    assert errors[True] < 1e-12
    assert errors[False] > 1e-3


def test_names_that_spikes_need_are_refused():
    class Traced(MA):
        name = "traced"
        ghost = MA.ghost + "trace = g / 2 : 1\n"

    with pytest.raises(SpecificationError, match="ghost_2 has a variable 'trace' of its own"):
        spec("change", model=Traced)
    assert spec(None, model=Traced).spikes is None


# -- running --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mechanism", "device"),
    [
        *((mechanism, "numpy") for mechanism in (*MECHANISMS, "bits")),
        ("lif", "cpp_standalone"),
        ("bits", "cpp_standalone"),
        *(
            pytest.param(mechanism, "cpp_standalone", marks=pytest.mark.slow)
            for mechanism in ("poisson", "bernoulli", "change")
        ),
    ],
)
def test_a_resumed_run_has_the_same_spikes(mechanism, device, tmp_path):
    training, _ = load("digits")
    training = training.take(80)
    specification = spec(None, weight_bits=5) if mechanism == "bits" else spec(mechanism)

    def trainer(seed=3):
        return Training(Simulation(specification, seed=seed, device=device), training, seed=seed)

    whole, stopped = trainer(), trainer()
    whole.run(3)
    stopped.run(1)
    Run.of(stopped, Run.create(tmp_path / "run")).save()
    again = trainer()
    Run.load(tmp_path / "run").restore(again)
    again.run(3)
    for name, weight in whole.simulation.weights.items():
        np.testing.assert_array_equal(weight, again.simulation.weights[name], name)


def test_seeds_have_their_own_spikes():
    training, _ = load("digits")
    weights = Simulation(spec("lif"), device="numpy").weights
    found = []
    for seed in (0, 0, 1):
        simulation = Simulation(spec("lif"), seed=seed, weights=weights, device="numpy")
        found.append(simulation.present(training.images[:20], training.labels[:20], maximum=16.0))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_estimator():
    training, _ = load("digits")
    learner = GhostClassifier((20,), fields={"spikes": "bernoulli"}, epochs=3, random_state=0)
    learner.fit(training.images[:300], training.labels[:300])
    assert learner.specification_.spikes.mechanism == "bernoulli"
    assert learner.score(training.images[:300], training.labels[:300]) > 0.5


def test_study():
    study = Study.from_dict(
        {
            "dataset": "digits",
            "epochs": 1,
            "held_out": 100,
            "network": {"sizes": [64, 9, 10]},
            "spikes": {"mechanism": "lif"},
            "grid": {"spikes.neurons": [1, 4], "spikes.noise": [12.0]},
        }
    )
    assert [cell.specification.spikes.neurons for cell in study.cells] == [1, 4]
    assert {cell.specification.spikes.noise for cell in study.cells} == {12.0}


def test_command_line(tmp_path):
    def call(*words):
        return CliRunner().invoke(main, [*words])

    out = tmp_path / "run"
    digits = ("train", "--dataset", "digits", "--hidden", "12", "--limit", "100", "--epochs", "1")
    found = call(*digits, "--spikes", "lif", "--neurons", "2", "--out", str(out))
    assert found.exit_code == 0, found.output
    assert Run.load(out).specification.spikes.neurons == 2
    shown = call("show", str(out))
    assert re.search(r"spikes of pyramidal_1 per image: \d+ while prediction", shown.output)
    assert "pJ each" in shown.output
    traced = call("trace", str(out), "--unit", "3")
    assert traced.exit_code == 0, traced.output
    described = call("describe", str(out))
    assert "v >= threshold" in described.output
    assert "mV" in described.output
    refused = call(*digits, "--neurons", "2")
    assert refused.exit_code != 0
    assert "--spikes" in refused.output


# -- looking --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mechanism", "last"), [("lif", ("potential (mV)", "neuron")), ("change", ("spikes",))]
)
def test_trace(mechanism, last):
    specification = spec(mechanism, input_adaptation=False)
    _, test = load("digits")
    probe = Probe(specification, test.images[:3], test.labels[:3], maximum=16.0)
    trace = probe.trace(initial_weights(specification, 0), 1)
    protocol = specification.protocol
    steps = protocol.prediction_steps + protocol.nudging_steps + 1
    assert trace.panels == ("state", "feedback", "error", *last)
    assert trace["spikes"].shape == (steps, 3, 12)
    if mechanism == "lif":
        assert trace["potential"].shape == trace["fired"].shape == (steps, 3, 12, 3)
        np.testing.assert_allclose(trace["fired"].sum(axis=-1), 3 * trace["spikes"], atol=1e-12)
        assert (trace["potential"] < specification.spikes.threshold / 1000).all()


def test_spikes_are_counted():
    """Those of one step, of units that all fire in every step."""
    specification = Specification.create(
        sizes=(4, 3, 2),
        spikes={"mechanism": "bernoulli", "neurons": 2},
        input_adaptation=False,
        prediction_steps=5,
        nudging_steps=4,
    )
    weights = {name: np.zeros_like(w) for name, w in initial_weights(specification, 0).items()}
    for name in ("bias_1", "bias_2", "ghost_bias_2"):
        weights[name] += 1e4
    probe = Probe(specification, np.zeros((6, 4), np.uint8), np.zeros(6, int))
    counts = count_spikes(probe, weights)
    # From rest, half of them fire in the first step; then all two neurons of each unit.
    assert 2 * 3 * 4 <= counts.spikes["pyramidal_1"]["prediction"] <= 2 * 3 * 5
    assert counts.spikes["pyramidal_1"]["nudging"] == 2 * 3 * 4
    assert counts.spikes["ghost_2"]["nudging"] == 2 * 2 * 4
    # Hidden units reach 2 output units and 2 ghosts, these reach 3 hidden units.
    pyramidal = {name: counts.spikes[name]["nudging"] for name in counts.spikes}
    expected = 4 * pyramidal["pyramidal_1"] + 3 * (pyramidal["pyramidal_2"] + pyramidal["ghost_2"])
    assert counts.events["nudging"] == pytest.approx(expected)


def test_only_spikes_are_counted():
    specification = spec(None, input_adaptation=False)
    probe = Probe(specification, np.zeros((2, 64), np.uint8), np.zeros(2, int))
    with pytest.raises(DataError, match="send rates"):
        count_spikes(probe, initial_weights(specification, 0))


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_description_names_the_neurons(mechanism):
    text = describe(spec(mechanism))
    assert MECHANISMS[mechanism].summary in text
    assert ("dv/dt" in text) == (mechanism == "lif")
    assert "5 ms" in text


# -- few bits -------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 8])
def test_weights_are_on_the_grid(bits):
    training, _ = load("digits")
    specification = spec("change", weight_bits=bits, weight_range=1.5)
    simulation = Simulation(specification, device="numpy", precision="float64", seed=1)
    for _ in range(3):
        simulation.present(training.images[:40], training.labels[:40], maximum=16.0)
    levels = 2 ** (bits - 1) - 1
    for name, weight in simulation.weights.items():
        largest = 1.5 * (6 / sum(weight.shape)) ** 0.5
        place = weight / (largest / levels)
        if "bias" in name:
            assert not np.allclose(place, np.rint(place))
        else:
            np.testing.assert_allclose(place, np.rint(place), atol=1e-9)
            assert np.abs(weight).max() <= largest + 1e-12
    before = simulation.weights
    simulation.present(training.images[:40], training.labels[:40], maximum=16.0, learn=False)
    for name, weight in simulation.weights.items():
        np.testing.assert_array_equal(weight, before[name])


@pytest.mark.parametrize("device", ["numpy", "cpp_standalone"])
def test_rounding_keeps_the_mean(device):
    """A weight between two values becomes one of them in proportion; 4 standard errors."""
    largest = {"weight_bits": 3, "weight_range": (76 / 6) ** 0.5}  # 1 in the first matrix
    specification = spec(
        None, learning_rates={"feedforward": 0.0}, input_adaptation=False, **largest
    )
    weights = initial_weights(specification, 0)
    weights["feedforward_1"] = np.full((12, 64), 0.2)
    found = []
    for seed in range(20):
        simulation = Simulation(specification, seed=seed, weights=weights, device=device)
        simulation.present(np.zeros((20, 64), np.uint8), np.zeros(20, int))
        found.append(simulation.weights["feedforward_1"])
    found = np.stack(found)
    np.testing.assert_allclose(np.unique(found), [0, 1 / 3], atol=1e-6)
    error = np.sqrt(0.6 * 0.4 / found.size) / 3
    assert abs(found.mean() - 0.2) < 4 * error


@pytest.mark.parametrize(
    ("fields", "words"), [({"weight_bits": 1}, "at least 2 bits"), ({"weight_bits": 17}, "16")]
)
def test_refused_bits(fields, words):
    with pytest.raises(SpecificationError, match=words):
        spec(None, **fields)


def test_bits_need_the_dense_engine():
    with pytest.raises(SpecificationError, match="weight_bits"):
        Simulation(
            Specification.create(sizes=(4, 3, 2), weight_bits=4, batch_size=1),
            engine="synapses",
            device="numpy",
        )

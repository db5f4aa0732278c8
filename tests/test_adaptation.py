"""Input units that adapt show what is told, wherever a network is run, saved and measured."""

import dataclasses

import numpy as np
import pytest

from ghost_spiking import GhostClassifier, Simulation, Specification, Training
from ghost_spiking.adaptation import Adaptation
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import DataError, RunError, SpecificationError
from ghost_spiking.measure import Probe
from ghost_spiking.runs import Run
from ghost_spiking.values import initial_weights

TRAINING, TEST = load("digits")
TRAINING, TEST = TRAINING.take(230), TEST.take(60)
PLAIN = Specification.create(sizes=(64, 16, 10), batch_size=20, input_adaptation=False)
ADAPTING = Specification.create(sizes=(64, 16, 10), batch_size=20)
SAME_RATES = ADAPTING.replace(input_adaptation=False)


def adapted(images, maximum=16.0):
    """Return what input units are to show, written anew."""
    inputs = images.astype(float) / maximum
    shown = inputs - TRAINING.images.astype(float).mean(axis=0) / 16
    return shown / np.sqrt(
        ((TRAINING.images / 16 - (TRAINING.images / 16).mean(axis=0)) ** 2).mean()
    )


def trainer(specification, training=TRAINING, test=TEST, **options):
    options = {"precision": "float64", "device": "numpy", "seed": 3} | options
    return Training(Simulation(specification, **options), training, test, seed=1)


@pytest.mark.parametrize("device", ["numpy", "cpp_standalone"])
def test_shows_pixels_without_their_mean_at_a_mean_square_of_one(device):
    given = trainer(
        SAME_RATES,
        dataclasses.replace(TRAINING, images=adapted(TRAINING.images), maximum=1.0),
        dataclasses.replace(TEST, images=adapted(TEST.images), maximum=1.0),
        device=device,
    )
    adapting = trainer(ADAPTING, device=device)
    for one in (given, adapting):
        one.run(2)
    for name, weight in given.simulation.weights.items():
        np.testing.assert_allclose(adapting.simulation.weights[name], weight, atol=1e-10)
    # other pixels for the same intensity, not only those of the training
    np.testing.assert_allclose(
        adapting.simulation.respond(TEST.images / 64.0, maximum=0.25),
        given.simulation.respond(adapted(TEST.images), maximum=1.0),
        atol=1e-10,
    )


def test_one_image_at_a_time_with_plain_synapses():
    one_by_one = ADAPTING.replace(batch_size=1)
    dense, synapses = (
        trainer(one_by_one, TRAINING.take(5), None, engine=engine)
        for engine in ("dense", "synapses")
    )
    for one in (dense, synapses):
        one.run(1)
    for name, weight in dense.simulation.weights.items():
        np.testing.assert_allclose(synapses.simulation.weights[name], weight, atol=1e-10)


@pytest.mark.parametrize("change", [lambda x: 16 - x, lambda x: 0.1 * x + 5, lambda x: -3.0 * x])
def test_brightness_and_contrast_do_not_matter(change):
    """Weights of the first layer change their sign where black and white are exchanged."""
    parts = [dataclasses.replace(part, images=change(part.images)) for part in (TRAINING, TEST)]
    plain, changed = trainer(ADAPTING), trainer(ADAPTING, *parts)
    sign = np.sign(change(1.0) - change(0.0))
    weights = dict(changed.simulation.weights)
    changed.simulation.weights = weights | {"feedforward_1": sign * weights["feedforward_1"]}
    for one in (plain, changed):
        one.run(2)
    # Signs of sums and how far numbers are rounded differ.
    assert [e.test_accuracy for e in plain.history] == [e.test_accuracy for e in changed.history]
    np.testing.assert_allclose(
        sign * changed.simulation.weights["feedforward_1"],
        plain.simulation.weights["feedforward_1"],
        atol=1e-8,
    )


def test_statistics_of_many_images_are_those_of_all():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (2345, 7)).astype(np.uint8)
    found = Adaptation.to(images)
    inputs = images / 255
    np.testing.assert_allclose(found.mean, inputs.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.gain, 1 / (inputs - inputs.mean(axis=0)).std(), rtol=1e-12)


@pytest.mark.parametrize("images", [np.full((9, 4), 7.0), np.zeros((3, 4)), np.ones((1, 4))])
def test_images_that_are_all_the_same_give_rates_of_zero(images):
    adaptation = Adaptation.to(images, maximum=1.0)
    np.testing.assert_array_equal(adaptation.rates(images, 1.0), 0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 4)), "no images to adapt to"),
        (1e7 + np.eye(4), "vary by .* about a mean of 1e"),
        (1e-200 * np.eye(4), "choose a maximum of the size of the pixels"),
        (1e200 * np.eye(4), "choose a maximum of the size of the pixels"),
        (np.diag([np.nan, 1.0]), "not finite"),
    ],
)
def test_what_can_not_be_adapted_to(images, message):
    with pytest.raises(DataError, match=message):
        Adaptation.to(images)


def test_network_that_has_met_no_images_does_not_answer():
    simulation = Simulation(ADAPTING, device="numpy")
    with pytest.raises(SpecificationError, match=r"learned from none.*Simulation\.adapt"):
        simulation.respond(TEST.images, maximum=16.0)
    probe = Probe(ADAPTING, TEST.images, TEST.labels, maximum=16.0)
    with pytest.raises(SpecificationError, match="learned from none"):
        probe.measure(initial_weights(ADAPTING, seed=0))
    simulation.adapt(TRAINING.images, 16.0)
    assert simulation.respond(TEST.images, maximum=16.0).shape == (60, 10)
    probe.adaptation = simulation.adaptation
    assert probe.measure(initial_weights(ADAPTING, seed=0)).error_angle[1] > 0


def test_adapts_once():
    simulation = Simulation(ADAPTING, device="numpy")
    simulation.present(TRAINING.images, TRAINING.labels, maximum=16.0)
    first = simulation.adaptation
    np.testing.assert_allclose(first.mean, TRAINING.images.mean(axis=0) / 16)
    simulation.present(TEST.images, TEST.labels, maximum=16.0)
    Training(simulation, TEST)
    assert simulation.adaptation is first


def test_a_run_keeps_what_inputs_adapted_to(tmp_path):
    whole = trainer(ADAPTING)
    whole.run(2)
    half = trainer(ADAPTING)
    half.run(1)
    Run.of(half, tmp_path).save()
    saved = Run.load(tmp_path)
    simulation = Simulation(
        saved.specification, device="numpy", weights=saved.weights, adaptation=saved.adaptation
    )
    assert simulation.predict(TEST.images, maximum=16.0).shape == (60,)
    rest = trainer(ADAPTING)
    saved.restore(rest)
    rest.run(2)
    for name, weight in whole.simulation.weights.items():
        np.testing.assert_array_equal(rest.simulation.weights[name], weight)
    dataclasses.replace(saved, adaptation=None).save()
    with pytest.raises(RunError, match="lacks what its input units have adapted to"):
        Run.load(tmp_path)


def test_run_that_adapted_does_not_go_on_without(tmp_path):
    learned = trainer(ADAPTING)
    learned.run(1)
    with pytest.raises(RunError, match="its input_adaptation is True, that of the training is"):
        Run.of(learned, tmp_path).restore(trainer(SAME_RATES))


def test_sizes_of_numbers_do_not_matter():
    small, large = (
        Adaptation.to(size * TRAINING.images.astype(float), maximum=size)
        for size in (1e-170, 1e170)
    )
    np.testing.assert_allclose(small.mean, large.mean, rtol=1e-12)
    assert small.gain == pytest.approx(large.gain, rel=1e-12)


def test_probe_measures_with_adapted_inputs():
    adapting = trainer(ADAPTING)
    adapting.run(1)
    weights, adaptation = adapting.simulation.weights, adapting.simulation.adaptation
    one = Probe(ADAPTING, TEST.images, TEST.labels, maximum=16.0, adaptation=adaptation)
    other = Probe(SAME_RATES, adapted(TEST.images), TEST.labels, maximum=1.0)
    for name, value in other.measure(weights).flat().items():
        assert one.measure(weights).flat()[name] == pytest.approx(value, rel=1e-6), name


def test_rates_that_are_given_are_for_inputs_as_they_are():
    """So that old specifications mean what they meant."""
    given = Specification.create(sizes=(64, 16, 10), learning_rates={"feedforward": [4.0, 0.2]})
    assert not given.network.input_adaptation
    assert (given.protocol.schedule, given.protocol.half_life) == ("exponential", 0)
    assert given == Specification.from_toml(given.to_toml())
    both = Specification.create(
        sizes=(64, 16, 10), learning_rates={"feedforward": 0.5}, input_adaptation=True
    )
    assert both.network.input_adaptation
    assert both.protocol.learning_rates.feedforward == (0.5, 0.5)


def test_inputs_as_they_are_cost_no_bit():
    """The offset of zero is not seen."""
    simulation = Simulation(PLAIN, device="numpy")
    simulation.present(TRAINING.images, TRAINING.labels, maximum=16.0)
    assert simulation.adaptation is None
    stimulus = simulation.brian.stimulus
    np.testing.assert_array_equal(stimulus.offset[:], 0)


def test_classifier_takes_features_of_any_size():
    X, y = TRAINING.images.astype(float), TRAINING.labels
    plain, moved = (
        GhostClassifier((16,), epochs=20, scale=False, device="numpy", random_state=0).fit(Z, y)
        for Z in (X / 16, 1000 * X + 500)
    )
    assert plain.score(X / 16, y) > 0.9
    np.testing.assert_array_equal(plain.predict(X / 16), moved.predict(1000 * X + 500))

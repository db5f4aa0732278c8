"""Trainings that do not learn say so, with the layer, the cause and what to change."""

import dataclasses
import warnings

import numpy as np

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.diagnosis import diagnose
from ghost_spiking.exceptions import LearningWarning
from ghost_spiking.training import Epoch

TRAINING, TEST = load("digits")


def train(epochs, training=TRAINING, test=TEST, **fields):
    sizes = (64, 16, 10)
    specification = Specification.create(sizes=sizes, batch_size=20, **fields)
    trainer = Training(Simulation(specification, seed=0), training, test)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.run(epochs)
    learning = [one for one in caught if one.category is LearningWarning]
    # The line that it names is that of the user.
    assert all(one.filename == __file__ for one in learning)
    found = [str(one.message) for one in learning]
    assert found == [e.warning for e in trainer.history if e.warning][: len(found)]
    return trainer, found


def test_a_network_that_learns_is_left_alone():
    trainer, found = train(8)
    assert found == []
    assert trainer.history[-1].test_accuracy > 85


def test_weights_that_do_not_move():
    rates = {"feedforward": 0.0, "bias": 0.0}
    _, (message,) = train(6, learning_rates=rates)
    assert "hardly better than at chance" in message
    assert "weights hardly move; raise protocol.learning_rates.feedforward" in message


def test_a_saturated_layer():
    _, (message,) = train(
        6,
        initial_weights={"feedforward": [400.0, 0.3]},
        rate_function="hard_sigmoid",
        input_adaptation=False,
    )
    assert "of the states of layer 1 lie where 'hard_sigmoid' is flat" in message
    assert "network.initial_weights.feedforward, which is 400" in message


def test_labels_that_have_nothing_to_do_with_images():
    labels = np.random.default_rng(0).permutation(TRAINING.labels)
    _, found = train(6, dataclasses.replace(TRAINING, labels=labels), None)
    assert "hardly better than at chance" in found[0]
    assert "look at the images and their labels" in found[0]


def test_it_is_said_once_until_it_learns_again():
    trainer, (_,) = train(8, learning_rates={"feedforward": 0.0, "bias": 0.0})
    warned = [epoch.epoch for epoch in trainer.history if epoch.warning]
    assert warned == list(range(5, 9))  # from 300 mini-batches on: 72 an epoch


def judged(now, before, labels=None, responses=None, loss=0.1, **counts):
    """Diagnose an epoch with these accuracies."""
    specification = Specification.create(sizes=(4, 3, 2))
    labels = np.arange(10_000) % 2 if labels is None else labels
    if responses is None:
        responses = np.eye(2)[labels]
    weights = {"feedforward_1": np.ones((3, 4)), "feedforward_2": np.ones((2, 3))}
    return diagnose(
        specification,
        Epoch(9, now, loss, now, loss, 1.0),
        [Epoch(k, accuracy, 0.1, accuracy, 0.1, 1.0) for k, accuracy in enumerate(before, 1)],
        responses,
        labels,
        **{"n_test": 10_000, "presented": 1000} | counts,
        states={},
        before=weights,
        after={name: 1.1 * weight for name, weight in weights.items()},
    )


def test_a_fall_counts_if_it_is_more_than_chance():
    message = judged(83.7, [80.0, 86.0, 83.0])
    assert message.startswith(
        "the accuracy is falling: 83.00 and 83.70 % of the test images after epochs 8 and 9, "
        "86.00 % after epoch 2"
    )
    assert "lower protocol.learning_rates.feedforward" in message
    assert judged(85.2, [80.0, 86.0, 85.0]) == ""
    assert judged(83.7, [80.0, 86.0, 85.9]) == ""  # once is no fall
    few = np.arange(300) % 2
    assert judged(83.7, [86.0, 83.7], few, n_test=300) == ""  # five images more or less


def test_a_common_class_is_not_chance_if_others_are_told_from_it():
    labels = (np.arange(10_000) % 20 == 0).astype(int)
    answers = np.tile([0.9, 0.1], (10_000, 1))
    of_constant = 0.05 * 0.95
    assert "commonest class has 95" in judged(95.0, [], labels, answers, loss=of_constant)
    assert judged(95.0, [], labels, answers, loss=0.9 * of_constant) == ""


def test_nobody_is_judged_early():
    blind = np.random.default_rng(0).random((10_000, 2))
    assert "at chance" in judged(50.0, [], responses=blind, loss=0.3)
    early = {"responses": blind, "loss": 0.3, "presented": 299}
    assert "at chance" in judged(50.0, [], **early)  # 90,000 images in large mini-batches
    half = {"labels": np.arange(5000) % 2} | early | {"responses": blind[:5000]}
    assert judged(50.0, [], **half) == ""

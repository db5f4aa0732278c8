import numpy as np
import pytest

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.callbacks import EarlyStopping, Measure
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import SpecificationError
from ghost_spiking.measure import Probe


def trainer():
    training, test = load("digits")
    spec = Specification.create(sizes=(64, 10, 10), batch_size=20)
    return Training(Simulation(spec, device="numpy"), training.take(100), test.take(50))


def test_callbacks_see_every_epoch_and_may_stop():
    seen = []

    def look(training):
        seen.append(training.history[-1].epoch)

    def stop(training):
        return len(training.history) == 2

    training = trainer()
    training.run(5, [stop, look])
    assert seen == [1, 2]  # all are called, though the first one has stopped
    training.run(3, [look])
    assert seen == [1, 2, 3]


def test_measure_adds_to_the_history():
    training = trainer()
    spec, test = training.simulation.specification, training.test
    probe = Probe(spec, test.images[:20], test.labels[:20], maximum=test.maximum)
    training.run(2, [Measure(probe)])
    for epoch in training.history:
        assert 0 < epoch.measurements["error_angle[1]"] < 180
    found = probe.measure(training.simulation.weights).flat()
    assert training.history[-1].measurements == {**training.history[-1].measurements, **found}


def test_early_stopping_waits_and_restores():
    training = trainer()
    stopping = EarlyStopping(patience=2)
    weights = []

    def remember(training):
        weights.append(dict(training.simulation.weights))

    training.run(40, [remember, stopping])
    accuracies = [epoch.test_accuracy for epoch in training.history]
    assert stopping.best_epoch == 1 + int(np.argmax(accuracies))
    assert len(accuracies) in (40, stopping.best_epoch + 2)
    stopping.restore(training)
    best = weights[stopping.best_epoch - 1]
    for name, weight in best.items():
        np.testing.assert_array_equal(training.simulation.weights[name], weight)


def test_losses_fall_while_learning():
    training = trainer()
    training.run(6)
    assert training.history[-1].online_loss < training.history[0].online_loss
    assert training.history[-1].test_loss < training.history[0].test_loss


@pytest.mark.parametrize("epochs", [0, -1, 2.5, 2.0, True, "2", None, np.float64(3), np.nan])
def test_what_is_no_number_of_epochs(epochs):
    training = trainer()
    with pytest.raises(SpecificationError, match=r"Training\.run: epochs: .*got"):
        training.run(epochs)
    assert training.history == []


def test_epochs_count_those_of_the_history():
    training = trainer()
    training.run(np.int64(2))
    training.run(2)  # there is nothing left to do
    assert len(training.history) == 2
    with pytest.raises(SpecificationError, match="there are 2 already, got 1"):
        training.run(1)
    training.run(np.array(3))
    assert len(training.history) == 3


@pytest.mark.parametrize("patience", [-1, 0, 2.5, True, "3", None])
def test_what_is_no_patience(patience):
    with pytest.raises(SpecificationError, match=r"EarlyStopping: patience: .*got"):
        EarlyStopping(patience=patience)


def test_early_stopping_takes_numbers_of_numpy_and_no_others():
    assert EarlyStopping(np.int64(3), np.float32(0.5)) == EarlyStopping(3, 0.5)
    for tolerance in (-0.1, np.nan, "1", True):
        with pytest.raises(SpecificationError, match="EarlyStopping: tolerance"):
            EarlyStopping(tolerance=tolerance)


def test_early_stopping_needs_images_that_are_held_out():
    training = trainer()
    training.test = None
    with pytest.raises(SpecificationError, match="held out"):
        training.run(5, [EarlyStopping()])


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0", None])
def test_what_is_no_seed(seed):
    training = trainer()
    with pytest.raises(SpecificationError, match="Training: seed"):
        Training(training.simulation, training.training, seed=seed)

"""Numbers to predict, and several labels for each sample."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, make_multilabel_classification
from sklearn.metrics import r2_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from ghost_spiking import GhostClassifier, GhostRegressor, Simulation, Specification, Training
from ghost_spiking.datasets import Dataset
from ghost_spiking.diagnosis import _rising
from ghost_spiking.exceptions import DataError, LearningWarning, SpecificationError
from ghost_spiking.runs import Run
from ghost_spiking.training import Epoch, accuracy, loss

NUMPY = {"device": "numpy", "random_state": 0}


@pytest.mark.filterwarnings("ignore:.*is not a multiple.*")
@parametrize_with_checks([GhostRegressor((10,), epochs=20, random_state=0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X, y


# -- numbers --------------------------------------------------------------------------


def test_predicts_on_the_scale_of_its_targets():
    X, y = diabetes()
    regressor = GhostRegressor((20,), random_state=0).fit(X, y)
    assert regressor.score(X, y) > 0.45
    far = GhostRegressor((20,), random_state=0).fit(X, 1e6 + 1e-3 * y)
    np.testing.assert_allclose(far.predict(X), 1e6 + 1e-3 * regressor.predict(X), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "MB"},
        {"feedback": "alignment"},
        {"hidden_layer_sizes": (15, 15)},
        {"model": "predictive_coding"},
        {"model": "backpropagation", "epochs": 300},
        {"model": "microcircuit"},
        {"batch_size": 1, "epochs": 10},
        {"rate_function": "tanh"},
        {"fields": {"following": "none"}},
    ],
    ids=str,
)
def test_other_networks_learn_numbers_too(options):
    X, y = diabetes()
    options = {"hidden_layer_sizes": (20,), "random_state": 0} | options
    assert GhostRegressor(**options).fit(X, y).score(X, y) > 0.4


def test_equilibrium_propagation_has_no_linear_outputs():
    with pytest.raises(SpecificationError, match="linear_output: equilibrium_propagation has"):
        GhostRegressor(model="equilibrium_propagation", rate_function="clip").fit(*diabetes())


@pytest.mark.filterwarnings("ignore:A column-vector")
def test_several_targets_at_once():
    X, y = diabetes()
    both = np.column_stack([y, 5 - 0.1 * y])
    regressor = GhostRegressor((20,), **NUMPY).fit(X, both)
    found = regressor.predict(X)
    assert found.shape == both.shape
    assert r2_score(both, found) > 0.45
    assert regressor.history_[-1].online_accuracy > 30
    column = GhostRegressor((5,), epochs=1, **NUMPY).fit(X, y[:, None])
    assert column.predict(X).shape == y.shape


def test_constant_targets_are_predicted():
    X, _ = diabetes()
    found = GhostRegressor((5,), epochs=2, **NUMPY).fit(X, np.full(len(X), 7.0)).predict(X)
    np.testing.assert_allclose(found, 7.0, atol=0.5)


def test_early_stopping_judges_by_explained_variance():
    X, y = diabetes()
    regressor = GhostRegressor(
        (10,), epochs=30, early_stopping=True, validation_fraction=0.2, patience=3, **NUMPY
    ).fit(X, y)
    assert len(regressor.validation_scores_) == regressor.n_iter_
    assert 0.2 < regressor.best_score_ == max(regressor.validation_scores_) < 0.8


def test_warm_start_and_partial_fit_keep_the_scale_of_the_first_targets():
    X, y = diabetes()
    regressor = GhostRegressor((10,), **NUMPY)
    for _ in range(20):
        regressor.partial_fit(X, y)
    assert regressor.score(X, y) > 0.3
    mean = regressor._mean
    regressor.partial_fit(X[:50], 2 * y[:50])
    np.testing.assert_array_equal(regressor._mean, mean)
    with pytest.raises(ValueError, match=r"y: had one number.*now the shape is \(442, 2\)"):
        regressor.partial_fit(X, np.column_stack([y, y]))
    again = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(again.predict(X), regressor.predict(X))


# -- several labels -------------------------------------------------------------------


def several():
    return make_multilabel_classification(300, 10, n_classes=4, random_state=0)


def test_several_labels_for_each_sample():
    X, Y = several()
    classifier = GhostClassifier((30,), epochs=60, random_state=0).fit(X[:200], Y[:200])
    found, proba = classifier.predict(X), classifier.predict_proba(X)
    np.testing.assert_array_equal(classifier.classes_, np.arange(4))
    assert found.shape == proba.shape == Y.shape
    assert set(np.unique(found)) == {0, 1}
    np.testing.assert_array_equal(found, proba > 0.5)
    assert (found[200:] == Y[200:]).mean() > 0.75
    assert classifier.score(X[200:], Y[200:]) > 0.35  # all labels right


def test_several_labels_take_weights_and_hold_samples_out():
    X, Y = several()
    classifier = GhostClassifier(
        (10,), epochs=5, early_stopping=True, class_weight="balanced", **NUMPY
    ).fit(X, Y, np.arange(300) % 3)
    assert classifier.best_score_ == max(classifier.validation_scores_)
    classifier.set_params(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="y: had 4 columns"):
        classifier.fit(X, Y[:, 0])


def test_what_several_labels_can_not_be():
    X, Y = several()
    with pytest.raises(SpecificationError, match="several labels need loss='squared_error'"):
        GhostClassifier(loss="cross_entropy").fit(X, Y)
    with pytest.raises(ValueError, match=r"multiclass-multioutput .*is not supported"):
        GhostClassifier().fit(X, Y + Y[::-1])


# -- below ----------------------------------------------------------------------------


def numbers(n=60):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 9)).astype(np.uint8)
    targets = images[:, :2] / 255 - images[:, 2:4] / 255
    return Dataset("numbers", images, targets, 255.0, (9,), 2)


def test_accuracy_and_loss_of_targets():
    specification = Specification.create(sizes=(9, 5, 2), linear_output=True)
    rng = np.random.default_rng(1)
    targets, found = rng.normal(size=(2, 30, 2))
    assert accuracy(found, targets) == pytest.approx(100 * r2_score(targets, found))
    assert loss(specification, found, targets) == pytest.approx(
        0.5 * ((found - targets) ** 2).sum(axis=1).mean()
    )
    same = np.ones((30, 2))
    assert accuracy(same, same) == 100
    assert accuracy(same + 1, same) == 0


@pytest.mark.parametrize("device", ["numpy", "cpp_standalone"])
def test_training_with_targets_resumes_bit_for_bit(device, tmp_path):
    data = numbers()
    specification = Specification.create(sizes=(9, 8, 2), linear_output=True, batch_size=10)

    def training():
        return Training(Simulation(specification, device=device, seed=1), data, data.take(20), 1)

    whole = training()
    whole.run(6)
    assert whole.history[-1].test_accuracy > whole.history[0].test_accuracy
    part = training()
    part.run(2)
    path = Run.create(tmp_path / "run")
    Run.of(part, path, seconds=1.0).save()
    again = training()
    Run.load(path).restore(again)
    again.run(6)
    for name, weight in whole.simulation.weights.items():
        assert weight.tobytes() == again.simulation.weights[name].tobytes()
    changed = Dataset("numbers", data.images, 2 * data.labels, 255.0, (9,), 2)
    other = Training(Simulation(specification, device=device, seed=1), changed, seed=1)
    with pytest.raises(DataError, match="labels"):
        Run.load(path).restore(other)


def test_data_sets_refuse_targets_that_make_no_sense():
    data = numbers()
    with pytest.raises(DataError, match="labels of shape"):
        Dataset("numbers", data.images, data.labels[:, :1], 255.0, (9,), 2)
    with pytest.raises(DataError, match="finite"):
        Dataset("numbers", data.images, data.labels * np.nan, 255.0, (9,), 2)
    with pytest.raises(DataError, match="has targets"):
        data.with_classes(["a", "b"])
    assert data.take(3).labels.shape == (3, 2)


def test_probabilities_as_targets_of_a_softmax():
    data = numbers()
    specification = Specification.create(sizes=(9, 5, 2), loss="cross_entropy", batch_size=10)
    simulation = Simulation(specification, device="numpy")
    with pytest.raises(DataError, match="cross-entropy compares probabilities"):
        simulation.present(data.images, data.labels)
    with pytest.raises(DataError, match="cross-entropy compares probabilities"):
        simulation.present(data.images, np.ones((60, 2), bool))
    simulation.present(data.images, np.full((60, 2), 0.5))


def test_whole_numbers_are_numbers_too():
    """Targets of any type mean what they say; bytes are no classes."""
    data = numbers()
    sigmoid = Simulation(Specification.create(sizes=(9, 5, 2), batch_size=10), device="numpy")
    with pytest.raises(DataError, match="targets go from 0 to 7"):
        sigmoid.present(data.images, np.tile(np.array([[0, 7]], np.uint8), (60, 1)))
    found = []
    for kind in (np.uint8, np.int64, np.float64):
        specification = Specification.create(sizes=(9, 5, 2), linear_output=True, batch_size=10)
        simulation = Simulation(specification, device="numpy")
        simulation.present(data.images, np.tile(np.array([[0, 7]], kind), (60, 1)))
        found.append(simulation.weights["feedforward_2"])
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize(("scale", "warned"), [(1.0, True), (1e-4, False)])
def test_a_loss_that_is_next_to_nothing_may_rise(scale, warned):
    losses = scale * np.array([0.5, 0.1, 0.3, 0.3])
    *history, last = [
        Epoch(number, 0.0, value, 0.0, value, 1.0) for number, value in enumerate(losses, start=1)
    ]
    assert bool(_rising(last, history, constant=1.0)) is warned


def test_large_targets_are_no_divergence():
    data = numbers()
    far = Dataset("far", data.images, 5000 + data.labels, 255.0, (9,), 2)
    specification = Specification.create(sizes=(9, 5, 2), linear_output=True, batch_size=10)
    Training(Simulation(specification, device="numpy"), far).run(3)


def test_a_network_that_does_not_learn_numbers_says_so():
    data = numbers(2000)
    specification = Specification.create(sizes=(9, 5, 2), linear_output=True, batch_size=5)
    still = specification.replace(learning_rates={"feedforward": 0.0, "bias": 0.0})
    training = Training(Simulation(still), data, data)
    with pytest.warns(LearningWarning, match="hardly better than a constant would"):
        training.run(2)
    training = Training(Simulation(specification), data, data)
    training.run(3)
    simulation = training.simulation
    simulation.specification = still
    simulation.weights = {name: 1.3 * weight for name, weight in simulation.weights.items()}
    with pytest.warns(LearningWarning, match="the loss is rising: .* on the test images"):
        training.run(5)

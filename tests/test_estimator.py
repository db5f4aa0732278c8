import gc
import os
import pickle
from copy import deepcopy
from pathlib import Path

import joblib
import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, QuantileTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ghost_spiking import GhostClassifier
from ghost_spiking.dense._files import folder_for_files
from ghost_spiking.exceptions import DataError, DivergenceError, SpecificationError
from ghost_spiking.simulation import Simulation
from ghost_spiking.training import Training

NUMPY = {"device": "numpy", "random_state": 0}


@pytest.mark.filterwarnings("ignore:.*is not a multiple.*")
@parametrize_with_checks(
    [GhostClassifier((10,), epochs=8, batch_size=50, learning_rate=4.0, random_state=0)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def iris():
    return load_iris(return_X_y=True)


def test_labels_of_any_type():
    X, y = iris()
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    classifier = GhostClassifier((10,), epochs=20, random_state=0).fit(X, names)
    assert classifier.score(X, names) > 0.9
    assert set(classifier.predict(X)) <= set(names)
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_probabilities_belong_to_predictions(loss):
    X, y = iris()
    classifier = GhostClassifier((10,), loss=loss, epochs=20, random_state=0).fit(X, y)
    proba = classifier.predict_proba(X)
    assert (proba >= 0).all()
    np.testing.assert_array_equal(proba.argmax(axis=1), classifier.predict(X))


def test_partial_fit_is_one_epoch_of_fit():
    X, y = iris()
    whole = GhostClassifier((10,), epochs=3, random_state=0).fit(X, y)
    parts = GhostClassifier((10,), random_state=0)
    for _ in range(3):
        parts.partial_fit(X, y)
    for name, weight in whole.weights_.items():
        np.testing.assert_array_equal(weight, parts.weights_[name])
    with pytest.raises(ValueError, match="not among the classes"):
        parts.partial_fit(X, y + 5)


def test_warm_start_goes_on():
    X, y = iris()
    whole = GhostClassifier((10,), epochs=4, random_state=0).fit(X, y)
    warm = GhostClassifier((10,), epochs=2, warm_start=True, random_state=0).fit(X, y)
    warm.fit(X, y)
    assert warm.n_iter_ == 4
    for name, weight in whole.weights_.items():
        np.testing.assert_array_equal(weight, warm.weights_[name])


def test_early_stopping_goes_back_to_the_best_epoch():
    X, y = iris()
    classifier = GhostClassifier(
        (10,), epochs=500, early_stopping=True, validation_fraction=0.3, patience=4, random_state=0
    ).fit(X, y)
    held_out = [epoch.test_accuracy for epoch in classifier.history_]
    assert len(held_out) < 500
    assert int(np.argmax(held_out)) == len(held_out) - 1 - 4
    # the weights are those of the best epoch
    again = GhostClassifier(
        (10,), epochs=len(held_out) - 4, early_stopping=True, validation_fraction=0.3,
        patience=500, random_state=0,
    ).fit(X, y)  # fmt: skip
    for name, weight in classifier.weights_.items():
        np.testing.assert_array_equal(weight, again.weights_[name])


def test_random_state_decides():
    X, y = iris()
    fits = [GhostClassifier((10,), epochs=1, random_state=s) for s in (1, 1, 2)]
    first, second, third = (fit.fit(X, y).weights_["feedforward_1"] for fit in fits)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_predictions_are_those_of_the_weights():
    """Though the network that has learned is kept for them."""
    X, y = iris()
    classifier = GhostClassifier((10,), epochs=5, **NUMPY).fit(X, y)
    before, other = classifier.predict_proba(X), deepcopy(classifier)
    assert other._kept is None
    classifier.weights_ = classifier.weights_ | {"feedforward_1": np.zeros((10, 4))}
    assert not np.array_equal(classifier.predict_proba(X), before)
    np.testing.assert_array_equal(other.predict_proba(X), before)
    classifier.fit(X, y)
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


def test_pickle_and_joblib(tmp_path):
    X, y = iris()
    classifier = GhostClassifier((10,), epochs=2, random_state=0).fit(X, y)
    joblib.dump(classifier, tmp_path / "classifier")
    for copy in (pickle.loads(pickle.dumps(classifier)), joblib.load(tmp_path / "classifier")):
        np.testing.assert_array_equal(copy.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "MC"}, "model"),
        ({"hidden_layer_sizes": ()}, "sizes"),
        ({"hidden_layer_sizes": (0,)}, "sizes"),
        ({"feedback": "none"}, "feedback"),
        ({"ghosts": 7}, "only model MB"),
        ({"batch_size": 0}, "batch_size"),
        ({"beta": -1.0}, "beta"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": "1"}, "learning_rate"),
        ({"epochs": 0}, "epochs: .* 1, got 0"),
        ({"epochs": -1}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"patience": -1}, "patience"),
        ({"patience": 0}, "patience"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"validation_fraction": 0}, "validation_fraction"),
        ({"scale": "yes"}, "scale"),
        ({"early_stopping": 1}, "early_stopping"),
        ({"warm_start": None}, "warm_start"),
        ({"device": "gpu"}, "device"),
        ({"verbose": "loud"}, "verbose"),
        ({"hidden_layer_sizes": (8, True)}, "sizes"),
        ({"hidden_layer_sizes": 2.5}, "sizes"),
        ({"hidden_layer_sizes": "8"}, "sizes"),
        ({"fields": [("dale", True)]}, "fields"),
        ({"fields": {"loss": "cross_entropy"}}, "'loss' is chosen by the parameter loss"),
        ({"fields": {"sizes": (4, 5, 3)}}, "parameter hidden_layer_sizes"),
        ({"batch_size": "20"}, "batch_size"),
        ({"beta": np.nan}, "beta"),
        ({"rate_function": "sin("}, "rate_function"),
        ({"fields": {"dail": True}}, "did you mean"),
        ({"loss": "hinge"}, "loss"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    X, y = iris()
    for fit in ("fit", "partial_fit"):
        classifier = GhostClassifier(**({"device": "numpy"} | parameters))
        with pytest.raises(SpecificationError, match=message):
            getattr(classifier, fit)(X, y)
        assert vars(classifier) == vars(GhostClassifier(**({"device": "numpy"} | parameters)))


def small(**parameters):
    """Return a classifier that learns quickly, and samples of two classes with three features."""
    X, y = iris()
    classifier = GhostClassifier((5,), **(NUMPY | {"epochs": 1, "batch_size": 50} | parameters))
    return classifier, X[:100, :3], y[:100]


FAILURES = {
    "diverged": (DivergenceError, {"learning_rate": 1e4}, None),
    "refused": (SpecificationError, {"beta": -1.0}, None),
    "no epochs": (SpecificationError, {"epochs": 0}, None),
    "continuous labels": (ValueError, {}, lambda X, y: (X, y + 0.5)),
    "missing values": (ValueError, {}, lambda X, y: (np.where(X > 5, np.nan, X), y)),
    "other lengths": (ValueError, {}, lambda X, y: (X, y[:-1])),
    "too large": (DataError, {"scale": False}, lambda X, y: (1e300 * X, y)),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_fails_leaves_nothing(failure, method):
    error, parameters, spoil = FAILURES[failure]
    classifier, X, y = small(**parameters)
    before = vars(classifier).copy()
    with pytest.raises(error):
        getattr(classifier, method)(*(spoil(X, y) if spoil else (X, y)))
    assert vars(classifier) == before
    with pytest.raises(NotFittedError):
        classifier.predict(X)


@pytest.fixture(scope="module")
def fitted():
    classifier, X, y = small()
    return classifier.fit(X, y)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("method", ["fit", "warm", "partial_fit"])
def test_what_fails_leaves_a_fitted_classifier_as_it_was(fitted, failure, method):
    error, parameters, spoil = FAILURES[failure]
    if "scale" in parameters and method != "fit":
        error = SpecificationError  # it can't change
    classifier = deepcopy(fitted).set_params(warm_start=method == "warm", **parameters)
    before, contents = dict(vars(classifier)), deepcopy(vars(classifier))
    # other numbers of classes and of features, where it begins anew
    X, y = iris() if method == "fit" else small()[1:]
    X, y = spoil(X, y) if spoil else (X, y)
    fit = classifier.partial_fit if method == "partial_fit" else classifier.fit
    with pytest.raises(error):
        fit(X, y)
    after = vars(classifier)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in after)
    np.testing.assert_equal(after["weights_"], contents["weights_"])
    # as dictionaries: since Python 3.13 dataclasses with nan in them are never equal
    assert [vars(x) for x in after["history_"]] == [vars(x) for x in contents["history_"]]


def test_pipeline_and_cross_validation():
    X, y = iris()
    pipeline = make_pipeline(StandardScaler(), GhostClassifier((10,), epochs=20, random_state=0))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.85


@pytest.mark.slow
def test_grid_search_on_digits():
    X, y = load_digits(return_X_y=True)
    grid = {"learning_rate": [0.5, 1.0], "beta": [1.0, 3.0], "model": ["MA", "MB"]}
    search = GridSearchCV(GhostClassifier((32,), epochs=20, random_state=0), grid, cv=3, n_jobs=2)
    search.fit(X, y)
    assert search.best_score_ > 0.93
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_fitting_often_leaks_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GHOST_SPIKING_CACHE", str(tmp_path))  # nobody else compiles there
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    classifier = GhostClassifier((8,), epochs=1, random_state=0)

    def memory():
        gc.collect()
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    for _ in range(10):  # until memory that earlier tests have left is in use again
        classifier.fit(X, y)
    objects = len(gc.get_objects())
    programs = set(tmp_path.iterdir())
    ours = f"ghost-spiking-*-{os.getpid()}-*"  # other processes test as well
    temporary = set(folder_for_files().glob(ours))
    files = len(list(Path("/proc/self/fd").iterdir()))
    before = memory()
    for _ in range(20):
        classifier.fit(X, y)
    assert set(tmp_path.iterdir()) == programs
    assert set(folder_for_files().glob(ours)) == temporary
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert memory() - before < 10
    assert len(gc.get_objects()) - objects < 1000


def interrupt_after(n_epochs, monkeypatch):
    """Make Ctrl-C come in the middle of the epoch after so many."""
    run_epoch, present = Training.run_epoch, Simulation.present

    def run(training, progress=None):
        if len(training.history) < n_epochs:
            return run_epoch(training, progress)
        images, labels = training.training.images[:50], training.training.labels[:50]
        present(training.simulation, images, labels, maximum=1.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "run_epoch", run)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm"])
def test_interrupt_keeps_what_was_learned(method, monkeypatch):
    classifier, X, y = small(epochs=5, warm_start=method == "warm")
    fit = classifier.partial_fit if method == "partial_fit" else classifier.fit
    if method == "warm":
        fit(X, y)
    done = {"fit": 2, "partial_fit": 0, "warm": 6}[method]
    with monkeypatch.context() as patch:
        interrupt_after(done, patch)
        with pytest.raises(KeyboardInterrupt):
            fit(X, y)
    assert classifier.n_iter_ == len(classifier.history_) == done
    assert classifier._presented == 2 * done + 1
    assert classifier.predict_proba(X).shape == (100, 2)
    assert np.abs(classifier.weights_["bias_2"]).max() > 0
    classifier.partial_fit(X, y)  # it goes on
    assert (classifier.n_iter_, classifier._presented) == (done + 1, 2 * done + 3)


@pytest.mark.parametrize("fitted", [False, True])
def test_interrupt_before_anything_was_learned(fitted, monkeypatch):
    classifier, X, y = small()
    if fitted:
        classifier.fit(X, y)
    before = dict(vars(classifier))

    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    for target, name in ((Training, "run_epoch"), (Simulation, "__init__")):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                classifier.fit(*iris())
        assert vars(classifier) == before


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": (6,)}, r"sizes was \(3, 5, 2\), is \(3, 6, 2\)"),
        ({"hidden_layer_sizes": (5, 5)}, "sizes"),
        ({"feedback": "alignment"}, "feedback was"),
        ({"loss": "cross_entropy"}, "loss was squared_error, is cross_entropy"),
        ({"model": "MB", "ghosts": 2}, "model was MA, is MB"),
        ({"rate_function": "tanh"}, "rate_function"),
        ({"fields": {"biases": False}}, "biases was True, is False"),
        ({"fields": {"initial_weights": {"feedforward": 2.0}}}, "initial_weights"),
        ({"scale": False}, "scale was True, is False"),
    ],
)
def test_the_network_can_not_change_while_it_learns(fitted, parameters, message):
    _, X, y = small()
    classifier = deepcopy(fitted).set_params(warm_start=True, **parameters)
    for fit in (classifier.fit, classifier.partial_fit):
        with pytest.raises(SpecificationError, match=message):
            fit(X, y)


def test_without_warm_start_it_begins_anew(fitted):
    _, X, y = small()
    classifier = deepcopy(fitted).set_params(hidden_layer_sizes=(6,), scale=False).fit(X, y)
    assert classifier.n_iter_ == 1
    assert classifier.weights_["feedforward_1"].shape == (6, 3)


def test_what_may_change_between_fits_counts():
    classifier, X, y = small(warm_start=True)
    classifier.fit(X, y)
    before = classifier.weights_
    classifier.set_params(
        epochs=2, learning_rate=1e-3, batch_size=25, beta=2.0, random_state=1,
        fields={"half_life": 3, "learning_rates": {"ghost_feedback": 0.0}},
    ).fit(X, y)  # fmt: skip
    assert classifier.n_iter_ == 3
    assert classifier._presented == 2 + 8
    protocol = classifier.specification_.protocol
    assert (protocol.batch_size, protocol.beta, protocol.half_life) == (25, 2.0, 3)
    change = np.abs(classifier.weights_["feedforward_2"] - before["feedforward_2"]).max()
    assert 0 < change < 1e-2
    np.testing.assert_array_equal(
        classifier.weights_["ghost_feedback_2"], before["ghost_feedback_2"]
    )
    with pytest.raises(ValueError, match="not among the classes"):
        classifier.fit(X, y + 1)
    with pytest.raises(ValueError, match="features"):
        classifier.fit(X[:, :2], y)


def test_divergence_says_which_parameter_to_lower():
    for parameters, message in (
        ({"learning_rate": 1e4}, "'feedforward_.' grew most: lower learning_rate, which is 10000"),
        (
            {"fields": {"learning_rates": {"ghost_feedback": 500.0}}},
            r"lower ghost_feedback with fields=\{'learning_rates': .*; it is 500",
        ),
    ):
        classifier, X, y = small(epochs=5, **parameters)
        with pytest.raises(DivergenceError, match=message):
            classifier.fit(X, y)
    classifier, X, y = small(scale=False, fields={"input_adaptation": False})
    with pytest.raises(DivergenceError, match=r"features reach 700000, .* use scale=True"):
        classifier.fit(1e5 * X, y)


def test_partial_fit_has_no_early_stopping():
    classifier, X, y = small(early_stopping=True)
    with pytest.raises(SpecificationError, match="partial_fit presents all its samples"):
        classifier.partial_fit(X, y)


@pytest.mark.parametrize("number", [np.int64, np.uint8, np.array])
def test_numbers_of_numpy_mean_the_same(number):
    plain, X, y = small(model="MB", ghosts=3, fields={"dale": True, "prediction_steps": 9})
    given, _, _ = small(
        model=np.str_("MB"), ghosts=number(3), epochs=number(1), batch_size=number(50),
        learning_rate=np.float64(1), scale=np.True_, warm_start=np.bool_(False),
        device=np.str_("numpy"), verbose=number(0), patience=number(10),
        fields={"dale": np.bool_(True), "prediction_steps": number(9)},
    )  # fmt: skip
    expected = plain.fit(X, y).predict_proba(X)
    for sizes in ((number(5),), [number(5)], np.array([5]), number(5)):
        given.set_params(hidden_layer_sizes=sizes)
        np.testing.assert_array_equal(given.fit(X, y).predict_proba(X), expected)


@pytest.fixture(scope="module")
def clean():
    X, y = iris()
    return GhostClassifier((10,), epochs=20, random_state=0).fit(X, y).score(X, y)


@pytest.mark.parametrize("spoil", ["one sample", "one value", "large units"])
def test_outliers_do_no_harm(clean, spoil):
    X, y = iris()
    if spoil == "one sample":
        X[0] *= 100
    elif spoil == "one value":
        X[77, 2] = -1e9
    else:
        X *= 1e150
    score = GhostClassifier((10,), epochs=20, random_state=0).fit(X, y).score(X, y)
    assert score > clean - 0.03
    assert clean > 0.9


def test_partial_fit_may_begin_with_one_class():
    X, y = iris()
    classifier = GhostClassifier((10,), random_state=0)
    classifier.partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    for _ in range(40):
        classifier.partial_fit(X, y)
    assert classifier.score(X, y) > 0.9


def test_weights_are_repetitions():
    classifier, X, y = small(epochs=2)
    weights = np.arange(len(X)) % 3
    shuffled = np.random.default_rng(0).permutation(len(X))
    expected = classifier.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights)).weights_
    again = small(epochs=2)[0].fit(X[shuffled], y[shuffled], sample_weight=weights[shuffled])
    for name, matrix in expected.items():
        np.testing.assert_array_equal(again.weights_[name], matrix)


def test_weights_decide_between_contradictions():
    _, X, y = small()
    both, labels = np.vstack([X, X]), np.append(y, 1 - y)
    for factor in (0.1, 3.0):  # only their ratio counts
        weights = factor * np.repeat([1.7, 0.1], len(X))
        classifier, _, _ = small(epochs=20, batch_size=20)
        assert classifier.fit(both, labels, sample_weight=weights).score(X, y) > 0.95
    balanced, _, _ = small(epochs=20, batch_size=10, class_weight="balanced")
    few = np.append(np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:3])
    rare = balanced.fit(X[few], y[few])
    assert rare.score(X[y == 1], y[y == 1]) > 0.9
    given, _, _ = small(epochs=2, class_weight={0: 2, 1: 1})
    counted = small(epochs=2)[0].fit(X, y, sample_weight=np.where(y == 0, 2, 1))
    np.testing.assert_array_equal(
        given.fit(X, y).weights_["feedforward_1"], counted.weights_["feedforward_1"]
    )


@pytest.mark.parametrize(
    ("weights", "parameters", "message"),
    [
        (np.zeros(100), {}, "not all weights may be 0"),
        (-np.ones(100), {}, "negative"),
        (np.ones(3), {}, "100 samples"),
        (None, {"class_weight": "fair"}, "class_weight: needs 'balanced'"),
        (None, {"scale": "yes"}, "scale: needs True, False, or a transformer"),
        (None, {"early_stopping": True, "validation_fraction": 0.001}, "validation_fraction"),
        (None, {"tol": -1.0}, "tol"),
    ],
)
def test_what_is_refused_names_the_parameter(weights, parameters, message):
    classifier, X, y = small(**parameters)
    with pytest.raises(ValueError, match=message):
        classifier.fit(X, y, sample_weight=weights)
    assert not hasattr(classifier, "weights_")


def test_sparse_samples_are_dense_ones():
    classifier, X, y = small()
    expected = classifier.fit(X, y).predict_proba(X)
    for kind in (csr_array, coo_array):
        again = small()[0].fit(kind(X), y)
        np.testing.assert_array_equal(again.predict_proba(kind(X)), expected)


def test_any_transformer_may_scale():
    classifier, X, y = small(scale=QuantileTransformer(n_quantiles=50), epochs=20, batch_size=20)
    X = X.copy()
    X[0] *= 1e6
    assert classifier.fit(X, y).score(X, y) > 0.9
    pixels = classifier._rates(X)
    assert (pixels.min(), pixels.max()) == (0, 1)
    with pytest.raises(SpecificationError, match=r"scale was Quantile.*is True"):
        classifier.set_params(scale=True, warm_start=True).fit(X, y)
    wide, _, _ = small(scale=PolynomialFeatures(2))
    assert wide.fit(X, y).specification_.network.sizes[0] == 10
    # it learns from further samples on a copy, as what fails changes nothing
    parts, _, _ = small(scale=StandardScaler())
    parts.partial_fit(X[1:], y[1:])
    before = parts._scaling.transformer
    mean = before.mean_.copy()
    parts.partial_fit(X[1:] + 1, y[1:])
    np.testing.assert_array_equal(before.mean_, mean)
    np.testing.assert_allclose(parts._scaling.transformer.mean_, mean + 0.5)


def test_curves_and_tolerance():
    classifier, X, y = small(epochs=30, batch_size=20, tol=0.5, patience=3)
    classifier.fit(X, y)  # the loss begins below 0.5, so it can't fall by it
    assert classifier.n_iter_ == 4
    assert classifier.loss_curve_ == [epoch.online_loss for epoch in classifier.history_]
    assert classifier.best_score_ is None
    stopping, _, _ = small(epochs=9, early_stopping=True, tol=1.0, patience=2)
    stopping.fit(X, y)
    assert stopping.n_iter_ == 3
    assert stopping.best_score_ == max(stopping.validation_scores_)
    assert len(stopping.validation_scores_) == 3

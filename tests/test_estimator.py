import gc
import os
import pickle
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ghost_spiking import GhostClassifier
from ghost_spiking.exceptions import SpecificationError

NUMPY = {"device": "numpy", "random_state": 0}


@pytest.mark.filterwarnings("ignore:.*is not a multiple.*")
@parametrize_with_checks(
    [GhostClassifier((10,), epochs=8, batch_size=50, learning_rate=4.0, **NUMPY)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def iris():
    return load_iris(return_X_y=True)


def test_labels_of_any_type():
    X, y = iris()
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    classifier = GhostClassifier((10,), epochs=60, random_state=0).fit(X, names)
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
        ({"learning_rate": -1.0}, "feedforward"),
        ({"rate_function": "sin("}, "rate_function"),
        ({"fields": {"dail": True}}, "did you mean"),
        ({"loss": "hinge"}, "loss"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    X, y = iris()
    with pytest.raises(SpecificationError, match=message):
        GhostClassifier(**({"device": "numpy"} | parameters)).fit(X, y)


def test_pipeline_and_cross_validation():
    X, y = iris()
    pipeline = make_pipeline(StandardScaler(), GhostClassifier((10,), epochs=60, random_state=0))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.85


@pytest.mark.slow
def test_grid_search_on_digits():
    X, y = load_digits(return_X_y=True)
    grid = {"learning_rate": [0.5, 1.0], "beta": [1.0, 3.0], "model": ["MA", "MB"]}
    search = GridSearchCV(GhostClassifier((32,), epochs=20, random_state=0), grid, cv=3, n_jobs=2)
    search.fit(X, y)
    assert search.best_score_ > 0.93
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_fitting_often_leaks_nothing(cache):
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    classifier = GhostClassifier((8,), epochs=1, random_state=0)

    def memory():
        gc.collect()
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    for _ in range(3):
        classifier.fit(X, y)
    programs = set(cache.iterdir())
    temporary = set(Path(tempfile.gettempdir()).glob("ghost-spiking-*"))
    files = len(list(Path("/proc/self/fd").iterdir()))
    before = memory()
    for _ in range(25):
        classifier.fit(X, y)
    assert set(cache.iterdir()) == programs
    assert set(Path(tempfile.gettempdir()).glob("ghost-spiking-*")) == temporary
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert memory() - before < 10

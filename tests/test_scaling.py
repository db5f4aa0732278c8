"""Features become rates that are comparable, whatever their units, outliers and order."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_moons

from ghost_spiking._scaling import Scaling

IRIS = load_iris().data


def of_parts(*parts):
    scaling = Scaling.of(parts[0])
    for part in parts[1:]:
        scaling = scaling.extended(part)
    return scaling


@pytest.mark.parametrize(
    "X", [IRIS, load_wine().data, make_moons(300, noise=0.1, random_state=0)[0]]
)
def test_clean_features_are_mapped_by_their_smallest_and_largest_value(X):
    expected = (X - X.min(axis=0)) / (X.max(axis=0) - X.min(axis=0))
    np.testing.assert_allclose(Scaling.of(X).rates(X), expected, atol=1e-12)


@pytest.mark.parametrize("X", [load_breast_cancer().data, load_digits().data])
def test_skewed_and_sparse_features_lie_between_0_and_1_but_for_a_few(X):
    rates = Scaling.of(X).rates(X)
    assert np.mean((rates < 0) | (rates > 1)) < 0.005
    assert rates.max() < 2
    varies = X.std(axis=0) > 0
    assert (rates[:, varies].max(axis=0) >= 1).all()
    assert not rates[:, ~varies].any()


@pytest.mark.parametrize("outlier", [1e3, -1e3, 1e12, -1e300, 1.7e308])
@pytest.mark.parametrize("n_outliers", [1, 5])
def test_outliers_change_the_rates_of_no_other_sample(outlier, n_outliers):
    X = IRIS.copy()
    X[:n_outliers] = outlier
    rates = Scaling.of(X).rates(X)
    expected = Scaling.of(IRIS[n_outliers:]).rates(IRIS[n_outliers:])
    np.testing.assert_allclose(rates[n_outliers:], expected, atol=1e-12)
    assert np.isfinite(rates).all()
    beyond = rates[:n_outliers]
    ends = (1.9, 2.0) if outlier > 0 else (-1.0, -0.9)
    assert ((ends[0] <= beyond) & (beyond <= ends[1])).all()


def test_rates_grow_with_features():
    X = np.linspace(-100, 100, 2001)[:, None]
    rates = Scaling.of(IRIS[:, :1]).rates(X).ravel()
    assert (np.diff(rates) > 0).all()
    assert -1 < rates[0] < -0.9
    assert 1.9 < rates[-1] < 2


def test_rare_values_of_a_feature_that_is_mostly_the_same():
    X = np.zeros((1000, 2))
    X[:10, 0] = np.arange(1, 11)  # 1 % of them, one of these far away
    X[:11, 1] = [*range(1, 11), 1e6]
    rates = Scaling.of(X).rates(X)
    np.testing.assert_allclose(rates[:10], np.tile(np.arange(1, 11)[:, None] / 10, 2))
    assert 1.9 < rates[10, 1] < 2
    assert not rates[11:].any()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_samples(n):
    X = IRIS[:n] * np.arange(1, n + 1)[:, None]
    rates = Scaling.of(X).rates(X)
    assert rates.min() == 0
    assert rates.max() == (n > 1)


@pytest.mark.parametrize("n", [1, 7, 50])
def test_order_of_the_first_samples_does_not_matter(n):
    """The first of iris are all of one class; at last it is as if all had come at once."""
    X = IRIS.copy()
    X[3] *= 100
    scaling = of_parts(*(X[i : i + n] for i in range(0, 150, n)))
    np.testing.assert_array_equal(scaling.rates(X), Scaling.of(X).rates(X))


def test_ranges_only_widen_once_there_are_many_samples():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 1, (1000, 1)), rng.uniform(-1, 2, (300, 1))
    scaling = of_parts(first, first, rng.uniform(0.4, 0.6, (1000, 1)))
    assert 0.98 < scaling.width[0] < 1
    assert (len(scaling.samples), scaling.n_shown) == (200, 3000)
    assert of_parts(first, np.array([[1e6]])).width[0] < 1  # an outlier does not
    for part in np.array_split(second, 300):
        scaling = scaling.extended(part)
    assert scaling.low[0] == pytest.approx(-1, abs=0.2)
    assert scaling.width[0] == pytest.approx(3, abs=0.4)


def test_remembers_all_batches_alike():
    parts = [np.full((50, 1), float(k)) for k in range(100)]
    seen = np.unique(of_parts(*parts).samples)
    assert len(seen) > 60
    assert 40 < seen.mean() < 60

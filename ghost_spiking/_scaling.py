"""How features of any range become rates."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from ._samples import dense

__all__ = ["Scaling", "Transformed"]

#: Fraction of the samples at either end of a feature's range that is not trusted.
_EDGE = 0.05
#: How far the rest of the range may reach beyond those that are, in units of their range.
_REACH = 1.0
#: Samples that are remembered, to tell outliers in later ones.
_REMEMBERED = 200


@dataclass(frozen=True)
class Scaling:
    """Ranges of features, which become rates from 0 to 1.

    A range is that of the samples it was taken from, without outliers: values that lie further away
    from the middle nine tenths than these are wide. Beyond it, rates go on to at most -1 and 2, so
    that outliers can be told from other values, but stay moderate.

    Attributes
    ----------
    low : array, shape (n_features,)
        Lower ends of the ranges.
    width : array, shape (n_features,)
        Their widths; 0 for a feature that has always been the same. Its rate is 0.
    samples : array, shape (n_remembered, n_features)
        Some of the samples, drawn at random from all.
    keys : array, shape (n_remembered,)
        Random numbers, one for each; those with the smallest ones are remembered.
    n_shown : int
        Number of all samples.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._scaling import Scaling
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [1000.0]])
    >>> Scaling.of(X).rates(X).ravel().round(2)
    array([0.  , 0.25, 0.5 , 0.75, 1.  , 2.  ])
    """

    low: np.ndarray
    width: np.ndarray
    samples: np.ndarray
    keys: np.ndarray
    n_shown: int

    @classmethod
    def of(cls, X: np.ndarray) -> Scaling:
        """Return the ranges of samples, shape (n_samples, n_features)."""
        return cls(X[0], 0 * X[0], X[:0], np.empty(0), 0).extended(X)

    def extended(self, X: np.ndarray) -> Scaling:
        """Return the ranges of further samples and of those before."""
        samples = np.vstack([self.samples, X])
        low, high = np.array([_range(feature) for feature in np.sort(samples, axis=0).T]).T
        if self.n_shown > len(self.samples):  # not all are remembered
            low, high = np.minimum(low, self.low), np.maximum(high, self.low + self.width)
        keys = np.append(self.keys, np.random.default_rng(self.n_shown).random(len(X)))
        kept = np.argsort(keys)[:_REMEMBERED]
        return Scaling(low, high - low, samples[kept], keys[kept], self.n_shown + len(X))

    def rates(self, X: np.ndarray) -> np.ndarray:
        """Return the rates of samples."""
        known = self.width > 0
        with np.errstate(over="ignore"):
            place = np.where(known, (X - self.low) / np.where(known, self.width, 1.0), 0.0)
        place = np.clip(place, -1e300, 1e300)
        above, below = np.maximum(place - 1, 0), np.maximum(-place, 0)
        return np.clip(place, 0, 1) + above / (1 + above) - below / (1 + below)


@dataclass(frozen=True)
class Transformed:
    """Rates that a transformer of scikit-learn makes of features.

    Attributes
    ----------
    transformer : object
        One that was fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from ghost_spiking._scaling import Transformed
    >>> Transformed.by(MinMaxScaler(), np.array([[1.0], [3.0]])).rates(np.array([[2.0]]))
    array([[0.5]])
    """

    transformer: Any

    @classmethod
    def by(cls, transformer: Any, X: np.ndarray) -> Transformed:
        """Return what a transformer does that was fitted to these samples."""
        return cls(clone(transformer).fit(X))

    def extended(self, X: np.ndarray) -> Transformed:
        """Return the same after further samples, if the transformer learns from such."""
        if not hasattr(self.transformer, "partial_fit"):
            return self
        return Transformed(deepcopy(self.transformer).partial_fit(X))

    def rates(self, X: np.ndarray) -> np.ndarray:
        """Return the rates of samples."""
        return dense(self.transformer.transform(X))


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the range of sorted values, without outliers."""
    if len(values) < 5:  # too few to tell
        return values[0], values[-1]
    n_edge = int(np.ceil(_EDGE * (len(values) - 1)))
    low, high = values[n_edge], values[-1 - n_edge]
    if low == high:  # nearly all are the same: judge by the others
        others = values[values != low]
        if not len(others):
            return low, high
        ends = _range(others)
        return min(low, ends[0]), max(high, ends[1])
    reach = _REACH * (high - low)
    within = values[(values >= low - reach) & (values <= high + reach)]
    return within[0], within[-1]

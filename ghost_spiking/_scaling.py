"""How features of any range become rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Scaling"]

#: Fraction of the samples at either end of a feature's range that is not trusted.
_EDGE = 0.05
#: How far the rest of the range may reach beyond those that are, in units of their range.
_REACH = 1.0
#: Beyond the range, this times the logarithm.
_TAIL = 0.25


@dataclass(frozen=True)
class Scaling:
    """Ranges of features, which become rates from 0 to 1.

    A range is that of the samples it was taken from, without outliers: values that lie further away
    from the middle nine tenths than these are wide. Beyond it, rates grow like a logarithm:
    outliers stay moderate, and what the first samples did not show can still be told apart.

    Attributes
    ----------
    low : array, shape (n_features,)
        Lower ends of the ranges.
    width : array, shape (n_features,)
        Their widths; 0 for a feature that has always been the same. Its rate is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._scaling import Scaling
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [1000.0]])
    >>> Scaling.of(X).rates(X).ravel().round(2)
    array([0.  , 0.25, 0.5 , 0.75, 1.  , 2.73])
    """

    low: np.ndarray
    width: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> Scaling:
        """Return the ranges of samples, shape (n_samples, n_features)."""
        low, high = np.array([_range(feature) for feature in np.sort(X, axis=0).T]).T
        return cls(low, high - low)

    def extended(self, X: np.ndarray) -> Scaling:
        """Return the same, with ranges of features that were always the same until now.

        All others stay, because weights were learned for them; for these, rates were 0.
        """
        new = Scaling.of(np.vstack([self.low, X]))
        return Scaling(self.low, np.where(self.width > 0, self.width, new.width))

    def rates(self, X: np.ndarray) -> np.ndarray:
        """Return the rates of samples."""
        known = self.width > 0
        with np.errstate(over="ignore"):
            place = np.where(known, (X - self.low) / np.where(known, self.width, 1.0), 0.0)
        place = np.clip(place, -1e300, 1e300)
        above, below = np.maximum(place - 1, 0), np.maximum(-place, 0)
        tails = np.log1p(above / _TAIL) - np.log1p(below / _TAIL)
        return np.clip(place, 0, 1) + _TAIL * tails


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the range of sorted values, without outliers."""
    n_edge = int(np.ceil(_EDGE * (len(values) - 1)))
    if len(values) < 5:  # too few to tell
        return values[0], values[-1]
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

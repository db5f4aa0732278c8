"""Sizes of arrays, and angles between them, taken as single vectors; in double precision."""

from __future__ import annotations

import numpy as np

__all__ = ["angle", "norm", "ratio", "size"]


def norm(values: np.ndarray) -> float:
    """Return the Euclidean, or Frobenius, norm.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.vectors import norm
    >>> norm(np.array([3.0, 4.0]))
    5.0
    """
    return float(np.linalg.norm(np.asarray(values, np.float64)))


def size(values: np.ndarray) -> float:
    """Return the root mean square over images of the norm over units.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.vectors import size
    >>> size(np.array([[3.0, 4.0], [5.0, 0.0]]))
    5.0
    """
    return norm(values) / len(values) ** 0.5


def ratio(a: np.ndarray, b: np.ndarray) -> float:
    """Return the norm of one over that of the other; nan if that is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.vectors import ratio
    >>> ratio(np.array([3.0, 4.0]), np.array([10.0]))
    0.5
    """
    return norm(a) / norm(b) if norm(b) else float("nan")


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle in degrees; nan if one of them is zero or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.vectors import angle
    >>> round(angle(np.array([1.0, 0.0]), np.array([1.0, 1.0])), 9)
    45.0
    """
    u, v = _direction(a), _direction(b)
    # The cosine hardly changes near 0 and 180 degrees, so these lengths are more accurate.
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))))


def _direction(values: np.ndarray) -> np.ndarray:
    values = np.ravel(values).astype(np.float64)
    largest = np.abs(values).max(initial=0.0)
    if not 0 < largest < np.inf:
        return np.array(np.nan)
    values /= largest  # so that no square overflows or vanishes
    return values / np.linalg.norm(values)

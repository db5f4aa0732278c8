"""What samples of scikit-learn become before they are images: dense, ordered, weighted."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_array

from .exceptions import DataError, SpecificationError

__all__ = ["dense", "in_order", "repeated", "weights_of"]

#: Whole weights are repetitions, unless there would be more than so many for each sample.
_MOST_REPEATED = 10


def dense(X: Any) -> np.ndarray:
    """Return samples that may be sparse as an array.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from ghost_spiking._samples import dense
    >>> dense(csr_array(np.eye(2)))
    array([[1., 0.],
           [0., 1.]])
    """
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X)


def in_order(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return an order of samples that does not depend on the one in which they were given.

    So weights mean the same as repetitions, and samples that were shuffled give the same network.
    It is that of their values, the first feature before the second, which stays the same if
    features are scaled.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._samples import in_order
    >>> in_order(np.array([[2.0, 0.0], [1.0, 5.0], [-3.0, 0.0], [1.0, 4.0]]), np.zeros(4))
    array([2, 3, 1, 0])
    """
    columns = np.column_stack([X, y.reshape(len(y), -1)]).astype(np.float64) + 0.0  # no -0
    # Numbers as bytes that compare as numbers do: the sign first, the largest byte before others.
    bits = np.ascontiguousarray(columns).view(np.uint64)
    sign = np.uint64(1 << 63)
    ordered = np.where(bits & sign, ~bits, bits | sign).astype(">u8")
    rows = ordered.view(np.dtype((np.void, ordered.itemsize * ordered.shape[1])))
    return np.argsort(rows.ravel(), kind="stable")


def weights_of(
    X: np.ndarray, y: Any, sample_weight: Any, class_weight: Mapping[Any, float] | str | None
) -> np.ndarray | None:
    """Return the weight of each sample, or None if all are the same.

    Raises
    ------
    DataError
        A weight is negative or not finite, or all are 0; or they are not one for each sample.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._samples import weights_of
    >>> weights_of(np.zeros((3, 1)), np.array([0, 1, 1]), None, "balanced")
    array([1.5 , 0.75, 0.75])
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(X))
    if sample_weight is not None:
        if not isinstance(sample_weight, Real):
            weights = check_array(
                sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
            )
        else:
            weights = weights * float(sample_weight)
        if weights.shape != (len(X),):
            raise DataError(
                f"sample_weight: needs one number for each of {len(X)} samples, got the shape "
                f"{weights.shape}"
            )
    if class_weight is not None:
        try:
            weights = weights * compute_sample_weight(class_weight, y)
        except ValueError as error:
            raise SpecificationError(f"class_weight: {error}") from None
    if weights.min() < 0:
        raise DataError("sample_weight, class_weight: weights can't be negative")
    if not weights.any():
        raise DataError("sample_weight, class_weight: not all weights may be 0 (zero)")
    return weights


def repeated(weights: np.ndarray | None, n: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return which samples to learn, and their weights where repetition does not say all.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._samples import repeated
    >>> repeated(np.array([1.0, 0.0, 2.0]), 3)
    (array([0, 2, 2]), None)
    >>> repeated(np.array([0.5, 0.0, 2.0]), 3)
    (array([0, 2]), array([0.5, 2. ]))
    """
    if weights is None:
        return np.arange(n), None
    if (weights == np.floor(weights)).all() and weights.sum() <= _MOST_REPEATED * n:
        return np.repeat(np.arange(n), weights.astype(int)), None
    kept = np.flatnonzero(weights)
    some = weights[kept]
    return kept, None if (some == some[0]).all() else some

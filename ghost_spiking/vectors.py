"""Sizes of arrays, and angles between them, taken as single vectors."""

from __future__ import annotations

import numpy as np

__all__ = ["angle", "norm", "ratio", "size"]


def norm(values: np.ndarray) -> float:
    """Euclidean, or Frobenius, norm."""
    return float(np.linalg.norm(values))


def size(values: np.ndarray) -> float:
    """Root mean square over images of the norm over units."""
    return norm(values) / len(values) ** 0.5


def ratio(a: np.ndarray, b: np.ndarray) -> float:
    """Norm of one over that of the other; nan if that is zero."""
    return norm(a) / norm(b) if norm(b) else float("nan")


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Angle in degrees; nan if one of them is zero."""
    product = norm(a) * norm(b)
    if not product:
        return float("nan")
    return float(np.degrees(np.arccos(np.clip(np.vdot(a, b) / product, -1, 1))))

"""What may be presented to a network, and in which type it is stored: values are never changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .exceptions import DataError

__all__ = [
    "STORED",
    "check_images",
    "check_labels",
    "check_order",
    "stored_type",
    "targets_of",
    "type_to_build_for",
]

#: Types in which pixels are stored, from the narrowest to the widest.
STORED = tuple(np.dtype(name) for name in ("uint8", "float32", "float64"))
#: Up to here, float32 holds all whole numbers.
_WHOLE = 2**24


def check_images(
    images: Any, maximum: Any, n_inputs: int, precision: np.dtype
) -> tuple[np.ndarray, float]:
    """Return images as an array, and the pixel value that means a rate of 1."""
    images = np.asarray(images)
    if images.ndim != 2 or images.shape[1] != n_inputs:
        raise DataError(
            f"images have the shape {images.shape}, but the network has {n_inputs} inputs"
        )
    if images.dtype.kind not in "buif":
        raise DataError(
            f"images have the type {images.dtype}, but pixels need to be numbers, such as uint8 "
            "or float32"
        )
    if len(images) == 0:
        raise DataError("there are no images to present")
    try:
        maximum = float(maximum)
    except (TypeError, ValueError):
        raise DataError(f"maximum needs to be a number, got {maximum!r}") from None
    lowest, highest = float(images.min()), float(images.max())
    if not np.isfinite([lowest, highest]).all():
        raise DataError("images contain values that are not finite")
    smallest, largest = float(np.finfo(precision).tiny), float(np.finfo(precision).max)
    scale = 1 / maximum if maximum else np.inf
    if not smallest <= scale <= largest:
        raise DataError(
            "maximum, the pixel value that means a rate of 1, needs to be positive and within "
            f"{precision}, got {maximum:g}"
        )
    if max(-lowest, highest) * scale > largest:
        raise DataError(
            f"images go from {lowest:g} to {highest:g}, too far beyond maximum = {maximum:g}"
        )
    return images, maximum


def check_labels(labels: Any, n_images: int, n_outputs: int) -> np.ndarray:
    """Return labels as an array: a class for each image, or a target for each output unit."""
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return _check_targets(labels, n_images, n_outputs)
    if labels.shape != (n_images,):
        count = len(labels) if labels.ndim == 1 else f"an array of shape {labels.shape} as"
        raise DataError(f"{n_images} images, but {count} labels")
    if labels.dtype.kind not in "buif" or (labels != np.floor(labels)).any():
        raise DataError(
            f"labels need to be whole numbers, got {labels.dtype}; targets that are none need the "
            "shape (n_images, n_outputs)"
        )
    if labels.min() < 0 or labels.max() >= n_outputs:
        raise DataError(
            f"labels go from {labels.min()} to {labels.max()}, but the network has {n_outputs} "
            f"outputs, for classes from 0 to {n_outputs - 1}"
        )
    return labels


def _check_targets(targets: np.ndarray, n_images: int, n_outputs: int) -> np.ndarray:
    if targets.shape != (n_images, n_outputs):
        raise DataError(
            f"targets have the shape {targets.shape}, where {n_images} images and {n_outputs} "
            f"outputs need {(n_images, n_outputs)}"
        )
    if targets.dtype.kind not in "buif":
        raise DataError(f"targets need to be numbers, got {targets.dtype}")
    if not np.isfinite(targets).all():
        raise DataError("targets contain values that are not finite")
    return targets


def targets_of(labels: np.ndarray, n_outputs: int) -> np.ndarray:
    """Return what output units are nudged to, shape (n_images, n_outputs).

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._pixels import targets_of
    >>> targets_of(np.array([1, 0]), 2)
    array([[0, 1],
           [1, 0]], dtype=uint8)
    """
    if labels.ndim == 1:
        labels = labels[:, None] == np.arange(n_outputs)
    if labels.dtype == bool:
        return labels.astype(np.uint8)
    return labels.astype(np.float64, copy=False)


def check_order(order: Any, n_images: int) -> np.ndarray:
    """Return the order of presentations as an array; by default all images in turn."""
    if order is None:
        return np.arange(n_images)
    order = np.asarray(order)
    if order.ndim != 1 or order.dtype.kind not in "ui" or len(order) == 0:
        raise DataError(
            "order needs to be a list of numbers of images, not empty, got an array of type "
            f"{order.dtype} and shape {order.shape}"
        )
    if order.min() < 0 or order.max() >= n_images:
        raise DataError(
            f"order goes from {order.min()} to {order.max()}, but there are {n_images} images, "
            f"from 0 to {n_images - 1}"
        )
    return order


def stored_type(images: np.ndarray) -> np.dtype:
    """Return the narrowest type that holds all pixels as they are."""
    if images.dtype.kind in "ui":
        lowest, highest = int(images.min()), int(images.max())
        if lowest >= 0 and highest <= 255:
            return STORED[0]
        return STORED[1] if max(-lowest, highest) <= _WHOLE else STORED[2]
    # A long double is cut off to double precision, in which all is computed at best.
    return next((kind for kind in STORED if np.can_cast(images.dtype, kind)), STORED[-1])


def type_to_build_for(given: Any) -> np.dtype | None:
    """Return the stored type for pixels of some type, or None if that depends on their values."""
    if given is None:
        return None
    try:
        dtype = np.dtype(given)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "buif":
        raise ValueError(
            "Simulation.data_dtype: needs to be a type of numbers, such as 'uint8' or 'float32', "
            f"or None, got {given!r}"
        )
    if dtype.kind in "ui" and dtype != np.uint8:
        return None
    return next((kind for kind in STORED if np.can_cast(dtype, kind)), STORED[-1])

"""`Dataset`: images with labels, and what tells later whether they are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from .._checks import Count, Positive, Whole, check
from ..exceptions import DataError

__all__ = ["Dataset", "Fingerprint"]


@dataclass(frozen=True)
class Fingerprint:
    """What tells whether images and labels are still the same.

    Attributes
    ----------
    images, labels : str
        Hashes of their values.
    n_images : int
        Number of images.
    image_shape, maximum, n_classes
        As in `Dataset`.
    dtype : str
        Type of the pixels.
    classes : tuple of int or str
        As in `Dataset`; empty if they are just the numbers from 0.

    Examples
    --------
    >>> from ghost_spiking.datasets import load
    >>> training, test = load("digits")
    >>> noted = test.fingerprint
    >>> noted.n_images, noted.dtype, noted == load("digits")[1].fingerprint
    (360, 'uint8', True)
    """

    images: str
    labels: str
    n_images: int
    image_shape: tuple[int, ...]
    maximum: float
    n_classes: int
    dtype: str
    classes: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Images with their classes, or with targets.

    Attributes
    ----------
    name : str
        Where they come from.
    images : array, shape (n_images, n_features)
        Pixels, uint8 or floating.
    labels : array of int64, shape (n_images,)
        Number of the class of each image, from 0. Or targets, shape (n_images, n_classes), that
        the output units are nudged to: of type bool if several of the classes may be right, any
        other type for numbers that are to be predicted.
    maximum : float
        The pixel value that means an intensity of 1.
    image_shape : tuple of int
        Shape of one image.
    n_classes : int
        Number of classes, or of targets.
    files : tuple of str
        The files of images and of labels; empty if they come from elsewhere.
    classes : tuple of int or str
        What the classes are called where they come from, such as labels that begin with 1; by
        default the numbers from 0.

    Raises
    ------
    DataError
        If any of these does not fit the others.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.datasets import Dataset
    >>> images = np.array([[0, 80, 160, 240], [240, 160, 80, 0]], dtype=np.uint8)
    >>> dataset = Dataset("ramps", images, np.array([0, 1]), 255.0, (2, 2), 2)
    >>> len(dataset), dataset.n_features, len(dataset.take(1))
    (2, 4, 1)
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    maximum: float
    image_shape: tuple[int, ...]
    n_classes: int
    files: tuple[str, ...] = ()
    classes: tuple[int | str, ...] = ()

    def __post_init__(self) -> None:
        for field, kind in (("maximum", Positive), ("n_classes", Count)):
            value = check(f"{self.name}: {field}", getattr(self, field), kind, DataError)
            object.__setattr__(self, field, value)
        names = tuple(self.classes) or tuple(range(self.n_classes))
        object.__setattr__(self, "classes", names)
        if len(names) != self.n_classes or len(set(names)) < len(names):
            raise DataError(
                f"{self.name}: classes: needs a name for each of {self.n_classes} classes, all "
                f"different, got {list(names)}"
            )
        n_features = int(np.prod(self.image_shape))
        if self.images.ndim != 2 or self.images.shape[1] != n_features or not len(self.images):
            raise DataError(
                f"{self.name}: images must have the shape (n_images, {n_features}) with at least "
                f"one image, got {self.images.shape}"
            )
        if self.labels.shape not in ((len(self.images),), (len(self.images), self.n_classes)):
            raise DataError(
                f"{self.name}: {len(self.images)} images, but labels of shape {self.labels.shape}"
            )
        if self.labels.ndim == 2:
            if self.labels.dtype.kind not in "buif" or not np.isfinite(self.labels).all():
                raise DataError(f"{self.name}: targets need to be finite numbers")
        elif self.labels.min() < 0 or self.labels.max() >= self.n_classes:
            raise DataError(
                f"{self.name}: labels must lie between 0 and {self.n_classes - 1}, "
                f"got {self.labels.min()} to {self.labels.max()}"
            )
        if self.images.dtype.kind == "f" and not np.isfinite(self.images).all():
            raise DataError(f"{self.name}: images contain values that are not finite")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_features(self) -> int:
        """Number of pixels of an image."""
        return self.images.shape[1]

    @property
    def fingerprint(self) -> Fingerprint:
        """What tells later whether these are the same images and labels."""
        return Fingerprint(
            _hash_of(self.images),
            _hash_of(self.labels),
            len(self),
            tuple(int(size) for size in self.image_shape),
            float(self.maximum),
            int(self.n_classes),
            self.images.dtype.name,
            () if self.classes == tuple(range(self.n_classes)) else self.classes,
        )

    def changes_since(self, noted: Fingerprint) -> list[str]:
        """Return what is not as it was noted, in words; a file is named.

        Examples
        --------
        >>> from ghost_spiking.datasets import load
        >>> training, test = load("digits")
        >>> test.take(300).changes_since(test.fingerprint)
        ['images', 'labels', 'n_images (360, now 300)']
        """
        now, files = self.fingerprint, dict(zip(("images", "labels"), self.files, strict=False))
        changes = []
        for name in (field.name for field in fields(Fingerprint)):
            old, new = getattr(noted, name), getattr(now, name)
            if old != new and name in ("images", "labels"):
                changes.append(f"{name} in '{files[name]}'" if name in files else name)
            elif old != new:
                changes.append(f"{name} ({old}, now {new})")
        return changes

    def take(self, which: int | np.ndarray) -> Dataset:
        """Return the first images, or those with the given indices.

        Parameters
        ----------
        which : int or array of int or bool
            How many of the first; or the indices of some; or for each image whether to take it.

        Raises
        ------
        DataError
            There are no such images.
        """
        chosen = np.asarray(which)
        if chosen.ndim == 0:
            number = check(f"{self.name}: which", which, Count, DataError)
            if number > len(self):
                raise DataError(f"{self.name}: has {len(self)} images, {number} were asked for")
            chosen = np.arange(number)
        if chosen.dtype.kind not in "iub" or chosen.ndim != 1:
            raise DataError(f"{self.name}: which: needs a number or indices, got {which!r}")
        try:
            return replace(self, images=self.images[chosen], labels=self.labels[chosen])
        except IndexError as error:
            raise DataError(f"{self.name}: which: {error}") from None

    def with_classes(self, classes: Sequence[int | str]) -> Dataset:
        """Return the same images, with labels that number these classes by their names.

        Parameters
        ----------
        classes : sequence of int or str
            All classes, in the order of the outputs of a network, for instance.

        Raises
        ------
        DataError
            Some image is of none of them.

        Examples
        --------
        >>> import numpy as np
        >>> from ghost_spiking.datasets import Dataset
        >>> few = Dataset("few", np.zeros((2, 1)), np.array([0, 1]), 1.0, (1,), 2, classes=(3, 7))
        >>> few.with_classes(range(10)).labels
        array([3, 7])
        """
        names = tuple(classes)
        if self.labels.ndim == 2:
            raise DataError(f"{self.name}: has targets, whose order is that of the outputs")
        known = {name: number for number, name in enumerate(names)}
        used = np.unique(self.labels)
        unknown = [self.classes[k] for k in used if self.classes[k] not in known]
        if unknown:
            raise DataError(
                f"{self.name}: has labels {unknown}, which are none of the classes {list(names)}"
            )
        numbers = np.array([known.get(name, -1) for name in self.classes], np.int64)
        labels = numbers[self.labels]
        return replace(self, labels=labels, n_classes=len(names), classes=names)

    def split(self, n_held_out: int, seed: int) -> tuple[Dataset, Dataset]:
        """Return two random parts: all but `n_held_out` images, and those held out."""
        n_held_out = check(f"{self.name}: n_held_out", n_held_out, Count, DataError)
        seed = check(f"{self.name}: seed", seed, Whole, DataError)
        if n_held_out >= len(self):
            raise DataError(
                f"{self.name}: has {len(self)} images, {n_held_out} can't be held out of them"
            )
        order = np.random.default_rng(seed).permutation(len(self))
        return self.take(order[n_held_out:]), self.take(order[:n_held_out])


def _hash_of(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()[:32]

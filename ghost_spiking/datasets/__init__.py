"""Images with labels: the packaged MNIST, scikit-learn's digits, or a folder of IDX files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, fields, replace
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path

import numpy as np

from .._checks import Count, Positive, Whole, check
from ..exceptions import DataError
from ._idx import find_idx, read_idx

__all__ = ["Dataset", "Fingerprint", "load", "place_of", "read_idx"]

#: Images that need no folder.
NAMES = ("mnist", "digits")

#: MD5 sums of the unpacked MNIST files, as published.
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


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


@dataclass(frozen=True)
class Dataset:
    """Images with their classes.

    Attributes
    ----------
    name : str
        Where they come from.
    images : array, shape (n_images, n_features)
        Pixels, uint8 or floating.
    labels : array of int64, shape (n_images,)
        Classes from 0.
    maximum : float
        The pixel value that means an intensity of 1.
    image_shape : tuple of int
        Shape of one image.
    n_classes : int
        Number of classes.
    files : tuple of str
        The files of images and of labels; empty if they come from elsewhere.

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

    def __post_init__(self) -> None:
        for field, kind in (("maximum", Positive), ("n_classes", Count)):
            value = check(f"{self.name}: {field}", getattr(self, field), kind, DataError)
            object.__setattr__(self, field, value)
        n_features = int(np.prod(self.image_shape))
        if self.images.ndim != 2 or self.images.shape[1] != n_features or not len(self.images):
            raise DataError(
                f"{self.name}: images must have the shape (n_images, {n_features}) with at least "
                f"one image, got {self.images.shape}"
            )
        if self.labels.shape != (len(self.images),):
            raise DataError(
                f"{self.name}: {len(self.images)} images, but labels of shape {self.labels.shape}"
            )
        if self.labels.min() < 0 or self.labels.max() >= self.n_classes:
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


def load(name_or_folder: str | os.PathLike[str]) -> tuple[Dataset, Dataset]:
    """Load training and test images.

    Parameters
    ----------
    name_or_folder : str or path
        ``"mnist"``, ``"digits"``, or a folder with four IDX files named as those of MNIST, of
        any image size, compressed with gzip or not.

    Returns
    -------
    training, test : Dataset
        The two parts.

    Raises
    ------
    DataError
        A file is missing, damaged or not what its name says; the message names it.

    Examples
    --------
    >>> from ghost_spiking.datasets import load
    >>> training, test = load("digits")
    >>> training.images.shape, test.images.shape
    ((1437, 64), (360, 64))
    """
    if name_or_folder == "digits":
        return _load_digits()
    if name_or_folder == "mnist":
        with as_file(resources(__package__) / "mnist") as folder:
            return _load_folder(folder, "mnist", MNIST_MD5)
    try:
        folder = Path(name_or_folder).expanduser()
        if not folder.is_dir():
            raise DataError(
                f"'{name_or_folder}' is neither a folder with IDX files nor one of 'mnist', "
                "'digits'"
            )
        return _load_folder(folder, folder.resolve().name, {})
    except (OSError, RuntimeError) as error:  # RuntimeError: ~ of a user who does not exist
        raise DataError(f"'{name_or_folder}' can't be read: {error}") from None


def place_of(name_or_folder: str | os.PathLike[str]) -> str:
    """Return what `load` takes from any working directory: a name, or the absolute path.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ghost_spiking.datasets import place_of
    >>> place_of("mnist"), place_of("images") == str(Path.cwd() / "images")
    ('mnist', True)
    """
    if name_or_folder in NAMES:
        return str(name_or_folder)
    # Links are kept: where they point to may be moved, and they with it.
    return str(Path(name_or_folder).expanduser().absolute())


def _load_folder(folder: Path, name: str, sums: dict[str, str]) -> tuple[Dataset, Dataset]:
    parts, paths = {}, {}
    for part in ("train", "t10k"):
        for kind, n_dimensions in (("images", 3), ("labels", 1)):
            stem = f"{part}-{kind}-idx{n_dimensions}-ubyte"
            path = find_idx(folder, stem)
            values, digest = read_idx(path), sums.get(stem)
            if values.dtype != np.uint8 or values.ndim != n_dimensions:
                raise DataError(
                    f"{path}: expected {kind}, {n_dimensions}-dimensional unsigned bytes, "
                    f"found {values.ndim}-dimensional {values.dtype}"
                )
            if digest and hashlib.md5(_header_of(values) + values.tobytes()).hexdigest() != digest:
                raise DataError(f"{path}: is not the published file, its MD5 sum is not {digest}")
            parts[part, kind], paths[part, kind] = values, str(path)
        n_images, n_labels = len(parts[part, "images"]), len(parts[part, "labels"])
        if n_images != n_labels:
            raise DataError(f"{folder}: {n_images} {part} images, but {n_labels} {part} labels")
    shapes = {parts[part, "images"].shape[1:] for part in ("train", "t10k")}
    if len(shapes) != 1:
        raise DataError(f"{folder}: training and test images have different sizes: {shapes}")
    n_classes = 1 + max(int(parts[part, "labels"].max(initial=0)) for part in ("train", "t10k"))
    (shape,) = shapes
    training, test = (
        _dataset(
            name,
            parts[part, "images"],
            parts[part, "labels"],
            255,
            shape,
            n_classes,
            (paths[part, "images"], paths[part, "labels"]),
        )
        for part in ("train", "t10k")
    )
    return training, test


def _load_digits() -> tuple[Dataset, Dataset]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        bunch.images.astype(np.uint8),
        bunch.target,
        test_size=360,
        random_state=0,
        stratify=bunch.target,
    )
    return (
        _dataset("digits", train_x, train_y, 16, (8, 8), 10),
        _dataset("digits", test_x, test_y, 16, (8, 8), 10),
    )


def _dataset(
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    maximum: float,
    shape: tuple[int, ...],
    n_classes: int,
    files: tuple[str, ...] = (),
) -> Dataset:
    flat = images.reshape(len(images), -1)
    return Dataset(name, flat, labels.astype(np.int64), maximum, tuple(shape), n_classes, files)


def _hash_of(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()[:32]


def _header_of(values: np.ndarray) -> bytes:
    sizes = np.asarray(values.shape, dtype=">i4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes

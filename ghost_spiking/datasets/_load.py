"""Where data sets come from."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Mapping
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path

import numpy as np

from ..exceptions import DataError
from ._dataset import Dataset
from ._idx import find_idx, prefixes, read_idx
from ._pictures import SUFFIXES, find_pictures, flat_images, read_array, read_pictures

__all__ = ["MNIST_MD5", "NAMES", "is_there", "load", "place_of"]

#: Images that need no folder.
NAMES = ("mnist", "digits")

#: MD5 sums of the unpacked MNIST files, as published.
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
#: How files of IDX name the two parts.
_PARTS = (("train",), ("t10k", "test"))
#: How archives of arrays name training images and labels, test images and labels.
_ARRAYS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
#: Folders beside those that are not read.
_VALIDATION = ("val", "valid", "validation")
#: Without a folder of test pictures, one of so many pictures of each class is one.
_EVERY = 5


def load(name_or_place: str | os.PathLike[str]) -> tuple[Dataset, Dataset]:
    """Load training and test images.

    Parameters
    ----------
    name_or_place : str or path
        ``"mnist"``, ``"digits"``, or where files are:

        * a folder with four IDX files, named as those of MNIST, of any image size and type of
          numbers, compressed with gzip or not. Those of EMNIST may be named by what their names
          begin with, ``FOLDER/emnist-letters``; their images are turned upright;
        * an ``.npz`` file with the arrays ``x_train``, ``y_train``, ``x_test``, ``y_test`` (in any
          case) or ``train_images``, ``train_labels``, ``test_images``, ``test_labels``; or a folder
          with such ``.npy`` files. An array ``maximum`` says which value is an intensity of 1;
          otherwise it is 255 for bytes, and the largest magnitude of the training images for other
          numbers that go beyond 1;
        * a folder with the folders ``train`` and ``test`` (``val`` is not read), in each of them a
          folder of pictures for each class; or the folders of the classes alone: then every fifth
          picture of each, by name, is a test image.

    Returns
    -------
    training, test : Dataset
        The two parts. Labels that are not the numbers from 0, but begin with 1, have gaps, or are
        words, are kept as `Dataset.classes`.

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
    if name_or_place == "digits":
        return _load_digits()
    if name_or_place == "mnist":
        with as_file(resources(__package__) / "mnist") as folder:
            return _load_idx(folder, "", "mnist", MNIST_MD5)
    try:
        return _load_files(Path(name_or_place).expanduser())
    except (OSError, RuntimeError) as error:  # RuntimeError: ~ of a user who does not exist
        raise DataError(f"'{os.fspath(name_or_place)}' can't be read: {error}") from None


def _load_files(place: Path) -> tuple[Dataset, Dataset]:
    name = place.resolve().name
    if place.is_file():
        if place.suffix.lower() != ".npz":
            raise DataError(
                f"'{place}': a data set in one file is an .npz with the arrays "
                f"{', '.join(_ARRAYS[0])}"
            )
        return _load_arrays(place, place.stem, _read_npz(place), {})
    if not place.is_dir():
        if _is_prefix(place):
            return _load_idx(place.parent, f"{place.name}-", place.name, {})
        raise DataError(
            f"'{place}' is neither a folder with IDX files, arrays or pictures, nor an .npz file, "
            "nor one of 'mnist', 'digits'"
        )
    arrays = {path.stem: path for path in sorted(place.glob("*.npy"))}
    found = prefixes(place)
    if not found and arrays:
        named = {stem: str(path) for stem, path in arrays.items()}
        values = {stem: read_array(path) for stem, path in arrays.items()}
        return _load_arrays(place, name, values, named)
    if not found and _classes_in(place):
        return _load_pictures(place, name)
    if len(found) > 1 and "" not in found:
        choices = ", ".join(f"'{place / prefix.rstrip('-')}'" for prefix in found)
        raise DataError(f"'{place}' has several data sets; name one of {choices}")
    return _load_idx(place, "" if not found or "" in found else found[0], name, {})


def _is_prefix(place: Path) -> bool:
    return place.parent.is_dir() and f"{place.name}-" in prefixes(place.parent)


def is_there(place: str) -> bool:
    """Tell whether `load` finds anything there.

    Examples
    --------
    >>> from ghost_spiking.datasets import is_there
    >>> is_there("mnist"), is_there("/nowhere")
    (True, False)
    """
    try:
        path = Path(place).expanduser()
        return place in NAMES or path.exists() or _is_prefix(path)
    except (OSError, RuntimeError):
        return False


def place_of(name_or_place: str | os.PathLike[str]) -> str:
    """Return what `load` takes from any working directory: a name, or the absolute path.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ghost_spiking.datasets import place_of
    >>> place_of("mnist"), place_of("images") == str(Path.cwd() / "images")
    ('mnist', True)
    """
    if name_or_place in NAMES:
        return str(name_or_place)
    # Links are kept: where they point to may be moved, and they with it.
    return str(Path(name_or_place).expanduser().absolute())


# -- kinds of files -------------------------------------------------------------------


def _load_idx(
    folder: Path, prefix: str, name: str, sums: Mapping[str, str]
) -> tuple[Dataset, Dataset]:
    arrays: list[np.ndarray] = []
    files: list[str] = []
    for parts in _PARTS:
        for kind, n_dimensions in (("images", 3), ("labels", 1)):
            path = find_idx(folder, prefix, parts, kind, n_dimensions)
            values, digest = read_idx(path), sums.get(f"{parts[0]}-{kind}-idx{n_dimensions}-ubyte")
            if digest and hashlib.md5(_header_of(values) + values.tobytes()).hexdigest() != digest:
                raise DataError(f"{path}: is not the published file, its MD5 sum is not {digest}")
            if values.ndim != n_dimensions and not (kind == "images" and values.ndim == 4):
                raise DataError(
                    f"{path}: expected {kind}, {n_dimensions}-dimensional, "
                    f"found {values.ndim}-dimensional {values.dtype}"
                )
            if kind == "images" and prefix.startswith("emnist-"):
                values = values.swapaxes(1, 2)  # its published files have lines for columns
            arrays.append(values)
            files.append(str(path))
    x, y, test_x, test_y = arrays
    return _datasets(name, x, y, test_x, test_y, files=((files[0], files[1]), (files[2], files[3])))


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        # numpy leaves a damaged file open that it has opened itself
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"'{path}': can't be read: {reason}") from None


def _load_arrays(
    place: Path, name: str, arrays: Mapping[str, np.ndarray], files: Mapping[str, str]
) -> tuple[Dataset, Dataset]:
    known = {stem.lower(): stem for stem in arrays}
    names = next((names for names in _ARRAYS if set(names) <= set(known)), None)
    if names is None:
        choices = ", or ".join(", ".join(names) for names in _ARRAYS)
        raise DataError(f"'{place}': needs the arrays {choices}; has {', '.join(arrays) or 'none'}")
    x, y, test_x, test_y = (arrays[known[name]] for name in names)
    places = [files.get(known[name], str(place)) for name in names]
    maximum = arrays.get(known.get("maximum", ""))
    if maximum is not None and (maximum.size != 1 or maximum.dtype.kind not in "uif"):
        raise DataError(f"'{place}': maximum: needs to be one number, got {maximum!r}")
    return _datasets(
        name,
        x,
        y,
        test_x,
        test_y,
        files=((places[0], places[1]), (places[2], places[3])),
        maximum=None if maximum is None else float(maximum.reshape(())),
    )


def _classes_in(folder: Path) -> list[str]:
    """Return the folders in it that have pictures."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and any(file.suffix.lower() in SUFFIXES for file in path.rglob("*"))
    )


def _load_pictures(folder: Path, name: str) -> tuple[Dataset, Dataset]:
    parts: list[list[tuple[str, Path]]] = [[], []]
    found = set(_classes_in(folder))
    if "train" in found and found <= {"train", "test", *_VALIDATION}:
        if "test" not in found:
            raise DataError(f"'{folder}': has a folder train, and needs a folder test beside it")
        for part, pairs in zip(("train", "test"), parts, strict=True):
            for label in _classes_in(folder / part):
                pairs += [(label, path) for path in find_pictures(folder / part / label)]
            if not pairs:
                raise DataError(f"'{folder / part}': needs a folder of pictures for each class")
    else:
        for label in _classes_in(folder):
            for number, path in enumerate(find_pictures(folder / label), start=1):
                parts[number % _EVERY == 0].append((label, path))
        if not parts[1]:
            raise DataError(
                f"'{folder}': has fewer than {_EVERY} pictures of each class, too few to keep some "
                "as test images"
            )
    pictures, maximum = read_pictures([path for pairs in parts for _, path in pairs])
    words = [np.array([label for label, _ in pairs]) for pairs in parts]
    # folders named by numbers are numbers
    if all(label.isdecimal() and str(int(label)) == label for part in words for label in part):
        words = [part.astype(np.int64) for part in words]
    n_training = len(parts[0])
    return _datasets(
        name,
        pictures[:n_training],
        words[0],
        pictures[n_training:],
        words[1],
        files=((str(folder), str(folder)),) * 2,
        maximum=maximum,
    )


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
    return _datasets("digits", train_x, train_y, test_x, test_y, maximum=16.0)


# -- from arrays to data sets ---------------------------------------------------------


def _datasets(
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    *,
    files: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
    maximum: float | None = None,
) -> tuple[Dataset, Dataset]:
    where = [pair or (f"{name}: images", f"{name}: labels") for pair in files]
    x, shape = flat_images(where[0][0], images)
    test_x, test_shape = flat_images(where[1][0], test_images)
    if shape != test_shape:
        raise DataError(
            f"{name}: training and test images have different sizes: {shape}, {test_shape}"
        )
    y, test_y = (
        _whole(path, values) for (_, path), values in zip(where, (labels, test_labels), strict=True)
    )
    for part, one, other in (("train", x, y), ("test", test_x, test_y)):
        if len(one) != len(other):
            raise DataError(f"{name}: {len(one)} {part} images, but {len(other)} {part} labels")
    if y.dtype.kind != test_y.dtype.kind:
        raise DataError(f"{name}: training labels are {y.dtype}, test labels {test_y.dtype}")
    classes = np.unique(np.concatenate([y, test_y]))
    unseen = np.setdiff1d(test_y, y).tolist()
    if unseen:
        raise DataError(f"{name}: test images have labels {unseen}, training images have none such")
    if maximum is None:
        maximum = 255.0 if x.dtype == np.uint8 else _largest(x)
    training, test = (
        Dataset(
            name,
            part_x,
            np.searchsorted(classes, part_y).astype(np.int64),
            maximum,
            shape,
            len(classes),
            paths,
            tuple(classes.tolist()),
        )
        for part_x, part_y, paths in ((x, y, files[0]), (test_x, test_y, files[1]))
    )
    return training, test


def _largest(images: np.ndarray) -> float:
    largest = max(1.0, abs(float(images.min())), abs(float(images.max())))
    return largest if np.isfinite(largest) else 1.0  # refused with the images


def _whole(name: str, labels: np.ndarray) -> np.ndarray:
    """Return labels as whole numbers or words, shape (n_images,)."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(
            f"{name}: needs one label for each image, got an array of shape {labels.shape}"
            + ("; if each line has a 1 at its class, argmax(axis=1) is it" * (labels.ndim == 2))
        )
    if labels.dtype.kind == "f" and (labels == np.floor(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biuU":
        raise DataError(f"{name}: labels need to be whole numbers or words, got {labels.dtype}")
    return labels if labels.dtype.kind == "U" else labels.astype(np.int64)


def _header_of(values: np.ndarray) -> bytes:
    sizes = np.asarray(values.shape, dtype=">i4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes

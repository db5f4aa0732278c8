"""Pictures and arrays that people have, as images for a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..exceptions import DataError

__all__ = ["find_pictures", "flat_images", "read_array", "read_pictures"]

#: What is taken for a picture in a folder.
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".pbm")


def find_pictures(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the pictures in a folder and the folders in it, by name.

    Hidden files, which begin with a dot, are none.

    Raises
    ------
    DataError
        There are no pictures.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from ghost_spiking.datasets import find_pictures
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("L", (8, 8)).save(folder / "empty.png")
    >>> [path.name for path in find_pictures(folder)]
    ['empty.png']
    """
    folder = Path(folder)
    found = sorted(path for path in folder.rglob("*") if _is_picture(path, folder))
    if not found:
        raise DataError(f"'{folder}': has no pictures, looked for {', '.join(SUFFIXES)}")
    return found


def _is_picture(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in SUFFIXES and path.is_file()


def read_pictures(
    paths: Sequence[str | os.PathLike[str]],
    image_shape: tuple[int, ...] | None = None,
    *,
    resize: bool = False,
) -> tuple[np.ndarray, float]:
    """Read pictures in grey, all of one size.

    Parameters
    ----------
    paths : sequence of path
        Files of any format that Pillow reads. A file with three channels that are all the same is
        grey too; one with colours, or with transparent parts, is refused.
    image_shape : (int, int), optional
        Height and width that they must have; by default those of the first.
    resize : bool, optional
        Whether to bring pictures of another size to it, rather than to refuse them.

    Returns
    -------
    images : array, shape (n_images, height, width)
        Pixels; bytes if all pictures have such, otherwise intensities in float32.
    maximum : float
        The pixel value that means an intensity of 1, white.

    Raises
    ------
    DataError
        A file is missing, is no picture, or has another size or colours; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from ghost_spiking.datasets import read_pictures
    >>> path = Path(tempfile.mkdtemp()) / "white.png"
    >>> Image.new("L", (8, 6), 255).save(path)
    >>> images, maximum = read_pictures([path])
    >>> images.shape, float(images.max()), maximum
    ((1, 6, 8), 255.0, 255.0)
    """
    if not paths:
        raise DataError("there are no pictures to read")
    found = []
    for path in paths:
        pixels, maximum = _read(path)
        if image_shape is None:
            image_shape = pixels.shape
        if pixels.shape != tuple(image_shape):
            if not resize or len(image_shape) != 2:
                raise DataError(
                    f"'{os.fspath(path)}': has {_size(pixels.shape)} pixels, needs "
                    f"{_size(image_shape)}"
                )
            height, width = image_shape
            grey = Image.fromarray((pixels / maximum).astype(np.float32))
            pixels = np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))
            maximum = 1.0
        found.append((pixels, maximum))
    if all(maximum == 255 for _, maximum in found):
        return np.stack([pixels for pixels, _ in found]), 255.0
    return np.stack([(pixels / maximum).astype(np.float32) for pixels, maximum in found]), 1.0


def _size(shape: Sequence[int]) -> str:
    """Write height and width as people do who say the width first."""
    return " x ".join(map(str, reversed(shape)))


def _read(path: str | os.PathLike[str]) -> tuple[np.ndarray, float]:
    """Return the pixels of a picture in grey, and the value of white."""
    name = os.fspath(path)
    try:
        with Image.open(path) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                raise DataError(f"'{name}': has several frames; save one of them")
            image = ImageOps.exif_transpose(opened)
            if image.mode == "P":
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            image = image.convert("L") if image.mode == "1" else image
            image.load()
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"'{name}': is too large a picture") from None
    except (OSError, ValueError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or "it is no picture, or damaged"
        raise DataError(f"'{name}': can't be read: {reason}") from None
    pixels = np.asarray(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and opened.format == "PNG"):
        return pixels, 65535.0
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise DataError(
            f"'{name}': its pixels are of the kind {image.mode}; save it in grey, with 8 or 16 bits"
        )
    if pixels.ndim == 3:
        if image.mode.endswith("A"):
            if (pixels[..., -1] != 255).any():
                raise DataError(f"'{name}': has transparent parts; save it without, and in grey")
            pixels = pixels[..., :-1]
        if (pixels != pixels[..., :1]).any():
            raise DataError(
                f"'{name}': has colours, in {pixels.shape[-1]} channels; networks here take "
                "one: save it in grey"
            )
        pixels = pixels[..., 0]
    return pixels, 255.0


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an array of images or labels from a file of numpy, ``.npy``.

    Raises
    ------
    DataError
        It can't be read, or has Python objects, which may contain code.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from ghost_spiking.datasets import read_array
    >>> path = Path(tempfile.mkdtemp()) / "images.npy"
    >>> np.save(path, np.zeros((5, 8, 8)))
    >>> read_array(path).shape
    (5, 8, 8)
    """
    try:
        with open(path, "rb") as file:
            return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"'{os.fspath(path)}': can't be read: {reason}") from None


def flat_images(name: str, images: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return images of any layout with one line for each, and the shape of one.

    Parameters
    ----------
    name : str
        What an error is to call them.
    images : array, shape (n_images, height, width) or (n_images, n_features)
        Numbers of any type; an axis for a single channel may come last, or second.

    Raises
    ------
    DataError
        They have several channels, or are no images at all.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.datasets import flat_images
    >>> flat, shape = flat_images("mine", np.zeros((5, 8, 6, 1)))
    >>> flat.shape, shape
    ((5, 48), (8, 6))
    """
    if images.dtype.kind not in "buif":
        raise DataError(f"{name}: pixels need to be numbers, got {images.dtype}")
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    elif images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim == 4:
        raise DataError(
            f"{name}: has the shape {images.shape}, images of several channels, such as colours; "
            "networks here take one channel: convert them to grey"
        )
    if images.ndim not in (2, 3) or not images.size:
        raise DataError(
            f"{name}: expected images, 3-dimensional or one line for each, found an array of shape "
            f"{images.shape}"
        )
    if images.dtype == bool:
        images = images.astype(np.uint8)
    return images.reshape(len(images), -1), images.shape[1:]

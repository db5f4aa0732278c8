"""The IDX file format of MNIST, read strictly."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from pathlib import Path

import numpy as np

from ..exceptions import DataError

__all__ = ["find_idx", "prefixes", "read_idx"]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: How names of files say the type.
_ENDINGS = ("ubyte", "byte", "short", "int", "float", "double")


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file, compressed with gzip or not.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    array
        Values in native byte order, in the shape that the file states.

    Raises
    ------
    DataError
        The file can't be read, is damaged or truncated, has bytes left over, or is not an IDX
        file. The message names the file, what was expected and what was found.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ghost_spiking.datasets import read_idx
    >>> path = Path(tempfile.mkdtemp()) / "labels"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    try:
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: can't be read: {error}") from None
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES or not data[3]:
        raise DataError(
            f"{path}: expected an IDX file, which starts with 00 00, a type from 08 to 0e and the "
            f"number of dimensions, found {data[:4].hex(' ') or 'an empty file'}"
        )
    dtype, n_dimensions = np.dtype(_TYPES[data[2]]), data[3]
    start = 4 + 4 * n_dimensions
    if len(data) < start:
        raise DataError(f"{path}: expected {start} bytes of header, found {len(data)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], dtype=">u4"))
    expected = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(data) != expected:
        raise DataError(
            f"{path}: expected {expected} bytes for an array of shape {shape}, found {len(data)}"
        )
    values = np.frombuffer(data, dtype=dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def prefixes(folder: Path) -> list[str]:
    """Return what stands before the names of MNIST's files, such as ``emnist-letters-``."""
    found = {
        name.group(1)
        for path in folder.iterdir()
        if (name := re.fullmatch(r"(.*?)train-images[-.]idx3-\w+(\.gz)?", path.name))
    }
    return sorted(found)


def find_idx(folder: Path, prefix: str, parts: tuple[str, ...], kind: str, dimensions: int) -> Path:
    """Find a file in a folder by the names under which it is commonly distributed."""
    stems = [f"{prefix}{part}-{kind}-idx{dimensions}" for part in parts]
    for stem in stems:
        for name in (stem, stem.replace("-idx", ".idx")):
            for ending in _ENDINGS:
                for path in (folder / f"{name}-{ending}", folder / f"{name}-{ending}.gz"):
                    if path.is_file():
                        return path
    looked = ", ".join(f"{stem}-ubyte, {stem}-ubyte.gz" for stem in stems)
    raise DataError(f"{folder}: no file {stems[0]}-ubyte, looked for {looked}")

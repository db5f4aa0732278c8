"""Temporary files of programs: where they go, what is shared, and what was left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ._exceptions import CompilationError

__all__ = ["DataStore", "folder_for_files", "folder_prefix", "remove_leftovers", "writing_to"]

#: A folder in memory. In others, creating the hundred files of a short run takes longer than it.
_MEMORY = Path("/dev/shm")
#: Bytes from which it is worthwhile to keep data, and words that are compared at once.
_LARGE, _WORDS = 2**20, 2**16
#: Data that are kept at once: images and targets to learn from, and others to test with.
_MOST = 4


class DataStore:
    """Data of several runs, which are written once for all of them.

    It is open within a ``with`` block. What is given again is compared with what was written, so
    data that have changed are written again.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.dense import DataStore
    >>> data = np.zeros((2000, 784), np.uint8)
    >>> with DataStore() as store:
    ...     first = store.file_of(data)
    ...     print(store.file_of(data.copy()) == first, store.file_of(data + 1) == first)
    True False
    >>> first.exists()
    False
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._files: dict[Path, np.ndarray] = {}

    def __enter__(self) -> DataStore:
        return self

    def __exit__(self, *error: object) -> None:
        self._files.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def file_of(self, data: np.ndarray) -> Path | None:
        """Return a file with these values, row by row; None if they are not worthwhile to keep."""
        if data.nbytes < _LARGE or data.nbytes % 8:
            return None
        words = data.reshape(-1).view(np.uint64)
        for path, written in self._files.items():
            if len(written) == len(words) and all(
                np.array_equal(words[first : first + _WORDS], written[first : first + _WORDS])
                for first in range(0, len(words), _WORDS)
            ):
                return path
        while len(self._files) >= _MOST:
            oldest = next(iter(self._files))
            del self._files[oldest]
            oldest.unlink()
        if self._folder is None:
            parent = folder_for_files(data.nbytes)
            with writing_to(parent, "TMPDIR"):
                self._folder = Path(tempfile.mkdtemp(prefix=folder_prefix(), dir=parent))
        path = next(
            path
            for number in itertools.count()
            if not (path := self._folder / f"{number}.data").exists()
        )
        with writing_to(self._folder, "TMPDIR"):
            data.tofile(path)
        self._files[path] = np.memmap(path, np.uint64, "r")
        return path


@contextlib.contextmanager
def writing_to(folder: Path, variable: str) -> Iterator[None]:
    """Say what to do about a folder that is full, or can't be written to."""
    try:
        yield
    except OSError as error:
        raise CompilationError(
            f"'{folder}' can't be written to ({error.strerror or error}); make room there, or name "
            f"another folder in the environment variable {variable}"
        ) from None


def folder_for_files(n_bytes: int = 0) -> Path:
    """Return where files of so many bytes go that nobody keeps: into memory, if there is room."""
    if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK | os.X_OK):
        with contextlib.suppress(OSError):
            if shutil.disk_usage(_MEMORY).free > 4 * n_bytes:
                return _MEMORY
    return Path(tempfile.gettempdir())


def folder_prefix() -> str:
    return f"ghost-spiking-{platform.node()}-{os.getpid()}-"


def remove_leftovers(parent: Path) -> None:
    """Remove temporary folders of processes that were killed."""
    for path in parent.glob(f"ghost-spiking-{platform.node()}-*-*"):
        try:
            os.kill(int(path.name.split("-")[-2]), 0)
        except (ProcessLookupError, ValueError):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        except OSError:  # it runs, but is not ours
            continue

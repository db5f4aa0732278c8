"""Run directories: everything that is needed to look at a training, or to go on with it.

The run itself is one file, ``run.npz``, which is replaced as a whole, so that it is complete at
any time, whatever happens. The other files repeat parts of it for people and programs:
``spec.toml``, ``history.csv`` and ``run.json``.
"""

from __future__ import annotations

import csv
import dataclasses
import errno
import io
import json
import os
import platform
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .datasets import Dataset
from .exceptions import RunError, SpecificationError
from .specification import Specification
from .training import Epoch, Training

__all__ = ["FORMAT", "Run", "checksum", "versions", "write_atomically"]

#: Version of the layout of a run. Runs of format 1 (version 0.1) can be read, but not resumed.
FORMAT = 2
_FILE = "run.npz"
#: What can go wrong when a file is not what it should be.
_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, MemoryError, zlib.error)
_WEIGHTS = "weights/"


@dataclass(frozen=True)
class Run:
    """A training on disk.

    Attributes
    ----------
    path : Path
        The directory.
    specification : Specification
        The network and its protocol.
    weights : dict of array
        By projection, in the paper's shapes.
    history : list of Epoch
        Epochs so far.
    facts : dict
        Data set, engine, seed, versions and results.
    presented : int
        Presentations (mini-batches) that the network has learned from.
    responses : array, shape (n_presented, n_classes)
        Responses in an epoch that was stopped before its end.

    Examples
    --------
    Look at a run:

    >>> from ghost_spiking.runs import Run
    >>> run = Run.load("runs/mnist-20261123-120000")  # doctest: +SKIP
    >>> run.weights["feedforward_1"].shape  # doctest: +SKIP
    (500, 784)
    """

    path: Path
    specification: Specification
    weights: dict[str, np.ndarray]
    history: list[Epoch]
    facts: dict[str, Any]
    presented: int = 0
    responses: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    @staticmethod
    def create(path: str | os.PathLike[str]) -> Path:
        """Make a new run directory.

        Raises
        ------
        RunError
            It exists already, or can't be made.
        """
        path = Path(path)
        try:
            path.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            raise RunError(
                f"the run directory '{path}' exists already; choose another one with --out, or "
                "go on with it with --resume"
            ) from None
        except OSError as error:
            raise RunError(f"the run directory '{path}' can't be made: {error}") from None
        return path

    @classmethod
    def of(cls, training: Training, path: Path, facts: dict[str, Any]) -> Run:
        """Take the state of a training."""
        simulation = training.simulation
        return cls(
            path,
            simulation.specification,
            simulation.weights,
            training.history,
            facts,
            simulation.presented,
            training.responses,
        )

    def restore(self, training: Training) -> None:
        """Bring a training to the state that was saved; it goes on as if never stopped.

        Parameters
        ----------
        training : Training
            Made with the same data and seed, for a simulation of this run's specification.

        Raises
        ------
        RunError
            The run was saved by a version that did not note all that is needed.
        """
        if self.presented < 0:
            raise RunError(
                f"'{self.path}' was saved by version 0.1, without what is needed to go on; it "
                "can be shown and evaluated"
            )
        simulation = training.simulation
        simulation.weights = {name: weight.copy() for name, weight in self.weights.items()}
        simulation.presented = self.presented
        training.history[:] = self.history
        training.responses = self.responses.copy()

    def save(self) -> None:
        """Replace what is on disk; if that fails, the last run that was saved is still there.

        Raises
        ------
        RunError
            The disk is full, or can't be written to.
        """
        facts = {"format": FORMAT, "versions": versions()} | self.facts
        text = {
            "facts": json.dumps(facts),
            "specification": self.specification.to_toml(),
            "history": json.dumps([dataclasses.asdict(epoch) for epoch in self.history]),
        }
        arrays = {_WEIGHTS + name: weight for name, weight in self.weights.items()}
        arrays |= {name: np.array(value) for name, value in text.items()}
        arrays |= {"presented": np.array(self.presented), "responses": self.responses}
        buffer = io.BytesIO()
        # numpy's annotations take every keyword for its own option allow_pickle
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        try:
            write_atomically(self.path / _FILE, buffer.getvalue())
            write_atomically(self.path / "spec.toml", text["specification"].encode())
            write_atomically(self.path / "history.csv", _table(self.history).encode())
            readable = json.dumps(facts, indent=2) + "\n"
            write_atomically(self.path / "run.json", readable.encode())
        except OSError as error:
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            kept = "what was saved before is still there; " if (self.path / _FILE).exists() else ""
            raise RunError(
                f"'{self.path}' can't be saved: {reason}; {kept}make room and use --resume"
            ) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Read a run directory; no code in it is ever executed.

        Raises
        ------
        RunError
            It is missing, damaged, written by a later version, or something else.
        """
        path = Path(path)
        if (path / "weights.npz").is_file() and not (path / _FILE).exists():
            return _load_format_1(path)
        if not (path / _FILE).is_file():
            raise RunError(f"'{path}' is not a run directory: it has no {_FILE}")
        try:
            # numpy leaves a damaged file open that it has opened itself
            with open(path / _FILE, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            facts = json.loads(str(arrays["facts"]))
            if facts["format"] != FORMAT:
                raise RunError(
                    f"'{path}' has the format {facts['format']}; this version reads up to {FORMAT}"
                )
            run = cls(
                path,
                Specification.from_toml(str(arrays["specification"])),
                {
                    name.removeprefix(_WEIGHTS): array
                    for name, array in arrays.items()
                    if name.startswith(_WEIGHTS)
                },
                [Epoch(**row) for row in json.loads(str(arrays["history"]))],
                facts,
                int(arrays["presented"]),
                arrays["responses"],
            )
        except (*_DAMAGE, zipfile.BadZipFile) as error:
            raise RunError(f"'{path / _FILE}' is damaged, or not a run: {error}") from None
        _check_weights(run)
        return run


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole: at any time, whatever happens, the old or the new one is there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ghost_spiking.runs import write_atomically
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> write_atomically(path, b"all of it")
    >>> path.read_text()
    'all of it'
    """
    temporary = path.with_name(path.name + ".part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def checksum(dataset: Dataset) -> str:
    """Give a number that tells whether a training would go on with the same images.

    Examples
    --------
    >>> from ghost_spiking.datasets import load
    >>> from ghost_spiking.runs import checksum
    >>> training, test = load("digits")
    >>> checksum(training) == checksum(test)
    False
    """
    content = zlib.crc32(dataset.images.tobytes())
    return f"{zlib.crc32(dataset.labels.tobytes(), content):08x}"


def _check_weights(run: Run) -> None:
    from .values import initial_weights

    expected = initial_weights(run.specification, seed=0)
    for name, weight in expected.items():
        found = run.weights.get(name)
        if found is None or found.shape != weight.shape or found.dtype.kind != "f":
            given = "nothing" if found is None else f"{found.dtype} of shape {found.shape}"
            raise RunError(
                f"'{run.path}' is damaged: its network needs weights '{name}' of shape "
                f"{weight.shape}, it has {given}"
            )
        if not np.isfinite(found).all():
            raise RunError(f"'{run.path}' is damaged: weights '{name}' are not all finite")


def _table(history: Sequence[Epoch]) -> str:
    rows = [dataclasses.asdict(epoch) for epoch in history]
    rows = [row | row.pop("measurements") for row in rows]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _load_format_1(path: Path) -> Run:
    try:
        facts = json.loads((path / "run.json").read_text())
        with np.load(path / "weights.npz", allow_pickle=False) as archive:
            weights = {name: archive[name] for name in archive.files}
        with open(path / "history.csv", newline="") as file:
            history = [
                Epoch(
                    epoch=int(row["epoch"]),
                    online_accuracy=float(row["online_accuracy"]),
                    online_loss=float("nan"),
                    test_accuracy=float(row["test_accuracy"]),
                    test_loss=float("nan"),
                    seconds=float(row["seconds"]),
                )
                for row in csv.DictReader(file)
            ]
        specification = Specification.load(path / "spec.toml")
        run = Run(path, specification, weights, history, dict(facts), presented=-1)
    except (*_DAMAGE, zipfile.BadZipFile, SpecificationError) as error:
        raise RunError(f"'{path}' is damaged: {error}") from None
    _check_weights(run)
    return run


def versions() -> dict[str, str]:
    """Give the versions of what numbers depend on.

    Examples
    --------
    >>> from ghost_spiking.runs import versions
    >>> sorted(versions())
    ['brian2', 'ghost-spiking', 'numpy', 'python', 'scipy-openblas32']
    """
    names = ("ghost-spiking", "brian2", "numpy", "scipy-openblas32")
    return {name: version(name) for name in names} | {"python": platform.python_version()}

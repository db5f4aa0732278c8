"""One cell of a parameter study: what it is, how it is trained, and how its record is saved."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from ..exceptions import CompilationError, StudyError
from ..specification import Specification

if TYPE_CHECKING:
    from ..datasets import Dataset

__all__ = [
    "Cell",
    "Record",
    "compile_all",
    "describe",
    "make_folder",
    "read_record",
    "record_path",
    "text_of",
    "write_file",
]

_log = logging.getLogger(__name__)


class Record(BaseModel):
    """What is known of a cell after its training; a JSON file in the folder of a study.

    Attributes
    ----------
    key : str
        Hash of all that determines the result, see `Cell`.
    parameters : dict
        Values of the fields that the study varies, by dotted path.
    seed, epochs, dataset, held_out, limit
        As in `Study`.
    specification : str
        The resolved specification, TOML.
    held_out_accuracy : float or None
        Percent of the held-out images classified correctly after the last epoch; None if the
        cell has failed.
    online_accuracy : float or None
        Percent of the training images classified correctly while learning, in the last epoch.
    history : list of dict
        Epoch, both accuracies and seconds, for each epoch.
    seconds : float
        Duration of the training.
    error : str or None
        Why the cell has failed.
    version : str
        Of this package.

    Examples
    --------
    >>> from ghost_spiking.study import Record
    >>> record = Record(
    ...     key="k", parameters={"protocol.beta": 1.0}, seed=0, epochs=1, dataset="digits",
    ...     held_out=300, limit=None, specification="", held_out_accuracy=90.0,
    ...     online_accuracy=85.0, history=[], seconds=2.0, error=None, version="0.1.0",
    ... )
    >>> print(record)
    protocol.beta = 1.0, seed 0: 90.00 % of the held-out images, 2 s
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    parameters: dict[str, Any]
    seed: int
    epochs: int
    dataset: str
    held_out: int
    limit: int | None
    specification: str
    held_out_accuracy: float | None
    online_accuracy: float | None
    history: list[dict[str, float]]
    seconds: float
    error: str | None
    version: str

    def __str__(self) -> str:
        name = f"{describe(self.parameters)}, seed {self.seed}"
        if self.error is not None:
            return f"{name}: failed: {self.error}"
        return (
            f"{name}: {self.held_out_accuracy:.2f} % of the held-out images, {self.seconds:.0f} s"
        )


@dataclass(frozen=True)
class Cell:
    """One network with one seed; nothing else is needed to train it.

    Attributes
    ----------
    parameters : dict
        Values of the fields that the study varies, by dotted path.
    specification : Specification
        The network and its protocol.
    seed : int
        Seed of the initial weights and of the order of images.
    epochs, dataset, held_out, limit
        As in `Study`.

    Examples
    --------
    >>> from ghost_spiking.study import Study
    >>> study = Study.from_dict({
    ...     "dataset": "digits", "epochs": 1, "held_out": 300, "seeds": 2, "limit": 200,
    ...     "network": {"sizes": [64, 10, 10]},
    ...     "grid": {"protocol.beta": [1.0, 3.0]},
    ... })
    >>> cell = study.cells[0]
    >>> str(cell), cell.specification.protocol.beta
    ('protocol.beta = 1.0, seed 0', 1.0)
    """

    parameters: dict[str, Any]
    specification: Specification
    seed: int
    epochs: int
    dataset: str
    held_out: int
    limit: int | None

    @property
    def key(self) -> str:
        """Hash of all that determines the result: what the network is, not how it is written."""
        return self._hash(self.specification.layout.identity)

    @property
    def earlier_key(self) -> str:
        """The key that versions before 0.2 gave the same cell."""
        return self._hash(self.specification.to_toml())

    def _hash(self, specification: str) -> str:
        facts = {field: getattr(self, field) for field in vars(self)}
        facts |= {"parameters": None, "specification": specification}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]

    def __str__(self) -> str:
        return f"{describe(self.parameters)}, seed {self.seed}"

    def train(self) -> Record:
        """Train the network; an error becomes part of the record.

        Raises
        ------
        DataError
            There are no such images here.
        KeyboardInterrupt
            Training was interrupted by Ctrl-C.
        """
        from ..simulation import Simulation
        from ..training import Training

        start = time.perf_counter()
        history: list[dict[str, float]] = []
        training, held_out = _images(self.dataset, self.held_out, self.limit)
        try:
            simulation = Simulation(
                self.specification, seed=self.seed, data_dtype=training.images.dtype
            )
            trainer = Training(simulation, training, held_out, self.seed)

            def note(trainer: Training) -> None:
                epoch = trainer.history[-1]
                history.append(
                    {
                        "epoch": epoch.epoch,
                        "online_accuracy": round(epoch.online_accuracy, 4),
                        "held_out_accuracy": round(epoch.test_accuracy, 4),
                        "seconds": round(epoch.seconds, 3),
                    }
                )

            trainer.run(self.epochs, [note])
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            return self.record(history, time.perf_counter() - start, message)
        return self.record(history, time.perf_counter() - start)

    def record(
        self, history: list[dict[str, float]], seconds: float, error: str | None = None
    ) -> Record:
        """Make the record of a training that has ended, or failed with an error."""
        done = {} if error else history[-1]
        facts = {field: getattr(self, field) for field in vars(self) if field != "specification"}
        return Record(
            **facts,
            key=self.key,
            specification=self.specification.to_toml(),
            held_out_accuracy=done.get("held_out_accuracy"),
            online_accuracy=done.get("online_accuracy"),
            history=history,
            seconds=round(seconds, 2),
            error=error,
            version=version("ghost-spiking"),
        )


@lru_cache(maxsize=1)
def _images(dataset: str, n_held_out: int, limit: int | None) -> tuple[Dataset, Dataset]:
    """Return the images to train with and those held out, the same for all cells."""
    from ..datasets import load

    training, held_out = load(dataset)[0].split(n_held_out, seed=0)
    return (training.take(limit) if limit else training), held_out


def compile_all(cells: Sequence[Cell], progress: bool) -> None:
    """Compile before processes start, lest several of them compile the same program."""
    from tqdm import tqdm

    from ..simulation import Simulation

    structures = {cell.specification.layout.text: cell for cell in cells}
    failures = []
    bar = tqdm(
        structures.values(), "compiling", unit=" programs", leave=False, disable=not progress
    )
    for cell in bar:
        dtype = _images(cell.dataset, cell.held_out, cell.limit)[0].images.dtype
        try:
            Simulation(cell.specification, data_dtype=dtype)
        except CompilationError as error:  # will be part of the records of these cells
            failures.append(error)
    if len(failures) == len(structures):
        raise failures[0]


def record_path(folder: Path, key: str) -> Path:
    """Return the file of the record with this key."""
    return folder / "cells" / f"{key}.json"


def read_record(folder: Path, cell: Cell) -> Record | None:
    """Return the saved record of a cell, or None if there is none that is intact."""
    for key in (cell.key, cell.earlier_key):
        path = record_path(folder, key)
        try:
            record = Record.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):
            record = None
        if record is not None and record.key == key:
            # The same network may be written in another way, such as one value for all layers.
            return record.model_copy(update={"parameters": cell.parameters, "key": cell.key})
        _log.warning("%s is damaged; the cell '%s' is trained again", path, cell)
    return None


def write_file(path: Path, text: str) -> None:
    """Write a file that is either complete or not there, even if power fails."""
    from ..runs import write_atomically

    make_folder(path.parent)
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise StudyError(f"{path}: can't be written: {error}; choose another --out") from None


def make_folder(path: Path) -> None:
    """Make a folder of a study, if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"{path}: can't be written: {error}; choose another --out") from None


def text_of(value: Any) -> str:
    """Write the value of a parameter as short text."""
    return value if isinstance(value, str) else json.dumps(value)


def describe(parameters: Mapping[str, Any]) -> str:
    """Write parameters as text, for messages."""
    return ", ".join(f"{path} = {text_of(value)}" for path, value in parameters.items())

"""One cell of a parameter study: what it is, how it is trained, and how its record is saved."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr, model_validator

from .. import runs
from ..exceptions import CompilationError, LearningWarning, StudyError
from ..specification import Specification

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..training import Callback, Epoch

__all__ = [
    "Cell",
    "Record",
    "compile_all",
    "describe",
    "make_folder",
    "read_all",
    "read_record",
    "record_path",
    "run_path",
    "save_record",
    "text_of",
    "write_file",
]

_log = logging.getLogger(__name__)


class Record(runs.Record):
    """What is known of a cell after its training; a JSON file in the folder of a study.

    To what is known of any training, see `ghost_spiking.runs.Record`, it adds which cell it was.
    The test images are those held out.

    Attributes
    ----------
    key : str
        Hash of all that determines the result, see `Cell`.
    parameters : dict
        Values of the fields that the study varies, by dotted path.
    held_out : int
        As in `Study`.

    Examples
    --------
    >>> from ghost_spiking.runs import Facts
    >>> from ghost_spiking.study import Record
    >>> record = Record(
    ...     key="k", parameters={"protocol.beta": 1.0}, held_out=300, specification="",
    ...     facts=Facts(dataset="digits", seed=0), history=(), seconds=2.0, test_accuracy=90.0,
    ... )
    >>> print(record)
    protocol.beta = 1.0, seed 0: 90.00 % of the held-out images, 2 s
    """

    key: str
    parameters: dict[str, Any]
    held_out: int
    #: The run with its weights, if it was trained just now to keep them.
    _run: runs.Run | None = PrivateAttr(None)

    @property
    def pruned(self) -> bool:
        """Whether its training was ended early, since others were better: see `optimise`."""
        return self.error is None and len(self.history) < (self.facts.goal or 0)

    @property
    def seed(self) -> int | None:
        """Seed of the initial weights and of the order of images."""
        return self.facts.seed

    @property
    def held_out_accuracy(self) -> float | None:
        """Percent of the held-out images classified correctly after the last epoch, or None.

        None also if it was pruned, as networks with fewer epochs are not to be compared.
        """
        return None if self.pruned else self.test_accuracy

    @property
    def online_accuracy(self) -> float | None:
        """Percent of the training images classified correctly while learning, in the last epoch."""
        return self.history[-1].online_accuracy if self.history and not self.error else None

    @property
    def warning(self) -> str:
        """Why the network does not learn, if it did not in the last epoch."""
        return self.history[-1].warning if self.history else ""

    @model_validator(mode="before")
    @classmethod
    def _earlier(cls, values: Any) -> Any:
        """Read a record that a version before 0.2 has written."""
        if not isinstance(values, dict) or "version" not in values:
            return values
        old = dict(values)
        facts = {name: old.pop(name) for name in ("dataset", "seed", "limit")}
        facts |= {"goal": old.pop("epochs"), "versions": {"ghost-spiking": old.pop("version")}}
        old["test_accuracy"] = old.pop("held_out_accuracy")
        old.pop("online_accuracy")
        unknown = {"online_loss": math.nan, "test_loss": math.nan}
        history = [unknown | row for row in old.pop("history")]
        for row in history:
            row["test_accuracy"] = row.pop("held_out_accuracy")
        return old | {"facts": facts, "history": history}

    def __str__(self) -> str:
        name = f"{describe(self.parameters)}, seed {self.seed}"
        if self.error is not None:
            return f"{name}: failed: {self.error}"
        found = f"{self.test_accuracy:.2f} % of the held-out images, {self.seconds:.0f} s"
        if self.pruned:
            found += f"; ended after {len(self.history)} of {self.facts.goal} epochs"
        return f"{name}: {found}" + (f"; {self.warning}" if self.warning else "")


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
    epochs, dataset, held_out, limit, keep_weights
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
    keep_weights: bool = False

    @property
    def key(self) -> str:
        """Hash of all that determines the result: what the network is, not how it is written."""
        return self._hash(self.specification.identity)

    @property
    def earlier_key(self) -> str:
        """The key that versions before 0.2 gave the same cell."""
        return self._hash(self.specification.to_toml())

    def _hash(self, specification: str) -> str:
        facts = {field: getattr(self, field) for field in vars(self) if field != "keep_weights"}
        facts |= {"parameters": None, "specification": specification}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]

    def __str__(self) -> str:
        return f"{describe(self.parameters)}, seed {self.seed}"

    def train(self, after_epoch: Callback | None = None) -> Record:
        """Train the network; an error becomes part of the record.

        Parameters
        ----------
        after_epoch : callable, optional
            A callback of the training, see `ghost_spiking.callbacks`.

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
        training, held_out = _images(self.dataset, self.held_out, self.limit)
        trainer = None
        try:
            simulation = Simulation(
                self.specification, seed=self.seed, data_dtype=training.images.dtype
            )
            trainer = Training(simulation, training, held_out, self.seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LearningWarning)  # part of the record
                trainer.run(self.epochs, [after_epoch] if after_epoch else [])
        except Exception as error:
            history = trainer.history if trainer else []
            seconds = time.perf_counter() - start
            return self.failed(f"{type(error).__name__}: {error}", history, seconds)
        facts = runs.Facts.of(
            trainer,
            dataset=self.dataset,
            limit=self.limit,
            held_out=self.held_out,
            goal=self.epochs,
        )
        seconds = time.perf_counter() - start
        run = runs.Run.of(trainer, "", facts, seconds=seconds)
        record = self._record(run.record())
        record._run = run if self.keep_weights else None
        return record

    def failed(self, error: str, history: Sequence[Epoch] = (), seconds: float = 0.0) -> Record:
        """Make the record of a training that has failed with an error."""
        known: dict[str, Any] = {"dataset": self.dataset, "limit": self.limit, "seed": self.seed}
        facts = runs.Facts(**known, goal=self.epochs, versions=runs.versions())
        return self._record(
            runs.Record(
                specification=self.specification.to_toml(),
                facts=facts,
                history=tuple(history),
                seconds=seconds,
                error=error,
            )
        )

    def _record(self, known: runs.Record) -> Record:
        cell = {"key": self.key, "parameters": self.parameters, "held_out": self.held_out}
        return Record.model_validate(dict(known) | cell)


@lru_cache(maxsize=1)
def _images(dataset: str, n_held_out: int, limit: int | None) -> tuple[Dataset, Dataset]:
    """Return the images to train with and those held out, the same for all cells."""
    from ..datasets import load

    training, held_out = load(dataset)[0].split(n_held_out, seed=0)
    return (training.take(limit) if limit else training), held_out


def compile_all(cells: Sequence[Cell], progress: bool) -> None:
    """Compile before processes start, lest several of them compile the same program."""
    from tqdm.auto import tqdm

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


def run_path(folder: Path, key: str) -> Path:
    """Return the directory of the run with this key, if its weights are kept."""
    return folder / "runs" / key


def save_record(folder: Path, record: Record) -> None:
    """Save a record in the folder of a study, and before it the weights, if they are kept."""
    if record._run is not None:
        path = run_path(folder, record.key)
        make_folder(path)
        runs.Run.clear(path)
        replace(record._run, path=path).save()
    write_file(record_path(folder, record.key), record.model_dump_json(indent=1) + "\n")


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


def read_all(folder: Path) -> list[Record]:
    """Return all records in the folder of a study; those that are damaged are trained again."""
    records = []
    for path in sorted((folder / "cells").glob("*.json")):
        with contextlib.suppress(ValueError, OSError):
            records.append(Record.model_validate_json(path.read_bytes()))
    return records


def write_file(path: Path, text: str) -> None:
    """Write a file that is either complete or not there, even if power fails."""
    make_folder(path.parent)
    try:
        runs.write_atomically(path, text.encode())
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

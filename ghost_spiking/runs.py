"""Run directories: everything that is needed to look at a training, or to go on with it.

The run itself is one file, ``run.npz``, which is replaced as a whole, so that it is complete at
any time, whatever happens, and all that it says belongs to one moment. The other files repeat
parts of it for people and programs: ``spec.toml``, ``history.csv`` and ``run.json``. A process that
is killed between two of them leaves them behind the run; `Run.write_copies` mends that.

Who writes holds a lock, the file ``run.lock``. The operating system takes it back when the process
ends, however it ends. Readers need none.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import platform
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import __version__
from ._frames import frame_of
from ._run_files import FILE, OWN, is_left_over, lock, reason, write_atomically
from .adaptation import Adaptation
from .datasets import Dataset, Fingerprint
from .exceptions import DataError, RunError, SpecificationError, UnknownModelError
from .specification import Specification
from .training import Epoch, Training

if TYPE_CHECKING:
    import pandas

__all__ = ["FORMAT", "Facts", "Record", "Run", "checksum", "lock", "versions", "write_atomically"]

#: Version of the layout of a run. Those of format 1 (version 0.1) can be read, but not resumed;
#: those of format 2 have no `Fingerprint`, and facts in them may be older than their weights.
FORMAT = 3
#: Those that are drawn of a run.
_PICTURES = re.compile(
    r"(learning_curves|distances|angles|receptive_fields|confusion|mistakes"
    r"|trace_layer\d+_unit\d+_image\d+)\.(png|svg|pdf)"
)
#: What can go wrong when a file is not what it should be.
_DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, MemoryError),
    *(zlib.error, zipfile.BadZipFile, RuntimeError, SyntaxError, TokenError, struct.error),
)
_WEIGHTS = "weights/"
_MEAN, _GAIN = "inputs/mean", "inputs/gain"
#: Threads of this process take turns.
_saving = threading.Lock()


class Facts(BaseModel):
    """How a run was made: nothing in it depends on how far the training has come.

    Attributes
    ----------
    dataset : str or None
        Where the images are: what `ghost_spiking.datasets.load` takes, with an absolute path.
    limit : int or None
        Only so many of the training images are learned.
    held_out : int or None
        So many of the training images were held out first, as `Dataset.split` does with seed 0;
        they are the test images.
    training_data, test_data : Fingerprint or None
        Tell whether the images are still the same.
    checksum : str or None
        The same for the training images, as earlier versions noted it.
    engine, device, precision, threads, seed
        As in `Simulation`; the seed is also that of the order of images.
    goal : int or None
        How many epochs it is to have.
    versions : dict of str to str
        Versions that it began with, see `versions`.
    notes : dict
        Whatever else is to be kept with the run, in types that JSON knows.

    Examples
    --------
    >>> from ghost_spiking import Simulation, Specification, Training
    >>> from ghost_spiking.datasets import load
    >>> from ghost_spiking.runs import Facts
    >>> simulation = Simulation(Specification.create(sizes=(64, 20, 10)), device="numpy")
    >>> facts = Facts.of(Training(simulation, *load("digits")), goal=5)
    >>> facts.dataset, facts.seed, facts.goal
    ('digits', 0, 5)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    held_out: Annotated[int, Field(ge=1)] | None = None
    training_data: Fingerprint | None = None
    test_data: Fingerprint | None = None
    checksum: str | None = None
    engine: Literal["dense", "synapses"] | None = None
    device: Literal["cpp_standalone", "cython", "numpy"] | None = None
    precision: Literal["float32", "float64"] | None = None
    threads: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    goal: Annotated[int, Field(ge=0)] | None = None
    versions: dict[str, str] = {}
    notes: dict[str, Any] = {}

    @classmethod
    def of(cls, training: Training, **known: Any) -> Facts:
        """Take what a training knows; `known` adds to it, or replaces it."""
        simulation, images = training.simulation, training.training
        found: dict[str, Any] = {
            "dataset": images.name,
            "limit": len(images),
            "training_data": images.fingerprint,
            "test_data": training.test.fingerprint if training.test else None,
            "engine": simulation.engine,
            "device": simulation.device,
            "precision": simulation.precision.name,
            "threads": simulation.threads,
            "seed": int(training.seed),
            "versions": versions(),
        }
        return cls(**(found | known))

    def changes(self, training: Dataset, test: Dataset | None) -> list[str]:
        """Return what images and labels do not have in common with those of the run, in words."""
        parts = {"training": (self.training_data, training), "test": (self.test_data, test)}
        changes = [
            f"{part} {change}"
            for part, (noted, data) in parts.items()
            if noted is not None and data is not None
            for change in data.changes_since(noted)
        ]
        if self.training_data is None and self.checksum not in (None, checksum(training)):
            places = " or ".join(f"'{file}'" for file in training.files)
            changes.append("training images or labels" + (f" in {places}" if places else ""))
        return changes


class Record(BaseModel):
    """What is known of a training, without its weights: one JSON text.

    Attributes
    ----------
    specification : str
        The resolved specification, TOML.
    facts : Facts
        How it was made: data, engine, seed, versions.
    history : tuple of Epoch
        Epochs so far.
    seconds : float
        Duration of the training.
    train_accuracy, test_accuracy : float or None
        Percent of the images that the weights classify correctly in the end; None if nobody has
        looked, or the training failed.
    error : str or None
        Why it failed.

    Examples
    --------
    >>> from ghost_spiking.runs import Facts, Record
    >>> record = Record(specification="", facts=Facts(seed=3), history=(), seconds=1.0)
    >>> Record.model_validate_json(record.model_dump_json()) == record
    True
    """

    # A loss without test images is nan, which JSON's null is not.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    specification: str
    facts: Facts
    history: tuple[Epoch, ...]
    seconds: float
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Run:
    """A training on disk, at one moment; nothing in it belongs to another moment.

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
    facts : Facts
        How it was made: data, engine, seed, versions.
    presented : int
        Presentations (mini-batches) that the network has learned from.
    responses : array, shape (n_presented, n_classes)
        Responses in an epoch that was stopped before its end.
    seconds : float
        Duration of the training so far.
    train_accuracy, test_accuracy : float or None
        Percent of the images that these weights classify correctly; None if nobody has looked.
    adaptation : Adaptation or None
        What the input units have adapted to, if they do.

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
    facts: Facts
    presented: int = 0
    responses: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    seconds: float = 0.0
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    adaptation: Adaptation | None = None

    @staticmethod
    def create(path: str | os.PathLike[str], *, replace: bool = False) -> Path:
        """Make a new run directory, or take one with nothing in it.

        Parameters
        ----------
        path : path
            The directory.
        replace : bool, optional
            Whether to take one with a run in it too, which `clear` removes.

        Raises
        ------
        RunError
            There is something in it already, or it can't be made.
        """
        path = Path(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            taken = [file for file in path.iterdir() if not is_left_over(file)]
        except FileExistsError:  # it is a file
            taken = [path]
        except OSError as error:
            raise RunError(f"the run directory '{path}' can't be made: {error}") from None
        is_run = (path / FILE).is_file()
        if taken and replace and not is_run:
            raise RunError(
                f"'{path}' has other files than those of a run, and --force replaces only a run; "
                "choose another directory with --out"
            )
        if taken and not replace:
            raise RunError(
                f"the run directory '{path}' exists already; choose another one with --out"
                + (", go on with it with --resume, or replace it with --force" * is_run)
            )
        return path

    @staticmethod
    def clear(path: str | os.PathLike[str]) -> None:
        """Remove the run in a directory and the pictures of it; other files stay.

        Raises
        ------
        RunError
            Another process is writing it, or files can't be removed.
        """
        path = Path(path)
        with lock(path):
            try:
                for file in sorted(path.iterdir()):
                    if file.name in OWN or _PICTURES.fullmatch(file.name):
                        file.unlink()
            except OSError as error:
                raise RunError(f"'{path}' can't be replaced: {reason(error)}") from None

    @classmethod
    def of(
        cls,
        training: Training,
        path: str | os.PathLike[str],
        facts: Facts | None = None,
        *,
        seconds: float | None = None,
        train_accuracy: float | None = None,
        test_accuracy: float | None = None,
    ) -> Run:
        """Take the state of a training.

        Parameters
        ----------
        training : Training
            What to save.
        path : path
            The directory, as from `create`.
        facts : Facts, optional
            How it was made; by default what the training knows.
        seconds : float, optional
            Duration so far; by default that of all epochs.
        train_accuracy, test_accuracy : float, optional
            Percent of the images that the weights classify correctly. After a whole epoch the
            history has the second one.
        """
        simulation, history = training.simulation, list(training.history)
        return cls(
            Path(path),
            simulation.specification,
            dict(simulation.weights),
            history,
            facts or Facts.of(training),
            simulation.presented,
            training.responses,
            sum(epoch.seconds for epoch in history) if seconds is None else seconds,
            train_accuracy,
            _test_accuracy(history, training.responses, test_accuracy),
            simulation.adaptation,
        )

    @property
    def classes(self) -> tuple[int | str, ...]:
        """What the classes are called that its outputs stand for, in their order."""
        noted = self.facts.training_data.classes if self.facts.training_data else ()
        return noted or tuple(range(self.specification.network.sizes[-1]))

    def summary(self) -> dict[str, Any]:
        """Return all that is said of a run, but for its history: ``run.json``."""
        return {
            "format": FORMAT,
            **self.facts.model_dump(mode="json", exclude_none=True),
            "epochs": len(self.history),
            "presented": self.presented,
            "seconds": self.seconds,
            "train_accuracy": self.train_accuracy,
            "test_accuracy": self.test_accuracy,
        }

    def _repr_html_(self) -> str:
        from ._html import table

        sizes = "-".join(map(str, self.specification.network.sizes))
        title = f"{self.path}: {self.specification.network.model}, {sizes}"
        known = {name: value for name, value in self.summary().items() if value is not None}
        hidden = ("training_data", "test_data", "versions", "format")
        facts = [(name, value) for name, value in known.items() if name not in hidden]
        epochs = [
            (epoch.epoch, f"{epoch.online_accuracy:.2f}", f"{epoch.test_accuracy:.2f}")
            for epoch in self.history[-5:]
        ]
        last = table("The last epochs", ("epoch", "training (%)", "test (%)"), epochs)
        return table(title, ("", ""), facts) + last

    def to_frame(self) -> pandas.DataFrame:
        """Return the history as a table with a row for each epoch.

        Columns are the fields of `Epoch` and all measurements.

        Raises
        ------
        MissingPackageError
            pandas is not installed.

        Examples
        --------
        >>> from ghost_spiking.runs import Run
        >>> frame = Run.load("runs/mine").to_frame()  # doctest: +SKIP
        >>> frame.plot("epoch", "test_accuracy")  # doctest: +SKIP
        """
        return frame_of([({}, self.history)])

    def record(self) -> Record:
        """Return what is known of it but the weights."""
        return Record(
            specification=self.specification.to_toml(),
            facts=self.facts,
            history=tuple(self.history),
            seconds=self.seconds,
            train_accuracy=self.train_accuracy,
            test_accuracy=self.test_accuracy,
        )

    def check_data(self, training: Dataset, test: Dataset | None) -> None:
        """Compare images with those of the run.

        Raises
        ------
        DataError
            They are others; the message names what has changed, and in which file.
        """
        if changes := self.facts.changes(training, test):
            raise DataError(
                f"'{self.path}' did not have these images; changed: {', '.join(changes)}. Bring "
                "back what it had, or name another place with --dataset (where evaluate takes any "
                "images)"
            )

    def check_resumable(self) -> None:
        """Refuse to go on with runs of version 0.1.

        Raises
        ------
        RunError
            It was saved by a version that did not note all that is needed.
        """
        if self.presented < 0:
            raise RunError(
                f"'{self.path}' was saved by version 0.1, without what is needed to go on; it "
                "can be shown and evaluated"
            )

    def restore(self, training: Training) -> None:
        """Bring a training to the state that was saved; it goes on as if never stopped.

        Parameters
        ----------
        training : Training
            Made with the same data and seed, for a simulation of this run's network. Another
            protocol is taken as a wish to go on with that one.

        Raises
        ------
        RunError
            The run was saved by a version that did not note all that is needed, or the training
            has another seed, precision, engine or network.
        DataError
            The training has other images.
        """
        self.check_resumable()
        self.check_data(training.training, training.test)
        simulation = training.simulation
        given = {
            "seed": training.seed,
            "engine": simulation.engine,
            "precision": simulation.precision.name,
            "threads": simulation.threads,
            "shapes of weights": {name: w.shape for name, w in simulation.weights.items()},
            "input_adaptation": simulation.specification.network.input_adaptation,
        }
        saved = {name: getattr(self.facts, name, None) for name in given}
        saved["shapes of weights"] = {name: w.shape for name, w in self.weights.items()}
        saved["input_adaptation"] = self.specification.network.input_adaptation
        for name, value in given.items():
            if saved[name] is not None and saved[name] != value:
                raise RunError(
                    f"'{self.path}' can't go on in this training: its {name} is {saved[name]}, "
                    f"that of the training is {value}"
                )
        simulation.weights = {name: weight.copy() for name, weight in self.weights.items()}
        simulation.adaptation, simulation.presented = self.adaptation, self.presented
        training.history[:] = self.history
        training.responses = self.responses.copy()

    def save(self) -> None:
        """Replace what is on disk; if that fails, the last run that was saved is still there.

        Raises
        ------
        RunError
            The disk is full, or can't be written to; or another process or training writes to
            this directory. What is there stays.
        """
        self.check_resumable()
        text = {
            "facts": json.dumps(self.summary()),
            "specification": self.specification.to_toml(),
            "history": json.dumps(_rows(self.history)),
        }
        arrays = {_WEIGHTS + name: weight for name, weight in self.weights.items()}
        arrays |= {name: np.array(value) for name, value in text.items()}
        arrays |= {"presented": np.array(self.presented), "responses": self.responses}
        if self.adaptation is not None:
            arrays |= {_MEAN: self.adaptation.mean, _GAIN: np.array(self.adaptation.gain)}
        buffer = io.BytesIO()
        # numpy's annotations take every keyword for its own option allow_pickle
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        with _saving, lock(self.path):
            self._check_succession()
            try:
                write_atomically(self.path / FILE, buffer.getvalue())
            except OSError as error:
                there = (self.path / FILE).exists()
                kept = "what was saved before is still there; " if there else ""
                raise RunError(
                    f"'{self.path}' can't be saved: {reason(error)}; {kept}when it can be written "
                    "to again, use --resume"
                ) from None
            self.write_copies()

    def write_copies(self) -> None:
        """Write the files for people and programs, where they do not say the same already.

        Raises
        ------
        RunError
            The disk is full, or can't be written to.
        """
        copies = {
            "spec.toml": self.specification.to_toml(),
            "history.csv": _table(self.history),
            "run.json": json.dumps(self.summary(), indent=2) + "\n",
        }
        for name, text in copies.items():
            try:
                try:
                    same = (self.path / name).read_bytes() == text.encode()
                except FileNotFoundError:
                    same = False
                if not same:
                    write_atomically(self.path / name, text.encode())
            except OSError as error:
                raise RunError(
                    f"'{self.path}' is saved, but its {name} can't be written: {reason(error)}"
                ) from None

    def _check_succession(self) -> None:
        """Refuse to replace what this training has not come from.

        The lock keeps other processes out, but not a second training of the same process, or one
        that was loaded before another went on.
        """
        try:
            with open(self.path / FILE, "rb") as file, np.load(file) as archive:
                later = json.loads(str(archive["facts"]))["format"] > FORMAT
                rows = json.loads(str(archive["history"]))
                presented = int(archive["presented"])
        except _DAMAGE:  # there is none, or nothing that could be lost
            return
        if later:
            raise RunError(f"'{self.path}' was saved by a later version, which must go on with it")
        same_start = _identities(rows) == _identities(_rows(self.history[: len(rows)]))
        if not same_start or (len(rows) == len(self.history) and presented > self.presented):
            raise RunError(
                f"'{self.path}' was saved by another training, which has {len(rows)} epochs and "
                f"{presented} presentations that this one did not come from; it was not replaced. "
                "Save this one in another directory"
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Read a run directory; no code in it is ever executed.

        Raises
        ------
        RunError
            It is missing, damaged, written by a later version, or something else.
        """
        path = Path(path)
        try:
            if (path / "weights.npz").is_file() and not (path / FILE).exists():
                return _load_format_1(path)
            if not (path / FILE).is_file():
                raise RunError(f"'{path}' is not a run directory: {_what_else(path)}")
        except OSError as error:
            raise RunError(f"'{path}' can't be read: {error.strerror}") from None
        try:
            # numpy leaves a damaged file open that it has opened itself
            with open(path / FILE, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            known = json.loads(str(arrays["facts"]))
            if known["format"] not in (2, FORMAT):
                raise RunError(
                    f"'{path}' has the format {known['format']}; this version reads up to {FORMAT}"
                )
            history = [Epoch(**row) for row in json.loads(str(arrays["history"]))]
            weights = {
                name.removeprefix(_WEIGHTS): array
                for name, array in arrays.items()
                if name.startswith(_WEIGHTS)
            }
            run = cls(
                path,
                Specification.from_toml(str(arrays["specification"])),
                weights,
                history,
                _facts(known, weights),
                int(arrays["presented"]),
                arrays["responses"],
                **_results(known, history, arrays["responses"]),
                adaptation=Adaptation(arrays[_MEAN], float(arrays[_GAIN]))
                if _MEAN in arrays
                else None,
            )
        except UnknownModelError as error:
            raise RunError(f"'{path}' can't be read without its model: {error}") from None
        except _DAMAGE as error:
            raise RunError(
                f"'{path / FILE}' is damaged, or not a run: {_in_one_line(error)}"
            ) from None
        _check_weights(run)
        return run


def checksum(dataset: Dataset) -> str:
    """Return what runs of format 2 noted of their training images; see `Dataset.fingerprint`.

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
    network, adaptation = run.specification.network, run.adaptation
    if network.input_adaptation and (
        adaptation is None or adaptation.mean.shape != network.sizes[:1]
    ):
        raise RunError(f"'{run.path}' is damaged: it lacks what its input units have adapted to")


def _rows(history: Sequence[Epoch]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(epoch) for epoch in history]


def _identities(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what tells epochs of different trainings apart.

    That is neither how long they took nor measurements, which callbacks may still add.
    """
    kept = ("epoch", "online_accuracy", "online_loss", "test_accuracy", "test_loss")
    return [json.dumps([row[name] for name in kept]) for row in rows]


def _table(history: Sequence[Epoch]) -> str:
    rows = [row | row.pop("measurements") for row in _rows(history)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _facts(known: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> Facts:
    """Take the facts out of a summary; whatever earlier versions were told besides are notes."""
    ours: dict[str, Any] = {"precision": next(iter(weights.values())).dtype.name}
    ours |= {name: value for name, value in known.items() if name in Facts.model_fields}
    derived = {"format", "epochs", "presented", "seconds", "train_accuracy", "test_accuracy"}
    notes = {name: value for name, value in known.items() if name not in {*ours, *derived}}
    return Facts.model_validate(ours | ({"notes": ours.get("notes", {}) | notes}))


def _results(
    known: Mapping[str, Any], history: Sequence[Epoch], responses: np.ndarray
) -> dict[str, Any]:
    """Take the results out of a summary; those of format 2 may be of an earlier epoch."""
    now = known.get("epochs") == len(history)
    train, test = (
        float(known[name]) if now and known.get(name) is not None else None
        for name in ("train_accuracy", "test_accuracy")
    )
    return {
        "seconds": float(known.get("seconds", sum(epoch.seconds for epoch in history))),
        "train_accuracy": train,
        "test_accuracy": _test_accuracy(history, responses, test),
    }


def _test_accuracy(
    history: Sequence[Epoch], responses: np.ndarray, evaluated: float | None
) -> float | None:
    """Return that of the last epoch, unless the network has learned since then."""
    if history and not len(responses):
        accuracy = history[-1].test_accuracy
        return None if np.isnan(accuracy) else accuracy
    return evaluated


def _what_else(path: Path) -> str:
    if path.is_file():
        return "it is a file"
    if (path / "cells").is_dir():
        return "it is the folder of a study, which goes on with ghost-spiking study"
    return f"it has no {FILE}"


def _in_one_line(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(str(error).split())


def _load_format_1(path: Path) -> Run:
    try:
        known = json.loads((path / "run.json").read_text())
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
        facts, results = _facts(known, weights), _results(known, history, np.empty((0, 0)))
        run = Run(path, specification, weights, history, facts, presented=-1, **results)
    except (*_DAMAGE, SpecificationError) as error:
        raise RunError(f"'{path}' is damaged: {_in_one_line(error)}") from None
    _check_weights(run)
    return run


def versions() -> dict[str, str]:
    """Return the versions of what numbers depend on.

    Examples
    --------
    >>> from ghost_spiking.runs import versions
    >>> sorted(versions())
    ['brian2', 'ghost-spiking', 'numpy', 'python', 'scipy-openblas32']
    """
    found = {name: version(name) for name in ("brian2", "numpy", "scipy-openblas32")}
    return {"ghost-spiking": __version__} | found | {"python": platform.python_version()}

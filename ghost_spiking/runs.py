"""Run directories: specification, weights, history, versions and a picture."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .exceptions import RunError
from .specification import Specification
from .training import Epoch

__all__ = ["FORMAT", "Run"]

#: Version of the layout of a run directory.
FORMAT = 1


@dataclass(frozen=True)
class Run:
    """A trained network on disk.

    Attributes
    ----------
    path : Path
        The directory.
    specification : Specification
        From ``spec.toml``.
    weights : dict of array
        From ``weights.npz``, in the paper's shapes.
    history : list of Epoch
        From ``history.csv``.
    facts : dict
        From ``run.json``: data set, engine, seed, versions and results.
    """

    path: Path
    specification: Specification
    weights: dict[str, np.ndarray]
    history: list[Epoch]
    facts: dict[str, Any]

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
                f"the run directory '{path}' exists already; choose another one with --out"
            ) from None
        except OSError as error:
            raise RunError(f"the run directory '{path}' can't be made: {error}") from None
        return path

    def save(self) -> None:
        """Write everything; each file is complete at any time."""
        _write(self.path / "spec.toml", self.specification.to_toml().encode())
        _write_weights(self.path / "weights.npz", self.weights)
        columns = [column.name for column in dataclasses.fields(Epoch)]
        rows = [dataclasses.asdict(epoch) for epoch in self.history]
        lines = [",".join(columns)] + [",".join(repr(row[c]) for c in columns) for row in rows]
        _write(self.path / "history.csv", ("\n".join(lines) + "\n").encode())
        facts = {"format": FORMAT, "versions": _versions()} | self.facts
        _write(self.path / "run.json", (json.dumps(facts, indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Read a run directory; no code in it is ever executed.

        Raises
        ------
        RunError
            It is missing, incomplete, damaged, or written by a later version.
        """
        path = Path(path)
        for name in ("run.json", "spec.toml", "weights.npz", "history.csv"):
            if not (path / name).is_file():
                raise RunError(f"'{path}' is not a run directory: it has no {name}")
        try:
            facts = json.loads((path / "run.json").read_text())
            if not isinstance(facts, dict) or facts.get("format") != FORMAT:
                raise RunError(
                    f"'{path}' has another format than {FORMAT}, the one this version reads"
                )
            with np.load(path / "weights.npz", allow_pickle=False) as archive:
                weights = {name: archive[name] for name in archive.files}
            with open(path / "history.csv", newline="") as file:
                history = [
                    Epoch(int(row.pop("epoch")), **{key: float(row[key]) for key in row})
                    for row in csv.DictReader(file)
                ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"'{path}' is damaged: {error}") from None
        return cls(path, Specification.load(path / "spec.toml"), weights, history, facts)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _write_weights(path: Path, weights: dict[str, np.ndarray]) -> None:
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        # numpy's annotations take every keyword for its own option allow_pickle
        np.savez(file, **weights)  # type: ignore[arg-type]
    os.replace(temporary, path)


def _versions() -> dict[str, str]:
    names = ("ghost-spiking", "brian2", "numpy", "scipy-openblas32")
    return {name: version(name) for name in names} | {"python": platform.python_version()}

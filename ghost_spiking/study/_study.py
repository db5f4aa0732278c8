"""Parameter studies: a grid or a random sample of specifications, with several seeds.

A `Study` describes them and makes all `Cell`s, one network and one seed each. `run_study` trains
the cells that a folder does not have yet and saves a `Record` of each as soon as it ends;
whoever stops a study and starts it again loses at most the cells that were under way. Cells
are compared by training images that are held out, never by the test set.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import json
import math
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from ..exceptions import SpecificationError
from ..specification import InitialWeights, LearningRates, Network, Protocol, Specification
from ._cells import (
    Cell,
    Record,
    compile_all,
    describe,
    read_record,
    record_path,
    text_of,
    write_file,
)
from ._parallel import run_here, run_on_dask

__all__ = ["Cell", "Range", "Record", "Sample", "Study", "run_study", "summarize"]

_Count = Annotated[int, Field(ge=1, strict=True)]
_Seed = Annotated[int, Field(ge=0, strict=True)]
_Number = (
    Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
)
_Choices = Annotated[tuple[Any, ...], Field(min_length=1)]

_SECTIONS: dict[str, type[BaseModel]] = {
    "network": Network,
    "network.initial_weights": InitialWeights,
    "protocol": Protocol,
    "protocol.learning_rates": LearningRates,
}
#: Dotted paths of all fields of a specification.
_FIELDS = [
    path
    for section, model in _SECTIONS.items()
    for path in (f"{section}.{name}" for name in model.model_fields)
    if path not in _SECTIONS
]


class Range(BaseModel):
    """Numbers to draw from: whole ones if both bounds are whole (write 1.0 for others).

    Attributes
    ----------
    low, high : int or float
        Bounds; both may be drawn.
    log : bool
        Whether logarithms are drawn uniformly, rather than the numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.study import Range
    >>> value = Range(low=0.5, high=10.0, log=True).draw(np.random.default_rng(0))
    >>> 0.5 <= value <= 10.0
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: _Number
    high: _Number
    log: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _check_bounds(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low must be less than high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be greater than 0 with log = true, got {self.low}")
        return self

    def draw(self, generator: np.random.Generator) -> int | float:
        """Draw one number; those that are not whole are rounded to 6 digits."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        # All whole numbers between the bounds, and the bounds, own an interval of length 1.
        low, high = (self.low - 0.5, self.high + 0.5) if whole else (self.low, self.high)
        if self.log:
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = generator.uniform(low, high)
        value = round(value) if whole else float(f"{value:.6g}")
        return min(max(value, self.low), self.high)


# Told apart by what is written, so that errors are those of the one that was meant.
_RangeOrChoices = Annotated[
    Annotated[Range, Tag("range")] | Annotated[_Choices, Tag("choices")],
    Discriminator(lambda value: "range" if isinstance(value, (Mapping, Range)) else "choices"),
]


class Sample(BaseModel):
    """A random sample of specifications.

    Attributes
    ----------
    samples : int
        How many; a larger number adds to those of a smaller one.
    seed : int
        Seed of the draws.
    fields : dict
        For each field, by dotted path, a `Range` or the values to choose from.

    Examples
    --------
    >>> from ghost_spiking.study import Sample
    >>> sample = Sample(samples=3, fields={"network.lesion": (0.0, 0.5)})
    >>> next(sample.draw())["network.lesion"] in (0.0, 0.5)
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: _Count
    seed: _Seed = 0
    fields: Annotated[dict[str, _RangeOrChoices], Field(min_length=1)]

    def draw(self) -> Iterator[dict[str, Any]]:
        """Draw parameters, endlessly."""
        generator = np.random.default_rng(self.seed)
        while True:
            yield {
                path: values.draw(generator)
                if isinstance(values, Range)
                else values[generator.integers(len(values))]
                for path, values in self.fields.items()
            }


class Study(BaseModel):
    """A base specification, what is varied, and how each network is trained and judged.

    Use `load` for a TOML file or `from_dict`; both check all cells.

    Attributes
    ----------
    dataset : str
        ``mnist``, ``digits``, or a folder of IDX files (which all workers must be able to read).
    epochs : int
        How often each network sees its training images.
    seeds : tuple of int
        Seeds for each network; a number n stands for 0 .. n - 1.
    held_out : int
        Images taken from the training set, the same for all cells, that cells are judged by.
    limit : int or None
        Train with only so many of the others.
    network, protocol : dict
        The base, as in a specification file.
    grid : dict
        Values for each varied field, by dotted path; all combinations are trained.
    random : Sample or None
        A random sample, instead of a grid.

    Examples
    --------
    >>> from ghost_spiking.study import Study
    >>> study = Study.from_dict({
    ...     "dataset": "digits", "epochs": 3, "held_out": 300, "seeds": 2,
    ...     "network": {"sizes": [64, 32, 10]},
    ...     "grid": {"protocol.beta": [1.0, 3.0]},
    ... })
    >>> [str(cell) for cell in study.cells]
    ['protocol.beta = 1.0, seed 0', 'protocol.beta = 1.0, seed 1', \
'protocol.beta = 3.0, seed 0', 'protocol.beta = 3.0, seed 1']
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Annotated[str, Field(min_length=1)]
    epochs: _Count
    seeds: Annotated[tuple[_Seed, ...], Field(min_length=1)] = (0,)
    held_out: _Count
    limit: _Count | None = None
    network: dict[str, Any] = {}
    protocol: dict[str, Any] = {}
    grid: dict[str, _Choices] = {}
    random: Sample | None = None

    @field_validator("seeds", mode="before")
    @classmethod
    def _spread_seeds(cls, value: Any) -> Any:
        return tuple(range(value)) if type(value) is int and value > 0 else value

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each seed may occur only once")
        return value

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Study:
        """Make a study from the mapping that a TOML file contains.

        Raises
        ------
        SpecificationError
            A field is unknown, missing or invalid, here or in the specification of any cell.
        """
        for key in data:
            if key not in cls.model_fields:
                raise SpecificationError(_unknown("key", key, list(cls.model_fields)))
        if ("grid" in data) == ("random" in data):
            raise SpecificationError("needs either a table [grid] or a table [random]")
        varied = _section("grid" if "grid" in data else "random", data)
        if "grid" in data:
            chosen: dict[str, Any] = {"grid": _flatten("grid", varied)}
            if not chosen["grid"]:
                raise SpecificationError('grid: needs at least one field, such as "protocol.beta"')
        else:
            options = {key: varied.pop(key) for key in ("samples", "seed") if key in varied}
            chosen = {"random": options | {"fields": _flatten("random", varied)}}
        try:
            study = cls.model_validate(dict(data) | chosen)
        except ValidationError as error:
            raise SpecificationError("\n".join(map(_message, error.errors()))) from None
        _ = study.cells  # all of them are checked before any is trained
        return study

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Study:
        """Read a study from a TOML file; raises as `from_dict` does, and names the file."""
        try:
            return cls.from_dict(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise SpecificationError(f"{os.fspath(path)}: can't be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise SpecificationError(f"{os.fspath(path)}: not valid TOML: {error}") from None
        except SpecificationError as error:
            raise SpecificationError(f"{os.fspath(path)}: {error}") from None

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells: each combination of parameters with each seed."""
        found = self._combinations() if self.random is None else self._draws(self.random)
        shared = (self.epochs, self.dataset, self.held_out, self.limit)
        return tuple(
            Cell(parameters, specification, seed, *shared)
            for specification, parameters in found.items()
            for seed in self.seeds
        )

    def _combinations(self) -> dict[Specification, dict[str, Any]]:
        found: dict[Specification, dict[str, Any]] = {}
        for values in itertools.product(*self.grid.values()):
            parameters = dict(zip(self.grid, values, strict=True))
            specification = self._specification(parameters)
            if specification in found:
                raise SpecificationError(
                    f"grid: '{describe(found[specification])}' and '{describe(parameters)}' are "
                    "the same network; leave one out"
                )
            found[specification] = parameters
        return found

    def _draws(self, sample: Sample) -> dict[Specification, dict[str, Any]]:
        found: dict[Specification, dict[str, Any]] = {}
        for parameters in itertools.islice(sample.draw(), 100 * sample.samples):
            found.setdefault(self._specification(parameters), parameters)
            if len(found) == sample.samples:
                return found
        raise SpecificationError(
            f"random.samples: only {len(found)} different networks can be drawn, got "
            f"{sample.samples}; ask for fewer, or use [grid]"
        )

    def _specification(self, parameters: dict[str, Any]) -> Specification:
        # Before defaults are chosen, so that they follow what the cell changes.
        data = deepcopy({"network": self.network, "protocol": self.protocol})
        for path, value in parameters.items():
            *sections, name = path.split(".")
            table = data
            for section in sections:
                table = table.setdefault(section, {})
                if not isinstance(table, dict):
                    raise SpecificationError(f"{section}: needs a table of fields, got {table!r}")
            table[name] = value
        try:
            return Specification.from_dict(data)
        except SpecificationError as error:
            raise SpecificationError(f"with {describe(parameters)}: {error}") from None

    def check_images(self) -> None:
        """Load the images, and check that all cells fit them.

        Raises
        ------
        DataError
            Images are missing or damaged.
        SpecificationError
            A network has other numbers of inputs or outputs, or there are too few images.
        """
        from ..datasets import load

        training, _ = load(self.dataset)
        wanted = self.held_out + (self.limit or 1)
        if wanted > len(training):
            raise SpecificationError(
                f"held_out, limit: {self.dataset} has {len(training)} training images, but "
                f"{self.held_out} are held out and at least {self.limit or 1} needed to train"
            )
        expected = (training.n_features, training.n_classes)
        n_trained = min(self.limit or len(training), len(training) - self.held_out)
        for cell in self.cells:
            if cell.specification.protocol.batch_size > n_trained:
                raise SpecificationError(
                    f"protocol.batch_size: {cell.specification.protocol.batch_size} images are to "
                    f"share their weight changes, but there are only {n_trained} to learn from"
                )
            sizes = cell.specification.network.sizes
            if (sizes[0], sizes[-1]) != expected:
                raise SpecificationError(
                    f"network.sizes: must begin with {expected[0]} and end with {expected[1]} for "
                    f"the images of {self.dataset}, got {list(sizes)}"
                )


def run_study(
    study: Study,
    folder: str | os.PathLike[str],
    *,
    jobs: int = -1,
    scheduler: str | None = None,
    retry: bool = False,
    progress: bool = False,
) -> list[Record]:
    """Train the cells that a folder does not have yet, and save each as soon as it ends.

    Parameters
    ----------
    study : Study
        What to train.
    folder : path
        Where results are: ``cells/KEY.json`` for each cell, ``table.csv`` with a row for
        each, and ``study.png``. Cells of other studies in the same folder are left alone.
    jobs : int, optional
        Processes on this machine; -1 for one on each core.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, whose workers train the cells
        instead. A cell whose worker dies is trained by another one.
    retry : bool, optional
        Whether to train cells again that have failed.
    progress : bool, optional
        Whether to show on standard error each cell that ends and the time left.

    Returns
    -------
    list of Record
        In the order of `Study.cells`.

    Raises
    ------
    SpecificationError, DataError
        The cells do not fit the images, or there are none.
    CompilationError
        No network can be compiled.
    StudyError
        The folder, the scheduler or the processes can't be used. What was saved stays.

    Examples
    --------
    >>> from ghost_spiking.study import Study, run_study
    >>> study = Study.load("nudging.toml")  # doctest: +SKIP
    >>> records = run_study(study, "results")  # doctest: +SKIP
    >>> records[0].held_out_accuracy  # doctest: +SKIP
    92.3333
    """
    from tqdm import tqdm

    from ._plots import save_study_plots

    folder = Path(folder)
    records = {cell.key: read_record(folder, cell) for cell in study.cells}
    missing = [
        cell
        for cell in study.cells
        if (record := records[cell.key]) is None or (retry and record.error is not None)
    ]
    if missing:
        study.check_images()
        if scheduler is None:
            compile_all(missing, progress)
            ended = run_here(missing, jobs)
        else:
            ended = run_on_dask(missing, scheduler)
        done = len(study.cells) - len(missing)
        with tqdm(total=len(study.cells), initial=done, unit=" cells", disable=not progress) as bar:
            for record in ended:
                write_file(record_path(folder, record.key), record.model_dump_json(indent=1) + "\n")
                records[record.key] = record
                write_file(folder / "table.csv", _table(records.values()))
                if progress:
                    bar.write(str(record), file=sys.stderr)
                bar.update()
    complete = [record for record in records.values() if record is not None]
    write_file(folder / "table.csv", _table(complete))
    save_study_plots(complete, folder / "study.png", sampled=study.random is not None)
    return complete


def summarize(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Give mean and standard deviation over seeds for each set of parameters, best first.

    Parameters
    ----------
    records : sequence of Record
        Of one study.

    Returns
    -------
    list of dict
        ``parameters``; ``mean`` and ``std`` of the accuracy on held-out images (%); the numbers
        of ``seeds`` that ended and that ``failed``. The standard deviation is that of a sample
        (with n - 1). Both are None where too few seeds ended.

    Examples
    --------
    >>> from ghost_spiking.study import Record, summarize
    >>> def record(beta, seed, accuracy):
    ...     return Record(
    ...         key=f"{beta}-{seed}", parameters={"protocol.beta": beta}, seed=seed, epochs=1,
    ...         dataset="digits", held_out=300, limit=None, specification="",
    ...         held_out_accuracy=accuracy, online_accuracy=accuracy, history=[], seconds=1.0,
    ...         error=None, version="0",
    ...     )
    >>> best = summarize([record(1.0, 0, 90.0), record(1.0, 1, 92.0), record(3.0, 0, 80.0)])[0]
    >>> best["parameters"], best["mean"], best["seeds"]
    ({'protocol.beta': 1.0}, 91.0, 2)
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(json.dumps(record.parameters), []).append(record)
    rows = []
    for group in groups.values():
        values = [r.held_out_accuracy for r in group if r.held_out_accuracy is not None]
        rows.append(
            {
                "parameters": group[0].parameters,
                "mean": round(float(np.mean(values)), 4) if values else None,
                "std": round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None,
                "seeds": len(values),
                "failed": len(group) - len(values),
            }
        )
    return sorted(rows, key=lambda row: math.inf if row["mean"] is None else -row["mean"])


def _table(found: Iterable[Record | None]) -> str:
    records = [record for record in found if record is not None]
    file = io.StringIO()
    columns = ["seed", "held_out_accuracy", "online_accuracy", "seconds", "error", "key"]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*records[0].parameters, *columns])
    for record in records:
        values = [text_of(value) for value in record.parameters.values()]
        writer.writerow(values + [getattr(record, column) for column in columns])
    return file.getvalue()


# -- checks -----------------------------------------------------------------------------


def _section(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(data[name], Mapping):
        raise SpecificationError(f"{name}: needs a table of fields, got {data[name]!r}")
    return dict(data[name])


def _flatten(where: str, table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give values by dotted path; without quotes, TOML makes nested tables of such keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        path = prefix + key
        if path in _SECTIONS and isinstance(value, Mapping):
            flat |= _flatten(where, value, f"{path}.")
        elif path in _FIELDS:
            flat[path] = value
        else:
            raise SpecificationError(f"{where}: {_unknown('field', path, _FIELDS)}")
    return flat


def _unknown(kind: str, name: str, known: list[str]) -> str:
    ends = [path for path in known if path.endswith(f".{name}")]
    close = ends or difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
    return f"unknown {kind} '{name}'; {hint}"


def _message(error: Any) -> str:
    path = ".".join(str(p) for p in error["loc"] if p not in ("fields", "range", "choices"))
    if error["type"] == "missing":
        return f"{path}: is missing"
    text = error["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    return f"{path}: {text[0].lower()}{text[1:]}, got {error['input']!r}"

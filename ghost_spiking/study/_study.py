"""Parameter studies: a grid or a random sample of specifications, with several seeds.

A `Study` describes them and makes all `Cell`s, one network and one seed each.
"""

from __future__ import annotations

import difflib
import itertools
import math
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from .._checks import Count, Flag, Number, Section, Whole, plain
from .._frames import frame_of
from ..exceptions import SpecificationError
from ..models import fields
from ..specification import PLACES, Specification
from ..spikes import MECHANISMS
from ._cells import Cell, Record, describe, read_all, read_record

if TYPE_CHECKING:
    import pandas

__all__ = ["Range", "Sample", "Study"]

_WholeOrNot = Annotated[int, Field(strict=True)] | Number
_Choices = Annotated[tuple[Any, ...], Field(min_length=1)]


class Range(Section):
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

    low: _WholeOrNot
    high: _WholeOrNot
    log: Flag = False

    @model_validator(mode="after")
    def _check_bounds(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low must be less than high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be greater than 0 with log = true, got {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def draw(self, generator: np.random.Generator) -> int | float:
        """Draw one number; those that are not whole are rounded to 6 digits."""
        return self.at(generator.random())

    def at(self, fraction: float) -> int | float:
        """Return the number at a fraction of the way from `low` to `high`."""
        # All whole numbers between the bounds, and the bounds, own an interval of length 1.
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        if self.log:
            low, high = math.log(low), math.log(high)
        value = low + (high - low) * fraction
        return self.rounded(math.exp(value) if self.log else value)

    def rounded(self, value: float) -> int | float:
        """Return a number as it is drawn: whole, or with 6 digits, and within the bounds."""
        value = round(value) if self.whole else float(f"{value:.6g}")
        return min(max(value, self.low), self.high)


# Told apart by what is written, so that errors are those of the one that was meant.
_RangeOrChoices = Annotated[
    Annotated[Range, Tag("range")] | Annotated[_Choices, Tag("choices")],
    Discriminator(lambda value: "range" if isinstance(value, (Mapping, Range)) else "choices"),
]


class Sample(Section):
    """A random sample of specifications, or one that fills the space more evenly.

    Attributes
    ----------
    samples : int
        How many; a larger number adds to those of a smaller one.
    seed : int
        Seed of the draws.
    method : {"random", "sobol", "halton"}
        Independent draws, or a scrambled sequence of low discrepancy (`scipy.stats.qmc`), which
        leaves smaller gaps between them.
    fields : dict
        For each field, by dotted path, a `Range` or the values to choose from.

    Examples
    --------
    >>> from ghost_spiking.study import Sample
    >>> sample = Sample(samples=3, fields={"network.lesion": (0.0, 0.5)})
    >>> next(sample.draw())["network.lesion"] in (0.0, 0.5)
    True
    """

    samples: Count
    seed: Whole = 0
    method: Literal["random", "sobol", "halton"] = "random"
    fields: Annotated[dict[str, _RangeOrChoices], Field(min_length=1)]

    def draw(self) -> Iterator[dict[str, Any]]:
        """Draw parameters, endlessly."""
        if self.method != "random":
            yield from self._draw_evenly()
        generator = np.random.default_rng(self.seed)
        while True:
            yield {
                path: values.draw(generator)
                if isinstance(values, Range)
                else values[generator.integers(len(values))]
                for path, values in self.fields.items()
            }

    def _draw_evenly(self) -> Iterator[dict[str, Any]]:
        from scipy.stats import qmc

        sequences = {"sobol": qmc.Sobol, "halton": qmc.Halton}
        sequence = sequences[self.method](len(self.fields), rng=self.seed)
        while True:
            (point,) = sequence.random(1)
            yield {
                path: values.at(fraction)
                if isinstance(values, Range)
                else values[int(fraction * len(values))]
                for (path, values), fraction in zip(self.fields.items(), point, strict=True)
            }


class Study(Section):
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
    keep_weights : bool
        Whether each network is saved as a run, in ``runs/KEY`` of the folder of results, so that
        ``ghost-spiking show`` and the others can look at it.
    network, protocol, spikes : dict
        The base, as in a specification file.
    grid : dict
        Values for each varied field, by dotted path; all combinations are trained. Of a field with
        a value for each layer or connection, the path may end with ``first``, ``between`` or
        ``last``; the base says the others.
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

    dataset: Annotated[str, Field(min_length=1)]
    epochs: Count
    seeds: Annotated[tuple[Whole, ...], Field(min_length=1)] = (0,)
    held_out: Count
    limit: Count | None = None
    keep_weights: Flag = False
    network: dict[str, Any] = {}
    protocol: dict[str, Any] = {}
    spikes: dict[str, Any] = {}
    grid: dict[str, _Choices] = {}
    random: Sample | None = None

    @field_validator("seeds", mode="before")
    @classmethod
    def _spread_seeds(cls, value: Any) -> Any:
        number = isinstance(value, int) and not isinstance(value, bool)
        return tuple(range(value)) if number and value > 0 else value

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
        data = plain(data)
        if not isinstance(data, Mapping):
            raise SpecificationError(f"needs a mapping of fields, got {data!r}")
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
            options = {
                key: varied.pop(key) for key in ("samples", "seed", "method") if key in varied
            }
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
        return tuple(
            cell
            for specification, parameters in found.values()
            for cell in self._seeds_of(parameters, specification)
        )

    def cells_with(self, parameters: dict[str, Any]) -> tuple[Cell, ...]:
        """Return a cell for each seed with these values of fields, by dotted path."""
        return self._seeds_of(parameters, self._specification(parameters))

    def _seeds_of(
        self, parameters: dict[str, Any], specification: Specification
    ) -> tuple[Cell, ...]:
        shared = (self.epochs, self.dataset, self.held_out, self.limit, self.keep_weights)
        return tuple(Cell(parameters, specification, seed, *shared) for seed in self.seeds)

    def _repr_html_(self) -> str:
        from .._html import table

        varied = self.grid or (self.random.fields if self.random else {})
        rows = [
            ("images", self.dataset),
            ("held out", self.held_out),
            ("epochs", self.epochs),
            ("seeds", ", ".join(map(str, self.seeds))),
            *((path, str(values)) for path, values in varied.items()),
        ]
        return table(f"Study of {len(self.cells)} trainings", ("", ""), rows)

    def to_frame(self, folder: str | os.PathLike[str]) -> pandas.DataFrame:
        """Return what has ended as a table with a row for each epoch of each seed and network.

        Parameters
        ----------
        folder : path
            Where the results are, as for `run_study`. Without [grid], all networks in it that vary
            the same fields count, those of `optimise` too.

        Returns
        -------
        pandas.DataFrame
            Columns are the varied fields, by dotted path, ``seed``, the fields of `Epoch` with
            ``held_out`` in place of ``test``, and all measurements.

        Raises
        ------
        MissingPackageError
            pandas is not installed.

        Examples
        --------
        >>> from ghost_spiking.study import Study
        >>> frame = Study.load("nudging.toml").to_frame("studies/nudging")  # doctest: +SKIP
        >>> frame.groupby(["protocol.beta", "epoch"]).held_out_accuracy.mean()  # doctest: +SKIP
        """
        folder = Path(folder)
        found = {cell.key: read_record(folder, cell) for cell in self.cells}
        found |= {record.key: record for record in self.trials_in(folder)}
        frame = frame_of(
            (record.parameters | {"seed": record.seed}, record.history)
            for record in found.values()
            if record is not None
        )
        return frame.rename(columns=lambda name: name.replace("test_", "held_out_", 1))

    def trials_in(self, folder: Path) -> list[Record]:
        """Return the records of a folder that a sample of this study could have, as they began."""
        if self.random is None:
            return []
        found = []
        for record in read_all(folder):
            if record.parameters.keys() == self.random.fields.keys():
                try:
                    cells = self.cells_with(record.parameters)
                except SpecificationError:
                    continue
                found += [record for cell in cells if cell.key == record.key]

        def place(record: Record) -> tuple[int, str, int]:
            trial = int(record.facts.notes.get("trial", -1))
            return trial, describe(record.parameters), self.seeds.index(record.seed or 0)

        return sorted(found, key=place)

    def _combinations(self) -> dict[str, tuple[Specification, dict[str, Any]]]:
        # By what the network is: a field that its model does not use makes no other one.
        found: dict[str, tuple[Specification, dict[str, Any]]] = {}
        for values in itertools.product(*self.grid.values()):
            parameters = dict(zip(self.grid, values, strict=True))
            specification = self._specification(parameters)
            identity = specification.identity
            if identity in found:
                raise SpecificationError(
                    f"grid: '{describe(found[identity][1])}' and '{describe(parameters)}' are "
                    "the same network; leave one out"
                )
            found[identity] = specification, parameters
        return found

    def _draws(self, sample: Sample) -> dict[str, tuple[Specification, dict[str, Any]]]:
        found: dict[str, tuple[Specification, dict[str, Any]]] = {}
        for parameters in itertools.islice(sample.draw(), 100 * sample.samples):
            specification = self._specification(parameters)
            found.setdefault(specification.identity, (specification, parameters))
            if len(found) == sample.samples:
                return found
        raise SpecificationError(
            f"random.samples: only {len(found)} different networks can be drawn, got "
            f"{sample.samples}; ask for fewer, or use [grid]"
        )

    def _specification(self, parameters: dict[str, Any]) -> Specification:
        # Before defaults are chosen, so that they follow what the cell changes.
        data = deepcopy({"network": self.network, "protocol": self.protocol})
        data |= {"spikes": dict(self.spikes)} if self.spikes else {}
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


# -- checks -----------------------------------------------------------------------------


def _section(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(data[name], Mapping):
        raise SpecificationError(f"{name}: needs a table of fields, got {data[name]!r}")
    return dict(data[name])


def _flatten(where: str, table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return values by dotted path; without quotes, TOML makes nested tables of such keys."""
    known = (
        *fields(),
        *(f"spikes.{name}" for one in MECHANISMS.values() for name in one.model_fields),
    )
    # of a field that has one value for each layer or connection
    places = {f"{name}.{place}" for name in known for place in PLACES}
    flat: dict[str, Any] = {}
    for key, value in table.items():
        path = prefix + key
        if path in known or path in places:
            flat[path] = value
        elif isinstance(value, Mapping) and any(name.startswith(f"{path}.") for name in known):
            flat |= _flatten(where, value, f"{path}.")
        else:
            raise SpecificationError(f"{where}: {_unknown('field', path, known)}")
    return flat


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
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

"""`ClampedInput`: shows the rows of a data set, a batch at a time, each for some steps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from brian2.core.network import Network
from brian2.core.preferences import prefs
from brian2.core.variables import Variables
from brian2.devices.device import get_device
from brian2.groups.group import Group

from ._codeobjects import DenseCodeRunner, in_standalone

__all__ = ["ClampedInput"]

#: Names the folder with the data, for the C++ program (a path can't be compiled in, because a
#: compiled program is used again with other data).
DATA_DIRECTORY = "GHOST_SPIKING_DATA"
#: Number of the process that a program ends with, lest it goes on when that one is killed.
OWNER = "GHOST_SPIKING_OWNER"
#: A file of this name in the folder with the data ends a program after the present batch.
STOP_FILE = "stop"


def checked_rows(
    name: str, n_units: int, dtype: np.dtype, data: Any, order: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return data and order as a `ClampedInput` and its C++ program read them.

    Parameters
    ----------
    name : str
        Name of the input, for errors.
    n_units : int
        Number of columns.
    dtype : dtype
        Type in which data are stored.
    data, order : array
        See `ClampedInput.show`.

    Raises
    ------
    ValueError
        Data of the wrong shape or type, or an order with rows that do not exist.
    """
    given = np.asarray(data)
    if given.ndim != 2 or given.shape[1] != n_units or not len(given):
        raise ValueError(
            f"{name}: data must have the shape (n_rows, {n_units}) with at least one row, "
            f"got {given.shape}"
        )
    kinds = "bui" if dtype.kind == "u" else "buif"
    if given.dtype.kind not in kinds:
        raise ValueError(f"{name}: data must be {dtype}, got {given.dtype}")
    with np.errstate(over="ignore"):  # found below
        stored = np.ascontiguousarray(given, dtype=dtype)
    if dtype.kind == "u" and given.dtype != dtype and not np.array_equal(stored, given):
        raise ValueError(
            f"{name}: data must be {dtype}, from 0 to {np.iinfo(dtype).max}, "
            f"got {given.dtype} from {given.min()} to {given.max()}"
        )
    if dtype.kind == "f" and not np.isfinite(stored).all():
        raise ValueError(f"{name}: data must be finite numbers in {dtype}, got nan or infinity")
    rows = np.arange(len(given)) if order is None else np.asarray(order)
    if rows.ndim != 1 or not len(rows) or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(
            f"{name}: order must be a list of row numbers, not empty, got an array of "
            f"{rows.dtype} with the shape {rows.shape}"
        )
    if rows.min() < 0 or rows.max() >= len(given):
        raise ValueError(
            f"{name}: order must lie between 0 and {len(given) - 1}, "
            f"got {rows.min()} to {rows.max()}"
        )
    if len(given) > np.iinfo(np.int32).max:
        raise ValueError(f"{name}: more than {np.iinfo(np.int32).max} rows can't be numbered")
    return stored, rows.astype(np.int32)


class ClampedInput(Group):
    """Units clamped to the rows of a data set, a batch of rows at a time.

    Every presentation shows the next `batch` rows for `steps` time steps. The run stops at
    the end of the last presentation, so it can be started with any long duration.

    Parameters
    ----------
    n_units : int
        Number of units, the number of columns of the data.
    batch : int, optional
        Number of replicas; replica ``b`` shows row ``b`` of the batch.
    steps : int, optional
        Time steps for each presentation.
    dtype : dtype, optional
        Type in which data are stored, ``uint8`` or a float type. In standalone mode it
        belongs to the compiled program, while the number of rows does not.
    clock, dt : optional
        As for any Brian2 object.
    order : int, optional
        Order in the slot ``'before_start'``. The default comes before subexpressions that
        are ``constant over dt``.
    name : str, optional
        Unique name.

    Attributes
    ----------
    rate : array
        What the units show: ``scale`` times the stored value, minus ``offset``. Rows beyond `rows`
        are zero.
    rows : int
        Number of rows in the present batch; the last one may be smaller.
    step : int
        Number of the time step within the presentation, from 0.
    presentation : int
        Number of the presentation, from 0.
    steps : int
        Time steps for each presentation; may be set.
    scale : float
        Factor from stored values to rates; may be set.
    offset : array
        What is subtracted, for each unit; may be set.

    Examples
    --------
    Three rows in batches of two, each batch for five steps:

    >>> import numpy as np
    >>> from brian2 import Clock, Network, ms, second
    >>> from ghost_spiking.dense import ClampedInput
    >>> stimulus = ClampedInput(4, batch=2, steps=5, clock=Clock(1 * ms))
    >>> stimulus.show(np.arange(12, dtype=np.uint8).reshape(3, 4))
    >>> network = Network(stimulus)
    >>> network.run(1 * second)
    >>> int(stimulus.presentation[:]), int(stimulus.rows[:]), stimulus.rate[:4]
    (1, 1, array([ 8.,  9., 10., 11.]))
    """

    add_to_magic_network = True
    #: Variables that stay the same during a presentation.
    held_variables = frozenset({"rate"})

    def __init__(
        self,
        n_units: int,
        *,
        batch: int = 1,
        steps: int = 1,
        dtype: Any = np.uint8,
        dt: Any = None,
        clock: Any = None,
        order: int = -10,
        name: str = "clampedinput*",
    ) -> None:
        super().__init__(dt=dt, clock=clock, when="before_start", order=order, name=name)
        if n_units < 1 or batch < 1 or steps < 1:
            raise ValueError(
                f"{self.name}: n_units, batch and steps must be at least 1, "
                f"got {n_units}, {batch} and {steps}"
            )
        self.n_units = int(n_units)
        self.batch = int(batch)
        self.data_dtype = np.dtype(dtype)
        if self.data_dtype not in (np.uint8, np.float32, np.float64):
            raise TypeError(f"{self.name}: dtype must be uint8, float32 or float64, got {dtype}")
        self.codeobj_class = None
        self._data: np.ndarray | None = None
        self._order: np.ndarray | None = None
        #: Asked at the end of each presentation in runtime mode; if it gives True, the run ends.
        self.asked_to_stop: Callable[[], bool] | None = None
        self._number = 0

        variables = self.variables = Variables(self)
        variables.create_clock_variables(self._clock)
        variables.add_constant("N", self.n_units * self.batch)
        variables.add_arange("i", self.n_units * self.batch)
        float_dtype = prefs.core.default_float_dtype
        variables.add_array("rate", size=len(self), dtype=float_dtype, read_only=True)
        variables.add_array("offset", size=len(self), dtype=float_dtype)
        variables.add_array("scale", size=1, dtype=float_dtype, scalar=True, index="0")
        for counter in ("step", "steps", "rows", "presentation", "_number"):
            variables.add_array(counter, size=1, dtype=np.int32, scalar=True, index="0")
        self._advance = DenseCodeRunner(
            self,
            "clamped_input",
            clock=self.clock,
            when="before_start",
            order=order,
            name=f"{self.name}_advance",
            needed_variables=[
                *("rate", "scale", "offset"),
                *("step", "steps", "rows", "presentation", "_number"),
            ],
            template_kwds={
                "n_units": self.n_units,
                "batch": self.batch,
                "data_type": {"uint8": "unsigned char", "float32": "float", "float64": "double"}[
                    self.data_dtype.name
                ],
                "input_name": self.name,
                "directory_variable": DATA_DIRECTORY,
                "owner_variable": OWNER,
                "stop_file": STOP_FILE,
            },
        )
        self.contained_objects.append(self._advance)
        self._enable_group_attributes()
        self.steps = steps
        self.scale = 1.0
        self.step = -1
        self.presentation = -1

    @property
    def written_readonly_vars(self) -> set[Any]:
        """What the template changes although the user may not."""
        return {self.variables["rate"]}

    def show(self, data: np.ndarray, order: np.ndarray | None = None) -> None:
        """Choose what the next run presents.

        Parameters
        ----------
        data : array, shape (n_rows, n_units)
            Converted to `dtype`; whole numbers, none too large, if that is ``uint8``.
        order : array of int, shape (n_presented,), optional
            The rows to present, one after the other; by default all rows in turn.

        Raises
        ------
        ValueError
            Data of the wrong shape or type, or an order with rows that do not exist.
        """
        self._data, self._order = checked_rows(
            self.name, self.n_units, self.data_dtype, data, order
        )
        self.presentation = -1
        self.step = -1
        if in_standalone():
            # A program may contain several runs, each with its own data.
            self._number += 1
            self.variables["_number"].set_value(self._number)

    @property
    def data_files(self) -> tuple[str, str]:
        """Names of the files in which a C++ program looks for the present data and order."""
        return f"{self.name}.{self._number}.data", f"{self.name}.{self._number}.order"

    def write_data(self, directory: Path) -> None:
        """Write what `show` was given to where a standalone program looks for it."""
        data, order = self._require_data()
        for file_name, values in zip(self.data_files, (data, order), strict=True):
            values.tofile(directory / file_name)

    def _require_data(self) -> tuple[np.ndarray, np.ndarray]:
        if self._data is None or self._order is None:
            raise ValueError(f"{self.name}: nothing to present; call show(data) before the run")
        return self._data, self._order

    def before_run(self, run_namespace: Any) -> None:
        """Check that there is something to show."""
        if not in_standalone():
            self._require_data()
        elif self._data is not None:
            self.write_data(_data_directory_of_device())
        super().before_run(run_namespace)

    def _load_next(self) -> None:
        """Do in numpy what the C++ template does at each step."""
        variables = self.variables
        step, steps, rows, presentation = (
            variables[name].get_value() for name in ("step", "steps", "rows", "presentation")
        )
        data, order = self._require_data()
        if steps[0] < 1:
            raise ValueError(f"{self.name}: steps must be at least 1, got {steps[0]}")
        step[0] += 1
        if step[0] == 0 or step[0] >= steps[0]:
            step[0] = 0
            presentation[0] += 1
            first = int(presentation[0]) * self.batch
            if first >= len(order):
                raise ValueError(
                    f"{self.name}: all {len(order)} rows have been presented; call show(data) "
                    "before the next run"
                )
            shown = order[first : first + self.batch]
            rows[0] = len(shown)
            rate = variables["rate"].get_value().reshape(self.batch, self.n_units)
            offset = variables["offset"].get_value().reshape(self.batch, self.n_units)
            scale = variables["scale"].get_value()[0]
            rate[: len(shown)] = data[shown] * scale - offset[: len(shown)]
            rate[len(shown) :] = 0
        if step[0] == steps[0] - 1:
            last = (presentation[0] + 1) * self.batch >= len(order)
            if last or (self.asked_to_stop is not None and self.asked_to_stop()):
                Network._globally_stopped = True


def _data_directory_of_device() -> Path:
    """Folder for the data of the active device, made known to the programs that it starts."""
    device = get_device()
    if not hasattr(device, "_clamped_data"):
        # Kept by the device, so that it lives as long as a program may be started.
        device._clamped_data = tempfile.TemporaryDirectory(prefix="clamped-input-")
        device.run_environment_variables[DATA_DIRECTORY] = device._clamped_data.name
    return Path(device._clamped_data.name)

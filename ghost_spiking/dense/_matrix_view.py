"""What has a value for each synapse of a dense projection, as two-dimensional views."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from hashlib import md5
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2.core.variables import ArrayVariable, Subexpression, VariableView
from brian2.units.fundamentalunits import DIMENSIONLESS, Quantity, fail_for_dimension_mismatch

from ._indices import SynapseSelection

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["MatrixView", "accept_matrices"]


class MatrixView(VariableView):
    """A matrix of a `DenseSynapses`, read and set as ``S.w[i, j]``, ``S.w[:]`` or ``S.w = ...``.

    Subexpressions, ``i`` and ``j``, and variables of the groups (``S.x_pre``) are seen as matrices
    too, with a value for each synapse.
    """

    def __init__(
        self,
        name: str,
        variable: ArrayVariable | Subexpression,
        group: DenseSynapses,
        dimensions: Any,
    ) -> None:
        super().__init__(name, variable, group, dimensions)
        self._shape = (group.n_pre, group.n_post)
        self._stored = name in group._matrices
        self._transposed = group._transposed

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pre- and of post-synaptic units."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of dimensions, 2."""
        return 2

    def get_item(self, item: Any, level: int = 0, namespace: Any = None) -> Any:
        """Return the selected entries; ``[:]`` the whole matrix."""
        self._catch_up()
        if isinstance(item, str):
            return super().get_item(item, level=level + 1, namespace=namespace)
        if self._stored:
            if hasattr(item, "_indices"):
                item = np.unravel_index(item._indices(), self.shape)
            values = self._as_matrix(self.variable.get_value())[item]
        else:
            positions = self.indexing.positions(item)
            flat = super().get_item(
                SynapseSelection(positions), level=level + 1, namespace=namespace
            )
            # numpy gives a single number for what does not depend on the synapse
            flat = np.array(np.broadcast_to(np.asarray(flat), positions.size))
            values = flat.reshape(positions.shape)[()]
        if self.dim is None or self.dim is DIMENSIONLESS:
            return values
        return Quantity(values, self.dim)

    def set_item(self, item: Any, value: Any, level: int = 0, namespace: Any = None) -> None:
        """Set the selected entries to numbers, an array or a string expression."""
        self._catch_up()
        item, value = getattr(item, "code", item), getattr(value, "code", value)
        everything = isinstance(item, slice) and item == slice(None)
        if isinstance(item, str) or isinstance(value, str):
            if not (isinstance(item, str) or everything):
                item = SynapseSelection(self.indexing.positions(item))
            super().set_item(item, value, level=level + 1, namespace=namespace)
            return
        if self.variable.read_only:
            raise TypeError(f"Variable {self.name} is read-only.")
        values = self._numbers(value)
        if everything:
            matrix = self._whole(values)
            if self._stored:
                self.variable.set_value(self._as_stored(matrix))
                return
            item, values = slice(None), matrix
        positions = self.indexing.positions(item)
        chosen = np.empty(positions.shape, dtype=self.variable.dtype)
        chosen[...] = values
        self.set_with_index_array(SynapseSelection(positions), chosen.ravel(), check_units=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # Brian2's own would say the same of all errors.
        return np.array(self[:], dtype=dtype, copy=copy is not False, subok=True)

    def run_argument(self, value: Any) -> tuple[str, str, str | None, np.ndarray]:
        """Prepare a value for ``device.run(run_args={S.w: value})``.

        Returns
        -------
        name, text : str
            The variable and its value, as they stand on the command line of the program.
        file : str or None
            The file among the static arrays that the values belong into.
        values : array
            All values, as the program stores them.
        """
        if not self._stored:
            raise TypeError(
                f"{self.group_name}.{self.name} is not a matrix of the projection, so a program "
                "can't be given values for it when it starts"
            )
        numbers = self._numbers(value)
        owner = self.variable.owner.name
        name = f"{owner}.{self.variable.name}"
        values = self._as_stored(self._whole(numbers)).astype(self.dtype)
        if numbers.size == 1 and np.isfinite(numbers).all():
            return name, repr(values.flat[0].item()), None, values
        # Also for a single nan or inf, which the program would take for the name of a file.
        file = f"init_{owner}_{self.variable.name}_{md5(values.data).hexdigest()}.dat"
        return name, os.path.join("static_arrays", file), file, values

    def _catch_up(self) -> None:
        with contextlib.suppress(ReferenceError):  # values outlive the projection
            self.group.write_learned()

    def _numbers(self, value: Any) -> np.ndarray:
        if hasattr(value, "toarray"):  # a sparse matrix of scipy
            value = value.toarray()
        numbers = np.asarray(value)
        if numbers.dtype.kind not in "biuf":
            raise TypeError(
                f"{self.group_name}.{self.name} takes real numbers here, got {type(value).__name__}"
            )
        fail_for_dimension_mismatch(
            value,
            DIMENSIONLESS if self.dim is None else self.variable.dim,
            f"{self.group_name}.{self.name} is set in other units",
        )
        return numbers

    def _whole(self, values: np.ndarray) -> np.ndarray:
        size = self.shape[0] * self.shape[1]
        if values.shape == (size,):  # in the order of synapses
            return values.reshape(self.shape)
        if values.size != 1 and values.shape != self.shape:
            raise ValueError(
                f"{self.group_name}.{self.name} has the shape {self.shape} (n_pre, n_post), got "
                f"{values.shape}; a number, a string expression, and the same values row by row, "
                f"({size},), are fine too"
            )
        return np.broadcast_to(values.reshape(self.shape if values.size != 1 else ()), self.shape)

    def _as_stored(self, matrix: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(matrix.T if self._transposed else matrix).ravel()

    def _as_matrix(self, stored: np.ndarray) -> np.ndarray:
        if self._transposed:
            return stored.reshape(self.shape[::-1]).T
        return stored.reshape(self.shape)


class _RunArguments:
    """Prepares values for a standalone program: those of matrices, and leaves others to Brian2."""

    def __init__(self, prepare: Callable[..., Any]) -> None:
        self._prepare = prepare

    def __call__(self, key: VariableView, value: Any) -> Any:
        if isinstance(key, MatrixView):
            return key.run_argument(value)
        return self._prepare(key, value)


def accept_matrices(device: Any) -> None:
    """Let ``device.run(run_args=...)`` take matrices, where Brian2 knows lists of values only."""
    if not isinstance(device._prepare_variableview_run_arg, _RunArguments):
        device._prepare_variableview_run_arg = _RunArguments(device._prepare_variableview_run_arg)

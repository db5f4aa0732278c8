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

from ._factorise import Side
from ._indices import SynapseSelection

#: For states whose first values differ.
_ADVICE = (
    "to have it differ, multiply by a matrix where it is used, or use brian2.Synapses for what "
    "starts differently at each synapse"
)

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["CONNECTED", "MatrixView", "ReplicasView", "accept_matrices"]

#: The matrix that says which synapses there are.
CONNECTED = "_connected"


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
        self._stored = name in group._matrices or name == CONNECTED
        self._one_sided = group.one_sided.get(name)
        self._transposed = group._transposed

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pre- and of post-synaptic units."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of dimensions, 2."""
        return 2

    def _check_index(self, item: Any) -> None:
        """Refuse what means a synapse to `Synapses`, and a row to a matrix."""
        if isinstance(item, slice):
            alone = item != slice(None)
        elif isinstance(item, (str, tuple)) or item is Ellipsis or hasattr(item, "_indices"):
            alone = False
        else:
            alone = np.asarray(item).dtype != bool or np.ndim(item) != 2
        if alone:
            name = f"{self.group_name}.{self.name}"
            raise IndexError(
                f"{name}[{item!r:.40}] might mean synapses or rows; write {name}[i, :] for a row, "
                f"{name}[i, j] for a synapse, and {name}[:].flat[k] for synapse k"
            )

    def get_item(self, item: Any, level: int = 0, namespace: Any = None) -> Any:
        """Return the selected entries; ``[:]`` the whole matrix."""
        self._check_index(item)
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
        self._check_index(item)
        self._catch_up()
        item, value = getattr(item, "code", item), getattr(value, "code", value)
        everything = isinstance(item, slice) and item == slice(None)
        if self._one_sided is not None and not isinstance(value, str):
            self._set_one_sided(item, value, level=level + 1, namespace=namespace)
            return
        if isinstance(item, str) or isinstance(value, str):
            if self._one_sided is not None:
                self._check_one_sided(item, value)
            if not (isinstance(item, str) or everything):
                item = SynapseSelection(self.indexing.positions(item))
            super().set_item(item, value, level=level + 1, namespace=namespace)
            self.leave_out_unconnected()
            return
        if self.variable.read_only:
            raise TypeError(f"Variable {self.name} is read-only.")
        values = self._numbers(value)
        if everything:
            matrix = self._whole(values)
            if self._stored:
                self.variable.set_value(self._as_stored(matrix))
                self.leave_out_unconnected()
                return
            item, values = slice(None), matrix
        positions = self.indexing.positions(item)
        chosen = np.empty(positions.shape, dtype=self.variable.dtype)
        chosen[...] = values
        self.set_with_index_array(SynapseSelection(positions), chosen.ravel(), check_units=False)
        self.leave_out_unconnected()

    def leave_out_unconnected(self) -> None:
        """Set to zero what has no synapse."""
        if self.group.mask is None or not self._stored or self.name == CONNECTED:
            return
        zero = f"{self.name}*{CONNECTED}"
        if self.variable.is_boolean:
            zero = f"{self.name} and {CONNECTED} > 0"
        elif self.variable.is_integer:
            zero = f"{self.name}*int({CONNECTED} > 0)"
        super().set_item(slice(None), zero, namespace={})

    # -- what is kept once per neuron -------------------------------------------------

    def _set_one_sided(self, item: Any, value: Any, level: int, namespace: Any) -> None:
        numbers = self._numbers(value)
        everything = isinstance(item, slice) and item == slice(None)
        if everything and numbers.size == 1:
            self.variable.set_value(np.broadcast_to(numbers.ravel(), self.variable.size))
            return
        if everything:
            matrix = np.array(self._whole(numbers))
        else:
            matrix = np.array(np.asarray(self.get_item(slice(None))))
            if isinstance(item, str):
                item = self._where(item, level + 1, namespace)
            matrix[item] = numbers
        own = matrix if self._one_sided == Side.PRE else matrix.T
        if (own != own[:, :1]).any():
            raise ValueError(f"{self._sided()}; {_ADVICE}")
        self.variable.set_value(own[:, 0])

    def _where(self, condition: str, level: int, namespace: Any) -> Any:
        numbers = MatrixView("i", self.group.variables["i"], self.group, None)
        j = MatrixView("j", self.group.variables["j"], self.group, None)
        options = {"level": level + 1, "namespace": namespace}
        return numbers.get_item(condition, **options), j.get_item(condition, **options)

    def _check_one_sided(self, *texts: Any) -> None:
        """Refuse an expression with values that differ between the synapses of a neuron."""
        sides = self.group.sides
        number = "i" if self._one_sided == Side.PRE else "j"
        known = dict(self.group.one_sided) | {number: self._one_sided}
        for text in texts:
            if isinstance(text, str) and sides.side(text, known) not in (
                Side.SHARED,
                self._one_sided,
            ):
                raise ValueError(f"{self._sided()}, but '{text}' is not; {_ADVICE}")
            if isinstance(text, tuple):
                self._check_indices(text)

    def _check_indices(self, item: tuple[Any, ...]) -> None:
        other = item[1 if self._one_sided == Side.PRE else 0] if len(item) == 2 else None
        if not (isinstance(other, slice) and other == slice(None)):
            raise ValueError(f"{self._sided()}; {_ADVICE}")

    def _sided(self) -> str:
        side = "pre" if self._one_sided == Side.PRE else "post"
        return (
            f"{self.group_name}.{self.name} is the same at all synapses of a {side}-synaptic "
            "neuron, and kept once for it"
        )

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


class ReplicasView:
    """What is kept for each neuron in each of several replicas: an array with a row for each.

    Parameters
    ----------
    name : str
        Name of the variable.
    variable : ArrayVariable
        Its values.
    group : DenseSynapses
        The projection.
    dimensions : Dimension or None
        The unit in which values are seen; None for numbers.
    """

    def __init__(
        self, name: str, variable: ArrayVariable, group: DenseSynapses, dimensions: Any
    ) -> None:
        self._name, self._variable, self._dimensions = name, variable, dimensions
        self._group_name = group.name
        self.shape = (group.batch, variable.size // group.batch)

    def __getitem__(self, item: Any) -> Any:
        values = self._variable.get_value().reshape(self.shape)[item]
        if self._dimensions is None or self._dimensions is DIMENSIONLESS:
            return values
        return Quantity(values, self._dimensions)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[:], dtype=dtype)

    def __setitem__(self, item: Any, value: Any) -> None:
        self.set_item(item, value)

    def set_item(self, item: Any, value: Any, level: int = 0) -> None:
        """Set values to a number or an array."""
        name = f"{self._group_name}.{self._name}"
        if isinstance(value, str):
            raise ValueError(
                f"{name} has a value for each neuron of each of the {self.shape[0]} replicas; set "
                "it to a number or to an array with a row for each replica"
            )
        fail_for_dimension_mismatch(value, self._variable.dim, f"{name} is set in other units")
        values = np.array(self._variable.get_value().reshape(self.shape))
        try:
            values[item] = np.asarray(value)
        except ValueError:
            raise ValueError(
                f"{name} is a number or an array of the shape {self.shape}, with a row for each "
                f"replica, got {np.shape(value)}"
            ) from None
        self._variable.set_value(values.ravel())


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

"""Matrices of a dense projection as two-dimensional views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from brian2.core.variables import ArrayVariable, VariableView
from brian2.units.fundamentalunits import DIMENSIONLESS, fail_for_dimension_mismatch

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["MatrixView"]


class MatrixView(VariableView):
    """A matrix of a `DenseSynapses`, read and set as ``S.w[i, j]``, ``S.w[:]`` or ``S.w = ...``."""

    def __init__(
        self, name: str, variable: ArrayVariable, group: DenseSynapses, dimensions: Any
    ) -> None:
        super().__init__(name, variable, group, dimensions)
        self._shape = (group.n_pre, group.n_post)
        self._transposed = group._transposed

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pre- and of post-synaptic units."""
        return self._shape

    def get_item(self, item: Any, level: int = 0, namespace: Any = None) -> Any:
        """Give the selected entries; ``[:]`` the whole matrix."""
        if isinstance(item, str):
            return super().get_item(item, level=level + 1, namespace=namespace)
        flat = super().get_item(slice(None), level=level + 1, namespace=namespace)
        return self._as_matrix(flat)[item]

    def set_item(self, item: Any, value: Any, level: int = 0, namespace: Any = None) -> None:
        """Set the selected entries to numbers, an array or a string expression."""
        everything = isinstance(item, slice) and item == slice(None)
        if isinstance(item, str) or (everything and isinstance(value, str)):
            super().set_item(item, value, level=level + 1, namespace=namespace)
            return
        if isinstance(value, str):
            raise TypeError(
                f"{self.group_name}.{self.name}: string expressions set the whole matrix, or a "
                "part of it that a string describes, as in S.w['i == j'] = '1'"
            )
        fail_for_dimension_mismatch(
            value,
            DIMENSIONLESS if self.dim is None else self.variable.dim,
            f"{self.group_name}.{self.name} is set in other units",
        )
        if everything:
            value = np.asarray(value)
            if value.ndim and value.shape != self.shape:
                raise ValueError(
                    f"{self.group_name}.{self.name} has the shape {self.shape} "
                    f"(n_pre, n_post), got {value.shape}"
                )
            matrix = np.broadcast_to(value, self.shape)
        else:
            current = super().get_item(slice(None), level=level + 1)
            matrix = np.array(self._as_matrix(np.asarray(current)))
            matrix[item] = np.asarray(value)
        flat = np.ascontiguousarray(matrix.T if self._transposed else matrix).ravel()
        self.variable.set_value(flat)

    def _as_matrix(self, flat: Any) -> Any:
        if self._transposed:
            return flat.reshape(self.shape[::-1]).T
        return flat.reshape(self.shape)

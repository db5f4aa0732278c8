"""Which units each synapse connects, for expressions over single synapses.

Sums and rules never look at a single synapse. All other places where Brian2 takes a synaptic
expression (an assignment, `run_regularly`, a monitor) read ``x_pre`` through an array with the
number of the pre-synaptic unit of each synapse, as in `Synapses`. Such arrays have as many entries
as a matrix, so they are made only when something needs them.

Synapses are numbered row by row of the matrix with the shape ``(n_pre, n_post)``: synapse
``i * n_post + j`` goes from unit ``i`` to unit ``j``, as after `Synapses.connect`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from brian2.core.variables import ArrayVariable, Variable
from brian2.devices.device import RuntimeDevice

__all__ = [
    "POST",
    "POST_OF_PART",
    "PRE",
    "PRE_OF_PART",
    "STORED",
    "SynapseIndexing",
    "SynapseNumbers",
    "SynapseSelection",
    "SynapticIndices",
]

#: Names of the index variables: the pre- and the post-synaptic unit of a synapse, and its place in
#: the matrix of another projection that is read transposed.
PRE, POST, STORED = "_presynaptic_idx", "_postsynaptic_idx", "_stored_idx"
#: The same two, counted from the first unit of a subgroup.
PRE_OF_PART, POST_OF_PART = "_relative_i", "_relative_j"


class SynapseNumbers(ArrayVariable):
    """A whole number for each synapse, in an array that is made when it is needed.

    Parameters
    ----------
    name : str
        One of the names of index variables, which says what the numbers are.
    owner : DenseSynapses
        The projection.
    device : Device
        The device that holds the array.
    shape : tuple of int
        Number of pre- and of post-synaptic units.
    start : int, optional
        Number of the first unit, in its group.
    """

    _cache_irrelevant_attributes = ArrayVariable._cache_irrelevant_attributes | {"_provided"}

    def __init__(
        self, name: str, owner: Any, device: Any, shape: tuple[int, int], start: int = 0
    ) -> None:
        super().__init__(
            name,
            owner,
            shape[0] * shape[1],
            device,
            dtype=np.int32,
            constant=True,
            read_only=True,
            unique=name == STORED,
        )
        self._shape = shape
        self._start = start
        self._provided = False

    def get_value(self) -> np.ndarray:
        """Return the numbers of all synapses."""
        self.provide()
        return super().get_value()

    def set_value(self, value: Any) -> None:
        """Set the numbers; only a restored state does."""
        self.provide()
        super().set_value(value)

    def announce(self) -> None:
        """Prepare for code that uses the array.

        At run time code asks for the values itself; a standalone program has to contain the
        array before code is written for it.
        """
        if not isinstance(self.device, RuntimeDevice):
            self.provide()

    def provide(self) -> None:
        """Make the array unless it is there."""
        if self._provided:
            return
        self._provided = True
        n_pre, n_post = self._shape
        if self.name in (PRE, PRE_OF_PART):
            values = self._start + np.repeat(np.arange(n_pre), n_post)
        elif self.name in (POST, POST_OF_PART):
            values = self._start + np.tile(np.arange(n_post), n_pre)
        else:
            values = np.arange(n_pre * n_post).reshape(n_post, n_pre).T.ravel()
        self.device.add_array(self)
        self.device.init_with_zeros(self, self.dtype)
        self.device.fill_with_array(self, values.astype(self.dtype))


class SynapticIndices(defaultdict[str, str]):
    """The index of each variable of a projection, by its name.

    Whoever generates code for a variable asks here which index it has. That is
    the moment to prepare the arrays of numbers, and to refuse what has no meaning.

    Parameters
    ----------
    default_factory : callable
        Gives the default index.
    items : mapping
        Names and indices.
    numbers : mapping
        The arrays of numbers, by all names that they have in the projection.
    check : callable
        Raises an error unless a variable has one value for each synapse.
    """

    def __init__(
        self,
        default_factory: Callable[[], str] | None,
        items: Mapping[str, str],
        numbers: Mapping[str, SynapseNumbers],
        check: Callable[[str, str], None],
    ) -> None:
        super().__init__(default_factory, items)
        self._numbers = numbers
        self._check = check

    def __getitem__(self, name: str) -> str:
        index = super().__getitem__(name)
        self._check(name, index)
        for needed in {name, index} & self._numbers.keys():
            self._numbers[needed].announce()
        return index

    def __copy__(self) -> SynapticIndices:
        return type(self)(self.default_factory, self, self._numbers, self._check)


class SynapseSelection:
    """Some synapses of a projection, as ``S[...]`` gives them, for monitors and for indexing.

    Parameters
    ----------
    numbers : array of int
        Numbers of the synapses.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        # Brian2 gives some as floats
        self._numbers = np.ravel(numbers).astype(np.int32)

    def _indices(self, index_var: str = "_idx") -> np.ndarray:
        return self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} synapses>"


class SynapseIndexing:
    """Translates indices of a matrix, such as ``[i, j]`` or ``[:]``, to numbers of synapses.

    Parameters
    ----------
    shape : tuple of int
        Number of pre- and of post-synaptic units.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape

    def positions(self, item: Any) -> np.ndarray:
        """Return the numbers of the selected synapses, in the shape that numpy would give."""
        if isinstance(item, str):  # what Brian2 writes for all of them
            item = slice(None)
        if hasattr(item, "_indices"):
            return np.asarray(item._indices())
        if isinstance(item, tuple):  # of groups, perhaps
            item = tuple(x._indices() if hasattr(x, "_indices") else x for x in item)
        numbers = np.arange(self._shape[0] * self._shape[1], dtype=np.int32)
        return np.asarray(numbers.reshape(self._shape)[item])

    def __call__(self, item: Any = slice(None), index_var: str | Variable = "_idx") -> np.ndarray:
        numbers = np.ravel(self.positions(item))
        if isinstance(index_var, str):
            return numbers
        return index_var.get_value()[numbers]

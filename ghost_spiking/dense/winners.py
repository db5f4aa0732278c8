"""`WinnerMonitor`: notes which unit of every replica is the most active."""

from __future__ import annotations

import numpy as np
from brian2.core.variables import Variables
from brian2.groups.group import Group

from ._codeobjects import DenseCodeRunner
from .clamped import ClampedInput

__all__ = ["WinnerMonitor"]


class WinnerMonitor(DenseCodeRunner):
    """Notes the unit with the largest value in each replica, whenever a condition holds.

    Parameters
    ----------
    group : Group
        Population of `batch` replicas.
    expression : str
        The value to compare, in terms of the group's variables.
    condition : str
        Shared expression, evaluated at the end of every time step.
    batch : ClampedInput
        Says how many replicas show an image at present.
    name : str, optional
        Unique name.

    Notes
    -----
    In standalone mode the program writes int32 numbers to ``<name>.winners`` in its results
    directory while it runs, so that the progress can be watched.
    """

    def __init__(
        self,
        group: Group,
        expression: str,
        condition: str,
        *,
        batch: ClampedInput,
        name: str = "winnermonitor*",
    ) -> None:
        super().__init__(
            group,
            "winner_monitor",
            code={"scalars": f"_note = int({condition})", "post": f"_value = {expression}"},
            clock=group.clock,
            when="end",
            name=name,
        )
        self.add_dependency(group)
        n_units = len(group) // batch.batch
        variables = self.variables = Variables(self)
        variables.add_array("_value", size=len(group), dtype=group.variables["s"].dtype)
        variables.add_auxiliary_variable("_note", dtype=np.int32, scalar=True)
        variables.add_reference("_rows", batch, "rows", index="0")
        variables.add_object("_monitor", self)
        self.needed_variables = ["_value", "_rows", "_monitor"]
        self.template_kwds = {
            "n_units": n_units,
            "size": len(group),
            "file_name": f"{self.name}.winners",
        }
        self._winners: list[np.ndarray] = []

    @property
    def winners(self) -> np.ndarray:
        """Units noted so far in runtime mode, shape (n_presented,)."""
        return np.concatenate(self._winners) if self._winners else np.empty(0, dtype=np.int32)

    def clear(self) -> None:
        """Forget what has been noted."""
        self._winners.clear()

    def _note(self, values: np.ndarray) -> None:
        self._winners.append(values.argmax(axis=1).astype(np.int32))

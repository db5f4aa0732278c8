"""`WinnerMonitor`: notes which unit of every replica is the most active."""

from __future__ import annotations

import numpy as np
from brian2.core.preferences import prefs
from brian2.core.variables import Variables
from brian2.groups.group import Group

from ._codeobjects import DenseCodeRunner
from .clamped import ClampedInput

__all__ = ["WinnerMonitor"]


class WinnerMonitor(Group):
    """Notes the unit with the largest value in each replica, whenever a condition holds.

    Parameters
    ----------
    group : Group
        Population of replicas.
    expression : str
        The value to compare, in terms of the group's variables.
    condition : str
        Shared expression of the group's variables, evaluated at the end of every time step.
    batch : ClampedInput
        Says how many replicas show an image at present.
    name : str, optional
        Unique name.

    Notes
    -----
    In standalone mode the program writes int32 numbers to ``<name>.winners`` in its results
    directory while it runs, so that the progress can be watched.
    """

    add_to_magic_network = True

    def __init__(
        self,
        group: Group,
        expression: str,
        condition: str,
        *,
        batch: ClampedInput,
        name: str = "winnermonitor*",
    ) -> None:
        super().__init__(clock=group.clock, when="end", name=name)
        self.add_dependency(group)
        self.codeobj_class = None
        variables = self.variables = Variables(self)
        variables.add_constant("N", len(group))
        for variable in list(group.variables):
            index = group.variables.indices[variable]
            if not variable.startswith("_") and variable != "N" and index in ("_idx", "0"):
                variables.add_reference(variable, group, index=index)
        variables.add_array("_value", size=len(group), dtype=prefs.core.default_float_dtype)
        variables.add_auxiliary_variable("_note", dtype=np.int32, scalar=True)
        variables.add_reference("_rows", batch, "rows", index="0")
        self._winners: list[np.ndarray] = []
        runner = DenseCodeRunner(
            self,
            "winner_monitor",
            code={"scalars": f"_note = int({condition})", "post": f"_value = {expression}"},
            clock=group.clock,
            when="end",
            name=f"{self.name}_note",
            needed_variables=["_value", "_rows"],
            template_kwds={
                "n_units": len(group) // batch.batch,
                "size": len(group),
                "file_name": f"{self.name}.winners",
            },
        )
        self.contained_objects.append(runner)
        self._enable_group_attributes()

    @property
    def winners(self) -> np.ndarray:
        """Units noted so far in runtime mode, shape (n_presented,)."""
        return np.concatenate(self._winners) if self._winners else np.empty(0, dtype=np.int32)

    def clear(self) -> None:
        """Forget what has been noted."""
        self._winners.clear()

    def _append(self, values: np.ndarray) -> None:
        self._winners.append(values.argmax(axis=1).astype(np.int32))

"""`ResponseMonitor`: notes what every replica answers to the row of data that it was shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from brian2.core.preferences import prefs
from brian2.core.variables import Variables
from brian2.devices.device import get_device
from brian2.groups.group import Group

from ._codeobjects import DenseCodeRunner, in_standalone
from .clamped import ClampedInput

__all__ = ["ResponseMonitor"]


class ResponseMonitor(Group):
    r"""Notes the values of all units of each replica, whenever a condition holds.

    Parameters
    ----------
    group : Group
        Population of replicas.
    expression : str
        The value to note, in terms of the group's variables.
    condition : str
        Shared expression of the group's variables, evaluated at the end of every time step.
    batch : ClampedInput
        Says how many replicas show a row of data at present.
    name : str, optional
        Unique name.

    Notes
    -----
    In standalone mode the program writes the values to ``<name>.responses`` in its results
    directory while it runs, so that the progress can be watched.

    Examples
    --------
    >>> import numpy as np
    >>> from brian2 import Clock, Network, NeuronGroup, ms, second
    >>> from ghost_spiking.dense import ClampedInput, DenseSynapses, ResponseMonitor
    >>> clock = Clock(1 * ms)
    >>> stimulus = ClampedInput(4, batch=2, steps=3, clock=clock)
    >>> outputs = NeuronGroup(2 * 1, "y : 1", clock=clock)
    >>> sums = DenseSynapses(
    ...     stimulus, outputs, "y_post = w * rate_pre : 1 (summed)\nw : 1", batch=stimulus
    ... )
    >>> sums.w = 1.0
    >>> monitor = ResponseMonitor(outputs, "y", "True", batch=stimulus)
    >>> stimulus.show(np.arange(12, dtype=np.uint8).reshape(3, 4))
    >>> Network(stimulus, outputs, sums, monitor).run(1 * second)
    >>> monitor.responses[-1]
    array([38.])
    """

    add_to_magic_network = True

    def __init__(
        self,
        group: Group,
        expression: str,
        condition: str,
        *,
        batch: ClampedInput,
        name: str = "responsemonitor*",
    ) -> None:
        super().__init__(clock=group.clock, when="end", name=name)
        self.add_dependency(group)
        self.codeobj_class = None
        self.n_units = len(group) // batch.batch
        self.dtype = np.dtype(prefs.core.default_float_dtype)
        variables = self.variables = Variables(self)
        variables.add_constant("N", len(group))
        for variable in list(group.variables):
            index = group.variables.indices[variable]
            if not variable.startswith("_") and variable != "N" and index in ("_idx", "0"):
                variables.add_reference(variable, group, index=index)
        variables.add_array("_value", size=len(group), dtype=self.dtype)
        variables.add_auxiliary_variable("_note", dtype=np.int32, scalar=True)
        # Each run of a program has code of its own; only the first one begins a file.
        variables.add_array("_runs", size=1, dtype=np.int32, scalar=True, index="0")
        variables.add_reference("_rows", batch, "rows", index="0")
        self._responses: list[np.ndarray] = []
        runner = DenseCodeRunner(
            self,
            "response_monitor",
            code={"scalars": f"_note = int({condition})", "post": f"_value = {expression}"},
            clock=group.clock,
            when="end",
            name=f"{self.name}_note",
            needed_variables=["_value", "_rows", "_runs"],
            template_kwds={
                "n_units": self.n_units,
                "size": len(group),
                "file_name": f"{self.name}.responses",
            },
        )
        self.contained_objects.append(runner)
        self._enable_group_attributes()

    @property
    def responses(self) -> np.ndarray:
        """What was noted so far, shape (n_noted, n_units).

        In standalone mode it is known after the program has run.
        """
        if in_standalone():
            device = get_device()
            if not device.has_been_run:
                raise NotImplementedError(
                    f"{self.name}: what the program notes is known after device.build or device.run"
                )
            path = Path(device.results_dir) / f"{self.name}.responses"
            return np.fromfile(path, self.dtype).reshape(-1, self.n_units)
        return np.concatenate([np.empty((0, self.n_units), self.dtype), *self._responses])

    def clear(self) -> None:
        """Forget what has been noted."""
        self._responses.clear()

    def _append(self, values: np.ndarray) -> None:
        self._responses.append(values.copy())

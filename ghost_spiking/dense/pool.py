"""`NeuronPool`: leaky integrate-and-fire neurons that stand for the units of a rate network."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.preferences import prefs
from brian2.core.variables import Variables
from brian2.groups.group import Group
from brian2.units import second, volt
from brian2.units.fundamentalunits import DIMENSIONLESS

from ._codeobjects import DenseCodeRunner
from .noise import mixed

__all__ = ["NeuronPool"]

#: Scalar values that may be set, with their units.
_VALUES = {
    "resting": volt,
    "offset": volt,
    "gain": volt,
    "noise": volt,
    "threshold": volt,
    "reset": volt,
    "membrane_time": second,
}
#: What noise is for.
_PLACE = "_seed", "_presentation", "_step"


class NeuronPool(Group):
    r"""Leaky integrate-and-fire neurons, a few for each unit of a group, with white noise.

    All neurons of a unit have the same drive, an expression of the unit's variables, and noise of
    their own. In each time step, in this order: Euler's step of

        dv/dt = (resting - v + offset + gain * drive) / membrane_time
                + noise * sqrt(2 / membrane_time) * xi,

    and if ``v >= threshold`` the neuron fires and ``v = reset``; there is no refractory time beyond
    that step. How many neurons of a unit fire is written to a variable of the unit. A stock
    `brian2.NeuronGroup` with ``threshold`` and ``reset`` does the same, one neuron at a time; here
    a loop over neurons of the same rank is vectorised by the compiler.

    Noise, and where membrane potentials begin, are functions of a seed, a presentation, a step
    and a stream, as in `ghost_spiking.dense.noise`, so that every run has the same. The noise is
    the sum of four bytes: normal up to 3.4 standard deviations.

    Parameters
    ----------
    group : Group
        Units.
    neurons : int
        Neurons of each unit.
    drive : str
        Expression of the group's variables, without a unit.
    count : str
        Variable of the group that is told how many neurons have fired in this step.
    step, presentation, seed : str
        Integer expressions of the group's shared variables. Membrane potentials begin anew,
        uniformly between reset and threshold, where the step is 0.
    stream : int, optional
        Number of the pool: pools with the same one have the same noise.
    order : int, optional
        Order in the slot ``'start'``.
    name : str, optional
        Unique name.

    Attributes
    ----------
    v : array
        Membrane potentials, in volts, after the reset of those that fired. Neuron
        ``k * len(group) + i`` is the ``k``-th of unit ``i``.
    spiked : array
        Whether a neuron fired in this step.
    resting, offset, gain, noise, threshold, reset, membrane_time : float
        See the equation; may be set.

    Examples
    --------
    Ten neurons for each of two units, one of which is driven:

    >>> from brian2 import Clock, Network, NeuronGroup, ms, mV
    >>> from ghost_spiking.dense import NeuronPool
    >>> units = NeuronGroup(
    ...     2,
    ...     "x : 1\ncount : 1\ntotal : 1\nstep : integer (shared)\nzero : integer (shared)",
    ...     clock=Clock(5 * ms),
    ... )
    >>> units.x = [0, 1]
    >>> pool = NeuronPool(
    ...     units, 10, "x", "count", step="step", presentation="zero", seed="zero"
    ... )
    >>> pool.threshold, pool.gain, pool.noise = 15 * mV, 30 * mV, 5 * mV
    >>> pool.membrane_time = 10 * ms
    >>> units.run_regularly("step += 1; total += count", when="end") is None
    False
    >>> Network(units, pool).run(1000 * ms)
    >>> bool(units.total[0] < units.total[1])
    True
    """

    add_to_magic_network = True

    def __init__(
        self,
        group: Group,
        neurons: int,
        drive: str,
        count: str,
        *,
        step: str,
        presentation: str,
        seed: str,
        stream: int = 0,
        order: int = 0,
        name: str = "neuronpool*",
    ) -> None:
        super().__init__(clock=group.clock, when="start", order=order, name=name)
        if neurons < 1:
            raise ValueError(f"{self.name}: neurons must be at least 1, got {neurons}")
        self.add_dependency(group)
        self.codeobj_class = None
        self.neurons, self.stream = int(neurons), int(stream)
        size = len(group)
        self.dtype = np.dtype(prefs.core.default_float_dtype)
        variables = self.variables = Variables(self)
        variables.create_clock_variables(self._clock)
        variables.add_constant("N", size * self.neurons)
        variables.add_arange("i", size * self.neurons)
        variables.add_reference("_count", group, count)
        for place in _PLACE:
            variables.add_auxiliary_variable(place, dtype=np.int64, scalar=True)
        variables.add_array("v", size=len(self), dimensions=volt.dim, dtype=self.dtype)
        variables.add_array("spiked", size=len(self), dtype=bool, read_only=True)
        variables.add_array("_drive", size=size, dimensions=DIMENSIONLESS, dtype=self.dtype)
        for value, unit in _VALUES.items():
            variables.add_array(
                value, size=1, dimensions=unit.dim, dtype=self.dtype, scalar=True, index="0"
            )
        for variable in list(group.variables):
            index = group.variables.indices[variable]
            new = variable not in variables and not variable.startswith("_")
            if new and index in ("_idx", "0"):
                variables.add_reference(variable, group, index=index)
        runner = DenseCodeRunner(
            self,
            "neuron_pool",
            code={
                "scalars": f"_step = {step}\n_presentation = {presentation}\n_seed = {seed}",
                "post": f"_drive = {drive}",
            },
            clock=group.clock,
            when="start",
            order=order,
            name=f"{self.name}_step",
            needed_variables=["v", "spiked", "_drive", "_count", "dt", *_VALUES],
            template_kwds={
                "size": size,
                "neurons": self.neurons,
                "stream": self.stream,
                "values": list(_VALUES),
            },
        )
        self.contained_objects.append(runner)
        self._enable_group_attributes()
        self.membrane_time = 10e-3 * second

    @property
    def written_readonly_vars(self) -> set[Any]:
        """What the template changes although the user may not."""
        return {self.variables["spiked"]}

    def _advance(self, *place: int) -> None:
        """Do in numpy what the C++ template does at each step."""
        known = {
            name: self.variables[name].get_value()
            for name in ("v", "spiked", "_drive", "_count", "dt")
        }
        value = {name: self.variables[name].get_value()[0] for name in _VALUES}
        v, spiked = (known[name].reshape(self.neurons, -1) for name in ("v", "spiked"))
        numbers = np.arange(len(self)).reshape(v.shape)
        if place[-1] == 0:
            uniform = hashed(numbers, *place, self.stream, other=True) >> np.uint32(8)
            v[:] = value["reset"] + (value["threshold"] - value["reset"]) * uniform / 2.0**24
        part = self.dtype.type(known["dt"][0]) / value["membrane_time"]
        amplitude = value["noise"] * np.sqrt(2 * part) / BYTES
        to = value["resting"] - v + value["offset"] + value["gain"] * known["_drive"]
        v += part * to + amplitude * normal_bytes(numbers, *place, self.stream)
        spiked[:] = v >= value["threshold"]
        v[spiked] = value["reset"]
        known["_count"][:] = spiked.sum(axis=0)

    def __len__(self) -> int:
        return int(self.variables["N"].get_value())


def normal_bytes(neurons: np.ndarray, *place: int) -> np.ndarray:
    """Return the sums of four random bytes, minus 510; their standard deviation is `BYTES`.

    Parameters
    ----------
    neurons : array of int
        Numbers of the neurons; each has its own.
    *place : int
        What they are for: seed, presentation, step and stream.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.dense.pool import normal_bytes
    >>> drawn = normal_bytes(np.arange(100_000), 0, 0, 1, 0)
    >>> bool(abs(drawn.mean()) < 2), round(float(drawn.std()))
    (True, 148)
    """
    x = hashed(neurons, *place)
    total = sum((x >> np.uint32(shift)) & np.uint32(255) for shift in (0, 8, 16, 24))
    return np.asarray(total, dtype=np.int64) - 510


#: Standard deviation of the sum of four bytes.
BYTES = float(np.sqrt(4 * (256**2 - 1) / 12))


def hashed(neurons: np.ndarray, *place: int, other: bool = False) -> np.ndarray:
    """Return 32 random bits for each neuron: Wellons' lowbias32 with two keys.

    With `other`, the keys change places, for numbers beside those of the noise.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.dense.pool import hashed
    >>> hashed(np.arange(2), 0, 0, 0, 0).dtype
    dtype('uint32')
    """
    seed, presentation, step, stream = (np.asarray(value).astype(np.uint64) for value in place)
    with np.errstate(over="ignore"):  # as unsigned numbers do in C
        when = (presentation << np.uint64(24)) + (step << np.uint64(8)) + stream
        key = mixed(mixed(when * np.uint64(0x9E3779B97F4A7C15) + seed) + seed)
        keys = np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32))
        first, second = keys[::-1] if other else keys
        x = np.asarray(neurons).astype(np.uint32) * np.uint32(0x9E3779B9) + first
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x7FEB352D)
        x ^= x >> np.uint32(15)
        x = (x + second) * np.uint32(0x846CA68B)
        x ^= x >> np.uint32(16)
    return np.asarray(x)

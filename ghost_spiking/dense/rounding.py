"""`WeightRounding`: weights on a grid, as in memories of a few bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.variables import Variables
from brian2.groups.group import Group

from ._codeobjects import DenseCodeRunner
from .pool import hashed

__all__ = ["WeightRounding"]


class WeightRounding(Group):
    r"""Rounds the weights of a projection to a grid, up or down at random.

    A weight between two values of the grid becomes one of them, with probabilities that leave its
    mean as it is, so that changes far smaller than a step of the grid still add up on average. What
    lies beyond the ends becomes the end. Random numbers are a function of a seed, a presentation,
    a stream and the place in the matrix, as in `ghost_spiking.dense.noise`.

    Parameters
    ----------
    projection : DenseSynapses
        With a matrix ``w``.
    counters : Group
        Has the shared integer variables that the next parameters name.
    when : str
        Integer expression of shared variables: the weights are rounded at the end of time steps
        in which it is not 0.
    presentation, seed : str
        Integer expressions of shared variables.
    stream : int, optional
        Number of the projection.
    name : str, optional
        Unique name.

    Attributes
    ----------
    levels : int
        Values of the grid on each side of 0; ``2**(n - 1) - 1`` with n bits. May be set; with 0,
        nothing is rounded.
    largest : float
        The largest weight; may be set.

    Examples
    --------
    >>> import numpy as np
    >>> from brian2 import Clock, Network, NeuronGroup, ms
    >>> from ghost_spiking.dense import DenseSynapses, WeightRounding
    >>> clock = Clock(1 * ms)
    >>> source, target = (NeuronGroup(100, "x : 1", clock=clock) for _ in range(2))
    >>> counter = NeuronGroup(1, "number : integer (shared)", clock=clock)
    >>> synapses = DenseSynapses(source, target, "w : 1\nx_post = w * x_pre : 1 (summed)")
    >>> synapses.w = 0.3
    >>> rounding = WeightRounding(synapses, counter, "1", "number", "0")
    >>> rounding.levels, rounding.largest = 1, 1.0
    >>> Network(source, target, counter, synapses, rounding).run(1 * ms)
    >>> np.unique(synapses.w[:]), round(float(np.mean(synapses.w[:])), 1)
    (array([0., 1.]), 0.3)
    """

    add_to_magic_network = True

    def __init__(
        self,
        projection: Any,
        counters: Group,
        when: str,
        presentation: str,
        seed: str,
        *,
        stream: int = 0,
        name: str = "weightrounding*",
    ) -> None:
        super().__init__(clock=projection.clock, when="end", name=name)
        self.add_dependency(projection)
        self.codeobj_class = None
        self.stream = int(stream)
        matrix = projection.variables["w"]
        variables = self.variables = Variables(self)
        variables.create_clock_variables(self._clock)
        variables.add_constant("N", 1)
        variables.add_reference("_matrix", projection, "w")
        for variable in list(counters.variables):
            shared = counters.variables.indices[variable] == "0"
            if shared and not variable.startswith("_") and variable not in variables:
                variables.add_reference(variable, counters, index="0")
        for place in ("_when", "_presentation", "_seed"):
            variables.add_auxiliary_variable(place, dtype=np.int64, scalar=True)
        variables.add_array("levels", size=1, dtype=np.int32, scalar=True, index="0")
        variables.add_array("largest", size=1, dtype=matrix.dtype, scalar=True, index="0")
        runner = DenseCodeRunner(
            self,
            "weight_rounding",
            code={
                "scalars": f"_when = {when}\n_presentation = {presentation}\n_seed = {seed}",
            },
            clock=projection.clock,
            when="end",
            name=f"{self.name}_rounding",
            needed_variables=["_matrix", "levels", "largest"],
            template_kwds={"size": matrix.size, "stream": self.stream},
        )
        self.contained_objects.append(runner)
        self._enable_group_attributes()

    def _round(self, seed: int, presentation: int) -> None:
        """Do in numpy what the C++ template does."""
        levels = int(self.variables["levels"].get_value()[0])
        weights = self.variables["_matrix"].get_value()
        if levels == 0:
            return
        step = self.variables["largest"].get_value()[0] / levels
        bits = hashed(np.arange(weights.size), seed, presentation, 255, self.stream)
        uniform = ((bits >> np.uint32(8)) / 2.0**24).astype(weights.dtype)
        whole = np.floor(weights.ravel() / step + uniform)
        weights.ravel()[:] = np.clip(whole, -levels, levels) * step

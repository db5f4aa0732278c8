"""From a specification to Brian2 objects."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .dense import _brian  # noqa: F401 - before anything of Brian2

# isort: split
from brian2 import Clock, second
from brian2 import Network as BrianNetwork
from brian2.core.variables import linked_var
from brian2.groups.neurongroup import NeuronGroup
from brian2.synapses.synapses import Synapses

from .dense import ClampedInput, DenseSynapses, NeuronPool, ResponseMonitor, WeightRounding
from .dense.noise import FUNCTIONS
from .exceptions import SpecificationError
from .models import STIMULUS, TARGETS, Layout, Pool, Population, Projection
from .specification import Specification

__all__ = ["ENGINES", "BrianObjects", "Engine", "build"]

Engine = Literal["dense", "synapses"]
ENGINES: tuple[Engine, ...] = ("dense", "synapses")

#: A subexpression: its name, what it is, and its flags.
_TERM = re.compile(r"^\s*(\w+)\s*=\s*(.+?)\s*:[^:(]*(?:\((.*)\))?\s*$", re.MULTILINE)
#: Every presentation starts from rest.
_RESET = "{state} = {state} * int(step != 0)"


@dataclass
class BrianObjects:
    """The Brian2 objects of a network, by name.

    Attributes
    ----------
    network : brian2.Network
        Contains all of them.
    stimulus, targets : ClampedInput
        Images and desired outputs.
    populations : dict
        Groups by the name of their `Population` or `Pool`.
    projections : dict
        `DenseSynapses` or `Synapses` by the name of their `Projection`.
    responses : ResponseMonitor
        What the network answers.

    Examples
    --------
    >>> from ghost_spiking import Simulation, Specification
    >>> specification = Specification.create(sizes=(4, 3, 2), biases=False)
    >>> brian = Simulation(specification, device="numpy").brian
    >>> sorted(brian.populations)
    ['ghost_2', 'protocol', 'pyramidal_1', 'pyramidal_2']
    >>> sorted(brian.projections)
    ['feedforward_1', 'feedforward_2', 'ghost_feedback_2', 'ghost_forward_2']
    """

    network: BrianNetwork
    stimulus: ClampedInput
    targets: ClampedInput
    populations: dict[str, Any]
    projections: dict[str, Any]
    responses: ResponseMonitor

    def _repr_html_(self) -> str:
        from ._html import table

        groups = [(name, group.N) for name, group in self.populations.items()]
        paths = [
            (name, item.source.name, item.target.name) for name, item in self.projections.items()
        ]
        return table("Populations", ("name", "units of all replicas"), groups) + table(
            "Projections", ("name", "source", "target"), paths
        )


def build(
    specification: Specification,
    engine: Engine = "dense",
    data_dtype: Any = np.uint8,
    target_dtype: Any = np.uint8,
) -> BrianObjects:
    """Build the Brian2 objects of a network for the active device.

    No values are set: see `ghost_spiking.values`.

    Parameters
    ----------
    specification : Specification
        What to build.
    engine : {"dense", "synapses"}
        Projections are `DenseSynapses`, or Brian2's `Synapses`, one image at a time.
    data_dtype, target_dtype : dtype
        Types of the pixels and of the targets: uint8 or a float type.

    Raises
    ------
    SpecificationError
        Batches with the engine ``synapses``.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.network import build
    >>> objects = build(Specification.create(sizes=(4, 3, 2), batch_size=5))
    >>> len(objects.populations["pyramidal_1"])  # 5 replicas of 3 units
    15
    """
    return _Builder(specification.layout, engine, data_dtype, target_dtype).build()


class _Builder:
    def __init__(self, layout: Layout, engine: Engine, data_dtype: Any, target_dtype: Any) -> None:
        self.layout = layout
        if engine not in ENGINES:
            raise SpecificationError(f"engine: '{engine}' is not one of {', '.join(ENGINES)}")
        if engine == "synapses" and layout.batch_size != 1:
            raise SpecificationError(
                "protocol.batch_size: the engine 'synapses' presents one image at a time and "
                f"needs batch_size = 1, got {layout.batch_size}"
            )
        if engine == "synapses" and layout.rounding is not None:
            raise SpecificationError(
                "network.weight_bits: only the engine 'dense' keeps weights to a few bits; set it "
                "to 0, or choose that engine"
            )
        self.connect: Callable[[Projection, str], Any] = (
            self._dense if engine == "dense" else self._plain_synapses
        )
        self.clock = Clock(layout.dt * second, name="simulation_clock")
        self.stimulus = self._input(STIMULUS, layout.n_inputs, data_dtype)
        self.targets = self._input(TARGETS, layout.n_outputs, target_dtype)
        self.groups: dict[str, Any] = {STIMULUS: self.stimulus, TARGETS: self.targets}
        self.inputs = _inputs(layout)
        self.seen_at_start = _seen_at_start(layout)

    def build(self) -> BrianObjects:
        layout = self.layout
        populations = {item.name: self._population(item) for item in layout.populations}
        pools = (item.pool for item in layout.populations if item.pool)
        populations |= {pool.name: self.groups[pool.name] for pool in pools}
        projections = {item.name: self._projection(item) for item in layout.projections}
        roundings = self._roundings(projections)
        readout = layout.readout
        responses = ResponseMonitor(
            self.groups[readout.population],
            readout.expression,
            readout.condition,
            batch=self.stimulus,
            name="responses",
        )
        network = BrianNetwork(
            self.stimulus,
            self.targets,
            *populations.values(),
            *projections.values(),
            *roundings,
            responses,
            name="network_of_layers",
        )
        return BrianObjects(
            network, self.stimulus, self.targets, populations, projections, responses
        )

    def _input(self, name: str, n_units: int, dtype: Any) -> ClampedInput:
        return ClampedInput(
            n_units, batch=self.layout.batch_size, dtype=dtype, clock=self.clock, name=name
        )

    def _population(self, item: Population) -> NeuronGroup:
        replicas = self.layout.batch_size if item.replicated else 1
        text = item.equations
        for variable, parts in self.inputs[item.name].items():
            text += _declare(variable, parts)
        group = NeuronGroup(
            replicas * item.size,
            text,
            method="euler",
            clock=self.clock,
            order=item.order,
            name=item.name,
            namespace={k: f for k, f in FUNCTIONS.items() if f"{k}(" in text} or None,
        )
        for variable, place in item.links.items():
            owner, _, linked = place.partition(".")
            setattr(group, variable, linked_var(self.groups[owner], linked))
        if item.states:
            self._start_from_rest(group, item)
        for slot, statements in item.updates.items():
            group.run_regularly(statements, when=slot, clock=self.clock, name=f"{item.name}_{slot}")
        self.groups[item.name] = group
        if item.pool:
            self.groups[item.pool.name] = self._pool(item.pool, group)
        return group

    def _start_from_rest(self, group: NeuronGroup, item: Population) -> None:
        """Reset states after the input has advanced, and before rates are computed from them."""
        reset = "\n".join(_RESET.format(state=state) for state in item.states)
        rates = group.subexpression_updater
        # Longer loops than that are not vectorised.
        draws = any(f"{name}(" in item.equations for name in FUNCTIONS)
        short = len(item.states) == 1 and not draws
        if rates is not None and short and item.name not in self.seen_at_start:
            rates.abstract_code = f"{reset}\n{rates.abstract_code}"  # in one loop
            return
        group.run_regularly(
            reset, when="before_start", order=-5, clock=self.clock, name=f"{item.name}_reset"
        )

    def _pool(self, item: Pool, group: NeuronGroup) -> NeuronPool:
        return NeuronPool(
            group,
            item.neurons,
            item.drive,
            item.count,
            step=item.step,
            presentation=item.presentation,
            seed=item.seed,
            stream=item.stream,
            name=item.name,
        )

    def _projection(self, item: Projection) -> Any:
        text = item.equations
        for variable, side, _ in item.sums:
            into = item.target if side == "post" else item.source
            part = self.inputs[into][variable][item.name, side][0]
            text = re.sub(rf"\b{variable}_{side}(?=\s*=)", f"{part}_{side}", text)
        projection = self.connect(item, text)
        if item.constraint:
            # Between the change of weights and the change of states.
            projection.run_regularly(
                item.constraint, when="groups", order=-0.25, name=f"{item.name}_constraint"
            )
        return projection

    def _roundings(self, projections: dict[str, Any]) -> list[WeightRounding]:
        rounding = self.layout.rounding
        if rounding is None:
            return []
        return [
            WeightRounding(
                projections[item.name],
                self.groups[rounding.counters],
                rounding.when,
                rounding.presentation,
                rounding.seed,
                stream=stream,
                name=rounding.of(item),
            )
            for stream, item in enumerate(self.layout.projections)
            if rounding.of(item)
        ]

    def _dense(self, item: Projection, text: str) -> DenseSynapses:
        return DenseSynapses(
            self.groups[item.source],
            self.groups[item.target],
            text,
            batch=self.stimulus,
            clock=self.clock,
            # weight changes come after all sums and before the change of states
            order=-0.5,
            name=item.name,
        )

    def _plain_synapses(self, item: Projection, text: str) -> Synapses:
        # The order puts weight changes after all sums and before the change of states.
        synapses = Synapses(
            self.groups[item.source],
            self.groups[item.target],
            text,
            method="euler",
            clock=self.clock,
            order=-0.5,
            name=item.name,
        )
        synapses.connect()
        return synapses


def _seen_at_start(layout: Layout) -> set[str]:
    """Return populations that others look at when they compute what is constant over dt."""
    found = set()
    for item in layout.populations:
        terms = {name: (term, flags or "") for name, term, flags in _TERM.findall(item.equations)}
        new = {name for name, (_, flags) in terms.items() if "constant over dt" in flags}
        needed: set[str] = set()
        while new:
            needed |= new
            names = (re.findall(r"[^\W\d]\w*", terms[name][0]) for name in new if name in terms)
            new = set().union(*names) - needed
        found |= {item.links[name].partition(".")[0] for name in needed & set(item.links)}
    return found


#: By population and variable: the name that each projection sums into, and its unit, by the
#: projection's name and side.
_Inputs = dict[str, dict[str, dict[tuple[str, str], tuple[str, str]]]]


def _inputs(layout: Layout) -> _Inputs:
    """Name the variables that projections sum into.

    Brian2's `Synapses` need one each, so several into one variable get a numbered one each, in the
    order of the populations that they come from, and these are added.
    """
    place = {STIMULUS: 0} | {item.name: k for k, item in enumerate(layout.populations, start=1)}
    sums: Any = defaultdict(lambda: defaultdict(dict))
    for post in (True, False):
        for item in sorted(layout.projections, key=lambda p: place[p.source if post else p.target]):
            for variable, side, unit in item.sums:
                if (side == "post") == post:
                    into = item.target if post else item.source
                    sums[into][variable][item.name, side] = unit
    found: _Inputs = {item.name: {} for item in layout.populations}
    for into, variables in sums.items():
        for variable, parts in variables.items():
            found[into][variable] = {
                key: (f"{variable}_{number}" if len(parts) > 1 else variable, unit)
                for number, (key, unit) in enumerate(parts.items(), start=1)
            }
    return found


def _declare(variable: str, parts: dict[tuple[str, str], tuple[str, str]]) -> str:
    """Declare what is summed into a variable, and their total."""
    lines = [f"{name} : {unit}" for name, unit in parts.values()]
    if len(parts) > 1:
        (_, unit), *_ = parts.values()
        lines.insert(0, f"{variable} = {' + '.join(name for name, _ in parts.values())} : {unit}")
    return "\n" + "\n".join(lines) + "\n"

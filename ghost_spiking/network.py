"""From a specification to Brian2 objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from . import _brian  # noqa: F401 - before anything of Brian2

# isort: split
from brian2 import Clock, second
from brian2 import Network as BrianNetwork
from brian2.core.variables import linked_var
from brian2.groups.neurongroup import NeuronGroup
from brian2.synapses.synapses import Synapses

from . import equations
from .dense import ClampedInput, DenseSynapses, ResponseMonitor
from .exceptions import SpecificationError
from .graph import projection_name
from .rate_functions import RateFunction, rate_function_of
from .specification import Specification
from .values import DT

__all__ = ["ENGINES", "Engine", "GhostNetwork", "build"]

Engine = Literal["dense", "synapses"]
ENGINES: tuple[Engine, ...] = ("dense", "synapses")


@dataclass
class GhostNetwork:
    """The Brian2 objects of a ghost network, by name.

    Attributes
    ----------
    network : brian2.Network
        Contains all of them.
    stimulus, targets : ClampedInput
        Images and desired outputs.
    populations : dict
        ``pyramidal_l`` for each layer and ``ghost_l`` for each layer that sends feedback, plus
        ``protocol``, ``bias_unit`` and, with a softmax, ``normaliser``.
    projections : dict
        By `projection_name`: ``feedforward_l``, ``bias_l``, ``feedback_l`` (unless it is the
        transpose), ``feedback_bias_k`` (of the layer that feedback arrives at, with
        reconstruction), ``ghost_forward_l``, ``ghost_bias_l`` and ``ghost_feedback_l``; with a
        softmax ``normalising`` and ``division``.
    responses : ResponseMonitor
        The rates of output units at the end of the prediction phase.

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


def build(
    specification: Specification, engine: Engine = "dense", data_dtype: Any = np.uint8
) -> GhostNetwork:
    """Build the Brian2 objects of a network for the active device.

    No values are set: see `ghost_spiking.values`.

    Parameters
    ----------
    specification : Specification
        What to build.
    engine : {"dense", "synapses"}
        Projections are `DenseSynapses`, or Brian2's `Synapses`, one image at a time.
    data_dtype : dtype
        Type of the pixels: uint8 or a float type.

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
    return _Builder(specification, engine, data_dtype).build()


class _Builder:
    def __init__(self, specification: Specification, engine: Engine, data_dtype: Any) -> None:
        self.spec = specification.network
        self.graph = self.spec.graph
        self.batch = specification.protocol.batch_size
        if engine not in ENGINES:
            raise SpecificationError(f"engine: '{engine}' is not one of {', '.join(ENGINES)}")
        if engine == "synapses" and self.batch != 1:
            raise SpecificationError(
                "protocol.batch_size: the engine 'synapses' presents one image at a time and "
                f"needs batch_size = 1, got {self.batch}"
            )
        self.clock = Clock(DT * second, name="simulation_clock")
        sizes = self.spec.sizes
        self.stimulus = self._input("stimulus", sizes[0], data_dtype)
        self.targets = self._input("targets", sizes[-1], np.uint8)
        self.populations: dict[str, Any] = {}
        self.projections: dict[str, Any] = {}
        self._connect: Callable[..., Any] = (
            self._dense if engine == "dense" else self._plain_synapses
        )

    def build(self) -> GhostNetwork:
        self._add_protocol()
        for layer in range(1, self.spec.n_layers + 1):
            self._add_pyramidal(layer)
        for layer in self.graph.ghost_layers:
            self._add_ghosts(layer)
        for pre, post in self.graph.connections:
            self._project_forward(pre, post)
        for pre, post in self.graph.feedback_connections:
            self._project_feedback(pre, post)
        for pre, post in self.graph.ghost_connections:
            self._project_to_ghosts(pre, post)
        if self.spec.biases:
            self._add_biases()
        output = self._layer(self.spec.n_layers)
        if self.spec.loss == "cross_entropy":
            self._add_softmax(output)
        responses = ResponseMonitor(
            output,
            self._rate_function(self.spec.n_layers).of("s"),
            "step == prediction_steps - 1",
            batch=self.stimulus,
            name="responses",
        )
        network = BrianNetwork(
            self.stimulus,
            self.targets,
            *self.populations.values(),
            *self.projections.values(),
            responses,
            name="ghost_network",
        )
        return GhostNetwork(
            network, self.stimulus, self.targets, self.populations, self.projections, responses
        )

    # -- populations ------------------------------------------------------------------

    def _input(self, name: str, n_units: int, dtype: Any) -> ClampedInput:
        return ClampedInput(n_units, batch=self.batch, dtype=dtype, clock=self.clock, name=name)

    def _layer(self, layer: int) -> Any:
        return self.stimulus if layer == 0 else self.populations[f"pyramidal_{layer}"]

    def _ghosts(self, layer: int) -> Any:
        return self.populations[f"ghost_{layer}"]

    def _add_protocol(self) -> None:
        protocol = NeuronGroup(1, equations.PROTOCOL, clock=self.clock, name="protocol")
        for counter in ("step", "presentation"):
            setattr(protocol, counter, linked_var(self.stimulus, counter))
        self.populations["protocol"] = protocol

    def _population(self, name: str, n_units: int, text: str, state: str) -> NeuronGroup:
        group = NeuronGroup(self.batch * n_units, text, method="euler", clock=self.clock, name=name)
        for link in equations.LINKS:
            setattr(group, link, linked_var(self.populations["protocol"], link))
        # Before rates are computed for this step, but after the input has advanced.
        group.run_regularly(
            equations.RESET.format(state=state),
            when="before_start",
            order=-5,
            clock=self.clock,
            name=f"{name}_reset",
        )
        self.populations[name] = group
        return group

    def _rate_function(self, layer: int, *, ghosts: bool = False) -> RateFunction:
        return rate_function_of(self.spec, layer, ghosts=ghosts)

    def _bottom_up(self, layer: int) -> str:
        below = self.graph.below(layer)
        parts = [_input_name("feedforward", pre, below) for pre in below]
        return equations.inputs("bottom_up", parts + ["bias"] * self.spec.biases)

    def _add_pyramidal(self, layer: int) -> None:
        function = self._rate_function(layer)
        text = equations.PYRAMIDAL.format(rate=function.rate, slope=function.slope)
        text += self._bottom_up(layer)
        output = layer == self.spec.n_layers
        if output:
            softmax = self.spec.loss == "cross_entropy"
            text += equations.CROSS_ENTROPY if softmax else equations.SQUARED_ERROR
        else:
            text += equations.HIDDEN_ERROR
            above = self.graph.above(layer)
            for kind in ("top_down", "ghost_feedback"):
                text += equations.inputs(kind, [_input_name(kind, post, above) for post in above])
            if self.spec.feedback_of(layer) == "reconstruction":
                text += equations.RECONSTRUCTED
        group = self._population(f"pyramidal_{layer}", self.spec.sizes[layer], text, "s")
        if output:
            group.target = linked_var(self.targets, "rate")
            group.beta = linked_var(self.populations["protocol"], "beta")

    def _add_ghosts(self, layer: int) -> None:
        paired = self.spec.model == "MA"
        rate = self._rate_function(layer, ghosts=True).of("g")
        text = equations.GHOST.format(rate=f"intact * ({rate})" if self.spec.lesion else rate)
        text += self._bottom_up(layer)
        text += equations.GHOST_PARTNER * paired + equations.INTACT * bool(self.spec.lesion)
        group = self._population(f"ghost_{layer}", self.spec.ghosts_of(layer), text, "g")
        if paired:
            group.pyramidal = linked_var(self._layer(layer), "s")

    def _add_softmax(self, output: NeuronGroup) -> None:
        # One step of order earlier, so that the sum is there before it divides.
        normaliser = NeuronGroup(
            self.batch, equations.NORMALISER, clock=self.clock, order=-1, name="normaliser"
        )
        self.populations["normaliser"] = normaliser
        self._connect("normalising", output, normaliser, equations.NORMALISING)
        self._connect("division", normaliser, output, equations.DIVISION)

    def _add_biases(self) -> None:
        unit = NeuronGroup(self.batch, equations.BIAS_UNIT, clock=self.clock, name="bias_unit")
        self.populations["bias_unit"] = unit
        for layer in range(1, self.spec.n_layers + 1):
            text = equations.BIAS.format(into="bias")
            self._connect(f"bias_{layer}", unit, self._layer(layer), text)
        for layer in self.graph.ghost_layers:
            text = equations.GHOST_BIAS[self.spec.model].format(into="bias")
            self._connect(f"ghost_bias_{layer}", unit, self._ghosts(layer), text)
        for layer in self.spec.reconstructed_layers:
            text = equations.FEEDBACK_BIAS.format(into="offset")
            self._connect(f"feedback_bias_{layer}", unit, self._layer(layer), text)

    # -- projections ------------------------------------------------------------------

    def _dense(self, name: str, source: Any, target: Any, model: str) -> None:
        self.projections[name] = DenseSynapses(
            source, target, model, batch=self.stimulus, clock=self.clock, name=name
        )

    def _plain_synapses(self, name: str, source: Any, target: Any, model: str) -> None:
        # The order puts weight changes after all sums and before the change of states.
        synapses = Synapses(
            source, target, model, method="euler", clock=self.clock, order=-0.5, name=name
        )
        synapses.connect()
        self.projections[name] = synapses

    def _project_forward(self, pre: int, post: int) -> None:
        into = _input_name("feedforward", pre, self.graph.below(post))
        text = equations.FEEDFORWARD.format(into=into)
        if pre > 0 and self.spec.feedback_of(pre) == "transpose":
            back = _input_name("top_down", post, self.graph.above(pre))
            text += equations.TRANSPOSED_FEEDBACK.format(into=back)
        name = projection_name("feedforward", pre, post)
        self._connect(name, self._layer(pre), self._layer(post), text)

    def _project_feedback(self, pre: int, post: int) -> None:
        mode, above = self.spec.feedback_of(pre), self.graph.above(pre)
        if mode != "transpose":
            text = equations.FEEDBACK[mode].format(into=_input_name("top_down", post, above))
            name = projection_name("feedback", pre, post)
            self._connect(name, self._layer(post), self._layer(pre), text)
        into = _input_name("ghost_feedback", post, above)
        text = equations.GHOST_FEEDBACK.format(into=into)
        name = projection_name("ghost_feedback", pre, post)
        self._connect(name, self._ghosts(post), self._layer(pre), text)
        if self.spec.dale:
            # Between the change of weights and the change of states.
            self.projections[name].run_regularly(
                equations.DALE, when="groups", order=-0.25, name=f"{name}_dale"
            )

    def _project_to_ghosts(self, pre: int, post: int) -> None:
        into = _input_name("feedforward", pre, self.graph.below(post))
        text = equations.GHOST_FORWARD[self.spec.model].format(into=into)
        name = projection_name("ghost_forward", pre, post)
        self._connect(name, self._layer(pre), self._ghosts(post), text)


def _input_name(kind: str, sender: int, senders: tuple[int, ...]) -> str:
    """Name of the variable that one projection sums into; brian2.Synapses need one each."""
    return kind if len(senders) == 1 else f"{kind}_{sender}"

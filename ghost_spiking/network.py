"""From a specification to Brian2 objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from brian2 import Clock, ms
from brian2 import Network as BrianNetwork
from brian2.core.variables import linked_var
from brian2.groups.neurongroup import NeuronGroup
from brian2.synapses.synapses import Synapses

from . import equations
from .dense import ClampedInput, DenseSynapses, WinnerMonitor
from .exceptions import SpecificationError
from .specification import Network, Specification

__all__ = [
    "ENGINES",
    "Engine",
    "GhostNetwork",
    "build",
    "initial_weights",
    "lesioned",
    "projection_name",
    "projection_rates",
    "rate_function_of",
    "run_time_values",
]

Engine = Literal["dense", "synapses"]
ENGINES: tuple[Engine, ...] = ("dense", "synapses")

#: Simulated time is arbitrary; what matters is dt / tau.
DT = 1 * ms


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
        ``protocol`` and ``bias_unit``.
    projections : dict
        By `projection_name`: ``feedforward_l``, ``bias_l``, ``feedback_l`` (unless it is the
        transpose), ``feedback_bias_k`` (of the layer that feedback arrives at, with
        reconstruction), ``ghost_forward_l``, ``ghost_bias_l`` and ``ghost_feedback_l``.
    winners : WinnerMonitor
        The predicted classes.
    """

    network: BrianNetwork
    stimulus: ClampedInput
    targets: ClampedInput
    populations: dict[str, Any]
    projections: dict[str, Any]
    winners: WinnerMonitor


def projection_name(kind: str, pre: int, post: int) -> str:
    """Name what belongs to the connection from one layer to a higher one.

    Between neighbours it has the number of the higher layer, as in the paper; a connection that
    skips layers has both.

    Examples
    --------
    >>> projection_name("ghost_feedback", 1, 2), projection_name("feedforward", 0, 2)
    ('ghost_feedback_2', 'feedforward_0_2')
    """
    return f"{kind}_{post}" if post == pre + 1 else f"{kind}_{pre}_{post}"


def build(
    specification: Specification, engine: Engine = "dense", data_dtype: Any = np.uint8
) -> GhostNetwork:
    """Build the Brian2 objects of a network for the active device.

    No values are set: see `run_time_values`.

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
        self.clock = Clock(DT, name="simulation_clock")
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
        winners = WinnerMonitor(
            output,
            self._rate_function(self.spec.n_layers).of("s"),
            "step == prediction_steps - 1",
            batch=self.stimulus,
            name="winners",
        )
        network = BrianNetwork(
            self.stimulus,
            self.targets,
            *self.populations.values(),
            *self.projections.values(),
            winners,
            name="ghost_network",
        )
        return GhostNetwork(
            network, self.stimulus, self.targets, self.populations, self.projections, winners
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

    def _rate_function(self, layer: int, *, ghosts: bool = False) -> equations.RateFunction:
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


def rate_function_of(
    network: Network, layer: int, *, ghosts: bool = False
) -> equations.RateFunction:
    """Give the rate function of a layer, or of the ghosts attached to it.

    It is the same everywhere, but the output of a softmax is linear, and so are the ghosts that
    imitate it.
    """
    output = layer == network.n_layers and network.loss == "cross_entropy"
    if output and not (ghosts and network.model == "MB"):
        return equations.LINEAR
    return equations.rate_function(network.rate_function)


def _input_name(kind: str, sender: int, senders: tuple[int, ...]) -> str:
    """Name of the variable that one projection sums into; brian2.Synapses need one each."""
    return kind if len(senders) == 1 else f"{kind}_{sender}"


def initial_weights(specification: Specification, seed: int) -> dict[str, np.ndarray]:
    """Draw the weights at the start of training.

    Parameters
    ----------
    specification : Specification
        What to draw them for.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    dict of array
        A matrix for each projection, named as in `GhostNetwork`, in the paper's shapes
        (rows are post-synaptic units); biases are columns.
    """
    network = specification.network
    graph, gains = network.graph, network.initial_weights
    generator = np.random.default_rng([seed, 0])
    weights: dict[str, np.ndarray] = {}

    def glorot(n_post: int, n_pre: int, gain: float, normal: bool = False) -> np.ndarray:
        bound = gain * np.sqrt(6 / (n_pre + n_post))
        if normal:
            return generator.normal(0, bound / np.sqrt(3), size=(n_post, n_pre))
        return generator.uniform(-bound, bound, size=(n_post, n_pre))

    for (pre, post), gain in zip(graph.connections, gains.feedforward, strict=True):
        name = projection_name("feedforward", pre, post)
        weights[name] = glorot(network.sizes[post], network.sizes[pre], gain)
    for (pre, post), gain in zip(graph.feedback_connections, gains.feedback, strict=True):
        if network.feedback_of(pre) != "transpose":
            name = projection_name("feedback", pre, post)
            weights[name] = glorot(network.sizes[pre], network.sizes[post], gain)
    normal = gains.ghost_distribution == "normal"
    for (pre, post), gain in zip(graph.ghost_connections, gains.ghost_forward, strict=True):
        drawn = glorot(network.ghosts_of(post), network.sizes[pre], gain, normal)
        if gains.self_predicting:
            drawn = weights[projection_name("feedforward", pre, post)].copy()
        weights[projection_name("ghost_forward", pre, post)] = drawn
    for (pre, post), gain in zip(graph.feedback_connections, gains.ghost_feedback, strict=True):
        drawn = glorot(network.sizes[pre], network.ghosts_of(post), gain)
        if gains.self_predicting:
            transposed = weights[projection_name("feedforward", pre, post)].T
            drawn = weights.get(projection_name("feedback", pre, post), transposed).copy()
        name = projection_name("ghost_feedback", pre, post)
        weights[name] = np.abs(drawn) if network.dale else drawn
    if network.biases:
        for layer in range(1, network.n_layers + 1):
            weights[f"bias_{layer}"] = np.zeros((network.sizes[layer], 1))
        for layer in graph.ghost_layers:
            column = (network.ghosts_of(layer), 1)
            weights[f"ghost_bias_{layer}"] = np.full(column, gains.ghost_bias)
        for layer in network.reconstructed_layers:
            weights[f"feedback_bias_{layer}"] = np.zeros((network.sizes[layer], 1))
    return weights


def run_time_values(
    specification: Specification, *, learn: bool, nudge: bool | None = None, presented: int = 0
) -> dict[str, float]:
    """Give the scalar values of a run, by ``"object.variable"``.

    Without learning, all learning rates are zero.

    Parameters
    ----------
    specification : Specification
        The network and its protocol.
    learn : bool
        Whether weights change.
    nudge : bool, optional
        Whether there is a nudging phase; by default if weights change.
    presented : int, optional
        Presentations that the network has learned from before this run.
    """
    network, protocol = specification.network, specification.protocol
    nudge = learn if nudge is None else nudge
    steps = protocol.prediction_steps + (protocol.nudging_steps if nudge else 0)
    values: dict[str, float] = {
        "protocol.prediction_steps": protocol.prediction_steps,
        "protocol.tau": float(DT) / protocol.time_step,
        "protocol.beta": protocol.beta,
        "protocol.ghost_delay": protocol.ghost_delay,
        "protocol.ghost_onset": max(0, protocol.ghost_onset - presented),
        "protocol.feedforward_onset": max(0, protocol.feedforward_onset - presented),
        "stimulus.steps": steps,
        "targets.steps": steps,
        "targets.scale": 1.0,
    }
    decay = 0.5 ** (presented / protocol.half_life) if protocol.half_life else 1.0
    for name, eta in projection_rates(specification).items():
        slower = decay if name.startswith(("feedforward", "bias")) else 1.0
        values[f"{name}.eta"] = eta * slower if learn else 0.0
    if network.model == "MB" and network.biases:
        for layer in network.graph.ghost_layers:
            values[f"ghost_bias_{layer}.goal"] = protocol.ghost_rate
    return values


def projection_rates(specification: Specification) -> dict[str, float]:
    """Give the learning rate of every plastic projection, by name."""
    network, graph = specification.network, specification.network.graph
    rates = specification.protocol.learning_rates
    etas: dict[str, float] = {}
    for pair, eta in zip(graph.connections, rates.feedforward, strict=True):
        etas[projection_name("feedforward", *pair)] = eta
    for pair, eta in zip(graph.feedback_connections, rates.ghost_feedback, strict=True):
        etas[projection_name("ghost_feedback", *pair)] = eta
    for pair, eta in zip(graph.feedback_connections, rates.feedback, strict=True):
        if network.feedback_of(pair[0]) == "reconstruction":
            etas[projection_name("feedback", *pair)] = eta
            if network.biases:  # an offset is a weight from a unit with rate 1
                etas[f"feedback_bias_{pair[0]}"] = eta
    if network.model == "MA":
        for pair, eta in zip(graph.ghost_connections, rates.ghost_forward, strict=True):
            etas[projection_name("ghost_forward", *pair)] = eta
    if network.biases:
        for layer, eta in enumerate(rates.bias, start=1):
            etas[f"bias_{layer}"] = eta
        for layer, eta in zip(graph.ghost_layers, rates.ghost_bias, strict=True):
            etas[f"ghost_bias_{layer}"] = eta
    return etas


def lesioned(specification: Specification, seed: int) -> dict[str, np.ndarray]:
    """Choose the ghosts that a lesion silences.

    Returns
    -------
    dict of array
        0 for those and 1 for all others, by ``"ghost_l.intact"``, for every replica.
    """
    network = specification.network
    if not network.lesion:
        return {}
    generator = np.random.default_rng([seed, 2])
    chosen = {}
    for layer in network.graph.ghost_layers:
        n_ghosts = network.ghosts_of(layer)
        intact = np.ones(n_ghosts)
        silent = generator.permutation(n_ghosts)[: round(network.lesion * n_ghosts)]
        intact[silent] = 0.0
        chosen[f"ghost_{layer}.intact"] = np.tile(intact, specification.protocol.batch_size)
    return chosen

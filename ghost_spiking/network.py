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
from .specification import Specification

__all__ = ["ENGINES", "Engine", "GhostNetwork", "build", "initial_weights", "run_time_values"]

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
        ``pyramidal_1`` .. ``pyramidal_L`` and ``ghost_2`` .. ``ghost_L``, plus ``protocol``.
    projections : dict
        ``feedforward_l``, ``bias_l``, ``feedback_l`` (alignment only), ``ghost_forward_l``,
        ``ghost_bias_l`` and ``ghost_feedback_l``, l being the layer that owns the units
        (ghosts of layer l project to layer l-1).
    winners : WinnerMonitor
        The predicted classes.
    """

    network: BrianNetwork
    stimulus: ClampedInput
    targets: ClampedInput
    populations: dict[str, Any]
    projections: dict[str, Any]
    winners: WinnerMonitor


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
        self.batch = specification.protocol.batch_size
        if engine not in ENGINES:
            raise SpecificationError(f"engine: '{engine}' is not one of {', '.join(ENGINES)}")
        if engine == "synapses" and self.batch != 1:
            raise SpecificationError(
                "protocol.batch_size: the engine 'synapses' presents one image at a time and "
                f"needs batch_size = 1, got {self.batch}"
            )
        self.clock = Clock(DT, name="simulation_clock")
        self.rate_function = equations.RATE_FUNCTIONS[self.spec.rate_function]
        sizes = self.spec.sizes
        self.stimulus = self._input("stimulus", sizes[0], data_dtype)
        self.targets = self._input("targets", sizes[-1], np.uint8)
        self.populations: dict[str, Any] = {}
        self.projections: dict[str, Any] = {}
        self._connect: Callable[..., Any] = (
            self._dense if engine == "dense" else self._plain_synapses
        )

    def build(self) -> GhostNetwork:
        top = self.spec.n_layers
        protocol = NeuronGroup(1, equations.PROTOCOL, clock=self.clock, name="protocol")
        protocol.step = linked_var(self.stimulus, "step")
        self.populations["protocol"] = protocol
        if self.spec.biases:
            self.populations["bias_unit"] = NeuronGroup(
                self.batch, equations.BIAS_UNIT, clock=self.clock, name="bias_unit"
            )
        for layer in range(1, top + 1):
            self._add_pyramidal(layer)
        for layer in range(2, top + 1):
            self._add_ghosts(layer)
        for layer in range(1, top + 1):
            self._project_forward(layer)
        for layer in range(2, top + 1):
            self._project_ghosts(layer)
        winners = WinnerMonitor(
            self.populations[f"pyramidal_{top}"],
            self.rate_function.rate.format(s="s"),
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

    def _population(self, name: str, n_units: int, text: str, state: str) -> NeuronGroup:
        rate = self.rate_function.rate.format(s=state)
        group = NeuronGroup(
            self.batch * n_units,
            text.format(rate=rate, slope=self.rate_function.slope),
            method="euler",
            clock=self.clock,
            name=name,
        )
        for linked in ("step", "prediction_steps", "nudging", "prediction", "tau"):
            setattr(group, linked, linked_var(self.populations["protocol"], linked))
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

    def _add_pyramidal(self, layer: int) -> None:
        output = layer == self.spec.n_layers
        error = equations.OUTPUT_ERROR if output else equations.HIDDEN_ERROR
        group = self._population(
            f"pyramidal_{layer}", self.spec.sizes[layer], equations.PYRAMIDAL + error, "s"
        )
        if output:
            group.target = linked_var(self.targets, "rate")
            group.beta = linked_var(self.populations["protocol"], "beta")

    def _add_ghosts(self, layer: int) -> None:
        paired = self.spec.model == "MA"
        text = equations.GHOST + (equations.GHOST_PARTNER if paired else "")
        group = self._population(f"ghost_{layer}", self.spec.ghosts[layer - 2], text, "g")
        if paired:
            group.pyramidal = linked_var(self.populations[f"pyramidal_{layer}"], "s")

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

    def _below(self, layer: int) -> Any:
        return self.stimulus if layer == 1 else self.populations[f"pyramidal_{layer - 1}"]

    def _project_forward(self, layer: int) -> None:
        target = self.populations[f"pyramidal_{layer}"]
        model = equations.FEEDFORWARD
        if layer > 1 and self.spec.feedback == "transpose":
            model += equations.TRANSPOSED_FEEDBACK
        self._connect(f"feedforward_{layer}", self._below(layer), target, model)
        if layer > 1 and self.spec.feedback == "alignment":
            self._connect(
                f"feedback_{layer}", target, self._below(layer), equations.ALIGNED_FEEDBACK
            )
        if self.spec.biases:
            self._connect(f"bias_{layer}", self.populations["bias_unit"], target, equations.BIAS)

    def _project_ghosts(self, layer: int) -> None:
        ghosts = self.populations[f"ghost_{layer}"]
        below = self._below(layer)
        forward = equations.GHOST_FORWARD[self.spec.model]
        self._connect(f"ghost_forward_{layer}", below, ghosts, forward)
        if self.spec.biases:
            self._connect(
                f"ghost_bias_{layer}",
                self.populations["bias_unit"],
                ghosts,
                equations.GHOST_BIAS[self.spec.model],
            )
        self._connect(f"ghost_feedback_{layer}", ghosts, below, equations.GHOST_FEEDBACK)


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
    gains = network.initial_weights
    generator = np.random.default_rng([seed, 0])

    def glorot(n_post: int, n_pre: int, gain: float) -> np.ndarray:
        bound = gain * np.sqrt(6 / (n_pre + n_post))
        return generator.uniform(-bound, bound, size=(n_post, n_pre))

    weights = {}
    for layer in range(1, network.n_layers + 1):
        below, here = network.sizes[layer - 1 : layer + 1]
        weights[f"feedforward_{layer}"] = glorot(here, below, gains.feedforward[layer - 1])
        if network.biases:
            weights[f"bias_{layer}"] = np.zeros((here, 1))
        if layer == 1:
            continue
        if network.feedback == "alignment":
            weights[f"feedback_{layer}"] = glorot(below, here, gains.feedback[layer - 2])
        ghosts = network.ghosts[layer - 2]
        forward = glorot(ghosts, below, gains.ghost_forward[layer - 2])
        backward = glorot(below, ghosts, gains.ghost_feedback[layer - 2])
        if gains.self_predicting:
            forward = weights[f"feedforward_{layer}"].copy()
            backward = weights.get(f"feedback_{layer}", forward.T).copy()
        weights[f"ghost_forward_{layer}"] = forward
        weights[f"ghost_feedback_{layer}"] = backward
        if network.biases:
            weights[f"ghost_bias_{layer}"] = np.zeros((ghosts, 1))
    return weights


def run_time_values(specification: Specification, *, learn: bool) -> dict[str, float]:
    """Give the scalar values of a run, by ``"object.variable"``.

    Without learning there is no nudging phase, and all learning rates are zero.
    """
    network, protocol = specification.network, specification.protocol
    rates = protocol.learning_rates
    steps = protocol.prediction_steps + (protocol.nudging_steps if learn else 0)
    values: dict[str, float] = {
        "protocol.prediction_steps": protocol.prediction_steps,
        "protocol.tau": float(DT) / protocol.time_step,
        "protocol.beta": protocol.beta,
        "stimulus.steps": steps,
        "targets.steps": steps,
        "targets.scale": 1.0,
    }
    for layer in range(1, network.n_layers + 1):
        eta = rates.feedforward[layer - 1] if learn else 0.0
        values[f"feedforward_{layer}.eta"] = eta
        if network.biases:
            values[f"bias_{layer}.eta"] = eta
        if layer == 1:
            continue
        values[f"ghost_feedback_{layer}.eta"] = rates.ghost_feedback[layer - 2] if learn else 0.0
        if network.model == "MA":
            eta = rates.ghost_forward[layer - 2] if learn else 0.0
            values[f"ghost_forward_{layer}.eta"] = eta
            if network.biases:
                values[f"ghost_bias_{layer}.eta"] = eta
    return values

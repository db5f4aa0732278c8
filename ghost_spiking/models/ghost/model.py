"""Ghost networks, MA and MB, as populations and projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exceptions import SpecificationError
from ...graph import Graph, projection_name
from ...vectors import angle, norm, ratio, size
from .._language import (
    Layout,
    Phase,
    Readout,
    Signal,
)
from .._model import Choice, Model
from .._registry import register
from ._defaults import defaults
from .populations import name_of
from .projections import GhostProjections
from .sections import GhostNetwork, GhostProtocol

if TYPE_CHECKING:
    from ...specification import Specification
    from ...spikes import Spikes

__all__ = ["MA", "MB", "GhostModel"]


class GhostModel(GhostProjections, Model):
    """What MA and MB share.

    Examples
    --------
    >>> from ghost_spiking.models.ghost import MA, MB, GhostModel
    >>> issubclass(MA, GhostModel), MA.paired, MB.paired
    (True, True, False)
    """

    citation = "Mesnard, Vignoud, Sacramento, Senn & Bengio (2019)"
    network = GhostNetwork
    protocol = GhostProtocol
    distances = {"forward_distance": "$W^f - V^f$", "backward_distance": "$W^b - V^b$"}
    units = {
        "network.ghosts": "units",
        "network.lesion": "fraction of ghosts",
        "protocol.ghost_delay": "time steps",
        "protocol.ghost_onset": "mini-batches",
        "protocol.feedforward_onset": "mini-batches",
        "protocol.half_life": "mini-batches",
        "protocol.calibration_steps": "time steps",
        "protocol.calibration_settling": "time steps",
    }
    choices = (
        Choice(
            "feedback",
            "transpose, alignment (fixed and random), reconstruction or mirror (learned): one kind "
            "for all hidden layers, or one for each.",
        ),
        Choice("ghosts", "Ghosts per layer (MB only).", int),
    )

    # -- specifications ---------------------------------------------------------------

    def lengths(self, graph: Graph) -> dict[str, tuple[int, str]]:
        """Return which fields have a value for each of something, see `Model.lengths`."""
        feedback = len(graph.feedback_connections), "connection between layers above the input"
        forward = len(graph.into(graph.feedback_sources)), "connection into a layer with ghosts"
        layers = len(graph.feedback_sources), "layer with ghosts"
        return super().lengths(graph) | {
            "network.feedback": (len(graph.feedback_targets), "hidden layer"),
            "network.ghosts": layers,
            "network.initial_weights.feedback": feedback,
            "network.initial_weights.ghost_forward": forward,
            "network.initial_weights.ghost_feedback": feedback,
            "protocol.learning_rates.feedback": feedback,
            "protocol.learning_rates.ghost_forward": forward,
            "protocol.learning_rates.ghost_bias": layers,
            "protocol.learning_rates.ghost_feedback": feedback,
        }

    def defaults(
        self, graph: Graph, network: Mapping[str, Any], protocol: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return values for what is left out, see `Model.defaults`."""
        return defaults(self.paired, graph, network, protocol)

    def for_training(self, specification: Specification, n_images: int) -> Specification:
        """Return the specification with its half-life, see `Model.for_training`."""
        protocol: Any = specification.protocol
        if protocol.half_life != "auto":
            return specification
        return specification.replace(half_life=protocol.half_life_for(n_images))

    def spiking_defaults(self, graph: Graph, spikes: Spikes) -> dict[str, Any]:
        """Return values for random spikes, see `Model.spiking_defaults`.

        Phases are long enough to average over, nudging is strong enough to be seen, and ghosts
        start as copies of their partners. The noise of ten output units and their ghosts may
        differ; that of hundreds in a hidden layer would drown the errors below.
        """
        if not spikes.random:
            return {}
        deep = len(graph.feedback_sources) > 1
        protocol = {"time_step": 0.25, "prediction_steps": 24, "nudging_steps": 24, "beta": 6.0}
        network = {"initial_weights": {"self_predicting": True}} if self.paired else {}
        shared = {"shared_noise": self.paired and deep}
        return {"network": network, "protocol": protocol, "spikes": shared}

    def check_given(self, graph: Graph, network: Mapping[str, Any]) -> None:
        """Refuse choices that exclude each other, see `Model.check_given`."""
        weights = network.get("initial_weights", {})
        units = tuple(graph.sizes[layer] for layer in graph.feedback_sources)
        if self.paired and network.get("ghosts", units) != units:
            raise SpecificationError(
                f"network.ghosts: only model MB has a free number of ghosts; {self.name} has one "
                f"for every pyramidal unit, {list(units)}"
            )
        if weights.get("self_predicting") is True and not self.paired:
            raise SpecificationError(
                f"network.initial_weights.self_predicting: model {self.name} has other ghosts than "
                "pyramidal units, so its ghosts can't start as their copies"
            )
        if weights.get("self_predicting") is True and network.get("dale") is True:
            raise SpecificationError(
                "network.initial_weights.self_predicting: W^b has both signs, so V^b can't start "
                "as its copy and obey Dale's law too"
            )

    def check(self, specification: Specification) -> None:
        """Refuse ghosts that never learn, and changes that can't be private."""
        network: Any = specification.network
        protocol: Any = specification.protocol
        if protocol.calibration_steps and not self.paired:
            raise SpecificationError(
                "protocol.calibration_steps: calibration makes V like W, but ghosts of "
                f"{self.name} are not partners of pyramidal units"
            )
        if "mirror" in network.feedback and not protocol.calibration_steps:
            raise SpecificationError(
                "network.feedback: a mirror learns from noise, in the steps in which ghosts are "
                "calibrated; set protocol.calibration_steps"
            )
        if protocol.following != "none" and not self.paired:
            raise SpecificationError(
                f"protocol.following: only ghosts that have a partner can follow it; those of "
                f"{self.name} have none"
            )
        if protocol.private_feedback and self.paired:
            raise SpecificationError(
                "protocol.private_feedback: only V^b of model MB replicates the feedback of each "
                f"image; that of {self.name} learns from all"
            )
        if protocol.private_feedback and network.dale:
            raise SpecificationError(
                "protocol.private_feedback: Dale's law is enforced on the V^b that all images "
                "share, so that none can have its own; set one of the two to false"
            )
        if protocol.ghost_delay >= protocol.prediction_steps:
            raise SpecificationError(
                f"protocol.ghost_delay: ghosts that wait {protocol.ghost_delay} steps never learn "
                f"in a prediction phase of {protocol.prediction_steps}; to switch their learning "
                "off, set learning_rates.ghost_forward and learning_rates.ghost_feedback to 0"
            )

    # -- the network ------------------------------------------------------------------

    def layout(self, specification: Specification) -> Layout:
        """Return the network's populations and projections.

        Weights are drawn in the order of the projections, so that a seed gives the same network
        whatever else changes.
        """
        network: Any = specification.network
        protocol: Any = specification.protocol
        graph = network.graph
        top = network.n_layers
        softmax = network.loss == "cross_entropy"
        back, into = graph.feedback_connections, network.ghost_connections
        noisy = protocol.calibration_settling + protocol.calibration_steps
        return Layout(
            n_inputs=network.sizes[0],
            n_outputs=network.sizes[-1],
            batch_size=protocol.batch_size,
            phases=(
                Phase("prediction", protocol.prediction_steps),
                Phase("nudging", protocol.nudging_steps),
                *([Phase("calibration", noisy)] if protocol.calibration_steps else []),
            ),
            populations=(
                self.protocol_population(specification),
                *(self.pyramidal_population(specification, k) for k in range(1, top + 1)),
                *(self.ghost_population(specification, k) for k in graph.feedback_sources),
                *self._bias_units(network),
                *([self._normaliser()] if softmax else []),
                *(self.power_population(name) for name in self._with_power(specification)),
            ),
            projections=(
                *(self.feedforward(specification, *pair) for pair in graph.connections),
                *(
                    self.feedback(specification, *pair)
                    for pair in back
                    if network.feedback_of(pair[0]) != "transpose"
                ),
                *(self.ghost_forward(specification, *pair) for pair in into),
                *(self.ghost_feedback(specification, *pair) for pair in back),
                *(self._biases(specification) if network.biases else []),
                *(self._softmax(top) if softmax else []),
                *(
                    projection
                    for name in self._with_power(specification)
                    for projection in self.power(name)
                ),
            ),
            readout=Readout(
                f"pyramidal_{top}",
                network.rate_function_of(top).of("s"),
                "step == prediction_steps - 1",
            ),
            seeds=("protocol.noise_seed",) if protocol.calibration_steps else (),
            ages=("protocol.presented",),
            onset=max(protocol.ghost_onset, protocol.feedforward_onset),
        )

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return the state, the ghost, the inputs and the error of a layer's units."""
        network: Any = specification.network
        name, graph = name_of(layer), network.graph
        found = [Signal("state", "pyramidal unit, s", name, "s")]
        if layer in graph.feedback_sources:
            label = "its ghost, g" if self.paired else ""
            found.append(Signal("ghost", label, f"ghost_{layer}", "g", dashed=True))
        found.append(Signal("bottom_up", "bottom-up, b", name, "bottom_up"))
        if layer in graph.feedback_targets:
            found += [
                Signal("top_down", "top-down, t", name, "top_down", 1),
                Signal("ghost_feedback", "ghost feedback, c", name, "ghost_feedback", 1, True),
            ]
        return (*found, Signal("error", "error, e", name, "error", 2))

    def compare_weights(
        self, specification: Specification, weights: Mapping[str, np.ndarray]
    ) -> dict[str, dict[str, float]]:
        """Compare V with W, and W^b with the transpose of W^f.

        Returns
        -------
        dict
            ``forward_distance`` and ``backward_distance``, the Frobenius norms ||W^f - V^f|| and
            ||W^b - V^b|| by projection of ghosts (MA only); ``feedback_alignment``, the angle
            between W^b and the transpose of W^f in degrees, by feedforward projection.
        """
        network: Any = specification.network
        graph = network.graph
        found: dict[str, dict[str, float]] = {
            "forward_distance": {},
            "backward_distance": {},
            "feedback_alignment": {},
        }
        for pair in graph.into(graph.feedback_sources) if self.paired else ():
            name = projection_name("ghost_forward", *pair)
            difference = weights[projection_name("feedforward", *pair)] - weights[name]
            found["forward_distance"][name] = norm(difference)
        for pair in graph.feedback_connections:
            forward = projection_name("feedforward", *pair)
            if network.feedback_of(pair[0]) == "transpose":
                back = weights[forward].T
            else:
                back = weights[projection_name("feedback", *pair)]
            if self.paired:
                name = projection_name("ghost_feedback", *pair)
                found["backward_distance"][name] = norm(back - weights[name])
            found["feedback_alignment"][forward] = angle(back, weights[forward].T)
        return found

    def measure(
        self, specification: Specification, predicted: Mapping[str, np.ndarray]
    ) -> dict[str, dict[Any, float]]:
        """Measure what the ghosts leave uncancelled at the end of the prediction phase.

        Returns
        -------
        dict
            ``state_mismatch``, ||s - g|| by layer with ghosts (MA only); ``feedback_mismatch``,
            ||t - c||, and ``residual``, ||t - c|| / ||t||, by hidden layer.
        """
        graph = specification.network.graph
        mismatch, residual = {}, {}
        for layer in graph.feedback_targets:
            top_down = predicted[f"pyramidal_{layer}.top_down"]
            left = top_down - predicted[f"pyramidal_{layer}.ghost_feedback"]
            mismatch[layer], residual[layer] = size(left), ratio(left, top_down)
        return {
            "state_mismatch": {
                layer: size(predicted[f"pyramidal_{layer}.s"] - predicted[f"ghost_{layer}.g"])
                for layer in (graph.feedback_sources if self.paired else ())
            },
            "feedback_mismatch": mismatch,
            "residual": residual,
        }

    def facts(self, specification: Specification) -> dict[str, str]:
        """Return what a summary says of ghosts and feedback."""
        network: Any = specification.network
        options = ["one ghost for every pyramidal unit" if self.paired else "any number of ghosts"]
        if network.dale:
            options.append("Dale's law, V^b >= 0")
        if network.lesion:
            options.append(f"{network.lesion:.0%} of the ghosts silenced")
        return {
            "Feedback": ", ".join(network.feedback),
            "Ghost units (inhibitory)": "; ".join(options),
        }

    def schedule(self, specification: Specification) -> dict[str, str]:
        """Return when ghosts and W^f learn."""
        protocol: Any = specification.protocol
        rows = {}
        if protocol.ghost_delay:
            rows["ghosts wait"] = f"{protocol.ghost_delay} steps of each presentation"
        if protocol.ghost_onset:
            rows["ghosts learn from"] = f"mini-batch {protocol.ghost_onset} on"
        if protocol.feedforward_onset:
            rows["W^f learns from"] = f"mini-batch {protocol.feedforward_onset} on"
        if protocol.half_life == "auto":
            rows["rates of W^f"] = "fall as 1 / age, from when on depends on the number of images"
        elif protocol.half_life:
            time = f"{protocol.half_life} mini-batches"
            rows["rates of W^f"] = (
                f"fall to half in {time}, as 1 / age"
                if protocol.schedule == "inverse_time"
                else f"halve every {time}"
            )
        return rows


@register
class MA(GhostModel):
    """A ghost for every pyramidal unit, which learns to imitate it.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> layout = Specification.create(sizes=(4, 3, 2), model="MA").layout
    >>> layout.projection("ghost_forward_2").rules
    ('dw/dt = eta * prediction_post * (pyramidal_post - g_post) * rate_pre / tau_post : 1 \
(clock-driven)',)
    """

    name = "MA"
    summary = "a ghost for every pyramidal unit"
    paired = True


@register
class MB(GhostModel):
    """Any number of ghosts, with fixed random input.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> layout = Specification.create(sizes=(4, 3, 2), model="MB", ghosts=50).layout
    >>> layout.size("ghost_2"), layout.projection("ghost_forward_2").rules
    (50, ())
    """

    name = "MB"
    summary = "any number of ghosts, with fixed random input"
    paired = False

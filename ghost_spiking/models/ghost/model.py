"""Ghost networks, MA and MB, as populations and projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...exceptions import SpecificationError
from ...graph import Graph, projection_name
from ...vectors import angle, norm, ratio, size
from .._language import (
    BIAS_UNIT,
    DT,
    STIMULUS,
    TARGETS,
    Constant,
    CopyOf,
    Layout,
    Normal,
    Phase,
    Population,
    Projection,
    Readout,
    Signal,
    Silenced,
    Start,
    Uniform,
)
from .._model import Choice, Model
from .._registry import register
from ._defaults import bounded, defaults
from .equations import GhostEquations
from .sections import GhostNetwork, GhostProtocol

if TYPE_CHECKING:
    from ...specification import Specification

__all__ = ["MA", "MB", "GhostModel"]


class GhostModel(GhostEquations, Model):
    """What MA and MB share.

    Attributes
    ----------
    paired : bool
        Whether each ghost has a pyramidal partner.

    Examples
    --------
    >>> from ghost_spiking.models.ghost import MA, MB, GhostModel
    >>> issubclass(MA, GhostModel), MA.paired, MB.paired
    (True, True, False)
    """

    citation = "Mesnard, Vignoud, Sacramento, Senn & Bengio (2019)"
    network = GhostNetwork
    protocol = GhostProtocol
    paired: ClassVar[bool]
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
            seed="protocol.noise_seed" if protocol.calibration_steps else "",
            age="protocol.presented",
            onset=max(protocol.ghost_onset, protocol.feedforward_onset),
        )

    # -- populations ------------------------------------------------------------------

    def protocol_population(self, specification: Specification) -> Population:
        """Return the unit that opens and closes the gates of the phases."""
        protocol: Any = specification.protocol
        inverse = protocol.schedule == "inverse_time"
        calibrates = protocol.calibration_steps > 0
        nudging_end = protocol.prediction_steps + protocol.nudging_steps
        return Population(
            "protocol",
            1,
            self.protocol_unit
            + (self.three_phases if calibrates else self.two_phases)
            + (self.inverse_time if inverse else self.exponential),
            description="gates of the phases",
            links={name: f"{STIMULUS}.{name}" for name in ("step", "presentation")},
            parameters={
                "prediction_steps": protocol.prediction_steps,
                "tau": DT / protocol.time_step,
                "beta": protocol.beta,
                "ghost_delay": protocol.ghost_delay,
                "ghost_onset": protocol.ghost_onset,
                "feedforward_onset": protocol.feedforward_onset,
                "decay": (1 if inverse else np.log(2)) / (protocol.half_life or np.inf),
            }
            | (
                {
                    "nudging_end": nudging_end,
                    "noise_start": nudging_end + protocol.calibration_settling,
                    "noise_size": protocol.calibration_noise,
                }
                if calibrates
                else {}
            ),
            replicated=False,
        )

    def _gate_links(self) -> dict[str, str]:
        names = ("step", "prediction_steps", "nudge", "prediction", "nudging", "tau")
        return {name: f"protocol.{name}" for name in names}

    def _noise_links(self) -> dict[str, str]:
        return {name: f"protocol.{name}" for name in ("deviation", "noise_seed", "age")}

    def _is_mirrored(self, network: Any, layer: int) -> bool:
        """Tell whether a layer below learns its feedback from this one as a mirror."""
        return any(
            post == layer and network.feedback_of(pre) == "mirror"
            for pre, post in network.graph.feedback_connections
        )

    def _bottom_up(self, network: Any) -> str:
        return self.bottom_up if network.biases else self.bottom_up_without_bias

    def pyramidal_population(self, specification: Specification, layer: int) -> Population:
        """Return the pyramidal units of a layer, eq. (1)."""
        network: Any = specification.network
        function = network.rate_function_of(layer)
        protocol: Any = specification.protocol
        calibrates = protocol.calibration_steps > 0
        rate = self.with_noise.format(rate=function.rate) if calibrates else function.rate
        text = self.pyramidal.format(rate=rate, slope=function.slope)
        text += self._bottom_up(network) + self.gates
        links = self._gate_links()
        notes = []
        if calibrates:
            text += self.noise.format(layer=layer)
            links |= self._noise_links()
        if self._is_mirrored(network, layer):
            text += self.mirrored_unit
            notes.append(self.noting_drive)
        output = layer == network.n_layers
        if output:
            text += self.cross_entropy if network.loss == "cross_entropy" else self.squared_error
            links |= {"target": f"{TARGETS}.rate", "beta": "protocol.beta"}
        else:
            text += self.hidden_error
            if calibrates:
                text += self.calibrated_unit
                links["calibrating"] = "protocol.calibrating"
                notes.append(self.noting_error)
            if network.feedback_of(layer) == "reconstruction":
                text += self.reconstructed
                text += "" if network.biases else "offset : 1\n"
        return Population(
            f"pyramidal_{layer}",
            network.sizes[layer],
            text,
            description=f"pyramidal units, {'output' if output else 'hidden'}",
            states=("s",),
            links=links,
            updates={"after_groups": "\n".join(notes)} if notes else {},
        )

    def ghost_population(self, specification: Specification, layer: int) -> Population:
        """Return the ghosts attached to a layer, eq. (2)."""
        network: Any = specification.network
        protocol: Any = specification.protocol
        calibrates = protocol.calibration_steps > 0
        rate = self.ghost_rate_function(network, layer).of("g")
        rate = self.with_noise.format(rate=rate) if calibrates else rate
        text = self.ghost.format(rate=f"intact * ({rate})" if network.lesion else rate)
        text += self._bottom_up(network) + self.gates
        links = self._gate_links()
        notes = []
        if self.paired:
            text += self.ghost_partner
            links["pyramidal"] = f"pyramidal_{layer}.s"
        if protocol.following != "none":
            text += self.copied_change if protocol.following == "copy" else self.local_change
            links["pyramidal_slope"] = f"pyramidal_{layer}.slope"
        if protocol.following == "copy":
            links["pyramidal_error"] = f"pyramidal_{layer}.error"
        if calibrates:
            text += self.noise.format(layer=layer) + self.calibrated_ghost
            notes.append(self.noting_mismatch)
            links |= self._noise_links()
            links["calibrating"] = "protocol.calibrating"
            links["pyramidal_bottom_up"] = f"pyramidal_{layer}.bottom_up"
        if self._is_mirrored(network, layer):
            text += self.mirrored_unit
            notes.append(self.noting_drive)
        return Population(
            f"ghost_{layer}",
            network.ghosts_of(layer),
            text + self.intact * bool(network.lesion),
            description="ghost units",
            states=("g",),
            links=links,
            updates={"after_groups": "\n".join(notes)} if notes else {},
            drawn={"intact": Silenced(network.lesion)} if network.lesion else {},
        )

    def ghost_rate_function(self, network: Any, layer: int) -> Any:
        """Return rho of a layer's ghosts: that of their partners, if they have any."""
        from ...rate_functions import rate_function

        if self.paired:
            return network.rate_function_of(layer)
        return rate_function(network.rate_function)

    def _bias_units(self, network: Any) -> list[Population]:
        if not network.biases:
            return []
        return [Population(BIAS_UNIT, 1, self.bias_unit, description="unit with rate 1")]

    def _normaliser(self) -> Population:
        # One step of order earlier, so that the sum is there before it divides.
        return Population(
            "normaliser", 1, self.normaliser, description="sum of the softmax", order=-1
        )

    def power_population(self, name: str) -> Population:
        """Return the unit that sums the squared rates of a population."""
        return Population(
            f"power_{name}", 1, self.power_unit, description="sum of squared rates", order=-1
        )

    def _normalised(self, specification: Specification, function: Any, layer: int = 1) -> bool:
        """Tell whether rules of ghosts are relative to the power of such pre-synaptic rates."""
        protocol: Any = specification.protocol
        return protocol.normalised and layer > 0 and not bounded(function.function)

    def _with_power(self, specification: Specification) -> list[str]:
        """Return populations whose rates are pre-synaptic in a normalised rule of ghosts."""
        network: Any = specification.network
        ghosts = [
            f"ghost_{layer}"
            for layer in network.graph.feedback_sources
            if self._normalised(specification, self.ghost_rate_function(network, layer))
        ]
        senders = sorted({pre for pre, _ in network.ghost_connections})
        pyramidal = [
            _layer(layer)
            for layer in senders
            if self.paired
            and self._normalised(specification, network.rate_function_of(layer), layer)
        ]
        return ghosts + pyramidal

    # -- projections ------------------------------------------------------------------

    def power(self, name: str) -> list[Projection]:
        """Return what a population and its power unit tell each other."""
        unit = f"power_{name}"
        return [
            Projection(f"squaring_{name}", name, unit, self.squaring),
            Projection(f"telling_{name}", unit, name, self.telling),
        ]

    def feedforward(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return W^f of one connection, and with it W^b where that is the transpose."""
        network: Any = specification.network
        place = network.graph.connections.index((pre, post))
        text = self.hebbian + self.drive.format(into="feedforward") + self.learning_rate
        if pre > 0 and network.feedback_of(pre) == "transpose":
            text += self.transposed_drive.format(into="top_down")
        gain = network.initial_weights.feedforward[place]
        return Projection(
            projection_name("feedforward", pre, post),
            _layer(pre),
            _layer(post),
            text,
            Uniform.glorot(network.sizes[pre], network.sizes[post], gain),
            eta=specification.protocol.learning_rates.feedforward[place],
            rate_field="feedforward",
            phase="nudging",
            equation="(5), (7)",
        )

    def feedback(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return W^b of one connection, if it is not the transpose: fixed, or learned."""
        network: Any = specification.network
        protocol: Any = specification.protocol
        place = network.graph.feedback_connections.index((pre, post))
        gain = network.initial_weights.feedback[place]
        drive = self.drive.format(into="top_down")
        kind = network.feedback_of(pre)
        known: dict[str, Any] = {}
        rule = self.fixed
        if kind == "reconstruction":
            rule = self.reconstruction + self.learning_rate
            equation = "derived from the paper's reconstruction cost"
            known = {"phase": "prediction", "equation": equation}
        elif kind == "mirror":
            rule = self.mirror.format(self.mirroring.format(rate="eta"))
            rule += self.variance + self.learning_rate
            known = {"phase": "calibration", "equation": "Akrout et al. (2019)"}
            known["parameters"] = {"variance": protocol.calibration_noise**2}
        return Projection(
            projection_name("feedback", pre, post),
            _layer(post),
            _layer(pre),
            rule + drive,
            Uniform.glorot(network.sizes[post], network.sizes[pre], gain),
            eta=protocol.learning_rates.feedback[place] if known else None,
            rate_field="feedback",
            **known,
        )

    def ghost_forward(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return V^f of one connection: plastic in MA, fixed in MB."""
        network: Any = specification.network
        protocol: Any = specification.protocol
        place = network.ghost_connections.index((pre, post))
        gains = network.initial_weights
        start: Start = Uniform.glorot(
            network.sizes[pre], network.ghosts_of(post), gains.ghost_forward[place]
        )
        if gains.self_predicting:
            start = CopyOf(projection_name("feedforward", pre, post))
        elif gains.ghost_distribution == "normal":
            start = Normal(start.bound / np.sqrt(3))  # type: ignore[attr-defined]
        drive = self.drive.format(into="feedforward")
        normalises = self._normalised(specification, network.rate_function_of(pre), pre)
        rule = self.normalised_imitation if normalises else self.imitation
        learned = {
            "equation": "(3)", "phase": "prediction", "rate_field": "ghost_forward",
            "eta": protocol.learning_rates.ghost_forward[place],
        }  # fmt: skip
        if protocol.calibration_steps and pre > 0:  # images have no noise
            rule = self.calibration
            learned |= self._calibrated(specification, network.sizes[pre])
        if protocol.following != "none":
            rule, learned = self._following(
                rule, self.following_forward, learned, protocol.learning_rates.feedforward[
                    network.connections.index((pre, post))
                ],
            )  # fmt: skip
        return Projection(
            projection_name("ghost_forward", pre, post),
            _layer(pre),
            f"ghost_{post}",
            rule + drive + self.learning_rate if self.paired else drive + self.fixed,
            start,
            **(learned if self.paired else {}),
        )

    def ghost_feedback(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return V^b of one connection."""
        network: Any = specification.network
        protocol: Any = specification.protocol
        place = network.graph.feedback_connections.index((pre, post))
        gains = network.initial_weights
        start: Start
        if gains.self_predicting:
            transposed = network.feedback_of(pre) == "transpose"
            kind = "feedforward" if transposed else "feedback"
            start = CopyOf(projection_name(kind, pre, post), transposed)
        else:
            gain = gains.ghost_feedback[place]
            start = Uniform.glorot(
                network.ghosts_of(post), network.sizes[pre], gain, positive=network.dale
            )
        normalises = self._normalised(specification, self.ghost_rate_function(network, post))
        rule = self.normalised_cancellation if normalises else self.cancellation
        learned = {
            "equation": "(4), (6)", "phase": "prediction", "rate_field": "ghost_feedback",
            "eta": protocol.learning_rates.ghost_feedback[place],
        }  # fmt: skip
        if protocol.calibration_steps:
            rule = self.calibration
            learned |= self._calibrated(specification, network.ghosts_of(post))
        if network.feedback_of(pre) == "mirror":
            rule = _plus(rule, self.mirroring.format(rate="mirror"))
            rule += self.variance + self.mirroring_rate
            learned["rates"] = {"mirror": protocol.learning_rates.feedback[place]}
            learned["parameters"] = {"variance": protocol.calibration_noise**2}
        # Only W^b that follows W^f changes in the nudging phase.
        if protocol.following != "none" and network.feedback_of(pre) == "transpose":
            rule, learned = self._following(
                rule, self.following_backward, learned, protocol.learning_rates.feedforward[
                    network.connections.index((pre, post))
                ],
            )  # fmt: skip
        if protocol.private_feedback and protocol.batch_size > 1:
            # V^b replicates the feedback of each image, and so each has its own changes.
            rule = rule.replace("(clock-driven)", "(clock-driven, private)")
        return Projection(
            projection_name("ghost_feedback", pre, post),
            f"ghost_{post}",
            _layer(pre),
            rule + self.drive.format(into="ghost_feedback") + self.learning_rate,
            start,
            constraint=self.dale if network.dale else "",
            # V^b of MB replicates the feedback of each image, eq. (6), the present one too.
            always=not self.paired,
            **learned,
        )

    def _calibrated(self, specification: Specification, n_pre: int) -> dict[str, Any]:
        """Return what is known of a rule that noise of so many units drives."""
        protocol: Any = specification.protocol
        # What the noise of others does averages out over images.
        others = 1 + 2 * n_pre / protocol.batch_size
        return {
            "eta": protocol.learning_rates.calibration / others / protocol.calibration_noise**2,
            "rate_field": "calibration",
            "phase": "calibration",
            "equation": "not in the paper",
        }

    def _following(
        self, rule: str, term: str, learned: dict[str, Any], rate: float
    ) -> tuple[str, dict[str, Any]]:
        """Add what follows W^f, at its learning rate, to a rule and to what is known of it."""
        return _plus(rule, term) + self.follow, learned | {
            "rates": {"follow": rate},
            "phase": f"{learned['phase']}, nudging",
            "equation": f"{learned['equation']}; (5) of the partner",
        }

    def _biases(self, specification: Specification) -> list[Projection]:
        network: Any = specification.network
        return [
            *(self.bias(specification, layer) for layer in range(1, network.n_layers + 1)),
            *(self.ghost_bias(specification, layer) for layer in network.graph.feedback_sources),
            *(self.feedback_bias(specification, layer) for layer in network.reconstructed_layers),
        ]

    def bias(self, specification: Specification, layer: int) -> Projection:
        """Return the biases of a layer, which learn as W^f does."""
        return Projection(
            f"bias_{layer}",
            BIAS_UNIT,
            _layer(layer),
            self.hebbian + self.drive.format(into="bias") + self.learning_rate,
            Constant(0.0),
            eta=specification.protocol.learning_rates.bias[layer - 1],
            rate_field="bias",
            phase="nudging",
            equation="as (5), (7)",
        )

    def ghost_bias(self, specification: Specification, layer: int) -> Projection:
        """Return the biases of a layer's ghosts: as V^f in MA, for homeostasis in MB."""
        network: Any = specification.network
        protocol: Any = specification.protocol
        place = network.graph.feedback_sources.index(layer)
        rule = self.imitation if self.paired else self.homeostasis
        learned = {
            "equation": "as (3)" if self.paired else "not in the paper", "phase": "prediction",
            "rate_field": "ghost_bias", "eta": protocol.learning_rates.ghost_bias[place],
        }  # fmt: skip
        if protocol.calibration_steps:
            rule = self.bias_calibration
            learned |= self._calibrated(specification, 0)
            learned["eta"] = 0.2 * protocol.learning_rates.calibration
        if protocol.following != "none":
            rate = protocol.learning_rates.bias[layer - 1]
            rule, learned = self._following(rule, self.following_forward, learned, rate)
        return Projection(
            f"ghost_bias_{layer}",
            BIAS_UNIT,
            f"ghost_{layer}",
            rule + self.drive.format(into="bias") + self.learning_rate,
            Constant(network.initial_weights.ghost_bias),
            parameters={} if self.paired else {"goal": protocol.ghost_rate},
            **learned,
        )

    def feedback_bias(self, specification: Specification, layer: int) -> Projection:
        """Return the offsets of a layer with learned feedback: weights from a unit with rate 1."""
        protocol: Any = specification.protocol
        connections = specification.network.graph.feedback_connections
        # It learns like the last of the layer's connections.
        place = max(k for k, (pre, _) in enumerate(connections) if pre == layer)
        return Projection(
            f"feedback_bias_{layer}",
            BIAS_UNIT,
            _layer(layer),
            self.reconstruction + self.drive.format(into="offset") + self.learning_rate,
            Constant(0.0),
            eta=protocol.learning_rates.feedback[place],
            rate_field="feedback",
            phase="prediction",
            equation="as for W^b",
        )

    def _softmax(self, top: int) -> list[Projection]:
        output = _layer(top)
        return [
            Projection("normalising", output, "normaliser", self.normalising),
            Projection("division", "normaliser", output, self.division),
        ]

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return the state, the ghost, the inputs and the error of a layer's units."""
        network: Any = specification.network
        name, graph = _layer(layer), network.graph
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
        if protocol.half_life:
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


def _plus(rule: str, term: str) -> str:
    """Add a term to what a rule does."""
    end = " : 1 (clock-driven)"
    return rule.replace(end, f" + {term}{end}")


def _layer(layer: int) -> str:
    return f"pyramidal_{layer}" if layer else STIMULUS

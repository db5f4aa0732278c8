"""The projections of ghost networks: one method for each kind, for a model to override."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...graph import projection_name
from .. import _softmax
from .._language import BIAS_UNIT, Constant, CopyOf, Normal, Projection, Start, Uniform
from .populations import GhostPopulations, name_of

if TYPE_CHECKING:
    from ...specification import Specification

__all__ = ["GhostProjections"]


class GhostProjections(GhostPopulations):
    """W^f, W^b, V^f, V^b and biases, with their rules.

    Examples
    --------
    >>> from ghost_spiking.models.ghost import MA
    >>> from ghost_spiking.models.ghost.projections import GhostProjections
    >>> issubclass(MA, GhostProjections)
    True
    """

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
            name_of(pre),
            name_of(post),
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
            name_of(post),
            name_of(pre),
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
            name_of(pre),
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
            name_of(pre),
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
            name_of(layer),
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
            name_of(layer),
            self.reconstruction + self.drive.format(into="offset") + self.learning_rate,
            Constant(0.0),
            eta=protocol.learning_rates.feedback[place],
            rate_field="feedback",
            phase="prediction",
            equation="as for W^b",
        )

    def _softmax(self, top: int) -> list[Projection]:
        return _softmax.normalising(name_of(top), self.normalising, self.division)


def _plus(rule: str, term: str) -> str:
    """Add a term to what a rule does."""
    end = " : 1 (clock-driven)"
    return rule.replace(end, f" + {term}{end}")

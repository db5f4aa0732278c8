"""The populations of ghost networks: one method for each kind, for a model to override."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import _softmax
from .._language import BIAS_UNIT, STIMULUS, TARGETS, Population, Silenced
from ._choices import bounded
from .equations import GhostEquations

if TYPE_CHECKING:
    from ...specification import Specification

__all__ = ["GhostPopulations"]


class GhostPopulations(GhostEquations):
    """Units and ghosts of every layer.

    Attributes
    ----------
    paired : bool
        Whether each ghost has a pyramidal partner.

    Examples
    --------
    >>> from ghost_spiking.models.ghost import MA
    >>> from ghost_spiking.models.ghost.populations import GhostPopulations
    >>> issubclass(MA, GhostPopulations)
    True
    """

    paired: ClassVar[bool]

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
                "tau": specification.dt / protocol.time_step,
                "beta": protocol.beta,
                "ghost_delay": protocol.ghost_delay,
                "ghost_onset": protocol.ghost_onset,
                "feedforward_onset": protocol.feedforward_onset,
                "decay": (1 if inverse else np.log(2)) / (protocol.half_life_for() or np.inf),
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
            partner=f"pyramidal_{layer}" if self.paired else "",
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
        return _softmax.normaliser(self.normaliser)

    def power_population(self, name: str) -> Population:
        """Return the unit that sums the squared rates of a population."""
        return Population(
            f"power_{name}", 1, self.power_unit, description="sum of squared rates", order=-1
        )

    def _normalised(self, specification: Specification, function: Any, layer: int = 1) -> bool:
        """Tell whether rules of ghosts are relative to the power of such pre-synaptic rates."""
        protocol: Any = specification.protocol
        # V^b of MB has to be fast, within each image, however many ghosts are active.
        suited = protocol.private_feedback or not bounded(function.function)
        return protocol.normalised and layer > 0 and suited

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
            name_of(layer)
            for layer in senders
            if self.paired
            and self._normalised(specification, network.rate_function_of(layer), layer)
        ]
        return ghosts + pyramidal


def name_of(layer: int) -> str:
    """Return the name of the population of a layer's pyramidal units, or of the input.

    Examples
    --------
    >>> from ghost_spiking.models.ghost.populations import name_of
    >>> name_of(0), name_of(2)
    ('stimulus', 'pyramidal_2')
    """
    return f"pyramidal_{layer}" if layer else STIMULUS

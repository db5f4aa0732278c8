"""Equilibrium propagation (Scellier & Bengio 2017).

A Hopfield-like network with symmetric weights relaxes to a minimum of its energy (free phase),
then its output is pulled weakly towards the target (nudged phase). Weights change by the
difference of the products of rates in the two phases. Numbers in brackets are those of the paper.

    (1)  E = 1/2 sum_i s_i^2 - 1/2 sum_ij W_ij rho(s_i) rho(s_j) - sum_i b_i rho(s_i)
    (3)  C = 1/2 ||y - s_L||^2,  F = E + beta C
    (6)  ds/dt = -dF/ds
    (20) Delta W_ij = eta / beta * (rho_i rho_j in the nudged - rho_i rho_j in the free phase)

rho is the hard sigmoid clip(s, 0, 1), and states are kept between 0 and 1, so rho(s) = s and
its slope is 1. Presentations start from rest, with the free phase long enough to settle, where
the paper keeps the state of each image from one epoch to the next.

With ``symmetric``, a third phase starts from the free state and pulls the output the other way
(Laborieux et al. 2021, eq. (8)), which leaves an error of the order of beta^2:

    Delta W_ij = eta / (2 beta) * (rho_i rho_j at beta - rho_i rho_j at -beta)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._checks import Flag
from ..graph import Graph
from ._language import Phase, Population, Signal
from ._once import ChangesOnce
from ._registry import register
from ._sections import Protocol

if TYPE_CHECKING:
    from ..specification import Specification

__all__ = ["EquilibriumPropagation", "EquilibriumProtocol"]


class EquilibriumProtocol(Protocol):
    """How images are presented; the common fields are those of `Protocol`.

    Attributes
    ----------
    symmetric : bool
        Whether a third phase, as long as the second, pulls the output the other way.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(
    ...     sizes=(4, 3, 2), model="equilibrium_propagation", symmetric=True
    ... )
    >>> [phase.name for phase in specification.layout.phases]
    ['free', 'nudged', 'opposite', 'change']
    """

    symmetric: Flag = False


@register
class EquilibriumPropagation(ChangesOnce):
    """Equilibrium propagation, any number of hidden layers.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(
    ...     sizes=(64, 100, 10), model="equilibrium_propagation"
    ... )
    >>> [(phase.name, phase.steps) for phase in specification.layout.phases]
    [('free', 20), ('nudged', 4), ('change', 1)]
    """

    name = "equilibrium_propagation"
    summary = "symmetric weights, a free and a nudged phase, one contrastive change of weights"
    citation = "Scellier & Bengio (2017)"
    protocol = EquilibriumProtocol

    first, second = "free", "nudged"
    equation = "(20)"

    #: Eq. (6); `free` keeps the rate at the end of the free phase.
    hidden = """
ds/dt = (-s + bottom_up + top_down) / tau : 1
rate = s : 1 (constant over dt)
free : 1
"""
    output = """
ds/dt = (-s + bottom_up + nudge * beta * (target - s)) / tau : 1
rate = s : 1 (constant over dt)
free : 1
"""
    remember = "free = free + int(step == prediction_steps) * (s - free)"
    keep_in_bounds = "s = clip(s, 0, 1)"

    #: Eq. (20), once, after the nudged phase.
    hebbian = """
dw/dt = eta * ended_post / beta_post * (rate_post * rate_pre - free_post * free_pre) / dt : 1 \
(clock-driven)
"""
    #: The same where the pre-synaptic rate is clamped.
    bias_rule = """
dw/dt = eta * ended_post / beta_post * (rate_post - free_post) * rate_pre / dt : 1 (clock-driven)
"""
    #: With a third phase: it starts where the free one has ended, and the other way round.
    symmetric_unit = (
        ChangesOnce.protocol_unit.partition("nudge =")[0]
        + """
nudge = int(step >= prediction_steps) - 2 * int(step >= prediction_steps + nudging_steps) \
: 1 (shared)
last = int(step == prediction_steps + nudging_steps - 1) : 1 (shared)
ended = int(step == prediction_steps + 2 * nudging_steps) : 1 (shared)
"""
    )
    positive = """
positive : 1
last : 1 (linked)
"""
    start_again = """
positive = positive + last * (s - positive)
s = s + last * (free - s)
"""
    symmetric_hebbian = """
dw/dt = eta * ended_post / (2 * beta_post) \
* (positive_post * positive_pre - rate_post * rate_pre) / dt : 1 (clock-driven)
"""
    symmetric_bias_rule = """
dw/dt = eta * ended_post / (2 * beta_post) * (positive_post - rate_post) * rate_pre / dt : 1 \
(clock-driven)
"""
    symmetric_feedback = """
top_down_pre = w * rate_post : 1 (summed)
"""

    # -- specifications ---------------------------------------------------------------

    def defaults(
        self, graph: Graph, network: Mapping[str, Any], protocol: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return values for what is left out: those of the paper for one to three hidden layers."""
        hidden = graph.n_layers - 1
        batch = protocol.get("batch_size", 20)
        given = protocol.get("learning_rates", {})
        # Steps of the free phase, of the nudged phase, and the rates from the output down.
        free, nudged, rates = {
            1: (20, 4, (0.05, 0.1)),
            2: (100, 6, (0.01, 0.1, 0.4)),
        }.get(hidden, (500, 8, (0.002, 0.008, 0.032, 0.128)))

        def rate(post: int) -> float:
            return rates[min(graph.n_layers - post, len(rates) - 1)]

        feedforward = given.get("feedforward") or tuple(rate(post) for _, post in graph.connections)
        nearest = {
            post: eta for (_, post), eta in sorted(zip(graph.connections, feedforward, strict=True))
        }
        return {
            "network": {
                "rate_function": "clip",
                "loss": "squared_error",
                "biases": True,
                "initial_weights": {"feedforward": (1.0,) * len(graph.connections)},
            },
            "protocol": {
                "time_step": 0.5,
                "prediction_steps": free,
                "nudging_steps": nudged,
                "beta": 1.0,
                "batch_size": batch,
                "learning_rates": {
                    "feedforward": feedforward,
                    "bias": tuple(nearest[layer] for layer in range(1, graph.n_layers + 1)),
                },
            },
        }

    def check_given(self, graph: Graph, network: Mapping[str, Any]) -> None:
        """Refuse what the energy does not have."""
        self.require(network, rate_function="clip", loss="squared_error", linear_output=False)

    # -- the network ------------------------------------------------------------------

    def phases(self, specification: Specification) -> tuple[Phase, ...]:
        """Return the phases before the last step."""
        protocol: Any = specification.protocol
        opposite = Phase("opposite", protocol.nudging_steps)
        return (*super().phases(specification), *([opposite] if protocol.symmetric else []))

    def protocol_equations(self, specification: Specification) -> str:
        """Return the equations of the gates."""
        protocol: Any = specification.protocol
        return self.symmetric_unit if protocol.symmetric else self.protocol_unit

    def layer(self, specification: Specification, layer: int) -> Population:
        """Return the units of a layer."""
        protocol: Any = specification.protocol
        found = super().layer(specification, layer)
        links = {"last": "protocol.last"} if protocol.symmetric else {}
        return replace(found, links=dict(found.links) | links)

    def equations(self, specification: Specification, layer: int) -> str:
        """Return the equations of a layer's units."""
        protocol: Any = specification.protocol
        text = self.output if layer == specification.network.n_layers else self.hidden
        return text + self.positive * protocol.symmetric

    def updates(self, specification: Specification, layer: int) -> dict[str, str]:
        """Return what keeps the free state, and all states between 0 and 1."""
        protocol: Any = specification.protocol
        after = self.keep_in_bounds + self.start_again * protocol.symmetric
        return {"start": self.remember, "after_groups": after}

    def rule(self, specification: Specification, pre: int, post: int) -> str:
        """Return the rule of a connection; the input is the same in all phases."""
        protocol: Any = specification.protocol
        if protocol.symmetric:
            return self.symmetric_hebbian if pre else self.symmetric_bias_rule
        return self.hebbian if pre else self.bias_rule

    def bias_rule_of(self, specification: Specification) -> str:
        """Return the rule of biases."""
        protocol: Any = specification.protocol
        return self.symmetric_bias_rule if protocol.symmetric else self.bias_rule

    def returning(self, specification: Specification, pre: int, post: int) -> str:
        """Return the sum that the same weights carry backwards."""
        return self.symmetric_feedback if pre else ""

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return the state and the inputs of a layer's units."""
        name = f"layer_{layer}"
        found = [Signal("state", "state, s", name, "s")]
        found.append(Signal("bottom_up", "from below", name, "bottom_up", 1))
        if layer < specification.network.n_layers:
            found.append(Signal("top_down", "from above", name, "top_down", 1))
        return tuple(found)

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
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import SpecificationError
from ..graph import Graph, projection_name
from ._language import (
    BIAS_UNIT,
    STIMULUS,
    TARGETS,
    Constant,
    Layout,
    Phase,
    Population,
    Projection,
    Readout,
    Signal,
    Uniform,
)
from ._model import Model
from ._registry import register

if TYPE_CHECKING:
    from ..specification import Specification

__all__ = ["EquilibriumPropagation"]


@register
class EquilibriumPropagation(Model):
    """Equilibrium propagation with one sign of beta, any number of hidden layers.

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

    protocol_unit = """
step : integer (linked)
prediction_steps : integer (constant, shared)
nudging_steps : integer (constant, shared)
tau : second (constant, shared)
beta : 1 (constant, shared)
nudge = int(step >= prediction_steps) : 1 (shared)
ended = int(step == prediction_steps + nudging_steps) : 1 (shared)
"""
    gates = """
step : integer (linked)
prediction_steps : integer (linked)
tau : second (linked)
beta : 1 (linked)
nudge : 1 (linked)
ended : 1 (linked)
"""
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
target : 1 (linked)
"""
    bottom_up = """
bottom_up = feedforward + bias : 1
"""
    bottom_up_without_bias = """
bottom_up = feedforward : 1
"""
    remember = "free = free + int(step == prediction_steps) * (s - free)"
    keep_in_bounds = "s = clip(s, 0, 1)"
    bias_unit = "rate = 1.0 : 1 (constant over dt)"

    #: Eq. (20), once, after the nudged phase.
    contrastive = """
dw/dt = eta * ended_post / beta_post * (rate_post * rate_pre - free_post * free_pre) / dt : 1 \
(clock-driven)
"""
    #: The same where the pre-synaptic rate is clamped.
    contrastive_clamped = """
dw/dt = eta * ended_post / beta_post * (rate_post - free_post) * rate_pre / dt : 1 (clock-driven)
"""
    drive = """
{into}_post = w * rate_pre : 1 (summed)
eta : 1 (constant, shared)
"""
    drive_backwards = """
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
        """Refuse rate functions and losses that the energy does not have."""
        for field, only in (("rate_function", "clip"), ("loss", "squared_error")):
            if network.get(field, only) != only:
                raise SpecificationError(
                    f"network.{field}: {self.name} has '{only}', got '{network[field]}'"
                )

    # -- the network ------------------------------------------------------------------

    def layout(self, specification: Specification) -> Layout:
        """Return the network's populations and projections."""
        network, protocol = specification.network, specification.protocol
        top = network.n_layers
        layers = range(1, top + 1)
        bias_unit = Population(BIAS_UNIT, 1, self.bias_unit, description="unit with rate 1")
        rates = protocol.learning_rates.bias
        return Layout(
            n_inputs=network.sizes[0],
            n_outputs=network.sizes[-1],
            batch_size=protocol.batch_size,
            phases=(
                Phase("free", protocol.prediction_steps),
                Phase("nudged", protocol.nudging_steps),
                Phase("change", 1),
            ),
            populations=(
                self.protocol_population(specification),
                *(self.layer(specification, layer) for layer in layers),
                *([bias_unit] if network.biases else []),
            ),
            projections=(
                *(self.feedforward(specification, *pair) for pair in network.connections),
                *(
                    Projection(
                        f"bias_{layer}",
                        BIAS_UNIT,
                        f"layer_{layer}",
                        self.contrastive_clamped + self.drive.format(into="bias"),
                        Constant(0.0),
                        eta=eta,
                        rate_field="bias",
                        phase="change",
                        equation="(20)",
                    )
                    for layer, eta in (enumerate(rates, start=1) if network.biases else ())
                ),
            ),
            readout=Readout(f"layer_{top}", "s", "step == prediction_steps - 1"),
        )

    def protocol_population(self, specification: Specification) -> Population:
        """Return the unit that opens and closes the gates of the phases."""
        protocol = specification.protocol
        return Population(
            "protocol",
            1,
            self.protocol_unit,
            description="gates of the phases",
            links={"step": f"{STIMULUS}.step"},
            parameters={
                "prediction_steps": protocol.prediction_steps,
                "nudging_steps": protocol.nudging_steps,
                "tau": specification.dt / protocol.time_step,
                "beta": protocol.beta,
            },
            replicated=False,
        )

    def layer(self, specification: Specification, layer: int) -> Population:
        """Return the units of a layer, eq. (6)."""
        network = specification.network
        output = layer == network.n_layers
        names = ("step", "prediction_steps", "tau", "beta", "nudge", "ended")
        links = {name: f"protocol.{name}" for name in names}
        bottom_up = self.bottom_up if network.biases else self.bottom_up_without_bias
        return Population(
            f"layer_{layer}",
            network.sizes[layer],
            (self.output if output else self.hidden) + bottom_up + self.gates,
            description=f"units, {'output' if output else 'hidden'}",
            states=("s",),
            links=links | ({"target": f"{TARGETS}.rate"} if output else {}),
            updates={"start": self.remember, "after_groups": self.keep_in_bounds},
        )

    def feedforward(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return the symmetric weights of one connection."""
        network = specification.network
        place = network.connections.index((pre, post))
        text = self.contrastive if pre else self.contrastive_clamped
        text += self.drive.format(into="feedforward") + self.drive_backwards * (pre > 0)
        gain = network.initial_weights.feedforward[place]
        return Projection(
            projection_name("feedforward", pre, post),
            f"layer_{pre}" if pre else STIMULUS,
            f"layer_{post}",
            text,
            Uniform.glorot(network.sizes[pre], network.sizes[post], gain),
            eta=specification.protocol.learning_rates.feedforward[place],
            rate_field="feedforward",
            phase="change",
            equation="(20)",
        )

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return the state and the inputs of a layer's units."""
        name = f"layer_{layer}"
        found = [Signal("state", "state, s", name, "s")]
        found.append(Signal("bottom_up", "from below", name, "bottom_up", 1))
        if layer < specification.network.n_layers:
            found.append(Signal("top_down", "from above", name, "top_down", 1))
        return tuple(found)

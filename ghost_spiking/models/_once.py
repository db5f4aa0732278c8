"""What models share whose weights change once in each presentation, after its last phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph import projection_name
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
    Uniform,
)
from ._model import Model

if TYPE_CHECKING:
    from ..specification import Specification

__all__ = ["ChangesOnce"]


class ChangesOnce(Model):
    """Two phases, and a last step in which all weights change; a subclass says how.

    Layers are populations ``layer_1`` to ``layer_L``. Their equations may refer to what `gates`
    has, and those of the output to ``target``.

    Attributes
    ----------
    first, second : str
        Names of the phases.
    hebbian, bias_rule : str
        Rules of W^f and of biases.

    Examples
    --------
    >>> from ghost_spiking.models import model_named
    >>> model_named("equilibrium_propagation").second
    'nudged'
    """

    first: str
    second: str
    hebbian: str
    bias_rule: str

    #: ``nudge`` is 1 from the second phase on, ``ended`` in the step in which weights change.
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
    bottom_up = """
bottom_up = feedforward + bias : 1
"""
    bottom_up_without_bias = """
bottom_up = feedforward : 1
"""
    target = """
target : 1 (linked)
"""
    bias_unit = "rate = 1.0 : 1 (constant over dt)"
    drive = """
{into}_post = w * rate_pre : 1 (summed)
eta : 1 (constant, shared)
"""

    def equations(self, specification: Specification, layer: int) -> str:
        """Return the equations of a layer's units, but for gates, target and what drives them."""
        raise NotImplementedError

    def states(self, specification: Specification, layer: int) -> tuple[str, ...]:
        """Return the states of a layer's units."""
        return ("s",)

    def updates(self, specification: Specification, layer: int) -> dict[str, str]:
        """Return statements of a layer's units, see `Population`."""
        return {}

    def response(self, specification: Specification) -> str:
        """Return what is read out, an expression of the output's variables."""
        return "s"

    # -- the network ------------------------------------------------------------------

    def layout(self, specification: Specification) -> Layout:
        """Return the network's populations and projections."""
        network, protocol = specification.network, specification.protocol
        top = network.n_layers
        bias_unit = Population(BIAS_UNIT, 1, self.bias_unit, description="unit with rate 1")
        return Layout(
            n_inputs=network.sizes[0],
            n_outputs=network.sizes[-1],
            batch_size=protocol.batch_size,
            phases=(*self.phases(specification), Phase("change", 1)),
            populations=(
                self.protocol_population(specification),
                *(self.layer(specification, layer) for layer in range(1, top + 1)),
                *([bias_unit] if network.biases else []),
                *self.further_populations(specification),
            ),
            projections=(
                *(self.feedforward(specification, *pair) for pair in network.connections),
                *(self._biases(specification) if network.biases else ()),
                *self.further_projections(specification),
            ),
            readout=Readout(
                f"layer_{top}", self.response(specification), "step == prediction_steps - 1"
            ),
        )

    def phases(self, specification: Specification) -> tuple[Phase, ...]:
        """Return the phases before the last step."""
        protocol = specification.protocol
        return (
            Phase(self.first, protocol.prediction_steps),
            Phase(self.second, protocol.nudging_steps),
        )

    def protocol_population(self, specification: Specification) -> Population:
        """Return the unit that opens and closes the gates of the phases."""
        protocol = specification.protocol
        return Population(
            "protocol",
            1,
            self.protocol_equations(specification),
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

    def protocol_equations(self, specification: Specification) -> str:
        """Return the equations of that unit."""
        return self.protocol_unit

    def gate_links(self) -> dict[str, str]:
        """Return the links of `gates`."""
        names = ("step", "prediction_steps", "tau", "beta", "nudge", "ended")
        return {name: f"protocol.{name}" for name in names}

    def layer(self, specification: Specification, layer: int) -> Population:
        """Return the units of a layer."""
        network = specification.network
        output = layer == network.n_layers
        bottom_up = self.bottom_up if network.biases else self.bottom_up_without_bias
        text = self.equations(specification, layer) + self.target * output
        return Population(
            f"layer_{layer}",
            network.sizes[layer],
            text + bottom_up + self.gates,
            description=f"units, {'output' if output else 'hidden'}",
            states=self.states(specification, layer),
            links=self.gate_links() | ({"target": f"{TARGETS}.rate"} if output else {}),
            updates=self.updates(specification, layer),
        )

    def feedforward(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return W^f of one connection, with what returns on it."""
        network = specification.network
        place = network.connections.index((pre, post))
        return Projection(
            projection_name("feedforward", pre, post),
            f"layer_{pre}" if pre else STIMULUS,
            f"layer_{post}",
            self.rule(specification, pre, post)
            + self.drive.format(into="feedforward")
            + self.returning(specification, pre, post),
            Uniform.glorot(
                network.sizes[pre],
                network.sizes[post],
                network.initial_weights.feedforward[place],
            ),
            eta=specification.protocol.learning_rates.feedforward[place],
            rate_field="feedforward",
            phase="change",
            equation=self.equation,
        )

    #: Number of the rule in the source.
    equation: str = ""

    def rule(self, specification: Specification, pre: int, post: int) -> str:
        """Return the rule of W^f of one connection."""
        return self.hebbian

    def returning(self, specification: Specification, pre: int, post: int) -> str:
        """Return what W^f of one connection carries backwards, as sums."""
        return ""

    def bias_rule_of(self, specification: Specification) -> str:
        """Return the rule of biases."""
        return self.bias_rule

    def _biases(self, specification: Specification) -> list[Projection]:
        rates = specification.protocol.learning_rates.bias
        return [
            Projection(
                f"bias_{layer}",
                BIAS_UNIT,
                f"layer_{layer}",
                self.bias_rule_of(specification) + self.drive.format(into="bias"),
                Constant(0.0),
                eta=eta,
                rate_field="bias",
                phase="change",
                equation=self.equation,
            )
            for layer, eta in enumerate(rates, start=1)
        ]

    def further_populations(self, specification: Specification) -> list[Population]:
        """Return populations besides layers, gates and the bias unit."""
        return []

    def further_projections(self, specification: Specification) -> list[Any]:
        """Return projections besides W^f and biases."""
        return []

"""Dendritic cortical microcircuits (Sacramento, Costa, Bengio & Senn 2018).

Pyramidal neurons have a soma, a basal and an apical compartment; interneurons have a soma and a
dendrite, and one pyramidal partner in the next layer, which teaches them. Numbers in brackets are
those of the source; s is the potential u of a soma, g that of an interneuron::

    (1) ds/dt = -leak s + basal (v_B - s) + apical (v_A - s)          pyramidal neurons
    (2) dg/dt = -leak g + dendritic (v_I - g) + teaching (s - g)      interneurons
        v_B = W^PP rho(s below) + b,  v_I = W^IP rho(s below) + c
        v_A = W^PP rho(s above) - W^PI rho(g)                         apical compartment
    (7) W^PP: eta (rho(s) - rho(predicted s)) rho(s below)^T          predicted by the basal input
    (8) W^IP: eta (rho(g) - rho(predicted g)) rho(s below)^T          predicted by the dendrite
    (9) W^PI: eta v_A rho(g)^T                                        until v_A is at rest, at 0

W^PI is minus that of the source, so that the self-predicting state is W^PI = W^PP from above.

The source runs in continuous time, with the target there all along. Here each image is shown from
rest, without a target first, so that there is an answer to read, and then with it; weights change
once, in the last step, when potentials have settled: the stationary form, which the authors take
for MNIST too. The output's soma is nudged to potentials of 0 and 1 with the conductance beta. There
is no noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from .._checks import Flag, NotNegative, Positive
from ..exceptions import SpecificationError
from ..graph import Graph, projection_name
from ._language import (
    BIAS_UNIT,
    STIMULUS,
    Constant,
    CopyOf,
    Population,
    Projection,
    Signal,
    Start,
    Uniform,
)
from ._model import Choice
from ._once import ChangesOnce
from ._registry import register
from ._sections import InitialWeights, LearningRates, Network, Protocol

if TYPE_CHECKING:
    from ..specification import Specification

__all__ = [
    "Microcircuit",
    "MicrocircuitNetwork",
    "MicrocircuitProtocol",
    "MicrocircuitRates",
    "MicrocircuitWeights",
]


class MicrocircuitWeights(InitialWeights):
    """How weights start; the common field is that of `InitialWeights`.

    Attributes
    ----------
    feedback : tuple of float
        W^PP from above where it is fixed: one gain for each connection between layers above the
        input.
    self_predicting : bool
        Start with interneurons that predict their partners, and cancel the feedback from above;
        otherwise W^IP and W^PI start as random as W^PP.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(4, 3, 2), model="microcircuit")
    >>> specification.network.initial_weights.self_predicting
    True
    """

    feedback: tuple[NotNegative, ...]
    self_predicting: Flag


class MicrocircuitNetwork(Network):
    """The structure of a network; the common fields are those of `Network`.

    Attributes
    ----------
    feedback : {"alignment", "transpose"}
        What W^PP from above is: fixed and random, or the transpose of that from below.
    leak, basal, apical, dendritic, teaching : float
        Conductances, in units of 1 / tau.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> network = Specification.create(sizes=(4, 3, 2), model="microcircuit").network
    >>> round(network.gain_of(1), 3), round(network.gain_of(2), 3)
    (0.526, 0.909)
    """

    feedback: Literal["alignment", "transpose"]
    leak: Positive = 0.1
    basal: Positive = 1.0
    apical: Positive = 0.8
    dendritic: Positive = 1.0
    teaching: NotNegative = 0.8
    initial_weights: MicrocircuitWeights

    def gain_of(self, layer: int) -> float:
        """Return the potential of a soma relative to the basal one, with the apical one at rest."""
        hidden = layer < self.n_layers
        return self.basal / (self.leak + self.basal + self.apical * hidden)

    @property
    def dendritic_gain(self) -> float:
        """The potential of an interneuron's soma relative to its dendrite's, without a teacher."""
        return self.dendritic / (self.leak + self.dendritic)


class MicrocircuitRates(LearningRates):
    """Learning rates; 0 switches learning off.

    Attributes
    ----------
    feedforward, bias : tuple of float
        Of W^PP from below, (7), and of the biases of pyramidal neurons.
    interneuron_forward, interneuron_bias : tuple of float
        Of W^IP, (8), one for each connection into a layer that sends feedback; and of the biases of
        interneurons, one for each such layer.
    interneuron_feedback : tuple of float
        Of W^PI, (9), one for each connection between layers above the input.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> rates = Specification.create(sizes=(4, 3, 2), model="microcircuit").protocol.learning_rates
    >>> len(rates.interneuron_feedback)
    1
    """

    interneuron_forward: tuple[NotNegative, ...]
    interneuron_bias: tuple[NotNegative, ...]
    interneuron_feedback: tuple[NotNegative, ...]


class MicrocircuitProtocol(Protocol):
    """How images are presented, as `Protocol`; beta is the conductance that nudges the output.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(4, 3, 2), model="microcircuit").protocol.beta
    0.8
    """

    learning_rates: MicrocircuitRates


@register
class Microcircuit(ChangesOnce):
    """Dendritic cortical microcircuits in their stationary form, any number of hidden layers.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> layout = Specification.create(sizes=(64, 100, 10), model="microcircuit").layout
    >>> [item.name for item in layout.populations if item.name.startswith("inter")]
    ['interneuron_2']
    """

    name = "microcircuit"
    summary = "interneurons that predict the layer above, errors in apical dendrites"
    citation = "Sacramento, Costa, Bengio & Senn (2018)"
    network = MicrocircuitNetwork
    protocol = MicrocircuitProtocol
    choices = (Choice("feedback", "alignment (fixed and random) or transpose."),)
    first, second = "free", "nudged"
    equation = "(7)"

    #: All somata: their rates, and what dendrites predict of these.
    soma = """
rate = {rate} : 1 (constant over dt)
predicted = {predicted} : 1
surprise = rate - predicted : 1
leak : 1 (constant, shared)
attenuation : 1 (constant, shared)
"""
    #: Eq. (1). In the source's symbols, s is u^P, bottom_up v_B, apical v_A.
    hidden = """
ds/dt = (-leak * s + basal_conductance * (bottom_up - s) + apical_conductance * (apical - s)) \
/ tau : 1
apical = top_down - lateral : 1
basal_conductance : 1 (constant, shared)
apical_conductance : 1 (constant, shared)
"""
    output = """
ds/dt = (-leak * s + basal_conductance * (bottom_up - s) + nudge * beta * (target - s)) / tau : 1
error = nudge * beta * (target - s) : 1
basal_conductance : 1 (constant, shared)
"""
    #: Eq. (2).
    interneuron = """
dg/dt = (-leak * g + dendritic_conductance * (bottom_up - g) + teaching * (pyramidal - g)) / tau : 1
pyramidal : 1 (linked)
dendritic_conductance : 1 (constant, shared)
teaching : 1 (constant, shared)
"""
    #: Eq. (7) and (8): what the soma does and its dendrite does not predict.
    hebbian = """
dw/dt = eta * ended_post * surprise_post * rate_pre / dt : 1 (clock-driven)
"""
    bias_rule = hebbian
    #: Eq. (9).
    cancellation = """
dw/dt = eta * ended_post * apical_post * rate_pre / dt : 1 (clock-driven)
"""
    transposed = """
top_down_pre = w * rate_post : 1 (summed)
"""
    fixed = """
w : 1 (constant)
top_down_post = w * rate_pre : 1 (summed)
"""

    # -- specifications ---------------------------------------------------------------

    def lengths(self, graph: Graph) -> dict[str, tuple[int, str]]:
        """Return which fields have a value for each of something, see `Model.lengths`."""
        feedback = len(graph.feedback_connections), "connection between layers above the input"
        forward = len(graph.into(graph.feedback_sources)), "connection into a layer with partners"
        layers = len(graph.feedback_sources), "layer with partners"
        return super().lengths(graph) | {
            "network.initial_weights.feedback": feedback,
            "protocol.learning_rates.interneuron_forward": forward,
            "protocol.learning_rates.interneuron_bias": layers,
            "protocol.learning_rates.interneuron_feedback": feedback,
        }

    def defaults(
        self, graph: Graph, network: Mapping[str, Any], protocol: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return values for what is left out; the conductances are the source's."""
        n_inputs, top = graph.sizes[0], graph.n_layers
        given = protocol.get("learning_rates", {})
        adapting = network.get("input_adaptation", "feedforward" not in given)
        aligning = network.get("feedback", "alignment") == "alignment"

        # Feedback from several layers needs strength, and steadiness where it is cancelled.
        alignment, cancelling = (3.0, 1.0) if top == 2 else (10.0, 0.3)

        def power(pre: int) -> float:
            return 1 + n_inputs if pre == 0 and adapting else 1 + 0.25 * graph.sizes[pre]

        def gain(pre: int, post: int) -> float:
            if pre == 0 and adapting:
                return 2 * ((n_inputs + graph.sizes[post]) / (2 * n_inputs)) ** 0.5
            if post < top:
                return 3.0
            # Interneurons have to keep up with what they predict, so the output starts small,
            # unless its weights are the feedback too.
            return 0.1 if aligning else 1.0

        def rate(pre: int, post: int) -> float:
            # Errors are the smaller the farther away they are from the output.
            first = 5e4 if aligning else 5e3
            return (6.0 if post == top else first if pre == 0 else 10.0) / power(pre)

        feedforward = given.get("feedforward") or tuple(rate(*pair) for pair in graph.connections)
        nearest = {
            post: eta for (_, post), eta in sorted(zip(graph.connections, feedforward, strict=True))
        }
        into = graph.into(graph.feedback_sources)
        imitating = tuple(10.0 / power(pre) for pre, _ in into)
        imitated = dict(sorted((post, eta) for (_, post), eta in zip(into, imitating, strict=True)))
        return {
            "network": {
                "rate_function": "sigmoid",
                "loss": "squared_error",
                "linear_output": True,
                "biases": True,
                "feedback": "alignment",
                "input_adaptation": adapting,
                "initial_weights": {
                    "feedforward": tuple(gain(*pair) for pair in graph.connections),
                    "feedback": (alignment if aligning else 1.0,) * len(graph.feedback_connections),
                    "self_predicting": True,
                },
            },
            "protocol": {
                "time_step": 0.4,
                "prediction_steps": 10 + 5 * top,
                "nudging_steps": 10 + 5 * top,
                "beta": 0.8,
                "batch_size": 20,
                "learning_rates": {
                    "feedforward": feedforward,
                    "bias": tuple(nearest[layer] for layer in range(1, top + 1)),
                    "interneuron_forward": imitating,
                    "interneuron_bias": tuple(imitated[layer] for layer in graph.feedback_sources),
                    "interneuron_feedback": tuple(
                        cancelling / power(post) for _, post in graph.feedback_connections
                    ),
                },
            },
        }

    def check_given(self, graph: Graph, network: Mapping[str, Any]) -> None:
        """Refuse losses that it does not have, and outputs that are not potentials."""
        self.require(network, loss="squared_error", linear_output=True)

    def check(self, specification: Specification) -> None:
        """Refuse steps that are too long for the conductances."""
        network: Any = specification.network
        protocol = specification.protocol
        conductance = max(
            network.leak + network.basal + max(network.apical, protocol.beta),
            network.leak + network.dendritic + network.teaching,
        )
        if protocol.time_step * conductance >= 2:
            raise SpecificationError(
                f"protocol.time_step: potentials with conductances of up to {conductance:g} "
                f"oscillate in steps of {protocol.time_step:g}; less than {2 / conductance:.2g} "
                "would do"
            )

    # -- the network ------------------------------------------------------------------

    def equations(self, specification: Specification, layer: int) -> str:
        """Return the equations of a layer's pyramidal neurons."""
        network: Any = specification.network
        text = self.output if layer == network.n_layers else self.hidden
        return text + self.soma.format(**self._rates(network))

    def _rates(self, network: Network, state: str = "s") -> dict[str, str]:
        # The output's rates too: it is read out as a potential, and sends rates.
        function = Network.rate_function_of(network, 1)
        predicted = function.of("(attenuation * bottom_up)")
        return {"rate": function.of(state), "predicted": predicted}

    def layer(self, specification: Specification, layer: int) -> Population:
        """Return the pyramidal neurons of a layer."""
        network: Any = specification.network
        found = super().layer(specification, layer)
        parameters = {
            "leak": network.leak,
            "basal_conductance": network.basal,
            "attenuation": network.gain_of(layer),
        }
        if layer < network.n_layers:
            parameters["apical_conductance"] = network.apical
        return replace(
            found,
            description=found.description.replace("units", "pyramidal neurons"),
            parameters=parameters,
        )

    def returning(self, specification: Specification, pre: int, post: int) -> str:
        """Return the sum that the same weights carry backwards."""
        network: Any = specification.network
        return self.transposed if pre and network.feedback == "transpose" else ""

    def further_populations(self, specification: Specification) -> list[Population]:
        """Return the interneurons that have partners in a layer, for all layers that have any."""
        network: Any = specification.network
        bottom_up = self.bottom_up if network.biases else self.bottom_up_without_bias
        return [
            Population(
                f"interneuron_{layer}",
                network.sizes[layer],
                self.interneuron
                + self.soma.format(**self._rates(network, "g"))
                + bottom_up
                + self.gates,
                description=f"interneurons with partners in layer {layer}",
                states=("g",),
                links=self.gate_links() | {"pyramidal": f"layer_{layer}.s"},
                parameters={
                    "leak": network.leak,
                    "dendritic_conductance": network.dendritic,
                    "teaching": network.teaching,
                    "attenuation": network.dendritic_gain,
                },
                partner=f"layer_{layer}",
            )
            for layer in network.graph.feedback_sources
        ]

    def further_projections(self, specification: Specification) -> list[Projection]:
        """Return fixed feedback, W^IP and W^PI."""
        network: Any = specification.network
        graph = network.graph
        found = []
        if network.feedback == "alignment":
            for place, (pre, post) in enumerate(graph.feedback_connections):
                gain = network.initial_weights.feedback[place]
                start = Uniform.glorot(network.sizes[post], network.sizes[pre], gain)
                name = projection_name("feedback", pre, post)
                found.append(Projection(name, f"layer_{post}", f"layer_{pre}", self.fixed, start))
        found += [
            self.interneuron_forward(specification, *pair)
            for pair in graph.into(graph.feedback_sources)
        ]
        found += [
            self.interneuron_feedback(specification, *pair) for pair in graph.feedback_connections
        ]
        if network.biases:
            rates: Any = specification.protocol.learning_rates
            found += [
                Projection(
                    f"interneuron_bias_{layer}",
                    BIAS_UNIT,
                    f"interneuron_{layer}",
                    self.bias_rule + self.drive.format(into="bias"),
                    Constant(0.0),
                    eta=eta,
                    rate_field="interneuron_bias",
                    phase="change",
                    equation="(8)",
                )
                for layer, eta in zip(graph.feedback_sources, rates.interneuron_bias, strict=True)
            ]
        return found

    def interneuron_forward(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return W^IP of one connection."""
        network: Any = specification.network
        rates: Any = specification.protocol.learning_rates
        start: Start = Uniform.glorot(network.sizes[pre], network.sizes[post])
        if network.initial_weights.self_predicting:
            gain = network.gain_of(post) / network.dendritic_gain
            start = CopyOf(projection_name("feedforward", pre, post), gain=gain)
        return Projection(
            projection_name("interneuron_forward", pre, post),
            f"layer_{pre}" if pre else STIMULUS,
            f"interneuron_{post}",
            self.hebbian + self.drive.format(into="feedforward"),
            start,
            eta=rates.interneuron_forward[
                network.graph.into(network.graph.feedback_sources).index((pre, post))
            ],
            rate_field="interneuron_forward",
            phase="change",
            equation="(8)",
        )

    def interneuron_feedback(self, specification: Specification, pre: int, post: int) -> Projection:
        """Return W^PI of one connection."""
        network: Any = specification.network
        rates: Any = specification.protocol.learning_rates
        start: Start = Uniform.glorot(network.sizes[post], network.sizes[pre])
        if network.initial_weights.self_predicting:
            transposed = network.feedback == "transpose"
            kind = "feedforward" if transposed else "feedback"
            start = CopyOf(projection_name(kind, pre, post), transposed)
        return Projection(
            projection_name("interneuron_feedback", pre, post),
            f"interneuron_{post}",
            f"layer_{pre}",
            self.cancellation + self.drive.format(into="lateral"),
            start,
            eta=rates.interneuron_feedback[network.graph.feedback_connections.index((pre, post))],
            rate_field="interneuron_feedback",
            phase="change",
            equation="(9)",
        )

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return the potentials and inputs of a layer's pyramidal neurons and their partners."""
        name, network = f"layer_{layer}", specification.network
        found = [Signal("state", "soma", name, "s")]
        if layer in network.graph.feedback_sources:
            other = Signal("interneuron", "its interneuron", f"interneuron_{layer}", "g", 0, True)
            found.append(other)
        found.append(Signal("bottom_up", "basal compartment", name, "bottom_up"))
        if layer == network.n_layers:
            return (*found, Signal("error", "nudging", name, "error", 2))
        return (
            *found,
            Signal("top_down", "from above", name, "top_down", 1),
            Signal("lateral", "from interneurons", name, "lateral", 1, True),
            Signal("error", "apical compartment", name, "apical", 2),
        )

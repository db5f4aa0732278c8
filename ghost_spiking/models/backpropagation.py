"""Backpropagation (Rumelhart, Hinton & Williams 1986) and feedback alignment.

What all other models are measured against, in the same harness. Activity goes up one layer in a
time step, and then errors go down one layer in a time step, over the same weights or, in feedback
alignment (Lillicrap et al. 2016), over fixed random ones::

    s_l = sum_k W_kl rho(s_k) + b_l                          forward
    e_k = sum_l W_kl^T (e_l rho'(s_l))                       backward, e_L = -dC/d rho(s_L)
    Delta W_kl = eta e_l rho'(s_l) rho(s_k)^T                change

Errors are sent by the same units beside their rates, and change nothing of what these do: that is
what no neuron is known to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from .._checks import NotNegative
from ..exceptions import SpecificationError
from ..graph import Graph, projection_name
from . import _softmax
from ._language import Population, Projection, Signal, Uniform
from ._model import Choice
from ._once import ChangesOnce
from ._registry import register
from ._sections import InitialWeights, Network

if TYPE_CHECKING:
    from ..specification import Specification

__all__ = ["Backpropagation", "BackpropagationNetwork", "BackpropagationWeights"]

#: The mean of |x|^2 of MNIST, for which rates of the first layer were found.
_MNIST = 88.0
_FIRST = 180.0
#: How much smaller steps are where errors of linear outputs have no bounds.
_UNBOUNDED = 0.05


class BackpropagationWeights(InitialWeights):
    """How weights start; the common field is that of `InitialWeights`.

    Attributes
    ----------
    feedback : tuple of float
        Fixed weights of feedback alignment, one gain for each connection between layers above the
        input.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(4, 3, 3, 2), model="backpropagation")
    >>> specification.network.initial_weights.feedback
    (3.0, 3.0)
    """

    feedback: tuple[NotNegative, ...]


class BackpropagationNetwork(Network):
    """The structure of a network; the common fields are those of `Network`.

    Attributes
    ----------
    feedback : {"transpose", "alignment"}
        What errors return over: the transpose of W^f, or fixed random weights.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(4, 3, 2), model="backpropagation").network.feedback
    'transpose'
    """

    feedback: Literal["transpose", "alignment"]
    initial_weights: BackpropagationWeights


@register
class Backpropagation(ChangesOnce):
    """Backpropagation of errors, or feedback alignment.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(64, 100, 10), model="backpropagation")
    >>> [(phase.name, phase.steps) for phase in specification.layout.phases]
    [('forward', 2), ('backward', 1), ('change', 1)]
    """

    name = "backpropagation"
    summary = "errors beside rates, over the transposed weights or fixed ones"
    citation = "Rumelhart, Hinton & Williams (1986); Lillicrap et al. (2016)"
    network = BackpropagationNetwork
    choices = (Choice("feedback", "transpose or alignment (fixed and random)."),)
    first, second = "forward", "backward"
    equation = "delta rule"

    unit = """
ds/dt = (-s + bottom_up) / tau : 1
rate = {rate} : 1 (constant over dt)
slope = {slope} : 1
change = error * slope : 1
"""
    hidden_error = """
derror/dt = (-error + top_down) / tau : 1
"""
    squared_error = """
error = nudge * beta * (target - rate) : 1
"""
    cross_entropy = f"""
error = nudge * beta * ({_softmax.ERROR}) : 1
{_softmax.FORMING}"""
    hebbian = """
dw/dt = eta * ended_post * change_post * rate_pre / dt : 1 (clock-driven)
"""
    bias_rule = hebbian
    transposed = """
top_down_pre = w * change_post : 1 (summed)
"""
    fixed = """
w : 1 (constant)
top_down_post = w * change_pre : 1 (summed)
"""

    # -- specifications ---------------------------------------------------------------

    def lengths(self, graph: Graph) -> dict[str, tuple[int, str]]:
        """Return which fields have a value for each of something, see `Model.lengths`."""
        feedback = len(graph.feedback_connections), "connection between layers above the input"
        return super().lengths(graph) | {"network.initial_weights.feedback": feedback}

    def defaults(
        self, graph: Graph, network: Mapping[str, Any], protocol: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return values for what is left out, found on held-out images of MNIST."""
        top, n_inputs = graph.n_layers, graph.sizes[0]
        given = protocol.get("learning_rates", {})
        adapting = network.get("input_adaptation", "feedforward" not in given)
        softmax = network.get("loss") == "cross_entropy"
        linear = softmax or network.get("linear_output", False)
        batch = protocol.get("batch_size", 100)
        noise = max(1.0, 100 / batch) ** 0.5 if isinstance(batch, int) and batch > 0 else 1.0
        noise /= _UNBOUNDED if linear and not softmax else 1.0

        def rate(pre: int, post: int) -> float:
            if pre == 0:
                first = _FIRST * (_MNIST / (1 + n_inputs) if adapting else 1.0)
                return first * (0.3 if linear else 1.0) / noise
            if post == top:
                return (15.0 if linear else 150.0) / graph.sizes[pre] / noise
            return (90.0 if linear else 300.0) / graph.sizes[pre] / noise

        def gain(pre: int, post: int) -> float:
            if pre == 0 and adapting:  # states that vary by about 1
                return ((n_inputs + graph.sizes[post]) / (2 * n_inputs)) ** 0.5
            return 0.3 if post == top and not linear else 3.0 if pre else 1.0

        feedforward = given.get("feedforward") or tuple(rate(*pair) for pair in graph.connections)
        nearest = {
            post: eta for (_, post), eta in sorted(zip(graph.connections, feedforward, strict=True))
        }
        bias = tuple(nearest[layer] for layer in range(1, top + 1))
        return {
            "network": {
                "rate_function": "sigmoid",
                "loss": "squared_error",
                "biases": True,
                "feedback": "transpose",
                "input_adaptation": adapting,
                "initial_weights": {
                    "feedforward": tuple(gain(*pair) for pair in graph.connections),
                    # Fixed weights shrink errors from layer to layer unless they are large.
                    "feedback": (3.0 if top > 2 else 1.0,) * len(graph.feedback_connections),
                },
            },
            "protocol": {
                "time_step": 1.0,
                "prediction_steps": top,
                "nudging_steps": top - 1,
                "beta": 1.0,
                "batch_size": batch,
                "learning_rates": {"feedforward": feedforward, "bias": bias},
            },
        }

    def check(self, specification: Specification) -> None:
        """Refuse steps in which not all layers are reached."""
        protocol, top = specification.protocol, specification.network.n_layers
        if protocol.time_step != 1:
            raise SpecificationError(
                f"protocol.time_step: {self.name} has 1, a layer in each step, "
                f"got {protocol.time_step:g}"
            )
        for field, least in (("prediction_steps", top), ("nudging_steps", top - 1)):
            if getattr(protocol, field) < least:
                raise SpecificationError(
                    f"protocol.{field}: {top} layers need at least {least}, "
                    f"got {getattr(protocol, field)}"
                )

    # -- the network ------------------------------------------------------------------

    def equations(self, specification: Specification, layer: int) -> str:
        """Return the equations of a layer's units."""
        network = specification.network
        function = network.rate_function_of(layer)
        unit = self.unit.format(rate=function.rate, slope=function.slope)
        if layer < network.n_layers:
            return unit + self.hidden_error
        return unit + (
            self.cross_entropy if network.loss == "cross_entropy" else self.squared_error
        )

    def states(self, specification: Specification, layer: int) -> tuple[str, ...]:
        """Return the states of a layer's units."""
        return ("s", "error") if layer < specification.network.n_layers else ("s",)

    def response(self, specification: Specification) -> str:
        """Return what is read out."""
        return specification.network.rate_function_of(specification.network.n_layers).of("s")

    def returning(self, specification: Specification, pre: int, post: int) -> str:
        """Return the sum of errors that the same weights carry backwards."""
        network: Any = specification.network
        return self.transposed if pre and network.feedback == "transpose" else ""

    def further_populations(self, specification: Specification) -> list[Population]:
        """Return what a softmax needs."""
        softmax = specification.network.loss == "cross_entropy"
        return [_softmax.normaliser()] if softmax else []

    def further_projections(self, specification: Specification) -> list[Projection]:
        """Return fixed feedback, and what a softmax needs."""
        network: Any = specification.network
        found = []
        for place, (pre, post) in enumerate(network.graph.feedback_connections):
            if network.feedback == "alignment":
                gain = network.initial_weights.feedback[place]
                found.append(
                    Projection(
                        projection_name("feedback", pre, post),
                        f"layer_{post}",
                        f"layer_{pre}",
                        self.fixed,
                        Uniform.glorot(network.sizes[post], network.sizes[pre], gain),
                    )
                )
        if network.loss == "cross_entropy":
            found += _softmax.normalising(f"layer_{network.n_layers}")
        return found

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return the state, the inputs and the error of a layer's units."""
        name = f"layer_{layer}"
        found = [Signal("state", "state, s", name, "s")]
        found.append(Signal("bottom_up", "from below", name, "bottom_up"))
        if layer < specification.network.n_layers:
            found.append(Signal("top_down", "errors from above", name, "top_down", 1))
        return (*found, Signal("error", "error, e", name, "error", 2))

"""Predictive coding (Whittington & Bogacz 2017).

Each layer predicts the next one, and error nodes hold what it did not predict. With the output
fixed at the target, values relax to a minimum of the sum of squared errors, in which errors are
those of backpropagation if the output is fixed weakly; then weights change by a Hebbian rule.
Layers count from the input here, from the output in the source::

    mu_l  = sum_k W_kl rho(s_k) + b_l                        prediction, linear for the output
    eps_l = s_l - mu_l,  eps_L = (y - mu_L) / Sigma_L        error nodes; beta is 1 / Sigma_L
    ds_l/dt = -eps_l + rho'(s_l) sum_m W_lm^T eps_m          value nodes of hidden layers
    Delta W_kl = eta / beta * eps_l rho(s_k)^T               once, when values have relaxed

With a free output, no error is left where all values are as predicted. So the first phase sets each
layer to its prediction, from the input up, as the authors do before they let values relax.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..exceptions import SpecificationError
from ..graph import Graph
from ._language import Signal
from ._once import ChangesOnce
from ._registry import register

if TYPE_CHECKING:
    from ..specification import Specification

__all__ = ["PredictiveCoding"]


@register
class PredictiveCoding(ChangesOnce):
    """Predictive coding with error nodes, any number of hidden layers.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(64, 100, 10), model="predictive_coding")
    >>> [(phase.name, phase.steps) for phase in specification.layout.phases]
    [('prediction', 2), ('inference', 20), ('change', 1)]
    """

    name = "predictive_coding"
    summary = "error nodes, values that relax with the output fixed, one Hebbian change"
    citation = "Whittington & Bogacz (2017)"
    first, second = "prediction", "inference"
    equation = "Hebbian"

    hidden = """
ds/dt = (1 - nudge) * (bottom_up - s) / dt + nudge * (slope * top_down - prediction_error) / tau : 1
rate = {rate} : 1 (constant over dt)
slope = {slope} : 1
prediction_error = s - bottom_up : 1
"""
    output = """
ds/dt = (bottom_up - s) / dt : 1
rate = s : 1 (constant over dt)
prediction_error = nudge * beta * (target - bottom_up) : 1
"""
    hebbian = """
dw/dt = eta * ended_post / beta_post * prediction_error_post * rate_pre / dt : 1 (clock-driven)
"""
    bias_rule = hebbian
    errors = """
top_down_pre = w * prediction_error_post : 1 (summed)
"""

    # -- specifications ---------------------------------------------------------------

    def defaults(
        self, graph: Graph, network: Mapping[str, Any], protocol: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return values for what is left out."""
        n_inputs, top = graph.sizes[0], graph.n_layers
        given = protocol.get("learning_rates", {})
        adapting = network.get("input_adaptation", "feedforward" not in given)
        batch = protocol.get("batch_size", 20)

        def rate(pre: int, post: int) -> float:
            # The power of what a unit receives: inputs that have adapted have 1 each.
            power = 1 + n_inputs if pre == 0 and adapting else 1 + 0.25 * graph.sizes[pre]
            # Errors are the smaller the farther away they are from the output.
            return (0.4 if post == top else 40.0 if pre == 0 else 4.0) / power

        def gain(pre: int, post: int) -> float:
            if pre == 0 and adapting:
                return ((n_inputs + graph.sizes[post]) / (2 * n_inputs)) ** 0.5
            return 1.0

        feedforward = given.get("feedforward") or tuple(rate(*pair) for pair in graph.connections)
        nearest = {
            post: eta for (_, post), eta in sorted(zip(graph.connections, feedforward, strict=True))
        }
        return {
            "network": {
                "rate_function": "tanh",
                "loss": "squared_error",
                "linear_output": True,
                "biases": True,
                "input_adaptation": adapting,
                "initial_weights": {
                    "feedforward": tuple(gain(*pair) for pair in graph.connections)
                },
            },
            "protocol": {
                "time_step": 0.2,
                "prediction_steps": top,
                "nudging_steps": 10 * top,
                "beta": 0.1,
                "batch_size": batch,
                "learning_rates": {
                    "feedforward": feedforward,
                    "bias": tuple(nearest[layer] for layer in range(1, top + 1)),
                },
            },
        }

    def check_given(self, graph: Graph, network: Mapping[str, Any]) -> None:
        """Refuse losses and outputs that the energy does not have."""
        self.require(network, loss="squared_error", linear_output=True)

    def check(self, specification: Specification) -> None:
        """Refuse a first phase in which not all layers are reached."""
        steps, top = specification.protocol.prediction_steps, specification.network.n_layers
        if steps < top:
            raise SpecificationError(
                f"protocol.prediction_steps: {top} layers need at least {top}, got {steps}"
            )

    # -- the network ------------------------------------------------------------------

    def equations(self, specification: Specification, layer: int) -> str:
        """Return the equations of a layer's units."""
        if layer == specification.network.n_layers:
            return self.output
        function = specification.network.rate_function_of(layer)
        return self.hidden.format(rate=function.rate, slope=function.slope)

    def returning(self, specification: Specification, pre: int, post: int) -> str:
        """Return the sum of errors that the same weights carry backwards."""
        return self.errors if pre else ""

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return the value, its prediction and the error of a layer's units."""
        name = f"layer_{layer}"
        found = [Signal("state", "value, s", name, "s")]
        found.append(Signal("bottom_up", "its prediction, mu", name, "bottom_up", dashed=True))
        node = Signal("prediction_error", "error node, eps", name, "prediction_error", 1)
        if layer == specification.network.n_layers:
            return (*found, replace(node, name="error", panel=2))
        # What reaches a hidden unit is the error of its rate, as of those of all models.
        return (*found, node, Signal("error", "errors from above", name, "top_down", 2))

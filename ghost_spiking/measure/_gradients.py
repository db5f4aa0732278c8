"""What backpropagation finds, to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._pixels import targets_of
from ..graph import projection_name
from ..specification import Network, Specification

__all__ = ["Gradients", "backpropagate", "outputs"]


@dataclass(frozen=True)
class Gradients:
    """What backpropagation finds in the feedforward network with the same W^f and biases.

    Attributes
    ----------
    errors : dict of int to array
        -dL/d rho(s_l) for each image, shape (n_images, N_l), by layer.
    weights : dict of str to array
        -dL/dW^f, the mean over images, in the shape of W^f, by projection.
    biases : dict of str to array
        The same for biases, shape (N_l, 1); empty without biases.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.measure import backpropagate
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> weights = initial_weights(specification, seed=0)
    >>> found = backpropagate(specification, weights, np.ones((5, 4)), np.zeros(5, int))
    >>> found.errors[1].shape, found.weights["feedforward_1"].shape
    ((5, 3), (3, 4))
    """

    errors: dict[int, np.ndarray]
    weights: dict[str, np.ndarray]
    biases: dict[str, np.ndarray]


def backpropagate(
    specification: Specification,
    weights: Mapping[str, np.ndarray],
    rates: np.ndarray,
    labels: np.ndarray,
) -> Gradients:
    """Backpropagate through the feedforward network with the same W^f and biases.

    Parameters
    ----------
    specification : Specification
        The network.
    weights : dict of array
        Weights by projection, in the paper's shapes.
    rates : array, shape (n_images, N_0)
        Rates of the input units.
    labels : array of int, shape (n_images,)
        Classes; or targets, shape (n_images, N_L).

    Returns
    -------
    Gradients

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.measure import backpropagate
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> weights = initial_weights(specification, seed=0)
    >>> sorted(backpropagate(specification, weights, np.ones((5, 4)), np.zeros(5, int)).weights)
    ['feedforward_1', 'feedforward_2']
    """
    network = specification.network
    graph, top = network.graph, network.n_layers
    functions = {layer: network.rate_function_of(layer) for layer in range(1, top + 1)}
    rate, slope = {0: np.asarray(rates, float)}, {}
    state = np.empty(0)
    for layer in range(1, top + 1):
        inputs = [
            rate[pre] @ weights[projection_name("feedforward", pre, layer)].T
            for pre in graph.below(layer)
        ]
        state = np.sum(inputs, axis=0)
        if network.biases:
            state = state + weights[f"bias_{layer}"][:, 0]
        state = network.gain_of(layer) * state
        rate[layer] = functions[layer].function(state)
        slope[layer] = network.gain_of(layer) * functions[layer].derivative(state)
    errors = {top: targets_of(labels, network.sizes[-1]) - outputs(network, state)}
    for layer in range(top - 1, 0, -1):
        errors[layer] = np.sum(
            [
                (errors[post] * slope[post]) @ weights[projection_name("feedforward", layer, post)]
                for post in graph.above(layer)
            ],
            axis=0,
        )
    return Gradients(
        errors,
        {
            projection_name("feedforward", pre, post): (
                (errors[post] * slope[post]).T @ rate[pre] / len(rates)
            )
            for pre, post in graph.connections
        },
        {
            f"bias_{layer}": (error * slope[layer]).mean(axis=0)[:, None]
            for layer, error in (errors.items() if network.biases else ())
        },
    )


def outputs(network: Network, states: np.ndarray) -> np.ndarray:
    """Return what is compared with targets: rho(s_L), or the softmax of s_L."""
    if network.loss == "cross_entropy":
        exponential = np.exp(states - states.max(axis=-1, keepdims=True))
        return exponential / exponential.sum(axis=-1, keepdims=True)
    return network.rate_function_of(network.n_layers).function(states)

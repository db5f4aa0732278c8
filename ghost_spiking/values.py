"""The numbers that a network is run with: weights at the start, lesions, learning rates.

None of them is part of the compiled program, which serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .graph import projection_name
from .specification import Network, Specification

__all__ = [
    "DT",
    "feedback_weights",
    "initial_weights",
    "intact_ghosts",
    "projection_rates",
    "run_time_values",
]

#: Time step in seconds. Simulated time is arbitrary; what matters is dt / tau.
DT = 1e-3


def initial_weights(specification: Specification, seed: int) -> dict[str, np.ndarray]:
    """Draw the weights at the start of training.

    Parameters
    ----------
    specification : Specification
        What to draw them for.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    dict of array
        A matrix for each projection, named as in `GhostNetwork`, in the paper's shapes
        (rows are post-synaptic units); biases are columns.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import initial_weights
    >>> weights = initial_weights(Specification.create(sizes=(4, 3, 2)), seed=0)
    >>> weights["feedforward_1"].shape, weights["bias_1"].shape
    ((3, 4), (3, 1))
    """
    network = specification.network
    graph, gains = network.graph, network.initial_weights
    generator = np.random.default_rng([seed, 0])
    weights: dict[str, np.ndarray] = {}

    def glorot(n_post: int, n_pre: int, gain: float, normal: bool = False) -> np.ndarray:
        bound = gain * np.sqrt(6 / (n_pre + n_post))
        if normal:
            return generator.normal(0, bound / np.sqrt(3), size=(n_post, n_pre))
        return generator.uniform(-bound, bound, size=(n_post, n_pre))

    for (pre, post), gain in zip(graph.connections, gains.feedforward, strict=True):
        name = projection_name("feedforward", pre, post)
        weights[name] = glorot(network.sizes[post], network.sizes[pre], gain)
    for (pre, post), gain in zip(graph.feedback_connections, gains.feedback, strict=True):
        if network.feedback_of(pre) != "transpose":
            name = projection_name("feedback", pre, post)
            weights[name] = glorot(network.sizes[pre], network.sizes[post], gain)
    normal = gains.ghost_distribution == "normal"
    for (pre, post), gain in zip(graph.ghost_connections, gains.ghost_forward, strict=True):
        name = projection_name("ghost_forward", pre, post)
        if gains.self_predicting:
            weights[name] = weights[projection_name("feedforward", pre, post)].copy()
        else:
            weights[name] = glorot(network.ghosts_of(post), network.sizes[pre], gain, normal)
    for (pre, post), gain in zip(graph.feedback_connections, gains.ghost_feedback, strict=True):
        name = projection_name("ghost_feedback", pre, post)
        if gains.self_predicting:
            weights[name] = feedback_weights(network, weights, pre, post).copy()
        else:
            drawn = glorot(network.sizes[pre], network.ghosts_of(post), gain)
            weights[name] = np.abs(drawn) if network.dale else drawn
    if network.biases:
        for layer in range(1, network.n_layers + 1):
            weights[f"bias_{layer}"] = np.zeros((network.sizes[layer], 1))
        for layer in graph.ghost_layers:
            column = (network.ghosts_of(layer), 1)
            weights[f"ghost_bias_{layer}"] = np.full(column, gains.ghost_bias)
        for layer in network.reconstructed_layers:
            weights[f"feedback_bias_{layer}"] = np.zeros((network.sizes[layer], 1))
    return weights


def feedback_weights(
    network: Network, weights: Mapping[str, np.ndarray], pre: int, post: int
) -> np.ndarray:
    """Give W^b from layer `post` to the lower layer `pre`, shape (N_pre, N_post).

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import feedback_weights, initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> weights = initial_weights(specification, seed=0)
    >>> feedback_weights(specification.network, weights, 1, 2).shape
    (3, 2)
    """
    if network.feedback_of(pre) == "transpose":
        return weights[projection_name("feedforward", pre, post)].T
    return weights[projection_name("feedback", pre, post)]


def run_time_values(
    specification: Specification, *, learn: bool, nudge: bool | None = None, presented: int = 0
) -> dict[str, float]:
    """Give the scalar values of a run, by ``"object.variable"``.

    Without learning, all learning rates are zero but that of V^b in MB, which has to replicate the
    feedback of each image anew, eq. (6).

    Parameters
    ----------
    specification : Specification
        The network and its protocol.
    learn : bool
        Whether weights change.
    nudge : bool, optional
        Whether there is a nudging phase; by default if weights change.
    presented : int, optional
        Presentations that the network has learned from before this run.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import run_time_values
    >>> values = run_time_values(Specification.create(sizes=(4, 3, 2)), learn=False)
    >>> values["feedforward_1.eta"], values["protocol.beta"]
    (0.0, 3.0)
    """
    network, protocol = specification.network, specification.protocol
    nudge = learn if nudge is None else nudge
    steps = protocol.prediction_steps + (protocol.nudging_steps if nudge else 0)
    values: dict[str, float] = {
        "protocol.prediction_steps": protocol.prediction_steps,
        "protocol.tau": DT / protocol.time_step,
        "protocol.beta": protocol.beta,
        "protocol.ghost_delay": protocol.ghost_delay,
        "protocol.presented": presented,
        "protocol.ghost_onset": protocol.ghost_onset,
        "protocol.feedforward_onset": protocol.feedforward_onset,
        "protocol.decay": np.log(2) / protocol.half_life if protocol.half_life else 0.0,
        "stimulus.steps": steps,
        "targets.steps": steps,
        "targets.scale": 1.0,
    }
    for name, eta in projection_rates(specification).items():
        replicates = network.model == "MB" and name.startswith("ghost_feedback")
        values[f"{name}.eta"] = eta if learn or replicates else 0.0
    if network.model == "MB" and network.biases:
        for layer in network.graph.ghost_layers:
            values[f"ghost_bias_{layer}.goal"] = protocol.ghost_rate
    return values


def projection_rates(specification: Specification) -> dict[str, float]:
    """Give the learning rate of every plastic projection, by name.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import projection_rates
    >>> rates = projection_rates(Specification.create(sizes=(784, 500, 10)))
    >>> rates["feedforward_1"], rates["ghost_forward_2"]
    (4.0, 0.008)
    """
    network, graph = specification.network, specification.network.graph
    rates = specification.protocol.learning_rates
    etas: dict[str, float] = {}
    for pair, eta in zip(graph.connections, rates.feedforward, strict=True):
        etas[projection_name("feedforward", *pair)] = eta
    for pair, eta in zip(graph.feedback_connections, rates.ghost_feedback, strict=True):
        etas[projection_name("ghost_feedback", *pair)] = eta
    for pair, eta in zip(graph.feedback_connections, rates.feedback, strict=True):
        if network.feedback_of(pair[0]) == "reconstruction":
            etas[projection_name("feedback", *pair)] = eta
            if network.biases:  # an offset is a weight from a unit with rate 1
                etas[f"feedback_bias_{pair[0]}"] = eta
    if network.model == "MA":
        for pair, eta in zip(graph.ghost_connections, rates.ghost_forward, strict=True):
            etas[projection_name("ghost_forward", *pair)] = eta
    if network.biases:
        for layer, eta in enumerate(rates.bias, start=1):
            etas[f"bias_{layer}"] = eta
        for layer, eta in zip(graph.ghost_layers, rates.ghost_bias, strict=True):
            etas[f"ghost_bias_{layer}"] = eta
    return etas


def intact_ghosts(specification: Specification, seed: int) -> dict[int, np.ndarray]:
    """Choose the ghosts that a lesion spares.

    Returns
    -------
    dict of array
        1 for those and 0 for the silent ones, shape (G_l,), by layer; empty without a lesion.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import intact_ghosts
    >>> intact = intact_ghosts(Specification.create(sizes=(4, 3, 10), lesion=0.3), seed=0)
    >>> int(intact[2].sum())
    7
    """
    network = specification.network
    if not network.lesion:
        return {}
    generator = np.random.default_rng([seed, 2])
    chosen = {}
    for layer in network.graph.ghost_layers:
        n_ghosts = network.ghosts_of(layer)
        chosen[layer] = np.ones(n_ghosts)
        chosen[layer][generator.permutation(n_ghosts)[: round(network.lesion * n_ghosts)]] = 0.0
    return chosen

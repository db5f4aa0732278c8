"""What every registered model has to pass, and the oracle of each.

To add a model: its oracle, a function here that runs it, and a row in `ORACLES`.
"""

import numpy as np

from ghost_spiking import Specification
from ghost_spiking.graph import projection_name
from ghost_spiking.values import initial_weights

from ..numerics.test_engines import by_symbol, key_of, oracle_of
from .backpropagation_oracle import Backpropagation
from .equilibrium_propagation_oracle import EquilibriumPropagation
from .microcircuit_oracle import Microcircuit
from .predictive_coding_oracle import PredictiveCoding


def ghosts(specification, weights, images, labels, order):
    """Run the oracle of ghost networks; give the weights by projection, and the last rates."""
    oracle = oracle_of(specification, weights)
    targets = np.eye(specification.network.sizes[-1])[labels] if labels.ndim == 1 else labels
    oracle.run(images / 255, targets, order, specification.protocol.batch_size)
    after = {}
    for name in weights:
        symbol, key = key_of(name)
        after[name] = oracle.w[symbol][key]
    assert by_symbol(after).keys() == oracle.w.keys()
    return after


def matrices(kind, specification, weights):
    """Return the weights of all connections of a kind, by connection."""
    pairs = {pair: projection_name(kind, *pair) for pair in specification.network.connections}
    return {pair: weights[name] for pair, name in pairs.items() if name in weights}


def by_connection(specification, weights):
    """Return W^f by connection, and biases by layer; and the learning rates of both."""
    network, rates = specification.network, specification.protocol.learning_rates
    b = {layer: weights[f"bias_{layer}"][:, 0] for layer in range(1, network.n_layers + 1)}
    eta = dict(zip(network.connections, rates.feedforward, strict=True))
    return matrices("feedforward", specification, weights), b, eta | dict(enumerate(rates.bias, 1))


def by_projection(W, b):
    """Return W^f and biases by the names of their projections."""
    return {projection_name("feedforward", *pair): matrix for pair, matrix in W.items()} | {
        f"bias_{layer}": bias[:, None] for layer, bias in b.items()
    }


def learn(oracle, specification, images, labels, order):
    """Let an oracle learn what the network has learned."""
    targets = np.eye(specification.network.sizes[-1])[labels] if labels.ndim == 1 else labels
    oracle.run(images / 255, targets, order, specification.protocol.batch_size)


def equilibrium_propagation(specification, weights, images, labels, order):
    """Run the oracle of equilibrium propagation; give the weights by projection."""
    protocol = specification.protocol
    W, b, eta = by_connection(specification, weights)
    oracle = EquilibriumPropagation(
        W,
        b,
        epsilon=protocol.time_step,
        beta=protocol.beta,
        free_steps=protocol.prediction_steps,
        nudged_steps=protocol.nudging_steps,
        symmetric=protocol.symmetric,
        eta=eta,
    )
    learn(oracle, specification, images, labels, order)
    return by_projection(oracle.W, oracle.b)


def backpropagation(specification, weights, images, labels, order):
    """Run the oracle of backpropagation; give the weights by projection."""
    network = specification.network
    W, b, eta = by_connection(specification, weights)
    feedback = matrices("feedback", specification, weights)
    oracle = Backpropagation(
        W,
        b,
        feedback or None,
        rho=network.rate_function,
        loss=network.loss,
        linear=network.linear_output,
        feedback=network.feedback,
        beta=specification.protocol.beta,
        eta=eta,
    )
    learn(oracle, specification, images, labels, order)
    fixed = {projection_name("feedback", *pair): matrix for pair, matrix in feedback.items()}
    return by_projection(oracle.W, oracle.b) | fixed


def predictive_coding(specification, weights, images, labels, order):
    """Run the oracle of predictive coding; give the weights by projection."""
    protocol = specification.protocol
    W, b, eta = by_connection(specification, weights)
    oracle = PredictiveCoding(
        W,
        b,
        rho=specification.network.rate_function,
        epsilon=protocol.time_step,
        beta=protocol.beta,
        free_steps=protocol.prediction_steps,
        inference_steps=protocol.nudging_steps,
        eta=eta,
    )
    learn(oracle, specification, images, labels, order)
    return by_projection(oracle.W, oracle.b)


def microcircuit(specification, weights, images, labels, order):
    """Run the oracle of microcircuits; give the weights by projection."""
    network, protocol = specification.network, specification.protocol
    rates, graph = protocol.learning_rates, network.graph
    W, b, eta = by_connection(specification, weights)
    kinds = {"feedback": "B", "interneuron_feedback": "P", "interneuron_forward": "Q"}
    given = {name: matrices(kind, specification, weights) for kind, name in kinds.items()}
    c = {k: weights[f"interneuron_bias_{k}"][:, 0] for k in graph.feedback_sources}
    into = graph.into(graph.feedback_sources)
    oracle = Microcircuit(
        W,
        b=b,
        c=c,
        **given,
        rho=network.rate_function,
        feedback={"alignment": "fixed"}.get(network.feedback, network.feedback),
        epsilon=protocol.time_step,
        leak=network.leak,
        basal=network.basal,
        apical=network.apical,
        dendritic=network.dendritic,
        teaching=network.teaching,
        beta=protocol.beta,
        free_steps=protocol.prediction_steps,
        nudged_steps=protocol.nudging_steps,
        eta=eta,
        eta_Q=dict(zip(into, rates.interneuron_forward, strict=True))
        | dict(zip(graph.feedback_sources, rates.interneuron_bias, strict=True)),
        eta_P=dict(zip(graph.feedback_connections, rates.interneuron_feedback, strict=True)),
    )
    learn(oracle, specification, images, labels, order)
    found = by_projection(oracle.W, oracle.b)
    for kind, name in kinds.items():
        if given[name]:
            pairs = getattr(oracle, name).items()
            found |= {projection_name(kind, *pair): matrix for pair, matrix in pairs}
    return found | {f"interneuron_bias_{k}": bias[:, None] for k, bias in oracle.c.items()}


#: By the name of the model: gives the weights after a few mini-batches.
ORACLES = {
    "MA": ghosts,
    "MB": ghosts,
    "backpropagation": backpropagation,
    "equilibrium_propagation": equilibrium_propagation,
    "microcircuit": microcircuit,
    "predictive_coding": predictive_coding,
}

#: Specifications to try each model with, besides the sizes: large rates, so that all terms matter.
FIELDS = {
    name: {
        "learning_rates": {"feedforward": 0.8, "ghost_forward": 0.3, "ghost_feedback": 0.4},
        "initial_weights": {"self_predicting": False},
        "time_step": 0.4,
    }
    for name in ("MA", "MB")
} | {
    "equilibrium_propagation": {
        "learning_rates": {"feedforward": 0.3, "bias": 0.2},
        "time_step": 0.4,
    },
    "backpropagation": {"learning_rates": {"feedforward": 0.8, "bias": 0.5}},
    "predictive_coding": {"learning_rates": {"feedforward": 0.3, "bias": 0.2}, "time_step": 0.3},
    "microcircuit": {
        # With equal conductances, interneurons would hide what is wrong with their weights.
        "leak": 0.15,
        "dendritic": 0.9,
        "teaching": 0.7,
        "learning_rates": {
            "feedforward": 0.8,
            "bias": 0.6,
            "interneuron_forward": 0.5,
            "interneuron_bias": 0.4,
            "interneuron_feedback": 0.7,
        },
        "time_step": 0.4,
    },
}


def make(model, batch, hidden=(7, 5), **fields):
    """Return a specification, weights, images, labels and an order with a smaller last batch."""
    specification = Specification.create(
        sizes=(9, *hidden, 4),
        model=model,
        batch_size=batch,
        prediction_steps=4,
        nudging_steps=3,
        beta=1.7,
        **(FIELDS[model] | fields),
    )
    rng = np.random.default_rng(0)
    weights = {
        name: weight + 0.1 * rng.normal(size=weight.shape)
        for name, weight in initial_weights(specification, 0).items()
    }
    images = rng.integers(0, 256, size=(11, 9)).astype(np.uint8)
    return specification, weights, images, rng.integers(0, 4, size=11), rng.permutation(11)[:10]

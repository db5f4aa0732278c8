"""What every registered model has to pass, and the oracle of each.

To add a model: its oracle, a function here that runs it, and a row in `ORACLES`.
"""

import numpy as np

from ghost_spiking import Specification
from ghost_spiking.graph import projection_name
from ghost_spiking.values import initial_weights

from ..numerics.test_engines import by_symbol, key_of, oracle_of
from .equilibrium_propagation_oracle import EquilibriumPropagation


def ghosts(specification, weights, images, labels, order):
    """Run the oracle of ghost networks; give the weights by projection, and the last rates."""
    oracle = oracle_of(specification, weights)
    targets = np.eye(specification.network.sizes[-1])[labels]
    oracle.run(images / 255, targets, order, specification.protocol.batch_size)
    after = {}
    for name in weights:
        symbol, key = key_of(name)
        after[name] = oracle.w[symbol][key]
    assert by_symbol(after).keys() == oracle.w.keys()
    return after


def equilibrium_propagation(specification, weights, images, labels, order):
    """Run the oracle of equilibrium propagation; give the weights by projection."""
    network, protocol = specification.network, specification.protocol
    rates = protocol.learning_rates
    oracle = EquilibriumPropagation(
        {pair: weights[projection_name("feedforward", *pair)] for pair in network.connections},
        {layer: weights[f"bias_{layer}"][:, 0] for layer in range(1, network.n_layers + 1)},
        epsilon=protocol.time_step,
        beta=protocol.beta,
        free_steps=protocol.prediction_steps,
        nudged_steps=protocol.nudging_steps,
        eta=dict(zip(network.connections, rates.feedforward, strict=True))
        | dict(enumerate(rates.bias, start=1)),
    )
    targets = np.eye(network.sizes[-1])[labels]
    oracle.run(images / 255, targets, order, protocol.batch_size)
    return {projection_name("feedforward", *pair): w for pair, w in oracle.W.items()} | {
        f"bias_{layer}": bias[:, None] for layer, bias in oracle.b.items()
    }


#: By the name of the model: gives the weights after a few mini-batches.
ORACLES = {
    "MA": ghosts,
    "MB": ghosts,
    "equilibrium_propagation": equilibrium_propagation,
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
    }
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

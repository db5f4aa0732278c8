"""Oja's rule on a thousand inputs, with `DenseSynapses` and with Brian2's `Synapses`.

A hundred outputs look at 1,000 inputs whose activity has one strong direction. Oja's rule turns
every weight vector towards it. The same lines of equations drive both kinds of projection, and
with one pattern at a time both give the same weights. A batch lets `DenseSynapses` look at
a hundred patterns in a step. Nothing here has to do with ghost units.

    python experiments/oja.py
"""

import json
import time
from pathlib import Path

import numpy as np
from brian2 import Network, NeuronGroup, Synapses, ms, prefs

from ghost_spiking.dense import ClampedInput, DenseSynapses

N_INPUTS, N_OUTPUTS = 1000, 100

OJA = """
dw/dt = eta * (y_post * rate_pre - y_post**2 * w) / ms : 1 (clock-driven)
y_post = w * rate_pre : 1 (summed)
eta : 1 (constant, shared)
"""


def simulate(n_patterns, batch=1, dense=True):
    """Show random patterns; give the weights, the seconds, and the direction to find."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=N_INPUTS)
    direction /= np.linalg.norm(direction)
    noise = 0.3 / np.sqrt(N_INPUTS) * rng.normal(size=(n_patterns, N_INPUTS))
    patterns = rng.normal(size=(n_patterns, 1)) * direction + noise
    inputs = ClampedInput(N_INPUTS, batch=batch, dtype=float)
    inputs.show(patterns)
    outputs = NeuronGroup(batch * N_OUTPUTS, "y : 1")
    if dense:
        projection = DenseSynapses(inputs, outputs, OJA, batch=inputs)
    else:
        projection = Synapses(inputs, outputs, OJA, method="euler", order=-0.5)
        projection.connect()
    start = 0.1 * rng.normal(size=(N_INPUTS, N_OUTPUTS)) / np.sqrt(N_INPUTS)
    projection.w = start if dense else start.ravel()
    projection.eta = 0.5
    network = Network(inputs, outputs, projection)
    network.run(0 * ms)  # compiles
    begin = time.perf_counter()
    network.run(1000 * ms)  # until all patterns have been shown
    seconds = time.perf_counter() - begin
    # A copy, since that of Brian2 is a view of memory that goes with the projection.
    weights = np.array(projection.w[:]).reshape(N_INPUTS, N_OUTPUTS)
    return weights, seconds, direction


def main():
    old = prefs.codegen.target
    prefs.codegen.target = "cython"
    try:
        plain, plain_seconds, _ = simulate(300, dense=False)
        dense, dense_seconds, _ = simulate(300)
        batched, batched_seconds, direction = simulate(30_000, batch=100)
    finally:
        prefs.codegen.target = old
    np.testing.assert_allclose(dense, plain, atol=1e-10)
    overlap = abs(direction @ batched) / np.linalg.norm(batched, axis=0)
    results = {
        "synapses_ms_per_pattern": round(1e3 * plain_seconds / 300, 4),
        "dense_ms_per_pattern": round(1e3 * dense_seconds / 300, 4),
        "dense_batch_100_ms_per_pattern": round(1e3 * batched_seconds / 30_000, 4),
        "ratio": round(plain_seconds / dense_seconds, 1),
        "ratio_batch_100": round(100 * plain_seconds / batched_seconds, 1),
        "smallest_overlap_with_the_direction": round(float(overlap.min()), 4),
        "smallest_norm": round(float(np.linalg.norm(batched, axis=0).min()), 4),
    }
    print(json.dumps(results, indent=2))
    path = Path(__file__).parent / "results" / "oja.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

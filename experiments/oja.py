"""Oja's rule on a thousand inputs, with `DenseSynapses` and with Brian2's `Synapses`.

Twenty outputs look at 1,000 inputs whose activity has one strong direction. Oja's rule turns every
weight vector towards it. The same two lines of equations drive both kinds of
projection; nothing here has to do with ghost units.

    python experiments/oja.py
"""

import json
import time
from pathlib import Path

import numpy as np
from brian2 import Network, NeuronGroup, Synapses, TimedArray, ms, prefs

from ghost_spiking.dense import DenseSynapses

N_INPUTS, N_OUTPUTS, N_STEPS = 1000, 20, 1000

OJA = """
dw/dt = eta * (y_post * x_pre - y_post**2 * w) / ms : 1 (clock-driven)
y_post = w * x_pre : 1 (summed)
eta : 1 (constant, shared)
"""


def simulate(dense):
    rng = np.random.default_rng(0)
    direction = rng.normal(size=N_INPUTS)
    direction /= np.linalg.norm(direction)
    noise = 0.3 / np.sqrt(N_INPUTS) * rng.normal(size=(N_STEPS, N_INPUTS))
    shown = TimedArray(rng.normal(size=(N_STEPS, 1)) * direction + noise, dt=0.1 * ms)
    inputs = NeuronGroup(N_INPUTS, "x = shown(t, i) : 1 (constant over dt)")
    outputs = NeuronGroup(N_OUTPUTS, "y : 1")
    if dense:
        projection = DenseSynapses(inputs, outputs, OJA)
    else:
        projection = Synapses(inputs, outputs, OJA, method="euler", order=-0.5)
        projection.connect()
    start = 0.1 * rng.normal(size=(N_INPUTS, N_OUTPUTS)) / np.sqrt(N_INPUTS)
    projection.w = start if dense else start.ravel()
    projection.eta = 0.2
    network = Network(inputs, outputs, projection)
    network.run(0.1 * ms, namespace={"shown": shown})  # compiles
    begin = time.perf_counter()
    network.run((N_STEPS - 1) * 0.1 * ms, namespace={"shown": shown})
    seconds = time.perf_counter() - begin
    weights = np.reshape(projection.w[:], (N_INPUTS, N_OUTPUTS))
    overlap = abs(direction @ weights) / np.linalg.norm(weights, axis=0)
    return weights, seconds, overlap


def main():
    old = prefs.codegen.target
    prefs.codegen.target = "cython"
    try:
        plain, plain_seconds, _ = simulate(dense=False)
        dense, dense_seconds, overlap = simulate(dense=True)
    finally:
        prefs.codegen.target = old
    np.testing.assert_allclose(dense, plain, atol=1e-10)
    results = {
        "synapses_s": round(plain_seconds, 3),
        "dense_s": round(dense_seconds, 3),
        "ratio": round(plain_seconds / dense_seconds, 1),
        "smallest_overlap_with_the_direction": round(float(overlap.min()), 4),
        "smallest_norm": round(float(np.linalg.norm(dense, axis=0).min()), 4),
    }
    print(json.dumps(results, indent=2))
    path = Path(__file__).parent / "results" / "oja.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

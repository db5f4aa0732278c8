r"""
6. DenseSynapses in your own Brian2 model
=========================================

Brian2's `Synapses` visit one synapse after the other. `DenseSynapses` take the same equations for an all-to-all
projection, and turn them into matrix products over a batch of replicas. Here they learn the principal
components of pieces of handwritten digits, with Oja's rule. There are no ghosts on this page.
"""

# %%
# The data
# --------
# 10,000 pieces of 12 x 12 pixels from MNIST, with the mean taken away.
import time

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Clock, Network, NeuronGroup, Synapses, ms, prefs

from ghost_spiking.datasets import load
from ghost_spiking.dense import DenseSynapses
from ghost_spiking.plotting import plot_receptive_fields

prefs.codegen.target = "numpy"
images = load("mnist")[0].images.reshape(-1, 28, 28) / 255
generator = np.random.default_rng(0)
corner = generator.integers(0, 16, size=(10_000, 2))
pieces = np.array([images[k, i : i + 12, j : j + 12].ravel() for k, (i, j) in enumerate(corner)])
pieces -= pieces.mean(axis=0)

# %%
# A model, twice
# --------------
# 144 inputs x, 8 outputs y, and the subspace rule of Oja: dw/dt = eta (x - y w^T) y. The part of the input that the outputs explain
# already is sent back by the same weights, so the rule stays local: `residual` of an input unit. These strings are
# ordinary Brian2:
INPUTS = """
x : 1
explained : 1
residual = x - explained : 1
"""
RULE = """
dw/dt = eta * residual_pre * y_post / ms : 1 (clock-driven)
y_post = w * x_pre : 1 (summed)
explained_pre = w * y_post : 1 (summed)
eta : 1 (constant, shared)
"""


def make(projection, n_replicas, **options):
    """Build the model with one kind of projection."""
    clock = Clock(1 * ms)
    inputs = NeuronGroup(144 * n_replicas, INPUTS, clock=clock)
    outputs = NeuronGroup(8 * n_replicas, "y : 1", clock=clock)
    synapses = projection(inputs, outputs, RULE, clock=clock, **options)
    if projection is Synapses:
        synapses.connect()
    return inputs, synapses, Network(inputs, outputs, synapses)


start_weights = generator.normal(scale=0.1, size=(144, 8))


def learn(model, data, n_replicas, learning_rate):
    """Show the data, a batch for two time steps; give the time it took.

    A sum takes what other groups had at the step before, so the outputs need one step to know the
    input, and the inputs a second one to know what the outputs explain. Then weights learn.
    """
    inputs, synapses, network = model
    begun = time.perf_counter()
    for first in range(0, len(data), n_replicas):
        inputs.x = data[first : first + n_replicas].ravel()
        for rate in (0.0, learning_rate):
            synapses.eta = rate
            network.run(1 * ms)
    return time.perf_counter() - begun


# %%
# The same results
# ----------------
# One piece at a time, with `Synapses` and with `DenseSynapses`. The latter have their weights as a matrix:
plain = make(Synapses, 1, method="euler", order=-0.5)
plain[1].w = start_weights.ravel()
dense = make(DenseSynapses, 1)
dense[1].w = start_weights
seconds = [learn(model, pieces[:200], 1, 0.005) for model in (plain, dense)]
difference = np.abs(np.asarray(plain[1].w).reshape(144, 8) - dense[1].w[:]).max()
print(f"largest difference between weights: {difference:.1e}")

# %%
# A batch
# -------
# With ``batch=100`` the groups are 100 replicas of the same units, each of which sees another piece. They share the weights, and each
# weight change is the mean over replicas. This is what makes it fast: a product of two matrices in place of 100 of a matrix and a
# vector.
batched = make(DenseSynapses, 100, batch=100)
batched[1].w = start_weights
total = sum(learn(batched, pieces, 100, 0.02) for _ in range(4))
print(f"Synapses, one piece at a time:      {1e6 * seconds[0] / 200:8.1f} us for each piece")
print(f"DenseSynapses, one piece at a time: {1e6 * seconds[1] / 200:8.1f} us")
print(f"DenseSynapses, 100 at a time:       {1e6 * total / 40_000:8.1f} us")

# %%
# What was learned
# ----------------
# The weights of the eight outputs. They span the same space as the first principal components; the angle between the two spaces is
# small:
weights = batched[1].w[:]
figure, axes = plt.subplots(figsize=(5, 4))
plot_receptive_fields(weights.T, (12, 12), axes)

components = np.linalg.svd(pieces, full_matrices=False)[2][:8].T
cosines = np.linalg.svd(np.linalg.qr(weights)[0].T @ components, compute_uv=False)
print("angles between the spaces:", np.degrees(np.arccos(np.clip(cosines, -1, 1))).round(1))

# %%
# To try
# ------
# * Give each output its own residual, by a lower-triangular rule: is it still a product of one-sided factors? If not,
#   `DenseSynapses` says which term is not.
# * In C++ standalone the same model runs as one program: see `ClampedInput` and `CompiledNetwork`.

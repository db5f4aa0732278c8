r"""
6. DenseSynapses in your own Brian2 model
=========================================

Brian2's `Synapses` visit one synapse after the other. `DenseSynapses` take the same equations for an all-to-all
projection, and turn them into matrix products over a batch of replicas.

You will learn how to write a model for both, how to check that they do the same, what a batch is, and what
it gains. The model learns the principal components of pieces of handwritten digits, with a rule of Oja. There are no
ghosts on this page.
"""

# %%
# The data
# --------
# 10,000 pieces of 12 x 12 pixels from MNIST, with the mean taken away.
import time

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Clock, Network, NeuronGroup, Synapses, linked_var, ms, prefs, second
from scipy.linalg import subspace_angles

from ghost_spiking.datasets import load
from ghost_spiking.dense import ClampedInput, DenseSynapses
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
# 144 inputs x, 8 outputs y, and Oja's subspace rule: dw/dt = eta (x - w y) y. What the outputs explain of the input is sent
# back by the same weights, so the rule stays local: an input unit knows its own `residual`.
#
# Each piece is shown for two time steps. A sum takes what other groups had at the step before: in the first step outputs
# get to know the input, in the second one inputs get to know what the outputs explain, and the weights learn. These
# strings are ordinary Brian2:
INPUTS = """
x : 1 (linked)
step : integer (linked)
explained : 1
residual = x - explained : 1
learning = int(step == 1) : 1 (shared)
"""
RULE = """
dw/dt = eta * learning_pre * residual_pre * y_post / ms : 1 (clock-driven)
y_post = w * x_pre : 1 (summed)
explained_pre = w * y_post : 1 (summed)
eta : 1 (constant, shared)
"""


class Model:
    """The model with one kind of projection; a `ClampedInput` shows the pieces to it."""

    def __init__(self, projection, n_replicas=1, **options):
        clock = Clock(1 * ms)
        self.stimulus = ClampedInput(144, batch=n_replicas, steps=2, dtype=float, clock=clock)
        inputs = NeuronGroup(144 * n_replicas, INPUTS, clock=clock)
        inputs.x = linked_var(self.stimulus, "rate")
        inputs.step = linked_var(self.stimulus, "step")
        outputs = NeuronGroup(8 * n_replicas, "y : 1", clock=clock)
        if projection is DenseSynapses:
            options["batch"] = self.stimulus
        self.synapses = projection(inputs, outputs, RULE, clock=clock, **options)
        if projection is Synapses:
            self.synapses.connect()
        self.network = Network(self.stimulus, inputs, outputs, self.synapses)

    def learn(self, data, rate):
        """Show all rows of the data, and give the seconds that it took."""
        self.synapses.eta = rate
        self.stimulus.show(data)
        begun = time.perf_counter()
        self.network.run(1e6 * second)  # the stimulus ends the run with the data
        return time.perf_counter() - begun


def seconds_per_piece(model, rate, few, many):
    """Time two runs; their difference is free of what it takes to start one."""
    return (model.learn(pieces[:many], rate) - model.learn(pieces[:few], rate)) / (many - few)


# %%
# The same results
# ----------------
# One piece at a time, with `Synapses` and with `DenseSynapses`, which have their weights as a matrix.
start_weights = generator.normal(scale=0.1, size=(144, 8))
plain = Model(Synapses, method="euler")
plain.synapses.w = start_weights.ravel()
dense = Model(DenseSynapses)
dense.synapses.w = start_weights
for model in (plain, dense):
    model.learn(pieces[:500], 0.005)
difference = np.abs(np.asarray(plain.synapses.w).reshape(144, 8) - dense.synapses.w[:]).max()
moved = np.abs(dense.synapses.w[:] - start_weights).max()
print(
    f"weights have moved by up to {moved:.3f}; largest difference between the two: {difference:.1e}"
)

# %%
# The two agree to the last digits of double precision: nothing is approximated.
#
# A batch
# -------
# With 100 replicas the groups are 100 copies of the same units, one after the other, each of which sees another piece. They
# share the weights, and each weight change is the mean over replicas. A sum is now a product of two matrices in
# place of 100 products of a matrix and a vector.
batched = Model(DenseSynapses, 100)
batched.synapses.w = start_weights
for _ in range(20):
    batched.learn(pieces, 0.05)

times = {
    "Synapses, one piece at a time": seconds_per_piece(plain, 0.005, 200, 1200),
    "DenseSynapses, one at a time": seconds_per_piece(dense, 0.005, 200, 1200),
    "DenseSynapses, 100 at a time": seconds_per_piece(batched, 0.05, 1000, 10_000),
}
for name, value in times.items():
    print(f"{name:30} {1e6 * value:8.1f} us for each piece")

# %%
# The batch is what makes it fast, not the matrix: with one piece at a time most of the time goes to Python, and
# `DenseSynapses` are no faster, rather slower. All of this is Brian2's numpy target, so that no compiler is needed. Against
# Cython, which Brian2 uses where it can, `experiments/oja.py` finds the same picture: 1,000 x 100 weights take
# 0.67 ms for each pattern with `Synapses`, 0.87 ms with `DenseSynapses` and one pattern at a time, and 0.019 ms with 100
# patterns at a time (`experiments/results/oja.json`).
#
# What was learned
# ----------------
# The weights of the eight outputs, as pictures:
weights = batched.synapses.w[:]
figure, axes = plt.subplots(figsize=(5, 4))
plot_receptive_fields(weights.T, (12, 12), axes)

# %%
# They look like blobs and bars, and mixtures of these. Oja's rule finds the space that the first eight principal
# components span, but any rotation of them will do, so a single output need not be a single component. What can be compared is
# the two spaces, by the angles between them, in degrees:
components = np.linalg.svd(pieces, full_matrices=False)[2][:8].T
print(np.degrees(subspace_angles(weights, components)).round(1))
print("norms of the weights:", np.linalg.norm(weights, axis=0).round(2))

# %%
# All angles are a few degrees: the two spaces are nearly the same. The rule has also brought the weights of each output to
# length 1, without being told to.
#
# To try
# ------
# * Record ``residual`` with a `StateMonitor`, and draw how its size falls while the model learns.
# * What does ``dw/dt = eta * sqrt(x_pre + y_post) / ms : 1 (clock-driven)`` do? It is no sum of products of one-sided
#   factors, and the error says so.
# * How small may the batch be before it is no faster?
#
# Where next
# ----------
# :doc:`All that DenseSynapses take </dense>`, and :doc:`how fast they are and why </performance>`. In C++ standalone mode the
# same model is one program: see `CompiledNetwork` in :doc:`the reference </reference/api>`.

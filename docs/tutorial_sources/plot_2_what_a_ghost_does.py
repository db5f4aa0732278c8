r"""
2. What a ghost does
====================

One hidden unit under the electrode, through prediction and nudging: its input from below, the feedback from
above, and what the ghosts subtract from it. Then the same without ghosts.
"""

# %%
# Two networks
# ------------
# The same network before learning and after. `Probe` presents a few images to a network, leaves its weights alone, and records
# everything. Here it shows a single test image.
import matplotlib.pyplot as plt
import numpy as np

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe
from ghost_spiking.plotting import plot_trace

training, test = load("mnist")
training = training.take(5000)
specification = Specification.create(sizes=(784, 100, 10))
trainer = Training(Simulation(specification, seed=0), training, test)
before = dict(trainer.simulation.weights)
trainer.run(epochs=8)
after = dict(trainer.simulation.weights)

# %%
# We choose an image that the network does not read well: the one among the first 500 test images whose correct output unit is
# the least active.
responses = trainer.simulation.respond(test.images[:500])
image = int(responses[np.arange(500), test.labels[:500]].argmin())
print(f"image {image} is a {test.labels[image]}, taken for a {responses[image].argmax()}")
probe = Probe(specification, test.images[[image]], test.labels[[image]])

# %%
# A hidden unit
# -------------
# We record from the hidden unit with the largest error. Its state s follows its input from below, b. The output units
# send it the feedback t, and the ghosts subtract c. In the prediction phase, left of the dotted line, the two are nearly the same:
# the unit hardly notices the feedback. When the output units are nudged, t changes and c does not. The
# difference e = t - c is the error that the unit learns from.
trace = probe.trace(after, layer=1)
unit = int(np.abs(trace.error[-1, 0]).argmax())


def record(weights, title):
    """Draw what an electrode in our unit sees."""
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(7, 5), layout="constrained")
    plot_trace(probe.trace(weights, layer=1), unit, 0, axes)
    axes[0].set_title(f"{title}\n")


record(after, "with ghosts that have learned")

# %%
# Without ghosts
# --------------
# Silence them, by setting the weights from ghosts to hidden units to zero. Now the unit gets all of the feedback, all the time. Most
# of what arrives in the nudging phase was there before and is no error at all:
silent = after | {"ghost_feedback_2": np.zeros_like(after["ghost_feedback_2"])}
record(silent, "without ghosts")

# %%
# An output unit and its ghost
# ----------------------------
# The ghost g gets the same input as its partner s and has learned the same weights. So it predicts what its partner
# does, until the partner is nudged:
trace = probe.trace(after, layer=2)
figure, axes = plt.subplots(3, 1, sharex=True, figsize=(7, 5), layout="constrained")
plot_trace(trace, int(test.labels[image]), 0, axes)
axes[0].set_title("the output unit of the right digit\n")

# %%
# In numbers
# ----------
# How much of the feedback is left at the end of the prediction phase, over 200 test images, as a fraction of all feedback; and
# the angle between the errors and those of backpropagation (90 degrees is chance):
many = Probe(specification, test.images[:200], test.labels[:200])
for name, weights in (("before learning", before), ("without ghosts", silent), ("learned", after)):
    found = many.measure(weights)
    print(f"{name:16} residual {found.residual[1]:.2f}, angle {found.error_angle[1]:.0f} degrees")

# %%
# To try
# ------
# * ``probe.trace(after, layer=1, beta=0.3)``: what does a weaker nudging do to the error?
# * Exchange the label: give the probe another digit as the target. Which units change their error?
# * The same picture of a run on disk: ``ghost-spiking trace my-run --unit 3 --image 8``.
#
# Next: :ref:`from local rules to backpropagation <sphx_glr_tutorials_plot_3_angle.py>`.

r"""
2. What a ghost does
====================

One hidden unit under the electrode, through prediction and nudging. You will learn what it gets from below and from above,
what the ghosts subtract, why the rest is an error to learn from, and what goes wrong without ghosts.
"""

# %%
# Two networks
# ------------
# The network that comes with the package, before learning and after. `Probe` presents a few images to a network, leaves its weights alone, and records
# everything. Here it shows a single test image.
import matplotlib.pyplot as plt
import numpy as np

from ghost_spiking import Simulation
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe, backpropagate
from ghost_spiking.networks import trained
from ghost_spiking.plotting import plot_trace
from ghost_spiking.values import initial_weights

training, test = load("mnist")
run = trained()
specification, after = run.specification, run.weights
before = initial_weights(specification, run.facts.seed)
adaptation = run.adaptation  # of the input units, to the training images
simulation = Simulation(specification, weights=after, adaptation=adaptation)

# %%
# We choose an image that the network does not read well: the one among the first 500 test images whose correct output unit is
# the least active.
responses = simulation.respond(test.images[:500])
image = int(responses[np.arange(500), test.labels[:500]].argmin())
print(f"image {image} is a {test.labels[image]}, taken for a {responses[image].argmax()}")
probe = Probe(specification, test.images[[image]], test.labels[[image]], adaptation=adaptation)

# %%
# A hidden unit
# -------------
# We record from the hidden unit with the largest error.
trace = probe.trace(after, layer=1)
unit = int(np.abs(trace["error"][-1, 0]).argmax())


def record(weights, title):
    """Draw what an electrode in our unit sees; print the error at the end of both phases."""
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(7, 5), layout="constrained")
    trace = probe.trace(weights, layer=1)
    plot_trace(trace, unit, 0, axes)
    axes[0].set_title(f"{title}\n")
    end = specification.protocol.prediction_steps
    print(f"e at the end of prediction: {trace['error'][end, 0, unit]:+.3f}", end=", ")
    print(f"of nudging: {trace['error'][-1, 0, unit]:+.3f}")


record(after, "with ghosts that have learned")

# %%
# Above: the state s follows the input from below, b. In the middle: the output units send the feedback t, and the ghosts
# subtract c. In the prediction phase, left of the dotted line, the two are close to each other, so that the unit hardly
# notices the feedback. When the output units are nudged, t changes at once and c hardly moves, because nobody nudges the
# ghosts. Below: the difference e = t - c is close to zero at the end of the prediction phase, and large once output units are
# nudged. This is the error that the unit learns from.
#
# Is it right? What backpropagation would tell this unit, with the strength of the nudging as a factor:
rates = simulation.input_rates(test.images[[image]])
found = backpropagate(specification, after, rates, test.labels[[image]])
print(f"backpropagation: {specification.protocol.beta * found.errors[1][0, unit]:+.3f}")

# %%
# The sign is right. The size is not the same, for two reasons: what the ghosts leave uncancelled is part of e, and a
# nudge of this strength is not a small change. The next tutorial takes the two apart.
#
# Without ghosts
# --------------
# Silence them, by setting the weights from ghosts to hidden units to zero:
silent = after | {"ghost_feedback_2": np.zeros_like(after["ghost_feedback_2"])}
record(silent, "without ghosts")

# %%
# Now the unit gets all of the feedback, all the time. Nudging moves it as before, but from another place: what was there
# before has the other sign, and little of the error is left. A rule that learns from e would learn from what says nothing
# about the error, and the numbers below say how often it would go wrong. That is what ghosts are for: they take it away.
#
# An output unit and its ghost
# ----------------------------
# The ghost g gets the same input as its partner s, and has learned to do the same with it. So it predicts what its partner
# does, until the partner is nudged:
trace = probe.trace(after, layer=2)
figure, axes = plt.subplots(3, 1, sharex=True, figsize=(7, 5), layout="constrained")
plot_trace(trace, int(test.labels[image]), 0, axes)
axes[0].set_title("the output unit of the right digit\n")

# %%
# Before learning
# ---------------
# Ghosts begin with random weights, and know nothing of their partners:
record(before, "before learning")

# %%
# Their feedback c has nothing to do with t, so nothing is cancelled. Such ghosts are worse than none.
#
# In numbers
# ----------
# How much of the feedback is left at the end of the prediction phase, over 200 test images, as a fraction of all feedback; and
# the angle between the errors and those of backpropagation (90 degrees is chance):
many = Probe(specification, test.images[:200], test.labels[:200], adaptation=adaptation)
for name, weights in (("before learning", before), ("without ghosts", silent), ("learned", after)):
    found = many.measure(weights)
    print(
        f"{name:16} residual {found['residual'][1]:.2f}, angle {found.error_angle[1]:.0f} degrees"
    )

# %%
# Before learning, the ghosts add several times more than there is to cancel, and the errors are no better than chance. Without
# ghosts they are little better. With ghosts that have learned, next to nothing of the feedback is left, and the errors point
# in much the same direction as those of backpropagation.
#
# To try
# ------
# * ``probe.trace(after, layer=1, beta=0.3)``: what does a weaker nudging do to the error?
# * Exchange the label: give the probe another digit as the target. Which units change their error?
# * The same picture of a run on disk: ``ghost-spiking trace mnist --unit 3 --image 8``.
#
# Next: :ref:`from local rules to backpropagation <sphx_glr_tutorials_plot_3_angle.py>`.

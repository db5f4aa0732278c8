r"""
1. Your first ghost network
===========================

You will learn how to describe a network, how to train it, and how to look at what it has learned. At the end a
network of pyramidal and ghost units reads handwritten digits. You need no more than the package itself, and no knowledge
of Brian2.
"""

# %%
# The images
# ----------
# MNIST comes with the package: 60,000 images to learn from, and 10,000 to test with. To be quick we learn from 5,000.
import matplotlib.pyplot as plt

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.plotting import (
    plot_distances,
    plot_images,
    plot_learning_curves,
    plot_receptive_fields,
)

training, test = load("mnist")
training = training.take(5000)
print(training.images.shape, training.labels[:10])

figure, axes = plt.subplots(figsize=(6, 1.6), layout="constrained")
plot_images(training.images[:20], training.image_shape, axes, columns=10)

# %%
# The network
# -----------
# A specification says what the network is and how it is run. The sizes are all that has to be said: 784 pixels, 100 hidden
# units, 10 output units, one for each digit. Everything else is chosen from the sizes, and you can look at it.
specification = Specification.create(sizes=(784, 100, 10))
print(specification.network.model, specification.network.ghosts)
print(specification.network.rate_function, specification.network.feedback)
print(specification.protocol.prediction_steps, "+", specification.protocol.nudging_steps, "steps")

# %%
# `model = "MA"` gives every output unit a *ghost*: a unit that learns to do what its partner does, and to take back what its
# partner feeds back to the hidden layer. ``print(specification.to_toml())`` shows all fields in the form in which they
# can be saved; :doc:`the reference </reference/specification>` says what each of them means.
#
# Learning
# --------
# A simulation is the network with its weights, compiled to C++. A training presents images to it. Each
# mini-batch of 100 images is presented in two phases. In the *prediction phase* only the pixels are given, and ghosts learn to
# cancel the feedback. In the *nudging phase* the output units are pushed a little towards the right answer. What the
# ghosts do not cancel now is the error, and the connections between pyramidal units learn from it.
trainer = Training(Simulation(specification, seed=0), training, test)
trainer.run(epochs=8)
for epoch in trainer.history:
    print(f"epoch {epoch.epoch}: {epoch.test_accuracy:.2f} % of the test images are right")

# %%
# How learning went
# -----------------
# The error on the images that it learns from, while it learns, and on the test images:
figure, axes = plt.subplots(layout="constrained")
plot_learning_curves(trainer.history, axes)

# %%
# Both fall, and after three epochs the network does better on the images that it has seen than on new ones: with 5,000
# images there is little to generalise from. Before, it is the other way round, because the dashed line
# is a mean over the epoch, beginning with a network that knows less.
#
# The ghosts learn too. The distance between the weights into output units, W\ :sup:`f`, and those into their ghosts,
# V\ :sup:`f`, falls, and so does the distance between what they send back, W\ :sup:`b` and V\ :sup:`b`:
figure, axes = plt.subplots(layout="constrained")
plot_distances(trainer.history, axes)

# %%
# What is sent back is nearly the same after four epochs. The weights into the ghosts are on their way: eight short
# epochs have brought their distance to less than half. Ghosts only have to do the same as their partners for the images that there are, and
# need not have the same weights for that.
#
# What it has learned
# -------------------
# The weights from the pixels to each hidden unit, as pictures. Orange pixels excite the unit, purple ones inhibit it.
weights = trainer.simulation.weights
figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
plot_receptive_fields(weights["feedforward_1"], training.image_shape, axes)

# %%
# Most units have patches of both signs, where strokes of some digits pass and those of others do not. A few have hardly any
# weights. At the border, where pixels are always white, weights stay as small and random as they began.
#
# Some of the images that it takes for another digit, with the true digit and the guess:
predicted = trainer.simulation.predict(test.images)
wrong = (predicted != test.labels).nonzero()[0][:24]
captions = [f"{test.labels[k]} as {predicted[k]}" for k in wrong]
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
plot_images(test.images[wrong], test.image_shape, axes, captions, columns=8)

# %%
# Some of them are hard to read for us too; most are not. A larger network with all images makes
# a quarter of these mistakes.
#
# The same from the shell
# -----------------------
# .. code-block:: console
#
#    $ ghost-spiking train --hidden 100 --limit 5000 --epochs 8 --out my-run
#    $ ghost-spiking show my-run
#
# The first line trains and saves the same network in the folder ``my-run``; the second draws all that is above, and
# more, into it. With all 60,000 images and 500 hidden units, which is what ``make mnist`` does, 98 % of the test images are right
# after a minute.
#
# To try
# ------
# * Train for 20 more epochs: call ``trainer.run(epochs=28)``, which goes on where it was.
# * How few hidden units are enough for 90 %?
# * ``Specification.create(sizes=(784, 100, 10), loss="cross_entropy")``: does it learn faster?
#
# Next: :ref:`what a ghost does <sphx_glr_tutorials_plot_2_what_a_ghost_does.py>`.

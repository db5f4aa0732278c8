r"""
3. From local rules to backpropagation
======================================

Every unit of a ghost network knows only what arrives at its own synapses. Theorem 1 of the paper says that,
all the same, the error of a hidden unit is the gradient that backpropagation would compute. You will learn how to measure
this, how well it holds in a network that has learned, and which two things it depends on.
"""

# %%
# What is compared
# ----------------
# `Probe.measure` presents images in both phases and takes the error e of each hidden unit at the end of the nudging phase. Then it
# backpropagates through the feedforward network with the same weights, and gives the angle between the two, taken over all
# units and images. The same for the change of weights that one presentation makes. 0 degrees is gradient descent, below 90
# degrees still goes downhill, and 90 degrees is chance.
import matplotlib.pyplot as plt
import numpy as np

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.callbacks import Measure
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe

training, test = load("mnist")
training, held_out = training.take(5000), training.take(np.arange(5000, 5200))
specification = Specification.create(sizes=(784, 100, 10))
probe = Probe(specification, held_out.images, held_out.labels)

# %%
# While it learns
# ---------------
# A callback measures after each epoch.
trainer = Training(Simulation(specification, seed=0), training, test)
trainer.run(epochs=8, callbacks=[Measure(probe)])

figure, axes = plt.subplots(layout="constrained")
for name, label, style in (
    ("error_angle[1]", "error of hidden units", "o-"),
    ("update_angle[feedforward_1]", "change of weights, pixels to hidden", "s--"),
    ("update_angle[feedforward_2]", "change of weights, hidden to output", "^:"),
):
    angles = [epoch.measurements[name] for epoch in trainer.history]
    axes.plot(range(1, 9), angles, style, label=label)
axes.set(xlabel="epoch", ylabel="angle to backpropagation (degrees)", ylim=(0, 100))
axes.axhline(90, color="0.4", linestyle="--", linewidth=1)
axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 0.88))

# %%
# All angles are below 90 degrees from the first epoch on, so every step goes downhill. The angle of the hidden units' error falls while the
# ghosts learn, and levels off at about 20 degrees; so does that of the weights that learn from it. The output units need no
# ghosts for their error. The angle of their weights is no smaller all the same, because they are nudged so strongly that
# they leave the state in which the gradient is taken. With a tenth of the strength it would be a few degrees:
gentle = Probe(
    specification.replace(beta=0.3),
    held_out.images,
    held_out.labels,
    adaptation=trainer.simulation.adaptation,  # of the input units, to the training images
)
print(gentle.measure(trainer.simulation.weights).update_angle)

# %%
# But now the angle of the lower weights is larger.
#
# How strong to nudge
# -------------------
# So two things stand between the errors and the gradient. **What ghosts leave uncancelled** is there whether we nudge or not. If we
# nudge gently, it drowns the error. **A strong nudge** moves the output units a long way, while a gradient is about small
# changes. There is a best strength beta between the two. To see the second effect by itself, we also take ideal ghosts, which have
# the weights of their partners: V\ :sup:`f` = W\ :sup:`f` and V\ :sup:`b` = W\ :sup:`b`.
learned = dict(trainer.simulation.weights)
ideal = learned | {
    "ghost_forward_2": learned["feedforward_2"],
    "ghost_feedback_2": learned["feedforward_2"].T,
    "ghost_bias_2": learned["bias_2"],
}

# %%
# And to see the first one get smaller, we let only the ghosts learn for 24 epochs more: the learning rates of all other weights are
# zero.
trainer.simulation.specification = specification.replace(
    learning_rates={"feedforward": 0.0, "bias": 0.0}
)
trainer.run(epochs=32)
practised = dict(trainer.simulation.weights)

betas = [0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(6, 6), layout="constrained")
for name, weights, style in (
    ("learned ghosts", learned, "o-"),
    ("the same, after learning alone", practised, "^-."),
    ("ideal ghosts", ideal, "s--"),
):
    found = [probe.errors(weights, beta=beta, nudging_steps=40)[1] for beta in betas]
    above.semilogx(betas, [angle for angle, _ in found], style, label=name)
    below.loglog(betas, [ratio for _, ratio in found], style, label=name)
    print(f"{name:31}", *(f"{angle:5.1f}" for angle, _ in found))
above.set(ylabel="angle to backpropagation (degrees)", ylim=(0, 95))
below.set(xlabel=r"strength of nudging, $\beta$", ylabel="length, that of the gradient is 1")
below.axhline(1, color="0.4", linewidth=1, linestyle=":")
above.legend(frameon=False)

# %%
# With ideal ghosts (squares) the angle goes to zero and the length to one as beta does: this is Theorem 1. At large beta
# all curves meet: there the nudge is too strong, whatever the ghosts do.
#
# With the ghosts of the training (circles) small betas are hopeless. In the lower panel their error is hundreds of times as long
# as the gradient: it is what they left uncancelled, the same for any beta, divided by beta. Their best angle is about 20 degrees, at
# beta = 3, which is also the default. After practising alone (triangles) they leave less, so a gentler nudge
# will do, and the best angle is well below 10 degrees. Both curves still have a minimum: as long as ghosts leave anything at all, beta can
# be too small.
#
# To try
# ------
# * Let the ghosts practise for longer. How does the best beta move?
# * ``Specification.create(sizes=(784, 100, 10), beta=0.3)``: does a network learn with it, from the beginning?
# * ``sizes=(784, 100, 100, 10)``: what are the angles in each of two hidden layers? They are worse; :doc:`the paper, claim
#   by claim </paper>` has the measurements for one to five layers.
#
# Next: :ref:`change the biology <sphx_glr_tutorials_plot_4_change_the_biology.py>`. Why it works: :doc:`/why`.

r"""
4. Change the biology
=====================

What if some ghosts die? If they may only inhibit? If feedback is random and fixed, or neurons are noisy? You will learn
which of these are a field of the specification, and how to reach into the Brian2 objects for all others.
"""

# %%
# Fields of the specification
# ---------------------------
# The same small network six times, on scikit-learn's digits (8 x 8 pixels). What differs is a field or two:
#
# * ``lesion``: a fraction of the ghosts is silent, from the beginning;
# * ``dale``: ghosts obey Dale's law, all their weights onto pyramidal units have the same sign;
# * ``feedback = "alignment"``: the feedback weights are fixed and random, rather than the transpose of the forward ones;
# * ``model = "MB"``: any number of ghosts, with random input, that have no partners to copy.
#
# Everything on this page runs in Brian2's runtime mode, so it needs no compiler.
import brian2
import matplotlib.pyplot as plt
from brian2 import StateMonitor

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe

training, test = load("digits")
training, held_out = training.split(300, seed=0)
base = {"sizes": (64, 32, 10), "batch_size": 20}
variants = {
    "as it is": {},
    "half of the ghosts lesioned": {"lesion": 0.5},
    "all but one lesioned": {"lesion": 0.9},
    "Dale's law": {"dale": True},
    "feedback alignment": {"feedback": "alignment"},
    "model MB, 50 ghosts": {"model": "MB", "ghosts": 50},
}
EPOCHS = 6

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, fields), marker in zip(variants.items(), "os^Dv*", strict=True):
    specification = Specification.create(**base, **fields)
    trainer = Training(Simulation(specification, device="numpy", seed=0), training, held_out)
    trainer.run(epochs=EPOCHS)
    accuracy = [epoch.test_accuracy for epoch in trainer.history]
    axes.plot(range(1, EPOCHS + 1), accuracy, f"{marker}-", label=name)
    probe = Probe(
        specification,
        held_out.images[:100],
        held_out.labels[:100],
        maximum=16,
        adaptation=trainer.simulation.adaptation,
    )
    found = probe.measure(trainer.simulation.weights)
    print(
        f"{name:28} {accuracy[-1]:5.1f} %, residual {found['residual'][1]:.2f}, "
        f"{found.error_angle[1]:3.0f} degrees from the gradient, W^b is "
        f"{found['feedback_alignment']['feedforward_2']:.0f} degrees from W^f"
    )
axes.set(xlabel="epoch", ylabel="accuracy on held-out images (%)")
axes.legend(frameon=False, fontsize="small")

# %%
# What the output says (one seed each and 300 images, so a point or two means nothing):
#
# * The network forgives the loss of half of its ghosts, although more than half of the feedback is then left
#   uncancelled; learning only starts later. With one ghost left it learns far more slowly.
# * Dale's law, as it stands, prevents learning. Ghosts that can only take away cannot cancel feedback that
#   is negative, and nearly all of the feedback is left.
# * Fixed random feedback costs nothing here. At the end the forward weights are no longer at right angles to it: they
#   have turned towards the feedback, which is why its errors are of use.
# * MB does nearly as well as MA, with five times as many ghosts. Its V\ :sup:`b` has to replicate the feedback of each image, which
#   is easier for one image at a time (its default ``batch_size``) than for the 20 of this page.
#
# Reaching into the Brian2 objects
# --------------------------------
# Noise is not a field. But in runtime mode (``device="numpy"``) a simulation hands out its Brian2 objects: populations and projections by
# name, and the network that runs them. Here every hidden unit gets noise at each time step, and a monitor records one of them.
STEP = Specification.create(**base).protocol.time_step  # dt in units of tau


def noisy(strength):
    """Make a simulation whose hidden units are noisy."""
    brian2.seed(1)
    simulation = Simulation(Specification.create(**base), device="numpy", seed=0)
    hidden, clock = simulation.brian.populations["pyramidal_1"], simulation.brian.stimulus.clock
    hidden.run_regularly(f"s += {strength} * randn()", clock=clock, when="after_groups")
    return simulation


figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for strength in (0.0, 0.3, 1.0):
    simulation = noisy(strength)
    hidden, clock = simulation.brian.populations["pyramidal_1"], simulation.brian.stimulus.clock
    monitor = StateMonitor(hidden, "s", record=[0], clock=clock)
    simulation.brian.network.add(monitor)
    simulation.present(training.images[:20], training.labels[:20], maximum=16)
    axes.plot(monitor.t / clock.dt * STEP, monitor.s[0], label=f"noise {strength}")
axes.set(xlabel=r"time ($\tau$)", ylabel="state s of a hidden unit")
axes.legend(frameon=False)

# %%
# Without noise one sees the unit settle, and then rise when the nudging begins, at 6 tau. It rises far, because this is a network that has
# not learned yet. Noise of 0.3 per step blurs this; with 1.0 it can hardly be told from the fluctuations before.
#
# How much noise can learning bear? The images are judged by the noisy network, too.
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
for strength in (0.0, 0.3, 1.0, 3.0):
    trainer = Training(noisy(strength), training, held_out)
    trainer.run(epochs=EPOCHS)
    accuracy = [epoch.test_accuracy for epoch in trainer.history]
    axes.plot(range(1, EPOCHS + 1), accuracy, "o-", label=f"noise {strength}")
    print(f"noise {strength}: {accuracy[0]:.1f} % after one epoch, {accuracy[-1]:.1f} % after six")
axes.set(xlabel="epoch", ylabel="accuracy on held-out images (%)")
axes.legend(frameon=False)

# %%
# Noise of 0.3 and 1.0 delays learning at first; after six epochs the difference is a point or two, which one seed cannot tell
# from none. Noise of 3.0, larger than the state itself, costs more than ten points. One reason why so much can be borne: a weight
# change is a mean over 20 images and twelve steps, in which independent noise nearly cancels.
#
# To try
# ------
# * ``ghost_delay``, ``ghost_onset``: ghosts that learn only after activity has settled, or not from the beginning.
# * ``rate_function="tanh"``, or any expression such as ``"s / (1 + abs(s))"``.
# * Give the noise to the ghosts, ``ghost_2`` with the state ``g``, instead of the hidden units.
# * Connect a group of your own to the output layer, as in :doc:`/extending`.
#
# Next: :ref:`a parameter study <sphx_glr_tutorials_plot_5_parameter_study.py>`.

r"""
4. Change the biology
=====================

What if some ghosts die? If they may only inhibit? If feedback is random and fixed, or neurons are noisy? Each
is a field of the specification, or a line of Brian2.
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
import time

import matplotlib.pyplot as plt
import numpy as np
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


def learn(specification):
    """Train for some epochs; give the history and what a probe finds at the end."""
    trainer = Training(Simulation(specification, device="numpy", seed=0), training, held_out)
    trainer.run(epochs=6)
    probe = Probe(specification, held_out.images[:100], held_out.labels[:100], maximum=16)
    return trainer, probe.measure(trainer.simulation.weights)


start = time.perf_counter()
figure, axes = plt.subplots(figsize=(7, 4))
for number, (name, fields) in enumerate(variants.items()):
    trainer, found = learn(Specification.create(**base, **fields))
    accuracy = [epoch.test_accuracy for epoch in trainer.history]
    axes.plot(range(1, 7), accuracy, "os^Dv*"[number] + "-", label=name)
    print(
        f"{name:28} {accuracy[-1]:5.1f} %, residual feedback {found.residual[1]:.2f}, "
        f"{found.error_angle[1]:.0f} degrees from the gradient"
    )
axes.set(xlabel="epoch", ylabel="accuracy on held-out images (%)")
axes.legend(frameon=False, fontsize="small")
print(f"{time.perf_counter() - start:.0f} s")


# %%
# What the output says: the network forgives the loss of half of its ghosts, although more than half of the feedback is then left
# uncancelled; with one ghost left it does not. Random feedback costs nothing here: the forward weights turn
# towards the feedback weights. MB does as well as MA with five times as many ghosts. Dale's law, as it stands, prevents learning:
# ghosts that can only take away cannot cancel feedback that is negative.
#
# Reaching into the Brian2 objects
# --------------------------------
# Noise is not a field. But in runtime mode (``device="numpy"``) a simulation hands out its Brian2 objects: populations and projections by
# name, and the network that runs them. Here every hidden unit gets noise at each time step, and a monitor records one of them.
def noisy(strength):
    """Make a simulation whose hidden units are noisy, with a monitor."""
    simulation = Simulation(Specification.create(**base), device="numpy", seed=0)
    hidden, clock = simulation.brian.populations["pyramidal_1"], simulation.brian.stimulus.clock
    hidden.run_regularly(f"s += {strength} * randn()", clock=clock, when="after_groups")
    monitor = StateMonitor(hidden, "s", record=[0], clock=clock)
    simulation.brian.network.add(monitor)
    return simulation, monitor


figure, axes = plt.subplots(figsize=(7, 3))
for strength, colour in ((0.0, "C0"), (0.3, "C1")):
    simulation, monitor = noisy(strength)
    simulation.present(training.images[:20], training.labels[:20], maximum=16)
    axes.plot(monitor.t / monitor.clock.dt * 0.5, monitor.s[0], colour, label=f"noise {strength}")
axes.set(xlabel=r"time ($\tau$)", ylabel="state s of a hidden unit")
axes.legend(frameon=False)

# %%
# How much noise can learning bear?
strengths = [0.0, 0.1, 0.3, 1.0]
accuracies = []
for strength in strengths:
    simulation, monitor = noisy(strength)
    simulation.brian.network.remove(monitor)
    trainer = Training(simulation, training, held_out)
    trainer.run(epochs=6)
    accuracies.append(trainer.history[-1].test_accuracy)
    print(f"noise {strength}: {accuracies[-1]:.1f} %")
figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(np.arange(4), accuracies, "o-")
axes.set_xticks(np.arange(4), strengths)
axes.set(xlabel="standard deviation of the noise per step", ylabel="accuracy (%)")

# %%
# %%
# Noise of a third of a unit at every step, which makes the state of a unit fluctuate visibly, costs next to nothing: errors are
# averages over a mini-batch and over time.
#
# To try
# ------
# * ``ghost_delay``, ``ghost_onset``: ghosts that learn only after activity has settled, or not from the beginning.
# * ``rate_function="tanh"``, or any expression such as ``"s / (1 + abs(s))"``.
# * Connect a group of your own to the output layer, as in `Reaching into a run`.
#
# Next: :ref:`a parameter study <sphx_glr_tutorials_plot_5_parameter_study.py>`.

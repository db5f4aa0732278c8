r"""
8. From rates to spikes
=======================

A unit of a ghost network can stand for a few spiking neurons. You will learn how one line of a specification turns rates into spikes,
what a neuron's membrane does while the network predicts and is nudged, why learning rules need a trace, and what spikes cost.
"""

# %%
# One line more
# -------------
# The same network with rates, and with three leaky integrate-and-fire neurons for each unit.
import matplotlib.pyplot as plt
import numpy as np

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe, count_spikes
from ghost_spiking.plotting import plot_trace

training, test = load("mnist")
training = training.take(5000)
training, held_out = training.split(1000, seed=0)
trained = {}
for name in ("none", "change", "lif"):
    specification = Specification.create(sizes=(784, 100, 10), spikes=name)
    trainer = Training(Simulation(specification, seed=0), training, held_out)
    trainer.run(epochs=5)
    trained[name] = trainer
    print(f"{name:7} {trainer.history[-1].test_accuracy:.1f} % of the held-out images")

# %%
# From a state to spikes
# ----------------------
# The neurons of a unit have one drive, its state, and noise of their own. How often they fire is the unit's rate, a sigmoid, but each
# time step is a few throws of dice:
simulation = trained["lif"].simulation
probe = Probe(
    simulation.specification,
    test.images[:20],
    test.labels[:20],
    adaptation=simulation.adaptation,
)
trace = probe.trace(simulation.weights, layer=1)
steps = simulation.specification.protocol.prediction_steps
state, spikes = trace["state"][10:steps], trace["spikes"][10:steps]
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.plot(state.ravel(), spikes.ravel(), ".", color="0.7", ms=2, alpha=0.3, label="one step")
axes.plot(
    state.mean(axis=0).ravel(), spikes.mean(axis=0).ravel(), ".", ms=3, label="mean of 14 steps"
)
s = np.linspace(-5, 4)
axes.plot(s, 1 / (1 + np.exp(-s)), color="black", label=r"$\rho(s)$")
axes.set_xlabel("state of the unit, s")
axes.set_ylabel("part of its neurons that fire")
legend = axes.legend(frameon=False)

# %%
# An electrode in a neuron
# ------------------------
# One hidden unit through both phases: its state, what it gets from above and from the ghosts, the difference, and below the
# membrane potentials of its three neurons, and when they fire.
unit = int(np.abs(trace["error"][-6:, 0]).mean(axis=0).argmax())
figure, axes = plt.subplots(5, 1, sharex=True, figsize=(7, 8), layout="constrained")
panels = plot_trace(trace, unit, 0, axes)

# %%
# The feedback t and what the ghosts make of it, c, are currents, which smooth the spikes that cause them. Their difference is never
# quite zero while the network predicts: that is the noise that learning has to average away, over time steps and images.
#
# Why rules need a trace
# ----------------------
# Rule (4) multiplies the error of a unit with what a ghost sends. If both contain the same spikes, the product is wrong on average:
# here a ghost sends spikes with a rate of 0.3 to a unit whose feedback they cancel exactly, on average.
rng = np.random.default_rng(0)
spikes = (rng.random(200_000) < 0.3).astype(float)
error = 0.3 - spikes  # t - c, of a weight of 1 that is right
rise = trace_of_spikes = 0.0
traces = []
for spike in spikes:
    traces.append(trace_of_spikes)  # read before this spike reaches it
    rise, trace_of_spikes = (
        rise + (spike - rise) / 3,
        trace_of_spikes + (rise - trace_of_spikes) / 3,
    )
print(f"mean of error * spikes: {np.mean(error * spikes):+.3f}: the weight shrinks")
print(f"mean of error * trace:  {np.mean(error * traces):+.3f}: it stays, as it should")

# %%
# What spikes cost
# ----------------
# Synaptic events are spikes times the synapses that they reach; hardware that computes with events spends energy on these only.
for name in ("change", "lif"):
    simulation = trained[name].simulation
    probe = Probe(
        simulation.specification,
        test.images[:50],
        test.labels[:50],
        adaptation=simulation.adaptation,
    )
    counts = count_spikes(probe, simulation.weights)
    hidden = counts.spikes["pyramidal_1"]
    print(
        f"{name:7} {hidden['prediction']:6.0f} hidden spikes to predict, "
        f"{hidden['nudging']:6.0f} to learn, {sum(counts.events.values()):8.0f} synaptic events"
    )

# %%
# Few bits
# --------
# Such hardware has few bits for a weight, too. Weights that are rounded at random after each presentation keep their mean, and learn:
for bits in (8, 3):
    specification = Specification.create(sizes=(784, 100, 10), spikes="lif", weight_bits=bits)
    trainer = Training(Simulation(specification, seed=0), training, held_out)
    trainer.run(epochs=5)
    print(f"{bits} bits: {trainer.history[-1].test_accuracy:.1f} % of the held-out images")

# %%
# Now you
# -------
# * How many neurons does a unit need? Try ``spikes={"mechanism": "lif", "neurons": 1}``, and 10.
# * What does the network do without noise, ``"noise": 0.0``? Why?
# * The learned network can be read with rates: pass its weights to a simulation whose specification has no spikes.

r"""
9. Ghosts and their rivals
==========================

Other rules assign credit too. You will let ghosts, predictive coding and backpropagation learn the same images in the same harness,
compare their errors with the gradient, and count what each of them asks of a brain.
"""

# %%
# One line for each model
# -----------------------
# A model is a name in the specification; all else follows from it. Rates, steps and states are the model's own, images and their
# order are the same:
import matplotlib.pyplot as plt
import numpy as np

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe

training, test = load("mnist")
training = training.take(6000)
training, held_out = training.split(1000, seed=0)
sizes = (784, 100, 100, 10)
trained = {}
for model in ("MA", "predictive_coding", "backpropagation"):
    specification = Specification.create(sizes=sizes, model=model)
    trainer = Training(Simulation(specification, seed=0), training, held_out)
    trainer.run(epochs=5)
    trained[model] = trainer

# %%
# Lines of this kind are what comparisons are made of. One seed and 5,000 images say little about which rule is best:
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
for model, trainer in trained.items():
    epochs = [epoch.epoch for epoch in trainer.history]
    axes.plot(epochs, [epoch.test_accuracy for epoch in trainer.history], "o-", label=model)
axes.set_xlabel("epoch")
axes.set_ylabel("held-out accuracy (%)")
axes.set_xticks(epochs)
legend = axes.legend(frameon=False)

# %%
# Whose error is the gradient?
# ----------------------------
# A probe presents images without learning, and compares the error of each hidden layer, when nudging ends, with what backpropagation
# finds in a network with the same weights:
print("angle to the gradient (degrees) and relative magnitude of the error")
for model, trainer in trained.items():
    simulation = trainer.simulation
    probe = Probe(
        simulation.specification,
        test.images[:50],
        test.labels[:50],
        adaptation=simulation.adaptation,
    )
    found = probe.errors(simulation.weights)
    print(model, {layer: (round(a, 1), round(r, 3)) for layer, (a, r) in found.items()})

# %%
# What it costs
# -------------
# The layout of a network lists all its populations and projections, so counting is easy. What a number does not say is whether a
# neuron could do it: predictive coding needs an error unit for each value, ghosts a partner for each unit, and backpropagation errors
# that are kept apart from rates:
for model, trainer in trained.items():
    layout = trainer.simulation.specification.layout
    weights = sum(
        layout.size(item.source) * layout.size(item.target)
        for item in layout.projections
        if item.start is not None
    )
    states = sum(item.size * len(item.states) for item in layout.populations)
    steps = sum(phase.steps for phase in layout.phases)
    seconds = np.median([epoch.seconds for epoch in trainer.history])
    print(
        f"{model:18} {weights:7} weights, {states:4} states, {steps:2} steps for an image, "
        f"{seconds:.2f} s for an epoch"
    )

# %%
# `experiments/rivals.py` does the same in earnest: more models, all of MNIST, one to five hidden layers, as many learning rates tried
# for each, and three seeds.

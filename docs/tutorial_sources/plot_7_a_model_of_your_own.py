r"""
7. A model of your own
======================

You will change one equation of the model, train the result in C++, see that it is your equation that runs, and
give it a parameter that can be swept in a study. It takes a class of four lines.
"""

# %%
# One string
# ----------
# A model is a class. What it computes is written in strings, one for each equation of the paper, and a subclass overrides those
# that it changes. Here weights that learn decay as well: eq. (5) is
#
# .. math:: \dot W^f = \eta\, (e\, \rho'(s))\, \rho(s_{pre})^T
#
# and this is how it is written in the package:
from ghost_spiking.models.ghost import MA

print(MA.hebbian)

# %%
# ``w`` is the weight, ``_pre`` and ``_post`` say whose variable it is, and ``nudging`` is 1 in the phase in which the rule acts.
# So weight decay is one more term. The name is what specifications call the model.


class Forgetful(MA):
    name = "forgetful"
    hebbian = """
dw/dt = nudging_post * (eta * error_post * slope_post * rate_pre - 0.001 * w) / tau_post : 1 (clock-driven)
"""


# %%
# Everything else works as before: the class stands where a name stood. Programs are found by the text of their equations,
# so this one is compiled anew, and the one of MA is still there.
import matplotlib.pyplot as plt
import numpy as np

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.plotting import plot_receptive_fields

training, test = load("digits")
training, held_out = training.split(300, seed=0)
trainers = {}
for model in (MA, Forgetful):
    specification = Specification.create(sizes=(64, 50, 10), model=model)
    trainers[model.name] = Training(Simulation(specification), training, held_out)
    trainers[model.name].run(epochs=10)
    accuracy = trainers[model.name].history[-1].test_accuracy
    weights = trainers[model.name].simulation.weights["feedforward_1"]
    print(
        f"{model.name:10} {accuracy:.1f} % of held-out images, mean |w| {np.abs(weights).mean():.3f}"
    )

# %%
# The weights of pixels that are the same in every image, the corners, have nothing to learn and keep their random start. With
# decay they go.
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for panel, (name, trainer) in zip(axes, trainers.items(), strict=True):
    plot_receptive_fields(trainer.simulation.weights["feedforward_1"], (8, 8), panel, n_units=25)
    panel.set_title(name)

# %%
# Is it the equation that runs?
# -----------------------------
# `describe` prints the strings that programs are made of, not a text of its own:
from ghost_spiking.describe import describe

for line in describe(specification).splitlines():
    if line.startswith("| feedforward_1 | `"):
        print(line)

# %%
# A parameter
# -----------
# A number in a string can't be swept. A field can: the model's own section of the specification gets one, with a
# default and a range that is checked, and the projection passes it on. In Brian2's words it is a shared constant.
from dataclasses import replace

from pydantic import Field

from ghost_spiking.models.ghost import GhostProtocol


class ForgetfulProtocol(GhostProtocol):
    """The protocol, with the rate at which weights decay."""

    weight_decay: float = Field(0.001, ge=0)


class Decaying(MA):
    name = "decaying"
    protocol = ForgetfulProtocol
    hebbian = """
dw/dt = nudging_post * (eta * error_post * slope_post * rate_pre - decay * w) / tau_post : 1 (clock-driven)
decay : 1 (constant, shared)
"""

    def feedforward(self, specification, pre, post):
        projection = super().feedforward(specification, pre, post)
        return replace(projection, parameters={"decay": specification.protocol.weight_decay})

    def bias(self, specification, layer):
        projection = super().bias(specification, layer)
        return replace(projection, parameters={"decay": 0.0})  # biases do not decay


for decay in (0.0, 0.001, 0.01):
    specification = Specification.create(sizes=(64, 50, 10), model=Decaying, weight_decay=decay)
    trainer = Training(Simulation(specification), training, held_out)
    trainer.run(epochs=10)
    weights = trainer.simulation.weights["feedforward_1"]
    print(
        f"decay {decay:<6} {trainer.history[-1].test_accuracy:.1f} % of held-out images, "
        f"mean |w| {np.abs(weights).mean():.3f}"
    )

# %%
# All three ran in one program, since numbers are given to it when it starts.
#
# From the shell
# --------------
# Write the class into a file, ``forgetful.py`` say. Then ``ghost-spiking train --model forgetful.py:Forgetful`` trains it, and
# ``ghost-spiking study STUDY.toml --model forgetful.py:Decaying`` sweeps ``protocol.weight_decay``. A saved run contains no code, so
# ``ghost-spiking show RUN --model forgetful.py:Forgetful`` needs the file again.
#
# Try next
# --------
#
# * Override ``imitation`` or ``cancellation``, eqs. (3) and (4). What happens if ghosts learn in the nudging phase too
#   (``nudge_post`` is 1 there)?
# * Override ``pyramidal``: a leak that is not 1, or ``+ 0.1*randn()`` with ``device="numpy"``.
# * Read :doc:`/models`: projections of your own, and models from nothing.

"""The paper's equations as Brian2 strings: the only place where they are written.

Numbers in brackets are those of Mesnard, Vignoud, Sacramento, Senn & Bengio (2019). Names
stand for the paper's symbols: ``bottom_up`` is b, ``top_down`` is t, ``ghost_feedback`` is c,
``error`` is e, ``rate`` is rho(s) or rho(g), ``slope`` is rho'(s), and ``w`` is the weight of
the projection that a rule belongs to. In braces is what depends on the network: the rate
function, and the names of the inputs that are summed (`inputs`).

A time step follows Algorithm 1 with every right-hand side taken at the beginning of
the step: rates and sums are computed first, then weights move, then states. Both
engines use the same strings.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

__all__ = [
    "BIAS",
    "BIAS_UNIT",
    "CROSS_ENTROPY",
    "DALE",
    "DIVISION",
    "FEEDBACK",
    "FEEDBACK_BIAS",
    "FEEDFORWARD",
    "GHOST",
    "GHOST_BIAS",
    "GHOST_FEEDBACK",
    "GHOST_FORWARD",
    "GHOST_PARTNER",
    "HIDDEN_ERROR",
    "INTACT",
    "NORMALISER",
    "NORMALISING",
    "PROTOCOL",
    "PYRAMIDAL",
    "RECONSTRUCTED",
    "RESET",
    "SQUARED_ERROR",
    "TRANSPOSED_FEEDBACK",
    "inputs",
]

# -- units ----------------------------------------------------------------------------

#: What all populations share. ``step`` counts the time steps of a presentation, ``presentation``
#: the mini-batches of a run, ``presented`` those before it. ``prediction`` and ``nudging`` are 1
#: while the rules of that phase are at work; ``nudging`` falls to half in every half-life.
PROTOCOL = """
step : integer (linked)
presentation : integer (linked)
prediction_steps : integer (constant, shared)
presented : integer (constant, shared)
ghost_delay : integer (constant, shared)
ghost_onset : integer (constant, shared)
feedforward_onset : integer (constant, shared)
decay : 1 (constant, shared)
tau : second (constant, shared)
beta : 1 (constant, shared)
nudge = int(step >= prediction_steps) : 1 (shared)
age = presentation + presented : integer (shared)
prediction = (1 - nudge) * int(step >= ghost_delay) * int(age >= ghost_onset) : 1 (shared)
nudging = nudge * int(age >= feedforward_onset) * exp(-decay * age) : 1 (shared)
"""

#: The part of `PROTOCOL` that every population refers to.
LINKS = ("step", "prediction_steps", "nudge", "prediction", "nudging", "tau")
_LINKS = """
step : integer (linked)
prediction_steps : integer (linked)
nudge : 1 (linked)
prediction : 1 (linked)
nudging : 1 (linked)
tau : second (linked)
"""

#: Eq. (1), pyramidal units; needs `inputs` of ``bottom_up`` and one of the error terms.
PYRAMIDAL = (
    """
ds/dt = (-s + bottom_up + error) / tau : 1
rate = {rate} : 1 (constant over dt)
slope = {slope} : 1
"""
    + _LINKS
)

#: Error of a hidden unit: the feedback that the ghosts have not cancelled. Needs `inputs` of
#: ``top_down`` and ``ghost_feedback``.
HIDDEN_ERROR = "error = top_down - ghost_feedback : 1\n"

#: Error of an output unit in the nudging phase, -beta dC/d rho(s), of C = 1/2 (target - rho(s))^2.
SQUARED_ERROR = """
error = nudge * beta * (target - rate) : 1
target : 1 (linked)
beta : 1 (linked)
"""
#: The same for the cross-entropy of softmax(s), where rho(s) = s. The sum of the softmax is
#: computed by a unit that all output units project to, and divides by what it sends back; it
#: is zero only in replicas without an image. Beyond the bounds of clip, softmax is 0 or 1.
CROSS_ENTROPY = """
error = nudge * beta * (target - exponential / (normaliser + 1e-30)) : 1
exponential = exp(clip(s, -60, 60)) : 1 (constant over dt)
normaliser : 1
target : 1 (linked)
beta : 1 (linked)
"""
NORMALISER = "total : 1"
NORMALISING = "total_post = exponential_pre : 1 (summed)"
DIVISION = "normaliser_post = total_pre : 1 (summed)"

#: Eq. (2), ghost units; needs `inputs` of ``bottom_up``.
GHOST = (
    """
dg/dt = (-g + bottom_up) / tau : 1
rate = {rate} : 1 (constant over dt)
"""
    + _LINKS
)
#: The state of a ghost's pyramidal partner (MA).
GHOST_PARTNER = "pyramidal : 1 (linked)\n"
#: 0 for ghosts that a lesion has silenced, otherwise 1; a factor of their rate.
INTACT = "intact : 1 (constant)\n"

#: Algorithm 1 starts every presentation from rest.
RESET = "{state} = {state} * int(step != 0)"

#: A unit whose rate is always 1; a bias is its weight, and learns by the same rule.
BIAS_UNIT = "rate = 1.0 : 1 (constant over dt)"


def inputs(total: str, parts: Sequence[str]) -> str:
    """Declare the inputs of a unit, each summed by one projection, and their total.

    Examples
    --------
    >>> print(inputs("bottom_up", ["feedforward", "bias"]))
    bottom_up = feedforward + bias : 1
    feedforward : 1
    bias : 1
    <BLANKLINE>
    """
    lines = [f"{part} : 1" for part in parts]
    if list(parts) != [total]:
        lines.insert(0, f"{total} = {' + '.join(parts)} : 1")
    return "\n".join(lines) + "\n"


# -- projections ----------------------------------------------------------------------

_LEARNING_RATE = "eta : 1 (constant, shared)\n"

#: Eq. (5) in MA and (7) in MB, W^f: a Hebbian rule in the nudging phase.
_HEBBIAN = """
dw/dt = eta * nudging_post * error_post * slope_post * rate_pre / tau_post : 1 (clock-driven)
"""
#: Eq. (3), V^f: ghosts imitate their pyramidal partners in the prediction phase.
_IMITATION = """
dw/dt = eta * prediction_post * (pyramidal_post - g_post) * rate_pre / tau_post : 1 (clock-driven)
"""
#: Eq. (4) in MA and (6) in MB, V^b: ghost feedback learns to cancel the top-down feedback.
_CANCELLATION = """
dw/dt = eta * prediction_post * error_post * rate_pre / tau_post : 1 (clock-driven)
"""
#: Not in the paper, biases of the ghosts of MB: they keep the ghosts' mean rate where it should be.
_HOMEOSTASIS = """
dw/dt = eta * prediction_post * (goal - rate_post) * rate_pre / tau_post : 1 (clock-driven)
goal : 1 (constant, shared)
"""
#: W^b learned: gradient descent on 1/2 (rho(s) - (t + offset))^2 in the prediction phase.
#: The paper only names the idea ("an additional reconstruction cost between consecutive layers").
#: The offset takes up mean rates; without it, W^b would learn these rather than how the layers
#: vary together, which is what aligns it with W^f^T.
_RECONSTRUCTION = """
dw/dt = eta * prediction_post * unexplained_post * rate_pre / tau_post : 1 (clock-driven)
"""
RECONSTRUCTED = """
unexplained = rate - (top_down + offset) : 1
offset : 1
"""

#: What every projection does with its weights; {into} is a variable of the target.
_DRIVE = "{into}_post = w * rate_pre : 1 (summed)\n"
_FIXED = "w : 1 (constant)\n"

FEEDFORWARD = BIAS = _HEBBIAN + _DRIVE + _LEARNING_RATE
#: W^b = (W^f)^T, added to the feedforward projection that owns the weights.
TRANSPOSED_FEEDBACK = "{into}_pre = w * rate_post : 1 (summed)\n"
#: W^b as a projection of its own: fixed and random (feedback alignment), or learned.
FEEDBACK = {
    "alignment": _DRIVE + _FIXED,
    "reconstruction": _RECONSTRUCTION + _DRIVE + _LEARNING_RATE,
}
FEEDBACK_BIAS = FEEDBACK["reconstruction"]
#: V^f, plastic in MA and fixed in MB.
GHOST_FORWARD = {"MA": _IMITATION + _DRIVE + _LEARNING_RATE, "MB": _DRIVE + _FIXED}
GHOST_BIAS = {
    "MA": GHOST_FORWARD["MA"],
    "MB": _HOMEOSTASIS + _DRIVE + _LEARNING_RATE,
}
#: V^b.
GHOST_FEEDBACK = _CANCELLATION + _DRIVE + _LEARNING_RATE
#: Dale's law for V^b, after each change.
DALE = "w = w * int(w > 0)"

# -- exchanged ------------------------------------------------------------------------

_ORIGINAL = {name: copy.deepcopy(globals()[name]) for name in __all__ if name.isupper()}


def exchanged() -> dict[str, Any]:
    """Give the equations that someone has exchanged, by name; other processes do not have them."""
    return {name: globals()[name] for name, text in _ORIGINAL.items() if globals()[name] != text}

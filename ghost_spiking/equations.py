"""The paper's equations as Brian2 strings: the only place where they are written.

Numbers in brackets are those of Mesnard, Vignoud, Sacramento, Senn & Bengio (2019). Names
stand for the paper's symbols: ``feedforward`` + ``bias`` is b, ``top_down`` is t,
``ghost_feedback`` is c, ``error`` is e, ``rate`` is rho(s) or rho(g), ``slope`` is rho'(s), and
``w`` is the weight of the projection that a rule belongs to.

A time step follows Algorithm 1 with every right-hand side taken at the beginning of
the step: rates and sums are computed first, then weights move, then states. Both
engines use the same strings.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ALIGNED_FEEDBACK",
    "BIAS",
    "BIAS_UNIT",
    "FEEDFORWARD",
    "GHOST",
    "GHOST_BIAS",
    "GHOST_FEEDBACK",
    "GHOST_FORWARD",
    "GHOST_PARTNER",
    "HIDDEN_ERROR",
    "OUTPUT_ERROR",
    "PROTOCOL",
    "PYRAMIDAL",
    "RATE_FUNCTIONS",
    "RESET",
    "TRANSPOSED_FEEDBACK",
    "RateFunction",
]


class RateFunction(NamedTuple):
    """A rate function rho and its derivative, as expressions of ``{s}`` and of ``rate``."""

    rate: str
    slope: str


#: rho and rho' by name. The slope uses the rate where that saves a second exponential.
RATE_FUNCTIONS = {
    "sigmoid": RateFunction("1 / (1 + exp(-{s}))", "rate * (1 - rate)"),
    "tanh": RateFunction("tanh({s})", "1 - rate**2"),
}

#: What all populations share. ``step`` counts the time steps of a presentation.
PROTOCOL = """
step : integer (linked)
prediction_steps : integer (constant, shared)
tau : second (constant, shared)
beta : 1 (constant, shared)
nudging = int(step >= prediction_steps) : 1 (shared)
prediction = 1 - nudging : 1 (shared)
"""

_LINKS = """
step : integer (linked)
prediction_steps : integer (linked)
nudging : 1 (linked)
prediction : 1 (linked)
tau : second (linked)
"""

#: Eq. (1), pyramidal units; needs one of the two error terms.
PYRAMIDAL = (
    """
ds/dt = (-s + feedforward + bias + error) / tau : 1
rate = {rate} : 1 (constant over dt)
slope = {slope} : 1
feedforward : 1
bias : 1
"""
    + _LINKS
)

#: Error of a hidden unit: the feedback that the ghosts have not cancelled.
HIDDEN_ERROR = """
error = top_down - ghost_feedback : 1
top_down : 1
ghost_feedback : 1
"""

#: Error of an output unit: -beta dC/d rho(s) of the squared error, in the nudging phase only.
OUTPUT_ERROR = """
error = nudging * beta * (target - rate) : 1
target : 1 (linked)
beta : 1 (linked)
"""

#: Eq. (2), ghost units. In MA ``pyramidal`` is the state s of the unit's pyramidal partner.
GHOST = (
    """
dg/dt = (-g + feedforward + bias) / tau : 1
rate = {rate} : 1 (constant over dt)
feedforward : 1
bias : 1
"""
    + _LINKS
)
GHOST_PARTNER = "pyramidal : 1 (linked)"

#: Algorithm 1 starts every presentation from rest.
RESET = "{state} = {state} * int(step != 0)"

#: A unit whose rate is always 1; a bias is its weight, and learns by the same rule.
BIAS_UNIT = "rate = 1.0 : 1 (constant over dt)"

_LEARNING_RATE = "eta : 1 (constant, shared)"

#: Eq. (5) in MA and (7) in MB, W^f: a Hebbian rule in the nudging phase.
_HEBBIAN = (
    "dw/dt = eta * nudging_post * error_post * slope_post * rate_pre / tau_post : 1 (clock-driven)"
)
#: Eq. (3), V^f: ghosts imitate their pyramidal partners in the prediction phase.
_IMITATION = (
    "dw/dt = eta * prediction_post * (pyramidal_post - g_post) * rate_pre / tau_post "
    ": 1 (clock-driven)"
)
#: Eq. (4) in MA and (6) in MB, V^b: ghost feedback learns to cancel the top-down feedback.
_CANCELLATION = (
    "dw/dt = eta * prediction_post * error_post * rate_pre / tau_post : 1 (clock-driven)"
)

FEEDFORWARD = f"""
{_HEBBIAN}
feedforward_post = w * rate_pre : 1 (summed)
{_LEARNING_RATE}
"""
BIAS = f"""
{_HEBBIAN}
bias_post = w * rate_pre : 1 (summed)
{_LEARNING_RATE}
"""
#: W^b = (W^f)^T, added to the feedforward projection that owns the weights.
TRANSPOSED_FEEDBACK = "top_down_pre = w * rate_post : 1 (summed)"
#: W^b fixed and random (feedback alignment).
ALIGNED_FEEDBACK = """
top_down_post = w * rate_pre : 1 (summed)
w : 1 (constant)
"""
#: V^f, plastic in MA and fixed in MB.
GHOST_FORWARD = {
    "MA": f"""
{_IMITATION}
feedforward_post = w * rate_pre : 1 (summed)
{_LEARNING_RATE}
""",
    "MB": """
feedforward_post = w * rate_pre : 1 (summed)
w : 1 (constant)
""",
}
GHOST_BIAS = {
    model: text.replace("feedforward_post", "bias_post") for model, text in GHOST_FORWARD.items()
}
#: V^b.
GHOST_FEEDBACK = f"""
{_CANCELLATION}
ghost_feedback_post = w * rate_pre : 1 (summed)
{_LEARNING_RATE}
"""

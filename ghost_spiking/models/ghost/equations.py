"""The paper's equations as Brian2 strings: the only place where they are written.

Numbers in brackets are those of Mesnard, Vignoud, Sacramento, Senn & Bengio (2019). Names
stand for the paper's symbols: ``bottom_up`` is b, ``top_down`` is t, ``ghost_feedback`` is c,
``error`` is e, ``rate`` is rho(s) or rho(g), ``slope`` is rho'(s), and ``w`` is the weight of
the projection that a rule belongs to. In braces is what depends on the network: the rate
function and its derivative.

A time step follows Algorithm 1 with every right-hand side taken at the beginning of
the step: rates and sums are computed first, then weights move, then states.
"""

from __future__ import annotations

from .. import _softmax

__all__ = ["GhostEquations"]


class GhostEquations:
    """Every string that a ghost network is made of; a subclass may override any of them.

    Examples
    --------
    >>> from ghost_spiking.models.ghost import GhostEquations
    >>> GhostEquations.hidden_error.strip()
    'error = top_down - ghost_feedback : 1'
    """

    # -- units ------------------------------------------------------------------------

    #: What all populations share. ``step`` counts the time steps of a presentation,
    #: ``presentation`` the mini-batches of a run, ``presented`` those before it. ``prediction``
    #: and ``nudging`` are 1 while the rules of that phase are at work; ``nudging`` falls with age.
    protocol_unit = """
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
age = presentation + presented : integer (shared)
prediction = int(step < prediction_steps) * int(step >= ghost_delay) * int(age >= ghost_onset) \
: 1 (shared)
nudging = nudge * int(age >= feedforward_onset) * remaining : 1 (shared)
"""
    #: When the output is nudged: from the prediction phase to the end; or to a third phase, in
    #: which noise calibrates the ghosts (not in the paper) after some steps without either.
    two_phases = """
nudge = int(step >= prediction_steps) : 1 (shared)
"""
    three_phases = """
nudge = int(step >= prediction_steps) * int(step < nudging_end) : 1 (shared)
calibrating = int(step >= noise_start) : 1 (shared)
deviation = noise_size * calibrating : 1 (shared)
nudging_end : integer (constant, shared)
noise_start : integer (constant, shared)
noise_size : 1 (constant, shared)
noise_seed : integer (constant, shared)
"""
    #: Schedules of W^f: what remains of its learning rates. Half after every half-life; or all for
    #: half of one, half after one, a fourth after two, an eighth after four.
    exponential = """
remaining = exp(-decay * age) : 1 (shared)
"""
    inverse_time = """
remaining = 1 / clip(2 * decay * age, 1, 1e300) : 1 (shared)
"""
    #: The part of it that every population refers to.
    gates = """
step : integer (linked)
prediction_steps : integer (linked)
nudge : 1 (linked)
prediction : 1 (linked)
nudging : 1 (linked)
tau : second (linked)
"""

    #: Eq. (1), pyramidal units.
    pyramidal = """
ds/dt = (-s + bottom_up + error) / tau : 1
rate = {rate} : 1 (constant over dt)
slope = {slope} : 1
"""
    #: The drive from below, of pyramidal units and of ghosts.
    bottom_up = """
bottom_up = feedforward + bias : 1
"""
    bottom_up_without_bias = """
bottom_up = feedforward : 1
"""
    #: Error of a hidden unit: the feedback that the ghosts have not cancelled.
    hidden_error = """
error = top_down - ghost_feedback : 1
"""
    #: Error of an output unit in the nudging phase, -beta dC/d rho(s), of C = 1/2 (target - rho)^2.
    squared_error = """
error = nudge * beta * (target - rate) : 1
target : 1 (linked)
beta : 1 (linked)
"""
    #: The same for the cross-entropy of softmax(s), where rho(s) = s. The sum of the softmax is
    #: computed by a unit that all output units project to, and divides by what it sends back.
    cross_entropy = f"""
error = nudge * beta * ({_softmax.ERROR}) : 1
{_softmax.FORMING}target : 1 (linked)
beta : 1 (linked)
"""
    normaliser = ""
    normalising = _softmax.NORMALISING
    division = _softmax.DIVISION

    #: Eq. (2), ghost units.
    ghost = """
dg/dt = (-g + bottom_up) / tau : 1
rate = {rate} : 1 (constant over dt)
"""
    #: The state of a ghost's pyramidal partner (MA).
    ghost_partner = """
pyramidal : 1 (linked)
"""
    #: What units need for calibration: noise that a pyramidal unit and its ghost share (both call
    #: for that of the same layer and unit), and send beside their rates; and how what the ghosts
    #: have to get right fluctuates from step to step.
    noise = """
noise = white_noise(deviation, noise_seed, age, step, {layer}, i) : 1 (constant over dt)
deviation : 1 (linked)
noise_seed : integer (linked)
age : integer (linked)
"""
    with_noise = "{rate} + noise"
    calibrated_unit = """
calibrating : 1 (linked)
fluctuation = error - last_error : 1
last_error : 1
"""
    calibrated_ghost = """
calibrating : 1 (linked)
fluctuation = mismatch - last_mismatch : 1
mismatch = pyramidal_bottom_up - bottom_up : 1
last_mismatch : 1
pyramidal_bottom_up : 1 (linked)
"""
    #: What the target of a mirrored W^b, and its ghost, need beside that.
    mirrored_unit = """
drive_fluctuation = bottom_up - last_bottom_up : 1
last_bottom_up : 1
"""
    noting_drive = "last_bottom_up = bottom_up"
    noting_error = "last_error = error"
    noting_mismatch = "last_mismatch = mismatch"
    #: 0 for ghosts that a lesion has silenced, otherwise 1; a factor of their rate.
    intact = """
intact : 1 (constant)
"""
    #: A unit whose rate is always 1; a bias is its weight, and learns by the same rule.
    bias_unit = "rate = 1.0 : 1 (constant over dt)"

    # -- rules ------------------------------------------------------------------------

    #: Eq. (5) in MA and (7) in MB, W^f: a Hebbian rule in the nudging phase.
    hebbian = """
dw/dt = eta * nudging_post * error_post * slope_post * rate_pre / tau_post : 1 (clock-driven)
"""
    #: Eq. (3), V^f: ghosts imitate their pyramidal partners in the prediction phase.
    imitation = """
dw/dt = eta * prediction_post * (pyramidal_post - g_post) * rate_pre / tau_post : 1 (clock-driven)
"""
    #: Eq. (4) in MA and (6) in MB, V^b: ghost feedback learns to cancel the top-down feedback. In
    #: MB with mini-batches the rule has the flag ``private`` as well.
    cancellation = """
dw/dt = eta * prediction_post * error_post * rate_pre / tau_post : 1 (clock-driven)
"""
    #: The same two where rates are not bounded, or each image of a mini-batch has its own changes
    #: (not in the paper): relative to the sum of squared pre-synaptic rates, so that a step stays
    #: below the difference that it is to remove.
    normalised_imitation = """
dw/dt = eta * prediction_post * (pyramidal_post - g_post) * rate_pre / (1 + power_pre) / tau_post \
: 1 (clock-driven)
"""
    normalised_cancellation = """
dw/dt = eta * prediction_post * error_post * rate_pre / (1 + power_pre) / tau_post : 1 \
(clock-driven)
"""
    #: What is added to these rules where ghosts follow W^f (not in the paper): in the nudging phase
    #: V^f changes as W^f does, by eq. (5), and V^b as its transpose. `follow` is the learning rate
    #: of W^f.
    following_forward = "follow * nudging_post * change_post * rate_pre / tau_post"
    following_backward = "follow * nudging_post * rate_post * change_pre / tau_post"
    follow = """
follow : 1 (constant, shared)
"""
    #: The change of the partner: told by the partner, or inferred from its state, which nudging
    #: moves away from that of the ghost by about its error.
    copied_change = """
change = pyramidal_slope * pyramidal_error : 1
pyramidal_slope : 1 (linked)
pyramidal_error : 1 (linked)
"""
    local_change = """
change = pyramidal_slope * (pyramidal - g) : 1
pyramidal_slope : 1 (linked)
"""
    #: Not in the paper, V^f and V^b where noise calibrates the ghosts, in place of the rules above:
    #: the noise of the sender is correlated with what it does in the receiver, and with that alone.
    calibration = """
dw/dt = eta * calibrating_post * fluctuation_post * noise_pre / dt : 1 (clock-driven)
"""
    #: W^b learned as a mirror of W^f (Akrout et al. 2019): the noise of a unit is correlated with
    #: what it does in the layer above. V^b changes as W^b does, with what it does in the ghosts.
    mirror = """
dw/dt = {} : 1 (clock-driven)
"""
    mirroring = (
        "{rate} * calibrating_post * (noise_post * drive_fluctuation_pre / variance - w) / dt"
    )
    variance = """
variance : 1 (constant, shared)
"""
    mirroring_rate = """
mirror : 1 (constant, shared)
"""
    #: The biases of ghosts, then.
    bias_calibration = """
dw/dt = eta * calibrating_post * mismatch_post * rate_pre / dt : 1 (clock-driven)
"""
    #: The sum is formed by a unit that all units of a layer project to, and that tells it to all.
    power_unit = ""
    squaring = "total_post = rate_pre**2 : 1 (summed)"
    telling = "power_post = total_pre : 1 (summed)"
    #: Not in the paper, biases of the ghosts of MB: they keep the ghosts' mean rate at the goal.
    homeostasis = """
dw/dt = eta * prediction_post * (goal - rate_post) * rate_pre / tau_post : 1 (clock-driven)
goal : 1 (constant, shared)
"""
    #: W^b learned: gradient descent on 1/2 (rho(s) - (t + offset))^2 in the prediction phase.
    #: The paper only names the idea ("an additional reconstruction cost between consecutive
    #: layers"). The offset takes up mean rates; without it, W^b would learn these rather than how
    #: the layers vary together, which is what aligns it with W^f^T.
    reconstruction = """
dw/dt = eta * prediction_post * unexplained_post * rate_pre / tau_post : 1 (clock-driven)
"""
    #: What a unit needs for it.
    reconstructed = """
unexplained = rate - (top_down + offset) : 1
"""
    #: What every projection does with its weights; {into} is a variable of the target.
    drive = """
{into}_post = w * rate_pre : 1 (summed)
"""
    #: The same the other way round, W^b = (W^f)^T, added to the projection that owns the weights.
    transposed_drive = """
{into}_pre = w * rate_post : 1 (summed)
"""
    learning_rate = """
eta : 1 (constant, shared)
"""
    fixed = """
w : 1 (constant)
"""
    #: Dale's law for V^b, after each change.
    dale = "w = w * int(w > 0)"

"""Values for what a specification leaves out: found by trial, and scaled with the sizes of layers.

Trials were judged on training images that had been held out, but the values for one hidden layer
that they started from had been found by looking at the test error. What the numbers rest on:

* The delta rules of ghosts are stable while rate * dt/tau * (sum of squared presynaptic rates)
  stays below a bound, so their rates are inversely proportional to the number of
  presynaptic units, summed over all connections that a unit receives.
* W^f learns slower the closer it is to the output, in all the literature on two-phase learning.
  Between hidden layers it has to be slow enough for the ghosts to follow: what they have not
  learned yet is noise in the errors of all layers below.
* Weight changes that are averaged over fewer than 100 images are noisier, so all rates are
  smaller, by a square root.
* Rates of units that are not between 0 and 1 have larger squares and steeper slopes: W^f and
  ghosts learn slower, and ghosts start as copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...rate_functions import LINEAR, rate_function

if TYPE_CHECKING:
    from ...graph import Graph

__all__ = ["bounded", "defaults"]

#: Factors on the learning rates of W^f and of ghosts, by rate function.
_FACTORS = {"sigmoid": (1.0, 1.0), "hard_sigmoid": (1.0, 1.0), "softplus": (0.02, 0.05)}
_OTHER_FACTORS = (0.15, 0.25)
#: The mean of |x|^2 of MNIST, for which rates of the first layer were found.
_MNIST = 88.0
#: The standard deviation of what units of the first layer receive from it at the start, with a
#: gain of 1 and 500 units.
_DRIVE = 0.37
#: Images after which the rates of W^f have halved.
_IMAGES = 600_000
#: Rate of rules of ghosts that are relative to the power of rates: stable below 4 if dt is tau / 2.
_NORMALISED = 1.5
#: The part of a mirrored W^b that a step replaces.
_MIRROR = 0.003


def defaults(
    paired: bool,
    graph: Graph,
    network: Mapping[str, Any],
    protocol: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a value for every field but the sizes.

    Parameters
    ----------
    paired : bool
        Whether each ghost has a pyramidal partner, as in MA.
    graph : Graph
        Layers and connections.
    network, protocol : mapping
        What is given, with one value for each projection; valid.

    Returns
    -------
    dict
        Fields of the sections ``network`` and ``protocol``.

    Examples
    --------
    >>> from ghost_spiking.graph import Graph
    >>> from ghost_spiking.models.ghost._defaults import defaults
    >>> defaults(True, Graph.of([784, 500, 10]), {}, {})["protocol"]["beta"]
    3.0
    """
    rates = protocol.get("learning_rates", {})
    top = graph.n_layers
    deep = len(graph.feedback_sources) > 1
    softmax = network.get("loss") == "cross_entropy"
    aligning = all(mode == "alignment" for mode in network.get("feedback", ("transpose",)))
    # Rates that are given were meant for inputs as they are.
    adapting = network.get("input_adaptation", "feedforward" not in rates)
    # V^b of MB replicates the feedback of one image. Where images share all changes, as with Dale's
    # law, it could only do so on average over a batch.
    private = protocol.get("private_feedback", not paired and adapting and not network.get("dale"))
    batch = protocol.get("batch_size", 100 if paired or private else 1)
    noise = max(1.0, 100 / batch) ** 0.5
    n_inputs = graph.sizes[0]

    if paired:
        ghosts = tuple(graph.sizes[layer] for layer in graph.feedback_sources)
        beta, first_rate, output_rate, ghost_gain = 3.0, 4.0, 0.2, 1.0
        # In small layers all units may be active at once.
        small = any(graph.sizes[layer] < 100 for layer in graph.feedback_targets)
        imitate, cancel = (2.5 if deep or small else 4.0), (4.0 if deep else 2.0)
    else:
        ghosts = network.get("ghosts", (100,) * len(graph.feedback_sources))
        beta, first_rate, output_rate, ghost_gain = 3.0, 1.0, 0.05, 3.0
        imitate, cancel = 0.0, 20.0
        if private:  # four times these in batches of 100, which makes them those of MA
            averaged = min(batch, 100) ** np.log10(2)
            first_rate, output_rate = averaged * first_rate, averaged * output_rate
        # Fixed W^b stays as small as it was drawn, in wide layers above all, and so do the
        # errors of the first layer.
        if aligning:
            first_rate = 0.2 * graph.sizes[1] ** 0.5
    # Every layer adds to the noise in the errors of those below.
    between = 1.0 / max(1, len(graph.feedback_sources) - 1)
    if softmax:  # rates of linear output units are not bounded by 1
        beta, cancel = beta / 3, cancel / 4
    # Ghosts that follow can do so as fast as W^f learns, and errors are exact if beta is small.
    # Those that infer changes have a delta rule to keep stable.
    # Those of a softmax, which the paper does not have, have states without bounds to imitate.
    suited = paired and adapting and (deep or softmax)
    following = protocol.get("following", "copy" if suited else "none")
    follows = following != "none"
    followed = (6.0, 90.0, 30.0)
    if follows:
        beta, between = (0.03 if following == "copy" else 0.7), 1.0
    if following == "local":
        followed = (14.0, 5.0, 18.0)
    if softmax:
        followed = (followed[0], 0.3 * followed[1], 0.1 * followed[2])
    # Ghosts that cancel from the first step need no time to learn in: it is enough that activity,
    # and then an error, has reached all layers, in steps as long as they can be.
    time_step, prediction_steps, nudging_steps = 0.5, 16 if deep else 12, 12
    if following == "copy":
        time_step, prediction_steps, nudging_steps = 0.8, 2 * top, 2 * top + 2
    time_step = protocol.get("time_step", time_step)
    nudging_steps = protocol.get("nudging_steps", nudging_steps)
    name = network.get("rate_function", "sigmoid")
    grows = not bounded(rate_function(name).function)  # and what units send does, with each layer
    if grows:
        followed = (followed[0], 0.25 * followed[1], 0.25 * followed[2])
    # A presentation moves W^f as far whatever beta, and however long it is.
    presented = protocol.get("beta", beta) * nudging_steps * time_step / 10
    first_followed, between_followed, last_followed = (rate / presented for rate in followed)
    steepness, squares = _FACTORS.get(name, _OTHER_FACTORS)
    positive = steepness == 1.0  # rates are between 0 and 1
    # Homeostasis keeps the ghosts of MB sparse.
    sparse = not paired and positive
    if not positive:
        ghost_gain = 1.0
        cancel = cancel if paired else 5.0
    imitate, cancel = imitate * squares, cancel * squares

    def hebbian(pre: int, post: int) -> float:
        if follows and pre > 0:
            rate = last_followed if post == top else between_followed
            rate /= 10 * graph.sizes[pre] ** 0.5
        elif follows:
            rate = first_followed * (_MNIST / (1 + n_inputs) if adapting else 1.0)
        elif softmax and paired and pre == 0 and adapting:
            rate = (
                500.0
                / (1 + n_inputs)
                * between
                * (1.0 if bounded(rate_function(name).function) else 0.3)
            )
        elif softmax and paired and pre == 0:
            # What a step does is the rate times the power of the input, here of features between
            # 0 and 1, and nothing bounds the linear outputs that it moves.
            rate = 250.0 / (1 + 0.25 * graph.sizes[0]) * between
        elif softmax and paired and post == top:
            classes = graph.sizes[top]
            # With many classes, most of what a step does is to forget.
            strength = 0.1 * min(classes, (10 * classes) ** 0.5) if adapting else 0.05 * classes
            rate = strength / (1 + 0.25 * graph.sizes[pre])
        elif post == top:
            rate = 9.0 / graph.sizes[pre] if deep and pre > 0 else output_rate
            if adapting and not deep:  # wide layers would drive all output units to silence
                rate *= min(1.0, 500 / graph.sizes[pre])
        else:
            power = _MNIST / (1 + n_inputs) if adapting else 1.0
            rate = (6.0 / graph.sizes[pre] if pre > 0 else first_rate * power) * between
        return rate * steepness / noise

    n_ghosts = dict(zip(graph.feedback_sources, ghosts, strict=True))
    if deep and aligning:
        # W^f has to turn to a W^b that does not move, so it starts small, with large errors.
        gains = [
            2.0 if pre == 0 else 1.0 if post == top else 0.3 for pre, post in graph.connections
        ]
    elif follows:
        gains = [
            2.0 if pre == 0 else 1.0 if post == top else 1.5 if grows else 3.0
            for pre, post in graph.connections
        ]
    elif deep:
        gains = [2.0] * len(graph.connections)
    else:
        last = 0.3 if paired else 1.0
        gains = [last if post == top else 1.0 for _, post in graph.connections]

    def spread(gain: float, post: int) -> float:
        """Return the gain with which adapted inputs drive units as much as MNIST does."""
        sizes = n_inputs + graph.sizes[post]
        return max(_DRIVE * gain, 1.0 * softmax) * (sizes / (2 * n_inputs)) ** 0.5

    if adapting:
        gains = [
            spread(gain, post) if pre == 0 else max(gain, 1.0 * (softmax and paired))
            for (pre, post), gain in zip(graph.connections, gains, strict=True)
        ]
    elif softmax and paired:
        # Units see few features as well as many: their states vary by about 1.
        gains = [
            max(gain, (2 * (graph.sizes[0] + graph.sizes[post]) / graph.sizes[0]) ** 0.5)
            if pre == 0
            else max(gain, 1.0)
            for (pre, post), gain in zip(graph.connections, gains, strict=True)
        ]

    normalised = protocol.get("normalised", adapting)

    def normalises(layer: int, linear: bool) -> bool:
        """Tell whether rules are relative to the power of the rates of these units."""
        function = LINEAR if linear else rate_function(name)
        return normalised and layer > 0 and not bounded(function.function)

    def imitation(pre: int, post: int) -> float:
        below = graph.below(post)
        if normalises(pre, linear=False):
            return _NORMALISED / len(below) / noise
        # Adapted inputs have a mean square of 1, other rates of about 1/4.
        weights = {0: 4 if adapting else 1}
        return imitate / sum(graph.sizes[k] * weights.get(k, 1) for k in below) / noise

    def cancellation(pre: int, post: int) -> float:
        above = graph.above(pre)
        rate = cancel / sum(n_ghosts[layer] for layer in above)
        if normalises(post, linear=softmax and paired and post == top):
            rate = _NORMALISED / len(above)
        return rate / noise if paired else rate  # MB needs it fast, within each image

    def learned(pre: int, post: int) -> float:
        kinds = network.get("feedback", ("transpose",))
        place = graph.feedback_targets.index(pre) if len(kinds) > 1 else 0
        # A mirror averages over noise, of about a thousand images with as many units as images.
        return _MIRROR if kinds[place] == "mirror" else 0.2 / graph.sizes[post] / noise

    feedforward = rates.get("feedforward") or tuple(hebbian(*pair) for pair in graph.connections)
    ghost_forward = rates.get("ghost_forward") or tuple(
        imitation(*pair) for pair in graph.into(graph.feedback_sources)
    )
    nearest = _nearest(graph.connections, feedforward)
    ghost_nearest = _nearest(graph.into(graph.feedback_sources), ghost_forward)
    bias = tuple(nearest.get(layer, 0.0) for layer in range(1, top + 1))
    if adapting and rates.get("feedforward") is None:
        # The input of a bias is 1; beside hundreds of others it would hardly learn.
        bias = (bias[0] * max(1.0, (1 + n_inputs) / 100), *bias[1:])
    ones = (1.0,) * len(graph.feedback_connections)
    mirrors = "mirror" in network.get("feedback", ())
    calibrates = protocol.get("calibration_steps", int(mirrors)) > 0
    copies = (
        paired
        and not calibrates
        and (deep or softmax or not positive or follows)
        and network.get("dale") is not True
    )
    return {
        "network": {
            "feedback": ("transpose",) * len(graph.feedback_targets),
            "ghosts": ghosts,
            "rate_function": "sigmoid",
            "loss": "squared_error",
            "biases": True,
            "input_adaptation": adapting,
            "dale": False,
            "lesion": 0.0,
            "initial_weights": {
                "feedforward": tuple(gains),
                "feedback": (3.0 if deep and aligning else 1.0,) * len(ones),
                "ghost_forward": (ghost_gain,) * len(graph.into(graph.feedback_sources)),
                "ghost_feedback": ones,
                "ghost_bias": -2.0 if sparse else 0.0,
                "ghost_distribution": "uniform",
                "self_predicting": copies,
            },
        },
        "protocol": {
            "time_step": time_step,
            "prediction_steps": prediction_steps,
            "nudging_steps": nudging_steps,
            "beta": beta,
            "batch_size": batch,
            "ghost_delay": int(sparse and protocol.get("prediction_steps") != 1),
            "ghost_onset": 0,
            # W^f waits until ghosts that start at random are calibrated, and W^b has turned to it.
            "feedforward_onset": 100 if mirrors else 60 if calibrates and not copies else 0,
            "half_life": max(1, _IMAGES // batch) if adapting else 0,
            "schedule": "inverse_time" if adapting else "exponential",
            "normalised": adapting,
            "following": following,
            "calibration_steps": 6 if mirrors else 0,
            # Each layer takes a few steps to come to rest.
            "calibration_settling": max(8, 4 * (top - 1)),
            "calibration_noise": 0.3,
            "private_feedback": private,
            "ghost_rate": 0.2,
            "learning_rates": {
                "feedforward": feedforward,
                "bias": bias,
                "ghost_forward": ghost_forward,
                "ghost_bias": tuple(
                    min(ghost_nearest.get(layer, 0.0), 0.1 if normalised else np.inf)
                    if paired
                    else 0.05 / noise * sparse
                    for layer in graph.feedback_sources
                ),
                "ghost_feedback": tuple(cancellation(*pair) for pair in graph.feedback_connections),
                "calibration": 0.5,
                "feedback": tuple(learned(*pair) for pair in graph.feedback_connections),
            },
        },
    }


def bounded(function: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Tell whether rates stay about 1 whatever the states.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.models.ghost._defaults import bounded
    >>> bounded(np.tanh), bounded(np.exp), bounded(lambda s: s)
    (True, False, False)
    """
    with np.errstate(all="ignore"):
        return bool((np.abs(function(np.array([-60.0, -10.0, 10.0, 60.0]))) <= 2).all())


def _nearest(connections: tuple[tuple[int, int], ...], values: tuple[Any, ...]) -> dict[int, Any]:
    """Give each layer the value of the connection from the nearest layer below."""
    ordered = sorted(zip(connections, values, strict=True), key=lambda item: item[0])
    return {post: value for (_, post), value in ordered}

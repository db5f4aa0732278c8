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
* What a step of W^f does to the first layer is its rate times the power of the input, and inputs
  that have adapted have as much as there are of them. A few inputs are all alike in many images,
  which then push the same way.
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
#: Rate of rules of ghosts that are relative to the power of rates: stable below 4 if dt is tau / 2.
_NORMALISED = 1.5
#: How much smaller steps of W^f are where errors have no bounds, unlike those of a softmax: for
#: linear outputs with a squared error, and targets that vary by about 1.
_UNBOUNDED = 0.05
#: How much smaller steps of W^f are in MB with a softmax.
_UNPAIRED_SOFTMAX = 0.15
#: The part of a mirrored W^b that a step replaces.
_MIRROR = 0.003
#: How much slower (3) and (4) are where ghosts copy changes. They start with V = W, and these rules
#: have only rounding to correct; fast ones can amplify it, in steps as long as theirs.
_COPIED = 0.25
#: How far a presentation moves W^f of the first layer, of those between hidden layers together, and
#: of the last, where ghosts follow it.
_FOLLOWED = {"copy": (6.0, 360.0, 30.0), "local": (8.0, 18.0, 10.5)}


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
    values = _Defaults(paired, graph, network, protocol)
    return {"network": values.network_fields(), "protocol": values.protocol_fields()}


class _Defaults:
    """What defaults depend on, and a method for each kind of them."""

    def __init__(
        self,
        paired: bool,
        graph: Graph,
        network: Mapping[str, Any],
        protocol: Mapping[str, Any],
    ) -> None:
        self.paired = paired
        self.graph = graph
        self.sizes = graph.sizes
        self.network = network
        self.protocol = protocol
        self.rates = protocol.get("learning_rates", {})
        self.deep = len(graph.feedback_sources) > 1
        # Units of the output have no bounds: those of a softmax, or for targets of any size.
        softmax = network.get("loss") == "cross_entropy"
        self.linear = softmax or network.get("linear_output", False)
        self.unbounded = _UNBOUNDED if self.linear and not softmax else 1.0
        # Its V^b has much to cancel, and what it has not is an error that looks like any other.
        self.settles = softmax and not paired
        feedback = network.get("feedback", ("transpose",))
        self.aligning = all(mode == "alignment" for mode in feedback)
        self.mirrors = "mirror" in feedback
        self.function = network.get("rate_function", "sigmoid")
        # What units send grows with each layer.
        self.grows = not bounded(rate_function(self.function).function)
        self.steepness, self.squares = _FACTORS.get(self.function, _OTHER_FACTORS)
        self.positive = self.steepness == 1.0  # rates are between 0 and 1
        # Homeostasis keeps the ghosts of MB sparse.
        self.sparse = not paired and self.positive
        # Rates that are given were meant for inputs as they are.
        self.adapting = network.get("input_adaptation", "feedforward" not in self.rates)
        # V^b of MB replicates the feedback of one image. Where images share all changes, as with
        # Dale's law, it could only do so on average over a batch.
        unpaired = not paired and self.adapting and not network.get("dale")
        self.private = protocol.get("private_feedback", unpaired)
        # With one hidden layer and rates between 0 and 1, for which the values were found.
        self.replicates = self.private and self.positive and not self.deep and not self.linear
        self.batch = protocol.get("batch_size", 100 if paired or self.private else 1)
        self.noise = max(1.0, 100 / self.batch) ** 0.5
        self.normalised = protocol.get("normalised", self.adapting)
        # Ghosts that follow can do so as fast as W^f learns. Those of linear units, which the paper
        # does not have, would have states without bounds to imitate.
        suited = paired and self.adapting and (self.deep or self.linear)
        self.following = protocol.get("following", "copy" if suited else "none")
        self.follows = self.following != "none"
        self.calibrates = protocol.get("calibration_steps", int(self.mirrors)) > 0
        self.copies = (
            paired
            and not self.calibrates
            and (self.deep or self.linear or not self.positive or self.follows)
            and network.get("dale") is not True
        )
        start = network.get("initial_weights", {}).get("self_predicting", self.copies)
        self.copied = _COPIED if start and self.following == "copy" else 1.0
        # As many as can tell the feedback of all classes apart.
        top = graph.n_layers
        n_ghosts = tuple(
            max(100, 3 * self.sizes[layer] * (layer == top)) for layer in graph.feedback_sources
        )
        if paired:
            n_ghosts = tuple(self.sizes[layer] for layer in graph.feedback_sources)
        self.ghosts = n_ghosts if paired else network.get("ghosts", n_ghosts)

    # -- sections ---------------------------------------------------------------------

    def network_fields(self) -> dict[str, Any]:
        """Return the fields of ``network``."""
        n_feedback = len(self.graph.feedback_connections)
        n_imitating = len(self.graph.into(self.graph.feedback_sources))
        return {
            "feedback": ("transpose",) * len(self.graph.feedback_targets),
            "ghosts": self.ghosts,
            "rate_function": "sigmoid",
            "loss": "squared_error",
            "biases": True,
            "input_adaptation": self.adapting,
            "dale": False,
            "lesion": 0.0,
            "initial_weights": {
                "feedforward": tuple(self.gain(*pair) for pair in self.graph.connections),
                "feedback": (self.back(),) * n_feedback,
                "ghost_forward": (self.imitated(),) * n_imitating,
                "ghost_feedback": (1.0,) * n_feedback,
                "ghost_bias": -2.0 if self.sparse else 0.0,
                "ghost_distribution": "uniform",
                "self_predicting": self.copies,
            },
        }

    def protocol_fields(self) -> dict[str, Any]:
        """Return the fields of ``protocol``."""
        time_step, prediction_steps, nudging_steps = self.steps()
        waits = 100 if self.mirrors else 60 if self.calibrates and not self.copies else 0
        return {
            "time_step": time_step,
            "prediction_steps": prediction_steps,
            "nudging_steps": nudging_steps,
            "beta": self.beta(),
            "batch_size": self.batch,
            "ghost_delay": int(self.sparse and self.protocol.get("prediction_steps") != 1),
            "ghost_onset": 0,
            # W^f waits until ghosts that start at random are calibrated, and W^b has turned to it.
            "feedforward_onset": waits,
            "half_life": "auto" if self.adapting else 0,
            "schedule": "inverse_time" if self.adapting else "exponential",
            "normalised": self.adapting,
            "following": self.following,
            "calibration_steps": 6 if self.mirrors else 0,
            # Each layer takes a few steps to come to rest.
            "calibration_settling": max(8, 4 * (self.graph.n_layers - 1)),
            "calibration_noise": 0.3,
            "private_feedback": self.private,
            "ghost_rate": 0.2,
            "learning_rates": self.learning_rates(),
        }

    # -- phases -----------------------------------------------------------------------

    def steps(self) -> tuple[float, int, int]:
        """Return the time step, and the steps of both phases."""
        top = self.graph.n_layers
        if self.following == "copy":
            # Ghosts that cancel from the first step need no time to learn in: it is enough that
            # activity, and then an error, has reached all layers, in steps as long as they can be.
            return 0.8, 2 * top, 2 * top + 2
        if self.settles:
            return 0.8, 12 + 4 * (top - 1), 12
        if self.replicates:
            return 0.8, 8, 8  # what V^b lacks for an image it has learned after five steps
        return 0.5, 16 if self.deep else 12, 12

    def beta(self) -> float:
        """Return the strength of nudging."""
        if self.follows:  # errors are exact if it is small; those that infer them need more
            return 0.01 if self.following == "copy" else 0.45
        return 1.0 if self.linear else 3.0

    def presented(self) -> float:
        """Return by how much a presentation nudges, relative to beta 1 for 20 steps of tau / 2."""
        time_step, _, nudging_steps = self.steps()
        given = self.protocol.get
        duration = given("nudging_steps", nudging_steps) * given("time_step", time_step)
        return given("beta", self.beta()) * duration / 10

    # -- initial weights --------------------------------------------------------------

    def gain(self, pre: int, post: int) -> float:
        """Return the gain of W^f."""
        last = post == self.graph.n_layers
        if pre == 0 and self.deep:
            gain = 2.0
        elif self.deep and self.aligning:
            # W^f has to turn to a W^b that does not move, so it starts small, with large errors.
            gain = 1.0 if last else 0.3
        elif self.follows and pre == 0:
            gain = 2.0
        elif self.follows:
            gain = 1.0 if last else 1.5 if self.grows else 3.0
        elif self.deep:
            gain = 2.0
        else:
            gain = 0.3 if last and self.paired else 1.0
        small = self.linear and self.paired  # errors of linear units want larger weights
        n_inputs, n_units = self.sizes[0], self.sizes[post]
        if pre == 0 and self.adapting:
            # As much drive as units of any number have from MNIST.
            drive = max(_DRIVE * gain, 1.0 * self.linear)
            return drive * ((n_inputs + n_units) / (2 * n_inputs)) ** 0.5
        if pre == 0 and small:
            # Units see few features as well as many: their states vary by about 1.
            return max(gain, (2 * (n_inputs + n_units) / n_inputs) ** 0.5)
        return max(gain, 1.0 * small)

    def back(self) -> float:
        """Return the gain of W^b: errors shrink with every layer that a fixed one leads through."""
        if not (self.deep and self.aligning):
            return 1.0
        return 5.0 if self.following == "copy" else 3.0

    def imitated(self) -> float:
        """Return the gain of V^f: what V^b knows of an image depends on how ghosts differ in it."""
        if self.paired or not self.positive:
            return 1.0
        return 12.0 if self.replicates else 3.0

    # -- learning rates ---------------------------------------------------------------

    def learning_rates(self) -> dict[str, Any]:
        """Return the learning rates of all projections."""
        graph = self.graph
        imitating, returning = graph.into(graph.feedback_sources), graph.feedback_connections
        feedforward = self.rates.get("feedforward") or tuple(
            self.hebbian(*pair) for pair in graph.connections
        )
        ghost_forward = self.rates.get("ghost_forward") or tuple(
            self.imitation(*pair) for pair in imitating
        )
        nearest = _nearest(graph.connections, feedforward)
        bias = tuple(nearest.get(layer, 0.0) for layer in range(1, graph.n_layers + 1))
        if self.adapting and self.rates.get("feedforward") is None:
            # The input of a bias is 1; beside hundreds of others it would hardly learn.
            bias = (bias[0] * max(1.0, (1 + self.sizes[0]) / 100), *bias[1:])
        ghost_nearest = _nearest(imitating, ghost_forward)
        if self.paired:
            largest = 0.1 if self.normalised else np.inf
            ghost_bias = [min(ghost_nearest.get(k, 0.0), largest) for k in graph.feedback_sources]
        else:
            ghost_bias = [0.05 / self.noise * self.sparse] * len(graph.feedback_sources)
        return {
            "feedforward": feedforward,
            "bias": bias,
            "ghost_forward": ghost_forward,
            "ghost_bias": tuple(ghost_bias),
            "ghost_feedback": tuple(self.cancellation(*pair) for pair in returning),
            "calibration": 0.5,
            "feedback": tuple(self.feedback(*pair) for pair in returning),
        }

    def hebbian(self, pre: int, post: int) -> float:
        """Return the rate of W^f."""
        if self.follows:
            rate = self._hebbian_followed(pre, post)
        elif self.linear and self.paired and (pre == 0 or post == self.graph.n_layers):
            rate = self._hebbian_linear(pre, post)
        else:
            rate = self._hebbian_paper(pre, post)
        slow = _UNPAIRED_SOFTMAX if self.settles else 1.0
        return rate * self.steepness * self.unbounded * slow / self.noise

    def _hebbian_followed(self, pre: int, post: int) -> float:
        """Where ghosts follow: a presentation moves W^f as far whatever beta and its length."""
        first, between, last = (rate / self.presented() for rate in _FOLLOWED[self.following])
        if pre == 0:
            return first * (_MNIST * self._per_input() if self.adapting else 1.0)
        if post == self.graph.n_layers:
            rate = last * (0.1 if self.linear else 1.0)
        else:
            rate = between * self._between() * (0.075 if self.linear else 1.0)
        # Units of wide layers are correlated, and drive others by more than this root.
        wide = max(1.0, self.sizes[pre] / 500) ** 0.5
        return rate * (0.25 if self.grows else 1.0) / (10 * self.sizes[pre] ** 0.5 * wide)

    def _hebbian_linear(self, pre: int, post: int) -> float:
        """By the paper's rules in MA: nothing bounds the linear outputs that a step moves."""
        if pre == 0 and self.adapting:
            return 500.0 * self._per_input() * self._between() * (0.3 if self.grows else 1.0)
        if pre == 0:  # features between 0 and 1
            return 250.0 / (1 + 0.25 * self.sizes[0]) * self._between()
        classes = self.sizes[post]
        # With many classes, most of what a step does is to forget.
        strength = 0.1 * min(classes, (10 * classes) ** 0.5) if self.adapting else 0.05 * classes
        return strength / (1 + 0.25 * self.sizes[pre])

    def _hebbian_paper(self, pre: int, post: int) -> float:
        """By the paper's rules otherwise."""
        first, output = (4.0, 0.2) if self.paired else (1.0, 0.05)
        if self.private:  # four times these in batches of 100, which makes them those of MA
            averaged = min(self.batch, 100) ** np.log10(2)
            first, output = averaged * first, averaged * output
        if not self.paired and self.aligning:
            # Fixed W^b stays as small as it was drawn, in wide layers above all, and so do the
            # errors of the first layer.
            first = 0.2 * self.sizes[1] ** 0.5
        if post == self.graph.n_layers:
            rate = 9.0 / self.sizes[pre] if self.deep and pre > 0 else output
            # Wide layers would drive all output units to silence.
            wide = self.adapting and not self.deep
            return rate * min(1.0, 500 / self.sizes[pre]) if wide else rate
        if pre > 0:
            return 6.0 / self.sizes[pre] * self._between()
        return first * (_MNIST * self._per_input() if self.adapting else 1.0) * self._between()

    def _between(self) -> float:
        """Every layer adds to the noise in the errors of those below, unless ghosts follow."""
        return 1.0 / max(1, len(self.graph.feedback_sources) - 1)

    def _per_input(self) -> float:
        """By how much inputs that have adapted, and the bias, drive units: their number."""
        return 1 / (1 + self.sizes[0])

    def imitation(self, pre: int, post: int) -> float:
        """Return the rate of V^f, eq. (3)."""
        if not self.paired:
            return 0.0
        below = self.graph.below(post)
        if self._normalises(pre):
            return _NORMALISED * self.copied / len(below) / self.noise
        # In small layers all units may be active at once, and where many classes drive them.
        crowded = self.sizes[-1] > 10 or any(
            self.sizes[layer] < 100 for layer in self.graph.feedback_targets
        )
        rate = (2.5 if self.deep or crowded else 4.0) * self.squares * self.copied
        # Adapted inputs have a mean square of 1, other rates of about 1/4.
        weights = {0: 4 if self.adapting else 1}
        return rate / sum(self.sizes[k] * weights.get(k, 1) for k in below) / self.noise

    def cancellation(self, pre: int, post: int) -> float:
        """Return the rate of V^b, eq. (4) and (6)."""
        above = self.graph.above(pre)
        linear = self.linear and self.paired and post == self.graph.n_layers
        if self._normalises(post, linear):
            rate = _NORMALISED * self.copied / len(above)
        else:
            rate = 20.0 if self.positive else 5.0
            if self.paired:
                rate = 4.0 if self.deep else 2.0
            if self.linear and (self.paired or self.positive):  # linear outputs have no bounds
                rate /= 4
            n_ghosts = dict(zip(self.graph.feedback_sources, self.ghosts, strict=True))
            rate *= self.squares * self.copied / sum(n_ghosts[layer] for layer in above)
        return rate / self.noise if self.paired else rate  # MB needs it fast, within each image

    def _normalises(self, layer: int, linear: bool = False) -> bool:
        """Tell whether rules are relative to the power of the rates of these units."""
        function = LINEAR if linear else rate_function(self.function)
        suited = self.private or not bounded(function.function)
        return self.normalised and layer > 0 and suited

    def feedback(self, pre: int, post: int) -> float:
        """Return the rate of W^b where it learns."""
        kinds = self.network.get("feedback", ("transpose",))
        place = self.graph.feedback_targets.index(pre) if len(kinds) > 1 else 0
        # A mirror averages over noise, of about a thousand images with as many units as images.
        return _MIRROR if kinds[place] == "mirror" else 0.2 / self.sizes[post] / self.noise


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

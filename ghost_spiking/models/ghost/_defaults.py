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

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._choices import Choices
from ._rates import LearningRates

if TYPE_CHECKING:
    from ...graph import Graph

__all__ = ["defaults"]

#: The standard deviation of what units of the first layer receive from it at the start, with a
#: gain of 1 and 500 units.
_DRIVE = 0.37


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
    rates = LearningRates(paired, graph, network, protocol).fields()
    return {
        "network": values.network_fields(),
        "protocol": values.protocol_fields() | {"learning_rates": rates},
    }


class _Defaults(Choices):
    """All fields but the learning rates."""

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
        }

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

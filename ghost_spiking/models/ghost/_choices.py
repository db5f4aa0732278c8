"""What defaults of a ghost network depend on, and its phases, on which rates depend too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...rate_functions import rate_function

if TYPE_CHECKING:
    from ...graph import Graph

__all__ = ["Choices", "bounded"]

#: Factors on the learning rates of W^f and of ghosts, by rate function.
_FACTORS = {"sigmoid": (1.0, 1.0), "hard_sigmoid": (1.0, 1.0), "softplus": (0.02, 0.05)}
_OTHER_FACTORS = (0.15, 0.25)


class Choices:
    """What is given, what follows from it, and the phases.

    Parameters
    ----------
    paired, graph, network, protocol
        As for `defaults`.
    """

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
        self.unbounded = self.linear and not softmax
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
        # They start with V = W, and keep it.
        self.keeps = start and self.following == "copy"
        # As many as can tell the feedback of all classes apart.
        top = graph.n_layers
        n_ghosts = tuple(
            max(100, 3 * self.sizes[layer] * (layer == top)) for layer in graph.feedback_sources
        )
        if paired:
            n_ghosts = tuple(self.sizes[layer] for layer in graph.feedback_sources)
        self.ghosts = n_ghosts if paired else network.get("ghosts", n_ghosts)

    def steps(self) -> tuple[float, int, int]:
        """Return the time step, and the steps of both phases."""
        top = self.graph.n_layers
        if self.following == "copy":
            # Ghosts that cancel from the first step need no time to learn in: it is enough that
            # activity, and then an error, has reached all layers, in steps as long as they can be.
            # In shorter phases lower layers learn too little beside the output.
            return (0.8, max(6, -(-3 * top // 2)), max(8, 2 * top)) if self.deep else (0.8, 4, 6)
        if self.following == "local":
            # What ghosts infer comes later than what their partners learn from; the more of a phase
            # is left by then, the smaller is the part that they miss.
            return 0.8, 2 * top, max(16, 4 * top)
        if self.settles:
            return 0.8, 12 + 4 * (top - 1), 12
        if self.replicates:
            return 0.8, 8, 8  # what V^b lacks for an image it has learned after five steps
        return 0.5, 16 if self.deep else 12, 12

    def beta(self) -> float:
        """Return the strength of nudging."""
        if self.follows:  # errors are exact if it is small; those that infer them need more
            return 0.01 if self.following == "copy" else min(0.45, 1.8 / self.graph.n_layers)
        return 1.0 if self.linear else 3.0

    def presented(self) -> float:
        """Return by how much a presentation nudges, relative to beta 1 for 20 steps of tau / 2."""
        time_step, _, nudging_steps = self.steps()
        given = self.protocol.get
        duration = given("nudging_steps", nudging_steps) * given("time_step", time_step)
        return given("beta", self.beta()) * duration / 10


def bounded(function: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Tell whether rates stay about 1 whatever the states.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.models.ghost._choices import bounded
    >>> bounded(np.tanh), bounded(np.exp), bounded(lambda s: s)
    (True, False, False)
    """
    with np.errstate(all="ignore"):
        return bool((np.abs(function(np.array([-60.0, -10.0, 10.0, 60.0]))) <= 2).all())

"""Learning rates by default, see `_defaults.py` for what they rest on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...rate_functions import LINEAR, rate_function
from ._choices import Choices, bounded

__all__ = ["LearningRates"]

#: The mean of |x|^2 of MNIST, for which rates of the first layer were found.
_MNIST = 88.0
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


class LearningRates(Choices):
    """The learning rates of all projections, and a method for each kind of them."""

    def fields(self) -> dict[str, Any]:
        """Return the fields of ``protocol.learning_rates``."""
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
        unbounded = _UNBOUNDED if self.unbounded else 1.0
        slow = _UNPAIRED_SOFTMAX if self.settles else 1.0
        return rate * self.steepness * unbounded * slow / self.noise

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
            return _NORMALISED * self._kept() / len(below) / self.noise
        # In small layers all units may be active at once, and where many classes drive them.
        crowded = self.sizes[-1] > 10 or any(
            self.sizes[layer] < 100 for layer in self.graph.feedback_targets
        )
        rate = (2.5 if self.deep or crowded else 4.0) * self.squares * self._kept()
        # Adapted inputs have a mean square of 1, other rates of about 1/4.
        weights = {0: 4 if self.adapting else 1}
        return rate / sum(self.sizes[k] * weights.get(k, 1) for k in below) / self.noise

    def cancellation(self, pre: int, post: int) -> float:
        """Return the rate of V^b, eq. (4) and (6)."""
        above = self.graph.above(pre)
        linear = self.linear and self.paired and post == self.graph.n_layers
        if self._normalises(post, linear):
            rate = _NORMALISED * self._kept() / len(above)
        else:
            rate = 20.0 if self.positive else 5.0
            if self.paired:
                rate = 4.0 if self.deep else 2.0
            if self.linear and (self.paired or self.positive):  # linear outputs have no bounds
                rate /= 4
            n_ghosts = dict(zip(self.graph.feedback_sources, self.ghosts, strict=True))
            rate *= self.squares * self._kept() / sum(n_ghosts[layer] for layer in above)
        return rate / self.noise if self.paired else rate  # MB needs it fast, within each image

    def _kept(self) -> float:
        """Return how much slower (3) and (4) are than where ghosts learn by nothing else."""
        return _COPIED if self.keeps else 1.0

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


def _nearest(connections: tuple[tuple[int, int], ...], values: tuple[Any, ...]) -> dict[int, Any]:
    """Give each layer the value of the connection from the nearest layer below."""
    ordered = sorted(zip(connections, values, strict=True), key=lambda item: item[0])
    return {post: value for (_, post), value in ordered}

"""Training: epochs in a seeded random order, evaluation, history, interruption."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .datasets import Dataset
from .exceptions import DivergenceError
from .simulation import Simulation
from .values import projection_rates

__all__ = ["Epoch", "Training", "accuracy"]

#: Weights and states of trained networks stay within some tens; beyond this, only overflow follows.
_LARGEST = 1e3


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    online_accuracy : float
        Percent of the training images that were classified correctly while it was learning.
    test_accuracy : float
        Percent of the test images classified correctly after the epoch.
    seconds : float
        Duration of the epoch, with evaluation.
    """

    epoch: int
    online_accuracy: float
    test_accuracy: float
    seconds: float


@dataclass
class Training:
    """Trains a simulation.

    Parameters
    ----------
    simulation : Simulation
        The network; its weights change.
    training, test : Dataset
        What to learn from, and what to evaluate with.
    seed : int
        Seed of the order of presentations; epoch k is the same whatever came before.
    history : list of Epoch
        Epochs so far.
    interrupted : bool
        Whether the last epoch was cut short by Ctrl-C.
    """

    simulation: Simulation
    training: Dataset
    test: Dataset
    seed: int = 0
    history: list[Epoch] = field(default_factory=list)
    interrupted: bool = False

    def run_epoch(self, progress: Callable[[int, float], None] | None = None) -> Epoch:
        """Present all training images once, in random order, then evaluate.

        Parameters
        ----------
        progress : callable, optional
            Called now and then with the number of images presented and the percentage of
            the most recent ones classified correctly.

        Returns
        -------
        Epoch
            Also appended to the history.

        Raises
        ------
        DivergenceError
            Weights or activity have grown beyond all bounds; the message names the projection
            and the rate to lower, and the simulation has the weights of before the epoch.
        """
        start = time.perf_counter()
        number = len(self.history) + 1
        order = np.random.default_rng([self.seed, 1, number]).permutation(len(self.training))
        labels = self.training.labels[order]

        def report(winners: np.ndarray) -> None:
            if progress is not None and len(winners):
                recent = slice(max(0, len(winners) - 10_000), len(winners))
                progress(len(winners), accuracy(winners[recent], labels[recent]))

        before, presented = dict(self.simulation.weights), self.simulation.presented
        winners = self._present(order, report)
        if self._has_diverged():
            self.simulation.interrupted = False
            error = self._explain(before, presented, order)
            self.simulation.weights, self.simulation.presented = before, presented
            raise error
        report(winners)
        self.interrupted = self.simulation.interrupted
        epoch = Epoch(
            number,
            accuracy(winners, labels[: len(winners)]),
            self.evaluate(self.test),
            time.perf_counter() - start,
        )
        self.history.append(epoch)
        return epoch

    def evaluate(self, dataset: Dataset) -> float:
        """Give the percentage of images whose class is predicted correctly."""
        predicted = self.simulation.predict(dataset.images, maximum=dataset.maximum)
        return accuracy(predicted, dataset.labels[: len(predicted)])

    def _present(
        self, order: np.ndarray, progress: Callable[[np.ndarray], None] | None = None
    ) -> np.ndarray:
        return self.simulation.present(
            self.training.images,
            self.training.labels,
            order=order,
            maximum=self.training.maximum,
            progress=progress,
        )

    # -- divergence -------------------------------------------------------------------

    def _has_diverged(self) -> bool:
        largest = [self.simulation.largest_state, *map(_largest, self.simulation.weights.values())]
        return not max(largest) <= _LARGEST

    def _explain(
        self, before: dict[str, np.ndarray], presented: int, order: np.ndarray
    ) -> DivergenceError:
        """Find the projection that diverges first, by presenting part of the epoch again.

        At the end of the epoch everything is infinite or nan. The last mini-batch before
        anything is out of bounds shows whose weights have grown most.
        """
        simulation = self.simulation
        batch = simulation.specification.protocol.batch_size

        def replay(n_batches: int) -> bool:
            simulation.weights, simulation.presented = dict(before), presented
            self._present(order[: n_batches * batch])
            return self._has_diverged()

        good, bad = 0, 1
        while bad * batch < len(order) and not replay(bad):
            good, bad = bad, 2 * bad
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (good, middle) if replay(middle) else (middle, bad)
        replay(good or 1)
        rates = projection_rates(simulation.specification)
        # Biases learn with the weights beside them, so they diverge together.
        candidates = [name for name in rates if "bias" not in name]
        if good:
            growth = {
                name: _largest(simulation.weights[name]) / (_largest(before[name]) + 1)
                for name in candidates
            }
        else:  # it took less than one mini-batch: judge by the bound on delta rules instead
            growth = {name: rates[name] * before[name].shape[1] for name in candidates}
        name = max(growth, key=lambda name: growth[name])
        field = re.split("_[0-9]", name)[0]
        return DivergenceError(
            f"the network diverged after {presented + bad} mini-batches; the weights of '{name}' "
            f"grew most: lower protocol.learning_rates.{field}, which is {rates[name]:g} there. "
            "The weights of before this epoch are kept"
        )


def _largest(values: np.ndarray) -> float:
    """Give the largest magnitude, or infinity if there is a nan."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest if np.isfinite(largest) else float("inf")


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Give the percentage of correct predictions; nan without any."""
    return 100.0 * float(np.mean(predicted == labels)) if len(predicted) else float("nan")

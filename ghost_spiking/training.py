"""Training: epochs in a seeded random order, evaluation, history, interruption."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .datasets import Dataset
from .exceptions import DivergenceError
from .simulation import Simulation

__all__ = ["Epoch", "Training", "accuracy"]

#: Trained weights stay within some tens; beyond this, nothing but overflow follows.
_LARGEST_WEIGHT = 1e4


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
            Weights have grown beyond all bounds; the simulation has those of before the epoch.
        """
        start = time.perf_counter()
        number = len(self.history) + 1
        order = np.random.default_rng([self.seed, 1, number]).permutation(len(self.training))
        labels = self.training.labels[order]

        def report(winners: np.ndarray) -> None:
            if progress is not None and len(winners):
                recent = slice(max(0, len(winners) - 10_000), len(winners))
                progress(len(winners), accuracy(winners[recent], labels[recent]))

        before = dict(self.simulation.weights)
        winners = self.simulation.present(
            self.training.images,
            self.training.labels,
            order=order,
            maximum=self.training.maximum,
            progress=report,
        )
        self._check_weights(before)
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

    def _check_weights(self, before: dict[str, np.ndarray]) -> None:
        for name, weight in self.simulation.weights.items():
            if not np.isfinite(weight).all() or np.abs(weight).max() > _LARGEST_WEIGHT:
                self.simulation.weights = before
                kind = name.rpartition("_")[0].replace("ghost_bias", "ghost_forward")
                raise DivergenceError(
                    f"the weights of '{name}' have diverged; lower "
                    f"protocol.learning_rates.{kind.replace('bias', 'feedforward')}"
                )


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Give the percentage of correct predictions; nan without any."""
    return 100.0 * float(np.mean(predicted == labels)) if len(predicted) else float("nan")

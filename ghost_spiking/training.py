"""Training: epochs in a seeded random order, evaluation, history, stopping and going on."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from ._checks import Count, Whole, check
from ._pixels import targets_of
from .datasets import Dataset
from .dense._interrupts import deferred
from .diagnosis import diagnose
from .exceptions import DivergenceError, LearningWarning, SpecificationError
from .measure import compare_weights, flatten
from .models import BIAS_UNIT, Projection
from .simulation import Simulation
from .specification import Specification

__all__ = [
    "Callback",
    "Epoch",
    "Progress",
    "Training",
    "accuracy",
    "default_epochs",
    "loss",
    "scores",
]

#: Weights and states of trained networks stay within some tens; beyond this, only overflow follows.
#: In units of the largest target.
_LARGEST = 1e3

#: Called now and then with the number of images presented and the percentage of the
#: most recent ones classified correctly; to give True stops the training.
Progress = Callable[[int, float], bool | None]
#: Called with the training after each epoch; to give True stops the training.
Callback = Callable[["Training"], bool | None]


def default_epochs(n_images: int) -> int:
    """Return how many epochs to train where nobody says: more for small sets.

    Examples
    --------
    >>> from ghost_spiking.training import default_epochs
    >>> default_epochs(60_000), default_epochs(5000), default_epochs(300)
    (10, 40, 100)
    """
    return min(100, max(10, 200_000 // n_images))


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    online_accuracy, online_loss : float
        Percent of the training images that were classified correctly while it was learning,
        and the mean loss C. With targets in place of classes, what `accuracy` says.
    test_accuracy, test_loss : float
        The same for the test images after the epoch; nan without test images.
    seconds : float
        Duration of the epoch, with evaluation.
    measurements : dict of str to float
        Distances and angles between weights, see `ghost_spiking.measure.compare_weights`, and
        what callbacks add.
    warning : str
        Why the network does not learn, if it does not: see `ghost_spiking.diagnosis.diagnose`.

    Examples
    --------
    >>> from ghost_spiking.training import Epoch
    >>> epoch = Epoch(1, online_accuracy=80.0, online_loss=0.2, test_accuracy=85.0, test_loss=0.2,
    ...               seconds=1.5)
    >>> epoch.test_accuracy
    85.0
    """

    epoch: int
    online_accuracy: float
    online_loss: float
    test_accuracy: float
    test_loss: float
    seconds: float
    measurements: dict[str, float] = field(default_factory=dict)
    warning: str = ""


@dataclass
class Training:
    """Trains a simulation.

    Epochs are the same whether or not the training was stopped and went on, even in another
    process: all there is to a training are the seed, the weights, the number of
    presentations, and the fields below.

    Parameters
    ----------
    simulation : Simulation
        The network; its weights change.
    training : Dataset
        What to learn from.
    test : Dataset, optional
        What to evaluate with after each epoch.
    seed : int
        Seed of the order of presentations; epoch k is the same whatever came before.
    history : list of Epoch
        Epochs so far.
    responses : array, shape (n_presented, n_classes)
        Responses in the epoch that was stopped or interrupted before its end; empty otherwise.
    weights : array, shape (n_images,), optional
        How often images are presented in each epoch, relative to each other; each epoch has as many
        presentations as there are images. Images whose share is no whole number are presented
        once more in some epochs than in others.

    Examples
    --------
    >>> from ghost_spiking import Simulation, Specification, Training
    >>> from ghost_spiking.datasets import load
    >>> training, test = load("digits")
    >>> specification = Specification.create(sizes=(64, 20, 10))
    >>> trainer = Training(Simulation(specification, device="numpy"), training.take(200), test)
    >>> trainer.run(epochs=1)
    >>> len(trainer.history)
    1
    """

    simulation: Simulation
    training: Dataset
    test: Dataset | None = None
    seed: int = 0
    history: list[Epoch] = field(default_factory=list)
    responses: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.seed = check("Training: seed", self.seed, Whole)
        if self.weights is not None:
            self.weights = np.asarray(self.weights, np.float64)
            fits = self.weights.shape == (len(self.training),)
            if not fits or not np.isfinite(self.weights).all() or self.weights.min() < 0:
                raise SpecificationError(
                    "Training: weights: needs a number for each image, none of them negative"
                )
            if not self.weights.any():
                raise SpecificationError("Training: weights: not all of them may be 0")
        simulation, images = self.simulation, self.training
        simulation.specification = simulation.specification.for_training(len(images))
        simulation.adapt(images.images, images.maximum)

    def run(
        self,
        epochs: int,
        callbacks: Iterable[Callback] = (),
        progress: Progress | None = None,
    ) -> None:
        """Train until there are so many epochs, or something stops it.

        Parameters
        ----------
        epochs : int
            Number of epochs in all, with those of the history.
        callbacks : iterable of callable, optional
            Called with this object after each epoch; all of them, then training stops if
            one gave True. Ctrl-C in one of them ends the others, and the next epoch is what the
            next call begins with.
        progress : callable, optional
            See `run_epoch`.

        Raises
        ------
        SpecificationError
            `epochs` is no whole number, less than 1, or less than there are already.
        DivergenceError, KeyboardInterrupt
            See `run_epoch`.
        """
        epochs = check("Training.run: epochs", epochs, Count)
        if epochs < len(self.history):
            raise SpecificationError(
                f"Training.run: epochs: counts all epochs, and there are {len(self.history)} "
                f"already, got {epochs}"
            )
        callbacks = list(callbacks)
        with self.simulation.keeping_data():
            while len(self.history) < epochs:
                if self.run_epoch(progress) is None:
                    return
                wishes = [callback(self) for callback in callbacks]
                if any(wishes):
                    return

    def run_epoch(self, progress: Progress | None = None) -> Epoch | None:
        """Present all training images once, in random order, then evaluate.

        An epoch that was stopped or interrupted is taken up where it was.

        Parameters
        ----------
        progress : callable, optional
            Called now and then with the number of images presented and the percentage of
            the most recent ones classified correctly; if it gives True, the epoch stops after
            the present mini-batch.

        Returns
        -------
        Epoch or None
            Also appended to the history; None if it was stopped.

        Warns
        -----
        LearningWarning
            The network does not learn; the epoch has the same text. Once, until it learns again.

        Raises
        ------
        DivergenceError
            Weights or activity have grown beyond all bounds; the message names the projection
            and the rate to lower, and the simulation has the weights of before the epoch.
        KeyboardInterrupt
            At Ctrl-C, after the present mini-batch; what was learned is kept, and the next call
            goes on from there. A second Ctrl-C ends it at once: then the next call goes on
            from where this one began.
        """
        start = time.perf_counter()
        number = len(self.history) + 1
        order = self._order(number)
        labels = self.training.labels[order]
        earlier = self.responses if len(self.responses) else np.empty((0, self.training.n_classes))

        def report(responses: np.ndarray) -> bool | None:
            responses = np.concatenate([earlier, responses])
            if progress is None or not len(responses):
                return None
            recent = slice(max(0, len(responses) - 10_000), len(responses))
            return progress(len(responses), accuracy(responses[recent], labels[recent]))

        rest = order[len(earlier) :]
        with deferred():
            before, presented = self.simulation.weights, self.simulation.presented
            responses = earlier
            if len(rest):
                responses = np.concatenate([earlier, self._present(rest, report)])
            if self._has_diverged():
                try:
                    raise self._explain(before, presented, rest)
                finally:
                    self.simulation.weights, self.simulation.presented = before, presented
            # Complete ones too, until the epoch is in the history: evaluation takes a while.
            self.responses = responses
        if len(responses) < len(order):
            return None
        specification = self.simulation.specification
        test_accuracy, test_loss = self._score(self.test) if self.test else (np.nan, np.nan)
        epoch = Epoch(
            number,
            accuracy(responses, labels),
            loss(specification, responses, labels),
            test_accuracy,
            test_loss,
            time.perf_counter() - start,
            flatten(compare_weights(specification, self.simulation.weights)),
        )
        # What is the matter, if it does not learn.
        warning = diagnose(
            specification,
            epoch,
            self.history,
            responses,
            labels,
            n_test=len(self.test) if self.test else 0,
            presented=self.simulation.presented,
            states=self.simulation.states,
            before=before,
            after=self.simulation.weights,
        )
        known = self.history[-1].warning if self.history else ""
        epoch = replace(epoch, warning=warning)
        with deferred():
            self.history.append(epoch)
            self.responses = np.empty((0, 0))
        if warning and not known:
            warnings.warn(warning, LearningWarning, stacklevel=_callers_level())
        if progress is not None:
            progress(len(responses), epoch.online_accuracy)
        return epoch

    def _order(self, number: int) -> np.ndarray:
        """Return which images epoch `number` presents, in turn."""
        generator = np.random.default_rng([self.seed, 1, number])
        chosen = np.arange(n_images := len(self.training))
        if self.weights is not None:
            # Equally spaced points on the sum of all weights: shares are exact but for rounding.
            ends = np.cumsum(self.weights) * (n_images / np.sum(self.weights))
            chosen = np.searchsorted(ends, chosen + generator.random(), side="right")
            chosen = np.minimum(chosen, n_images - 1)
        return chosen[generator.permutation(n_images)]

    def evaluate(self, dataset: Dataset, *, cores: int = 1) -> float:
        """Return the percentage of images whose class is predicted correctly.

        Parameters
        ----------
        dataset : Dataset
            Images and labels.
        cores : int, optional
            Programs that share the images, see `Simulation.respond`.
        """
        return self._score(dataset, cores)[0]

    def _score(self, dataset: Dataset, cores: int = 1) -> tuple[float, float]:
        responses = self.simulation.respond(dataset.images, maximum=dataset.maximum, cores=cores)
        labels = dataset.labels
        return (
            accuracy(responses, labels),
            loss(self.simulation.specification, responses, labels),
        )

    def _present(
        self, order: np.ndarray, progress: Callable[[np.ndarray], bool | None] | None = None
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
        target = float(np.abs(self.training.labels).max()) if self.training.labels.ndim > 1 else 1.0
        return not max(largest) <= _LARGEST * max(1.0, target)

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
        # Biases learn with the weights beside them, so they diverge together.
        plastic = [
            item for item in simulation.specification.layout.plastic if item.source != BIAS_UNIT
        ]

        def growth(item: Projection) -> float:
            if good:
                return _largest(simulation.weights[item.name]) / (_largest(before[item.name]) + 1)
            # It took less than one mini-batch: judge by the bound on delta rules instead.
            return (item.eta or 0.0) * before[item.name].shape[1]

        first = max(plastic, key=growth)
        error = DivergenceError(
            f"the network diverged after {presented + bad} mini-batches; the weights of "
            f"'{first.name}' grew most: lower protocol.learning_rates.{first.rate_field}, which is "
            f"{first.eta:g} there. "
            "The weights of before this epoch are kept"
        )
        error.presented, error.projection = presented + bad, first.name
        error.field, error.rate = first.rate_field, first.eta or 0.0
        return error


def _largest(values: np.ndarray) -> float:
    """Return the largest magnitude, or infinity if there is a nan."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest if np.isfinite(largest) else float("inf")


def accuracy(responses: np.ndarray, labels: np.ndarray) -> float:
    """Return how well responses fit, in percent.

    Parameters
    ----------
    responses : array, shape (n_images, N_L)
        As from `Simulation.respond`.
    labels : array, shape (n_images,) or (n_images, N_L)
        Classes: the percentage of images with the largest response at the class. Targets of type
        bool, several labels for each image: the percentage of images with responses above 1/2 at
        their labels and at no others. Other targets: the percentage of their variance that the
        responses explain, R^2, the mean over outputs; negative if they are worse than a constant.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.training import accuracy
    >>> responses = np.array([[0.9, 0.6], [0.1, 0.3]])
    >>> accuracy(responses, np.array([0, 0]))
    50.0
    >>> accuracy(responses, np.array([[True, True], [False, True]]))
    50.0
    >>> accuracy(responses, np.array([[0.9, 0.6], [0.1, 0.2]]))
    93.75
    """
    if labels.ndim == 1:
        return 100.0 * float(np.mean(responses.argmax(axis=1) == labels))
    if labels.dtype == bool:
        return 100.0 * float(((responses > 0.5) == labels).all(axis=1).mean())
    # As `sklearn.metrics.r2_score` has it where targets do not vary.
    missed = ((labels - responses.astype(np.float64)) ** 2).sum(axis=0)
    variance = ((labels - labels.mean(axis=0, dtype=np.float64)) ** 2).sum(axis=0)
    explained = 1 - missed / np.where(variance > 0, variance, 1.0)
    return 100.0 * float(np.where(variance > 0, explained, missed == 0).mean())


def loss(specification: Specification, responses: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean loss C of responses.

    Parameters
    ----------
    specification : Specification
        Says which loss: squared error, 1/2 ||y - rho(s_L)||^2, or cross-entropy of softmax(s_L).
    responses : array, shape (n_images, N_L)
        As from `Simulation.respond`.
    labels : array of int, shape (n_images,)
        The classes; or targets, shape (n_images, N_L).

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.training import loss
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> loss(specification, np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([0, 1]))
    0.25
    """
    responses = responses.astype(np.float64)
    targets = targets_of(labels, responses.shape[1])
    if specification.network.loss == "cross_entropy":
        chosen = (targets * responses).sum(axis=1)
        return float((np.logaddexp.reduce(responses, axis=1) - chosen).mean())
    return float(0.5 * ((targets - responses) ** 2).sum(axis=1).mean())


def scores(specification: Specification, responses: np.ndarray) -> np.ndarray:
    """Return a score of each class that people can compare, shape (n_images, N_L).

    Parameters
    ----------
    specification : Specification
        Says which loss. With cross-entropy, scores are the probabilities of the softmax; with
        squared error, the rates of the output units as they are.
    responses : array, shape (n_images, N_L)
        As from `Simulation.respond`.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.training import scores
    >>> specification = Specification.create(sizes=(4, 3, 2), loss="cross_entropy")
    >>> scores(specification, np.array([[1.0, 1.0]]))
    array([[0.5, 0.5]])
    """
    responses = responses.astype(np.float64)
    if specification.network.loss == "cross_entropy":
        responses = np.exp(responses - responses.max(axis=1, keepdims=True))
        responses /= responses.sum(axis=1, keepdims=True)
    return responses


def _callers_level() -> int:
    """Return the `stacklevel` with which a warning names the user's line, and not one of ours."""
    level, frame = 1, sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level

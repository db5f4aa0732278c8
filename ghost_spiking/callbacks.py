"""What may be done after each epoch of a training; see `Training.run`.

Any function that takes a `Training` will do. To give True stops the training.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ._checks import Count, NotNegative, check
from .exceptions import SpecificationError
from .measure import Probe
from .training import Training

__all__ = ["EarlyStopping", "Measure"]


@dataclass
class Measure:
    """Measures a network with a `Probe`, and adds what it found to the epoch's measurements.

    Parameters
    ----------
    probe : Probe
        Of the same network.

    Examples
    --------
    >>> from ghost_spiking import Simulation, Specification, Training
    >>> from ghost_spiking.callbacks import Measure
    >>> from ghost_spiking.datasets import load
    >>> from ghost_spiking.measure import Probe
    >>> training, test = load("digits")
    >>> specification = Specification.create(sizes=(64, 20, 10))
    >>> trainer = Training(Simulation(specification, device="numpy"), training.take(800), test)
    >>> probe = Probe(specification, test.images[:50], test.labels[:50], maximum=test.maximum)
    >>> trainer.run(epochs=1, callbacks=[Measure(probe)])
    >>> 0 < trainer.history[0].measurements["error_angle[1]"] < 90
    True
    """

    probe: Probe

    def __call__(self, training: Training) -> None:
        """Measure after an epoch."""
        self.probe.adaptation = training.simulation.adaptation
        found = self.probe.measure(training.simulation.weights)
        training.history[-1].measurements.update(found.flat())


@dataclass
class EarlyStopping:
    """Stops when the evaluated accuracy has not risen for some epochs.

    Give the training held-out images as its `test`; to stop by the test images would be to
    choose by them.

    Parameters
    ----------
    patience : int
        Epochs to wait.
    tolerance : float
        By how much the accuracy has to rise, in percent, to count as a rise.
    best_epoch : int
        Number of the best epoch so far; 0 before the first.

    Raises
    ------
    SpecificationError
        `patience` is no whole number or less than 1, `tolerance` is negative; or there are no
        images to evaluate with.

    Examples
    --------
    >>> from ghost_spiking import Simulation, Specification, Training
    >>> from ghost_spiking.callbacks import EarlyStopping
    >>> from ghost_spiking.datasets import load
    >>> learned, held_out = load("digits")[0].split(200, seed=0)
    >>> specification = Specification.create(sizes=(64, 20, 10))
    >>> trainer = Training(Simulation(specification, device="numpy"), learned.take(200), held_out)
    >>> stopping = EarlyStopping(patience=1, tolerance=100.0)  # no later epoch can rise so far
    >>> trainer.run(epochs=9, callbacks=[stopping])
    >>> len(trainer.history), stopping.best_epoch
    (2, 1)
    >>> stopping.restore(trainer)
    """

    patience: int = 5
    tolerance: float = 0.0
    best_epoch: int = 0
    _best: float = -np.inf
    _weights: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.patience = check("EarlyStopping: patience", self.patience, Count)
        self.tolerance = check("EarlyStopping: tolerance", self.tolerance, NotNegative)

    def __call__(self, training: Training) -> bool:
        """Compare an epoch with the best one."""
        if training.test is None:
            raise SpecificationError(
                "EarlyStopping: judges epochs by images that are held out; give them to the "
                "training as its `test`"
            )
        epoch = training.history[-1]
        if epoch.test_accuracy > self._best + self.tolerance:
            self._best, self.best_epoch = epoch.test_accuracy, epoch.epoch
            self._weights = dict(training.simulation.weights)
        return epoch.epoch - self.best_epoch >= self.patience

    def restore(self, training: Training) -> None:
        """Go back to the weights of the best epoch."""
        if self._weights:
            training.simulation.weights = dict(self._weights)

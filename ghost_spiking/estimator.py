"""`GhostClassifier`: ghost networks for scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm import tqdm

from .callbacks import EarlyStopping
from .datasets import Dataset
from .simulation import Device, Simulation
from .specification import Specification
from .training import Training

__all__ = ["GhostClassifier"]


class GhostClassifier(ClassifierMixin, BaseEstimator):
    """A ghost network as a scikit-learn classifier.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, optional
        Units of each hidden layer.
    model : {"MA", "MB"}, optional
        MA has a ghost for every pyramidal unit; MB any number, with fixed random input.
    feedback : str or sequence of str, optional
        ``transpose``, ``alignment`` or ``reconstruction``, for all hidden layers or for each.
    ghosts : int or sequence of int, optional
        Ghosts per layer (MB only).
    rate_function : str, optional
        rho, see `ghost_spiking.specification.Network`.
    loss : {"squared_error", "cross_entropy"}, optional
        What is minimised.
    epochs : int, optional
        How often all samples are presented.
    batch_size : int, optional
        Samples that share their weight changes; all of them, if there are fewer.
    beta : float, optional
        Strength of the nudging; by default chosen for the network.
    learning_rate : float, optional
        Factor on the learning rates of W^f that are chosen for the network.
    fields : mapping, optional
        Any other fields of a specification, as for `Specification.create`; for instance
        ``{"dale": True, "learning_rates": {"ghost_feedback": 0.1}}``.
    scale : bool, optional
        Whether each feature is mapped to rates between 0 and 1, by its smallest and largest
        value in the first samples that it is fitted to. Without, features must be
        rates already.
    early_stopping : bool, optional
        Whether to hold out samples, and to stop and go back when their accuracy has not
        risen for `patience` epochs.
    validation_fraction : float, optional
        Fraction of the samples to hold out.
    patience : int, optional
        Epochs to wait.
    warm_start : bool, optional
        Whether `fit` goes on with the weights of the last fit.
    device : {"cpp_standalone", "cython", "numpy"}, optional
        A compiled program, or Brian2's runtime mode, which needs no compiler and is slower.
    random_state : int, RandomState or None, optional
        Decides on initial weights, the order of samples and those held out.
    verbose : bool, optional
        Whether to show progress.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        Labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of str
        Their names, if there are any.
    specification_ : Specification
        The network.
    weights_ : dict of array
        Its weights, by projection, in the paper's shapes.
    history_ : list of Epoch
        What is known of each epoch; accuracies under ``test`` are those of samples held out.
    n_iter_ : int
        Number of epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ghost_spiking import GhostClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = GhostClassifier((20,), device="numpy", random_state=0).fit(X, y)
    >>> classifier.predict(X[:1])
    array([0])
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        *,
        model: str = "MA",
        feedback: str | Sequence[str] = "transpose",
        ghosts: int | Sequence[int] | None = None,
        rate_function: str = "sigmoid",
        loss: str = "squared_error",
        epochs: int = 50,
        batch_size: int = 20,
        beta: float | None = None,
        learning_rate: float = 1.0,
        fields: Mapping[str, Any] | None = None,
        scale: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        warm_start: bool = False,
        device: Device = "cpp_standalone",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.model = model
        self.feedback = feedback
        self.ghosts = ghosts
        self.rate_function = rate_function
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.beta = beta
        self.learning_rate = learning_rate
        self.fields = fields
        self.scale = scale
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Train a network.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
            Samples.
        y : array-like, shape (n_samples,)
            Labels of any type.

        Returns
        -------
        GhostClassifier
            This object.

        Raises
        ------
        SpecificationError
            A parameter is not valid; it is a ValueError too.
        DivergenceError
            Weights grew beyond all bounds.
        """
        again = self.warm_start and hasattr(self, "weights_")
        X, y = validate_data(self, X, y, dtype=np.float64, reset=not again)
        check_classification_targets(y)
        if not again:
            self._start(X, np.unique(y))
        held_out = None
        if self.early_stopping:
            X, held_X, y, held_y = train_test_split(
                X, y, test_size=self.validation_fraction, stratify=y, random_state=self._seed
            )
            held_out = self._dataset(held_X, held_y)
        self._train(self._dataset(X, y), held_out, self.epochs)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Present samples once more, or for the first time.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
            Samples.
        y : array-like, shape (n_samples,)
            Labels.
        classes : array-like, optional
            All labels that there will be; by default those of the first call.

        Returns
        -------
        GhostClassifier
            This object.
        """
        first = not hasattr(self, "weights_")
        X, y = validate_data(self, X, y, dtype=np.float64, reset=first)
        check_classification_targets(y)
        if first:
            self._start(X, np.unique(y if classes is None else classes))
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"classes: must be the same in all calls, {self.classes_} at first, got {classes}"
            )
        self._train(self._dataset(X, y), None, 1)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Give the labels of samples, shape (n_samples,)."""
        responses = self._respond(X)
        return self.classes_[responses.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Give the probability of each class, shape (n_samples, n_classes).

        With cross-entropy it is the softmax. With squared error it is the rate of the class's
        output unit over the sum of all: these are no calibrated probabilities.
        """
        responses = self._respond(X).astype(np.float64)
        if self.specification_.network.loss == "cross_entropy":
            responses = np.exp(responses - responses.max(axis=1, keepdims=True))
        else:  # rates of some rate functions may be negative, and all of them may be zero
            responses = np.maximum(responses, 0) + 1e-12
        return responses / responses.sum(axis=1, keepdims=True)

    # -- internals --------------------------------------------------------------------

    def _start(self, X: np.ndarray, classes: np.ndarray) -> None:
        self.classes_ = classes
        self._lowest = X.min(axis=0) if self.scale else np.zeros(X.shape[1])
        spread = X.max(axis=0) - self._lowest if self.scale else np.ones(X.shape[1])
        self._spread = np.where(spread > 0, spread, 1.0)
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.specification_ = self._specification(X.shape[1])
        self.weights_: dict[str, np.ndarray] | None = None
        self.history_: list[Any] = []
        self._presented = 0

    def _specification(self, n_features: int) -> Specification:
        chosen = {
            "sizes": (n_features, *np.ravel(self.hidden_layer_sizes).tolist(), len(self.classes_)),
            "model": self.model,
            "feedback": self.feedback,
            "rate_function": self.rate_function,
            "loss": self.loss,
            "batch_size": self.batch_size,
        }
        chosen |= {} if self.ghosts is None else {"ghosts": self.ghosts}
        chosen |= {} if self.beta is None else {"beta": float(self.beta)}
        specification = Specification.create(**(chosen | dict(self.fields or {})))
        rates = specification.protocol.learning_rates
        return specification.replace(
            learning_rates={
                "feedforward": [self.learning_rate * eta for eta in rates.feedforward],
                "bias": [self.learning_rate * eta for eta in rates.bias],
            }
        )

    def _rates(self, X: np.ndarray) -> np.ndarray:
        rates = (X - self._lowest) / self._spread
        return (np.clip(rates, 0, 1) if self.scale else rates).astype(np.float32)

    def _dataset(self, X: np.ndarray, y: np.ndarray) -> Dataset:
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y: labels {unknown.tolist()} are not among the classes, {self.classes_.tolist()}"
            )
        labels = np.searchsorted(self.classes_, y)
        return Dataset("samples", self._rates(X), labels, 1.0, (X.shape[1],), len(self.classes_))

    def _simulation(self) -> Simulation:
        simulation = Simulation(
            self.specification_,
            device=self.device,
            seed=self._seed,
            weights=self.weights_,
            data_dtype=np.float32,
        )
        simulation.presented = self._presented
        return simulation

    def _train(self, samples: Dataset, held_out: Dataset | None, epochs: int) -> None:
        training = Training(
            self._simulation(), samples, held_out, self._seed, history=list(self.history_)
        )
        stopping = EarlyStopping(patience=self.patience)
        with tqdm(total=epochs, unit=" epochs", disable=not self.verbose) as bar:

            def after_epoch(training: Training) -> bool:
                bar.update()
                return stopping(training) if held_out else False

            training.run(len(self.history_) + epochs, [after_epoch])
        if held_out:
            stopping.restore(training)
        self.weights_ = training.simulation.weights
        self.history_ = training.history
        self.n_iter_ = len(self.history_)
        self._presented = training.simulation.presented

    def _respond(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "weights_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self._simulation().respond(self._rates(X), maximum=1.0)

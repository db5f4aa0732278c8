"""`GhostClassifier`: classes, or several labels for each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..exceptions import SpecificationError
from ..simulation import Device
from ..training import scores
from ._base import GhostEstimator, Options

__all__ = ["GhostClassifier"]


class GhostClassifier(ClassifierMixin, GhostEstimator):
    """A ghost network as a scikit-learn classifier.

    If `y` is an indicator matrix, shape (n_samples, n_labels), each sample may have several labels,
    or none; that needs a squared error.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, optional
        Units of each hidden layer.
    model : str or class, optional
        Name of a model, such as ``"MA"`` or ``"MB"``, or a class of your own; see
        `ghost_spiking.models`.
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
    scale : bool or transformer, optional
        How features become rates. With True each is mapped to rates between 0 and 1, by the range
        of its values without outliers; rates of outliers lie beyond, between -1 and 2. Samples
        of a further `partial_fit`, or `fit` with `warm_start`, may widen the ranges. What was
        learned before then means something else until it has been learned anew, so it is best to
        begin with samples of all kinds. A feature that is always the same has rate 0.
        With False, features are shown as they are, and input units adapt to their mean and common
        contrast (unless ``fields`` switches `input_adaptation` off: then they are rates).
        A transformer of scikit-learn, such as ``RobustScaler()`` or ``QuantileTransformer()``, is
        fitted to the samples and does it instead.
    class_weight : mapping, "balanced" or None, optional
        Weight of each class, by label; "balanced" makes all classes count the same.
    tol : float, optional
        With `early_stopping`, by how much the accuracy has to rise, as a fraction, to count as a
        rise. Without, training ends when the loss has not fallen by as much for `patience` epochs;
        None: never.
    early_stopping : bool, optional
        Whether to hold out samples, and to stop and go back when their accuracy has not
        risen for `patience` epochs.
    validation_fraction : float, optional
        Fraction of the samples to hold out.
    patience : int, optional
        Epochs to wait.
    warm_start : bool, optional
        Whether `fit` goes on with the weights of the last fit. Parameters of learning and of
        the protocol may change in between (`epochs`, `learning_rate`, `batch_size`, `beta`, ...);
        the network, its labels and `scale` may not. `random_state` counts only at the start.
    device : {"cpp_standalone", "cython", "numpy"}, optional
        A compiled program, or Brian2's runtime mode, which needs no compiler and is slower.
    threads : int, optional
        Cores that a compiled program uses. Results have the same bits for the same number.
    random_state : int, RandomState or None, optional
        Decides on initial weights, the order of samples and those held out.
    verbose : bool, optional
        Whether to show progress.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        Labels; of an indicator matrix, the numbers of its columns.
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
    loss_curve_ : list of float
        Mean loss while learning, of each epoch.
    validation_scores_ : list of float or None
        Accuracy on the samples held out after each epoch, with several labels the fraction of
        samples whose labels are all right; None without `early_stopping`.
    best_score_ : float or None
        The largest of these.
    n_iter_ : int
        Number of whole epochs; after Ctrl-C, `weights_` may have learned from part of another.

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
        model: str | type = "MA",
        feedback: str | Sequence[str] = "transpose",
        ghosts: int | Sequence[int] | None = None,
        rate_function: str = "sigmoid",
        loss: str = "squared_error",
        epochs: int = 50,
        batch_size: int = 20,
        beta: float | None = None,
        learning_rate: float = 1.0,
        fields: Mapping[str, Any] | None = None,
        scale: Any = True,
        class_weight: Mapping[Any, float] | str | None = None,
        tol: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        warm_start: bool = False,
        device: Device = "cpp_standalone",
        threads: int = 1,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            model=model,
            feedback=feedback,
            ghosts=ghosts,
            rate_function=rate_function,
            epochs=epochs,
            batch_size=batch_size,
            beta=beta,
            learning_rate=learning_rate,
            fields=fields,
            scale=scale,
            tol=tol,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            warm_start=warm_start,
            device=device,
            threads=threads,
            random_state=random_state,
            verbose=verbose,
        )
        self.loss = loss
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Present samples once more, or for the first time.

        As with `fit`, what fails leaves the classifier what it was.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
            Samples; they may widen the ranges of features, see `scale`.
        y : array-like, shape (n_samples,) or (n_samples, n_labels)
            Labels.
        classes : array-like, optional
            All labels that there will be; by default those of the first call.
        sample_weight : array-like, shape (n_samples,), optional
            As for `fit`.

        Returns
        -------
        GhostClassifier
            This object.
        """
        if self._options() and self.class_weight == "balanced":
            raise SpecificationError(
                "class_weight: partial_fit does not know how many samples of each class will come, "
                "so it can't balance them; give a weight for each class"
            )
        if (
            classes is not None
            and hasattr(self, "classes_")
            and not np.array_equal(self.classes_, np.unique(classes))
        ):
            raise ValueError(
                f"classes: must be the same in all calls, {self.classes_} at first, got {classes}"
            )
        return self._present_once(X, y, sample_weight, classes)

    def predict(self, X: Any) -> np.ndarray:
        """Return the labels of samples, shape (n_samples,), or an indicator matrix."""
        responses = self._respond(X)
        if self._several:
            return (responses > 0.5).astype(int)
        return self.classes_[responses.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, shape (n_samples, n_classes).

        With cross-entropy it is the softmax. With squared error it is the rate of the class's
        output unit over the sum of all: these are no calibrated probabilities. With several labels
        for each sample it is the rate of each label's unit.
        """
        responses = self._respond(X)  # refuses what is not fitted
        if self._several:
            return np.clip(responses, 0, 1)
        found = scores(self.specification_, responses)
        if self.specification_.network.loss == "cross_entropy":
            return found
        # rates of some rate functions may be negative, and all of them may be zero
        found = np.maximum(found, 0) + 1e-12
        return found / found.sum(axis=1, keepdims=True)

    # -- targets ----------------------------------------------------------------------

    #: Whether samples have several labels.
    _several = False

    @property
    def _n_outputs(self) -> int:
        return len(self.classes_)

    def _options(self) -> Options:
        options, weight = super()._options(), self.class_weight
        if not (weight is None or weight == "balanced" or isinstance(weight, Mapping)):
            raise SpecificationError(
                "GhostClassifier.class_weight: needs 'balanced', or a mapping from labels to "
                f"weights, got {self.class_weight!r}"
            )
        return options

    def _check_targets(self, y: np.ndarray) -> np.ndarray:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if y.ndim == 1:
            return y
        if kind != "multilabel-indicator":
            raise ValueError(
                f"y: {kind} of shape {y.shape} is not supported: needs one label for each sample, "
                "or an indicator matrix of 0 and 1 (see sklearn.preprocessing.MultiLabelBinarizer)"
            )
        if self.loss == "cross_entropy":
            raise SpecificationError(
                "loss: cross_entropy of a softmax is for one label per sample; several labels need "
                "loss='squared_error'"
            )
        return y.astype(bool)

    def _numbers(self, y: np.ndarray) -> np.ndarray:
        return y if y.ndim == 2 else np.unique(y, return_inverse=True)[1]

    def _meet(self, y: np.ndarray, chosen: np.ndarray) -> None:
        self._several = np.ndim(y) == 2
        self.classes_ = np.arange(y.shape[1]) if self._several else np.unique(y)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        if self._several != (y.ndim == 2) or (self._several and y.shape[1] != self._n_outputs):
            known = f"{self._n_outputs} columns" if self._several else "one label for each sample"
            raise ValueError(f"y: had {known} in the first call, now the shape is {y.shape}")
        if self._several:
            return y
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y: labels {unknown.tolist()} are not among the classes, {self.classes_.tolist()}"
            )
        return np.searchsorted(self.classes_, y)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return None if y.ndim == 2 else y

    def _network_fields(self) -> dict[str, Any]:
        return {"rate_function": self.rate_function, "loss": self.loss}

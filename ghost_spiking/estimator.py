"""`GhostClassifier`: ghost networks for scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm.auto import tqdm

from ._checks import Count, Flag, Fraction, NotNegative, Positive, Section, Whole, check, plain
from ._samples import dense, in_order, repeated, weights_of
from ._scaling import Scaling, Transformed
from .adaptation import Adaptation
from .callbacks import EarlyStopping
from .datasets import Dataset
from .exceptions import DataError, DivergenceError, SpecificationError
from .simulation import Device, Simulation
from .specification import Specification
from .training import Epoch, Training, scores

__all__ = ["GhostClassifier"]


class _Options(Section):
    """The parameters that are not part of a specification."""

    epochs: Count
    learning_rate: Positive
    fields: dict[str, Any] | None
    scale: Any
    class_weight: Any
    tol: NotNegative | None
    early_stopping: Flag
    validation_fraction: Annotated[Fraction, Field(gt=0)]
    patience: Count
    warm_start: Flag
    device: Device
    verbose: Flag | Whole


class GhostClassifier(ClassifierMixin, BaseEstimator):
    """A ghost network as a scikit-learn classifier.

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
    loss_curve_ : list of float
        Mean loss while learning, of each epoch.
    validation_scores_ : list of float or None
        Accuracy on the samples held out after each epoch; None without `early_stopping`.
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

    #: The network that has learned, for predictions: to make one takes longer than to ask it.
    _kept: Simulation | None = None
    #: Those that earlier versions have saved did not adapt.
    _adaptation: Adaptation | None = None

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
        self.class_weight = class_weight
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a network.

        The order of samples does not matter. A fit that fails leaves the classifier what it was.
        After Ctrl-C it has the weights that were learned until then, and can predict and go on.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Samples; sparse ones are made dense.
        y : array-like, shape (n_samples,)
            Labels of any type.
        sample_weight : array-like, shape (n_samples,), optional
            How much each sample counts: whole numbers as so many of the same; others as how often
            each is presented, relative to the others, in epochs of as many presentations as there
            are samples that count.

        Returns
        -------
        GhostClassifier
            This object.

        Raises
        ------
        SpecificationError
            A parameter is not valid, or can't change with `warm_start`; it is a ValueError too.
        DivergenceError
            Weights grew beyond all bounds.
        KeyboardInterrupt
            After Ctrl-C.
        """
        options = self._options()
        again = options.warm_start and hasattr(self, "weights_")
        new = copy(self)
        X, y, weights = new._samples(options, X, y, sample_weight, reset=not again)
        chosen, _ = repeated(weights, len(X))
        new._prepare(options, X[chosen], None if again else np.unique(y))
        held_out = None
        if options.early_stopping:
            rest, held = self._hold_out(options, y, weights, new._seed)
            held_out = new._dataset(X[held], y[held])
            X, y, weights = X[rest], y[rest], None if weights is None else weights[rest]
        chosen, weights = repeated(weights, len(X))
        samples = new._dataset(X[chosen], y[chosen])
        self._learn(new, options, samples, weights, held_out, options.epochs)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Present samples once more, or for the first time.

        As with `fit`, what fails leaves the classifier what it was.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
            Samples; they may widen the ranges of features, see `scale`.
        y : array-like, shape (n_samples,)
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
        options = self._options()
        if options.early_stopping:
            raise SpecificationError(
                "early_stopping: partial_fit presents all its samples and holds none out; use fit, "
                "or early_stopping=False"
            )
        if options.class_weight == "balanced":
            raise SpecificationError(
                "class_weight: partial_fit does not know how many samples of each class will come, "
                "so it can't balance them; give a weight for each class"
            )
        first = not hasattr(self, "weights_")
        new = copy(self)
        X, y, weights = new._samples(options, X, y, sample_weight, reset=first)
        if (
            not first
            and classes is not None
            and not np.array_equal(self.classes_, np.unique(classes))
        ):
            raise ValueError(
                f"classes: must be the same in all calls, {self.classes_} at first, got {classes}"
            )
        chosen, weights = repeated(weights, len(X))
        known = np.unique(y if classes is None else classes) if first else None
        X, y = X[chosen], y[chosen]
        new._prepare(options, X, known)
        self._learn(new, options, new._dataset(X, y), weights, None, 1)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the labels of samples, shape (n_samples,)."""
        responses = self._respond(X)
        return self.classes_[responses.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, shape (n_samples, n_classes).

        With cross-entropy it is the softmax. With squared error it is the rate of the class's
        output unit over the sum of all: these are no calibrated probabilities.
        """
        responses = self._respond(X)  # refuses what is not fitted
        found = scores(self.specification_, responses)
        if self.specification_.network.loss == "cross_entropy":
            return found
        # rates of some rate functions may be negative, and all of them may be zero
        found = np.maximum(found, 0) + 1e-12
        return found / found.sum(axis=1, keepdims=True)

    # -- internals --------------------------------------------------------------------

    def _options(self) -> _Options:
        names = _Options.model_fields
        options: _Options = check(
            "GhostClassifier", {name: getattr(self, name) for name in names}, _Options
        )
        scale, weight = options.scale, options.class_weight
        if not isinstance(scale, bool) and (
            isinstance(scale, type) or not (hasattr(scale, "fit") and hasattr(scale, "transform"))
        ):
            raise SpecificationError(
                "GhostClassifier.scale: needs True, False, or a transformer of scikit-learn such "
                f"as RobustScaler(), got {self.scale!r}"
            )
        if not (weight is None or weight == "balanced" or isinstance(weight, Mapping)):
            raise SpecificationError(
                "GhostClassifier.class_weight: needs 'balanced', or a mapping from labels to "
                f"weights, got {self.class_weight!r}"
            )
        return options

    def _samples(
        self, options: _Options, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return samples, labels and weights, in an order that depends on nothing but them."""
        X, y = validate_data(
            self, X, y, dtype=np.float64, accept_sparse=("csr", "csc"), reset=reset
        )
        check_classification_targets(y)
        X = dense(X)
        weights = weights_of(X, y, sample_weight, options.class_weight)
        order = in_order(X, np.unique(y, return_inverse=True)[1])
        return X[order], y[order], None if weights is None else weights[order]

    def _hold_out(
        self, options: _Options, y: np.ndarray, weights: np.ndarray | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which samples to learn, and which to judge epochs by."""
        counted = np.arange(len(y)) if weights is None else np.flatnonzero(weights)
        fraction = options.validation_fraction
        try:
            rest, held = train_test_split(
                counted, test_size=fraction, stratify=y[counted], random_state=seed
            )
        except ValueError as error:
            raise SpecificationError(
                f"early_stopping: of {len(counted)} samples, a fraction of {fraction:g} "
                f"(validation_fraction) can't be held out with samples of every class: {error}"
            ) from None
        return rest, held

    def _prepare(self, options: _Options, X: np.ndarray, classes: np.ndarray | None) -> None:
        """Begin with a new network for these classes, or go on with the one that there is."""
        if classes is not None:
            self.classes_ = classes
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self._scaling = self._scaling_of(options, X)
            self._scaled = repr(options.scale)
            self.specification_ = self._specification(options, self._rates(X[:1]).shape[1])
            self._presented = 0
            self._adaptation = None
            self.history_: list[Epoch] = []
            self.weights_: dict[str, np.ndarray] | None = None
            return
        before = self.specification_
        now = self._specification(options, before.network.sizes[0])
        old, new = before.network.model_dump(), now.network.model_dump()
        changed = [
            f"{name} was {old[name]}, is {new[name]}" for name in old if old[name] != new[name]
        ]
        if self._scaled != repr(options.scale):
            changed.append(f"scale was {self._scaled}, is {options.scale!r}")
        if changed:
            raise SpecificationError(
                f"GhostClassifier: {'; '.join(changed)}: weights that were learned belong to their "
                "network, so this can't change with warm_start or partial_fit; fit without "
                "warm_start begins anew"
            )
        self._scaling = self._scaling.extended(X) if self._scaling else None
        self.specification_ = now

    def _scaling_of(self, options: _Options, X: np.ndarray) -> Scaling | Transformed | None:
        if isinstance(options.scale, bool):
            return Scaling.of(X) if options.scale else None
        try:
            return Transformed.by(options.scale, X)
        except (ValueError, TypeError) as error:
            raise SpecificationError(f"scale: {options.scale!r} does not take X: {error}") from None

    def _specification(self, options: _Options, n_features: int) -> Specification:
        hidden = plain(self.hidden_layer_sizes)
        hidden = hidden if isinstance(hidden, (list, tuple)) else [hidden]
        chosen: dict[str, Any] = {
            "sizes": (n_features, *hidden, len(self.classes_)),
            "model": self.model,
            "rate_function": self.rate_function,
            "loss": self.loss,
            "batch_size": self.batch_size,
        }
        # Not all models have these.
        default = isinstance(self.feedback, str) and self.feedback == "transpose"
        chosen |= {} if default else {"feedback": self.feedback}
        chosen |= {} if self.ghosts is None else {"ghosts": self.ghosts}
        chosen |= {} if self.beta is None else {"beta": self.beta}
        fields = options.fields or {}
        for name in fields.keys() & {*chosen, "feedback", "ghosts", "beta"}:
            where = "hidden_layer_sizes" if name == "sizes" else name
            raise SpecificationError(f"fields: '{name}' is chosen by the parameter {where}")
        specification = Specification.create(**chosen, **fields)
        rates = specification.protocol.learning_rates
        return specification.replace(
            learning_rates={
                "feedforward": [options.learning_rate * eta for eta in rates.feedforward],
                "bias": [options.learning_rate * eta for eta in rates.bias],
            }
        )

    def _rates(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            rates = (self._scaling.rates(X) if self._scaling else X).astype(np.float32)
        if not np.isfinite(rates).all():
            raise DataError(
                f"X: features are taken as rates, and {np.abs(X).max():g} is too large for one; "
                "use scale=True"
            )
        return rates

    def _dataset(self, X: np.ndarray, y: np.ndarray) -> Dataset:
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y: labels {unknown.tolist()} are not among the classes, {self.classes_.tolist()}"
            )
        labels = np.searchsorted(self.classes_, y)
        rates = self._rates(X)
        return Dataset("samples", rates, labels, 1.0, rates.shape[1:], len(self.classes_))

    def _simulation(self) -> Simulation:
        simulation = Simulation(
            self.specification_,
            device=plain(self.device),
            seed=self._seed,
            weights=self.weights_,
            adaptation=self._adaptation,
            data_dtype=np.float32,
        )
        simulation.presented = self._presented
        return simulation

    def _learn(
        self,
        new: GhostClassifier,
        options: _Options,
        samples: Dataset,
        weights: np.ndarray | None,
        held_out: Dataset | None,
        epochs: int,
    ) -> None:
        """Train the copy `new`; as long as it has learned nothing, this object stays as it is."""
        training = Training(
            new._simulation(),
            samples,
            held_out,
            new._seed,
            history=list(new.history_),
            weights=weights,
        )
        stopping = EarlyStopping(patience=options.patience, tolerance=100 * (options.tol or 0.0))
        n_before = len(new.history_)
        with tqdm(total=epochs, unit=" epochs", disable=not options.verbose) as bar:

            def after_epoch(training: Training) -> bool:
                bar.update()
                if held_out:
                    return stopping(training)
                losses = [epoch.online_loss for epoch in training.history[n_before:]]
                return options.tol is not None and _is_flat(losses, options.tol, options.patience)

            try:
                training.run(len(new.history_) + epochs, [after_epoch])
            except KeyboardInterrupt:
                if training.simulation.presented > new._presented:
                    self._become(new, training)
                raise
            except DivergenceError as error:
                raise new._explain(error, samples) from None
        if held_out:
            stopping.restore(training)
        self._become(new, training)

    def _become(self, new: GhostClassifier, training: Training) -> None:
        new._kept = training.simulation
        new.weights_ = training.simulation.weights
        new._adaptation = training.simulation.adaptation
        new.history_ = training.history
        new.n_iter_ = len(new.history_)
        new.loss_curve_ = [epoch.online_loss for epoch in new.history_]
        scores = [epoch.test_accuracy / 100 for epoch in new.history_]
        held_out = training.test is not None
        new.validation_scores_ = scores if held_out else None
        new.best_score_ = float(np.nanmax(scores)) if held_out else None
        new._presented = training.simulation.presented
        self.__dict__ = new.__dict__  # at once, so that it is never half of both

    def _explain(self, error: DivergenceError, samples: Dataset) -> DivergenceError:
        """Say what to lower in terms of this class's parameters."""
        reason = f"the network diverged after {error.presented} mini-batches; "
        field, rate = error.field, error.rate
        as_rates = self._scaling is None and not self.specification_.network.input_adaptation
        if as_rates and (largest := float(np.abs(samples.images).max())) > 1:
            return DivergenceError(
                f"{reason}features reach {largest:g}, where rates of 1 are meant: use scale=True"
            )
        factor = f"learning_rate, which is {self.learning_rate:g}"
        other = f"{field} with fields={{'learning_rates': {{'{field}': ...}}}}; it is {rate:.3g}"
        lower = factor if field == "feedforward" else other
        return DivergenceError(f"{reason}'{error.projection}' grew most: lower {lower}")

    def _respond(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "weights_")
        X = dense(
            validate_data(self, X, dtype=np.float64, accept_sparse=("csr", "csc"), reset=False)
        )
        simulation = self._kept = self._kept or self._simulation()
        assert self.weights_ is not None
        simulation.weights = dict(self.weights_)
        return simulation.respond(self._rates(X), maximum=1.0)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the network, which is made anew when it is needed."""
        state = super().__getstate__()
        return state | {"_kept": None} if "_kept" in state else state


def _is_flat(losses: Sequence[float], tolerance: float, patience: int) -> bool:
    """Tell whether the best loss has not fallen by more than this for so many epochs."""
    best, since = np.inf, 0
    for loss in losses:
        best, since = (loss, 0) if loss < best - tolerance else (best, since + 1)
    return since >= patience

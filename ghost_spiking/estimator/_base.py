"""What estimators for scikit-learn share: samples, networks, fits that fail or are interrupted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
from tqdm.auto import tqdm

from .._checks import Count, Flag, Fraction, NotNegative, Positive, Section, Whole, check, plain
from .._samples import dense, in_order, repeated, weights_of
from .._scaling import Scaling, Transformed
from ..adaptation import Adaptation
from ..callbacks import EarlyStopping
from ..datasets import Dataset
from ..exceptions import DataError, DivergenceError, SpecificationError
from ..simulation import Device, Simulation
from ..specification import Specification
from ..training import Epoch, Training

__all__ = ["GhostEstimator", "Options"]


class Options(Section):
    """The parameters that are not part of a specification.

    Examples
    --------
    >>> from ghost_spiking.estimator._base import Options
    >>> "epochs" in Options.model_fields
    True
    """

    epochs: Count
    learning_rate: Positive
    fields: dict[str, Any] | None
    scale: Any
    tol: NotNegative | None
    early_stopping: Flag
    validation_fraction: Annotated[Fraction, Field(gt=0)]
    patience: Count
    warm_start: Flag
    device: Device
    threads: Count
    verbose: Flag | Whole


class GhostEstimator(BaseEstimator, ABC):
    """What estimators of all kinds of targets share; the parameters are theirs.

    A subclass says what targets are: see the section on targets.

    Examples
    --------
    >>> from ghost_spiking import GhostClassifier, GhostRegressor
    >>> from ghost_spiking.estimator._base import GhostEstimator
    >>> issubclass(GhostClassifier, GhostEstimator), issubclass(GhostRegressor, GhostEstimator)
    (True, True)
    """

    #: The network that has learned, for predictions: to make one takes longer than to ask it.
    _kept: Simulation | None = None
    #: Those that earlier versions have saved did not adapt.
    _adaptation: Adaptation | None = None
    #: Where there are no classes.
    class_weight: Any = None

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        *,
        model: str | type = "MA",
        feedback: str | Sequence[str] = "transpose",
        ghosts: int | Sequence[int] | None = None,
        rate_function: str = "sigmoid",
        epochs: int = 50,
        batch_size: int = 20,
        beta: float | None = None,
        learning_rate: float = 1.0,
        fields: Mapping[str, Any] | None = None,
        scale: Any = True,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.model = model
        self.feedback = feedback
        self.ghosts = ghosts
        self.rate_function = rate_function
        self.epochs = epochs
        self.batch_size = batch_size
        self.beta = beta
        self.learning_rate = learning_rate
        self.fields = fields
        self.scale = scale
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.device = device
        self.threads = threads
        self.random_state = random_state
        self.verbose = verbose

    # -- targets ----------------------------------------------------------------------

    @property
    @abstractmethod
    def _n_outputs(self) -> int:
        """Return the number of output units."""

    @abstractmethod
    def _check_targets(self, y: np.ndarray) -> np.ndarray:
        """Return targets as an array, or refuse them."""

    @abstractmethod
    def _numbers(self, y: np.ndarray) -> np.ndarray:
        """Return numbers in whose order samples are put that have the same features."""

    @abstractmethod
    def _meet(self, y: np.ndarray, chosen: np.ndarray) -> None:
        """Begin with these targets, of which the chosen ones are learned."""

    @abstractmethod
    def _labels(self, y: np.ndarray) -> np.ndarray:
        """Return what a `Dataset` has as labels."""

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """Return what samples that are held out have as often as all."""
        return None

    @abstractmethod
    def _network_fields(self) -> dict[str, Any]:
        """Return fields of a specification that parameters or the kind of targets choose."""

    # -- learning ---------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a network.

        The order of samples does not matter. A fit that fails leaves the estimator what it was.
        After Ctrl-C it has the weights that were learned until then, and can predict and go on.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Samples; sparse ones are made dense.
        y : array-like, shape (n_samples,)
            Labels or targets, see the class.
        sample_weight : array-like, shape (n_samples,), optional
            How much each sample counts: whole numbers as so many of the same; others as how often
            each is presented, relative to the others, in epochs of as many presentations as there
            are samples that count.

        Returns
        -------
        self
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
        new._prepare(options, X, chosen, None if again else y)
        held_out = None
        if options.early_stopping:
            rest, held = self._hold_out(options, y, weights, new._seed)
            held_out = new._dataset(X[held], y[held])
            X, y, weights = X[rest], y[rest], None if weights is None else weights[rest]
        chosen, weights = repeated(weights, len(X))
        samples = new._dataset(X[chosen], y[chosen])
        self._learn(new, options, samples, weights, held_out, options.epochs)
        return self

    def _present_once(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        """Do what `partial_fit` does; `classes` are all that there will be."""
        options = self._options()
        if options.early_stopping:
            raise SpecificationError(
                "early_stopping: partial_fit presents all its samples and holds none out; use fit, "
                "or early_stopping=False"
            )
        first = not hasattr(self, "weights_")
        new = copy(self)
        X, y, weights = new._samples(options, X, y, sample_weight, reset=first)
        chosen, weights = repeated(weights, len(X))
        known = y if classes is None else classes
        new._prepare(options, X, chosen, known if first else None)
        # Nobody knows how many will come: as many as MNIST has, say.
        new.specification_ = new.specification_.for_training(60_000)
        self._learn(new, options, new._dataset(X[chosen], y[chosen]), weights, None, 1)
        return self

    # -- internals --------------------------------------------------------------------

    def _options(self) -> Options:
        names = Options.model_fields
        options: Options = check(
            type(self).__name__, {name: getattr(self, name) for name in names}, Options
        )
        scale = options.scale
        if not isinstance(scale, bool) and (
            isinstance(scale, type) or not (hasattr(scale, "fit") and hasattr(scale, "transform"))
        ):
            raise SpecificationError(
                f"{type(self).__name__}.scale: needs True, False, or a transformer of scikit-learn "
                f"such as RobustScaler(), got {self.scale!r}"
            )
        return options

    def _samples(
        self, options: Options, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return samples, targets and weights, in an order that depends on nothing but them."""
        X, y = validate_data(
            self,
            X,
            y,
            dtype=np.float64,
            accept_sparse=("csr", "csc"),
            multi_output=True,
            reset=reset,
        )
        y = dense(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        X, y = dense(X), self._check_targets(y)
        weights = weights_of(X, y, sample_weight, self.class_weight)
        order = in_order(X, self._numbers(y))
        return X[order], y[order], None if weights is None else weights[order]

    def _hold_out(
        self, options: Options, y: np.ndarray, weights: np.ndarray | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which samples to learn, and which to judge epochs by."""
        counted = np.arange(len(y)) if weights is None else np.flatnonzero(weights)
        fraction = options.validation_fraction
        try:
            rest, held = train_test_split(
                counted, test_size=fraction, stratify=self._strata(y[counted]), random_state=seed
            )
        except ValueError as error:
            raise SpecificationError(
                f"early_stopping: of {len(counted)} samples, a fraction of {fraction:g} "
                f"(validation_fraction) can't be held out: {error}"
            ) from None
        return rest, held

    def _prepare(
        self, options: Options, X: np.ndarray, chosen: np.ndarray, targets: np.ndarray | None
    ) -> None:
        """Begin with a new network for these targets, or go on with the one that there is."""
        X = X[chosen]
        if targets is not None:
            self._meet(targets, chosen)
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
                f"{type(self).__name__}: {'; '.join(changed)}: weights that were learned belong to "
                "their network, so this can't change with warm_start or partial_fit; fit without "
                "warm_start begins anew"
            )
        self._scaling = self._scaling.extended(X) if self._scaling else None
        self.specification_ = now

    def _scaling_of(self, options: Options, X: np.ndarray) -> Scaling | Transformed | None:
        if isinstance(options.scale, bool):
            return Scaling.of(X) if options.scale else None
        try:
            return Transformed.by(options.scale, X)
        except (ValueError, TypeError) as error:
            raise SpecificationError(f"scale: {options.scale!r} does not take X: {error}") from None

    def _specification(self, options: Options, n_features: int) -> Specification:
        hidden = plain(self.hidden_layer_sizes)
        hidden = hidden if isinstance(hidden, (list, tuple)) else [hidden]
        chosen: dict[str, Any] = {
            "sizes": (n_features, *hidden, self._n_outputs),
            "model": self.model,
            "batch_size": self.batch_size,
            **self._network_fields(),
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
        labels, rates = self._labels(y), self._rates(X)
        return Dataset("samples", rates, labels, 1.0, rates.shape[1:], self._n_outputs)

    def _simulation(self) -> Simulation:
        simulation = Simulation(
            self.specification_,
            device=plain(self.device),
            threads=plain(self.threads),
            seed=self._seed,
            weights=self.weights_,
            adaptation=self._adaptation,
            data_dtype=np.float32,
        )
        simulation.presented = self._presented
        return simulation

    def _learn(
        self,
        new: Self,
        options: Options,
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

    def _become(self, new: Self, training: Training) -> None:
        new._kept = training.simulation
        new.weights_ = training.simulation.weights
        new._adaptation = training.simulation.adaptation
        new.specification_ = training.simulation.specification
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
        rates = self._rates(X)
        # The last mini-batch is filled up: BLAS multiplies a few rows in another order, so that the
        # last digits of a prediction would depend on how many samples come with it. Where weights
        # follow each mini-batch, they do so anyhow.
        layout = self.specification_.layout
        missing = 0 if layout.adapts else -len(rates) % layout.batch_size
        filled = np.pad(rates, ((0, missing), (0, 0))) if missing else rates
        return simulation.respond(filled, maximum=1.0)[: len(rates)]

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

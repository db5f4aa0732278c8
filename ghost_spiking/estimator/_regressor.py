"""`GhostRegressor`: numbers to predict."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array

from ._base import GhostEstimator

__all__ = ["GhostRegressor"]


class GhostRegressor(RegressorMixin, GhostEstimator):
    """A ghost network as a scikit-learn regressor.

    Output units are linear, and targets are brought to mean 0 and standard deviation 1 by those of
    the first fit; predictions have the scale of `y`.

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
    tol : float, optional
        With `early_stopping`, by how much R^2 has to rise to count as a rise. Without, training
        ends when the loss has not fallen by as much for `patience` epochs; None: never.
    early_stopping : bool, optional
        Whether to hold out samples, and to stop and go back when their R^2 has not
        risen for `patience` epochs.
    validation_fraction : float, optional
        Fraction of the samples to hold out.
    patience : int, optional
        Epochs to wait.
    warm_start : bool, optional
        Whether `fit` goes on with the weights of the last fit. Parameters of learning and of
        the protocol may change in between (`epochs`, `learning_rate`, `batch_size`, `beta`, ...);
        the network, the scale of targets and `scale` may not. `random_state` counts only at the
        start.
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
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of str
        Their names, if there are any.
    specification_ : Specification
        The network.
    weights_ : dict of array
        Its weights, by projection, in the paper's shapes.
    history_ : list of Epoch
        What is known of each epoch; accuracies are R^2 in percent, and those under ``test`` are
        of samples held out.
    loss_curve_ : list of float
        Mean loss while learning, of each epoch, for targets with a variance of 1.
    validation_scores_ : list of float or None
        R^2 on the samples held out after each epoch; None without `early_stopping`.
    best_score_ : float or None
        The largest of these.
    n_iter_ : int
        Number of whole epochs; after Ctrl-C, `weights_` may have learned from part of another.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ghost_spiking import GhostRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = GhostRegressor((20,), device="numpy", random_state=0).fit(X, y)
    >>> regressor.predict(X[:1]).shape
    (1,)
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Present samples once more, or for the first time.

        As with `fit`, what fails leaves the regressor what it was.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
            Samples; they may widen the ranges of features, see `scale`.
        y : array-like, shape (n_samples,) or (n_samples, n_targets)
            Targets. Those of the first call decide on their scale, so they should be of all sizes.
        sample_weight : array-like, shape (n_samples,), optional
            As for `fit`.

        Returns
        -------
        GhostRegressor
            This object.
        """
        return self._present_once(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Return predicted targets, shape (n_samples,) or (n_samples, n_targets)."""
        responses = self._respond(X).astype(np.float64)
        found = self._mean + self._deviation * responses
        return found[:, 0] if self._single else found

    # -- targets ----------------------------------------------------------------------

    @property
    def _n_outputs(self) -> int:
        return len(self._mean)

    def _check_targets(self, y: np.ndarray) -> np.ndarray:
        return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")

    def _numbers(self, y: np.ndarray) -> np.ndarray:
        return y

    def _meet(self, y: np.ndarray, chosen: np.ndarray) -> None:
        self._single = y.ndim == 1
        columns = y[chosen].reshape(len(chosen), -1)
        self._mean = columns.mean(axis=0)
        deviation = columns.std(axis=0)
        # Targets that are all the same, but for rounding.
        constant = deviation <= 1e-12 * np.abs(self._mean)
        self._deviation = np.where(constant, 1.0, deviation)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        if (y.ndim == 1) != self._single or (y.ndim == 2 and y.shape[1] != self._n_outputs):
            known = "one number for each sample" if self._single else f"{self._n_outputs} columns"
            raise ValueError(f"y: had {known} in the first call, now the shape is {y.shape}")
        return (y.reshape(len(y), -1) - self._mean) / self._deviation

    def _network_fields(self) -> dict[str, Any]:
        return {"rate_function": self.rate_function, "linear_output": True}

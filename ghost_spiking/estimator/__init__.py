"""Ghost networks for scikit-learn: `GhostClassifier` and `GhostRegressor`."""

from ._classifier import GhostClassifier
from ._regressor import GhostRegressor

__all__ = ["GhostClassifier", "GhostRegressor"]

"""Ghost Units (Mesnard, Vignoud, Sacramento, Senn & Bengio, 2019) on Brian2."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimator import GhostClassifier, GhostRegressor
    from .simulation import Simulation
    from .specification import Specification
    from .training import Training

try:
    __version__ = version("ghost-spiking")
except PackageNotFoundError:  # used from a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "GhostClassifier",
    "GhostRegressor",
    "Simulation",
    "Specification",
    "Training",
    "__version__",
]

#: Imported on demand: Brian2 and scikit-learn take a second, and `ghost_spiking.dense` needs none.
_LAZY = {
    "GhostClassifier": "estimator",
    "GhostRegressor": "estimator",
    "Simulation": "simulation",
    "Specification": "specification",
    "Training": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)

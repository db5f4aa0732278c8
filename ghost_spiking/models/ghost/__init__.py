"""The two models of the paper: MA, with a ghost for every pyramidal unit, and MB."""

from .equations import GhostEquations
from .model import MA, MB, GhostModel
from .populations import GhostPopulations
from .projections import GhostProjections
from .sections import GhostInitialWeights, GhostLearningRates, GhostNetwork, GhostProtocol

__all__ = [
    "MA",
    "MB",
    "GhostEquations",
    "GhostInitialWeights",
    "GhostLearningRates",
    "GhostModel",
    "GhostNetwork",
    "GhostPopulations",
    "GhostProjections",
    "GhostProtocol",
]

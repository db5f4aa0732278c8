"""Everything that this package raises on purpose derives from `GhostSpikingError`."""

__all__ = [
    "CompilationError",
    "DataError",
    "DivergenceError",
    "GhostSpikingError",
    "RunError",
    "SpecificationError",
    "StudyError",
]


class GhostSpikingError(Exception):
    """Base class of the errors of this package."""


class SpecificationError(GhostSpikingError, ValueError):
    """A description of a network or of its protocol is not valid."""


class DataError(GhostSpikingError, ValueError):
    """Images or labels are missing, damaged, or of the wrong shape or range."""


class RunError(GhostSpikingError):
    """A run directory exists already, is incomplete, or is not one of ours."""


class StudyError(GhostSpikingError, RuntimeError):
    """The folder, the processes or the Dask scheduler of a study can't be used."""


class DivergenceError(GhostSpikingError, ArithmeticError):
    """Weights have grown beyond all bounds during training."""


class CompilationError(GhostSpikingError, RuntimeError):
    """The C++ program could not be built or run."""

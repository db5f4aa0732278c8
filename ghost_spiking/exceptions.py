"""Everything that this package raises on purpose derives from `GhostSpikingError`."""

from typing import Any

__all__ = [
    "CompilationError",
    "DataError",
    "DivergenceError",
    "GhostSpikingError",
    "LearningWarning",
    "MissingPackageError",
    "RunError",
    "SpecificationError",
    "StudyError",
    "UnknownModelError",
]


class GhostSpikingError(Exception):
    """Base class of the errors of this package.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.exceptions import GhostSpikingError
    >>> try:
    ...     Specification.create(sizes=(64, 10))
    ... except GhostSpikingError as error:
    ...     print(type(error).__name__)
    SpecificationError
    """


class SpecificationError(GhostSpikingError, ValueError):
    """A description of a network or of its protocol is not valid.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.exceptions import SpecificationError
    >>> try:
    ...     Specification.create(sizes=(64, 20, 10), betta=1.0)
    ... except SpecificationError as error:
    ...     print(str(error).partition("?")[0])
    unknown field 'betta'; did you mean 'beta'
    """


class UnknownModelError(SpecificationError):
    """A specification names a model that is not registered.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.exceptions import UnknownModelError
    >>> try:
    ...     Specification.create(sizes=(4, 3, 2), model="mine")
    ... except UnknownModelError as error:
    ...     print(str(error)[:42])
    network.model: there is no model 'mine'; k
    """


class DataError(GhostSpikingError, ValueError):
    """Images or labels are missing, damaged, or of the wrong shape or range.

    Examples
    --------
    >>> from ghost_spiking.datasets import load
    >>> from ghost_spiking.exceptions import DataError
    >>> try:
    ...     load("nowhere")
    ... except DataError as error:
    ...     print(error)
    'nowhere' is neither a folder with IDX files, arrays or pictures, nor an .npz file, nor one of \
'mnist', 'digits'
    """


class RunError(GhostSpikingError):
    """A run directory exists already, is incomplete, or is not one of ours.

    Examples
    --------
    >>> from ghost_spiking.exceptions import RunError
    >>> from ghost_spiking.runs import Run
    >>> try:
    ...     Run.load("nowhere")
    ... except RunError as error:
    ...     print(error)
    'nowhere' is not a run directory: it has no run.npz
    """


class StudyError(GhostSpikingError, RuntimeError):
    """The folder, the processes or the Dask scheduler of a study can't be used.

    Examples
    --------
    >>> from ghost_spiking.exceptions import GhostSpikingError, StudyError
    >>> issubclass(StudyError, GhostSpikingError)
    True
    """


class MissingPackageError(GhostSpikingError, ImportError):
    """An optional package is not installed; the message says how to install it.

    Parameters
    ----------
    package : str
        Its name, which is also that of the extra of this package.
    purpose : str
        What needs it.

    Examples
    --------
    >>> from ghost_spiking.exceptions import MissingPackageError
    >>> print(MissingPackageError("pandas", "tables"))
    tables need pandas, which is not installed; pip install 'ghost-spiking[pandas]'
    """

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} need {package}, which is not installed; pip install "
            f"'ghost-spiking[{package}]'"
        )
        self._given = package, purpose

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._given


class DivergenceError(GhostSpikingError, ArithmeticError):
    """Weights have grown beyond all bounds during training.

    Attributes
    ----------
    presented : int
        After how many mini-batches.
    projection : str
        Whose weights grew most.
    field : str
        The learning rate to lower, a field of `ghost_spiking.specification.LearningRates`.
    rate : float
        What it was for this projection.

    Examples
    --------
    A training stops with it, and keeps the weights of before the epoch:

    >>> from ghost_spiking import Simulation, Specification, Training
    >>> from ghost_spiking.datasets import load
    >>> from ghost_spiking.exceptions import DivergenceError
    >>> fast = Specification.create(sizes=(64, 20, 10), learning_rates={"ghost_forward": 50.0})
    >>> trainer = Training(Simulation(fast, device="numpy"), load("digits")[0].take(300))
    >>> try:
    ...     trainer.run(epochs=1)
    ... except DivergenceError as error:
    ...     print("lower protocol.learning_rates.ghost_forward" in str(error))
    True
    """

    presented: int = 0
    projection: str = ""
    field: str = ""
    rate: float = 0.0


class LearningWarning(UserWarning):
    """A training goes on, but does not learn; the message says why, and what to change.

    Examples
    --------
    >>> import warnings
    >>> from ghost_spiking.exceptions import LearningWarning
    >>> warnings.simplefilter("error", LearningWarning)  # to end such trainings
    >>> warnings.resetwarnings()
    """


class CompilationError(GhostSpikingError, RuntimeError):
    """The C++ program could not be built or run.

    Examples
    --------
    >>> from ghost_spiking.exceptions import CompilationError, GhostSpikingError
    >>> issubclass(CompilationError, GhostSpikingError)
    True
    """

"""The sections of a specification that all models share; a model adds fields of its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from .. import rate_functions
from .._checks import Count, Flag, NotNegative, Positive, Section
from ..graph import Connection, Graph
from ..rate_functions import LINEAR, RateFunction, rate_function

__all__ = ["InitialWeights", "LearningRates", "Network", "Protocol"]


class InitialWeights(Section):
    """How weights start: gains on the Glorot-uniform bound sqrt(6 / (fan_in + fan_out)).

    Attributes
    ----------
    feedforward : tuple of float
        W^f, one gain for each connection.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(
    ...     sizes=(784, 500, 10), initial_weights={"feedforward": [1.0, 0.5]}
    ... )
    >>> specification.network.initial_weights.feedforward
    (1.0, 0.5)
    """

    feedforward: tuple[NotNegative, ...]


class Network(Section):
    """The structure of a network.

    Attributes
    ----------
    sizes : tuple of int
        Units of the input, of each hidden layer and of the output (N_0 .. N_L).
    connections : tuple of (int, int)
        Pairs of layers, sender and receiver, counted from 0, the input. By default a chain;
        ``[[0, 1], [1, 2], [0, 2]]`` adds a connection that skips layer 1.
    model : str
        Name of the model, see `ghost_spiking.models`.
    rate_function : str
        rho: ``sigmoid``, ``tanh``, ``hard_sigmoid``, ``softplus``, or an expression of the state
        ``s`` such as ``"s / (1 + abs(s))"``, whose derivative is derived symbolically.
    loss : str
        ``"squared_error"``, C = 1/2 ||y - rho(s_L)||^2; or ``"cross_entropy"`` of softmax(s_L),
        where the rate of output units is s_L itself.
    linear_output : bool
        Whether the rate of output units is s_L itself with a squared error too, for targets of any
        size; not in the paper.
    biases : bool
        Whether units have a bias, the weight from a unit whose rate is always 1.
    input_adaptation : bool
        Whether input units adapt to the mean and contrast of the images that the network learns
        from, see `ghost_spiking.adaptation.Adaptation`; not in the paper.
    weight_bits : int
        Bits of each weight, 2 to 16, biases excepted: after every presentation, weights are rounded
        up or down at random, so that their mean stays; 0 for as many as there are. Not in the
        paper.
    weight_range : float
        The largest weight of a matrix in units of sqrt(6 / (n_pre + n_post)), the Glorot-uniform
        bound, if `weight_bits` is not 0.
    initial_weights : InitialWeights
        How weights start.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> network = Specification.create(sizes=(784, 300, 300, 10)).network
    >>> network.connections, network.n_layers
    (((0, 1), (1, 2), (2, 3)), 3)
    """

    sizes: Annotated[tuple[Count, ...], Field(min_length=3)]
    connections: tuple[Connection, ...]
    model: str
    rate_function: str
    loss: Annotated[str, Field(pattern="^(squared_error|cross_entropy)$")]
    linear_output: Flag = False
    biases: Flag
    input_adaptation: Flag = False
    weight_bits: Annotated[int, Field(ge=0, le=16, strict=True)] = 0
    weight_range: Positive = 3.0
    initial_weights: InitialWeights

    @field_validator("rate_function")
    @classmethod
    def _check_rate_function(cls, value: str) -> str:
        rate_functions.check(value)
        return value

    @field_validator("weight_bits")
    @classmethod
    def _check_bits(cls, value: int) -> int:
        if value == 1:
            raise ValueError("needs at least 2 bits, for -1, 0 and 1; or 0 for no limit")
        return value

    @property
    def n_layers(self) -> int:
        """Number of layers above the input, L."""
        return len(self.sizes) - 1

    @property
    def graph(self) -> Graph:
        """Sizes and connections."""
        return Graph(self.sizes, self.connections)

    def rate_function_of(self, layer: int) -> RateFunction:
        """Return rho of a layer: the same everywhere, but the output may be linear.

        Examples
        --------
        >>> from ghost_spiking import Specification
        >>> network = Specification.create(sizes=(4, 3, 2), loss="cross_entropy").network
        >>> network.rate_function_of(1).rate, network.rate_function_of(2).rate
        ('1 / (1 + exp(-s))', 's')
        """
        if layer == self.n_layers and (self.linear_output or self.loss == "cross_entropy"):
            return LINEAR
        return rate_function(self.rate_function)

    def gain_of(self, layer: int) -> float:
        """Return the state that a layer's units come to, relative to their input from below.

        Examples
        --------
        >>> from ghost_spiking import Specification
        >>> Specification.create(sizes=(4, 3, 2)).network.gain_of(1)
        1.0
        """
        return 1.0


class LearningRates(Section):
    """Learning rates, multiplied by dt/tau in every time step; 0 switches learning off.

    Attributes
    ----------
    feedforward : tuple of float
        eta_W of W^f, one for each connection.
    bias : tuple of float
        Of the biases of the layers 1 .. L; by default that of the nearest connection.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(
    ...     sizes=(784, 500, 10), learning_rates={"feedforward": [2.0, 0.1]}
    ... )
    >>> specification.protocol.learning_rates.bias
    (2.0, 0.1)
    """

    feedforward: tuple[NotNegative, ...]
    bias: tuple[NotNegative, ...]


class Protocol(Section):
    """How images are presented.

    Attributes
    ----------
    time_step : float
        dt / tau.
    prediction_steps, nudging_steps : int
        Length of the two phases.
    beta : float
        Strength of the nudging.
    batch_size : int
        Images that share their weight changes.
    learning_rates : LearningRates
        Learning rates of all projections.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> protocol = Specification.create(sizes=(784, 500, 10), prediction_steps=20).protocol
    >>> protocol.prediction_steps, protocol.nudging_steps, protocol.time_step
    (20, 12, 0.5)
    """

    time_step: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)]
    prediction_steps: Count
    nudging_steps: Count
    beta: Positive
    batch_size: Count
    learning_rates: LearningRates

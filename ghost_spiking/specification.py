"""What a network is and how it is run: immutable, validated, saved as TOML.

Nothing here knows of Brian2. Every field is resolved when a `Specification` is made:
what was left out is chosen from the sizes of the network (see `_defaults`), and from then on
is a plain number that is saved with the rest.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, Field, ValidationError, field_validator

from . import rate_functions
from ._checks import (
    Count,
    Flag,
    Fraction,
    NotNegative,
    Number,
    Positive,
    Section,
    Whole,
    message,
    plain,
    tuples,
)
from ._defaults import defaults
from .exceptions import SpecificationError
from .graph import Connection, Graph

__all__ = ["InitialWeights", "LearningRates", "Network", "Protocol", "Specification"]


class InitialWeights(Section):
    """How weights start: gains on the Glorot-uniform bound sqrt(6 / (fan_in + fan_out)).

    Attributes
    ----------
    feedforward : tuple of float
        W^f, one gain for each connection.
    feedback : tuple of float
        W^b, one for each connection between layers above the input; not used where W^b is the
        transpose of W^f.
    ghost_forward : tuple of float
        V^f, one for each connection into a layer with ghosts.
    ghost_feedback : tuple of float
        V^b, one for each connection between layers above the input.
    ghost_bias : float
        Bias that ghosts start with.
    ghost_distribution : {"uniform", "normal"}
        Distribution of V^f; a normal one has the same standard deviation.
    self_predicting : bool
        Start with V^f = W^f and V^b = W^b (MA only), so that ghosts cancel from the start.

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
    feedback: tuple[NotNegative, ...]
    ghost_forward: tuple[NotNegative, ...]
    ghost_feedback: tuple[NotNegative, ...]
    ghost_bias: Number
    ghost_distribution: Literal["uniform", "normal"]
    self_predicting: Flag


class Network(Section):
    """The structure of a network.

    Attributes
    ----------
    sizes : tuple of int
        Units of the input, of each hidden layer and of the output (N_0 .. N_L).
    connections : tuple of (int, int)
        Pairs of layers, sender and receiver, counted from 0, the input. By default a chain;
        ``[[0, 1], [1, 2], [0, 2]]`` adds a connection that skips layer 1.
    model : {"MA", "MB"}
        MA has a ghost for every pyramidal unit, with plastic V^f. MB has any number of ghosts,
        with fixed random V^f.
    feedback : tuple of {"transpose", "alignment", "reconstruction"}
        What W^b is, for each hidden layer that receives feedback: the transpose of W^f; fixed
        and random; or learned, so that it reconstructs the layer's rates from those above.
    ghosts : tuple of int
        Ghosts attached to each layer with a connection from a hidden layer (2 .. L in a
        chain); chosen freely in MB only.
    rate_function : str
        rho: ``sigmoid``, ``tanh``, ``hard_sigmoid``, ``softplus``, or an expression of the state
        ``s`` such as ``"s / (1 + abs(s))"``, whose derivative is derived symbolically.
    loss : {"squared_error", "cross_entropy"}
        C = 1/2 ||y - rho(s_L)||^2; or the cross-entropy of softmax(s_L), where the rate of
        output units is s_L itself.
    biases : bool
        Whether units have a bias, the weight from a unit whose rate is always 1.
    dale : bool
        Whether ghosts obey Dale's law: V^b >= 0, by projection after each change.
    lesion : float
        Fraction of the ghosts of each layer that are silent, at least 0 and less than 1.
    initial_weights : InitialWeights
        How weights start.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> network = Specification.create(sizes=(784, 300, 300, 10), model="MB", ghosts=100).network
    >>> network.connections, network.ghosts
    (((0, 1), (1, 2), (2, 3)), (100, 100))
    """

    sizes: Annotated[tuple[Count, ...], Field(min_length=3)]
    connections: tuple[Connection, ...]
    model: Literal["MA", "MB"]
    feedback: tuple[Literal["transpose", "alignment", "reconstruction"], ...]
    ghosts: tuple[Count, ...]
    rate_function: str
    loss: Literal["squared_error", "cross_entropy"]
    biases: Flag
    dale: Flag
    lesion: Fraction
    initial_weights: InitialWeights

    @field_validator("rate_function")
    @classmethod
    def _check_rate_function(cls, value: str) -> str:
        rate_functions.check(value)
        return value

    @property
    def n_layers(self) -> int:
        """Number of layers above the input, L."""
        return len(self.sizes) - 1

    @property
    def graph(self) -> Graph:
        """Sizes and connections."""
        return Graph(self.sizes, self.connections)

    def ghosts_of(self, layer: int) -> int:
        """Give the number of ghosts attached to a layer."""
        return self.ghosts[self.graph.ghost_layers.index(layer)]

    def feedback_of(self, layer: int) -> str:
        """Give the kind of feedback that a hidden layer receives."""
        return self.feedback[self.graph.feedback_targets.index(layer)]

    @property
    def reconstructed_layers(self) -> tuple[int, ...]:
        """Layers whose feedback is learned by reconstruction."""
        targets = self.graph.feedback_targets
        return tuple(layer for layer in targets if self.feedback_of(layer) == "reconstruction")


class LearningRates(Section):
    """Learning rates, multiplied by dt/tau in every time step; 0 switches learning off.

    Attributes
    ----------
    feedforward : tuple of float
        eta_W of W^f, eq. (5) and (7), one for each connection.
    bias : tuple of float
        Of the biases of the layers 1 .. L; by default that of the nearest connection.
    ghost_forward : tuple of float
        eta_Vf of V^f, eq. (3), one for each connection into a layer with ghosts. Stable only
        while the sum of eta_Vf * dt/tau * N_(l-1) over a ghost's connections is of the order
        of 1. Not used in MB.
    ghost_bias : tuple of float
        Of the biases of ghosts, one for each layer with ghosts. In MB they keep the ghosts'
        mean rate at `Protocol.ghost_rate`.
    ghost_feedback : tuple of float
        eta_Vb of V^b, eq. (4) and (6), one for each connection between layers above the input.
        The same bound holds, with the number of ghosts.
    feedback : tuple of float
        Of W^b where it is learned by reconstruction, one for each connection between layers
        above the input.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(
    ...     sizes=(784, 500, 10), learning_rates={"ghost_feedback": 0.1}
    ... )
    >>> specification.protocol.learning_rates.ghost_feedback
    (0.1,)
    """

    feedforward: tuple[NotNegative, ...]
    bias: tuple[NotNegative, ...]
    ghost_forward: tuple[NotNegative, ...]
    ghost_bias: tuple[NotNegative, ...]
    ghost_feedback: tuple[NotNegative, ...]
    feedback: tuple[NotNegative, ...]


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
    ghost_delay : int
        Steps at the beginning of each presentation, while activity settles, in which
        ghosts do not learn.
    ghost_onset, feedforward_onset : int
        Presentations (mini-batches) at the beginning of training in which ghosts, or W^f,
        do not learn.
    half_life : int
        Presentations after which the learning rates of W^f have halved, 0 for constant rates.
        Ghosts go on learning, and catch up.
    ghost_rate : float
        Mean rate that the biases of ghosts aim at in MB (homeostasis).
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
    ghost_delay: Whole
    ghost_onset: Whole
    feedforward_onset: Whole
    half_life: Whole
    ghost_rate: Number
    learning_rates: LearningRates


class Specification(Section):
    """A network and the two-phase protocol that trains it.

    Use `create` to choose some fields by name, or `load` for a TOML file; both fill in the rest.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(784, 500, 10), beta=2.0)
    >>> specification.protocol.learning_rates.feedforward
    (4.0, 0.2)
    """

    network: Network
    protocol: Protocol

    @classmethod
    def create(cls, **fields: Any) -> Specification:
        """Make a specification from fields of any section; what is left out is chosen.

        Parameters
        ----------
        **fields
            Any field of `Network` and `Protocol`; `initial_weights` and `learning_rates` are
            dictionaries. Only `sizes` is needed. Where a field has one value for each layer or
            connection, a single value stands for all.

        Raises
        ------
        SpecificationError
            A field is unknown, missing or invalid.
        """
        sections: dict[str, dict[str, Any]] = {"network": {}, "protocol": {}}
        homes = dict.fromkeys(Network.model_fields, "network")
        homes |= dict.fromkeys(Protocol.model_fields, "protocol")
        for name, value in fields.items():
            if name not in homes:
                raise SpecificationError(_unknown("field", name, homes))
            sections[homes[name]][name] = value
        return cls.from_dict(sections)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Specification:
        """Make a specification from the mapping that a TOML file contains."""
        data = plain(data)
        if not isinstance(data, Mapping):
            raise SpecificationError(f"needs a mapping of sections, got {data!r}")
        _refuse_unknown("", data, cls)
        network = _section("network", data.get("network", {}), Network)
        protocol = _section("protocol", data.get("protocol", {}), Protocol)
        weights = _section(
            "network.initial_weights", network.pop("initial_weights", {}), InitialWeights
        )
        rates = _section(
            "protocol.learning_rates", protocol.pop("learning_rates", {}), LearningRates
        )
        graph = Graph.of(network.get("sizes"), network.get("connections"))
        network["connections"] = graph.connections
        lengths = {
            "feedforward": len(graph.connections),
            "bias": graph.n_layers,
            "feedback": len(graph.feedback_connections),
            "ghost_forward": len(graph.ghost_connections),
            "ghost_bias": len(graph.ghost_layers),
            "ghost_feedback": len(graph.feedback_connections),
        }
        # One value of these two holds for all that are to be described.
        single = {"ghost_bias", "self_predicting", "ghost_distribution"}
        for key in weights.keys() - single:
            path = f"network.initial_weights.{key}"
            weights[key] = _spread(path, weights[key], lengths[key])
        for key in rates:
            rates[key] = _spread(f"protocol.learning_rates.{key}", rates[key], lengths[key])
        if "ghosts" in network:
            network["ghosts"] = _spread(
                "network.ghosts", network["ghosts"], len(graph.ghost_layers), "layer with ghosts"
            )
        network["feedback"] = _spread(
            "network.feedback",
            network.get("feedback", "transpose"),
            len(graph.feedback_targets),
            "hidden layer",
        )
        given = {
            "network": network | {"initial_weights": weights},
            "protocol": protocol | {"learning_rates": rates},
        }
        cls._validate(given, partly=True)
        _check_ghosts(graph, network, weights)
        default = defaults(graph, network, protocol, rates)
        merged = {
            "network": default["network"]
            | network
            | {"initial_weights": default["initial_weights"] | weights},
            "protocol": default["protocol"]
            | protocol
            | {"learning_rates": default["learning_rates"] | rates},
        }
        specification = cls._validate(merged)
        assert specification is not None
        _check_delay(specification.protocol)
        return specification

    @classmethod
    def _validate(cls, data: dict[str, Any], *, partly: bool = False) -> Specification | None:
        """Return the specification; or, of a part of its fields, only refuse what is wrong."""
        try:
            return cls.model_validate(tuples(data))
        except ValidationError as error:
            wrong = [e for e in error.errors() if not (partly and e["type"] == "missing")]
            if wrong:
                raise SpecificationError("\n".join(map(message, wrong))) from None
        return None

    @classmethod
    def from_toml(cls, text: str) -> Specification:
        """Read a specification from TOML text."""
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SpecificationError(f"not valid TOML: {error}") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Specification:
        """Read a specification from a TOML file."""
        try:
            return cls.from_toml(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SpecificationError(f"{os.fspath(path)}: can't be read: {error}") from None
        except SpecificationError as error:
            raise SpecificationError(f"{os.fspath(path)}: {error}") from None

    def replace(self, **fields: Any) -> Specification:
        """Give a copy with other values of some fields; all others stay as they are.

        Parameters
        ----------
        **fields
            As for `create`; dictionaries change only what they contain.
        """
        data = self.model_dump()
        for name, value in fields.items():
            section = "protocol" if name in Protocol.model_fields else "network"
            old = data[section].get(name)
            both = isinstance(old, dict) and isinstance(value, Mapping)
            data[section][name] = old | dict(value) if both else value
        return Specification.from_dict(data)

    def to_toml(self) -> str:
        """Write all fields as TOML text."""
        return tomli_w.dumps(_tuples_to_lists(self.model_dump()))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all fields to a TOML file."""
        Path(path).write_text(self.to_toml(), encoding="utf-8")


# -- checks ---------------------------------------------------------------------------


def _check_ghosts(graph: Graph, network: dict[str, Any], weights: dict[str, Any]) -> None:
    model = network.get("model", "MA")
    units = tuple(graph.sizes[layer] for layer in graph.ghost_layers)
    if model == "MA" and network.get("ghosts", units) != units:
        raise SpecificationError(
            "network.ghosts: only model MB has a free number of ghosts; MA has one for every "
            f"pyramidal unit, {list(units)}"
        )
    if weights.get("self_predicting") is True and model == "MB":
        raise SpecificationError(
            "network.initial_weights.self_predicting: model MB has other ghosts than pyramidal "
            "units, so its ghosts can't start as their copies"
        )
    if weights.get("self_predicting") is True and network.get("dale") is True:
        raise SpecificationError(
            "network.initial_weights.self_predicting: W^b has both signs, so V^b can't start as "
            "its copy and obey Dale's law too"
        )


def _check_delay(protocol: Protocol) -> None:
    if protocol.ghost_delay >= protocol.prediction_steps:
        raise SpecificationError(
            f"protocol.ghost_delay: ghosts that wait {protocol.ghost_delay} steps never learn in "
            f"a prediction phase of {protocol.prediction_steps}; to switch their learning off, set "
            "learning_rates.ghost_forward and learning_rates.ghost_feedback to 0"
        )


def _section(path: str, data: Any, model: type[BaseModel]) -> dict[str, Any]:
    if isinstance(data, BaseModel):
        data = data.model_dump()
    if not isinstance(data, Mapping):
        raise SpecificationError(f"{path}: needs a table of fields, got {data!r}")
    _refuse_unknown(path, data, model)
    return dict(data)


def _refuse_unknown(path: str, data: Mapping[str, Any], model: type[BaseModel]) -> None:
    for key in data:
        if key not in model.model_fields:
            where = f"{path}: " if path else ""
            raise SpecificationError(where + _unknown("key", key, model.model_fields))


def _unknown(kind: str, name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(str(name), list(known), 1)
    hint = f" did you mean '{close[0]}'?" if close else ""
    return f"unknown {kind} '{name}';{hint} known: {', '.join(known)}"


def _spread(path: str, value: Any, n_values: int, what: str = "projection") -> Any:
    """Give one value for each projection; a single one stands for all."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != n_values:
            raise SpecificationError(
                f"{path}: needs one value, or {n_values}, one for each {what}, got {len(value)}"
            )
        return tuple(value)
    return (value,) * n_values


def _tuples_to_lists(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _tuples_to_lists(value) for key, value in data.items()}
    return list(map(_tuples_to_lists, data)) if isinstance(data, (list, tuple)) else data

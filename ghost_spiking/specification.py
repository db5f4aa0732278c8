"""What a network is and how it is run: immutable, validated, saved as TOML.

Nothing here knows of Brian2. Every field is resolved when a `Specification` is made:
what was left out is chosen from the sizes of the network by `_defaults`, and from then on
is a plain number that is saved with the rest.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .exceptions import SpecificationError

__all__ = ["InitialWeights", "LearningRates", "Network", "Protocol", "Specification"]

_Count = Annotated[int, Field(ge=1, strict=True)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
_Flag = Annotated[bool, Field(strict=True)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InitialWeights(_Section):
    """Gains on the Glorot-uniform bound sqrt(6 / (fan_in + fan_out)), one per projection.

    Attributes
    ----------
    feedforward : tuple of float
        W^f_1 .. W^f_L.
    feedback : tuple of float
        W^b_2 .. W^b_L, used with feedback alignment only.
    ghost_forward, ghost_feedback : tuple of float
        V^f_2 .. V^f_L and V^b_2 .. V^b_L.
    self_predicting : bool
        Start with V^f = W^f and V^b = W^b (MA only), so that ghosts cancel from the start.
    """

    feedforward: tuple[_NotNegative, ...]
    feedback: tuple[_NotNegative, ...]
    ghost_forward: tuple[_NotNegative, ...]
    ghost_feedback: tuple[_NotNegative, ...]
    self_predicting: _Flag


class Network(_Section):
    """The structure of a network.

    Attributes
    ----------
    sizes : tuple of int
        Units of the input, of each hidden layer and of the output (N_0 .. N_L).
    model : {"MA", "MB"}
        MA has a ghost for every pyramidal unit, with plastic V^f. MB has any number of ghosts,
        with fixed random V^f.
    feedback : {"transpose", "alignment"}
        W^b is the transpose of W^f, or fixed and random.
    ghosts : tuple of int
        Ghosts attached to the layers 2 .. L (G_2 .. G_L); chosen freely in MB only.
    rate_function : {"sigmoid", "tanh"}
        rho.
    loss : {"squared_error"}
        C = 1/2 ||y - rho(s_L)||^2.
    biases : bool
        Whether units have a bias, the weight from a unit whose rate is always 1.
    initial_weights : InitialWeights
        How weights start.
    """

    sizes: Annotated[tuple[_Count, ...], Field(min_length=3)]
    model: Literal["MA", "MB"]
    feedback: Literal["transpose", "alignment"]
    ghosts: tuple[_Count, ...]
    rate_function: Literal["sigmoid", "tanh"]
    loss: Literal["squared_error"]
    biases: _Flag
    initial_weights: InitialWeights

    @property
    def n_layers(self) -> int:
        """Number of layers above the input, L."""
        return len(self.sizes) - 1


class LearningRates(_Section):
    """Learning rates, multiplied by dt/tau in every time step; 0 switches learning off.

    Attributes
    ----------
    feedforward : tuple of float
        eta_W of W^f_1 .. W^f_L, eq. (5) and (7).
    ghost_forward : tuple of float
        eta_Vf of V^f_2 .. V^f_L, eq. (3). Stable only while eta_Vf * dt/tau * N_(l-1) is of the
        order of 1.
    ghost_feedback : tuple of float
        eta_Vb of V^b_2 .. V^b_L, eq. (4) and (6). The same bound holds, with G_l.
    """

    feedforward: tuple[_NotNegative, ...]
    ghost_forward: tuple[_NotNegative, ...]
    ghost_feedback: tuple[_NotNegative, ...]


class Protocol(_Section):
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
    """

    time_step: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)]
    prediction_steps: _Count
    nudging_steps: _Count
    beta: _Positive
    batch_size: _Count
    learning_rates: LearningRates


class Specification(_Section):
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
            dictionaries. Only `sizes` is needed.

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
        _refuse_unknown("", data, cls)
        network = _section("network", data.get("network", {}), Network)
        protocol = _section("protocol", data.get("protocol", {}), Protocol)
        weights = _section(
            "network.initial_weights", network.get("initial_weights", {}), InitialWeights
        )
        rates = _section(
            "protocol.learning_rates", protocol.get("learning_rates", {}), LearningRates
        )
        sizes = network.get("sizes")
        if (
            not isinstance(sizes, (list, tuple))
            or len(sizes) < 3
            or not all(type(size) is int and size >= 1 for size in sizes)
        ):
            raise SpecificationError(
                "network.sizes: needs the numbers of units of the input, of at least one hidden "
                f"layer and of the output, each at least 1, got {sizes!r}"
            )
        model = network.get("model", "MA")
        n_ghost_layers = len(sizes) - 2
        if "ghosts" in network:
            network["ghosts"] = _spread("network.ghosts", network["ghosts"], n_ghost_layers)
        if model == "MA" and network.get("ghosts", tuple(sizes[2:])) != tuple(sizes[2:]):
            raise SpecificationError(
                "network.ghosts: only model MB has a free number of ghosts; MA has one for every "
                f"pyramidal unit, {list(sizes[2:])}"
            )
        default = _defaults(
            tuple(sizes), model, network.get("ghosts"), protocol.get("batch_size", 100)
        )
        for key in weights.keys() - {"self_predicting"}:
            n_values = n_ghost_layers + (key == "feedforward")
            weights[key] = _spread(f"network.initial_weights.{key}", weights[key], n_values)
        for key in rates:
            n_values = n_ghost_layers + (key == "feedforward")
            rates[key] = _spread(f"protocol.learning_rates.{key}", rates[key], n_values)
        merged = {
            "network": default["network"]
            | network
            | {"initial_weights": default["initial_weights"] | weights},
            "protocol": default["protocol"]
            | protocol
            | {"learning_rates": default["learning_rates"] | rates},
        }
        if model == "MB" and merged["network"]["initial_weights"]["self_predicting"]:
            raise SpecificationError(
                "network.initial_weights.self_predicting: model MB has other ghosts than "
                "pyramidal units, so its ghosts can't start as their copies"
            )
        try:
            return cls.model_validate(_lists_to_tuples(merged))
        except ValidationError as error:
            raise SpecificationError("\n".join(map(_message, error.errors()))) from None

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

    def to_toml(self) -> str:
        """Write all fields as TOML text."""
        return tomli_w.dumps(_tuples_to_lists(self.model_dump()))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all fields to a TOML file."""
        Path(path).write_text(self.to_toml(), encoding="utf-8")


def _defaults(
    sizes: tuple[int, ...], model: str, ghosts: Any, batch_size: Any
) -> dict[str, dict[str, Any]]:
    """Give defaults for a network; found by trial, and scaled with the sizes of layers.

    The delta rules of ghosts are stable while rate * dt/tau * (number of presynaptic units)
    stays below a bound, so their rates are inversely proportional to it. Weight changes that
    are averaged over fewer than 100 images are noisier, and smaller by a square root.
    """
    small = type(batch_size) is int and 1 <= batch_size < 100
    noise = (batch_size / 100) ** 0.5 if small else 1.0
    n_projections = len(sizes) - 1
    deep = n_projections > 2
    if model == "MB":
        counts = ghosts or (100,) * (n_projections - 1)
        beta, output_rate, ghost_gain, cancel = 6.0, 0.1, 3.0, 5.0
    else:
        counts = sizes[2:]
        beta, output_rate, ghost_gain = (1.0 if deep else 3.0), 0.2, 1.0
        cancel = 4.0 if deep else 2.0
    counts = tuple(count if isinstance(count, int) and count > 0 else 1 for count in counts)
    ones = (1.0,) * (n_projections - 1)
    last_gain = 0.3 if model == "MA" else 1.0
    return {
        "network": {
            "model": "MA",
            "feedback": "transpose",
            "ghosts": counts,
            "rate_function": "sigmoid",
            "loss": "squared_error",
            "biases": True,
        },
        "initial_weights": {
            "feedforward": (2.0,) * n_projections if deep else (1.0, last_gain),
            "feedback": ones,
            "ghost_forward": tuple(ghost_gain for _ in ones),
            "ghost_feedback": ones,
            "self_predicting": deep and model == "MA",
        },
        "protocol": {
            "time_step": 0.5,
            "prediction_steps": 16 if deep else 12,
            "nudging_steps": 12 if deep else 8,
            "beta": beta,
            "batch_size": 100,
        },
        "learning_rates": {
            "feedforward": (20 * output_rate * noise,) * (n_projections - 1)
            + (output_rate * noise,),
            "ghost_forward": tuple(5.0 / n_pre * noise for n_pre in sizes[1:-1]),
            "ghost_feedback": tuple(cancel / count * noise for count in counts),
        },
    }


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


def _spread(path: str, value: Any, n_values: int) -> Any:
    """Give one value for each projection; a single one stands for all."""
    if isinstance(value, (list, tuple)):
        if len(value) != n_values:
            raise SpecificationError(
                f"{path}: needs one value, or {n_values}, one for each projection, got {len(value)}"
            )
        return tuple(value)
    return (value,) * n_values


def _lists_to_tuples(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _lists_to_tuples(value) for key, value in data.items()}
    return tuple(data) if isinstance(data, list) else data


def _tuples_to_lists(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _tuples_to_lists(value) for key, value in data.items()}
    return list(data) if isinstance(data, tuple) else data


def _message(error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"])
    return f"{path}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"

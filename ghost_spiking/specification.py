"""What a network is and how it is run: immutable, validated, saved as TOML.

Nothing here knows of Brian2. Every field is resolved when a `Specification` is made:
what was left out is chosen by the model from the sizes of the network, and from then on
is a plain number that is saved with the rest.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, SerializeAsAny, ValidationError, model_validator

from ._checks import Section, message, plain, tuples
from .exceptions import SpecificationError
from .graph import Graph
from .models import (
    DEFAULT,
    Layout,
    Model,
    Network,
    Protocol,
    Signal,
    load_model,
    model_named,
    origin,
    register,
)
from .models._bits import with_bits
from .models._language import DT
from .spikes import Spikes, section_of, spike_signals, spiking

__all__ = ["Specification"]

#: Words for the values of the first connection or layer, the last, and those between.
PLACES = ("first", "between", "last")


class Specification(Section):
    """A network and the two-phase protocol that trains it.

    Use `create` to choose some fields by name, or `load` for a TOML file; both fill in the rest.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(784, 500, 10), beta=2.0)
    >>> specification.protocol.nudging_steps, specification.protocol.batch_size
    (12, 100)
    """

    network: SerializeAsAny[Network]
    protocol: SerializeAsAny[Protocol]
    spikes: SerializeAsAny[Spikes] | None = None

    @model_validator(mode="before")
    @classmethod
    def _choose_sections(cls, data: Any) -> Any:
        data = plain(data)
        if isinstance(data, Mapping) and isinstance(data.get("network"), Mapping):
            model = _model_of(data["network"])
            for name, section in (("network", model.network), ("protocol", model.protocol)):
                if isinstance(data.get(name), Mapping):
                    data = {**data, name: section.model_validate(tuples(data[name]))}
            if data.get("spikes") is not None:
                data = {**data, "spikes": section_of(data["spikes"])}
        return data

    @classmethod
    def create(cls, **fields: Any) -> Specification:
        """Return a specification with these fields of any section; what is left out is chosen.

        Parameters
        ----------
        **fields
            Any field of the model's sections `Network` and `Protocol`; `initial_weights` and
            `learning_rates` are dictionaries. Only `sizes` is needed. Where a field has one value
            for each layer or connection, a single value stands for all, and a dictionary with
            ``first``, ``between`` and ``last`` for any number of them. `model` is the name of
            a model, or its class, which is registered then. `spikes` is the name of a mechanism,
            or a dictionary, see `ghost_spiking.spikes`.

        Raises
        ------
        SpecificationError
            A field is unknown, missing or invalid.
        """
        return cls.from_dict(cls.sections_of(**fields))

    @classmethod
    def sections_of(cls, **fields: Any) -> dict[str, Any]:
        """Return the mapping of sections that `create` makes a specification of.

        Examples
        --------
        >>> from ghost_spiking import Specification
        >>> Specification.sections_of(sizes=(4, 3, 2), beta=2.0)
        {'network': {'sizes': (4, 3, 2)}, 'protocol': {'beta': 2.0}}
        """
        sections: dict[str, Any] = {"network": {}, "protocol": {}}
        if "spikes" in fields:
            sections["spikes"] = fields.pop("spikes")
        model = _model_of(fields)
        homes = dict.fromkeys(model.network.model_fields, "network")
        homes |= dict.fromkeys(model.protocol.model_fields, "protocol")
        for name, value in fields.items():
            if name not in homes:
                raise SpecificationError(_unknown("field", name, [*homes, "spikes"]))
            sections[homes[name]][name] = value
        return sections

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Specification:
        """Return a specification from the mapping that a TOML file contains."""
        data = plain(data)
        if not isinstance(data, Mapping):
            raise SpecificationError(f"needs a mapping of sections, got {data!r}")
        _refuse_unknown("", data, cls)
        given = data.get("network", {})
        model = _model_of(given if isinstance(given, Mapping) else {})
        network = _section("network", given, model.network)
        protocol = _section("protocol", data.get("protocol", {}), model.protocol)
        graph = Graph.of(network.get("sizes"), network.get("connections"))
        network |= {"sizes": graph.sizes, "connections": graph.connections, "model": model.name}
        _spread_all({"network": network, "protocol": protocol}, model, graph)
        _validate("network", model.network, network, partly=True)
        _validate("protocol", model.protocol, protocol, partly=True)
        model.check_given(graph, network)
        spikes = section_of(data.get("spikes"))
        if spikes is not None:
            suited = model.spiking_defaults(graph, spikes)
            network = _merge(suited.get("network", {}), network)
            protocol = _merge(suited.get("protocol", {}), protocol)
            left_out = suited.get("spikes", {}).keys() - spikes.model_fields_set
            spikes = spikes.model_copy(update={key: suited["spikes"][key] for key in left_out})
        default = model.defaults(graph, network, protocol)
        specification = cls(
            network=_validate("network", model.network, _merge(default["network"], network)),
            protocol=_validate("protocol", model.protocol, _merge(default["protocol"], protocol)),
            spikes=spikes,
        )
        model.check(specification)
        if spikes is not None:
            _ = specification.layout  # refuses models and rates that can't have them
        return specification

    @classmethod
    def from_toml(cls, text: str) -> Specification:
        """Return a specification from TOML text."""
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SpecificationError(f"not valid TOML: {error}") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Specification:
        """Return a specification from a TOML file."""
        try:
            return cls.from_toml(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SpecificationError(f"{os.fspath(path)}: can't be read: {error}") from None
        except SpecificationError as error:
            raise SpecificationError(f"{os.fspath(path)}: {error}") from None

    @property
    def model(self) -> Model:
        """The model, by its name in the registry."""
        return model_named(self.network.model)

    @property
    def layout(self) -> Layout:
        """The populations and projections of the network, with spikes if there are any."""
        layout = self.model.layout(self)
        if self.network.weight_bits:
            layout = with_bits(layout, self.network.weight_bits, self.network.weight_range)
        return layout if self.spikes is None else spiking(layout, self.spikes)

    def signals(self, layer: int) -> tuple[Signal, ...]:
        """Return what can be recorded of a layer's units, of their spikes too."""
        signals = self.model.signals(self, layer)
        return signals if self.spikes is None else signals + spike_signals(self.layout, signals)

    def for_training(self, n_images: int) -> Specification:
        """Return a copy in which numbers stand for what depends on the training images.

        Examples
        --------
        >>> from ghost_spiking import Specification
        >>> Specification.create(sizes=(64, 20, 10)).for_training(1437).protocol.half_life
        365
        """
        return self.model.for_training(self, n_images)

    @property
    def dt(self) -> float:
        """Duration of a time step in seconds; without spikes, what matters is dt / tau."""
        return DT if self.spikes is None else self.spikes.dt / 1000

    @property
    def identity(self) -> str:
        """All there is to the network, values too; two with the same are one network."""
        return self.layout.identity + ", adapting" * self.network.input_adaptation

    def __reduce__(self) -> tuple[Any, ...]:
        # As text, with where a user's model comes from: other processes do not know it.
        return _restore, (self.to_toml(), origin(self.network.model))

    def replace(self, **fields: Any) -> Specification:
        """Return a copy with other values of some fields; all others stay as they are.

        Parameters
        ----------
        **fields
            As for `create`; dictionaries change only what they contain.
        """
        data = self.model_dump(exclude_none=True)
        if "spikes" in fields:
            given = fields.pop("spikes")
            old = data.pop("spikes", None)
            both = isinstance(old, dict) and isinstance(given, Mapping)
            same = both and given.get("mechanism", old["mechanism"]) == old["mechanism"]
            data["spikes"] = old | dict(given) if same else given
        for name, value in fields.items():
            section = "protocol" if name in data["protocol"] else "network"
            old = data[section].get(name)
            both = isinstance(old, dict) and isinstance(value, Mapping)
            data[section][name] = old | dict(value) if both else value
        return Specification.from_dict(data)

    def _repr_html_(self) -> str:
        """Return the model description in the tables of Nordlie et al. (2009), for notebooks."""
        from ._html import from_markdown
        from .describe import describe

        return from_markdown(describe(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as the mapping that a TOML file contains."""
        return dict(_tuples_to_lists(self.model_dump(exclude_none=True)))

    def to_toml(self) -> str:
        """Return all fields as TOML text."""
        return tomli_w.dumps(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all fields to a TOML file."""
        Path(path).write_text(self.to_toml(), encoding="utf-8")


def _restore(text: str, place: Any) -> Specification:
    if isinstance(place, str):
        load_model(place)
    elif place is not None:
        register(place)
    return Specification.from_toml(text)


# -- checks ---------------------------------------------------------------------------


def _model_of(network: Mapping[str, Any]) -> Model:
    model = network.get("model", DEFAULT)
    return model_named(register(model).name if isinstance(model, type) else model)


def _section(path: str, data: Any, section: type[BaseModel]) -> dict[str, Any]:
    """Return a table with the tables in it, after a look at the names of all fields."""
    if isinstance(data, BaseModel):
        data = data.model_dump()
    if not isinstance(data, Mapping):
        raise SpecificationError(f"{path}: needs a table of fields, got {data!r}")
    _refuse_unknown(path, data, section)
    return {
        name: _section(f"{path}.{name}", value, inner)
        if (inner := _inner(section, name)) is not None
        else value
        for name, value in data.items()
    }


def _inner(section: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the section that a field is a table of, if it is."""
    kind = section.model_fields[name].annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _refuse_unknown(path: str, data: Mapping[str, Any], section: type[BaseModel]) -> None:
    for key in data:
        if key not in section.model_fields:
            where = f"{path}: " if path else ""
            raise SpecificationError(where + _unknown("key", key, section.model_fields))


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), 1)
    hint = f" did you mean '{close[0]}'?" if close else ""
    return f"unknown {kind} '{name}';{hint} known: {', '.join(known)}"


def _spread_all(data: dict[str, Any], model: Model, graph: Graph) -> None:
    """Give every field that has several values as many as it needs, in place."""
    for path, (number, what) in model.lengths(graph).items():
        *tables, name = path.split(".")
        table = data
        for key in tables:
            table = table.get(key, {})
        if name in table:
            table[name] = _spread(path, table[name], number, what)


def _spread(path: str, value: Any, number: int, what: str) -> Any:
    if isinstance(value, Mapping):
        if not value or set(value) - set(PLACES):
            raise SpecificationError(
                f"{path}: a table of values has the keys {', '.join(PLACES)}, got {dict(value)!r}"
            )
        # One alone is the last: it leads to the output.
        places = ["first", *["between"] * (number - 2), "last"][-number:] if number else []
        missing = sorted({place for place in places if place not in value})
        if missing:
            raise SpecificationError(
                f"{path}: this network has {number} values, one for each {what}, so "
                f"'{missing[0]}' is needed too, got {dict(value)!r}"
            )
        return tuple(value[place] for place in places)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != number:
            raise SpecificationError(
                f"{path}: needs one value, or {number}, one for each {what}, got {len(value)}"
            )
        return tuple(value)
    return (value,) * number


def _validate(path: str, section: type[Any], data: Any, *, partly: bool = False) -> Any:
    """Return a section; or, of a part of its fields, only refuse what is wrong."""
    try:
        return section.model_validate(tuples(data))
    except ValidationError as error:
        wrong = [one for one in error.errors() if not (partly and one["type"] == "missing")]
        if wrong:
            raise SpecificationError("\n".join(message(one, path) for one in wrong)) from None
    return None


def _merge(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(defaults)
    for name, value in given.items():
        old = defaults.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merge(old, value)
        merged[name] = value
    return merged


def _tuples_to_lists(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _tuples_to_lists(value) for key, value in data.items()}
    return list(map(_tuples_to_lists, data)) if isinstance(data, (list, tuple)) else data

"""Options that describe a network, and the specification that they make."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from typing import Any

import click

from ..exceptions import SpecificationError
from ..models import choices, fields, model_named, names
from ..specification import Specification
from ..spikes import MECHANISMS
from .common import model_option

__all__ = ["chosen_sections", "field_and_value", "network_options", "set_fields", "set_option"]

#: Brian2 counts units with 32 bits.
_MOST = 2**31 - 1


def _model_choices(command: Any) -> Any:
    """Add the options that models have of their own."""
    for choice in reversed(choices()):
        command = click.option(
            f"--{choice.field.replace('_', '-')}",
            type=click.IntRange(1, _MOST) if choice.type is int else str,
            metavar=None if choice.type is int else "VALUE[,VALUE...]",
            help=choice.help,
        )(command)
    return command


_OPTIONS = (
    model_option(
        "".join(f"{name}: {model_named(name).summary}; " for name in names())
        + "or a class in a file of your own, which is executed.",
        expose_value=True,
    ),
    _model_choices,
    click.option(
        "--hidden", metavar="N[,N...]", help="Units of each hidden layer.  [default: 500]"
    ),
    click.option(
        "--loss",
        type=click.Choice(["squared_error", "cross_entropy"]),
        help="Squared error of the output's rates, or cross-entropy of a softmax.",
    ),
    click.option(
        "--spikes",
        metavar="|".join(MECHANISMS),
        help="Let units send spikes. "
        + "; ".join(f"{name}: {section.summary}" for name, section in MECHANISMS.items())
        + ".",
    ),
    click.option(
        "--neurons", type=click.IntRange(1, _MOST), help="Neurons of each unit, with spikes."
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        help="Images that share their weight changes.  [default: 100; 1 for the engine synapses]",
    ),
)


def network_options(command: Any) -> Any:
    """Add the options that describe a network."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


set_option = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Any field of the specification, such as protocol.beta=2 or dale=true; can be repeated.",
)


def set_fields(data: dict[str, Any], changes: Sequence[str]) -> None:
    """Set fields of the mapping that a specification is made of, in place, as --set says."""
    for change in changes:
        path, value = field_and_value("--set", change)
        *tables, name = path.split(".")
        table = data
        for key in tables:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):  # spikes may be the name of a mechanism
                raise SpecificationError(f"--set {change}: {key} is {table!r}, not a table")
        table[name] = value


def field_and_value(option: str, change: str) -> tuple[str, Any]:
    """Return the dotted path and the value that FIELD=VALUE means.

    A field is a dotted path, or the end of one if that is unique; a value is written as in TOML, or
    a word.
    """
    spikes = (f"spikes.{name}" for one in MECHANISMS.values() for name in one.model_fields)
    known = list(dict.fromkeys((*fields(), *spikes)))
    path, equals, text = change.partition("=")
    path = path.strip()
    found = [one for one in known if one == path or one.endswith(f".{path}")]
    exact = [one for one in found if one == path]
    if not equals or not found:
        close = difflib.get_close_matches(path, [*known, *(k.split(".")[-1] for k in known)], 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise SpecificationError(
            f"{option} {change}: needs FIELD=VALUE with a field of the specification{hint}"
        )
    if len(found) > 1 and not exact:
        raise SpecificationError(f"{option} {change}: which of {', '.join(found)}?")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return (exact or found)[0], value


def chosen_sections(
    n_inputs: int, n_outputs: int, engine: str, hidden: str | None, **given: Any
) -> dict[str, Any]:
    """Return the mapping of a specification that options of the command line describe."""
    try:
        layers = [int(part) for part in ("500" if hidden is None else hidden).split(",")]
    except ValueError:
        raise SpecificationError(
            f"--hidden: needs numbers of units such as 500 or 300,300, got '{hidden}'"
        ) from None
    if max(layers) > _MOST:
        raise SpecificationError(f"--hidden: at most {_MOST} units, got {max(layers)}")
    for name, value in given.items():
        if isinstance(value, str) and "," in value:
            given[name] = value.split(",")
    if engine == "synapses":
        given.setdefault("batch_size", 1)
    neurons = given.pop("neurons", None)
    if neurons is not None:
        if "spikes" not in given:
            raise SpecificationError("--neurons: only units with spikes have any; choose --spikes")
        given["spikes"] = {"mechanism": given["spikes"], "neurons": neurons}
    elif "spikes" in given:
        given["spikes"] = {"mechanism": given["spikes"]}
    return Specification.sections_of(sizes=(n_inputs, *layers, n_outputs), **given)

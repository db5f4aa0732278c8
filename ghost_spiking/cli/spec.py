"""``ghost-spiking spec``."""

from __future__ import annotations

from typing import Any

import click

from ..specification import Specification
from .network import chosen_sections, network_options, set_fields, set_option

__all__ = ["spec"]


@click.command()
@click.option("--inputs", type=click.IntRange(1), default=784, show_default=True)
@click.option("--outputs", type=click.IntRange(1), default=10, show_default=True)
@network_options
@set_option
def spec(inputs: int, outputs: int, changes: tuple[str, ...], **chosen: Any) -> None:
    """Print a whole specification as TOML, to start a file from.

    The options are those of train. Save it (> my.toml), change it, and train it with --spec.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    hidden = given.pop("hidden", None)
    data = chosen_sections(inputs, outputs, "dense", hidden, **given)
    set_fields(data, changes)
    click.echo(Specification.from_dict(data).to_toml(), nl=False)

"""``ghost-spiking describe``."""

from __future__ import annotations

from pathlib import Path

import click

from ..exceptions import SpecificationError
from ..specification import Specification
from .common import own_model

__all__ = ["describe"]


@click.command()
@click.argument("spec", type=click.Path(path_type=Path))
@own_model
@click.option("--out", type=click.Path(path_type=Path), help="File to write instead.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Draw the circuit into this file, .png, .svg or .pdf, instead.",
)
def describe(spec: Path, out: Path | None, picture: Path | None) -> None:
    """Describe a model in the tables of Nordlie et al. (2009), as Markdown, or draw its circuit.

    SPEC is a TOML file or the directory of a run.
    """
    from ..describe import describe
    from ..runs import Run, write_atomically

    specification = Run.load(spec).specification if spec.is_dir() else Specification.load(spec)
    if picture is not None:
        _draw(specification, picture)
    if picture is not None and out is None:
        return
    text = describe(specification)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        write_atomically(out, text.encode())
    except OSError as error:
        raise SpecificationError(f"--out: '{out}' can't be written: {error}") from None
    click.echo(f"wrote {out}")


def _draw(specification: Specification, path: Path) -> None:
    from ..plotting import circuit_size, plot_circuit, save

    sizes = "-".join(map(str, specification.network.sizes))
    title, size = f"{specification.network.model}, {sizes}", circuit_size(specification)
    try:
        save(path, plot_circuit, specification, title=title, size=size)
    except (ValueError, OSError) as error:
        raise SpecificationError(f"--picture: '{path}' can't be drawn: {error}") from None
    click.echo(f"drew {path}")

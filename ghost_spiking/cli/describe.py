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
def describe(spec: Path, out: Path | None) -> None:
    """Describe a model in the tables of Nordlie et al. (2009), as Markdown.

    SPEC is a TOML file or the directory of a run.
    """
    from ..describe import describe
    from ..runs import Run, write_atomically

    specification = Run.load(spec).specification if spec.is_dir() else Specification.load(spec)
    text = describe(specification)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        write_atomically(out, text.encode())
    except OSError as error:
        raise SpecificationError(f"--out: '{out}' can't be written: {error}") from None
    click.echo(f"wrote {out}")

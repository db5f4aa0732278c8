"""``ghost-spiking export``."""

from __future__ import annotations

from pathlib import Path

import click

from .common import open_run, own_model, run_argument

__all__ = ["export"]


@click.command()
@run_argument
@click.option("--to", "form", type=click.Choice(["nir"]), default="nir", show_default=True)
@click.option(
    "--levels",
    type=click.IntRange(1, 1000),
    default=31,
    show_default=True,
    help="Neurons for each hidden unit: the levels of its rate.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File.  [default: RUN/network.nir]")
@own_model
def export(run: Path, form: str, levels: int, out: Path | None) -> None:
    """Write the trained forward network of a RUN for other simulators.

    NIR is read by simulators and neuromorphic hardware; see docs/spikes.md for what the graph is.
    """
    from ..export import to_nir, write_nir

    loaded = open_run(run)
    graph = to_nir(loaded.specification, loaded.weights, loaded.adaptation, levels=levels)
    path = out or loaded.path / "network.nir"
    if out is None:
        path.parent.mkdir(exist_ok=True)
    write_nir(path, graph)
    click.echo(f"wrote {path}")

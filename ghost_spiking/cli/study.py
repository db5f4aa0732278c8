"""``ghost-spiking study``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..exceptions import DataError, SpecificationError, StudyError
from .common import as_json, own_model, quiet

if TYPE_CHECKING:
    from ..study import Record

__all__ = ["study"]


@click.command()
@click.argument("file", metavar="STUDY.toml", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the results; what it has already is not trained again.  "
    "[default: studies/STUDY]",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Networks that are trained at the same time.  [default: one on each core]",
)
@click.option("--scheduler", metavar="ADDRESS", help="Train on the workers of a Dask scheduler.")
@own_model
@click.option("--retry", is_flag=True, help="Train again what has failed.")
@quiet
@as_json
def study(
    file: Path,
    out: Path | None,
    jobs: int | None,
    scheduler: str | None,
    retry: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a grid or a random sample of networks, and compare them on held-out images.

    Each network is saved when it ends. Run the same command again to continue a study that was
    stopped, or to add what has changed in STUDY.toml.
    """
    from ..study import Study, run_study, summarize

    if jobs is not None and scheduler is not None:
        raise StudyError("--jobs is for this machine; the workers of a --scheduler have their own")
    described = Study.load(file)
    folder = out or Path("studies") / file.stem
    jobs = -1 if jobs is None else min(jobs, len(described.cells))
    try:
        records = run_study(
            described, folder, jobs=jobs, scheduler=scheduler, retry=retry, progress=not quiet
        )
    except (DataError, SpecificationError) as error:  # known only when the images are loaded
        raise type(error)(f"{file}: {error}") from None
    except KeyboardInterrupt:
        click.echo(
            f"stopped by Ctrl-C; what has ended is saved in {folder}, and the same command "
            "goes on from there",
            err=True,
        )
        raise SystemExit(130) from None
    failed = [record for record in records if record.error is not None]
    for record in records:
        if record.error is not None or record.warning:
            click.echo(str(record), err=True)
    if as_json:
        facts = {"folder": str(folder), "cells": len(records), "failed": len(failed)}
        click.echo(json.dumps(facts | {"summary": summarize(records)}))
        return
    click.echo(_table(records))
    click.echo(f"saved in {folder}; the table is table.csv, the picture is study.png")


def _table(records: list[Record]) -> str:
    """Return the summary as a Markdown table, best first."""
    from ..study import summarize
    from ..study._cells import text_of

    rows = [[*records[0].parameters, "accuracy on held-out images (%)", "seeds", "failed"]]
    for row in summarize(records):
        accuracy = "-" if row["mean"] is None else f"{row['mean']:.2f}"
        accuracy += "" if row["std"] is None else f" ± {row['std']:.2f}"
        values = [text_of(value) for value in row["parameters"].values()]
        rows.append([*values, accuracy, str(row["seeds"]), str(row["failed"])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |" for row in rows
    )

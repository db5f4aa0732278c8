"""``ghost-spiking study``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..exceptions import DataError, SpecificationError, StudyError
from .common import as_json, own_model, quiet
from .network import field_and_value

if TYPE_CHECKING:
    from ..study import Record, Study

__all__ = ["study"]


@click.command()
@click.argument(
    "file", metavar="[STUDY.toml]", required=False, type=click.Path(dir_okay=False, path_type=Path)
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Instead of STUDY.toml: vary fields of this run's network, with its images and epochs.",
)
@click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="FIELD=[VALUE,...]",
    help="Values of a field for --run, such as beta=[1,2,5]; can be repeated.",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), help="Seeds of each network for --run.  [default: 1]"
)
@click.option(
    "--optimise",
    "search",
    is_flag=True,
    help="Look for the best values in the ranges of [random] with Optuna; samples is the number of "
    "trials.",
)
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
    file: Path | None,
    run: Path | None,
    grids: tuple[str, ...],
    seeds: int | None,
    search: bool,
    out: Path | None,
    jobs: int | None,
    scheduler: str | None,
    retry: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a grid or a sample of networks, or search, and compare them on held-out images.

    Each network is saved when it ends. Run the same command again to continue a study that was
    stopped, or to add what has changed in STUDY.toml.
    """
    from ..study import Study, optimise, run_study, summarize

    if (file is None) == (run is None):
        raise StudyError("needs either a STUDY.toml, or a --run with a --grid")
    if file is not None and (grids or seeds):
        raise StudyError("--grid and --seeds go with --run; a STUDY.toml has its own")
    if search and (jobs is not None or scheduler is not None or retry):
        raise StudyError(
            "--optimise trains one network after the other, as each proposal depends on those "
            "before; --jobs, --scheduler and --retry can't be given too"
        )

    if jobs is not None and scheduler is not None:
        raise StudyError("--jobs is for this machine; the workers of a --scheduler have their own")
    if file is not None:
        described, name = Study.load(file), file.stem
    else:
        assert run is not None
        described, name = _study_of_run(run, grids, seeds), run.resolve().name
    folder = out or Path("studies") / name
    jobs = -1 if jobs is None else min(jobs, len(described.cells))
    try:
        if search:
            records = optimise(described, folder, progress=not quiet)
        else:
            records = run_study(
                described, folder, jobs=jobs, scheduler=scheduler, retry=retry, progress=not quiet
            )
    except (DataError, SpecificationError) as error:  # known only when the images are loaded
        raise type(error)(f"{file or run}: {error}") from None
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


def _study_of_run(run: Path, grids: Sequence[str], seeds: int | None) -> Study:
    """Return a study of the network of a run, a tenth of whose training images are held out."""
    from ..datasets import load
    from ..runs import Run
    from ..study import Study

    loaded = Run.load(run)
    facts = loaded.facts
    if not grids:
        raise StudyError("--run: say with --grid which field to vary, such as --grid beta=[1,2,5]")
    if facts.dataset is None:
        raise StudyError(f"'{run}' does not say where its images are, so they can't be learned")
    n_images = len(load(facts.dataset)[0])
    held_out = max(1, n_images // 10)
    grid = {}
    for text in grids:
        field, values = field_and_value("--grid", text)
        grid[field] = values if isinstance(values, list) else [values]
    return Study.from_dict(
        {
            **loaded.specification.to_dict(),
            "dataset": facts.dataset,
            "epochs": facts.goal or len(loaded.history),
            "held_out": held_out,
            "limit": None if facts.limit is None else min(facts.limit, n_images - held_out),
            "seeds": seeds or 1,
            "keep_weights": True,
            "grid": grid,
        }
    )


def _table(records: list[Record]) -> str:
    """Return the summary as a Markdown table, best first."""
    from ..study import summarize
    from ..study._cells import text_of

    found = summarize(records)
    ends = ["failed", "pruned"] if any(row["pruned"] for row in found) else ["failed"]
    rows = [[*records[0].parameters, "accuracy on held-out images (%)", "seeds", *ends]]
    for row in found:
        accuracy = "-" if row["mean"] is None else f"{row['mean']:.2f}"
        accuracy += "" if row["std"] is None else f" ± {row['std']:.2f}"
        values = [text_of(value) for value in row["parameters"].values()]
        rows.append([*values, accuracy, str(row["seeds"]), *(str(row[end]) for end in ends)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |" for row in rows
    )

"""Training the cells of a study.

`run_study` trains the cells that a folder does not have yet and saves a `Record` of each as soon as
it ends; whoever stops a study and starts it again loses at most the cells that were under
way. Cells are compared by training images that are held out, never by the test set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm.auto import tqdm

from ._cells import (
    Record,
    compile_all,
    make_folder,
    read_record,
    run_path,
    save_record,
    write_file,
)
from ._parallel import run_here, run_on_dask
from ._plots import save_study_plots
from ._study import Range, Study
from ._table import table_of

__all__ = ["run_study", "write_overview"]


def run_study(
    study: Study,
    folder: str | os.PathLike[str],
    *,
    jobs: int = -1,
    scheduler: str | None = None,
    retry: bool = False,
    progress: bool = False,
) -> list[Record]:
    """Train the cells that a folder does not have yet, and save each as soon as it ends.

    Parameters
    ----------
    study : Study
        What to train.
    folder : path
        Where results are: ``cells/KEY.json`` for each cell, ``runs/KEY`` with its weights if they
        are kept, ``table.csv`` with a row for each, and ``study.png``. Cells of other studies in
        the same folder are left alone.
    jobs : int, optional
        Processes on this machine; -1 for one on each core.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, whose workers train the cells
        instead. A cell whose worker dies is trained by another one.
    retry : bool, optional
        Whether to train cells again that have failed.
    progress : bool, optional
        Whether to show on standard error each cell that ends and the time left.

    Returns
    -------
    list of Record
        In the order of `Study.cells`.

    Raises
    ------
    SpecificationError, DataError
        The cells do not fit the images, or there are none.
    CompilationError
        No network can be compiled.
    StudyError
        The folder, the scheduler or the processes can't be used. What was saved stays.

    Examples
    --------
    >>> from ghost_spiking.study import Study, run_study
    >>> study = Study.load("nudging.toml")  # doctest: +SKIP
    >>> records = run_study(study, "results")  # doctest: +SKIP
    >>> records[0].held_out_accuracy  # doctest: +SKIP
    92.3333
    """
    folder = Path(folder)
    records = {cell.key: read_record(folder, cell) for cell in study.cells}
    missing = [
        cell
        for cell in study.cells
        if (record := records[cell.key]) is None
        or record.pruned
        or (retry and record.error is not None)
        or (cell.keep_weights and record.error is None and not run_path(folder, cell.key).exists())
    ]
    if missing:
        study.check_images()
        if scheduler is None:
            make_folder(folder / "cells")  # before anything is trained that could not be saved
            compile_all(missing, progress)
            ended = run_here(missing, jobs)
        else:
            ended = run_on_dask(missing, scheduler)
        done = len(study.cells) - len(missing)
        with tqdm(total=len(study.cells), initial=done, unit=" cells", disable=not progress) as bar:
            for record in ended:
                save_record(folder, record)
                records[record.key] = record
                write_file(folder / "table.csv", table_of(records.values()))
                if progress:
                    bar.write(str(record), file=sys.stderr)
                bar.update()
    complete = [record for record in records.values() if record is not None]
    write_overview(study, folder, complete)
    return complete


def write_overview(study: Study, folder: Path, records: Sequence[Record]) -> None:
    """Write the table and the picture of a study."""
    write_file(folder / "table.csv", table_of(records))
    ranges = study.random.fields if study.random else {}
    save_study_plots(
        records,
        folder / "study.png",
        sampled=study.random is not None,
        logarithmic=[name for name, one in ranges.items() if isinstance(one, Range) and one.log],
    )

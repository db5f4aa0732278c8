"""Records as rows: for tools of one's own, and over seeds."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..exceptions import StudyError
from ._cells import Record, read_all, run_path, text_of

__all__ = ["best_run", "summarize", "table_of"]


def best_run(folder: str | os.PathLike[str]) -> tuple[Record, Path]:
    """Return the best network of a study: its record and the directory of its run.

    It is the best seed of those parameters whose mean over seeds is best.

    Raises
    ------
    StudyError
        Nothing has ended in this folder, or weights were not kept.

    Examples
    --------
    >>> from ghost_spiking.study import best_run
    >>> record, path = best_run("studies/nudging")  # doctest: +SKIP
    """
    folder = Path(folder)
    ended = [record for record in read_all(folder) if record.held_out_accuracy is not None]
    if not ended:
        raise StudyError(f"'{folder}' is a study in which no network has ended")
    parameters = summarize(ended)[0]["parameters"]
    best = max(
        (record for record in ended if record.parameters == parameters),
        key=lambda record: record.held_out_accuracy or 0.0,
    )
    path = run_path(folder, best.key)
    if not path.exists():
        raise StudyError(
            f"'{folder}' has not kept the weights of its best network, '{best}'; write "
            "keep_weights = true into the study and run it again, which trains what is missing"
        )
    return best, path


def summarize(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return mean and standard deviation over seeds for each set of parameters, best first.

    Parameters
    ----------
    records : sequence of Record
        Of one study.

    Returns
    -------
    list of dict
        ``parameters``; ``mean`` and ``std`` of the accuracy on held-out images (%); the numbers
        of ``seeds`` that ended, that ``failed`` and that were ``pruned``. The standard deviation is
        that of a sample (with n - 1). Both are None where too few seeds ended.

    Examples
    --------
    >>> from ghost_spiking.runs import Facts
    >>> from ghost_spiking.study import Record, summarize
    >>> def record(beta, seed, accuracy):
    ...     return Record(
    ...         key=f"{beta}-{seed}", parameters={"protocol.beta": beta}, facts=Facts(seed=seed),
    ...         held_out=300, specification="", history=(), seconds=1.0, test_accuracy=accuracy,
    ...     )
    >>> best = summarize([record(1.0, 0, 90.0), record(1.0, 1, 92.0), record(3.0, 0, 80.0)])[0]
    >>> best["parameters"], best["mean"], best["seeds"]
    ({'protocol.beta': 1.0}, 91.0, 2)
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(json.dumps(record.parameters), []).append(record)
    rows = []
    for group in groups.values():
        values = [r.held_out_accuracy for r in group if r.held_out_accuracy is not None]
        rows.append(
            {
                "parameters": group[0].parameters,
                "mean": round(float(np.mean(values)), 4) if values else None,
                "std": round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None,
                "seeds": len(values),
                "failed": sum(record.error is not None for record in group),
                "pruned": sum(record.pruned for record in group),
            }
        )
    return sorted(rows, key=lambda row: math.inf if row["mean"] is None else -row["mean"])


def table_of(found: Iterable[Record | None]) -> str:
    """Return a CSV table with a row for each record that there is."""
    records = [record for record in found if record is not None]
    file = io.StringIO()
    columns = ["seed", "held_out_accuracy", "online_accuracy", "seconds", "error", "warning", "key"]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*records[0].parameters, *columns])
    for record in records:
        values = [text_of(value) for value in record.parameters.values()]
        writer.writerow(values + [getattr(record, column) for column in columns])
    return file.getvalue()

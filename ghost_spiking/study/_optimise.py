"""Search for the best values of fields, by Optuna, which is optional.

What a study has saved is all that the search knows: each proposal is a function of the records in
the folder, so that a search that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from ..exceptions import MissingPackageError, SpecificationError
from ..specification import PLACES
from ._cells import Cell, Record, make_folder, save_record
from ._run import write_overview
from ._study import Range, Sample, Study

if TYPE_CHECKING:
    from ..training import Training

__all__ = ["optimise"]

#: Proposals of networks that are known already, one after the other, after which to give up.
_PATIENCE = 50


def optimise(
    study: Study,
    folder: str | os.PathLike[str],
    *,
    progress: bool = False,
) -> list[Record]:
    """Look for the values of fields with the best accuracy on held-out images.

    A tree-structured Parzen estimator proposes values that lie where those before were good. The
    first proposal has the defaults, as far as they lie in the ranges. A training that is below the
    median of those before at the same epoch is ended early.

    Parameters
    ----------
    study : Study
        With a table ``[random]``: the fields and their ranges, and the number of trials, `samples`.
        Each trial is trained with all seeds, one after the other.
    folder : path
        As for `run_study`. What it has already counts, be it from here or from a random sample of
        the same study.
    progress : bool, optional
        Whether to show on standard error each network that ends and the time left.

    Returns
    -------
    list of Record
        Of all trials.

    Raises
    ------
    SpecificationError
        The study has no ranges, or they hold too few networks.
    MissingPackageError
        Optuna is not installed.
    DataError, StudyError
        As for `run_study`.

    Examples
    --------
    >>> from ghost_spiking.study import Study, optimise, summarize
    >>> records = optimise(Study.load("nudging.toml"), "results")  # doctest: +SKIP
    >>> summarize(records)[0]["parameters"]  # doctest: +SKIP
    {'protocol.beta': 2.31}
    """
    sample = study.random
    if sample is None:
        raise SpecificationError(
            "to optimise, a study needs a table [random] with the ranges of its fields, and the "
            "number of trials, samples"
        )
    _optuna()
    study.check_images()
    folder = Path(folder)
    make_folder(folder / "cells")
    trials = _trials_in(study, folder)
    refused = 0
    with tqdm(total=sample.samples, unit=" trials", disable=not progress) as bar:
        while True:
            done = [trial for trial in trials if _ended(study, trial)]
            bar.update(len(done) - bar.n)
            begun = next((trial for trial in trials if trial not in done), None)
            if begun is None and len(done) >= sample.samples:
                break
            proposed = None if begun is None else begun[0].parameters
            trial, parameters = _propose(study, sample, done, refused, proposed)
            cells = study.cells_with(parameters)
            if begun is None and any(
                cell.key == r.key for cell in cells for one in done for r in one
            ):
                refused += 1  # the same network as another
                if refused > _PATIENCE:
                    raise SpecificationError(
                        f"random.samples: only {len(done)} different networks were found, got "
                        f"{sample.samples}; ask for fewer"
                    )
                continue
            refused = 0
            records = begun or []
            if begun is None:
                trials.append(records)
            for number, cell in enumerate(cells):
                known = next((record for record in records if record.key == cell.key), None)
                if known is None:
                    known = _train(cell, number, trial, len(done))
                    save_record(folder, known)
                    if progress:
                        bar.write(str(known), file=sys.stderr)
                    records.append(known)
                else:
                    for step, accuracy in _steps(known, number):
                        trial.report(accuracy, step)
                if known.pruned or known.error is not None:
                    break
    found = [record for trial in trials for record in trial]
    write_overview(study, folder, found)
    return found


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingPackageError("optuna", "searches") from None
    return optuna


def _trials_in(study: Study, folder: Path) -> list[list[Record]]:
    """Return the records that there are, those of one trial together, as they were made."""
    trials: dict[str, list[Record]] = {}
    for record in study.trials_in(folder):
        trials.setdefault(json.dumps(record.parameters), []).append(record)
    return list(trials.values())


def _ended(study: Study, trial: Sequence[Record]) -> bool:
    broken = any(record.pruned or record.error is not None for record in trial)
    return broken or len(trial) == len(study.seeds)


def _propose(
    study: Study,
    sample: Sample,
    done: Sequence[Sequence[Record]],
    refused: int,
    proposed: dict[str, Any] | None,
) -> tuple[Any, dict[str, Any]]:
    """Return the next trial of a search that knows what is done, and the values of fields in it."""
    optuna = _optuna()
    scale, defaults = _distributions(sample), dict[str, Any]()
    with _silent(optuna):
        search = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(
                n_startup_trials=min(10, max(3, sample.samples // 4)),
                # another one for each, so that it depends on nothing but what is done
                seed=sample.seed + 1000 * len(done) + refused,
            ),
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=5, n_warmup_steps=max(1, study.epochs // 4)
            ),
        )
        for trial in done:
            with contextlib.suppress(ValueError, KeyError):  # of other ranges than these
                search.add_trial(_frozen(optuna, sample, trial, scale))
        if proposed is None and not done and not refused:
            defaults = _defaults(study, sample)
            search.enqueue_trial(defaults)
        elif proposed is not None:
            search.enqueue_trial(_coded(sample, proposed))
        trial = search.ask(scale)
    if proposed is not None:
        return trial, proposed
    return (
        trial,
        {
            path: defaults.get(path, values.rounded(trial.params[path]))
            if isinstance(values, Range)
            else values[trial.params[path]]
            for path, values in sample.fields.items()
        },
    )


@contextlib.contextmanager
def _silent(optuna: Any) -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _distributions(sample: Sample) -> dict[str, Any]:
    distributions = _optuna().distributions
    found: dict[str, Any] = {}
    for path, values in sample.fields.items():
        if isinstance(values, Range):
            kind = "IntDistribution" if values.whole else "FloatDistribution"
            found[path] = getattr(distributions, kind)(values.low, values.high, log=values.log)
        else:
            found[path] = distributions.CategoricalDistribution(range(len(values)))
    return found


def _coded(sample: Sample, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return values as Optuna knows them, choices by their numbers."""
    return {
        path: value
        if isinstance(values := sample.fields[path], Range)
        else [json.dumps(one) for one in values].index(json.dumps(value))
        for path, value in parameters.items()
    }


def _defaults(study: Study, sample: Sample) -> dict[str, Any]:
    """Return what the fields are if nobody says, where that can be proposed."""
    try:
        (cell, *_) = study.cells_with({})
    except SpecificationError:  # without them it is no network
        return {}
    found = {}
    for path, values in sample.fields.items():
        value: Any = cell.specification.to_dict()
        for name in path.split("."):
            if isinstance(value, list) and name in PLACES:
                value = dict(
                    zip(PLACES, (value[0], value[len(value) // 2], value[-1]), strict=True)
                )
                value = value[name]
            else:
                value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, list) and len(set(map(json.dumps, value))) == 1:
            value = value[0]  # one value stands for all
        if isinstance(values, Range):
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number and values.low <= value <= values.high:
                found[path] = value
        else:
            with contextlib.suppress(ValueError):
                found |= _coded(sample, {path: value})
    return found


def _frozen(optuna: Any, sample: Sample, trial: Sequence[Record], scale: dict[str, Any]) -> Any:
    """Return a trial that has ended, as Optuna knows it."""
    state, value = optuna.trial.TrialState.COMPLETE, None
    if any(record.error is not None for record in trial):
        state = optuna.trial.TrialState.FAIL
    elif any(record.pruned for record in trial):
        state = optuna.trial.TrialState.PRUNED
    else:
        value = float(np.mean([record.held_out_accuracy for record in trial]))
    steps = {
        step: accuracy
        for number, record in enumerate(trial)
        for step, accuracy in _steps(record, number)
    }
    return optuna.trial.create_trial(
        state=state,
        value=value,
        params=_coded(sample, trial[0].parameters),
        distributions=scale,
        intermediate_values=steps,
    )


def _steps(record: Record, number: int) -> list[tuple[int, float]]:
    """Return step and accuracy of each epoch; seeds are trained one after the other."""
    before = number * (record.facts.goal or 0)
    return [(before + epoch.epoch, epoch.test_accuracy) for epoch in record.history]


def _train(cell: Cell, number: int, trial: Any, place: int) -> Record:
    """Train one seed of a trial, and end it early if it falls behind."""

    def after_epoch(training: Training) -> bool:
        epoch = training.history[-1]
        trial.report(epoch.test_accuracy, number * cell.epochs + epoch.epoch)
        return bool(epoch.epoch < cell.epochs and trial.should_prune())

    record = cell.train(after_epoch)
    notes = record.facts.notes | {"trial": place}
    return record.model_copy(update={"facts": record.facts.model_copy(update={"notes": notes})})

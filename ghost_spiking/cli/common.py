"""What the commands share."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exceptions import DataError

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..measure import Probe
    from ..runs import Run
    from ..simulation import Simulation
    from ..specification import Specification

__all__ = [
    "as_json",
    "data_of_run",
    "interruptible",
    "probe_of",
    "progress_bar",
    "run_argument",
    "say",
    "simulation_of_run",
]

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line."
)
run_argument = click.argument("run", type=click.Path(path_type=Path))


#: Images that are probed; fewer in MB, which takes one mini-batch after the other.
_PROBED = {"MA": 200, "MB": 50}


def probe_of(specification: Specification, test: Dataset, seed: int) -> Probe:
    """Give a probe with the first test images."""
    from ..measure import Probe

    some = test.take(min(_PROBED[specification.network.model], len(test)))
    return Probe(specification, some.images, some.labels, maximum=some.maximum, seed=seed)


def say(text: str) -> None:
    """Tell what is going on, on standard error; results go to standard output."""
    click.echo(text, err=True)


@contextlib.contextmanager
def interruptible() -> Iterator[list[int]]:
    """Note the first Ctrl-C instead of raising it, wherever it arrives; the second one raises."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    old = signal.signal(signal.SIGINT, note)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, old)


@contextlib.contextmanager
def progress_bar(total: int, done: int) -> Iterator[Any]:
    """Show images presented, and the time left."""
    from tqdm import tqdm

    with tqdm(
        total=total, initial=done, unit=" images", mininterval=0.5, dynamic_ncols=True
    ) as bar:
        yield bar


def data_of_run(run: Run, dataset: str | None = None) -> tuple[Dataset, Dataset]:
    """Load the images that a run was trained with and evaluated on, or others of the same size."""
    from ..datasets import load

    training, test = load(dataset or run.facts["dataset"])
    sizes = run.specification.network.sizes
    if training.n_features != sizes[0]:
        raise DataError(
            f"images of {training.name} have {training.n_features} pixels, but the network in "
            f"'{run.path}' has {sizes[0]} inputs"
        )
    limit = run.facts.get("limit")
    if dataset is None and limit:
        training = training.take(min(limit, len(training)))
    return training, test


def simulation_of_run(run: Run, data: Dataset) -> Simulation:
    """Give the trained network, ready for images of the type that `data` has."""
    from ..simulation import Simulation

    return Simulation(
        run.specification,
        engine=run.facts["engine"],
        precision=run.facts["precision"],
        weights=run.weights,
        seed=run.facts["seed"],
        data_dtype=data.images.dtype,
    )

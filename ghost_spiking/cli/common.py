"""What the commands share."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exceptions import DataError, RunError

if TYPE_CHECKING:
    from ..adaptation import Adaptation
    from ..datasets import Dataset
    from ..measure import Probe
    from ..runs import Run
    from ..simulation import Simulation
    from ..specification import Specification
    from ..training import Epoch

__all__ = [
    "as_json",
    "data_of_run",
    "device_option",
    "draw_learning_curves",
    "interruptible",
    "is_quiet",
    "model_option",
    "open_run",
    "other_data",
    "own_model",
    "probe_of",
    "progress_bar",
    "quiet",
    "repair",
    "run_argument",
    "say",
    "simulation_of_run",
    "warn",
]

quiet = click.option(
    "--quiet", "-q", is_flag=True, help="Say nothing on the way but warnings and errors."
)
device_option = click.option(
    "--device",
    type=click.Choice(["cpp_standalone", "cython", "numpy"]),
    help="A compiled program, or Brian2's runtime mode, which is slower; numpy needs no compiler.  "
    "[default: cpp_standalone, or what the run was trained with]",
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line."
)
run_argument = click.argument("run", metavar="RUN|STUDY|mnist", type=click.Path(path_type=Path))


def _take_model(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return the name of the model that was named, in any case; one in a file is registered."""
    from ..models import load_model, model_named, names

    if value is None:
        return None
    name = load_model(value)
    known = {one.lower(): one for one in names()}
    return model_named(known.get(name.lower(), name)).name


def model_option(help: str, *, expose_value: bool) -> Callable[[Any], Any]:
    """Return the option that names a model, or makes one in a file of the user's known."""
    return click.option(
        "--model",
        metavar="NAME|FILE.py:CLASS" if expose_value else "FILE.py:CLASS",
        callback=_take_model,
        expose_value=expose_value,
        is_eager=not expose_value,
        help=help,
    )


#: For commands that open a run, which never contains code.
own_model = model_option(
    "The file and class of its model, if that is one of your own. The file is executed.",
    expose_value=False,
)


def probe_of(
    specification: Specification, test: Dataset, seed: int, adaptation: Adaptation | None
) -> Probe:
    """Return a probe with the first test images."""
    from ..measure import Probe

    # One mini-batch after the other takes longer.
    some = test.take(min(50 if specification.layout.adapts else 200, len(test)))
    return Probe(
        specification,
        some.images,
        some.labels,
        maximum=some.maximum,
        seed=seed,
        adaptation=adaptation,
    )


def is_quiet() -> bool:
    """Tell whether the command was given --quiet."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.params.get("quiet"))


def say(text: str) -> None:
    """Tell what is going on, on standard error; results go to standard output."""
    if not is_quiet():
        click.echo(text, err=True)


def warn(text: str) -> None:
    """Tell what is the matter, on standard error, also if it is to be quiet."""
    click.echo(f"warning: {text}", err=True)


@contextlib.contextmanager
def interruptible() -> Iterator[list[int]]:
    """Note the first Ctrl-C instead of raising it, wherever it arrives; the second one raises."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    old = signal.getsignal(signal.SIGINT)
    if old is signal.SIG_IGN:  # a background job of a script, which Ctrl-C is not meant for
        yield received
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, old)


@contextlib.contextmanager
def progress_bar(total: int, done: int) -> Iterator[Any]:
    """Show images presented, and the time left."""
    from tqdm.auto import tqdm

    with tqdm(
        total=total,
        initial=done,
        unit=" images",
        mininterval=0.5,
        dynamic_ncols=True,
        disable=is_quiet(),
    ) as bar:
        yield bar


def data_of_run(run: Run, dataset: str | None = None) -> tuple[Dataset, Dataset]:
    """Load the images that a run learned and was tested with, from another place if need be."""
    from ..datasets import is_there, load

    place = dataset or run.facts.dataset
    if place is None:
        raise DataError(
            f"'{run.path}' does not say where its images are; name their place with --dataset"
        )
    if dataset is None and not is_there(place):
        raise DataError(
            f"'{run.path}' learned the images in '{place}', where there is nothing now; name "
            "the place where they are with --dataset"
        )
    training, test = _fitting(run, *load(place))
    if run.facts.held_out is not None:
        training, test = training.split(run.facts.held_out, seed=0)
    if run.facts.limit is not None:
        training = training.take(min(run.facts.limit, len(training)))
    run.check_data(training, test)
    if run.facts.test_data is None:
        say(
            f"'{run.path}' was saved by an earlier version, which noted nothing of its test "
            "images, so nobody can tell whether they are the same still"
        )
    return training, test


def other_data(run: Run, dataset: str) -> tuple[Dataset, Dataset]:
    """Load any images that fit the network of a run."""
    from ..datasets import load

    return _fitting(run, *load(dataset))


def _fitting(run: Run, training: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
    n_inputs = run.specification.network.sizes[0]
    if training.n_features != n_inputs:
        raise DataError(
            f"images of {training.name} have {training.n_features} pixels, but the network in "
            f"'{run.path}' has {n_inputs} inputs"
        )
    return training.with_classes(run.classes), test.with_classes(run.classes)


def simulation_of_run(run: Run, dtype: Any, device: Any = None) -> Simulation:
    """Return the trained network, ready for pixels of this type."""
    from ..simulation import Simulation

    device = device or run.facts.device or "cpp_standalone"
    # Whoever looks may do so on another device than whoever trained.
    threads = (run.facts.threads or 1) if device == "cpp_standalone" else 1
    return Simulation(
        run.specification,
        engine=run.facts.engine or "dense",
        device=device,
        precision=run.facts.precision or "float32",
        threads=threads,
        weights=run.weights,
        adaptation=run.adaptation,
        seed=run.facts.seed or 0,
        data_dtype=dtype,
    )


def repair(path: Path) -> None:
    """Bring the files that repeat parts of a run up to it, after whoever wrote it was killed."""
    from ..runs import Run, lock

    try:
        with lock(path):
            run = Run.load(path)
            if run.presented >= 0:  # those of version 0.1 are the run itself
                run.write_copies()
                draw_learning_curves(run.path, run.history)
    except RunError:  # it is being trained, or can't be written to: then they stay as they are
        pass


def open_run(path: Path) -> Run:
    """Read a run; of the folder of a study, that of its best network; or the one that ships."""
    from ..networks import NAME, trained
    from ..runs import Run
    from ..study import best_run

    if str(path) == NAME and not (path / "run.npz").exists():
        say("the trained network that comes with the package")
        return trained()
    if (path / "cells").is_dir():
        record, path = best_run(path)
        say(f"the best network of the study: {record}")
    return Run.load(path)


def draw_learning_curves(path: Path, history: Sequence[Epoch]) -> None:
    """Draw them in a run directory; a picture is not worth the end of a training."""
    from ..plotting import plot_learning_curves, save

    if history:
        try:
            title = path.resolve().name
            save(path / "learning_curves.png", plot_learning_curves, history, title=title)
        except OSError as error:
            say(f"the learning curves can't be drawn: {error}")

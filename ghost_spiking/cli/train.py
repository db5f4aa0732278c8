"""``ghost-spiking train``."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import shlex
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exceptions import DataError, DivergenceError, LearningWarning, SpecificationError
from ..models import origin
from ..specification import Specification
from .common import (
    as_json,
    data_of_run,
    device_option,
    draw_learning_curves,
    interruptible,
    is_quiet,
    probe_of,
    progress_bar,
    quiet,
    say,
)
from .network import chosen_sections, network_options, set_fields, set_option

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..runs import Facts, Run
    from ..training import Training

__all__ = ["train"]

#: Seconds between two drawings of the learning curves while it trains.
_DRAW_EVERY = 5.0
#: Exit code after Ctrl-C, as shells have it.
_INTERRUPTED = 130
#: What may be given together with --resume.
_FOR_RESUMING = {"resume", "dataset", "epochs", "save_every", "measure", "quiet", "as_json"}


def _minutes(ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("nan is no number of minutes")
    return value


@click.command()
@click.option(
    "--dataset",
    default="mnist",
    show_default=True,
    metavar="mnist|digits|PLACE",
    help="Images to learn: the packaged MNIST, scikit-learn's digits, a folder of IDX files or of "
    "pictures, or an .npz file. With --resume: where those of the run are now, if they have been "
    "moved.",
)
@network_options
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="How often to present all training images.  [default: 10 to 100, more for small sets]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first N training images.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--engine",
    type=click.Choice(["dense", "synapses"]),
    default="dense",
    show_default=True,
    help="dense: matrix products. synapses: plain Brian2, about a hundred times slower.",
)
@device_option
@click.option(
    "--precision",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Cores that the program uses; results have the same bits for the same number.",
)
@click.option(
    "--spec",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file that describes network and protocol; replaces the options on the network.",
)
@set_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Run directory to make.  [default: runs/DATASET-TIME]",
)
@click.option("--force", is_flag=True, help="Replace the run that is in --out already.")
@click.option(
    "--resume",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Go on with a run, as if it had never stopped; --epochs counts all of its epochs.",
)
@click.option(
    "--save-every",
    type=click.FloatRange(min=0),
    default=0,
    show_default="after every epoch",
    metavar="MINUTES",
    callback=_minutes,
    help="Save the run after an epoch only if so much time has passed.",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Measure angles, residuals and settling after each epoch, on a few test images.",
)
@quiet
@as_json
@click.pass_context
def train(
    ctx: click.Context,
    dataset: str,
    limit: int | None,
    seed: int,
    engine: Any,
    device: Any,
    precision: Any,
    threads: int,
    epochs: int | None,
    out: Path | None,
    force: bool,
    resume: Path | None,
    save_every: float,
    measure: bool,
    quiet: bool,
    as_json: bool,
    changes: tuple[str, ...],
    **chosen: Any,
) -> None:
    """Train a network and save it in a run directory.

    Progress and the accuracy so far are shown. Ctrl-C ends the training early and
    keeps what was learned; --resume goes on with it.
    """
    from ..runs import Facts, Run, lock

    start = time.perf_counter()
    saving = (save_every, measure)
    if resume is not None:
        _refuse_choices(ctx, chosen["model"])
        given = ctx.get_parameter_source("dataset") is not click.core.ParameterSource.DEFAULT
        Run.load(resume)  # nothing is written into what is not a run
        with lock(resume):
            run = Run.load(resume)
            _go_on(run, _goal(run, epochs), dataset if given else None, *saving, start)
        _report(Run.load(resume), as_json)
        return
    from ..datasets import load, place_of
    from ..training import default_epochs

    training, test = load(dataset)
    if limit is not None:
        if limit > len(training):
            raise DataError(
                f"--limit: {training.name} has {len(training)} training images, {limit} were "
                "asked for"
            )
        training = training.take(limit)
    specification = _specification(training, engine, changes=changes, **chosen)
    path = _folder_named(training.name) if out is None else Run.create(out, replace=force)
    try:
        with lock(path):
            how = {"engine": engine, "device": device, "precision": precision, "threads": threads}
            trainer = _new_trainer(specification, training, test, seed, **how)
            if force:  # now that nothing stands in the way of the new one
                Run.clear(path)
            facts = Facts.of(
                trainer,
                dataset=place_of(dataset),
                limit=limit,
                goal=epochs or default_epochs(len(training)),
            )
            _train_epochs(trainer, path, facts, *saving, -start)
    finally:
        with contextlib.suppress(OSError):  # it stays if anything was saved
            path.rmdir()
    if not path.exists():
        say("nothing was learned, so nothing is saved")
        raise SystemExit(_INTERRUPTED)
    _report(Run.load(path), as_json)


def _folder_named(name: str) -> Path:
    """Make a run directory of its own for each of several trainings that start at once."""
    from ..runs import Run

    name = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in itertools.count(1):
        path = Path("runs") / (name if number == 1 else f"{name}-{number}")
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                path.mkdir(parents=True)
                break
    return Run.create(path)


def _goal(run: Run, epochs: int | None) -> int:
    """Return how many epochs a run that goes on is to have."""
    run.check_resumable()
    done, goal = len(run.history), epochs or run.facts.goal
    if goal is None:
        raise SpecificationError(
            f"'{run.path}' does not say how many epochs it was to have; say so with --epochs"
        )
    if epochs is not None and epochs < done:
        raise SpecificationError(
            f"--epochs: '{run.path}' has {done} epochs already, and --epochs counts all of them, "
            f"got {epochs}; give more than {done} to train it further. Nothing was changed"
        )
    return goal


def _refuse_choices(ctx: click.Context, model: str | None) -> None:
    default = click.core.ParameterSource.DEFAULT
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is not default]
    if model is not None and origin(model) is not None:
        given.remove("model")  # the run only says its name
    refused = [
        "--set" if name == "changes" else f"--{name.replace('_', '-')}"
        for name in given
        if name not in _FOR_RESUMING
    ]
    if refused:
        raise SpecificationError(
            f"--resume goes on with a run as it is, so {', '.join(refused)} can't be given too"
        )


def _specification(
    training: Dataset,
    engine: str,
    spec: Path | None,
    hidden: str | None,
    changes: Sequence[str],
    **chosen: Any,
) -> Specification:
    given = {name: value for name, value in chosen.items() if value is not None}
    if spec is None:
        data = chosen_sections(training.n_features, training.n_classes, engine, hidden, **given)
        set_fields(data, changes)
        return Specification.from_dict(data)
    given |= {} if hidden is None else {"hidden": hidden}
    if "model" in given and origin(given["model"]) is not None:
        del given["model"]  # made known, for the file to name
    if given:
        names = [f"--{name.replace('_', '-')}" for name in given]
        raise SpecificationError(
            f"--spec describes the whole network, so {', '.join(names)} can't be given too; "
            "--set changes a field of it"
        )
    if changes:
        data = Specification.load(spec).to_dict()
        set_fields(data, changes)
        specification = Specification.from_dict(data)
    else:
        specification = Specification.load(spec)
    expected = (training.n_features, training.n_classes)
    if (specification.network.sizes[0], specification.network.sizes[-1]) != expected:
        raise SpecificationError(
            f"{spec}: network.sizes must begin with {expected[0]} and end with {expected[1]} "
            f"for these images, got {list(specification.network.sizes)}"
        )
    return specification


def _new_trainer(
    specification: Specification,
    training: Dataset,
    test: Dataset,
    seed: int,
    *,
    engine: Any,
    device: Any,
    precision: Any,
    threads: int,
) -> Training:
    from ..simulation import Simulation
    from ..training import Training

    batch = specification.protocol.batch_size
    if batch > len(training):
        raise SpecificationError(
            f"protocol.batch_size: {batch} images are to share their weight changes, but there "
            f"are only {len(training)} to learn from; choose a smaller one with --batch-size"
        )
    network = specification.network
    sizes = "-".join(map(str, network.sizes))
    say(f"{network.model}, {sizes}: {len(training)} images of {training.name}, engine {engine}")
    simulation = Simulation(
        specification,
        engine=engine,
        device=device or "cpp_standalone",
        precision=precision,
        threads=threads,
        seed=seed,
        data_dtype=training.images.dtype,
    )
    if simulation.build_seconds:
        say(f"compiled in {simulation.build_seconds:.0f} s; later runs use the same program")
    return Training(simulation, training, test, seed)


def _go_on(
    run: Run, goal: int, dataset: str | None, save_every: float, measure: bool, start: float
) -> None:
    """Make the training that a run belongs to, bring it to its state, and train."""
    from dataclasses import replace

    from ..datasets import place_of
    from ..runs import versions

    training, test = data_of_run(run, dataset)
    news = {
        "dataset": place_of(dataset or str(run.facts.dataset)),
        "training_data": training.fingerprint,
        "test_data": test.fingerprint,
        "goal": goal,
    }
    facts = run.facts.model_copy(update=news)
    if facts != run.facts:
        run = replace(run, facts=facts)
        run.save()
    run.write_copies()  # if the process that wrote it was killed, they are behind
    draw_learning_curves(run.path, run.history)
    if len(run.history) >= goal and run.train_accuracy is not None:
        say(
            f"'{run.path}' has all of its {len(run.history)} epochs already; to train it further, "
            "give more with --epochs, which counts all of them"
        )
        return
    now = versions()
    changed = [f"{n} {facts.versions.get(n)}" for n in now if facts.versions.get(n) != now[n]]
    if changed:
        say(f"it began with {', '.join(changed)}, so numbers may differ in the last bits")
    trainer = _new_trainer(
        run.specification,
        training,
        test,
        facts.seed or 0,
        engine=facts.engine or "dense",
        device=facts.device,
        precision=facts.precision or "float32",
        threads=facts.threads or 1,
    )
    run.restore(trainer)
    _train_epochs(trainer, run.path, facts, save_every, measure, run.seconds - start)


def _train_epochs(
    trainer: Training, path: Path, facts: Facts, save_every: float, measure: bool, offset: float
) -> None:
    """Train and save; `offset` is what to add to the clock for the duration of all."""
    import joblib

    from ..runs import Run

    test, n_images, epochs = trainer.test, len(trainer.training), facts.goal
    assert test is not None
    assert epochs is not None

    def presented() -> int:
        return len(trainer.history) * n_images + len(trainer.responses)

    last_saved = last_drawn = time.perf_counter()
    saved = presented()

    def store(**accuracies: float | None) -> None:
        nonlocal last_saved, saved
        seconds = round(time.perf_counter() + offset, 2)
        Run.of(trainer, path, facts, seconds=seconds, **accuracies).save()
        last_saved, saved = time.perf_counter(), presented()

    def keep() -> None:
        """Save what is not saved yet, before anything else can happen."""
        if presented() > saved:
            store()

    def evaluate() -> None:
        if presented():
            # After a whole epoch the history has the accuracy on test images.
            cores = joblib.cpu_count()
            on_test = trainer.evaluate(test, cores=cores) if len(trainer.responses) else None
            on_training = trainer.evaluate(trainer.training, cores=cores)
            store(train_accuracy=on_training, test_accuracy=on_test)
            draw_learning_curves(path, trainer.history)

    with interruptible() as stopped, progress_bar(epochs * n_images, saved) as bar:

        def show(n_presented: int, percent: float) -> bool:
            if len(trainer.history) < epochs:
                bar.set_postfix_str(f"accuracy {percent:.2f} %", refresh=False)
                bar.update(len(trainer.history) * n_images + n_presented - bar.n)
            return bool(stopped)

        def after_epoch(trainer: Training) -> bool:
            nonlocal last_drawn
            epoch = trainer.history[-1]
            bar.update(len(trainer.history) * n_images - bar.n)
            if not is_quiet():
                bar.write(
                    f"epoch {epoch.epoch}: {epoch.online_accuracy:.2f} % of the training images "
                    f"while learning, {epoch.test_accuracy:.2f} % of the test images, "
                    f"{epoch.seconds:.1f} s"
                )
            if epoch.warning and not any(one.warning for one in trainer.history[-2:-1]):
                bar.write(f"warning: {epoch.warning}")
            if time.perf_counter() - last_saved >= 60 * save_every:
                store()
            if time.perf_counter() - last_drawn > _DRAW_EVERY:
                draw_learning_curves(path, trainer.history)
                last_drawn = time.perf_counter()
            return bool(stopped)

        callbacks = [after_epoch]
        if measure:
            callbacks.insert(0, _measuring(trainer))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LearningWarning)  # shown with the epoch
                trainer.run(epochs, callbacks, show)
        except BaseException as error:
            keep()
            if isinstance(error, DivergenceError):  # with the last good weights
                evaluate()
            raise
        keep()  # another Ctrl-C may come while it is evaluated
        evaluate()
        if stopped:
            bar.write("stopped by Ctrl-C; what was learned so far is saved, --resume goes on")


def _measuring(trainer: Training) -> Any:
    from ..callbacks import Measure

    assert trainer.test is not None
    simulation = trainer.simulation
    return Measure(
        probe_of(simulation.specification, trainer.test, trainer.seed, simulation.adaptation)
    )


def _report(run: Run, as_json: bool) -> None:
    found = run.summary()
    if as_json:
        keys = ("train_accuracy", "test_accuracy", "epochs", "seconds", "seed")
        click.echo(json.dumps({key: found.get(key) for key in keys} | {"run": str(run.path)}))
        return
    accuracies = [
        f"{'unknown' if value is None else f'{value:.2f} %'} of the {part} images"
        for part, value in (("training", run.train_accuracy), ("test", run.test_accuracy))
    ]
    click.echo(
        f"accuracy: {', '.join(accuracies)}, after {len(run.history)} epochs and "
        f"{run.seconds:.0f} s"
    )
    command = ["ghost-spiking", "show", str(run.path)]
    if isinstance(place := origin(run.specification.network.model), str):
        command += ["--model", place]  # a run holds no code
    click.echo(f"saved in {run.path}; {shlex.join(command)} draws more pictures of it")

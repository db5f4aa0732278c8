"""The command ``ghost-spiking``."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .exceptions import DataError, GhostSpikingError, SpecificationError
from .specification import Specification

if TYPE_CHECKING:
    from .datasets import Dataset
    from .runs import Run
    from .training import Training

__all__ = ["main"]

#: Seconds between two savings of a run; longer epochs are saved one by one.
_SAVE_EVERY = 2.0
_NO_TORCH = "PyTorch is not installed; pip install 'ghost-spiking[bench]'"


class _Command(click.Group):
    """Turns the errors of this package into one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GhostSpikingError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2)


@click.group(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ghost-spiking")
def main() -> None:
    """Train networks of pyramidal and ghost units, which backpropagate errors by themselves.

    Start with: ghost-spiking train --dataset digits --hidden 32
    """


_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line."
)


@main.command()
@click.option(
    "--dataset",
    default="mnist",
    show_default=True,
    metavar="mnist|digits|FOLDER",
    help="Images to learn: the packaged MNIST, scikit-learn's digits, or a folder of IDX files.",
)
@click.option(
    "--model",
    type=click.Choice(["MA", "MB"], case_sensitive=False),
    help="MA: a ghost for every pyramidal unit. MB: any number of ghosts, with fixed random input.",
)
@click.option(
    "--feedback",
    metavar="KIND[,KIND...]",
    help="transpose, alignment (fixed and random) or reconstruction (learned): one kind for all "
    "hidden layers, or one for each.",
)
@click.option("--hidden", metavar="N[,N...]", help="Units of each hidden layer.  [default: 500]")
@click.option(
    "--loss",
    type=click.Choice(["squared_error", "cross_entropy"]),
    help="Squared error of the output's rates, or cross-entropy of a softmax.",
)
@click.option("--ghosts", type=click.IntRange(min=1), help="Ghosts per layer (MB only).")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="How often to present all training images.  "
    "[default: 10, or as many as make 60,000 presentations]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first N training images.")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Images that share their weight changes.  [default: 100; 1 for the engine synapses]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--engine",
    type=click.Choice(["dense", "synapses"]),
    default="dense",
    show_default=True,
    help="dense: matrix products. synapses: plain Brian2, about a hundred times slower.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
)
@click.option(
    "--spec",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file that describes network and protocol; replaces the options on the network.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Run directory to make.  [default: runs/DATASET-TIME]",
)
@_as_json
def train(
    dataset: str,
    model: str | None,
    feedback: str | None,
    loss: str | None,
    hidden: str | None,
    ghosts: int | None,
    epochs: int | None,
    limit: int | None,
    batch_size: int | None,
    seed: int,
    engine: Any,
    precision: Any,
    spec: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train a network and save it in a run directory.

    Progress and the accuracy so far are shown. Ctrl-C ends the training early and
    keeps what was learned.
    """
    from .datasets import load
    from .runs import Run

    start = time.perf_counter()
    training, test = load(dataset)
    if limit is not None:
        training = training.take(min(limit, len(training)))
    choices = {
        "model": model.upper() if model else None,
        "feedback": feedback.split(",") if feedback and "," in feedback else feedback,
        "loss": loss,
        "ghosts": ghosts,
        "batch_size": batch_size,
    }
    specification = _specification(spec, training, hidden, engine, choices)
    name = Path(dataset).name
    path = Run.create(out or Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")

    from .simulation import Simulation
    from .training import Training

    try:
        _say(_title(specification, training, engine))
        simulation = Simulation(
            specification,
            engine=engine,
            precision=precision,
            seed=seed,
            data_dtype=training.images.dtype,
        )
    except BaseException:
        path.rmdir()
        raise
    if simulation.build_seconds:
        _say(f"compiled in {simulation.build_seconds:.0f} s; later runs use the same program")
    trainer = Training(simulation, training, test, seed)
    facts: dict[str, Any] = {
        "dataset": str(dataset),
        "limit": limit,
        "engine": engine,
        "precision": precision,
        "seed": seed,
    }
    run = Run(path, specification, simulation.weights, trainer.history, facts)
    try:
        _train_epochs(trainer, epochs or max(10, 60_000 // len(training)), run)
    finally:  # also after a divergence, with the last good weights
        if trainer.history:
            _finish(trainer, run, start)
        else:
            path.rmdir()
            _say("nothing was learned, so nothing is saved")
    if trainer.history:
        _report(run, as_json)


def _specification(
    path: Path | None, training: Dataset, hidden: str | None, engine: str, choices: dict[str, Any]
) -> Specification:
    given = {name: value for name, value in choices.items() if value is not None}
    if path is not None:
        if given or hidden:
            names = [f"--{name.replace('_', '-')}" for name in (*given, *["hidden"] * bool(hidden))]
            raise SpecificationError(
                f"--spec describes the whole network, so {', '.join(names)} can't be given too"
            )
        specification = Specification.load(path)
        expected = (training.n_features, training.n_classes)
        if (specification.network.sizes[0], specification.network.sizes[-1]) != expected:
            raise SpecificationError(
                f"{path}: network.sizes must begin with {expected[0]} and end with {expected[1]} "
                f"for these images, got {list(specification.network.sizes)}"
            )
        return specification
    try:
        layers = [int(part) for part in (hidden or "500").split(",")]
    except ValueError:
        raise SpecificationError(
            f"--hidden: needs numbers of units such as 500 or 300,300, got '{hidden}'"
        ) from None
    if engine == "synapses":
        given.setdefault("batch_size", 1)
    return Specification.create(sizes=(training.n_features, *layers, training.n_classes), **given)


def _title(specification: Specification, training: Dataset, engine: str) -> str:
    network = specification.network
    sizes = "-".join(map(str, network.sizes))
    feedback = ", ".join(dict.fromkeys(network.feedback))
    return (
        f"{network.model}, {feedback} feedback, {sizes}: {len(training)} images of "
        f"{training.name}, engine {engine}"
    )


def _train_epochs(trainer: Training, epochs: int, run: Run) -> None:
    from .plotting import save_learning_curves

    with _interruptible() as stopped, _progress_bar(epochs * len(trainer.training)) as bar:
        saved = -_SAVE_EVERY
        for number in range(epochs):
            done = number * len(trainer.training)

            def show(presented: int, percent: float, done: int = done) -> None:
                bar.set_postfix_str(f"accuracy {percent:.2f} %", refresh=False)
                bar.update(done + presented - bar.n)

            try:
                epoch = trainer.run_epoch(show)
            except KeyboardInterrupt:
                break
            bar.write(
                f"epoch {epoch.epoch}: {epoch.online_accuracy:.2f} % of the training images while "
                f"learning, {epoch.test_accuracy:.2f} % of the test images, {epoch.seconds:.1f} s"
            )
            last = stopped or trainer.interrupted or number == epochs - 1
            if last or time.perf_counter() - saved > _SAVE_EVERY:
                dataclasses.replace(run, weights=trainer.simulation.weights).save()
                save_learning_curves(trainer.history, run.path / "learning_curves.png")
                saved = time.perf_counter()
            if stopped or trainer.interrupted:
                bar.write("stopped by Ctrl-C; what was learned so far is saved")
                break


def _finish(trainer: Training, run: Run, start: float) -> None:
    run.facts.update(
        train_accuracy=trainer.evaluate(trainer.training),
        test_accuracy=trainer.history[-1].test_accuracy,
        epochs=len(trainer.history),
        seconds=round(time.perf_counter() - start, 2),
        interrupted=trainer.interrupted,
    )
    dataclasses.replace(run, weights=trainer.simulation.weights).save()


def _report(run: Run, as_json: bool) -> None:
    facts = run.facts
    keys = ("train_accuracy", "test_accuracy", "epochs", "seconds", "seed")
    if as_json:
        click.echo(json.dumps({key: facts[key] for key in keys} | {"run": str(run.path)}))
        return
    click.echo(
        f"accuracy: {facts['train_accuracy']:.2f} % of the training images, "
        f"{facts['test_accuracy']:.2f} % of the test images, after {facts['epochs']} epochs "
        f"and {facts['seconds']:.0f} s"
    )
    click.echo(f"saved in {run.path}; the picture is learning_curves.png")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--dataset", metavar="mnist|digits|FOLDER", help="Other images than those of the run."
)
@_as_json
def evaluate(run: Path, dataset: str | None, as_json: bool) -> None:
    """Evaluate a saved RUN on training and test images."""
    from .datasets import load
    from .runs import Run
    from .simulation import Simulation
    from .training import Training

    loaded = Run.load(run)
    training, test = load(dataset or loaded.facts["dataset"])
    sizes = loaded.specification.network.sizes
    if training.n_features != sizes[0]:
        raise DataError(
            f"images of {training.name} have {training.n_features} pixels, but the network in "
            f"'{run}' has {sizes[0]} inputs"
        )
    if dataset is None and loaded.facts["limit"]:
        training = training.take(min(loaded.facts["limit"], len(training)))
    simulation = Simulation(
        loaded.specification,
        engine=loaded.facts["engine"],
        precision=loaded.facts["precision"],
        weights=loaded.weights,
        data_dtype=training.images.dtype,
    )
    trainer = Training(simulation, training, test)
    results = {
        "train_accuracy": trainer.evaluate(training),
        "test_accuracy": trainer.evaluate(test),
        "run": str(run),
    }
    if as_json:
        click.echo(json.dumps(results))
    else:
        click.echo(
            f"accuracy: {results['train_accuracy']:.2f} % of {len(training)} training images, "
            f"{results['test_accuracy']:.2f} % of {len(test)} test images"
        )


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
def show(run: Path) -> None:
    """Print what a saved RUN is, and draw its learning curves again."""
    from .plotting import save_learning_curves
    from .runs import Run

    loaded = Run.load(run)
    click.echo(loaded.specification.to_toml())
    for key, value in loaded.facts.items():
        click.echo(f"{key}: {value}")
    for epoch in loaded.history:
        click.echo(
            f"epoch {epoch.epoch}: {epoch.online_accuracy:.2f} % training, "
            f"{epoch.test_accuracy:.2f} % test"
        )
    save_learning_curves(loaded.history, run / "learning_curves.png", run.name)
    click.echo(f"drew {run / 'learning_curves.png'}")


@main.command()
@_as_json
@click.option("--profile", "with_profile", is_flag=True, help="Also time every code object.")
@click.option("--scaling", "with_scaling", is_flag=True, help="Also vary sizes and steps.")
def bench(as_json: bool, with_profile: bool, with_scaling: bool) -> None:
    """Time one epoch of MNIST: dense engine, plain Synapses, backpropagation in PyTorch.

    All on one thread, with the same 784-500-10 network, images, batch and precision.
    """
    from .bench import compare, profile, scaling

    _say("this takes one to two minutes" + ", and about ten for --scaling" * with_scaling)
    results = compare()
    if with_profile:
        seconds, total = profile()
        results["profile_fraction"] = round(sum(seconds.values()) / total, 3)
        for name, value in seconds.items():
            click.echo(f"{value / total:7.1%}  {name.removesuffix('_codeobject')}")
    if with_scaling:
        for row in scaling():
            click.echo(f"{row['varied']} {row['value']}: {row['s_per_epoch']} s per epoch")
    for key, value in results.items():
        missing = key.startswith(("backprop", "slowdown")) and value is None
        if not as_json:
            click.echo(f"{key}: {_NO_TORCH if missing else value}")
    if as_json:
        click.echo(json.dumps(results))


@contextlib.contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Note the first Ctrl-C instead of raising it, wherever it arrives; the second one raises.

    The compiled program gets the signal too, and ends with complete weights.
    """
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
def _progress_bar(total: int) -> Iterator[Any]:
    from tqdm import tqdm

    with tqdm(total=total, unit=" images", mininterval=0.5, dynamic_ncols=True) as bar:
        yield bar


def _say(text: str) -> None:
    """Tell what is going on, on standard error; results go to standard output."""
    click.echo(text, err=True)


if __name__ == "__main__":
    main()

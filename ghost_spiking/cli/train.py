"""``ghost-spiking train``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exceptions import RunError, SpecificationError
from ..specification import Specification
from .common import as_json, data_of_run, interruptible, probe_of, progress_bar, say

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..runs import Run
    from ..training import Training

__all__ = ["train"]

#: Seconds between two drawings of the learning curves while it trains.
_DRAW_EVERY = 5.0
#: What may be given together with --resume.
_FOR_RESUMING = {"resume", "epochs", "save_every", "measure", "as_json"}


@click.command()
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
    help="Save the run after an epoch only if so much time has passed.",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Measure angles, residuals and settling after each epoch, on a few test images.",
)
@as_json
@click.pass_context
def train(
    ctx: click.Context,
    dataset: str,
    limit: int | None,
    seed: int,
    engine: Any,
    precision: Any,
    epochs: int | None,
    out: Path | None,
    resume: Path | None,
    save_every: float,
    measure: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train a network and save it in a run directory.

    Progress and the accuracy so far are shown. Ctrl-C ends the training early and
    keeps what was learned; --resume goes on with it.
    """
    from ..runs import Run, checksum

    start = time.perf_counter()
    if resume is not None:
        _refuse_choices(ctx)
        run = Run.load(resume)
        trainer = _trainer_of(run)
        epochs = epochs or run.facts["goal"]
        earlier = run.facts.get("seconds", 0.0)
    else:
        from ..datasets import load

        training, test = load(dataset)
        if limit is not None:
            training = training.take(min(limit, len(training)))
        specification = _specification(training, engine, **choices)
        epochs = epochs or max(10, 60_000 // len(training))
        facts = {
            "dataset": str(dataset),
            "limit": limit,
            "checksum": checksum(training),
            "engine": engine,
            "precision": precision,
            "seed": seed,
        }
        name = f"{Path(dataset).name}-{time.strftime('%Y%m%d-%H%M%S')}"
        path = Run.create(out or Path("runs") / name)
        try:
            trainer = _new_trainer(specification, training, test, facts)
        except BaseException:
            path.rmdir()
            raise
        run = Run.of(trainer, path, facts)
        earlier = 0.0
    run.facts["goal"] = epochs
    try:
        _train_epochs(trainer, epochs, run, save_every, measure, earlier - start)
    finally:
        if not any(run.path.iterdir()):
            run.path.rmdir()
            say("nothing was learned, so nothing is saved")
    if run.path.exists():
        _report(Run.load(run.path), as_json)


def _refuse_choices(ctx: click.Context) -> None:
    default = click.core.ParameterSource.DEFAULT
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is not default]
    refused = [f"--{name.replace('_', '-')}" for name in given if name not in _FOR_RESUMING]
    if refused:
        raise SpecificationError(
            f"--resume goes on with a run as it is, so {', '.join(refused)} can't be given too"
        )


def _specification(
    training: Dataset, engine: str, spec: Path | None, hidden: str | None, **choices: Any
) -> Specification:
    given = {name: value for name, value in choices.items() if value is not None}
    if spec is not None:
        if given or hidden:
            names = [f"--{name.replace('_', '-')}" for name in (*given, *["hidden"] * bool(hidden))]
            raise SpecificationError(
                f"--spec describes the whole network, so {', '.join(names)} can't be given too"
            )
        specification = Specification.load(spec)
        expected = (training.n_features, training.n_classes)
        if (specification.network.sizes[0], specification.network.sizes[-1]) != expected:
            raise SpecificationError(
                f"{spec}: network.sizes must begin with {expected[0]} and end with {expected[1]} "
                f"for these images, got {list(specification.network.sizes)}"
            )
        return specification
    try:
        layers = [int(part) for part in (hidden or "500").split(",")]
    except ValueError:
        raise SpecificationError(
            f"--hidden: needs numbers of units such as 500 or 300,300, got '{hidden}'"
        ) from None
    if "," in given.get("feedback", ""):
        given["feedback"] = given["feedback"].split(",")
    if "model" in given:
        given["model"] = given["model"].upper()
    if engine == "synapses":
        given.setdefault("batch_size", 1)
    return Specification.create(sizes=(training.n_features, *layers, training.n_classes), **given)


def _new_trainer(
    specification: Specification, training: Dataset, test: Dataset, facts: dict[str, Any]
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
    feedback = ", ".join(dict.fromkeys(network.feedback))
    say(
        f"{network.model}, {feedback} feedback, {sizes}: {len(training)} images of "
        f"{training.name}, engine {facts['engine']}"
    )
    simulation = Simulation(
        specification,
        engine=facts["engine"],
        precision=facts["precision"],
        seed=facts["seed"],
        data_dtype=training.images.dtype,
    )
    if simulation.build_seconds:
        say(f"compiled in {simulation.build_seconds:.0f} s; later runs use the same program")
    return Training(simulation, training, test, facts["seed"])


def _trainer_of(run: Run) -> Training:
    """Make the training that a run belongs to, in the state that was saved."""
    from ..runs import checksum, versions

    training, test = data_of_run(run)
    if run.facts.get("checksum", checksum(training)) != checksum(training):
        raise RunError(
            f"'{run.path}' was trained with other images than '{run.facts['dataset']}' has now"
        )
    then, now = run.facts.get("versions", {}), versions()
    changed = [f"{name} {then.get(name)}" for name in now if then.get(name) != now[name]]
    if changed:
        say(f"it began with {', '.join(changed)}, so numbers may differ in the last bits")
    trainer = _new_trainer(run.specification, training, test, run.facts)
    run.restore(trainer)
    return trainer


def _train_epochs(
    trainer: Training, epochs: int, run: Run, save_every: float, measure: bool, offset: float
) -> None:
    """Train and save; `offset` is what to add to the clock for the duration of all."""
    from ..plotting import plot_learning_curves, save
    from ..runs import Run

    test, n_images = trainer.test, len(trainer.training)
    assert test is not None
    done = len(trainer.history) * n_images + len(trainer.responses)
    last_saved = last_drawn = time.perf_counter()

    def store() -> None:
        nonlocal last_saved
        run.facts["seconds"] = round(time.perf_counter() + offset, 2)
        Run.of(trainer, run.path, run.facts).save()
        last_saved = time.perf_counter()

    def draw() -> None:
        nonlocal last_drawn
        path = run.path / "learning_curves.png"
        save(path, plot_learning_curves, trainer.history, title=run.path.name)
        last_drawn = time.perf_counter()

    with interruptible() as stopped, progress_bar(epochs * n_images, done) as bar:

        def show(presented: int, percent: float) -> bool:
            if len(trainer.history) < epochs:
                bar.set_postfix_str(f"accuracy {percent:.2f} %", refresh=False)
                bar.update(len(trainer.history) * n_images + presented - bar.n)
            return bool(stopped)

        def after_epoch(trainer: Training) -> bool:
            epoch = trainer.history[-1]
            bar.update(len(trainer.history) * n_images - bar.n)
            bar.write(
                f"epoch {epoch.epoch}: {epoch.online_accuracy:.2f} % of the training images while "
                f"learning, {epoch.test_accuracy:.2f} % of the test images, {epoch.seconds:.1f} s"
            )
            if time.perf_counter() - last_saved >= 60 * save_every:
                store()
            if time.perf_counter() - last_drawn > _DRAW_EVERY:
                draw()
            return bool(stopped)

        callbacks = [after_epoch]
        if measure:
            callbacks.insert(0, _measuring(trainer))
        try:
            trainer.run(epochs, callbacks, show)
        finally:  # also after a divergence, with the last good weights
            if trainer.history or len(trainer.responses):
                run.facts["train_accuracy"] = trainer.evaluate(trainer.training)
                run.facts["test_accuracy"] = trainer.evaluate(test)
                run.facts["epochs"] = len(trainer.history)
                store()
            if trainer.history:
                draw()
        if stopped:
            bar.write("stopped by Ctrl-C; what was learned so far is saved, --resume goes on")


def _measuring(trainer: Training) -> Any:
    from ..callbacks import Measure

    assert trainer.test is not None
    return Measure(probe_of(trainer.simulation.specification, trainer.test, trainer.seed))


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
    click.echo(f"saved in {run.path}; ghost-spiking show {run.path} draws more pictures of it")

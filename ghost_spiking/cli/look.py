"""``ghost-spiking evaluate``, ``show`` and ``trace``: look at a saved run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..exceptions import DataError, RunError
from .common import (
    as_json,
    data_of_run,
    device_option,
    open_run,
    other_data,
    own_model,
    probe_of,
    repair,
    run_argument,
    say,
    simulation_of_run,
)

if TYPE_CHECKING:
    from ..runs import Run

__all__ = ["evaluate", "show", "trace"]

_picture_format = click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "svg", "pdf"]),
    default="png",
    show_default=True,
    help="Kind of pictures.",
)

_moved_data = click.option(
    "--dataset", metavar="FOLDER", help="Where the images of the run are now, if they were moved."
)


@click.command()
@run_argument
@click.option(
    "--dataset", metavar="mnist|digits|FOLDER", help="Other images than those of the run."
)
@device_option
@own_model
@as_json
def evaluate(run: Path, dataset: str | None, device: str | None, as_json: bool) -> None:
    """Evaluate a saved RUN on training and test images."""
    import joblib

    from ..training import Training

    loaded = open_run(run)
    training, test = data_of_run(loaded) if dataset is None else other_data(loaded, dataset)
    trainer = Training(simulation_of_run(loaded, training.images.dtype, device), training, test)
    results = {
        "train_accuracy": trainer.evaluate(training, cores=joblib.cpu_count()),
        "test_accuracy": trainer.evaluate(test, cores=joblib.cpu_count()),
        "run": str(loaded.path),
    }
    if as_json:
        click.echo(json.dumps(results))
    else:
        click.echo(
            f"accuracy: {results['train_accuracy']:.2f} % of {len(training)} training images, "
            f"{results['test_accuracy']:.2f} % of {len(test)} test images"
        )


@click.command()
@run_argument
@_moved_data
@device_option
@own_model
@_picture_format
def show(run: Path, dataset: str | None, device: str | None, suffix: str) -> None:
    """Print what a saved RUN is, and draw all there is to see of it.

    Learning curves, distances between weights, angles to backpropagation, receptive fields,
    confusion matrix and mistakes, each as a picture in the run directory.
    """
    loaded = open_run(run)
    click.echo(loaded.specification.to_toml())
    for key, value in loaded.summary().items():
        if value is None:
            value = "not known; ghost-spiking evaluate gives it"
        click.echo(f"{key}: {value}")
    _count(loaded, dataset)
    for epoch in loaded.history:
        click.echo(
            f"epoch {epoch.epoch}: {epoch.online_accuracy:.2f} % training, "
            f"{epoch.test_accuracy:.2f} % test"
        )
    try:
        _draw(loaded, dataset, device, suffix)
    except OSError as error:
        raise RunError(f"pictures can't be drawn in '{loaded.path}': {error}") from None
    finally:  # last, as a training may have gone on while this drew learning curves
        repair(loaded.path)


def _count(run: Run, dataset: str | None) -> None:
    """Print how many spikes an image costs, if units send any."""
    from ..measure import count_spikes
    from ..measure._spikes import PICOJOULES

    if run.specification.spikes is None:
        return
    _, test = data_of_run(run, dataset)
    probe = probe_of(run.specification, test, run.facts.seed or 0, run.adaptation)
    counts = count_spikes(probe, run.weights)
    for population, phases in counts.spikes.items():
        numbers = ", ".join(f"{number:.0f} while {phase}" for phase, number in phases.items())
        click.echo(f"spikes of {population} per image: {numbers}")
    numbers = ", ".join(f"{number:.3g} while {phase}" for phase, number in counts.events.items())
    click.echo(
        f"synaptic events per image: {numbers}; {counts.nanojoules:.3g} nJ at {PICOJOULES} pJ each "
        "(Loihi, Davies et al. 2018), without the input's"
    )


def _draw(run: Run, dataset: str | None, device: str | None, suffix: str) -> None:
    from ..plotting import save_overview

    _, test = data_of_run(run, dataset)
    probe = probe_of(run.specification, test, run.facts.seed or 0, run.adaptation)
    say("measuring and drawing ...")
    run.path.mkdir(exist_ok=True)  # that of the trained network that ships is not there yet
    drawn = save_overview(
        run.path,
        suffix,
        run.history,
        run.weights,
        probe.measure(run.weights),
        test.images,
        test.image_shape,
        test.labels,
        simulation_of_run(run, test.images.dtype, device).predict(
            test.images, maximum=test.maximum
        ),
        run.classes,
    )
    for path in drawn:
        click.echo(f"drew {path}")


@click.command()
@run_argument
@click.option("--layer", type=int, default=1, show_default=True, help="Layer of the unit, from 1.")
@click.option(
    "--unit",
    type=int,
    help="Number of the unit in its layer, from 0.  [default: the one with the largest error]",
)
@click.option("--image", type=int, default=0, show_default=True, help="Which test image, from 0.")
@click.option("--label", help="Nudge towards this class instead of the image's own.")
@click.option("--out", type=click.Path(path_type=Path), help="File of the picture.")
@_moved_data
@own_model
@_picture_format
def trace(
    run: Path,
    layer: int,
    unit: int | None,
    image: int,
    label: str | None,
    out: Path | None,
    dataset: str | None,
    suffix: str,
) -> None:
    """Record one unit of a saved RUN through all phases: state, inputs, error."""
    import numpy as np

    from ..measure import Probe
    from ..plotting import plot_trace, save

    loaded = open_run(run)
    _, test = data_of_run(loaded, dataset)
    sizes = loaded.specification.network.sizes
    _within("--layer", layer, 1, len(sizes) - 1)
    _within("--image", image, 0, len(test) - 1)
    names = [str(name) for name in loaded.classes]
    if label is not None and label not in names:
        raise DataError(f"--label: must be one of {', '.join(names)}, got '{label}'")
    if unit is not None:
        _within("--unit", unit, 0, sizes[layer] - 1)
    labels = test.labels[[image]] if label is None else np.array([names.index(label)])
    probe = Probe(
        loaded.specification,
        test.images[[image]],
        labels,
        maximum=test.maximum,
        seed=loaded.facts.seed or 0,
        adaptation=loaded.adaptation,
    )
    recorded = probe.trace(loaded.weights, layer)
    if unit is None:
        values = recorded.recorded.get("error", recorded["state"])
        unit = int(np.abs(values[-1, 0]).argmax())
    path = out or loaded.path / f"trace_layer{layer}_unit{unit}_image{image}.{suffix}"
    shown, wanted = names[test.labels[image]], names[labels[0]]
    if out is None:
        path.parent.mkdir(exist_ok=True)
    title = f"unit {unit} of layer {layer}, a {shown} nudged to {wanted}\n"
    try:
        rows = len(recorded.panels)
        size = (6.4, 5 + 1.4 * (rows - 3))
        save(path, plot_trace, recorded, unit, 0, rows=rows, title=title, size=size)
    except (ValueError, OSError) as error:
        raise DataError(f"--out: '{path}' can't be drawn: {error}") from None
    click.echo(f"drew {path}")


def _within(option: str, value: int, first: int, last: int) -> None:
    if not first <= value <= last:
        raise DataError(f"{option}: must be between {first} and {last}, got {value}")

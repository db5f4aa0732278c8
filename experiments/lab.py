"""What the experiments share: training runs that are saved when they end, and done only once.

A `Task` is one network, one seed, so many epochs. `run_all` trains what is not there yet, several
at a time, and saves each run in results/runs/ as soon as it is finished; whoever stops a
script and starts it again loses at most the runs that were under way.
"""

from __future__ import annotations

import csv
import functools
import json
import math
import os
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click
import joblib
import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from ghost_spiking import Specification
from ghost_spiking.datasets import load
from ghost_spiking.measure import flatten
from ghost_spiking.models import model_named
from ghost_spiking.runs import Facts, Record, Run, write_atomically
from ghost_spiking.simulation import Simulation
from ghost_spiking.training import Epoch, Training

HERE = Path(__file__).parent
RESULTS = HERE / "results"
#: Trained weights, for measurements afterwards; not in the repository.
WEIGHTS = HERE / "weights"
#: Colours of Okabe and Ito, which colour-blind people tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def options(function):
    """Return a script the options --quick and --jobs."""
    function = click.option("--quick", is_flag=True, help="A few minutes, on part of the data.")(
        function
    )
    function = click.option(
        "--jobs", default=os.cpu_count() or 1, show_default=True, help="Runs at the same time."
    )(function)
    return click.command(help=function.__doc__)(function)


def folder(quick):
    """Where results go; quick ones must not pass for real ones."""
    path = HERE / "quick" if quick else RESULTS
    path.mkdir(exist_ok=True)
    return path


def specification(name, hidden, **fields):
    """Return the network of a TOML file in models/, with hidden layers of these sizes.

    Other fields are changed before defaults are chosen, so that these follow them.
    """
    data = tomllib.loads((HERE / "models" / f"{name}.toml").read_text())
    sections = model_named(data["network"]["model"]).sections()
    for field, value in ({"sizes": [784, *hidden, 10]} | fields).items():
        section = "protocol" if field in sections["protocol"].model_fields else "network"
        place = data.setdefault(section, {})
        place[field] = place.get(field, {}) | value if isinstance(value, dict) else value
    return Specification.from_dict(data)


@dataclass(frozen=True)
class Task:
    """One training run.

    `held_out` images are taken from the training set, and evaluated instead of the test set;
    `images` limits the training set in quick runs, which also test with fewer. In `rest` further
    epochs only ghosts (and learned feedback) learn, so that what they still have to catch up with
    shows.
    """

    name: str
    specification: Specification
    seed: int
    epochs: int
    held_out: int = 0
    images: int | None = None
    rest: int = 0
    keep_weights: bool = False

    def description(self):
        return {
            "seed": self.seed,
            "epochs": self.epochs,
            "held_out": self.held_out,
            "images": self.images,
            "rest": self.rest,
        }

    def weights_file(self, moment=""):
        # Weights of a quick run must not pass for those of the real one.
        length = f"{self.epochs} epochs of {self.images or 'all'} images"
        return WEIGHTS / f"{', '.join(filter(None, (self.name, length, moment)))}.npz"

    def save_weights(self, moment, weights):
        if self.keep_weights:
            WEIGHTS.mkdir(exist_ok=True)
            partial = WEIGHTS / f"{self.name}.part.npz"
            np.savez(partial, **weights)
            os.replace(partial, self.weights_file(moment))

    def weights(self, moment=""):
        """Return the weights at the end, or of another moment, in double precision."""
        with np.load(self.weights_file(moment)) as archive:
            return {name: archive[name].astype(float) for name in archive.files}

    def load(self, where):
        """Return the saved record, or None if there is none that fits."""
        try:
            record = read(where / "runs" / f"{self.name}.json")
        except (OSError, ValueError):
            return None
        # Fields that did not exist when it was saved have their defaults now.
        # A half-life that is left open is found for the number of images.
        expected = self.specification.for_training(self.images or 60_000 - self.held_out)
        same = record.facts.notes == self.description() and (
            Specification.from_toml(record.specification) in (self.specification, expected)
        )
        there = not self.keep_weights or self.weights_file().exists()
        return record if same and there else None

    def data(self):
        training, test = load("mnist")
        if self.held_out:
            training, test = training.split(self.held_out, seed=0)
        if self.images:  # a quick run
            training, test = training.take(self.images), test.take(min(len(test), 2000))
        return training, test

    def simulation(self):
        return Simulation(self.specification, seed=self.seed)

    def run(self, where):
        """Train, save and return the record."""
        start = time.perf_counter()
        training, test = self.data()
        simulation = self.simulation()
        trainer = Training(simulation, training, test, self.seed)
        trainer.run(self.epochs)
        if self.rest:
            self.save_weights("before rest", simulation.weights)
            simulation.specification = self.specification.replace(
                learning_rates={"feedforward": 0.0, "bias": 0.0}
            )
            trainer.run(self.epochs + self.rest)
            simulation.specification = self.specification
        facts = Facts.of(trainer, goal=self.epochs + self.rest, notes=self.description())
        run = Run.of(
            trainer,
            where,
            facts,
            seconds=time.perf_counter() - start,
            train_accuracy=trainer.evaluate(training),
        )
        self.save_weights("", simulation.weights)
        (where / "runs").mkdir(exist_ok=True)
        text = run.record().model_dump_json(indent=1) + "\n"
        write_atomically(where / "runs" / f"{self.name}.json", text.encode())
        return run.record()


def read(path):
    """Read a record; those of version 0.1 had fewer facts, and measurements by groups."""
    saved = json.loads(path.read_text())
    if "facts" in saved:
        return Record.model_validate(saved)
    found = ("specification", "train_accuracy", "test_accuracy", "seconds", "version", "history")
    notes = {"rest": 0} | {name: value for name, value in saved.items() if name not in found}
    history = [
        Epoch(
            number,
            row.pop("online_accuracy"),
            math.nan,
            row.pop("test_accuracy"),
            math.nan,
            math.nan,
            flatten(row),
        )
        for number, row in enumerate(saved["history"], start=1)
    ]
    return Record(
        specification=saved["specification"],
        facts=Facts(seed=saved["seed"], versions={"ghost-spiking": saved["version"]}, notes=notes),
        history=tuple(history),
        seconds=saved["seconds"],
        train_accuracy=saved["train_accuracy"],
        test_accuracy=saved["test_accuracy"],
    )


def run_all(tasks, where, jobs):
    """Return the runs of all tasks; train those that are missing, and show the time left."""
    runs = {task.name: task.load(where) for task in tasks}
    missing = [task for task in tasks if runs[task.name] is None]
    if missing:
        # Compile before the processes start, lest several of them compile the same program.
        for spec in {task.specification for task in missing}:
            Simulation(spec)
        learn = functools.partial(_named, where=where)
        for name, run in parallel(jobs, learn, missing, "runs"):
            runs[name] = run
            tqdm.write(f"{name}: {run.test_accuracy:.2f} % in {run.seconds:.0f} s")
    return [runs[task.name] for task in tasks]


def _named(task, where):
    return task.name, task.run(where)


def parallel(jobs, function, items, unit):
    """Yield results as they come, and show the time left."""
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    found = work(joblib.delayed(function)(item) for item in items)
    yield from tqdm(found, total=len(items), unit=f" {unit}")


def save_table(path, rows):
    """Write dictionaries with the same keys as a CSV file."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path):
    """Return the rows of a CSV file as dictionaries; none if there is no file yet."""
    try:
        with open(path, newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def append_row(path, row):
    """Add a row to a CSV file."""
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def figure(rows=1, columns=1, width=3.4, height=2.6):
    """Make a figure of panels that are as wide as a column of a paper."""
    drawing = Figure(figsize=(width * columns, height * rows), dpi=200, layout="constrained")
    axes = drawing.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.grid(alpha=0.3, linewidth=0.5)
    return drawing, axes


def band(panel, values, colour, label):
    """Draw the mean over seeds, with one standard deviation to each side; a row for each seed."""
    values = np.asarray(values)
    epochs = np.arange(1, values.shape[1] + 1)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    panel.plot(epochs, mean, color=colour, label=label)
    panel.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.25, lw=0)
    panel.set_xlabel("epoch")
    panel.set_xlim(1 if len(epochs) > 1 else 0, len(epochs))

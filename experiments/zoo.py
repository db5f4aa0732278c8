"""Data of many kinds, no option changed, beside scikit-learn's MLPClassifier with its defaults.

Images are learned by the networks and epochs that `ghost-spiking train` chooses, tables by
`GhostClassifier`. Each result is saved as soon as it is there; whoever stops the script and starts
it again loses at most the fits that were under way. Fashion-MNIST is not part of the package: name
its folder of IDX files, which Debian's dataset-fashion-mnist has, with --fashion.
"""

from __future__ import annotations

import re
import time
import warnings
from dataclasses import dataclass, replace

import click
import joblib
import lab
import numpy as np
from sklearn import datasets as tables
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ghost_spiking import GhostClassifier, Simulation, Specification, Training
from ghost_spiking.datasets import Dataset, load
from ghost_spiking.exceptions import GhostSpikingError, LearningWarning
from ghost_spiking.training import default_epochs

SEEDS = 3
COLUMNS = ("data", "learner", "seed", "accuracy", "best", "epochs", "seconds", "warning")
#: Model, feedback and loss.
LEARNERS = [
    f"{model} {feedback} {loss}"
    for model in ("MA", "MB")
    for feedback in ("transpose", "alignment")
    for loss in ("squared_error", "cross_entropy")
]
RIVAL = "MLPClassifier"
#: Hidden units.
IMAGES, TABLE = 500, 100
#: Images that all models learn, and are tested with; the large sets as a whole are for MA alone.
FEW, TEST = 5000, 2000


# -- images ---------------------------------------------------------------------------


def mapped(change):
    """Return MNIST with other pixels."""
    return tuple(replace(part, images=change(part.images)) for part in load("mnist"))


def permuted(images):
    """Return images with their pixels in another order, the same for all."""
    return images[:, np.random.default_rng(0).permutation(images.shape[1])]


def faint(images):
    """Return images in shades of grey, a tenth as far apart, about the middle."""
    return (115 + images / 10).astype(np.uint8)


def made_images(n_classes, n_images, n_test=TEST):
    """Return pictures of two dozen blots each, which are moved, dimmed and covered with noise."""
    generator = np.random.default_rng(n_classes)
    side, grid = 28, np.arange(28)
    patterns = np.zeros((n_classes, side, side))
    for pattern in patterns:
        for x, y in generator.uniform(5, 23, (12, 2)):
            pattern += np.exp(-((grid - x) ** 2 + (grid[:, None] - y) ** 2) / 4)
        pattern /= pattern.max()
    labels = np.arange(n_images + n_test) % n_classes
    images = np.empty((len(labels), side, side))
    for k, label in enumerate(labels):
        moved = np.roll(patterns[label], generator.integers(-2, 3, 2), (0, 1))
        images[k] = moved * generator.uniform(0.4, 1.0) + 0.25 * generator.standard_normal()
        images[k] += 0.2 * generator.standard_normal((side, side))
    pixels = (255 * np.clip(images, 0, 1)).astype(np.uint8).reshape(len(labels), -1)
    order = generator.permutation(len(labels))
    parts = order[:n_images], order[n_images:]
    return tuple(
        Dataset("made", pixels[part], labels[part], 255.0, (side, side), n_classes)
        for part in parts
    )


def few(parts, n_images=FEW):
    """Return some of the images, drawn at random."""
    training, test = parts
    generator = np.random.default_rng(1)
    return tuple(
        part.take(generator.permutation(len(part))[:n])
        for part, n in ((training, n_images), (test, TEST))
    )


def image_rows(fashion):
    """Return training and test images of every kind, by name."""
    whole = {
        "MNIST": lambda: load("mnist"),
        "MNIST, black and white exchanged": lambda: mapped(lambda images: 255 - images),
        "Fashion-MNIST": lambda: load(fashion),
    }
    rows = {"digits": lambda: load("digits"), "MNIST, 300 images": lambda: few(load("mnist"), 300)}
    for name, change in (
        ("MNIST", lambda images: images),
        ("exchanged MNIST", lambda images: 255 - images),
        ("permuted MNIST", permuted),
        ("faint MNIST", faint),
    ):
        rows[f"{name}, 5,000 images"] = lambda change=change: few(mapped(change))
    rows["Fashion-MNIST, 5,000 images"] = lambda: few(load(fashion))
    rows["made images, 26 classes"] = lambda: made_images(26, FEW)
    rows["made images, 100 classes"] = lambda: made_images(100, FEW)
    return {name: row for name, row in (whole | rows).items() if fashion or "Fashion" not in name}


#: Those that are learned as a whole.
WHOLE = ("MNIST", "MNIST, black and white exchanged", "Fashion-MNIST")


# -- tables ---------------------------------------------------------------------------


def made_table(n_features, **options):
    """Return a table with two thirds of its features informative."""
    informative = max(2, 2 * n_features // 3)
    return tables.make_classification(
        1000, n_features, n_informative=min(informative, 20), n_redundant=0, n_repeated=0,
        n_clusters_per_class=1, random_state=n_features, **options,
    )  # fmt: skip


def with_outlier():
    """Return iris with one value a thousand times too large."""
    X, y = tables.load_iris(return_X_y=True)
    X[7, 2] *= 1000
    return X, y


def with_useless_features():
    """Return wine with two constant features, and with all others twice."""
    X, y = tables.load_wine(return_X_y=True)
    return np.hstack([X, np.full((len(X), 1), 7.0), X, np.zeros((len(X), 1))]), y


TABLES = {
    "iris": lambda: tables.load_iris(return_X_y=True),
    "iris, one outlier": with_outlier,
    "wine": lambda: tables.load_wine(return_X_y=True),
    "wine, constant and duplicated features": with_useless_features,
    "breast cancer": lambda: tables.load_breast_cancer(return_X_y=True),
    "moons": lambda: tables.make_moons(500, noise=0.2, random_state=0),
    "made table, 2 features": lambda: made_table(2),
    "made table, 5 features": lambda: made_table(5, n_classes=3),
    "made table, 20 features": lambda: made_table(20, n_classes=4),
    "made table, 200 features": lambda: made_table(200),
    "made table, 5 % in one class": lambda: made_table(10, weights=[0.95], class_sep=1.5),
}


# -- learning -------------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """One learner, one kind of data, one seed."""

    data: str
    learner: str
    seed: int
    fashion: str | None
    limit: int | None = None

    @property
    def key(self):
        return self.data, self.learner, str(self.seed)

    def run(self):
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", LearningWarning)
            try:
                found = self._table() if self.data in TABLES else self._images()
            except GhostSpikingError as error:
                found = {"accuracy": 0.0, "best": 0.0, "epochs": 0, "warning": str(error)}
        found.setdefault("warning", str(caught[0].message) if caught else "")
        facts = {"data": self.data, "learner": self.learner, "seed": self.seed}
        return facts | found | {"seconds": round(time.perf_counter() - start, 1)}

    def _table(self):
        X, y = TABLES[self.data]()
        limit = self.limit
        folds = StratifiedKFold(2 if limit else 3, shuffle=True, random_state=self.seed)
        if self.learner == RIVAL:
            rival = MLPClassifier((TABLE,), random_state=self.seed)
            learner = make_pipeline(StandardScaler(), rival)
        else:
            model, feedback, loss = self.learner.split()
            learner = GhostClassifier(
                (TABLE,), model=model, feedback=feedback, loss=loss, random_state=self.seed
            )
        right = 100 * float((cross_val_predict(learner, X, y, cv=folds) == y).mean())
        return {"accuracy": right, "best": right, "epochs": ""}

    def _images(self):
        training, test = image_rows(self.fashion)[self.data]()
        if self.limit:
            training, test = (part.take(min(self.limit, len(part))) for part in (training, test))
        if self.learner == RIVAL:
            rival = MLPClassifier((IMAGES,), random_state=self.seed)
            rival.fit(training.images / np.float32(training.maximum), training.labels)
            right = 100 * rival.score(test.images / np.float32(test.maximum), test.labels)
            return {"accuracy": right, "best": right, "epochs": rival.n_iter_}
        model, feedback, loss = self.learner.split()
        specification = Specification.create(
            sizes=(training.n_features, IMAGES, training.n_classes),
            model=model, feedback=feedback, loss=loss,
        )  # fmt: skip
        trainer = Training(Simulation(specification, seed=self.seed), training, test, self.seed)
        trainer.run(epochs_for(self.data, training))
        accuracies = [epoch.test_accuracy for epoch in trainer.history]
        warned = next((epoch.warning for epoch in trainer.history if epoch.warning), "")
        return {
            "accuracy": accuracies[-1],
            "best": max(accuracies),
            "epochs": len(accuracies),
            "warning": warned,
        }


def epochs_for(data, training):
    """Return as many as the command line chooses; twice as many for Fashion-MNIST."""
    return 20 if data == "Fashion-MNIST" else default_epochs(len(training))


def fits(fashion, quick):
    """Return all fits; the learners that most people will use come first."""
    first = *LEARNERS[:2], RIVAL
    return [
        Fit(data, learner, seed, fashion, 500 if quick else None)
        for learner in ((*first, LEARNERS[4]) if quick else (*first, *LEARNERS[2:]))
        for data in (*TABLES, *image_rows(fashion))
        for seed in range(1 if quick else SEEDS)
        if data not in WHOLE or (learner in first and not quick)
    ]


def read(path):
    """Return the results that are saved, by fit."""
    return {(row["data"], row["learner"], row["seed"]): row for row in lab.read_rows(path)}


def means(rows, n_seeds):
    """Return mean accuracies by data and learner, where all seeds are there."""
    found = {}
    for row in rows:
        found.setdefault((row["data"], row["learner"]), []).append(float(row["accuracy"]))
    return {key: sum(v) / n_seeds for key, v in found.items() if len(v) == n_seeds}


def table(known, kinds):
    """Return rows for people, with a column for each learner that there is."""
    learners = [one for one in (RIVAL, *LEARNERS) if any(one == learner for _, learner in known)]
    return [
        {"data": data}
        | {
            learner.replace("_", " "): f"{known[data, learner]:.2f}"
            if (data, learner) in known
            else ""
            for learner in learners
        }
        for data in kinds
    ]


def draw(known, kinds):
    """Draw how far learners are from the rival, for each kind of data."""
    drawing, panels = lab.figure(width=6.4, height=5.2)
    panel = panels[0, 0]
    n_images = sum(data not in TABLES for data in kinds)
    for rows, points in ((range(n_images), 1), (range(n_images, len(kinds)), 2)):
        for row in rows:
            panel.fill_betweenx([row - 0.5, row + 0.5], -points, points, color="0.92", lw=0)
    for number, learner in enumerate(LEARNERS):
        model, feedback, loss = learner.split()
        places, differences = [], []
        for row, data in enumerate(kinds):
            if (data, learner) in known and (data, RIVAL) in known:
                places.append(row + (number - 3.5) / 12)
                differences.append(known[data, learner] - known[data, RIVAL])
        if not places:
            continue
        panel.plot(
            np.clip(differences, -8, 4),
            places,
            marker="o" if feedback == "transpose" else "^",
            markersize=4,
            linestyle="",
            color=lab.COLOURS[2 * (model == "MB") + (loss == "cross_entropy")],
            markerfacecolor=None if feedback == "transpose" else "none",
            label=f"{model}, {feedback}, {loss.replace('_', '-')}",
        )
    panel.axvline(0, color="0.3", linewidth=1)
    panel.set_yticks(range(len(kinds)), kinds, fontsize=7)
    panel.set_ylim(len(kinds) - 0.5, -0.5)
    panel.set_xlabel(f"accuracy, points above {RIVAL}'s (cut off at -8 and 4)")
    drawing.legend(loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    return drawing


@click.option("--fashion", help="Folder with Fashion-MNIST.")
@click.option("--only", help="Only fits whose 'data; learner' matches this.")
@lab.options
def main(quick, jobs, fashion, only):
    """Learn data of many kinds with the defaults, and print accuracies; saved in zoo.csv."""
    where = lab.folder(quick)
    path = where / "zoo.csv"
    known = read(path)
    missing = [
        fit
        for fit in fits(fashion, quick)
        if fit.key not in known and re.search(only or "", f"{fit.data}; {fit.learner}")
    ]
    # Together, the seeds of a fit need one program.
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=SEEDS)(
        joblib.delayed(Fit.run)(fit) for fit in missing
    )
    for row in tqdm(work, total=len(missing), unit=" fits"):
        lab.append_row(path, {name: row[name] for name in COLUMNS})
        tqdm.write(f"{row['data']}, {row['learner']}, {row['seed']}: {row['accuracy']:.2f} %")
    known, kinds = (
        means(read(path).values(), 1 if quick else SEEDS),
        [*image_rows(fashion or "fashion"), *TABLES],
    )
    kinds = [data for data in kinds if any(data == one for one, _ in known)]
    lab.save_table(where / "zoo_means.csv", table(known, kinds))
    draw(known, kinds).savefig(where / "zoo.png")
    for row in table(known, kinds):
        data, *values = row.values()
        click.echo(" ".join(value.rjust(6) for value in values) + f"  {data}")


if __name__ == "__main__":
    main()

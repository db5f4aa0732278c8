"""The choice of hyperparameters: candidates compared on 10,000 held-out training images.

Each candidate differs from the files in models/ in what its name says, and is trained on the other
50,000 images. The test images are never looked at.

python experiments/choose.py [--quick] [--only REGEX]
"""

import re

import click
from lab import Task, folder, options, run_all, save_table, specification

EPOCHS = {"MA": 40, "MB": 15, "MB-alignment-100": 30, "deep-alignment": 20}
EPOCHS |= {
    "MA-transpose-100": 40,
    "MA-beta6": 40,
    "ours": 40,
    "ours-MB": 20,
    "ours-deep": 40,
    "ours-MB-alignment-100": 40,
    "ours-MB-alignment-300": 40,
}


def rates(*feedforward, **others):
    return {"learning_rates": {"feedforward": feedforward, **others}}


def start(**initial_weights):
    return {"initial_weights": initial_weights}


HALF = {"beta": 6.0} | rates(2.0, 0.1)
SMALL = start(feedforward=(1.0, 0.3))
SHORT = {"prediction_steps": 4, "nudging_steps": 6}
WEAK = {"beta": 0.01}
TWICE = rates(1900.0, 325.0, 27.0)
SMALLER = start(feedforward=(1.0, 2.0, 0.5))
FALLING = {"half_life": 4000, "schedule": "exponential"}
LARGE = start(feedforward=(2.0, 3.0, 3.0, 3.0, 1.0))
FOUR = "100-100-100-100"

#: File in models/, feedback, units, name, changes.
CANDIDATES = (
    ("MA", "transpose", 500, "as chosen", {}),
    ("MA", "transpose", 500, "8 nudging steps", {"nudging_steps": 8}),
    ("MA", "transpose", 500, "16 nudging steps", {"nudging_steps": 16}),
    ("MA-beta6", "transpose", 500, "beta 6, half the rates", {}),
    ("MA", "transpose", 500, "beta 12, a quarter of the rates", {"beta": 12.0} | rates(1.0, 0.05)),
    ("MA", "transpose", 500, "beta 6, first layer a quarter", {"beta": 6.0} | rates(1.0, 0.1)),
    ("MA", "transpose", 500, "beta 6, rates fall", HALF | {"half_life": 6000}),
    ("MA", "transpose", 500, "beta 6, larger W^f", HALF | start(feedforward=(2.0, 0.3))),
    ("MA", "transpose", 500, "beta 6, batches of 50", HALF | {"batch_size": 50}),
    ("MA", "transpose", 500, "beta 6, smaller W^f", HALF | start(feedforward=(0.5, 0.3))),
    ("MA", "transpose", 500, "first layer twice as fast", rates(8.0, 0.2)),
    ("MA", "transpose", 500, "ghosts wait 6 steps", {"ghost_delay": 6}),
    ("MB", "transpose", 100, "as chosen", {}),
    ("MB", "transpose", 100, "batches of 100", {"batch_size": 100, "half_life": 1500}),
    ("MB", "transpose", 100, "V^b slower", {"learning_rates": {"ghost_feedback": 0.12}}),
    ("MB", "transpose", 100, "V^b faster", {"learning_rates": {"ghost_feedback": 0.4}}),
    ("MB", "transpose", 100, "300 ghosts", {"ghosts": 300}),
    ("MB", "transpose", 300, "as chosen", {}),
    ("MB", "transpose", 300, "V^b slower", {"learning_rates": {"ghost_feedback": 0.12}}),
    ("MB", "transpose", 300, "V^b faster", {"learning_rates": {"ghost_feedback": 0.3}}),
    ("MB", "transpose", 300, "first layer twice as fast", rates(0.2, 0.005)),
    ("MB", "alignment", 100, "as in wider networks", {}),
    ("MB", "alignment", 100, "first layer half as fast", rates(0.1, 0.005)),
    ("MB", "alignment", 100, "first layer twice as fast", rates(0.4, 0.005)),
    ("MB", "alignment", 100, "small W^f into the output", SMALL),
    ("MB", "alignment", 100, "smaller W^f", start(feedforward=(1.0, 0.1))),
    ("MB", "alignment", 100, "small W^f, output layer twice as fast", SMALL | rates(0.2, 0.01)),
    ("MB-alignment-100", "alignment", 100, "as chosen", {}),
    ("MB", "alignment", 100, "beta 9, a third of the rates", {"beta": 9.0} | rates(0.07, 0.0017)),
    ("MB", "alignment", 100, "rates do not fall", {"half_life": 0}),
    ("deep-alignment", "alignment", FOUR, "as chosen", {}),
    ("deep-alignment", "alignment", FOUR, "W^f as with transpose", LARGE),
    ("deep-alignment", "alignment", FOUR, "W^b a third", start(feedback=1.0)),
    ("deep-alignment", "alignment", FOUR, "beta 3", {"beta": 3.0}),
    ("deep-alignment", "alignment", FOUR, "output twice as fast", rates(4.0, *[0.03] * 3, 0.1)),
    ("MA", "alignment", 500, "as in narrower networks", {}),
    ("MA", "alignment", 500, "W^b three times", start(feedback=3.0)),
    ("MA", "alignment", 500, "W^b ten times", start(feedback=10.0)),
    ("MA", "alignment", 500, "ghosts start as copies", start(self_predicting=True)),
    ("MA-beta6", "alignment", 500, "beta 6, half the rates", {}),
    ("MA", "alignment", 500, "small W^f into the output", start(feedforward=(1.0, 0.1))),
    ("MA-transpose-100", "transpose", 100, "as chosen", {}),
    ("MA", "transpose", 100, "as in wider networks", {}),
    ("MA", "transpose", 100, "first layer twice as fast", rates(8.0, 0.2)),
    ("MA", "transpose", 100, "output twice as fast", rates(4.0, 0.4)),
    ("MB", "alignment", 300, "as chosen", {}),
    ("MB", "alignment", 300, "W^b three times", start(feedback=3.0)),
    ("ours", "alignment", 500, "as chosen", {}),
    ("ours", "alignment", 500, "W^b as in Table 1", start(feedback=1.0)),
    ("ours-deep", "transpose", 500, "as with two layers", SHORT),
    ("ours-deep", "transpose", 500, "beta 6", SHORT | {"beta": 6.0}),
    ("ours-deep", "transpose", 500, "rates do not fall", SHORT | {"half_life": 0}),
    ("ours-deep", "transpose", 500, "larger W^f", SHORT | start(feedforward=(3.0, 1.5))),
    ("ours-deep", "transpose", "300-300", "as chosen", {}),
    ("ours-deep", "transpose", "300-300", "larger W^f", start(feedforward=(3.0, 4.0, 1.5))),
    ("ours-deep", "transpose", "300-300", "first layer half as fast", rates(1.56, 1.08, 0.09)),
    ("ours-deep", "transpose", "300-300", "rates do not fall", {"half_life": 0}),
    ("ours-deep", "transpose", "300-300", "beta 12", {"beta": 12.0}),
    ("ours-deep", "transpose", "300-300", "beta 0.01", WEAK),
    ("ours-deep", "transpose", "300-300", "beta 0.01, smaller W^f", WEAK | SMALLER),
    ("ours-deep", "transpose", "300-300", "beta 0.01, first layer twice as fast", WEAK | TWICE),
    ("ours-deep", "transpose", "300-300", "beta 0.01, rates fall more", WEAK | FALLING),
    ("ours-MB", "transpose", 500, "as chosen", {}),
    ("ours-MB", "transpose", 500, "V^f a quarter as large", start(ghost_forward=3.0)),
    ("ours-MB", "transpose", 500, "30 ghosts", {"ghosts": 30}),
    ("ours-MB", "alignment", 300, "as with 500 units", {}),
    ("ours-MB-alignment-300", "alignment", 300, "as chosen", {}),
    ("ours-MB-alignment-100", "alignment", 300, "as with 100 units", {}),
    ("ours-MB-alignment-100", "alignment", 100, "as chosen", {}),
    ("ours-MB-alignment-300", "alignment", 100, "as with 300 units", {}),
)  # fmt: skip


def task(file, feedback, units, name, changes, quick):
    """Return the training of a candidate."""
    epochs = changes.get("epochs", EPOCHS[file])
    fields = {field: value for field, value in changes.items() if field != "epochs"}
    hidden = [int(n) for n in str(units).split("-")]
    kind = ("ours " if "ours" in file else "") + ("MB" if "MB" in file else "MA")
    return Task(
        f"{kind}-{feedback}-{units} {name}",
        specification(file, hidden, feedback=feedback, **fields),
        seed=0,
        epochs=1 if quick else epochs,
        held_out=10_000,
        images=5000 if quick else None,
    )


@options
@click.option("--only", default="", help="Only candidates whose name matches this.")
def main(quick, jobs, only):
    """Compare candidates on held-out training images."""
    where = folder(quick)
    tasks = [task(*candidate, quick) for candidate in (CANDIDATES[:2] if quick else CANDIDATES)]
    run_all([task for task in tasks if re.search(only, task.name)], where, jobs)
    finished = [task for task in tasks if task.load(where)]
    rows = [
        {
            "candidate": task.name,
            "epochs": task.epochs,
            "train_accuracy": round(run.train_accuracy, 4),
            "held_out_accuracy": round(run.test_accuracy, 4),
        }
        for task, run in zip(finished, run_all(finished, where, jobs), strict=True)
    ]
    save_table(where / "choose.csv", rows)
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()

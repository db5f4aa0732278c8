"""Table 2: networks of Table 1 in other ways than there, and 784-300-300-10.

MA with ghosts that follow, but for 500 units and transposed feedback: there the paper's rules with
stronger nudging are better. MB in mini-batches of 100, where each image has its own changes of V^b.
All chosen on held-out training images (choose.py), test images looked at once.

python experiments/table2.py [--quick] [--only REGEX]
"""

import re

import click
import numpy as np
from lab import Task, folder, options, run_all, save_table, specification
from table1 import FEEDBACKS, PAPER, UNITS

SEEDS = range(5)

#: Files in models/, and epochs: of a model, or of one of its cells.
FILES = {
    "MA": ("ours", 40),
    "MA-transpose-500": ("MA-beta6", 40),
    "MA-transpose-300-300": ("ours-deep", 40),
    "MB": ("ours-MB", 20),
    "MB-alignment-100": ("ours-MB-alignment-100", 40),
    "MB-alignment-300": ("ours-MB-alignment-300", 40),
}
CELLS = [
    *(
        (model, (units,), feedback)
        for model in ("MA", "MB")
        for units in UNITS
        for feedback in FEEDBACKS
    ),
    ("MA", (300, 300), "transpose"),
]


def task(model, hidden, feedback, seed, quick=False):
    name = f"{model}-{feedback}-{'-'.join(map(str, hidden))}"
    file, epochs = FILES.get(name, FILES[model])
    return Task(
        f"ours-{name}-seed{seed}",
        specification(file, hidden, feedback=feedback),
        seed,
        1 if quick else epochs,
        images=3000 if quick else None,
    )


@options
@click.option("--only", default="", help="Only runs whose name, MB-alignment-100-seed0, matches.")
def main(quick, jobs, only):
    """Train the networks of Table 2."""
    where = folder(quick)
    cells = [cell for cell in CELLS if not quick or cell[1] == (100,)]
    # First one seed of every cell, so that an interrupted run has something of all.
    order = [(cell, seed) for seed in (SEEDS[:1] if quick else SEEDS) for cell in cells]
    tasks = {place: task(*place[0], place[1], quick) for place in order}
    run_all([one for one in tasks.values() if re.search(only, one.name)], where, jobs)
    found = {place: one.load(where) for place, one in tasks.items()}
    runs = {place: run for place, run in found.items() if run is not None}
    write(list(runs), list(runs.values()), where)


def write(order, runs, where):
    """Write a row for each run, and a table of means."""
    rows = [
        {
            "model": model,
            "units": "-".join(map(str, hidden)),
            "feedback": feedback,
            "seed": seed,
            "epochs": run.facts.notes["epochs"],
            "train_accuracy": round(run.train_accuracy, 4),
            "test_accuracy": round(run.test_accuracy, 4),
            "seconds": round(run.seconds, 1),
        }
        for ((model, hidden, feedback), seed), run in zip(order, runs, strict=True)
    ]
    save_table(where / "table2.csv", rows)
    found = {}
    for (cell, _), run in zip(order, runs, strict=True):
        found.setdefault(cell, []).append((run.train_accuracy, run.test_accuracy))
    lines = [
        "| model | units | feedback | train, ours | test, ours | test, paper | difference | runs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (model, hidden, feedback), values in sorted(found.items()):
        mean = np.mean(values, axis=0)
        several = len(values) > 1
        spread = [f" ± {one:.2f}" for one in np.std(values, axis=0, ddof=several)]
        spread = spread if several else ["", ""]
        paper = PAPER.get((model, *hidden, feedback))
        there = f"{paper[1]:.2f} | {mean[1] - paper[1]:+.2f}" if paper else "|"
        lines.append(
            f"| {model} | {'-'.join(map(str, hidden))} | {feedback} | {mean[0]:.2f}{spread[0]} | "
            f"{mean[1]:.2f}{spread[1]} | {there} | {len(values)} |"
        )
    text = "\n".join(lines) + "\n"
    (where / "table2.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

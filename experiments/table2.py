"""Table 2: the networks of Table 1 by our rules, and 784-300-300-10.

MA with ghosts that follow; MB in mini-batches of 100, where each image has its own changes of V^b.
All chosen on held-out training images (choose.py), test images looked at once.

python experiments/table2.py [--quick]
"""

import numpy as np
from lab import Task, folder, options, run_all, save_table, specification
from table1 import FEEDBACKS, PAPER, SEEDS, UNITS

#: Files in models/, and epochs, for each model.
FILES = {"MA": ("ours", 20), "MB": ("ours-MB", 20)}
CELLS = [
    *((model, (units,), feedback) for model in FILES for units in UNITS for feedback in FEEDBACKS),
    ("MA", (300, 300), "transpose"),
]


def task(model, hidden, feedback, seed, quick=False):
    file, epochs = FILES[model]
    units = "-".join(map(str, hidden))
    return Task(
        f"ours-{model}-{feedback}-{units}-seed{seed}",
        specification(file, hidden, feedback=feedback),
        seed,
        1 if quick else epochs,
        images=3000 if quick else None,
    )


@options
def main(quick, jobs):
    """Train the networks of Table 2."""
    where = folder(quick)
    cells = [cell for cell in CELLS if not quick or cell[1] == (100,)]
    # First one seed of every cell, so that an interrupted run has something of all.
    order = [(cell, seed) for seed in (SEEDS[:1] if quick else SEEDS) for cell in cells]
    runs = run_all([task(*cell, seed, quick) for cell, seed in order], where, jobs)
    write(order, runs, where)


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
    for (model, hidden, feedback), values in found.items():
        mean = np.mean(values, axis=0)
        spread = np.std(values, axis=0, ddof=1 if len(values) > 1 else 0)
        paper = PAPER.get((model, *hidden, feedback))
        there = f"{paper[1]:.2f} | {mean[1] - paper[1]:+.2f}" if paper else "|"
        lines.append(
            f"| {model} | {'-'.join(map(str, hidden))} | {feedback} | {mean[0]:.2f} ± "
            f"{spread[0]:.2f} | {mean[1]:.2f} ± {spread[1]:.2f} | {there} | {len(values)} |"
        )
    text = "\n".join(lines) + "\n"
    (where / "table2.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

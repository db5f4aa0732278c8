"""Table 1: MA and MB, 100, 300 and 500 hidden units, transpose feedback and feedback alignment.

python experiments/table1.py [--quick]
"""

import click
import numpy as np
from lab import COLOURS, Task, figure, folder, options, run_all, save_table, specification

UNITS = (100, 300, 500)
FEEDBACKS = ("transpose", "alignment")
SEEDS = range(5)
#: Files in models/, and epochs: of a model, or of one of its cells.
FILES = {
    "MA": ("MA", 40),
    "MA-transpose-100": ("MA-transpose-100", 40),
    "MA-alignment-500": ("MA-beta6", 40),
    "MB": ("MB", 15),
    "MB-alignment-100": ("MB-alignment-100", 30),
}
#: Accuracy on training and test images, as printed in the paper.
PAPER = {
    ("MA", 100, "transpose"): (99.97, 97.69), ("MA", 100, "alignment"): (99.88, 97.50),
    ("MA", 300, "transpose"): (100.0, 98.22), ("MA", 300, "alignment"): (99.99, 97.98),
    ("MA", 500, "transpose"): (100.0, 98.29), ("MA", 500, "alignment"): (100.0, 98.10),
    ("MB", 100, "transpose"): (99.31, 97.22), ("MB", 100, "alignment"): (98.93, 97.39),
    ("MB", 300, "transpose"): (99.70, 98.05), ("MB", 300, "alignment"): (99.48, 97.98),
    ("MB", 500, "transpose"): (99.76, 98.13), ("MB", 500, "alignment"): (99.56, 98.01),
}  # fmt: skip


def task(model, units, feedback, seed, quick=False):
    name = f"{model}-{feedback}-{units}"
    file, epochs = FILES.get(name, FILES[model])
    return Task(
        f"{name}-seed{seed}",
        specification(file, [units], feedback=feedback),
        seed,
        2 if quick else epochs,
        images=3000 if quick else None,
    )


def dynamics_of_ma(quick, jobs):
    """Return the histories of MA with 500 units, for Figures 2 and 3."""
    seeds = SEEDS[:2] if quick else SEEDS
    units = 100 if quick else 500
    tasks = [task("MA", units, "transpose", seed, quick) for seed in seeds]
    return [run.history for run in run_all(tasks, folder(quick), jobs)]


@options
@click.option("--finished", is_flag=True, help="Train nothing; show the runs that are there.")
def main(quick, jobs, finished):
    """Reproduce Table 1."""
    where = folder(quick)
    cells = [cell for cell in PAPER if not quick or cell[1] == 100]
    # First one seed of every cell, so that an unfinished table shows all of them.
    seeds = SEEDS[:2] if quick else SEEDS
    order = [(cell, seed) for seed in seeds for cell in cells]
    if quick:
        order = [(cell, seed) for cell, seed in order if cell[0] == "MA" or seed == 0]
    tasks = [task(*cell, seed, quick) for cell, seed in order]
    if finished:
        there = [number for number, task in enumerate(tasks) if task.load(where)]
        order, tasks = [order[number] for number in there], [tasks[number] for number in there]
    runs = run_all(tasks, where, jobs)
    write(order, runs, where)


def write(order, runs, where):
    finished = sorted(zip(order, runs, strict=True), key=lambda item: item[0])
    rows = [
        {"model": model, "units": units, "feedback": feedback, "seed": seed}
        | {
            "epochs": run.facts.notes["epochs"],
            "train_accuracy": round(run.train_accuracy, 4),
            "test_accuracy": round(run.test_accuracy, 4),
            "seconds": round(run.seconds, 1),
            "version": run.facts.versions["ghost-spiking"],
        }
        for ((model, units, feedback), seed), run in finished
    ]
    save_table(where / "table1.csv", rows)
    cells = {}
    for (cell, _), run in zip(order, runs, strict=True):
        cells.setdefault(cell, []).append((run.train_accuracy, run.test_accuracy))
    lines = [
        "| model | units | feedback | train, paper | train, ours | test, paper | test, ours | "
        "difference | runs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in [cell for cell in PAPER if cell in cells]:
        values, paper = np.array(cells[cell]), PAPER[cell]
        mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1 if len(values) > 1 else 0)
        lines.append(
            f"| {' | '.join(map(str, cell))} | {paper[0]:.2f} | {mean[0]:.2f} ± {spread[0]:.2f} | "
            f"{paper[1]:.2f} | {mean[1]:.2f} ± {spread[1]:.2f} | {mean[1] - paper[1]:+.2f} | "
            f"{len(values)} |"
        )
    text = "\n".join(lines) + "\n"
    (where / "table1.md").write_text(text)
    print(text)
    draw(cells, where / "table1.png")


def draw(cells, path):
    drawing, axes = figure(1, 2)
    axes[0, 1].sharey(axes[0, 0])
    for panel, model in zip(axes.flat, ("MA", "MB"), strict=True):
        for feedback, colour, shift in zip(FEEDBACKS, COLOURS, (-12, 12), strict=False):
            units = [n for n in UNITS if (model, n, feedback) in cells]
            tests = [np.array(cells[model, n, feedback])[:, 1] for n in units]
            panel.errorbar(
                [n + shift for n in units],
                [values.mean() for values in tests],
                [values.std() for values in tests],
                fmt="o",
                ms=4,
                capsize=3,
                color=colour,
                label=feedback,
            )
            panel.plot(
                [n + shift for n in units],
                [PAPER[model, n, feedback][1] for n in units],
                "_",
                ms=14,
                mew=1.5,
                color=colour,
                label=f"{feedback}, paper",
            )
        panel.set_title(model, fontsize="medium")
        panel.set_xlabel("hidden units")
        panel.set_ylabel("accuracy on test images (%)")
        panel.set_xticks(UNITS)
        panel.set_xlim(20, 580)
    axes[0, 0].legend(frameon=False, fontsize="small", loc="lower right")
    drawing.savefig(path)


if __name__ == "__main__":
    main()

"""The choice of hyperparameters: candidates compared on 10,000 held-out training images.

Each candidate differs from the files in models/ in what its name says, and is trained on the other
50,000 images. The test images are never looked at.

python experiments/choose.py [--quick]
"""

from lab import Task, folder, options, run_all, save_table, specification

EPOCHS = {"MA": 40, "MB": 15, "MB-alignment-100": 30, "deep-alignment": 20}


def rates(*feedforward, **others):
    return {"learning_rates": {"feedforward": feedforward, **others}}


SMALL = {"initial_weights": {"feedforward": (1.0, 0.3)}}

LARGE = {"initial_weights": {"feedforward": (2.0, 3.0, 3.0, 3.0, 1.0)}}
FOUR = "100-100-100-100"

#: File in models/, feedback, units, name, changes.
CANDIDATES = (
    ("MA", "transpose", 500, "as chosen", {}),
    ("MA", "transpose", 500, "8 nudging steps", {"nudging_steps": 8}),
    ("MA", "transpose", 500, "16 nudging steps", {"nudging_steps": 16}),
    ("MA", "transpose", 500, "beta 6, half the rates", {"beta": 6.0} | rates(2.0, 0.1)),
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
    ("MB", "alignment", 100, "smaller W^f", {"initial_weights": {"feedforward": (1.0, 0.1)}}),
    ("MB", "alignment", 100, "small W^f, output layer twice as fast", SMALL | rates(0.2, 0.01)),
    ("MB-alignment-100", "alignment", 100, "as chosen", {}),
    ("MB", "alignment", 100, "beta 9, a third of the rates", {"beta": 9.0} | rates(0.07, 0.0017)),
    ("MB", "alignment", 100, "rates do not fall", {"half_life": 0}),
    ("deep-alignment", "alignment", FOUR, "as chosen", {}),
    ("deep-alignment", "alignment", FOUR, "W^f as with transpose", LARGE),
    ("deep-alignment", "alignment", FOUR, "W^b a third", {"initial_weights": {"feedback": 1.0}}),
    ("deep-alignment", "alignment", FOUR, "beta 3", {"beta": 3.0}),
    ("deep-alignment", "alignment", FOUR, "output twice as fast", rates(4.0, *[0.03] * 3, 0.1)),
)  # fmt: skip


@options
def main(quick, jobs):
    """Compare candidates on held-out training images."""
    where = folder(quick)
    tasks = [
        Task(
            f"{'MB' if 'MB' in file else 'MA'}-{feedback}-{units} {name}",
            specification(
                file, [int(n) for n in str(units).split("-")], feedback=feedback, **changes
            ),
            seed=0,
            epochs=1 if quick else EPOCHS[file],
            held_out=10_000,
            images=5000 if quick else None,
        )
        for file, feedback, units, name, changes in (CANDIDATES[:2] if quick else CANDIDATES)
    ]
    rows = [
        {
            "candidate": task.name,
            "epochs": task.epochs,
            "train_accuracy": round(run.train_accuracy, 4),
            "held_out_accuracy": round(run.test_accuracy, 4),
        }
        for task, run in zip(tasks, run_all(tasks, where, jobs), strict=True)
    ]
    save_table(where / "choose.csv", rows)
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()

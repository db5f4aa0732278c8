"""The choice of hyperparameters: candidates compared on 10,000 held-out training images.

Each candidate differs from the files in models/ in what its name says, and is trained on the other
50,000 images. The test images are never looked at.

python experiments/choose.py [--quick]
"""

from lab import Task, folder, options, run_all, save_table, specification

EPOCHS = {"MA": 40, "MB": 15}
UNITS = {"MA": 500, "MB": 100}


def rates(*feedforward, **others):
    return {"learning_rates": {"feedforward": feedforward, **others}}


#: Model, feedback, name, changes.
CANDIDATES = (
    ("MA", "transpose", "as chosen", {}),
    ("MA", "transpose", "8 nudging steps", {"nudging_steps": 8}),
    ("MA", "transpose", "16 nudging steps", {"nudging_steps": 16}),
    ("MA", "transpose", "beta 6, half the rates", {"beta": 6.0} | rates(2.0, 0.1)),
    ("MA", "transpose", "first layer twice as fast", rates(8.0, 0.2)),
    ("MA", "transpose", "ghosts wait 6 steps", {"ghost_delay": 6}),
    ("MB", "transpose", "as chosen", {}),
    ("MB", "transpose", "batches of 100", {"batch_size": 100, "half_life": 1500}),
    ("MB", "transpose", "V^b faster", {"learning_rates": {"ghost_feedback": 0.2}}),
    ("MB", "transpose", "300 ghosts", {"ghosts": 300}),
    ("MB", "alignment", "as chosen", {}),
    ("MB", "alignment", "first layer as with transpose", rates(0.1, 0.005)),
    ("MB", "alignment", "output layer twice as fast", rates(0.4, 0.01)),
    ("MB", "alignment", "V^b slower", {"learning_rates": {"ghost_feedback": 0.06}}),
    ("MB", "alignment", "20 prediction steps", {"prediction_steps": 20}),
    ("MB", "alignment", "beta 1, three times the rates", {"beta": 1.0} | rates(1.2, 0.015)),
    ("MB", "alignment", "beta 9, a third of the rates", {"beta": 9.0} | rates(0.13, 0.0017)),
    ("MB", "alignment", "rates do not fall", {"half_life": 0}),
)  # fmt: skip


@options
def main(quick, jobs):
    """Compare candidates on held-out training images."""
    where = folder(quick)
    tasks = [
        Task(
            f"{model}-{feedback}-{UNITS[model]} {name}",
            specification(model, [UNITS[model]], feedback=feedback, **changes),
            seed=0,
            epochs=1 if quick else EPOCHS[model],
            held_out=10_000,
            images=5000 if quick else None,
        )
        for model, feedback, name, changes in (CANDIDATES[:2] if quick else CANDIDATES)
    ]
    rows = [
        {
            "candidate": task.name,
            "epochs": run["epochs"],
            "train_accuracy": run["train_accuracy"],
            "held_out_accuracy": run["test_accuracy"],
        }
        for task, run in zip(tasks, run_all(tasks, where, jobs), strict=True)
    ]
    save_table(where / "choose.csv", rows)
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()

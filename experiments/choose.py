"""The choice of hyperparameters: candidates compared on 10,000 held-out training images.

Each candidate differs from the files in models/ in what its name says, and is trained on the other
50,000 images. The test images are never looked at.

python experiments/choose.py [--quick]
"""

from lab import Task, folder, options, run_all, save_table, specification

EPOCHS = 40


def rates(*feedforward, **others):
    return {"learning_rates": {"feedforward": feedforward, **others}}


#: Name, file in models/, hidden layers, changes.
CANDIDATES = (
    ("as chosen", "MA", [500], {}),
    ("8 nudging steps", "MA", [500], {"nudging_steps": 8}),
    ("16 nudging steps", "MA", [500], {"nudging_steps": 16}),
    ("beta 6, half the rates", "MA", [500], {"beta": 6.0} | rates(2.0, 0.1)),
    ("first layer twice as fast", "MA", [500], rates(8.0, 0.2)),
    ("ghosts wait 6 steps", "MA", [500], {"ghost_delay": 6}),
    ("as chosen", "MB", [500], {}),
    ("beta 9", "MB", [500], {"beta": 9.0}),
    ("no homeostasis, V^b at half the rate", "MB", [500],
     {"ghost_delay": 0, "initial_weights": {"ghost_bias": 0.0}}
     | rates(2.0, 0.1, ghost_bias=0.0, ghost_feedback=0.1)),
    ("300 ghosts", "MB", [500], {"ghosts": 300} | rates(2.0, 0.1, ghost_feedback=0.08)),
)  # fmt: skip


@options
def main(quick, jobs):
    """Compare candidates on held-out training images."""
    where = folder(quick)
    tasks = []
    for change, model, hidden, fields in CANDIDATES[:2] if quick else CANDIDATES:
        spec = changed(specification(model, hidden), fields)
        tasks.append(
            Task(
                f"{model}-{'-'.join(map(str, hidden))} {change}",
                spec,
                seed=0,
                epochs=1 if quick else EPOCHS,
                held_out=10_000,
                images=5000 if quick else None,
            )
        )
    runs = run_all(tasks, where, jobs)
    rows = [
        {
            "candidate": task.name,
            "epochs": run["epochs"],
            "train_accuracy": run["train_accuracy"],
            "held_out_accuracy": run["test_accuracy"],
        }
        for task, run in zip(tasks, runs, strict=True)
    ]
    save_table(where / "choose.csv", rows)
    print(*rows, sep="\n")


def changed(spec, fields):
    """Change a specification; biases learn as fast as the weights beside them."""
    given = fields.get("learning_rates", {})
    if "feedforward" in given:
        fields = fields | {"learning_rates": given | {"bias": given["feedforward"]}}
    return spec.replace(**fields)


if __name__ == "__main__":
    main()

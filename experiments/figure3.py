"""Figure 3: error on training and test images over epochs, MA with 500 units.

It uses the runs of Table 1, and trains those that are missing.

python experiments/figure3.py [--quick]
"""

import numpy as np
from lab import COLOURS, figure, folder, options, run_all
from table1 import SEEDS, task


@options
def main(quick, jobs):
    """Reproduce Figure 3."""
    where = folder(quick)
    seeds = SEEDS[:2] if quick else SEEDS
    units = 100 if quick else 500
    runs = run_all([task("MA", units, "transpose", s, quick) for s in seeds], where, jobs)
    draw([run["history"] for run in runs], where / "figure3.png")


def draw(histories, path):
    drawing, axes = figure()
    panel = axes[0, 0]
    epochs = np.arange(1, len(histories[0]) + 1)
    for key, colour, label in (
        ("online_accuracy", COLOURS[1], "training images, while learning"),
        ("test_accuracy", COLOURS[0], "test images"),
    ):
        errors = 100 - np.array([[epoch[key] for epoch in history] for history in histories])
        mean, spread = errors.mean(axis=0), errors.std(axis=0)
        panel.plot(epochs, mean, color=colour, label=label)
        panel.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.25, lw=0)
    panel.set_xlabel("epoch")
    panel.set_ylabel("error (%)")
    panel.set_ylim(0, 8)
    panel.set_xlim(1 if len(epochs) > 1 else 0, len(epochs))
    panel.legend(frameon=False, fontsize="small")
    drawing.savefig(path)


if __name__ == "__main__":
    main()

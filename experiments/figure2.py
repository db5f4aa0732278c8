"""Figure 2: accuracy of MA with 500 units, and how ghosts come to copy, over training.

It uses the runs of Table 1, and trains those that are missing.

python experiments/figure2.py [--quick]
"""

import numpy as np
from lab import COLOURS, figure, folder, options, run_all
from table1 import SEEDS, task


@options
def main(quick, jobs):
    """Reproduce Figure 2."""
    where = folder(quick)
    seeds = SEEDS[:2] if quick else SEEDS
    units = 100 if quick else 500
    runs = run_all([task("MA", units, "transpose", s, quick) for s in seeds], where, jobs)
    draw([run["history"] for run in runs], where / "figure2.png")


def draw(histories, path):
    drawing, axes = figure(2, 1)
    epochs = np.arange(1, len(histories[0]) + 1)

    def band(panel, values, colour, label):
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
        panel.plot(epochs, mean, color=colour, label=label)
        panel.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.25, lw=0)

    def series(key):
        return [[epoch[key] for epoch in history] for history in histories]

    band(axes[0, 0], series("online_accuracy"), COLOURS[1], "training images, while learning")
    band(axes[0, 0], series("test_accuracy"), COLOURS[0], "test images")
    axes[0, 0].set_ylabel("accuracy (%)")
    axes[0, 0].set_ylim(bottom=max(axes[0, 0].get_ylim()[0], 90), top=100.3)
    for key, colour, label in (
        ("forward_distance", COLOURS[2], r"$\Vert W^f - V^f\Vert$"),
        ("backward_distance", COLOURS[3], r"$\Vert W^b - V^b\Vert$"),
    ):
        values = [[sum(norms.values()) for norms in run] for run in series(key)]
        band(axes[1, 0], values, colour, label)
    axes[1, 0].set_ylabel("Frobenius norm")
    axes[1, 0].set_ylim(bottom=0)
    for panel in axes.flat:
        panel.set_xlabel("epoch")
        panel.set_xlim(1 if len(epochs) > 1 else 0, len(epochs))
        panel.legend(frameon=False, fontsize="small")
    drawing.savefig(path)


if __name__ == "__main__":
    main()

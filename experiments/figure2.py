"""Figure 2: accuracy of MA with 500 units, and how ghosts come to copy, over training.

It uses the runs of Table 1, and trains those that are missing.

python experiments/figure2.py [--quick]
"""

from lab import COLOURS, band, figure, folder, options
from table1 import dynamics_of_ma


@options
def main(quick, jobs):
    """Reproduce Figure 2."""
    histories = dynamics_of_ma(quick, jobs)
    drawing, axes = figure(2, 1)

    def series(name):
        return [[getattr(epoch, name) for epoch in history] for history in histories]

    def total(epoch, kind):
        return sum(value for name, value in epoch.measurements.items() if name.startswith(kind))

    accuracy, norms = axes[:, 0]
    band(accuracy, series("online_accuracy"), COLOURS[1], "training images, while learning")
    band(accuracy, series("test_accuracy"), COLOURS[0], "test images")
    accuracy.set_ylabel("accuracy (%)")
    accuracy.set_ylim(90, 100.3)
    for key, colour, label in (
        ("forward_distance", COLOURS[2], r"$\Vert W^f - V^f\Vert$"),
        ("backward_distance", COLOURS[3], r"$\Vert W^b - V^b\Vert$"),
    ):
        band(norms, [[total(epoch, key) for epoch in run] for run in histories], colour, label)
    norms.set_ylabel("Frobenius norm")
    norms.set_ylim(bottom=0)
    for panel in axes.flat:
        panel.legend(frameon=False, fontsize="small")
    drawing.savefig(folder(quick) / "figure2.png")


if __name__ == "__main__":
    main()

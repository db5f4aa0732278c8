"""Figure 3: error on training and test images over epochs, MA with 500 units.

It uses the runs of Table 1, and trains those that are missing.

python experiments/figure3.py [--quick]
"""

from lab import COLOURS, band, figure, folder, options
from table1 import dynamics_of_ma


@options
def main(quick, jobs):
    """Reproduce Figure 3."""
    histories = dynamics_of_ma(quick, jobs)
    drawing, axes = figure()
    panel = axes[0, 0]
    for key, colour, label in (
        ("online_accuracy", COLOURS[1], "training images, while learning"),
        ("test_accuracy", COLOURS[0], "test images"),
    ):
        errors = [[100 - getattr(epoch, key) for epoch in history] for history in histories]
        band(panel, errors, colour, label)
    panel.set_ylabel("error (%)")
    panel.set_ylim(0, 8)
    panel.legend(frameon=False, fontsize="small")
    drawing.savefig(folder(quick) / "figure3.png")


if __name__ == "__main__":
    main()

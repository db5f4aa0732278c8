"""Learned feedback: how W^b aligns with the transpose of W^f over training, and what it costs.

python experiments/reconstruction.py [--quick]
"""

from lab import COLOURS, Task, figure, folder, options, run_all, save_table, specification

#: Of W^b to the transpose of W^f.
ANGLE = "feedback_alignment[feedforward_2]"
FEEDBACKS = ("alignment", "reconstruction", "transpose")


def task(feedback, quick=False):
    return Task(
        f"MA-{feedback}-300-held-out",
        specification("MA", [300], feedback=feedback),
        seed=0,
        epochs=2 if quick else 20,
        held_out=10_000,
        images=5000 if quick else None,
    )


@options
def main(quick, jobs):
    """Compare the three kinds of feedback on 10,000 held-out training images."""
    where = folder(quick)
    runs = run_all([task(feedback, quick) for feedback in FEEDBACKS], where, jobs)
    rows = [
        {
            "feedback": feedback,
            "epoch": number,
            "alignment_degrees": round(epoch.measurements[ANGLE], 3),
            "held_out_accuracy": round(epoch.test_accuracy, 4),
        }
        for feedback, run in zip(FEEDBACKS, runs, strict=True)
        for number, epoch in enumerate(run.history, start=1)
    ]
    save_table(where / "reconstruction.csv", rows)
    drawing, axes = figure(1, 2)
    for feedback, colour, run in zip(FEEDBACKS, COLOURS, runs, strict=False):
        epochs = range(1, len(run.history) + 1)
        angles = [epoch.measurements[ANGLE] for epoch in run.history]
        errors = [100 - epoch.test_accuracy for epoch in run.history]
        axes[0, 0].plot(epochs, angles, color=colour, label=feedback)
        axes[0, 1].plot(epochs, errors, color=colour, label=feedback)
    axes[0, 0].set_ylabel("angle of $W^b$ to $W^{f\\top}$ (degrees)")
    axes[0, 0].set_ylim(-3, 90)
    axes[0, 1].set_ylabel("error on held-out images (%)")
    axes[0, 1].set_ylim(0, 10)
    axes[0, 1].legend(frameon=False, fontsize="small", loc="upper right", bbox_to_anchor=(1, 0.72))
    for panel in axes.flat:
        panel.set_xlabel("epoch")
    drawing.savefig(where / "reconstruction.png")


if __name__ == "__main__":
    main()

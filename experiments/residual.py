"""Cancellation within a presentation: the feedback that ghosts leave, ||t - c|| / ||t||, by step.

MA predicts with what it learned before; MB replicates the feedback of each image while it is
presented. Networks of 100 units, before training and after five epochs, on held-out images.

python experiments/residual.py [--quick]
"""

import numpy as np
from lab import COLOURS, Task, figure, folder, options, run_all, save_table, specification
from matplotlib.ticker import MaxNLocator

from ghost_spiking.measure import Probe
from ghost_spiking.values import initial_weights

MODELS = ("MA", "MB")
FEEDBACKS = ("transpose", "alignment")
UNITS = 100
IMAGES = 100


def task(model, feedback, quick=False):
    small = model == "MB" and feedback == "alignment"
    return Task(
        f"{model}-{feedback}-{UNITS}-residual",
        specification("MB-alignment-100" if small else model, [UNITS], feedback=feedback),
        seed=0,
        epochs=1 if quick else 5,
        held_out=10_000,
        images=2000 if quick else None,
        keep_weights=True,
    )


def residuals(trained, weights, n_images):
    """Return ||t - c|| / ||t|| of the hidden layer at the beginning of each step and at the end."""
    _, held_out = trained.data()
    probe = Probe(trained.specification, held_out.images[:n_images], held_out.labels[:n_images])
    states = probe.states(weights, nudging_steps=0)
    feedback = states["pyramidal_1.top_down"][: trained.specification.protocol.prediction_steps + 1]
    left = feedback - states["pyramidal_1.ghost_feedback"][: len(feedback)]
    return np.linalg.norm(left, axis=(1, 2)) / np.linalg.norm(feedback, axis=(1, 2))


@options
def main(quick, jobs):
    """Measure how much of the feedback is cancelled, and when."""
    where = folder(quick)
    tasks = {
        (model, feedback): task(model, feedback, quick)
        for model in MODELS
        for feedback in FEEDBACKS
    }
    run_all(tasks.values(), where, jobs)
    rows = []
    for (model, feedback), trained in tasks.items():
        drawn = initial_weights(trained.specification, trained.seed)
        for state, weights in (("untrained", drawn), ("trained", trained.weights())):
            found = residuals(trained, weights, 10 if quick else IMAGES)
            print(f"{model}, {feedback}, {state}: {found[-1]:.3f} at the end of the phase")
            rows += [
                {
                    "model": model,
                    "feedback": feedback,
                    "weights": state,
                    "step": step,
                    "residual": round(float(residual), 5),
                }
                for step, residual in enumerate(found)
            ]
    save_table(where / "residual.csv", rows)
    draw(rows, where / "residual.png")


def draw(rows, path):
    drawing, axes = figure(1, 2)
    for panel, feedback in zip(axes[0], FEEDBACKS, strict=True):
        for model, colour in zip(MODELS, COLOURS, strict=False):
            for state, style in (("untrained", ":"), ("trained", "-")):
                key = (model, feedback, state)
                curve = [
                    (row["step"], row["residual"])
                    for row in rows
                    if (row["model"], row["feedback"], row["weights"]) == key
                ]
                panel.plot(
                    *zip(*curve, strict=True), style, color=colour, label=f"{model}, {state}"
                )
        panel.set_title(feedback, fontsize="small")
        panel.set_yscale("log")
        panel.set_xlabel(r"step of the prediction phase ($dt = \tau / 2$)")
        panel.set_ylabel(r"$\|t - c\| \, / \, \|t\|$")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0, 1].sharey(axes[0, 0])
    drawing.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center",
                   ncols=4, frameon=False, fontsize="small")  # fmt: skip
    drawing.savefig(path)


if __name__ == "__main__":
    main()

"""How many steps ghosts that follow need: accuracy and gradient against steps of both phases.

Hidden layers of 100 units, the defaults but for the steps; 20,000 images, 3 epochs, tested with
10,000 held-out training images, one seed. What a presentation adds to W^f is the same in all, since
learning rates are divided by the length of the nudging phase (see `_defaults.py`).

python experiments/steps.py [--quick]
"""

from dataclasses import dataclass

import click
import joblib
import lab
from tqdm import tqdm

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import GhostSpikingError
from ghost_spiking.measure import Probe

#: Step in units of tau, and steps of both phases, by the number of hidden layers. The last but one
#: of each are the defaults of this depth, the first those of version 0.1.
STEPS = {
    3: ((0.5, 16, 20), (0.5, 12, 12), (0.8, 4, 5), (0.8, 6, 8), (0.8, 8, 10), (1.0, 8, 10)),
    5: ((0.5, 16, 20), (0.5, 12, 12), (0.8, 6, 7), (0.8, 9, 10), (0.8, 12, 14), (1.0, 12, 14)),
}
MEASURED = 300


@dataclass(frozen=True)
class Fit:
    """One depth, one protocol."""

    depth: int
    steps: tuple
    quick: bool

    @property
    def key(self):
        return str(self.depth), *map(str, self.steps)

    def run(self):
        training, _ = load("mnist")
        training, held_out = training.split(10_000, seed=0)
        training = training.take(2000 if self.quick else 20_000)
        time_step, prediction, nudging = self.steps
        specification = Specification.create(
            sizes=(784, *[100] * self.depth, 10),
            time_step=time_step,
            prediction_steps=prediction,
            nudging_steps=nudging,
        )
        trainer = Training(Simulation(specification, seed=0), training, held_out, 0)
        row = {
            "hidden_layers": self.depth,
            "time_step": time_step,
            "prediction_steps": prediction,
            "nudging_steps": nudging,
        }
        try:
            trainer.run(1 if self.quick else 3)
        except GhostSpikingError:
            return row | dict.fromkeys(("accuracy", "error_angle", "update_angle"), "diverged")
        probe = Probe(
            specification,
            held_out.images[:MEASURED],
            held_out.labels[:MEASURED],
            adaptation=trainer.simulation.adaptation,
        )
        found = probe.measure(trainer.simulation.weights)
        return row | {
            "accuracy": round(trainer.history[-1].test_accuracy, 2),
            "error_angle": round(max(found.error_angle.values()), 2),
            "update_angle": round(max(found.update_angle.values()), 2),
        }


@lab.options
def main(quick, jobs):
    """Learn with phases of several lengths."""
    path = lab.folder(quick) / "steps.csv"
    columns = ("hidden_layers", "time_step", "prediction_steps", "nudging_steps")
    known = {tuple(row[name] for name in columns) for row in lab.read_rows(path)}
    fits = [
        Fit(depth, steps, quick)
        for depth, choices in STEPS.items()
        for steps in (choices[:2] if quick else choices)
    ]
    missing = [fit for fit in fits if fit.key not in known]
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
        joblib.delayed(Fit.run)(fit) for fit in missing
    )
    for row in tqdm(work, total=len(missing), unit=" fits"):
        lab.append_row(path, row)
    for row in lab.read_rows(path):
        click.echo(" ".join(str(value).rjust(8) for value in row.values()))


if __name__ == "__main__":
    main()

"""How little calibration is enough: its noise, its steps, and how often it comes.

Three hidden layers of 100 units from random ghosts; 20,000 images, 3 epochs, constant learning
rates, tested with 10,000 held-out training images, one seed. All are calibrated for 60 mini-batches
before W^f begins to learn; after that in every `often`-th mini-batch, 0 for never.

python experiments/calibration_amount.py [--quick]
"""

from dataclasses import dataclass

import click
import lab
import numpy as np
from tqdm import tqdm

from ghost_spiking import Simulation, Specification
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe

#: Noise, steps, how often; one differs from the first at a time.
AMOUNTS = {
    "copy": (
        (0.3, 6, 1), (0.1, 6, 1), (0.6, 6, 1), (0.3, 2, 1), (0.3, 3, 1), (0.3, 16, 1),
        (0.3, 6, 4), (0.3, 6, 16), (0.3, 6, 64), (0.3, 6, 0),
    ),
    "local": (
        (0.3, 16, 1), (0.1, 16, 1), (0.6, 16, 1), (0.3, 3, 1), (0.3, 6, 1), (0.3, 32, 1),
        (0.3, 16, 4), (0.3, 16, 16), (0.3, 16, 64), (0.3, 16, 0),
    ),
}  # fmt: skip
HIDDEN = (100, 100, 100)
BATCH, WAITS, MEASURED = 100, 60, 300


@dataclass(frozen=True)
class Fit:
    """How ghosts follow, and how they are calibrated."""

    following: str
    noise: float
    steps: int
    often: int
    quick: bool

    @property
    def key(self):
        return self.following, str(self.noise), str(self.steps), str(self.often)

    def specification(self, steps):
        return Specification.create(
            sizes=(784, *HIDDEN, 10),
            following=self.following,
            half_life=0,
            feedforward_onset=0,
            calibration_steps=steps,
            calibration_noise=self.noise,
            initial_weights={"self_predicting": False},
        )

    def run(self):
        training, _ = load("mnist")
        training, held_out = training.split(10_000, seed=0)
        training = training.take(2000 if self.quick else 20_000)
        calibrated = self.specification(self.steps)
        found = dict(zip(("following", "noise", "steps", "often"), self.key, strict=True))
        simulation = self.learn(calibrated, training, 1 if self.quick else 3)
        if simulation is None:
            return found | dict.fromkeys(("accuracy", "error_angle", "update_angle"), "diverged")
        right = simulation.respond(held_out.images).argmax(axis=1) == held_out.labels
        gradient = Probe(
            calibrated,
            held_out.images[:MEASURED],
            held_out.labels[:MEASURED],
            adaptation=simulation.adaptation,
        ).measure(simulation.weights)
        return found | {
            "accuracy": round(100 * float(np.mean(right)), 2),
            "error_angle": round(max(gradient.error_angle.values()), 2),
            "update_angle": round(max(gradient.update_angle.values()), 2),
        }

    def learn(self, calibrated, training, epochs):
        """Return the simulation after learning with this much calibration, None if it diverged."""
        waiting = calibrated.replace(learning_rates={"feedforward": 0.0, "bias": 0.0})
        simulation = Simulation(waiting, seed=0)
        simulation.adapt(training.images)
        first = training.take(min(len(training), BATCH * WAITS))
        simulation.present(first.images, first.labels)
        simulation.specification = calibrated
        without = Simulation(self.specification(0), seed=0)
        without.adapt(training.images)
        for number in range(epochs):
            order = np.random.default_rng([0, number]).permutation(len(training))
            for active, part in self.parts(simulation, without, order):
                if not all(np.isfinite(weight).all() for weight in simulation.weights.values()):
                    return None
                if active is not simulation and len(part):
                    active.weights = simulation.weights
                active.present(training.images, training.labels, order=part)
                simulation.weights = active.weights
        return simulation

    def parts(self, calibrating, without, order):
        """Yield which of the two networks is presented with which images."""
        if self.often in (0, 1):
            yield (calibrating if self.often else without), order
            return
        for begin in range(0, len(order), self.often * BATCH):
            part = order[begin : begin + self.often * BATCH]
            yield calibrating, part[:BATCH]
            if len(part) > BATCH:
                yield without, part[BATCH:]


@lab.options
def main(quick, jobs):
    """Learn with less and less calibration."""
    path = lab.folder(quick) / "calibration_amount.csv"
    known = {tuple(row.values())[:4] for row in lab.read_rows(path)}
    fits = [
        Fit(following, *amount, quick)
        for following, amounts in AMOUNTS.items()
        for amount in (amounts[-2:] if quick else amounts)
    ]
    missing = [fit for fit in fits if fit.key not in known]
    for row in lab.parallel(jobs, Fit.run, missing, "fits"):
        lab.append_row(path, row)
        tqdm.write(" ".join(map(str, row.values())))
    rows = sorted(
        lab.read_rows(path),
        key=lambda row: [fit.key for fit in fits].index(tuple(row.values())[:4]),
    )
    lab.save_table(path, rows)
    for row in rows:
        click.echo(" ".join(str(value).rjust(8) for value in row.values()))


if __name__ == "__main__":
    main()

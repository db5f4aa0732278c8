"""Calibration: how fast shared noise makes V = W, from random ghosts, before W^f learns.

python experiments/calibration.py [--quick]
"""

import lab
import numpy as np

from ghost_spiking import Simulation, Specification
from ghost_spiking.datasets import load
from ghost_spiking.measure import compare_weights

NETWORKS = ([100], [100, 100, 100], [500, 300])
SEEDS = 3
#: Mini-batches of 100 between two measurements, and measurements.
BATCHES, TIMES = 20, 4


def distances(simulation):
    """Return ||W - V|| / ||W|| in percent, the worst over projections."""
    weights, found = simulation.weights, compare_weights(
        simulation.specification, simulation.weights
    )  # fmt: skip
    forward = {name.replace("ghost_forward", "feedforward"): value for name, value
               in found["forward_distance"].items()}  # fmt: skip
    backward = {name.replace("ghost_feedback", "feedforward"): value for name, value
                in found["backward_distance"].items()}  # fmt: skip
    return [
        max(100 * value / np.linalg.norm(weights[name]) for name, value in of.items())
        for of in (forward, backward)
    ]


@lab.options
def main(quick, jobs):
    """Measure how V approaches W."""
    training = load("mnist")[0].take(100 * BATCHES)
    rows = []
    for hidden in NETWORKS[: 1 if quick else None]:
        for seed in range(1 if quick else SEEDS):
            specification = Specification.create(
                sizes=(784, *hidden, 10),
                following="copy",
                calibration_steps=6,
                feedforward_onset=10**6,  # W^f waits for ever
            )
            simulation = Simulation(specification, seed=seed)
            simulation.adapt(training.images, training.maximum)
            for time in range(TIMES + 1):
                forward, backward = distances(simulation)
                rows.append(
                    {
                        "hidden": "-".join(map(str, hidden)),
                        "seed": seed,
                        "presentations": time * BATCHES,
                        "forward_distance": f"{forward:.5f}",
                        "backward_distance": f"{backward:.5f}",
                    }
                )
                print(*rows[-1].values(), flush=True)
                if time < TIMES:
                    simulation.present(training.images, training.labels)
    lab.save_table(lab.folder(quick) / "calibration.csv", rows)


if __name__ == "__main__":
    main()

"""Does float32 cost accuracy? Both precisions on 10,000 held-out training images, three seeds.

python experiments/precision.py
"""

import csv
from pathlib import Path

from ghost_spiking import Specification
from ghost_spiking.datasets import load
from ghost_spiking.simulation import Simulation
from ghost_spiking.training import Training

EPOCHS = 5


def main():
    training, held_out = load("mnist")[0].split(10_000, seed=0)
    path = Path(__file__).parent / "results" / "precision.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["precision", "seed", "epochs", "held_out_accuracy", "seconds_per_epoch"])
        for seed in range(3):
            for precision in ("float32", "float64"):
                specification = Specification.create(sizes=(784, 500, 10))
                simulation = Simulation(specification, precision=precision, seed=seed)
                trainer = Training(simulation, training, held_out, seed)
                for _ in range(EPOCHS):
                    trainer.run_epoch()
                last = trainer.history[-1]
                seconds = sum(epoch.seconds for epoch in trainer.history) / EPOCHS
                row = [precision, seed, EPOCHS, last.test_accuracy, round(seconds, 2)]
                writer.writerow(row)
                file.flush()
                print(*row)


if __name__ == "__main__":
    main()

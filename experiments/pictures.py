"""Draws the pictures of the site's first page: the circuit, and the learning curves of MNIST.

python experiments/pictures.py

The curves are those of experiments/results/mnist_history.csv.
"""

import csv
from pathlib import Path

from ghost_spiking import Specification
from ghost_spiking.plotting import circuit_size, plot_circuit, plot_learning_curves, save
from ghost_spiking.training import Epoch

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"


def history():
    with open(HERE / "results" / "mnist_history.csv") as file:
        return [
            Epoch(
                int(row["epoch"]),
                *(
                    float(row[name])
                    for name in (
                        *("online_accuracy", "online_loss", "test_accuracy", "test_loss"),
                        "seconds",
                    )
                ),
            )
            for row in csv.DictReader(file)
        ]


def main():
    specification = Specification.create(sizes=(784, 500, 10))
    save(
        DOCS / "circuit.png",
        plot_circuit,
        specification,
        title="A ghost network: MA, 784-500-10",
        size=circuit_size(specification),
    )
    save(
        DOCS / "learning_curves.png",
        plot_learning_curves,
        history(),
        title="A ghost network (784-500-10) learns MNIST",
    )


if __name__ == "__main__":
    main()

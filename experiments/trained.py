"""Trains the network that comes with the package, ghost_spiking/networks/mnist.

python experiments/trained.py
"""

from pathlib import Path

from ghost_spiking import Simulation, Specification, Training, networks
from ghost_spiking.datasets import load
from ghost_spiking.runs import Facts, Run

FOLDER = Path(networks.__file__).parent / networks.NAME


def main(folder=FOLDER, n_images=60_000, epochs=10):
    training, test = load("mnist")
    simulation = Simulation(Specification.create(sizes=(784, 100, 10)), seed=0)
    trainer = Training(simulation, training.take(n_images), test)
    trainer.run(epochs)
    folder.mkdir(parents=True, exist_ok=True)
    Run.clear(folder)
    facts = Facts.of(trainer, dataset="mnist", limit=None, goal=epochs)
    accuracy = trainer.evaluate(trainer.training)
    Run.of(trainer, folder, facts, train_accuracy=accuracy).save()
    for name in ("spec.toml", "history.csv", "run.json"):  # all of it is in run.npz
        (folder / name).unlink()
    print(f"{trainer.history[-1].test_accuracy:.2f} % of the test images")


if __name__ == "__main__":
    main()

"""Seconds for an epoch on one, two and more threads, of networks of several sizes.

All are timed in turn, round after round, on a part of MNIST, and times are scaled to 60,000 images.
No other work should run on the machine.

python experiments/threads.py [--quick]
"""

import os

import click
import lab
import numpy as np
from tqdm import tqdm

from ghost_spiking import Simulation, Specification
from ghost_spiking.bench import epoch_seconds, processor
from ghost_spiking.datasets import load

NETWORKS = {
    "784-100-10": {"sizes": (784, 100, 10)},
    "784-500-10": {"sizes": (784, 500, 10)},
    "784-2000-10": {"sizes": (784, 2000, 10)},
    "784-300-300-10": {"sizes": (784, 300, 300, 10)},
    "784-512-512-10": {"sizes": (784, 512, 512, 10)},
    "784-500-10, MB": {"sizes": (784, 500, 10), "model": "MB"},
    "784-500-10, LIF": {"sizes": (784, 500, 10), "spikes": "lif"},
}
ROUNDS, IMAGES = 5, 12_000


@lab.options
def main(quick, jobs):
    """Time all networks; results in threads.csv."""
    where = lab.folder(quick)
    rounds, n_images = (2, 1000) if quick else (ROUNDS, IMAGES)
    images = load("mnist")[0].take(n_images)
    numbers = [n for n in (1, 2, 4, 8, 16) if n <= (os.cpu_count() or 1)]
    simulations = {
        (name, threads): Simulation(Specification.create(**fields), threads=threads)
        for name, fields in NETWORKS.items()
        for threads in numbers
    }
    times = {key: [] for key in simulations}
    for _ in tqdm(range(rounds), unit=" rounds"):
        for key, simulation in simulations.items():
            times[key].append(epoch_seconds(simulation, images))
    rows = [
        {
            "network": name,
            "threads": threads,
            "seconds": f"{np.median(found):.2f}",
            "shortest": f"{min(found):.2f}",
            "longest": f"{max(found):.2f}",
            "ratio": f"{np.median(times[name, 1]) / np.median(found):.2f}",
            "processor": processor(),
        }
        for (name, threads), found in times.items()
    ]
    lab.save_table(where / "threads.csv", rows)
    columns = ("network", "threads", "seconds", "shortest", "longest", "ratio")
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [[str(row[name]) for name in columns] for row in rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    (where / "threads.md").write_text(text)
    click.echo(text)


if __name__ == "__main__":
    main()

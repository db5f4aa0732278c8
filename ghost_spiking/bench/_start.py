"""How long it takes until a network sees its first images."""

from __future__ import annotations

import subprocess
import sys
import time

__all__ = ["start_seconds"]

_PROGRAM = """
import time
from ghost_spiking import Simulation, Specification
from ghost_spiking.datasets import load
simulation = Simulation(Specification.create(sizes=(784, 500, 10)))
training, _ = load("mnist")
simulation.present(training.images[:100], training.labels[:100])
print(time.time())
"""


def start_seconds(rounds: int = 5) -> list[float]:
    """Return the seconds from the shell to the first images of a network that is known.

    That is: to start Python, import this package, find the compiled program, load MNIST, and
    present a mini-batch.

    Parameters
    ----------
    rounds : int, optional
        How often; before, it is done once for the program to be compiled.

    Examples
    --------
    >>> from ghost_spiking.bench import start_seconds
    >>> start_seconds(rounds=1)  # doctest: +SKIP
    [1.38]
    """
    found = []
    for _ in range(1 + rounds):
        begin = time.time()
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True, check=True
        )
        found.append(float(done.stdout) - begin)
    return found[1:]

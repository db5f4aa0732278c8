"""What is timed, and how: every run is a process of its own, on so many cores and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets import Dataset, load
from ..network import Engine
from ..simulation import Simulation
from ..specification import Specification
from ._peers import keep_to

__all__ = ["STEPS", "SYNAPSES_IMAGES", "WAYS", "Way", "epoch_seconds", "measure"]

#: Images that plain `Synapses` are timed with.
SYNAPSES_IMAGES = 100
#: Images whose time is subtracted: that of starting a program.
_START = 200
_WIDE, _DEEP, _WIDER = (784, 500, 10), (784, 300, 300, 10), (784, 512, 512, 10)
#: Fixed, so that times can be compared whatever the defaults are.
STEPS = {"prediction_steps": 12, "nudging_steps": 8}


@dataclass(frozen=True)
class Way:
    """A network, and who learns MNIST with it.

    Attributes
    ----------
    sizes : tuple of int
        Its layers.
    fields : dict
        What its specification says besides.
    peer : str
        Name of a program of other people in place of ours.
    engine : str
        That of the simulation.
    compared_with : str
        Name of the way whose time is the unit.

    Examples
    --------
    >>> from ghost_spiking.bench import WAYS
    >>> WAYS["784-500-10, MB"].compared_with
    '784-500-10'
    """

    sizes: tuple[int, ...]
    fields: dict[str, Any] = field(default_factory=dict)
    peer: str = ""
    engine: Engine = "dense"
    compared_with: str = ""


def _torch(sizes: tuple[int, ...]) -> str:
    return f"{'-'.join(map(str, sizes))}, PyTorch, backpropagation"


#: By name.
WAYS: dict[str, Way] = {
    **{
        _torch(sizes): Way(sizes, peer="PyTorch, backpropagation")
        for sizes in (_WIDE, _DEEP, _WIDER)
    },
    "784-512-512-10, ngc-learn, predictive coding": Way(
        _WIDER, peer="ngc-learn, predictive coding", compared_with=_torch(_WIDER)
    ),
    "784-500-10, 12 + 8 steps": Way(_WIDE, STEPS, compared_with=_torch(_WIDE)),
    "784-500-10, 12 + 8 steps, Synapses": Way(
        _WIDE, STEPS, engine="synapses", compared_with="784-500-10, 12 + 8 steps"
    ),
    "784-500-10, 12 + 8 steps, ANNarchy": Way(
        _WIDE, STEPS, peer="ANNarchy, the same network", compared_with="784-500-10, 12 + 8 steps"
    ),
    "784-500-10": Way(_WIDE, compared_with=_torch(_WIDE)),
    "784-300-300-10": Way(_DEEP, compared_with=_torch(_DEEP)),
    "784-512-512-10": Way(_WIDER, compared_with="784-512-512-10, ngc-learn, predictive coding"),
    "784-500-10, MB": Way(_WIDE, {"model": "MB"}, compared_with="784-500-10"),
    "784-500-10, LIF": Way(_WIDE, {"spikes": "lif"}, compared_with="784-500-10"),
    "784-500-10, Bernoulli": Way(_WIDE, {"spikes": "bernoulli"}, compared_with="784-500-10"),
    "784-500-10, change": Way(_WIDE, {"spikes": "change"}, compared_with="784-500-10"),
}


def measure(
    name: str, threads: int, images: Path, peer_python: str = sys.executable
) -> dict[str, float] | None:
    """Time an epoch in a process of its own.

    Parameters
    ----------
    name : str
        One of `WAYS`.
    threads : int
        Cores that the process may use.
    images : path
        File with images and labels for peers.
    peer_python : str, optional
        Python that has the peers.

    Returns
    -------
    dict or None
        Seconds for 60,000 images, and peak memory in MB; None if the peer is not installed.

    Raises
    ------
    RuntimeError
        It failed; the message has its last words.
    """
    way = WAYS[name]
    if way.peer:
        script = Path(__file__).with_name("_peers.py")
        command = [peer_python, str(script), way.peer, json.dumps(way.sizes), str(images)]
    else:
        command = [sys.executable, "-m", __name__, name, str(threads), str(images)]
    variables = ("OMP", "OPENBLAS", "MKL")
    environment = os.environ | {f"{name}_NUM_THREADS": str(threads) for name in variables}
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-500:]}")
    found: dict[str, float] | None = (
        json.loads(done.stdout.splitlines()[-1]) if done.stdout else None
    )
    return found


def epoch_seconds(simulation: Simulation, images: Dataset, start: int = _START) -> float:
    """Return the seconds for 60,000 images, without those that it takes to start a program.

    Examples
    --------
    >>> from ghost_spiking import Simulation, Specification
    >>> from ghost_spiking.bench import epoch_seconds
    >>> from ghost_spiking.datasets import load
    >>> simulation = Simulation(Specification.create(sizes=(784, 100, 10)))
    >>> epoch_seconds(simulation, load("mnist")[0].take(3000))  # doctest: +SKIP
    0.8
    """

    def seconds(part: Dataset) -> float:
        begin = time.perf_counter()
        simulation.present(part.images, part.labels, maximum=part.maximum)
        return time.perf_counter() - begin

    few = images.take(start)
    seconds(few)  # what is slow at first is left out
    before, whole = seconds(few), seconds(images)
    return (whole - before) / (len(images) - start) * 60_000


def main() -> None:
    """Print seconds for an epoch of 60,000 images, and memory, as JSON."""
    name, threads, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    keep_to(threads)
    way = WAYS[name]
    training = load("mnist")[0]
    batch = {} if way.engine == "dense" else {"batch_size": 1}
    specification = Specification.create(sizes=way.sizes, **way.fields, **batch)
    if way.engine == "synapses":
        images, start = training.take(20 + SYNAPSES_IMAGES), 20
        threads = 1
    else:
        images, start = training.take(_images_in(path)), _START
    simulation = Simulation(specification, engine=way.engine, threads=threads)
    seconds = epoch_seconds(simulation, images, start)
    print(json.dumps({"seconds": seconds, "memory_mb": simulation.peak_memory_mb}))


def _images_in(path: Path) -> int:
    import numpy as np

    with np.load(path) as data:
        return len(data["labels"])


if __name__ == "__main__":
    main()

"""Timing: the dense engine beside plain Synapses and beside backpropagation.

Everything runs on one thread, on the same images, network, batch and data type.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from .datasets import Dataset, load
from .simulation import Simulation
from .specification import Specification

__all__ = ["compare", "profile", "scaling"]

#: Images that the plain engine is timed on, beyond those that cancel its start.
SYNAPSES_IMAGES = 100
_WARM_UP = 20
#: Fixed, so that times can be compared whatever the defaults are.
_STEPS: dict[str, Any] = {"prediction_steps": 12, "nudging_steps": 8}
#: Images for each row of the scaling table.
SCALING_IMAGES = 6000


def compare(sizes: tuple[int, ...] = (784, 500, 10), batch_size: int = 100) -> dict[str, Any]:
    """Time one epoch of MNIST with the dense engine, plain `Synapses` and backpropagation.

    Parameters
    ----------
    sizes : tuple of int
        The network.
    batch_size : int
        Images in a batch, for the dense engine and for backpropagation.

    Returns
    -------
    dict
        Seconds per epoch of 60,000 images, ratios, peak memory of the compiled program and the
        time of its compilation. ``backprop_s_per_epoch`` and
        ``slowdown_over_backprop`` are None without PyTorch.

    Examples
    --------
    >>> from ghost_spiking.bench import compare
    >>> results = compare()  # doctest: +SKIP
    >>> results["dense_s_per_epoch"], results["speedup_over_synapses"]  # doctest: +SKIP
    (3.532, 225.1)
    """
    training, _ = load("mnist")
    specification = Specification.create(sizes=sizes, batch_size=batch_size, **_STEPS)
    with tempfile.TemporaryDirectory() as empty:
        build = Simulation(specification, cache=Path(empty)).build_seconds
    simulation = Simulation(specification)
    _present(simulation, training.take(1000))
    dense = min(_present(simulation, training)[1] for _ in range(2))
    memory = simulation.peak_memory_mb
    synapses = _time_synapses(sizes, training) / SYNAPSES_IMAGES * len(training)
    backprop = _time_backprop(sizes, batch_size, training)
    protocol = specification.protocol
    return {
        "network": "-".join(map(str, sizes)),
        "batch_size": batch_size,
        "steps": [protocol.prediction_steps, protocol.nudging_steps],
        "precision": "float32",
        "dense_s_per_epoch": round(dense, 3),
        "synapses_s_per_epoch": round(synapses, 1),
        "synapses_images": SYNAPSES_IMAGES,
        "backprop_s_per_epoch": None if backprop is None else round(backprop, 3),
        "speedup_over_synapses": round(synapses / dense, 1),
        "slowdown_over_backprop": None if backprop is None else round(dense / backprop, 2),
        "peak_memory_mb": None if memory is None else round(memory),
        "build_s": round(build, 1),
    }


def profile(sizes: tuple[int, ...] = (784, 500, 10)) -> tuple[dict[str, float], float]:
    """Return the seconds of each code object over a part of an epoch, and the total.

    Returns
    -------
    seconds : dict
        By code object, longest first.
    total : float
        Processor time of the whole program, with reading data and weights.

    Examples
    --------
    >>> from ghost_spiking.bench import profile
    >>> seconds, total = profile()  # doctest: +SKIP
    >>> next(iter(seconds))  # doctest: +SKIP
    'feedforward_1_summed_variable_feedforward_post_codeobject'
    """
    training = load("mnist")[0].take(20_000)
    simulation = Simulation(Specification.create(sizes=sizes, **_STEPS), profile=True)
    total, _ = _present(simulation, training)
    ordered = sorted(simulation.profile.items(), key=lambda item: -item[1])
    return dict(ordered), total


def scaling() -> list[dict[str, Any]]:
    """Time epochs against hidden units, depth, batch size and steps.

    Returns
    -------
    list of dict
        Rows with the keys ``varied``, ``value`` and ``s_per_epoch``.

    Examples
    --------
    >>> from ghost_spiking.bench import scaling
    >>> scaling()[0]  # doctest: +SKIP
    {'varied': 'hidden units', 'value': 100, 's_per_epoch': 1.205}
    """
    training = load("mnist")[0].take(SCALING_IMAGES)
    cases: list[tuple[str, int, dict[str, Any]]] = []
    for units in (100, 200, 500, 1000, 2000):
        cases.append(("hidden units", units, {"sizes": (784, units, 10)}))
    for units in (100, 300, 500):  # one image at a time
        cases.append(("hidden units of MB", units, {"sizes": (784, units, 10), "model": "MB"}))
    for depth in range(1, 6):
        cases.append(("hidden layers of 300", depth, {"sizes": (784, *[300] * depth, 10)}))
    for batch in (10, 50, 100, 200, 500):
        cases.append(("batch size", batch, {"sizes": (784, 500, 10), "batch_size": batch}))
    for steps in (10, 20, 40, 80):
        both = {"prediction_steps": steps * 3 // 5, "nudging_steps": steps - steps * 3 // 5}
        cases.append(("steps", steps, {"sizes": (784, 500, 10), **both}))
    rows = []
    for varied, value, fields in cases:
        fields = _STEPS | fields
        # Small rates: the time does not depend on them, and nothing diverges.
        specification = Specification.create(**fields)
        rates = dict.fromkeys(specification.protocol.learning_rates.model_dump(), 1e-4)
        simulation = Simulation(specification.replace(learning_rates=rates))
        _present(simulation, training.take(500))
        seconds = _present(simulation, training)[1] * 60_000 / len(training)
        rows.append({"varied": varied, "value": value, "s_per_epoch": round(seconds, 3)})
    return rows


def _present(simulation: Simulation, dataset: Dataset) -> tuple[float, float]:
    """Present images once; give processor time of the program and wall time."""
    import resource

    def children() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before, start = children(), time.perf_counter()
    simulation.present(dataset.images, dataset.labels, maximum=dataset.maximum)
    return children() - before, time.perf_counter() - start


def _time_synapses(sizes: tuple[int, ...], dataset: Dataset) -> float:
    specification = Specification.create(sizes=sizes, batch_size=1, **_STEPS)
    simulation = Simulation(specification, engine="synapses")
    start = min(_present(simulation, dataset.take(_WARM_UP))[1] for _ in range(2))
    whole = _present(simulation, dataset.take(_WARM_UP + SYNAPSES_IMAGES))[1]
    return whole - start


def _time_backprop(sizes: tuple[int, ...], batch_size: int, dataset: Dataset) -> float | None:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.Sigmoid()]
    model = torch.nn.Sequential(*layers)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    images = torch.from_numpy(np.array(dataset.images))
    targets = torch.nn.functional.one_hot(torch.from_numpy(dataset.labels), sizes[-1]).float()
    order = torch.randperm(len(images))

    def epoch() -> float:
        start = time.perf_counter()
        for rows in order.split(batch_size):
            optimiser.zero_grad()
            error = targets[rows] - model(images[rows].float() / 255)
            (0.5 * (error**2).sum(dim=1).mean()).backward()
            optimiser.step()
        return time.perf_counter() - start

    return min(epoch() for _ in range(2))

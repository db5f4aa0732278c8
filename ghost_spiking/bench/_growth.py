"""Where the time goes, and how it grows."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np

from ..datasets import load
from ..simulation import Simulation
from ..specification import Specification
from ._ways import STEPS, epoch_seconds

__all__ = ["exponents", "profile", "scaling"]

#: Images for each row of the scaling table.
SCALING_IMAGES = 6000
_ROUNDS = 3


def profile(
    sizes: tuple[int, ...] = (784, 500, 10), **fields: Any
) -> tuple[dict[str, float], float]:
    """Return the seconds of each code object over an epoch of MNIST, and the total.

    Parameters
    ----------
    sizes : tuple of int, optional
        The network.
    **fields
        What its specification says besides; by default 12 + 8 steps.

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
    import resource

    training, _ = load("mnist")
    simulation = Simulation(Specification.create(sizes=sizes, **(fields or STEPS)), profile=True)

    def children() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = children()
    simulation.present(training.images, training.labels, maximum=training.maximum)
    total = children() - before
    return dict(sorted(simulation.profile.items(), key=lambda item: -item[1])), total


def scaling() -> list[dict[str, Any]]:
    """Time epochs against hidden units, depth, batch size, steps and images.

    Returns
    -------
    list of dict
        Rows with the keys ``varied``, ``value`` and ``s_per_epoch``; those of ``images`` have the
        seconds that so many images take.

    Examples
    --------
    >>> from ghost_spiking.bench import scaling
    >>> scaling()[0]  # doctest: +SKIP
    {'varied': 'hidden units', 'value': 100, 's_per_epoch': 1.205}
    """
    training = load("mnist")[0]
    wide = (784, 500, 10)
    cases: list[tuple[str, int, dict[str, Any]]] = []
    for units in (100, 200, 500, 1000, 2000):
        cases.append(("hidden units", units, {"sizes": (784, units, 10)}))
    for units in (100, 300, 500):
        cases.append(("hidden units of MB", units, {"sizes": (784, units, 10), "model": "MB"}))
    for depth in range(1, 6):
        cases.append(("hidden layers of 300", depth, {"sizes": (784, *[300] * depth, 10)}))
    for batch in (10, 50, 100, 200, 500):
        cases.append(("batch size", batch, {"sizes": wide, "batch_size": batch}))
    for steps in (10, 20, 40, 80):
        both = {"prediction_steps": steps * 3 // 5, "nudging_steps": steps - steps * 3 // 5}
        cases.append(("steps", steps, {"sizes": wide, **both}))
    for images in (2000, 6000, 20_000, 60_000):
        cases.append(("images", images, {"sizes": wide}))
    rows = []
    for varied, value, fields in cases:
        # Small rates: the time does not depend on them, and nothing diverges.
        specification = Specification.create(**(STEPS | fields))
        rates = dict.fromkeys(specification.protocol.learning_rates.model_dump(), 1e-4)
        simulation = Simulation(specification.replace(learning_rates=rates))
        n_images = value if varied == "images" else SCALING_IMAGES
        part = training.take(n_images)
        seconds = median(epoch_seconds(simulation, part, 500) for _ in range(_ROUNDS))
        if varied == "images":
            seconds *= n_images / 60_000
        rows.append({"varied": varied, "value": value, "s_per_epoch": round(seconds, 3)})
    return rows


def exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return how time grows: the slope of its logarithm, by what is varied.

    Parameters
    ----------
    rows : list of dict
        As from `scaling`.

    Examples
    --------
    >>> from ghost_spiking.bench import exponents
    >>> exponents([{"varied": "steps", "value": n, "s_per_epoch": 3 * n} for n in (1, 10)])
    {'steps': 1.0}
    """
    found = {}
    for varied in dict.fromkeys(row["varied"] for row in rows):
        points = [
            (row["value"], float(row["s_per_epoch"])) for row in rows if row["varied"] == varied
        ]
        values, seconds = np.log(np.array(points, dtype=float)).T
        found[varied] = round(float(np.polyfit(values, seconds, 1)[0]), 2)
    return found

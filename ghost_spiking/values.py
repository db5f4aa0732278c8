"""The numbers that a network is run with: weights at the start, lesions, learning rates.

None of them is part of the compiled program, which serves them all.
"""

from __future__ import annotations

import numpy as np

from .models import STIMULUS, TARGETS
from .specification import Specification

__all__ = ["drawn_values", "initial_weights", "projection_rates", "run_time_values"]


def initial_weights(specification: Specification, seed: int) -> dict[str, np.ndarray]:
    """Return the weights at the start of training.

    Parameters
    ----------
    specification : Specification
        What to draw them for.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    dict of array
        A matrix for each projection that has weights, by its name in the layout, in the paper's
        shapes (rows are post-synaptic units); biases are columns.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import initial_weights
    >>> weights = initial_weights(Specification.create(sizes=(4, 3, 2)), seed=0)
    >>> weights["feedforward_1"].shape, weights["bias_1"].shape
    ((3, 4), (3, 1))
    """
    layout = specification.layout
    generator = np.random.default_rng([seed, 0])
    weights: dict[str, np.ndarray] = {}
    for item in layout.projections:
        if item.start is not None:
            shape = (layout.size(item.target), layout.size(item.source))
            weights[item.name] = item.start.draw(generator, shape, weights)
    return weights


def drawn_values(specification: Specification, seed: int) -> dict[str, np.ndarray]:
    """Return the values of units that are drawn with the seed of the network: lesions, say.

    Returns
    -------
    dict of array
        A value for each unit of one replica, by ``"population.variable"``.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import drawn_values
    >>> drawn = drawn_values(Specification.create(sizes=(4, 3, 10), lesion=0.3), seed=0)
    >>> {name: int(values.sum()) for name, values in drawn.items()}
    {'ghost_2.intact': 7}
    """
    generator = np.random.default_rng([seed, 2])
    return {
        f"{item.name}.{variable}": values.draw(generator, item.size)
        for item in specification.layout.populations
        for variable, values in item.drawn.items()
    }


def run_time_values(
    specification: Specification,
    *,
    learn: bool,
    nudge: bool | None = None,
    presented: int = 0,
    seed: int = 0,
) -> dict[str, float]:
    """Return the scalar values of a run, by ``"object.variable"``.

    Without learning, all learning rates are zero but those of projections that always learn, as
    V^b of MB, which has to replicate the feedback of each image anew, eq. (6).

    Parameters
    ----------
    specification : Specification
        The network and its protocol.
    learn : bool
        Whether weights change.
    nudge : bool, optional
        Whether there are other phases than the first; by default if weights change.
    presented : int, optional
        Presentations that the network has learned from before this run.
    seed : int
        Of the noise, if there is any; what counts is the remainder of a division by 2^31.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import run_time_values
    >>> values = run_time_values(Specification.create(sizes=(4, 3, 2)), learn=False)
    >>> values["feedforward_1.eta"], values["protocol.beta"]
    (0.0, 3.0)
    """
    layout = specification.layout
    nudge = learn if nudge is None else nudge
    steps = sum(phase.steps for phase in (layout.phases if nudge else layout.phases[:1]))
    values: dict[str, float] = {f"{STIMULUS}.steps": steps, f"{TARGETS}.steps": steps}
    values[f"{TARGETS}.scale"] = 1.0
    values |= dict.fromkeys(layout.ages, presented) | dict.fromkeys(layout.seeds, seed % 2**31)
    parameters = {item.name: item.parameters for item in layout.populations}
    parameters |= {item.name: item.parameters for item in layout.projections}
    parameters |= {item.pool.name: item.pool.parameters for item in layout.populations if item.pool}
    for owner, given in parameters.items():
        values |= {f"{owner}.{name}": value for name, value in given.items()}
    if layout.rounding:
        for projection in layout.projections:
            if name := layout.rounding.of(projection):
                values[f"{name}.levels"] = layout.rounding.levels if learn else 0
                units = layout.size(projection.source) + layout.size(projection.target)
                values[f"{name}.largest"] = layout.rounding.largest * (6 / units) ** 0.5
    for projection in layout.plastic:
        assert projection.eta is not None
        for name, rate in {"eta": projection.eta, **projection.rates}.items():
            values[f"{projection.name}.{name}"] = rate if learn or projection.always else 0.0
    return values


def projection_rates(specification: Specification) -> dict[str, float]:
    """Return the learning rate of every plastic projection, by name.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.values import projection_rates
    >>> rates = projection_rates(Specification.create(sizes=(784, 500, 10)))
    >>> rates["feedforward_2"], rates["ghost_forward_2"]
    (0.2, 0.008)
    """
    return {item.name: item.eta for item in specification.layout.plastic if item.eta is not None}

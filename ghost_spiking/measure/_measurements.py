"""What is measured, how weights compare with each other, and both as a row of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import projection_name
from ..specification import Specification
from ..values import feedback_weights
from ._vectors import angle, norm

__all__ = ["Measurements", "compare_weights", "flatten"]


@dataclass(frozen=True)
class Measurements:
    """What a `Probe` found. Layers and projections are named as in `GhostNetwork`.

    Angles are in degrees, between two arrays taken as single vectors (all images together).
    Sizes of states and feedback are root mean squares over images of Euclidean norms.

    Attributes
    ----------
    error_angle : dict of int to float
        Between e at the end of the nudging phase and -dL/d rho(s), by hidden layer.
    error_ratio : dict of int to float
        Norm of e over beta times the norm of -dL/d rho(s), by hidden layer.
    update_angle : dict of str to float
        Between the change of W^f that one presentation makes and -dL/dW^f, by projection.
    state_mismatch : dict of int to float
        ||s - g|| at the end of the prediction phase, by layer with ghosts (MA only).
    feedback_mismatch : dict of int to float
        ||t - c|| at the end of the prediction phase, by hidden layer.
    residual : dict of int to float
        ||t - c|| / ||t|| there.
    forward_distance, backward_distance : dict of str to float
        Frobenius norms ||W^f - V^f|| and ||W^b - V^b||, by projection of ghosts (MA only).
    feedback_alignment : dict of str to float
        Angle between W^b and the transpose of W^f, by feedforward projection.
    settling_steps : int or None
        Steps until the states of all pyramidal units stay within 1 % of the fixed point of
        the prediction phase; None if it did not settle.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.measure import Probe
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> images = np.array([[0, 80, 160, 240], [240, 160, 80, 0]], dtype=np.uint8)
    >>> found = Probe(specification, images, np.array([0, 1])).measure(
    ...     initial_weights(specification, seed=0)
    ... )
    >>> found.feedback_alignment["feedforward_2"]  # W^b is the transpose of W^f
    0.0
    >>> sorted(found.flat())[:2]
    ['backward_distance[ghost_feedback_2]', 'error_angle[1]']
    """

    error_angle: dict[int, float]
    error_ratio: dict[int, float]
    update_angle: dict[str, float]
    state_mismatch: dict[int, float]
    feedback_mismatch: dict[int, float]
    residual: dict[int, float]
    forward_distance: dict[str, float]
    backward_distance: dict[str, float]
    feedback_alignment: dict[str, float]
    settling_steps: int | None

    def flat(self) -> dict[str, float]:
        """Give everything as one row of a table, with names such as ``error_angle[1]``.

        What could not be measured is nan.
        """
        return flatten(dataclasses.asdict(self))


def compare_weights(
    specification: Specification, weights: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Compare V with W, and W^b with the transpose of W^f.

    Parameters
    ----------
    specification : Specification
        The network.
    weights : dict of array
        Weights by projection, in the paper's shapes.

    Returns
    -------
    dict
        ``forward_distance``, ``backward_distance`` and ``feedback_alignment`` as in `Measurements`.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.measure import compare_weights
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> weights = initial_weights(specification, seed=0)
    >>> weights["ghost_forward_2"] = weights["feedforward_2"]
    >>> compare_weights(specification, weights)["forward_distance"]
    {'ghost_forward_2': 0.0}
    """
    network, graph = specification.network, specification.network.graph
    found: dict[str, dict[str, float]] = {
        "forward_distance": {},
        "backward_distance": {},
        "feedback_alignment": {},
    }
    for pair in graph.ghost_connections if network.model == "MA" else ():
        name = projection_name("ghost_forward", *pair)
        difference = weights[projection_name("feedforward", *pair)] - weights[name]
        found["forward_distance"][name] = norm(difference)
    for pair in graph.feedback_connections:
        back = feedback_weights(network, weights, *pair)
        if network.model == "MA":
            name = projection_name("ghost_feedback", *pair)
            found["backward_distance"][name] = norm(back - weights[name])
        name = projection_name("feedforward", *pair)
        found["feedback_alignment"][name] = angle(back, weights[name].T)
    return found


def flatten(found: Mapping[str, Any]) -> dict[str, float]:
    """Give measurements as one row of a table, with names such as ``error_angle[1]``.

    Examples
    --------
    >>> from ghost_spiking.measure import flatten
    >>> flatten({"residual": {1: 0.25}, "settling_steps": None})
    {'residual[1]': 0.25, 'settling_steps': nan}
    """
    row = {}
    for name, value in found.items():
        entries = value if isinstance(value, Mapping) else {"": value}
        for key, entry in entries.items():
            label = name if key == "" else f"{name}[{key}]"
            row[label] = float("nan") if entry is None else float(entry)
    return row

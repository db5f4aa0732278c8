"""What is measured, and how it becomes a row of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..specification import Specification

__all__ = ["Measurements", "compare_weights", "flatten"]


@dataclass(frozen=True)
class Measurements:
    """What a `Probe` found. Layers are numbers, projections have their names in the layout.

    Angles are in degrees, between two arrays taken as single vectors (all images together).

    Attributes
    ----------
    error_angle : dict of int to float
        Between e at the end of the nudging phase and -dL/d rho(s), by hidden layer.
    error_ratio : dict of int to float
        Norm of e over beta times the norm of -dL/d rho(s), by hidden layer.
    update_angle : dict of str to float
        Between the change of W^f that one presentation makes and -dL/dW^f, by projection.
    settling_steps : int or None
        Steps until the states of all units stay within 1 % of the fixed point of the prediction
        phase; None if it did not settle.
    of_model : dict of str to dict
        What the model measures: `Model.measure` and `Model.compare_weights`.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.adaptation import Adaptation
    >>> from ghost_spiking.measure import Probe
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> images = np.array([[0, 80, 160, 240], [240, 160, 80, 0]], dtype=np.uint8)
    >>> probe = Probe(specification, images, np.array([0, 1]), adaptation=Adaptation.to(images))
    >>> found = probe.measure(initial_weights(specification, seed=0))
    >>> found["feedback_alignment"]["feedforward_2"]  # W^b is the transpose of W^f
    0.0
    >>> sorted(found.flat())[:2]
    ['backward_distance[ghost_feedback_2]', 'error_angle[1]']
    """

    error_angle: dict[int, float]
    error_ratio: dict[int, float]
    update_angle: dict[str, float]
    settling_steps: int | None
    of_model: dict[str, dict[Any, float]]

    def __getitem__(self, name: str) -> dict[Any, float]:
        """Return a measurement of the model, such as ``found["residual"][1]``."""
        return self.of_model[name]

    def flat(self) -> dict[str, float]:
        """Return everything as one row of a table, with names such as ``error_angle[1]``.

        What could not be measured is nan.
        """
        general = dataclasses.asdict(self)
        return flatten(general.pop("of_model") | general)


def compare_weights(
    specification: Specification, weights: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Compare weights with each other, as the model does (see its `compare_weights`).

    Parameters
    ----------
    specification : Specification
        The network.
    weights : dict of array
        Weights by projection, in the paper's shapes.

    Returns
    -------
    dict
        Measurements by name and by projection.

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
    return specification.model.compare_weights(specification, weights)


def flatten(found: Mapping[str, Any]) -> dict[str, float]:
    """Return measurements as one row of a table, with names such as ``error_angle[1]``.

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

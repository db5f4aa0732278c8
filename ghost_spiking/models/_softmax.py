"""The cross-entropy of a softmax in Brian2 strings: a unit that sums, and divides by the sum."""

from __future__ import annotations

from ._language import Population, Projection

__all__ = ["DIVISION", "ERROR", "FORMING", "NORMALISING", "normaliser", "normalising"]

#: The softmax of s. Beyond the bounds of clip, it is 0 or 1.
FORMING = "exponential = exp(clip(s, -60, 60)) : 1 (constant over dt)\n"
#: -dC/ds; the sum is zero only in replicas without an image.
ERROR = "target - exponential / (normaliser + 1e-30)"
NORMALISING = "total_post = exponential_pre : 1 (summed)"
DIVISION = "normaliser_post = total_pre : 1 (summed)"


def normaliser(equations: str = "") -> Population:
    """Return the unit that sums the exponentials of all output units.

    Examples
    --------
    >>> from ghost_spiking.models._softmax import normaliser
    >>> normaliser().size
    1
    """
    # One step of order earlier, so that the sum is there before it divides.
    return Population("normaliser", 1, equations, description="sum of the softmax", order=-1)


def normalising(
    output: str, summing: str = NORMALISING, dividing: str = DIVISION
) -> list[Projection]:
    """Return what the output's population and that unit tell each other.

    Examples
    --------
    >>> from ghost_spiking.models._softmax import normalising
    >>> [item.source for item in normalising("layer_2")]
    ['layer_2', 'normaliser']
    """
    return [
        Projection("normalising", output, "normaliser", summing),
        Projection("division", "normaliser", output, dividing),
    ]

"""From the layout of a model to one whose weights have a few bits."""

from __future__ import annotations

from dataclasses import replace

from ._language import STIMULUS, Layout, Population, Rounding

__all__ = ["with_bits"]

_MEMORY = """
step : integer (linked)
steps : integer (linked)
presentation : integer (linked)
rounding_seed : integer (constant, shared)
presented : integer (constant, shared)
age = presentation + presented : integer (shared)
ends = int(step == steps - 1) : integer (shared)
"""


def with_bits(layout: Layout, bits: int, largest: float) -> Layout:
    """Return a layout whose weights, but for biases, are rounded after every presentation.

    Parameters
    ----------
    layout : Layout
        The network of a model.
    bits : int
        Of each weight, one of them for the sign.
    largest : float
        The largest weight, in units of sqrt(6 / (n_pre + n_post)).

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.models._bits import with_bits
    >>> layout = Specification.create(sizes=(4, 3, 2)).layout
    >>> with_bits(layout, 4, 2.0).rounding.levels
    7
    """
    memory = Population(
        "memory",
        1,
        _MEMORY,
        description="counters for random numbers",
        links={name: f"{STIMULUS}.{name}" for name in ("step", "steps", "presentation")},
        replicated=False,
    )
    return replace(
        layout,
        populations=(*layout.populations, memory),
        seeds=(*layout.seeds, "memory.rounding_seed"),
        ages=(*layout.ages, "memory.presented"),
        rounding=Rounding("memory", "ends", "age", "rounding_seed", 2 ** (bits - 1) - 1, largest),
    )

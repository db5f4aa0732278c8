"""Spikes: rate units as pools of neurons, a property of populations that every model can have.

`Spikes` is the section ``[spikes]`` of a specification, with one class for each mechanism, and
`spiking` turns the layout of any model into one whose units send spikes.
"""

from ._layout import spiking
from ._sections import (
    LIF,
    MECHANISMS,
    UNITS,
    Bernoulli,
    Change,
    Poisson,
    RandomSpikes,
    Spikes,
    section_of,
)
from ._signals import spike_signals

__all__ = [
    "LIF",
    "MECHANISMS",
    "UNITS",
    "Bernoulli",
    "Change",
    "Poisson",
    "RandomSpikes",
    "Spikes",
    "section_of",
    "spike_signals",
    "spiking",
]

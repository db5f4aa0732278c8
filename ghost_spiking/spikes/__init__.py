"""Spikes: rate units as pools of neurons, a property of populations that every model can have.

`Spikes` is the section ``[spikes]`` of a specification, with one class for each mechanism, and
`spiking` turns the layout of any model into one whose units send spikes.
"""

from ._layout import spike_signals, spiking
from ._sections import LIF, MECHANISMS, UNITS, Bernoulli, Change, Poisson, Spikes, section_of

__all__ = [
    "LIF",
    "MECHANISMS",
    "UNITS",
    "Bernoulli",
    "Change",
    "Poisson",
    "Spikes",
    "section_of",
    "spike_signals",
    "spiking",
]

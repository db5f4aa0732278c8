"""Spikes and synaptic events of a network, counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..exceptions import DataError
from ..spikes import Change, RandomSpikes
from ._probe import Probe

__all__ = ["PICOJOULES", "SpikeCounts", "count_spikes"]

#: Energy of a synaptic event on Loihi (Davies et al. 2018, IEEE Micro 38(1), Table 2), in pJ.
PICOJOULES = 23.6


@dataclass(frozen=True)
class SpikeCounts:
    """What a presentation costs in spikes, on average over images.

    Attributes
    ----------
    spikes : dict of str to dict of str to float
        Spikes of all units of a population in one presentation, by population and phase.
    events : dict of str to float
        Synaptic events, the spikes that arrive at all synapses, by phase. Inputs don't spike, and
        what they send is not counted.

    Examples
    --------
    >>> from ghost_spiking.measure import SpikeCounts
    >>> counts = SpikeCounts({"pyramidal_1": {"prediction": 30.0}}, {"prediction": 600.0})
    >>> round(counts.nanojoules, 2)
    14.16
    """

    spikes: dict[str, dict[str, float]]
    events: dict[str, float]

    @property
    def nanojoules(self) -> float:
        """Energy of all synaptic events at `PICOJOULES` each, in nJ; an estimate of that part."""
        return sum(self.events.values()) * PICOJOULES / 1000


def count_spikes(probe: Probe, weights: Mapping[str, np.ndarray]) -> SpikeCounts:
    """Count the spikes of a presentation with both phases, without learning.

    Parameters
    ----------
    probe : Probe
        Of a network with spikes; its images are presented.
    weights : dict of array
        Weights by projection, in the paper's shapes.

    Raises
    ------
    DataError
        The network has no spikes.

    Returns
    -------
    SpikeCounts

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.measure import Probe, count_spikes
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(
    ...     sizes=(4, 3, 2), spikes="bernoulli", input_adaptation=False
    ... )
    >>> probe = Probe(specification, np.zeros((5, 4), np.uint8), np.zeros(5, int))
    >>> counts = count_spikes(probe, initial_weights(specification, seed=0))
    >>> bool(20 < counts.spikes["pyramidal_1"]["prediction"] < 50)  # 3 units, 24 steps, rate 1/2
    True
    """
    specification = probe.specification
    spikes, layout = specification.spikes, specification.layout
    if spikes is None:
        raise DataError(
            "the units of this network send rates, so there are no spikes to count; choose spikes "
            "in its specification"
        )
    states = probe.states(weights)
    ends = np.cumsum([0, *(phase.steps for phase in layout.phases[:2])])
    fan_out = dict.fromkeys((item.name for item in layout.populations), 0)
    for item in layout.projections:
        for _, side, _ in item.sums:
            sender, receiver = (
                (item.source, item.target) if side == "post" else (item.target, item.source)
            )
            if sender in fan_out:
                fan_out[sender] += layout.size(receiver)
    counts: dict[str, dict[str, float]] = {}
    events = {phase.name: 0.0 for phase in layout.phases[:2]}
    for key, sent in states.items():
        population, _, variable = key.partition(".")
        if variable != "spikes":
            continue
        if isinstance(spikes, Change):
            before = np.concatenate([np.zeros_like(sent[:1]), sent[:-1]])
            number = np.abs(sent - before) * spikes.levels
        else:
            assert isinstance(spikes, RandomSpikes)
            number = sent * spikes.largest_count
        counts[population] = {}
        for phase, begin, end in zip(events, ends[:-1], ends[1:], strict=True):
            mean = float(number[begin:end].sum(axis=(0, 2)).mean())
            counts[population][phase] = mean
            events[phase] += mean * fan_out[population]
    return SpikeCounts(counts, events)

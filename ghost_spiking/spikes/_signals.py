"""What can be recorded of spikes."""

from __future__ import annotations

from collections.abc import Iterable

from ..models._language import Layout, Signal
from ._text import line_of

__all__ = ["spike_signals"]


def spike_signals(layout: Layout, signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Return what can be recorded of the spikes of those units whose states are signals.

    Parameters
    ----------
    layout : Layout
        A network with spikes.
    signals : iterable of Signal
        What a model says can be recorded of a layer.

    Returns
    -------
    tuple of Signal
        ``spikes`` of the layer's units, over their largest mean in a time step; those of other
        units with the name of their state before that; and of the layer's neurons ``potential``, in
        volts, and ``fired``.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(4, 3, 2), spikes="lif")
    >>> [signal.name for signal in specification.signals(2)[-4:]]
    ['spikes', 'potential', 'fired', 'ghost_spikes']
    """
    of = {item.name: item for item in layout.populations}
    found = []
    for signal in signals:
        population = of.get(signal.population)
        if population is None or signal.key not in layout.states:
            continue
        if not line_of(population.equations, "spikes"):
            continue
        own = signal.name == "state"
        name = "spikes" if own else f"{signal.name}_spikes"
        found.append(Signal(name, "", population.name, "spikes", 3))
        if own and population.pool:
            neurons = population.pool.name
            found += [
                Signal("potential", "", neurons, "v", 3),
                Signal("fired", "", neurons, "spiked", 3),
            ]
    return tuple(found)

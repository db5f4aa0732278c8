"""Spikes that are on their way: since all take the same time, they wait in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._codeobjects import in_standalone

if TYPE_CHECKING:
    from ._events import DensePathway

__all__ = ["WaitingLine"]

#: What stands before the entries: where the line begins and ends, the delay in time steps, and how
#: many entries there is room for.
_HEAD = 4
_FIRST_CAPACITY = 1024


class WaitingLine:
    """Tells which neurons' spikes arrive in the present time step.

    Numpy asks for them by a call; Cython does the same with `line` itself, an array with the steps
    in which spikes are due behind the four numbers of its head, in order, and behind these the
    neurons. Python is only needed to `make_room`.

    Parameters
    ----------
    pathway : DensePathway
        Whose spikes.
    """

    def __init__(self, pathway: DensePathway) -> None:
        self._events = pathway.variables["_events"]
        self._bounds, self._n_source = pathway.bounds, len(self._events) - 1
        self._delay, self._clock = pathway.variables["delay"], pathway.clock
        self.line = self._empty(_FIRST_CAPACITY)

    @staticmethod
    def _empty(capacity: int) -> np.ndarray:
        line = np.zeros(_HEAD + 2 * capacity, dtype=np.int32)
        line[3] = capacity
        return line

    def prepare(self) -> None:
        """Take a new delay, or a new length of the time step, as the one of later spikes."""
        self.line[2] = int(self._delay.get_value()[0] / self._clock.dt_ + 0.5)
        # asked for once, since it is needed in every step
        if not in_standalone():
            self._spikes = self._events.get_value()
            self._timestep = self._clock.variables["timestep"].get_value()

    def entries(self) -> np.ndarray:
        """Return steps and neurons of all that wait, as two rows."""
        begin, end = self.line[:2]
        return self.line[_HEAD:].reshape(2, -1)[:, begin:end]

    def make_room(self, number: int) -> None:
        """Have room for some more, at the end."""
        waiting = self.entries()
        count, delay = waiting.shape[1], self.line[2]
        capacity = int(self.line[3])
        while 2 * (count + number) > capacity:  # lest it has to move all the time
            capacity *= 2
        line = self._empty(capacity)
        line[1:3] = count, delay
        line[_HEAD:].reshape(2, -1)[:, :count] = waiting
        self.line = line

    def restore(self, waiting: np.ndarray) -> None:
        """Have the given ones wait, and no others."""
        self.line[:2] = 0
        self.make_room(waiting.shape[1])
        self.line[1] = waiting.shape[1]
        self.entries()[:] = waiting

    def __call__(self) -> np.ndarray:
        begin, end, delay, capacity = self.line[:_HEAD].tolist()
        events = self._spikes[: self._spikes[-1]]
        if len(events):
            start, stop = self._bounds
            if start or stop < self._n_source:
                events = events[(events >= start) & (events < stop)] - np.int32(start)
        if end == begin and not (delay and len(events)):
            return events
        now = self._timestep.item()
        if len(events):
            if end + len(events) > capacity:
                self.make_room(len(events))
                begin, end, _, capacity = self.line[:_HEAD].tolist()
            line, number = self.line[_HEAD:].reshape(2, -1), len(events)
            place = end
            if end > begin and line[0, end - 1] > now + delay:
                # others are due later, if the delay was longer
                place = begin + int(np.searchsorted(line[0, begin:end], now + delay, side="right"))
                line[:, place + number : end + number] = line[:, place:end].copy()
            line[0, place : place + number] = now + delay
            line[1, place : place + number] = events
            end += number
            self.line[1] = end
        if self.line[_HEAD + begin] > now:
            return self.line[:0]
        due, units = self.entries()
        count = np.searchsorted(due, now, side="right")
        self.line[0] += count
        return units[:count]

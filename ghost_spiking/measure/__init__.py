"""What the paper's theory speaks of, measured: errors, gradients, cancellation, settling.

A `Probe` presents a few images to a network and leaves its weights alone. It builds its
own Brian2 objects in runtime mode, in double precision, once; after that it takes weights from
anywhere, so that measuring after every epoch is cheap.
"""

from ..dense import _brian  # noqa: F401 - before anything of Brian2
from ._gradients import Gradients, backpropagate
from ._measurements import Measurements, compare_weights, flatten
from ._probe import Probe, Trace
from ._spikes import SpikeCounts, count_spikes

__all__ = [
    "Gradients",
    "Measurements",
    "Probe",
    "SpikeCounts",
    "Trace",
    "backpropagate",
    "compare_weights",
    "count_spikes",
    "flatten",
]

"""Dense plastic projections for Brian2, independent of the rest of this package.

`DenseSynapses` is an all-to-all projection whose weights are one matrix, shared by the
replicas of a batch; `ClampedInput` shows a data set to such a network, `WinnerMonitor` notes
which unit of each replica was the most active, and `CompiledNetwork` keeps C++
programs, so that a network is compiled once and run often.
"""

from .clamped import ClampedInput
from .standalone import CompiledNetwork, ProgramResults
from .synapses import DenseSynapses
from .winners import WinnerMonitor

__all__ = ["ClampedInput", "CompiledNetwork", "DenseSynapses", "ProgramResults", "WinnerMonitor"]

"""Dense plastic projections for Brian2, independent of the rest of this package.

`DenseSynapses` is an all-to-all projection whose weights are one matrix, shared by the
replicas of a batch; `ClampedInput` shows a data set to such a network, `ResponseMonitor` notes
what each replica answers, `NeuronPool` has spiking neurons stand for the units of a rate network,
`WeightRounding` keeps weights to a few bits, and `CompiledNetwork` keeps C++ programs, so that a
network is compiled once and run often.
"""

from . import _brian  # noqa: F401 - before anything of Brian2
from ._exceptions import CompilationError
from ._files import DataStore
from .clamped import ClampedInput
from .pool import NeuronPool
from .responses import ResponseMonitor
from .rounding import WeightRounding
from .standalone import CompiledNetwork, ProgramResults
from .synapses import DenseSynapses

__all__ = [
    "ClampedInput",
    "CompilationError",
    "CompiledNetwork",
    "DataStore",
    "DenseSynapses",
    "NeuronPool",
    "ProgramResults",
    "ResponseMonitor",
    "WeightRounding",
]

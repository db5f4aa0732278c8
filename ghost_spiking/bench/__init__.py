"""Timing: networks of this package on one core or several, beside plain Synapses and beside peers.

`compare` times all of them in turn, `profile` says where the time of a network goes, `scaling` and
`exponents` how it grows, and `start_seconds` how long it takes to begin.
"""

from ._compare import compare, kernels_of_blas, processor
from ._growth import exponents, profile, scaling
from ._start import start_seconds
from ._ways import WAYS, Way, epoch_seconds

__all__ = [
    "WAYS",
    "Way",
    "compare",
    "epoch_seconds",
    "exponents",
    "kernels_of_blas",
    "processor",
    "profile",
    "scaling",
    "start_seconds",
]

"""Ghost Units (Mesnard, Vignoud, Sacramento, Senn & Bengio, 2019) on Brian2."""

from importlib.metadata import PackageNotFoundError, version

from .specification import Specification

try:
    __version__ = version("ghost-spiking")
except PackageNotFoundError:  # used from a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["Specification", "__version__"]

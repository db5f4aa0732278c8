"""C++ standalone projects of plain Brian2 code, compiled fast."""

import contextlib
import gc
from pathlib import Path

from brian2 import prefs, set_device
from brian2.devices.device import all_devices, reset_device

from ghost_spiking.dense._compiler import compile_project


@contextlib.contextmanager
def project(directory):
    """Activate the C++ standalone device for a project in this directory.

    Values have to be read before the end. Nothing is optimised, so that compiling takes little
    time and results are those of the same operations in numpy.
    """
    gc.collect()  # names that are still in use would be numbered
    device, flags = all_devices["cpp_standalone"], prefs.codegen.cpp.extra_compile_args
    device.reinit()
    set_device("cpp_standalone", build_on_run=False, directory=str(directory))
    try:
        prefs.codegen.cpp.extra_compile_args = ["-w", "-O0", "-std=c++11"]
        yield device
    finally:
        prefs.codegen.cpp.extra_compile_args = flags
        reset_device()
        device.reinit()


def build(device, directory):
    device.build(directory=str(directory), compile=False, run=False)
    compile_project(Path(directory))

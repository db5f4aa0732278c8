"""No test may leave global state behind; compiled programs are kept for one session."""

import gc
import itertools
import os

# Tests run side by side, one on each core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import signal
import sys
import threading

import pytest

# In a background job of a script Ctrl-C is ignored, also by the processes that tests start.
_in_main_thread = threading.current_thread() is threading.main_thread()
if _in_main_thread and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory, worker_id):
    base = tmp_path_factory.getbasetemp()
    # Processes that share the tests share the programs too.
    folder = (base if worker_id == "master" else base.parent) / "programs"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GHOST_SPIKING_CACHE", str(folder))
        yield folder


_tests = itertools.count(1)


def _hurry_brian2():
    """Have Brian2 make the keys of its caches faster, which takes half the time of all tests.

    A key has the attributes of all variables that a group knows; nearly all are of these types,
    which need no conversion.
    """
    from brian2.utils import caching

    convert, simple = caching._hashable, {str, bool, int, float, type(None), type}

    def hashable(obj):
        if type(obj) in simple:
            return obj
        if isinstance(obj, caching.CacheKey):
            ignored = obj._cache_irrelevant_attributes
            return tuple(
                value if type(value) in simple else hashable(value)
                for key, value in sorted(obj.__dict__.items())
                if key not in ignored
            )
        return convert(obj)

    if convert.__name__ == "_hashable":
        caching._hashable = hashable


@pytest.fixture(autouse=True)
def _light():
    """What Brian2 remembers of all code it has seen is not searched for garbage at each run."""
    yield
    if next(_tests) % 10 == 0:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _quiet():
    """Objects that a test builds but does not run are no news."""
    if "brian2" in sys.modules:
        from brian2 import BrianLogger

        _hurry_brian2()

        BrianLogger.suppress_name("unused_brian_object")


def _state():
    if "brian2" not in sys.modules:
        return None
    import brian2
    from brian2.devices.device import RuntimeDevice, get_device

    return (
        # Brian2 itself adds a directory when it first compiles Synapses with Cython.
        [x for x in brian2.prefs.as_file.splitlines() if not x.startswith("include_dirs")],
        isinstance(get_device(), RuntimeDevice),
        float(brian2.defaultclock.dt),
    )


@pytest.fixture(autouse=True)
def _no_leaks():
    before = _state()
    yield
    after = _state()
    if before is not None:
        assert after == before, "the test changed prefs, device or defaultclock.dt"
    elif after is not None:
        assert after[1], "the test left another device than runtime active"

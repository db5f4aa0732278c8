"""Brian2, whose state is global: imported by any thread, and used by one at a time.

Modules that need Brian2 import this one first.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from ._exceptions import CompilationError
from ._interrupts import Interrupt, deferred

__all__ = ["LOCK", "alone", "fresh_names", "require_runtime"]

#: To hold while Brian2's objects are built or run: preferences, the active device, names that are
#: in use and the wish to stop are the same for all threads.
LOCK = threading.RLock()


def _import_brian2() -> None:
    """Import Brian2, which handles Ctrl-C, where it may not: in a thread, or if it is ignored."""
    install, importer = signal.signal, threading.current_thread()
    in_main = importer is threading.main_thread()

    def install_where_it_works(number: int, handler: Any) -> Any:
        of_brian2 = threading.current_thread() is importer
        if of_brian2 and not (in_main and callable(signal.getsignal(number))):
            return signal.getsignal(number)
        return install(number, handler)

    signal.signal = install_where_it_works  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is deprecated in it is no error of ours
            import brian2
    finally:
        signal.signal = install
    ours = brian2._int_handler  # may be there already, and would call what can't be called
    if ours.previous_handler is signal.SIG_IGN:
        ours.previous_handler = lambda number, frame: None
        if in_main and signal.getsignal(signal.SIGINT) is ours:
            install(signal.SIGINT, signal.SIG_IGN)


_import_brian2()

from brian2.core.names import Nameable  # noqa: E402
from brian2.devices.device import RuntimeDevice, get_device  # noqa: E402


@contextlib.contextmanager
def alone() -> Iterator[Interrupt]:
    """Have Brian2 to oneself; Ctrl-C has to wait meanwhile, see `deferred`."""
    with deferred() as interrupt:
        while not LOCK.acquire(timeout=0.1):  # whoever holds it may train for hours
            interrupt.raise_if_received()
        try:
            yield interrupt
        finally:
            LOCK.release()


@contextlib.contextmanager
def fresh_names() -> Iterator[None]:
    """Have objects named as if there were no others; their names are part of a program."""
    tracked = Nameable.__instances__()
    others = tracked.copy()
    tracked.clear()
    try:
        yield
    finally:
        tracked.update(reference for reference in others if reference() is not None)


def require_runtime() -> None:
    """Refuse to touch a standalone project of the user's.

    Raises
    ------
    CompilationError
        Another device than Brian2's runtime mode is active.
    """
    device = get_device()
    if not isinstance(device, RuntimeDevice):
        raise CompilationError(
            f"Brian2's active device is a {type(device).__name__}, chosen with set_device, and its "
            "project would be lost; go back with brian2.set_device('runtime') before a network is "
            "made or run here"
        )

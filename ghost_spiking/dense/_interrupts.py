"""Ctrl-C: noted while something must not be torn apart, and raised as soon as it is whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["Interrupt", "deferred"]


class Interrupt:
    """What has become of Ctrl-C within `deferred`.

    Attributes
    ----------
    received : bool
        Whether it came; what is under way should come to its next good end.
    patient : bool
        Whether a second one waits too, as it must while results are stored.
    found : dict
        What there is so far; becomes attributes of the `KeyboardInterrupt`.
    """

    def __init__(self) -> None:
        self.received = False
        self.patient = False
        self.found: dict[str, Any] = {}

    def raise_if_received(self, cause: BaseException | None = None) -> None:
        """Raise what was noted, unless that is under way already."""
        if self.received and not isinstance(cause, KeyboardInterrupt):
            error = KeyboardInterrupt("what was learned before it is kept")
            vars(error).update(self.found)
            raise error from cause


#: Of the main thread, the only one that signals reach.
_active: Interrupt | None = None


@contextlib.contextmanager
def deferred() -> Iterator[Interrupt]:
    """Note the first Ctrl-C instead of raising it, and raise it at the end; the second one raises.

    Within another `deferred`, the outer one raises. Whoever handles SIGINT otherwise still does:
    only a `KeyboardInterrupt` that this handler raises is put off. SIGINT that is ignored stays
    so, and other threads know nothing of signals.
    """
    global _active
    if threading.current_thread() is not threading.main_thread():
        yield Interrupt()
        return
    if _active is not None:
        yield _active
        return
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # ignored, or left to the system
        yield Interrupt()
        return
    interrupt = Interrupt()
    calls = 0

    def note(number: int, frame: Any) -> None:
        nonlocal calls
        calls += 1
        try:
            handler(number, frame)
        except KeyboardInterrupt:
            if calls > 1 and not interrupt.patient:
                raise
            interrupt.received = True

    signal.signal(signal.SIGINT, note)
    cause: BaseException | None = None
    try:
        _active = interrupt
        yield interrupt
    except BaseException as error:
        cause = error
        raise
    finally:
        interrupt.patient = True  # until the handler is back
        _active = None
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, handler)
        # Also in place of another error, lest whoever handles that goes on.
        interrupt.raise_if_received(cause)

"""Brian2's runtime mode: the objects of a network, run in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic
from typing import Any

import numpy as np

from .dense._brian import alone, require_runtime

# isort: split
from brian2.core.network import Network as BrianNetwork
from brian2.core.preferences import prefs
from brian2.units import second

from . import dense
from .dense._interrupts import Interrupt, deferred
from .exceptions import CompilationError
from .network import BrianObjects

__all__ = ["Progress", "as_our_own", "preferences", "run_objects", "runtime"]

#: Marks of a projection whose presentation is under way.
_UNFINISHED = ("_pending", "_accumulated", "_gram_valid")
#: Seconds between two calls of `progress`.
_REPORT_EVERY = 0.2

#: Called with the responses so far; if it gives True, the run ends after the present mini-batch.
Progress = Callable[[np.ndarray], bool | None]


@contextlib.contextmanager
def as_our_own() -> Iterator[None]:
    """Raise errors of `dense`, which knows nothing of this package, as ours."""
    try:
        yield
    except dense.CompilationError as error:
        raise CompilationError(str(error)) from error.__cause__


@contextlib.contextmanager
def runtime(precision: np.dtype, target: str) -> Iterator[None]:
    """Have Brian2's runtime mode to oneself, with its preferences set."""
    with alone():
        _require_runtime()
        with preferences(precision, target):
            yield


@as_our_own()
def _require_runtime() -> None:
    require_runtime()


@contextlib.contextmanager
def preferences(precision: np.dtype, target: str | None = None) -> Iterator[None]:
    """Set Brian2's preferences for building and running, and set them back."""
    wanted = {
        "core.default_float_dtype": precision.type,
        # Brian2 would end a run within a time step, and nobody would know.
        "core.stop_on_keyboard_interrupt": False,
    }
    if target is not None:
        wanted["codegen.target"] = target
    before = {name: prefs[name] for name in wanted}
    try:
        with deferred():
            prefs.update(wanted)
        yield
    finally:
        with deferred():
            prefs.update(before)


def run_objects(
    brian: BrianObjects,
    values: Mapping[str, Any],
    inputs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    wanted: Iterable[str],
    *,
    states: Iterable[str],
    precision: np.dtype,
    target: str,
    progress: Progress | None,
    interrupt: Interrupt,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Present images, and return the responses and the final values of what is wanted."""
    _require_runtime()  # with another device active, values would be set there
    objects = {obj.name: obj for obj in brian.network.objects}

    def variable(name: str) -> Any:
        owner, _, variable = name.partition(".")
        return objects[owner].variables[variable]

    for name, value in values.items():
        variable(name).set_value(np.ravel(value))
    for name, (data, order) in inputs.items():
        objects[name].data_dtype = data.dtype
        objects[name].show(data, order)
    # What a run that diverged or was ended at once has left behind would outlive the reset.
    for name in states:
        variable(name).set_value(0)
    for projection in brian.projections.values():
        for flag in set(_UNFINISHED) & set(projection.variables):
            projection.variables[flag].set_value(0)
    brian.responses.clear()
    reported, errors = monotonic(), []

    def asked_to_stop() -> bool:
        nonlocal reported
        if progress is not None and monotonic() - reported > _REPORT_EVERY:
            reported = monotonic()
            try:
                if progress(brian.responses.responses):
                    return True
            except Exception as error:  # Brian2 would make it one of its own
                errors.append(error)
        return interrupt.received or bool(errors)

    brian.stimulus.asked_to_stop = asked_to_stop
    interrupt.patient = False
    try:
        with (
            runtime(precision, target),
            # Divergence is looked for later.
            np.errstate(over="ignore", invalid="ignore"),
        ):
            brian.network.run(1e8 * second, namespace={})
    finally:
        brian.stimulus.asked_to_stop = None
        BrianNetwork._globally_running = False  # which Brian2 leaves as it is after an error
    if errors:
        raise errors[0]
    interrupt.patient = True
    responses = brian.responses.responses
    if progress is not None:
        progress(responses)
    return responses, {name: variable(name).get_value().copy() for name in wanted}

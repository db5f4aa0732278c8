"""`Simulation`: a network with its weights, which images can be presented to."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from brian2 import second
from brian2.core.preferences import prefs

from .dense import CompiledNetwork
from .dense.standalone import default_cache
from .exceptions import DataError
from .network import BrianObjects, Engine, build
from .specification import Specification
from .values import drawn_values, initial_weights, run_time_values

__all__ = ["Simulation"]

Device = Literal["cpp_standalone", "cython", "numpy"]
DEVICES: tuple[Device, ...] = ("cpp_standalone", "cython", "numpy")

#: Compiled programs of this process by what they depend on, so that Brian2 need not generate the
#: same code again, which takes it a second.
_programs: dict[tuple[Any, ...], CompiledNetwork] = {}


class Simulation:
    """A network with its weights.

    Parameters
    ----------
    specification : Specification
        The network and its protocol.
    engine : {"dense", "synapses"}, optional
        How projections are computed.
    device : {"cpp_standalone", "cython", "numpy"}, optional
        One compiled program, or Brian2's runtime mode with that target.
    precision : {"float32", "float64"}, optional
        Type of all states and weights.
    seed : int, optional
        Seed of the initial weights, and of other values that are drawn.
    weights : dict of array, optional
        Weights to start with instead.
    data_dtype : dtype, optional
        Type of the pixels that will be presented: uint8 or a float type.
    cache : path, optional
        Where compiled programs are kept.
    profile : bool, optional
        Whether to measure the time of each code object (``cpp_standalone`` only).

    Attributes
    ----------
    specification : Specification
        May be replaced by one with another protocol, but the same network and batch size.
    build_seconds : float
        Time that the C++ compiler took; 0 if the program was there already.
    weights : dict of array
        Weights by projection, in the paper's shapes (rows are post-synaptic units).
    drawn : dict of array
        Values of units that are drawn with the seed, by ``"population.variable"``.
    largest_state : float
        Largest magnitude of any state at the end of the last learning, infinity for nan.
    presented : int
        Presentations (mini-batches) that it has learned from; may be set, to continue.
    brian : BrianObjects or None
        The Brian2 objects, in runtime mode only.

    Examples
    --------
    >>> from ghost_spiking import Simulation, Specification
    >>> from ghost_spiking.datasets import load
    >>> training, _ = load("digits")
    >>> specification = Specification.create(sizes=(64, 20, 10))
    >>> simulation = Simulation(specification, device="numpy")
    >>> responses = simulation.present(
    ...     training.images[:100], training.labels[:100], maximum=training.maximum
    ... )
    >>> responses.shape, simulation.presented
    ((100, 10), 1)
    """

    def __init__(
        self,
        specification: Specification,
        *,
        engine: Engine = "dense",
        device: Device = "cpp_standalone",
        precision: Literal["float32", "float64"] = "float32",
        seed: int = 0,
        weights: Mapping[str, np.ndarray] | None = None,
        data_dtype: Any = np.uint8,
        cache: Path | None = None,
        profile: bool = False,
    ) -> None:
        if device not in DEVICES:
            raise ValueError(f"Simulation.device: '{device}' is not one of {', '.join(DEVICES)}")
        self.specification = specification
        self.engine = engine
        self.precision = np.dtype(precision)
        self.data_dtype = np.dtype(data_dtype)
        drawn = initial_weights(specification, seed)
        self.weights = {
            name: np.array(drawn[name] if weights is None else weights[name], self.precision)
            for name in drawn
        }
        self.presented = 0
        self.drawn = drawn_values(specification, seed)
        self.profile: dict[str, float] = {}
        self.peak_memory_mb: float | None = None
        self.largest_state = 0.0
        self.brian: BrianObjects | None = None
        self._program: CompiledNetwork | None = None
        self.build_seconds = 0.0
        with _preferences(self.precision, device):
            if device == "cpp_standalone":
                self._program = self._compile(cache or default_cache(), profile)
            else:
                self.brian = self._build()
        self._device = device

    def _build(self) -> BrianObjects:
        return build(self.specification, self.engine, self.data_dtype)

    def _compile(self, cache: Path, profile: bool) -> CompiledNetwork:
        kind = (self.engine, self.precision.name, self.data_dtype.name, profile)
        key = (cache, self.specification.layout.text, *kind)
        program = _programs.get(key)
        if program is None or not program.exists:
            program = CompiledNetwork(lambda: self._build().network, cache=cache, profile=profile)
            self.build_seconds = program.build_seconds
            _programs[key] = program
        return program

    def present(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        order: np.ndarray | None = None,
        maximum: float = 255.0,
        learn: bool = True,
        nudge: bool | None = None,
        progress: Callable[[np.ndarray], bool | None] | None = None,
    ) -> np.ndarray:
        """Present images, one batch after the other, and learn from them.

        Parameters
        ----------
        images : array, shape (n_images, n_inputs)
            Pixels.
        labels : array of int, shape (n_images,)
            Classes from 0; they are the targets of the nudging phase.
        order : array of int, optional
            Which images to present, in turn; by default all.
        maximum : float, optional
            The pixel value that means a rate of 1.
        learn : bool, optional
            Whether weights change. V^b of MB replicates the feedback of each image all the
            same, eq. (6), and has its old weights afterwards.
        nudge : bool, optional
            Whether there is a nudging phase; by default if weights change.
        progress : callable, optional
            Called now and then with the responses so far; if it gives True, the run ends after
            the present mini-batch, as it does at the first Ctrl-C.

        Returns
        -------
        array, shape (n_presented, N_L)
            Response to each presented image: the rates of the output units at the end of the
            prediction phase (with cross-entropy their states s, whose softmax is meant). The
            largest one is the predicted class. Fewer than `order` if the run was stopped.

        Raises
        ------
        DataError
            Images of the wrong size, or labels without an output unit.
        """
        images, labels = np.asarray(images), np.asarray(labels)
        sizes = self.specification.network.sizes
        if images.ndim != 2 or images.shape[1] != sizes[0]:
            raise DataError(
                f"images have the shape {images.shape}, but the network has {sizes[0]} inputs"
            )
        if len(labels) != len(images):
            raise DataError(f"{len(images)} images, but {len(labels)} labels")
        if len(labels) == 0:
            raise DataError("there are no images to present")
        if labels.min() < 0 or labels.max() >= sizes[-1]:
            raise DataError(
                f"labels go from {labels.min()} to {labels.max()}, but the network has "
                f"{sizes[-1]} outputs, for classes from 0 to {sizes[-1] - 1}"
            )
        order = np.arange(len(images)) if order is None else np.asarray(order)
        targets = (labels[:, None] == np.arange(sizes[-1])).astype(np.uint8)
        inputs = {"stimulus": (images.astype(self.data_dtype, copy=False), order)}
        inputs["targets"] = (targets, order)
        values: dict[str, Any] = run_time_values(
            self.specification, learn=learn, nudge=nudge, presented=self.presented
        )
        replicas = self.specification.protocol.batch_size
        values |= {name: np.tile(drawn, replicas) for name, drawn in self.drawn.items()}
        values["stimulus.scale"] = 1 / maximum
        # Brian2 stores weights by pre-synaptic unit first.
        values |= {f"{name}.w": weight.T for name, weight in self.weights.items()}
        run = self._run_program if self._program is not None else self._run_objects
        responses = run(values, inputs, learn, progress)
        if learn:
            self.presented += -(-len(responses) // self.specification.protocol.batch_size)
        return responses

    def respond(self, images: np.ndarray, *, maximum: float = 255.0) -> np.ndarray:
        """Give the responses to images, as from `present`, without learning."""
        return self.present(images, np.zeros(len(images), int), maximum=maximum, learn=False)

    def predict(self, images: np.ndarray, *, maximum: float = 255.0) -> np.ndarray:
        """Give the predicted classes of images, shape (n_images,)."""
        return self.respond(images, maximum=maximum).argmax(axis=1)

    def _run_program(
        self,
        values: dict[str, Any],
        inputs: dict[str, tuple[np.ndarray, np.ndarray]],
        learn: bool,
        progress: Callable[[np.ndarray], bool | None] | None,
    ) -> np.ndarray:
        assert self._program is not None
        names = [f"{name}.w" for name in self.weights]
        wanted = [*names, *self._states] if learn else []
        results = self._program.run(values, inputs, wanted, monitor="responses", progress=progress)
        self.profile = results.profile
        self.peak_memory_mb = results.peak_memory_mb
        if learn:
            self._take_weights({name: results.arrays[f"{name}.w"] for name in self.weights})
            self._note_states([results.arrays[name] for name in self._states])
        return results.responses

    def _run_objects(
        self,
        values: dict[str, Any],
        inputs: dict[str, tuple[np.ndarray, np.ndarray]],
        learn: bool,
        progress: Callable[[np.ndarray], bool | None] | None,
    ) -> np.ndarray:
        brian = self.brian
        assert brian is not None
        objects = {obj.name: obj for obj in brian.network.objects}
        for name, value in values.items():
            owner, _, variable = name.partition(".")
            objects[owner].variables[variable].set_value(np.ravel(value))
        for name, (data, order) in inputs.items():
            objects[name].show(data, order)
        for name in self._states:
            # What a run that diverged has left behind would outlive the reset.
            owner, _, state = name.partition(".")
            objects[owner].variables[state].set_value(0.0)
        brian.responses.clear()
        with _preferences(self.precision, self._device), warnings.catch_warnings():
            # Brian2 compares float32 states with a number beyond their range.
            warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is looked for later
                brian.network.run(1e8 * second, namespace={})
        if learn:
            projections = brian.projections
            self._take_weights({n: projections[n].variables["w"].get_value() for n in self.weights})
            owners = [name.split(".") for name in self._states]
            self._note_states([objects[o].variables[v].get_value() for o, v in owners])
        responses = brian.responses.responses
        if progress is not None:
            progress(responses)
        return responses

    @property
    def _states(self) -> tuple[str, ...]:
        return self.specification.layout.states

    def _note_states(self, states: list[np.ndarray]) -> None:
        largest = max(float(np.abs(values).max()) for values in states)
        self.largest_state = largest if np.isfinite(largest) else float("inf")

    def _take_weights(self, flat: Mapping[str, np.ndarray]) -> None:
        """Copy weights from Brian2's order, by pre-synaptic unit first, to the paper's shapes."""
        for name, weight in self.weights.items():
            self.weights[name] = np.reshape(flat[name], weight.shape[::-1]).T.copy()


@contextlib.contextmanager
def _preferences(precision: np.dtype, device: Device) -> Iterator[None]:
    """Set Brian2's preferences for building and running, and set them back."""
    old_precision, old_target = prefs.core.default_float_dtype, prefs.codegen.target
    prefs.core.default_float_dtype = precision.type
    if device != "cpp_standalone":
        prefs.codegen.target = device
    try:
        yield
    finally:
        prefs.core.default_float_dtype = old_precision
        prefs.codegen.target = old_target

"""`Simulation`: a network with its weights, which images can be presented to."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ._pixels import (
    check_images,
    check_labels,
    check_order,
    stored_type,
    targets_of,
    type_to_build_for,
)
from ._runtime import Progress, as_our_own, preferences, run_objects, runtime
from .adaptation import Adaptation
from .dense import CompiledNetwork, DataStore
from .dense._brian import LOCK, alone, fresh_names
from .dense._interrupts import deferred
from .dense._text import digest_of
from .dense.standalone import default_cache
from .exceptions import DataError, SpecificationError
from .network import BrianObjects, Engine, build
from .specification import Specification
from .values import drawn_values, initial_weights, run_time_values

__all__ = ["Simulation"]

Device = Literal["cpp_standalone", "cython", "numpy"]
DEVICES: tuple[Device, ...] = ("cpp_standalone", "cython", "numpy")

#: States, for the rates that they lead to.
_RANGE = np.concatenate([np.linspace(-100.0, 100.0, 2001), [-1e30, 1e30]])
#: Compiled programs of this process by what they depend on, so that Brian2 need not generate the
#: same code again, which takes it a second.
_programs: dict[tuple[Any, ...], CompiledNetwork] = {}

#: Types of pixels and of targets.
_Types = tuple[np.dtype, np.dtype]
_BYTES: _Types = np.dtype(np.uint8), np.dtype(np.uint8)


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
    adaptation : Adaptation, optional
        What input units have adapted to already; see `adapt`.
    data_dtype : dtype, optional
        Type of the pixels that a program is compiled for at once. Pixels of any other type are
        presented as they are too, by a program of their own if need be, which is compiled when
        they first come. None: all programs are compiled when they are needed.
    cache : path, optional
        Where compiled programs are kept.
    profile : bool, optional
        Whether to measure the time of each code object (``cpp_standalone`` only).
    threads : int, optional
        Cores that a program uses (``cpp_standalone`` and ``dense`` only). Results have the same
        bits for the same number of threads.

    Raises
    ------
    ValueError
        An unknown device, or threads that it does not have.
    SpecificationError
        Weights of other shapes, or what `build` refuses.
    CompilationError
        No C++ compiler, or it failed.

    Attributes
    ----------
    device, threads
        As given.
    specification : Specification
        May be replaced by one with another protocol, but the same network and batch size.
    build_seconds : float
        Time that the C++ compiler took so far; 0 if the program was there already.
    weights : dict of array
        Weights by projection, in the paper's shapes (rows are post-synaptic units).
    adaptation : Adaptation or None
        What input units have adapted to, if the specification has `input_adaptation`.
    drawn : dict of array
        Values of units that are drawn with the seed, by ``"population.variable"``.
    states : dict of array
        All states at the end of the last mini-batch that was learned, by
        ``"population.variable"``.
    largest_state : float
        Largest magnitude of any of them, infinity for nan.
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
        adaptation: Adaptation | None = None,
        data_dtype: Any = np.uint8,
        cache: Path | None = None,
        profile: bool = False,
        threads: int = 1,
    ) -> None:
        if device not in DEVICES:
            raise ValueError(f"Simulation.device: '{device}' is not one of {', '.join(DEVICES)}")
        if threads < 1:
            raise ValueError(f"Simulation.threads: at least 1, got {threads}")
        if threads > 1 and (device, engine) != ("cpp_standalone", "dense"):
            raise ValueError(
                "Simulation.threads: only programs (device cpp_standalone, engine dense) share "
                f"their work among threads, not device {device}, engine {engine}; leave it at 1"
            )
        self.specification = specification
        self.engine = engine
        self.precision = np.dtype(precision)
        self.data_dtype = type_to_build_for(data_dtype)
        self.seed = seed
        drawn = initial_weights(specification, seed)
        self.weights = {
            name: np.array(drawn[name] if weights is None else weights[name], self.precision)
            for name in drawn
        }
        self.adaptation = adaptation if specification.network.input_adaptation else None
        self.presented = 0
        self.drawn = drawn_values(specification, seed)
        self.profile: dict[str, float] = {}
        self.peak_memory_mb: float | None = None
        self.states: dict[str, np.ndarray] = {}
        self.largest_state = 0.0
        self.brian: BrianObjects | None = None
        self.build_seconds = 0.0
        self.device = device
        self.threads = threads
        self._cache, self._profile = cache or default_cache(), profile
        self._compiled: dict[_Types, CompiledNetwork] = {}
        self._program: CompiledNetwork | None = None  # the one that was used last
        self._store: DataStore | None = None
        if device == "cpp_standalone":
            self._digest = self._digest_now()
            if self.data_dtype is not None:
                self._program_for((self.data_dtype, self._type_of_targets), self._digest)
        else:
            with runtime(self.precision, device):
                self.brian = self._build(_BYTES)

    @property
    def _type_of_targets(self) -> np.dtype:
        """Return the narrowest type of targets that programs are made for."""
        return self.precision if self.specification.network.linear_output else _BYTES[1]

    def _build(self, types: _Types) -> BrianObjects:
        return build(self.specification, self.engine, *types)

    def _digest_now(self) -> str:
        """Return a hash of what would be built now; someone may have exchanged an equation."""
        with runtime(self.precision, "numpy"), fresh_names():
            return digest_of(self._build(_BYTES).network)

    def _types_for(self, images: np.ndarray, targets: np.ndarray) -> _Types:
        """Return types that hold these, and have a program already if any has."""
        kind = self._type_of_targets if targets.dtype == np.uint8 else self.precision
        needed = stored_type(images), kind
        for known in sorted(self._compiled, key=lambda types: [one.itemsize for one in types]):
            if all(map(np.can_cast, needed, known)):
                return known
        return needed

    def _program_for(self, types: _Types, digest: str | None = None) -> CompiledNetwork:
        """Return the program; `digest` is what `_digest_now` would give, if that is known."""
        program = self._compiled.get(types)
        if program is None or not program.exists:
            program = self._compiled[types] = self._find_or_compile(types, digest)
        self._program = program
        return program

    @as_our_own()
    def _find_or_compile(self, types: _Types, digest: str | None) -> CompiledNetwork:
        with LOCK:
            key = (self._cache, self._profile, self.threads, *types, self._digest)
            program = _programs.get(key)
            if program is None or not program.exists:
                if (digest or self._digest_now()) != self._digest:
                    raise SpecificationError(
                        f"the program for pixels of type {types[0]} would have other equations "
                        "than this simulation was made with, or another size: exchange equations "
                        f"before it is made, and make it with data_dtype='{types[0]}'"
                    )
                with preferences(self.precision):
                    program = CompiledNetwork(
                        lambda: self._build(types).network,
                        cache=self._cache,
                        profile=self._profile,
                        threads=self.threads,
                        digest=f"{types} {self._digest}",
                    )
                self.build_seconds += program.build_seconds
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
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Present images, one batch after the other, and learn from them.

        Parameters
        ----------
        images : array, shape (n_images, n_inputs)
            Pixels, numbers of any type.
        labels : array of int, shape (n_images,)
            Classes from 0: output units are nudged to 1 for the class of an image, and to 0 for
            all others. Or the targets themselves, shape (n_images, N_L), numbers or bool.
        order : array of int, optional
            Which images to present, in turn; by default all.
        maximum : float, optional
            The pixel value that means a rate of 1; larger and negative ones are rates too.
        learn : bool, optional
            Whether weights change. V^b of MB replicates the feedback of each image all the
            same, eq. (6), and has its old weights afterwards.
        nudge : bool, optional
            Whether there is a nudging phase; by default if weights change.
        progress : callable, optional
            Called now and then with the responses so far; if it gives True, the run ends after
            the present mini-batch.

        Returns
        -------
        array, shape (n_presented, N_L)
            Response to each presented image: the rates of the output units at the end of the
            prediction phase (with cross-entropy their states s, whose softmax is meant). The
            largest one is the predicted class. Fewer than `order` if the run was stopped.

        Raises
        ------
        DataError
            Images of the wrong size or that are no finite numbers, labels without an output unit,
            targets that the rates of output units can't come to, an order with images that do not
            exist, or a maximum that is not positive.
        KeyboardInterrupt
            At Ctrl-C, after the present mini-batch: what was learned until then is kept, and
            the attribute `responses` has those so far. A second Ctrl-C ends it at once, and
            this call has changed nothing.
        """
        sizes, batch = self.specification.network.sizes, self.specification.protocol.batch_size
        images, maximum = check_images(images, maximum, sizes[0], self.precision)
        labels = check_labels(labels, len(images), sizes[-1])
        targets = targets_of(labels, sizes[-1])
        if labels.ndim == 2:
            self._check_reach(targets)
        order = check_order(order, len(images))
        if learn:
            self.adapt(images, maximum)
        scale, offset = self._input_values(maximum)
        types = self._types_for(images, targets)
        # Compiled before Ctrl-C is put off.
        program = self._program_for(types) if self.brian is None else None
        # In other threads, runtime mode has to wait; programs in C++ have nothing in common.
        with alone() if program is None else deferred() as interrupt:
            inputs = {
                "stimulus": (images.astype(types[0], copy=False), order),
                "targets": (targets.astype(types[1], copy=False), order),
            }
            values: dict[str, Any] = run_time_values(
                self.specification,
                learn=learn,
                nudge=nudge,
                presented=self.presented,
                seed=self.seed,
            )
            values |= {name: np.tile(drawn, batch) for name, drawn in self.drawn.items()}
            values["stimulus.scale"] = scale
            values["stimulus.offset"] = offset
            # Brian2 stores weights by pre-synaptic unit first.
            values |= {f"{name}.w": weight.T for name, weight in self.weights.items()}
            wanted = [*(f"{name}.w" for name in self.weights), *self._states] if learn else []
            if program is None:
                assert self.brian is not None
                responses, arrays = run_objects(
                    self.brian,
                    values,
                    inputs,
                    wanted,
                    states=self._states,
                    precision=self.precision,
                    target=self.device,
                    progress=progress,
                    interrupt=interrupt,
                )
            else:
                responses, arrays = self._run_program(program, values, inputs, wanted, progress)
            if learn:
                states = {name: np.array(arrays[name]) for name in self._states}
                largest = float(np.max([np.abs(values).max() for values in states.values()]))
                self.largest_state = largest if np.isfinite(largest) else float("inf")
                weights = {
                    name: np.reshape(arrays[f"{name}.w"], weight.shape[::-1]).T.copy()
                    for name, weight in self.weights.items()
                }
                presented = self.presented - (-len(responses) // batch)
                self.states = states
                self.weights, self.presented = weights, presented
            interrupt.found = {"responses": responses}
        return responses

    @contextlib.contextmanager
    def keeping_data(self) -> Iterator[None]:
        """Keep images for further calls of `present` within a ``with`` block.

        They are handed to programs once. Those that have changed are noticed.
        """
        if self._store is not None:  # within another block
            yield
            return
        with DataStore() as store:
            self._store = store
            try:
                yield
            finally:
                self._store = None

    def adapt(self, images: np.ndarray, maximum: float = 255.0) -> None:
        """Let the input units adapt to images, if they do that and have not adapted yet.

        A `Training` does so with its training images, and `present` with the first ones that the
        network learns from.

        Parameters
        ----------
        images : array, shape (n_images, n_inputs)
            Pixels, numbers of any type.
        maximum : float, optional
            The pixel value that means an input of 1.

        Raises
        ------
        DataError
            As in `present`, or from `Adaptation.to`.
        """
        if self.specification.network.input_adaptation and self.adaptation is None:
            sizes = self.specification.network.sizes
            self.adaptation = Adaptation.to(
                *check_images(images, maximum, sizes[0], self.precision)
            )

    def _check_reach(self, targets: np.ndarray) -> None:
        """Refuse targets that the output can't come to."""
        network = self.specification.network
        if network.loss == "cross_entropy":
            if targets.min() < 0 or not np.allclose(targets.sum(axis=1), 1, atol=1e-4):
                raise DataError(
                    "targets: cross-entropy compares probabilities, so those of an image need to "
                    "be positive and to have the sum 1"
                )
            return
        # Units are linear, or level off within this range if they do.
        with np.errstate(all="ignore"):
            reached = network.rate_function_of(network.n_layers).function(_RANGE)
        if targets.min() < np.nanmin(reached) or targets.max() > np.nanmax(reached):
            raise DataError(
                f"targets go from {targets.min():g} to {targets.max():g}, and rates of output "
                f"units from {np.nanmin(reached):.3g} to {np.nanmax(reached):.3g}; scale the "
                "targets, or let outputs be linear with network.linear_output = true"
            )

    def input_rates(self, images: np.ndarray, *, maximum: float = 255.0) -> np.ndarray:
        """Return the rates of input units that images lead to, shape (n_images, n_inputs)."""
        self._input_values(maximum)  # refuses what has not adapted
        adaptation = self.adaptation or Adaptation(np.zeros(1), 1.0)
        return adaptation.rates(images, maximum)

    def _input_values(self, maximum: float) -> tuple[float, np.ndarray]:
        """Return scale and offset of the input units, of all replicas."""
        network, batch = self.specification.network, self.specification.protocol.batch_size
        if not network.input_adaptation:
            return 1 / maximum, np.zeros(network.sizes[0] * batch)
        if self.adaptation is None:
            raise SpecificationError(
                "network.input_adaptation: the input units of this network adapt to the images "
                "that it learns from, and it has learned from none: train it, or show it such "
                "images with Simulation.adapt"
            )
        return self.adaptation.values(maximum, batch)

    def respond(self, images: np.ndarray, *, maximum: float = 255.0, cores: int = 1) -> np.ndarray:
        """Return the responses to images, as from `present`, without learning.

        Parameters
        ----------
        images, maximum
            As for `present`.
        cores : int, optional
            Programs that share the images, each on one, or on `threads`. Responses are the same. In
            runtime mode, and for models that learn from whatever they see, there is one.
        """
        labels = np.zeros(np.shape(images)[:1], int)
        layout = self.specification.layout
        batch, n_images = layout.batch_size, len(labels)
        n_batches = -(-n_images // batch)
        programs = min(cores // self.threads, n_batches)
        if programs < 2 or self.brian is not None or layout.adapts:
            return self.present(images, labels, maximum=maximum, learn=False)

        def respond(first: int, last: int) -> np.ndarray:
            rows = slice(first * batch, min(last * batch, n_images))
            part = copy.copy(self)
            part.presented += first  # on which noise depends
            part._store = None  # which is for one at a time
            return part.present(images[rows], labels[rows], maximum=maximum, learn=False)

        borders = [n_batches * number // programs for number in range(programs + 1)]
        with ThreadPoolExecutor(programs) as pool:
            return np.concatenate(list(pool.map(respond, borders[:-1], borders[1:])))

    def predict(self, images: np.ndarray, *, maximum: float = 255.0) -> np.ndarray:
        """Return the predicted classes of images, shape (n_images,)."""
        return self.respond(images, maximum=maximum).argmax(axis=1)

    # -- running ----------------------------------------------------------------------

    @as_our_own()
    def _run_program(
        self,
        program: CompiledNetwork,
        values: dict[str, Any],
        inputs: dict[str, tuple[np.ndarray, np.ndarray]],
        wanted: list[str],
        progress: Progress | None,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        results = program.run(
            values, inputs, wanted, monitor="responses", progress=progress, store=self._store
        )
        self.profile = results.profile
        self.peak_memory_mb = results.peak_memory_mb
        return results.responses, results.arrays

    @property
    def _states(self) -> tuple[str, ...]:
        return self.specification.layout.states

"""`CompiledNetwork`: C++ programs that are built once and run often, with other values.

Brian2's standalone mode writes a C++ project for a network. The project only depends on
the structure of the network if all values are left to run-time arguments; then the same
program serves every epoch, every seed and every learning rate. Programs are
kept in a cache, under the hash of their own source text.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from brian2.core.network import Network
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, DynamicArrayVariable
from brian2.devices.device import all_devices, get_device, reset_device, set_device
from brian2.units import second
from brian2.units.fundamentalunits import (
    fail_for_dimension_mismatch,
    get_or_create_dimension,
)

from ._brian import LOCK, alone, fresh_names, require_runtime
from ._codeobjects import blas_of_programs
from ._compiler import (
    compile_project,
    hash_of,
    hash_without_source,
    profile_by_the_wall,
    spare_threads,
)
from ._exceptions import CompilationError
from ._files import DataStore, folder_for_files, folder_prefix, remove_leftovers, writing_to
from ._interrupts import deferred
from .clamped import DATA_DIRECTORY, OWNER, STOP_FILE, ClampedInput, checked_rows
from .responses import ResponseMonitor
from .synapses import DenseSynapses

__all__ = ["CompiledNetwork", "ProgramResults"]

#: Without -ffinite-math-only, g++ does not use vector instructions for exp; checks for
#: non-finite values are made outside of the program.
COMPILER_FLAGS = ["-w", "-O3", "-ffast-math", "-march=native", "-std=c++11"]
#: More than the source and the objects of a program need.
_PROJECT_BYTES = 10**7
#: Longer than any data set; `ClampedInput` ends the run.
_ENDLESS = 1e8 * second


@dataclass(frozen=True)
class _Variable:
    """What is known of a variable of a program."""

    file: str
    dtype: np.dtype
    dimensions: Any
    #: None where only the program knows it, as for plain Synapses.
    shape: tuple[int, ...] | None
    read_only: bool

    @property
    def bytes(self) -> int:
        """Size of its values, as far as that is known."""
        return int(np.prod(self.shape or (0,))) * self.dtype.itemsize


@dataclass(frozen=True)
class _Contents:
    """What a program reads and writes, by name."""

    variables: dict[str, _Variable]
    #: Width, type and files of every `ClampedInput`.
    inputs: dict[str, tuple[int, np.dtype, tuple[str, str]]]
    #: Width and type of every `ResponseMonitor`.
    monitors: dict[str, tuple[int, np.dtype]]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "variables": {
                name: [v.file, v.dtype.str, v.dimensions._dims, v.shape, v.read_only]
                for name, v in self.variables.items()
            },
            "inputs": {
                name: [n, dtype.str, files] for name, (n, dtype, files) in self.inputs.items()
            },
            "monitors": {name: [n, dtype.str] for name, (n, dtype) in self.monitors.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> _Contents:
        """Take what `to_json` has given."""
        return cls(
            {
                name: _Variable(
                    file,
                    np.dtype(dtype),
                    get_or_create_dimension(dims),
                    None if shape is None else tuple(shape),
                    read_only,
                )
                for name, (file, dtype, dims, shape, read_only) in data["variables"].items()
            },
            {
                name: (n, np.dtype(dtype), tuple(files))
                for name, (n, dtype, files) in data["inputs"].items()
            },
            {name: (n, np.dtype(dtype)) for name, (n, dtype) in data["monitors"].items()},
        )


@dataclass(frozen=True)
class ProgramResults:
    """What a program left behind.

    Attributes
    ----------
    arrays : dict
        Values of the requested variables, by ``"object.variable"``.
    responses : array, shape (n_presented, n_units)
        What the `ResponseMonitor` noted.
    profile : dict
        Seconds by code object, if the network was compiled with profiling.
    peak_memory_mb : float or None
        Largest memory in use, where the system tells (Linux) and the run took long enough to ask.

    Examples
    --------
    It is what `CompiledNetwork.run` gives; see there.

    >>> import numpy as np
    >>> from ghost_spiking.dense import ProgramResults
    >>> results = ProgramResults({"unit.v": np.ones(1)}, np.empty((0, 10)), {}, None)
    >>> results.arrays["unit.v"]
    array([1.])
    """

    arrays: dict[str, np.ndarray]
    responses: np.ndarray
    profile: dict[str, float]
    peak_memory_mb: float | None


class CompiledNetwork:
    r"""A network as a C++ program that takes its values when it starts.

    Parameters
    ----------
    build : callable
        Creates all objects and gives their `Network`. It is called while the C++ standalone
        device is active, and should set no values, lest they become part of the program.
    cache : path, optional
        Where programs are kept; by default the user's cache directory, or
        ``$GHOST_SPIKING_CACHE``.
    profile : bool, optional
        Whether the program measures the time spent in each code object.
    threads : int, optional
        Cores that the products and loops of the program share. Results have the same bits for the
        same number of threads, on any machine of the same kind.
    digest : str, optional
        A hash of all that `build` depends on. A program that was compiled for the same one is
        taken from the cache without calling `build`, which takes half a second.

    Raises
    ------
    CompilationError
        No C++ compiler or no make, or the compiler failed, as it does for several threads if it
        does not know OpenMP.
    ValueError
        Fewer threads than one.

    Attributes
    ----------
    build_seconds : float
        Time that the compiler took; 0 if the program came from the cache.

    Examples
    --------
    A leaky integrator, compiled once and run with two values of its input:

    >>> from brian2 import Clock, Network, NeuronGroup, ms
    >>> from ghost_spiking.dense import ClampedInput, CompiledNetwork
    >>> import numpy as np
    >>> def build():
    ...     clock = Clock(1 * ms)
    ...     stimulus = ClampedInput(1, steps=10, clock=clock, name="stimulus")
    ...     model = "dv/dt = (drive - v) / (10*ms) : 1\ndrive : 1 (constant, shared)"
    ...     unit = NeuronGroup(1, model, method="euler", clock=clock, name="unit")
    ...     return Network(stimulus, unit)
    >>> program = CompiledNetwork(build)
    >>> inputs = {"stimulus": (np.zeros((1, 1), np.uint8), np.arange(1))}
    >>> for drive in (1.0, 2.0):
    ...     values = {"unit.drive": drive, "stimulus.steps": 10}
    ...     results = program.run(values, inputs, ["unit.v"])
    ...     print(results.arrays["unit.v"].round(3))
    [0.651]
    [1.303]
    """

    def __init__(
        self,
        build: Callable[[], Network],
        *,
        cache: Path | None = None,
        profile: bool = False,
        threads: int = 1,
        digest: str | None = None,
    ) -> None:
        if threads < 1:
            raise ValueError(f"CompiledNetwork.threads: at least 1, got {threads}")
        self.cache = Path(cache) if cache is not None else default_cache()
        self.build_seconds = 0.0
        with LOCK, writing_to(self.cache, "GHOST_SPIKING_CACHE"):
            self.cache.mkdir(parents=True, exist_ok=True)
            for parent in {self.cache, folder_for_files(), Path(tempfile.gettempdir())}:
                remove_leftovers(parent)
        known = None
        if digest is not None:
            name = hash_without_source(digest, profile, threads, sorted(blas_of_programs().items()))
            known = self.cache / f"{name}.json"
            if self._is_known(known):
                return
        parent = folder_for_files(_PROJECT_BYTES)
        with LOCK, writing_to(parent, "TMPDIR"):
            scratch = Path(tempfile.mkdtemp(prefix=folder_prefix(), dir=parent))
            try:
                self._contents = _write_project(build, scratch, profile, threads)
                self.directory = self.cache / hash_of(scratch)
                if not self.exists:
                    self.build_seconds = compile_project(scratch)
                    self._install(scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        if known is not None:
            self._note(known)

    def _is_known(self, note: Path) -> bool:
        """Take the program that a note is about, if both are there."""
        try:
            found = json.loads(note.read_text())
            self.directory = self.cache / found["program"]
            self._contents = _Contents.from_json(found["contents"])
        except (OSError, ValueError, KeyError, TypeError):  # there is none, or parts of one
            return False
        return self.exists

    def _note(self, note: Path) -> None:
        """Note which program this is, for those who come later, if there is room for it."""
        text = json.dumps({"program": self.directory.name, "contents": self._contents.to_json()})
        with contextlib.suppress(OSError):
            handle, copy = tempfile.mkstemp(prefix=folder_prefix(), dir=self.cache)
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(text)
                os.replace(copy, note)
            except BaseException:
                os.unlink(copy)
                raise

    def _install(self, scratch: Path) -> None:
        """Put a program into the cache; of several processes, whoever is first wins."""
        with writing_to(self.cache, "GHOST_SPIKING_CACHE"):
            copy = Path(tempfile.mkdtemp(prefix=folder_prefix(), dir=self.cache))
            try:
                shutil.copytree(scratch, copy, dirs_exist_ok=True)
                try:
                    copy.rename(self.directory)
                except OSError:
                    if not self.exists:  # someone has removed parts of it
                        shutil.rmtree(self.directory, ignore_errors=True)
                        copy.rename(self.directory)
            finally:
                shutil.rmtree(copy, ignore_errors=True)

    @property
    def exists(self) -> bool:
        """Whether the program is there; someone may have emptied the cache."""
        return (self.directory / "main").exists()

    def run(
        self,
        values: Mapping[str, np.ndarray | float],
        inputs: Mapping[str, tuple[np.ndarray, np.ndarray]],
        wanted: list[str],
        *,
        monitor: str | None = None,
        progress: Callable[[np.ndarray], bool | None] | None = None,
        store: DataStore | None = None,
    ) -> ProgramResults:
        """Run the program until its inputs are exhausted.

        Parameters
        ----------
        values : mapping
            What to set before the run, by ``"object.variable"``: numbers, or arrays of the size of
            the variable (for matrices of a `DenseSynapses`, of their shape or flat).
        inputs : mapping
            Data and order for each `ClampedInput`, by its name, as for `ClampedInput.show`.
        wanted : list of str
            Variables whose final values are needed.
        monitor : str, optional
            Name of the `ResponseMonitor` to read.
        progress : callable, optional
            Called now and then with all responses so far. If it gives True, the run ends after
            the present batch.
        store : DataStore, optional
            Where data of inputs are kept for further runs.

        Raises
        ------
        CompilationError
            The program failed; the message has its last words.
        KeyboardInterrupt
            At Ctrl-C, after the present batch; it has the attributes `results`, which is what
            would have been returned, and `responses`. A second Ctrl-C ends it at once, without.
        ValueError
            Values or inputs that the program has no place for: unknown names, other sizes or
            types, numbers that are not finite.
        """
        checked = self._check(values, inputs, wanted, monitor)
        with deferred() as interrupt:
            results = self._run(checked, wanted, monitor, progress, store)
            interrupt.found |= {"results": results, "responses": results.responses}
        return results

    def _run(
        self,
        checked: Mapping[str, np.ndarray],
        wanted: list[str],
        monitor: str | None,
        progress: Callable[[np.ndarray], bool | None] | None,
        store: DataStore | None,
    ) -> ProgramResults:
        known = (variable.bytes for variable in self._contents.variables.values())
        parent = folder_for_files(sum(known) + sum(array.nbytes for array in checked.values()))
        with writing_to(parent, "TMPDIR"):
            temporary = tempfile.TemporaryDirectory(prefix=folder_prefix(), dir=parent)
        with temporary as path:
            folder = Path(path)
            with writing_to(folder, "TMPDIR"):
                (folder / "out").mkdir()
                arguments = []
                for file_name, array in checked.items():
                    is_value = file_name.endswith(".value")
                    stored = None if store is None or is_value else store.file_of(array)
                    if stored is not None:
                        (folder / file_name).symlink_to(stored)
                    else:
                        # A transposed one would be written number by number.
                        np.ascontiguousarray(array).tofile(folder / file_name)
                    name = file_name.removesuffix(".value")
                    if not array.ndim:  # for as many synapses as there may be
                        arguments.append(f"{name}={array.item()}")
                    elif name != file_name:
                        arguments.append(f"{name}={folder / file_name}")

            def responses() -> np.ndarray:
                return self._responses(folder / "out", monitor)

            report = (lambda: None) if progress is None else lambda: progress(responses())
            memory = self._execute(folder, arguments, report)
            return ProgramResults(
                arrays={name: self._read(folder, name) for name in wanted},
                responses=responses(),
                profile=_read_profile(folder / "out" / "profiling_info.txt"),
                peak_memory_mb=memory,
            )

    def _check(
        self,
        values: Mapping[str, np.ndarray | float],
        inputs: Mapping[str, tuple[np.ndarray, np.ndarray]],
        wanted: Iterable[str],
        monitor: str | None,
    ) -> dict[str, np.ndarray]:
        """Return what has to be written into files, by their names."""
        known = self._contents
        missing = sorted(known.inputs.keys() - inputs.keys())
        if missing:
            raise ValueError(f"the program's ClampedInput '{missing[0]}' needs data and order")
        _require(wanted, known.variables, "a variable")
        _require([] if monitor is None else [monitor], known.monitors, "a ResponseMonitor")
        _require(inputs, known.inputs, "a ClampedInput")
        _require(values, known.variables, "a variable")
        files = {
            f"{name}.value": _checked_value(name, known.variables[name], value)
            for name, value in values.items()
        }
        for name, given in inputs.items():
            width, dtype, file_names = known.inputs[name]
            if not isinstance(given, (tuple, list)) or len(given) != 2:
                raise ValueError(f"{name}: give data and order, as a pair of arrays")
            rows = _only_shown(*checked_rows(name, width, dtype, *given))
            files |= zip(file_names, rows, strict=True)
        return files

    def _read(self, folder: Path, name: str) -> np.ndarray:
        variable = self._contents.variables[name]
        with writing_to(folder, "TMPDIR"):
            values = np.fromfile(folder / "out" / variable.file, dtype=variable.dtype)
            if variable.shape is not None and len(values) != np.prod(variable.shape):
                raise OSError(errno.ENOSPC, f"it has only part of the results, {name}")
        return values

    def _responses(self, folder: Path, monitor: str | None) -> np.ndarray:
        if monitor is None:
            return np.empty((0, 0))
        n_units, dtype = self._contents.monitors[monitor]
        path = folder / f"{monitor}.responses"
        data = path.read_bytes() if path.exists() else b""
        whole_rows = len(data) // (n_units * dtype.itemsize)
        return np.frombuffer(data, dtype, whole_rows * n_units).reshape(whole_rows, n_units)

    def _execute(
        self, folder: Path, arguments: list[str], report: Callable[[], bool | None]
    ) -> float | None:
        command = [str(self.directory / "main"), "--results_dir", f"{folder / 'out'}/", *arguments]
        environment = dict(os.environ)
        environment.pop("OMP_THREAD_LIMIT", None)  # fewer threads would add up in another order
        if "OMP_WAIT_POLICY" not in environment:
            # Threads that wait a millisecond without giving up their core stand in each other's way
            # where cores have other work.
            environment.setdefault("GOMP_SPINCOUNT", "2000")
        environment |= {DATA_DIRECTORY: str(folder), OWNER: str(os.getpid())}
        asked_to_stop, memory = False, None
        with deferred() as interrupt, open(folder / "messages", "w+") as messages:
            interrupt.patient = False
            # A pipe that is closed when the program ends: `Popen.wait` with a time to wait would
            # notice that up to 50 ms late, at every run.
            alive, end = os.pipe()
            try:
                # In a session of its own, so that the terminal's Ctrl-C does not reach it.
                process = subprocess.Popen(
                    command,
                    cwd=self.directory,
                    env=environment,
                    stdout=messages,
                    stderr=messages,
                    pass_fds=(end,),
                    start_new_session=True,
                )
            except BaseException:
                os.close(alive)
                raise
            finally:
                os.close(end)
            ended = select.poll()
            ended.register(alive)
            try:
                while not ended.poll(200):
                    memory = _peak_memory_of(process.pid) or memory
                    if (report() or interrupt.received) and not asked_to_stop:
                        (folder / STOP_FILE).touch()
                        asked_to_stop = True
                process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            finally:
                os.close(alive)
            interrupt.patient = True
            messages.seek(0)
            if process.returncode or "Error" in (text := messages.read()):
                messages.seek(0)
                text = messages.read().strip()[-500:]
                raise CompilationError(f"the program ended with an error: {text or command[0]}")
        return memory


def _only_shown(data: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the rows that are not shown; a data set may be large, and the image one."""
    shown, places = np.unique(order, return_inverse=True)
    return (data[shown], places.astype(order.dtype)) if len(shown) < len(data) else (data, order)


def _peak_memory_of(process_id: int) -> float | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def _read_profile(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return {name: float(seconds) for name, seconds in rows}


def default_cache() -> Path:
    """Return the folder for compiled programs.

    Examples
    --------
    >>> from ghost_spiking.dense.standalone import default_cache
    >>> default_cache()  # doctest: +SKIP
    PosixPath('/home/me/.cache/ghost-spiking')
    """
    import platformdirs

    return Path(
        os.environ.get("GHOST_SPIKING_CACHE") or platformdirs.user_cache_dir("ghost-spiking")
    )


@contextlib.contextmanager
def _standalone_device(directory: Path, threads: int) -> Iterator[None]:
    """Activate the C++ standalone device, and leave no trace of it afterwards."""
    # Brian2 calls it not yet well tested; here it is.
    warning = logging.getLogger("brian2.devices.cpp_standalone.device.openmp")
    with alone(), fresh_names():
        require_runtime()
        flags = prefs.codegen.cpp.extra_compile_args
        threads_before = prefs.devices.cpp_standalone.openmp_threads
        all_devices["cpp_standalone"].reinit()
        set_device("cpp_standalone", build_on_run=False, directory=str(directory))
        try:
            prefs.codegen.cpp.extra_compile_args = COMPILER_FLAGS
            warning.disabled = True
            # None at all for one, whose code is then free of OpenMP.
            prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
            yield
        finally:
            prefs.codegen.cpp.extra_compile_args = flags
            prefs.devices.cpp_standalone.openmp_threads = threads_before
            warning.disabled = False
            reset_device()
            all_devices["cpp_standalone"].reinit()


def _require(names: Iterable[str], known: Mapping[str, Any], kind: str) -> None:
    for name in names:
        if name not in known:
            public = [other for other in known if "._" not in other]
            similar = get_close_matches(str(name), public, 1) or sorted(public)[:5]
            raise ValueError(
                f"'{name}' is not {kind} of the program; there is {', '.join(similar) or 'none'}"
            )


def _checked_value(name: str, variable: _Variable, value: Any) -> np.ndarray:
    """Return a value in the type and the size of the variable, or say why it does not fit."""
    if variable.read_only:
        raise ValueError(f"{name} is computed by the program and can't be set")
    if hasattr(value, "dim"):
        fail_for_dimension_mismatch(value, variable.dimensions, f"{name} is set in other units")
    given = np.asarray(value)
    if given.dtype.kind not in "buif":
        raise ValueError(f"{name}: values must be real numbers, got {given.dtype}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name}: values must be finite, got nan or infinity")
    shape = variable.shape
    if given.ndim and shape is not None and given.shape not in (shape, (np.prod(shape),)):
        raise ValueError(f"{name} has the shape {shape}, got {given.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        stored = given.astype(variable.dtype)
    if not np.isfinite(stored).all() or (
        variable.dtype.kind != "f" and not np.array_equal(stored, given)
    ):
        raise ValueError(
            f"{name}: values must be of the type {variable.dtype}, got {given.dtype} from "
            f"{given.min()} to {given.max()}"
        )
    return np.broadcast_to(stored, shape) if shape is not None and not given.ndim else stored


def _write_project(
    build: Callable[[], Network], directory: Path, profile: bool, threads: int = 1
) -> _Contents:
    """Write the C++ project, and give what is in it."""
    with _standalone_device(directory, threads):
        network = build()
        network.run(_ENDLESS, namespace={}, profile=profile)
        device = get_device()
        device.build(directory=str(directory), compile=False, run=False)
        if threads > 1:
            spare_threads(directory)
        if profile:
            profile_by_the_wall(directory)
        variables = {
            f"{variable.owner.name}.{variable.name}": _Variable(
                device.get_array_filename(variable),
                np.dtype(variable.dtype),
                variable.dim,
                _shape_of(variable),
                variable.read_only,
            )
            for variable in device.arrays
        }
        inputs = {
            item.name: (item.n_units, item.data_dtype, item.data_files)
            for item in network.objects
            if isinstance(item, ClampedInput)
        }
        monitors = {
            item.name: (item.n_units, item.dtype)
            for item in network.objects
            if isinstance(item, ResponseMonitor)
        }
        return _Contents(variables, inputs, monitors)


def _shape_of(variable: ArrayVariable) -> tuple[int, ...] | None:
    if isinstance(variable, DynamicArrayVariable):
        return None
    owner = variable.owner
    if isinstance(owner, DenseSynapses) and variable.name in owner._matrices:
        return (owner.n_pre, owner.n_post)
    return (variable.size,)

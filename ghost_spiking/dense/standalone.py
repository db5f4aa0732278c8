"""`CompiledNetwork`: C++ programs that are built once and run often, with other values.

Brian2's standalone mode writes a C++ project for a network. The project only depends on
the structure of the network if all values are left to run-time arguments; then the same
program serves every epoch, every seed and every learning rate. Programs are
kept in a cache, under the hash of their own source text.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from brian2.core.network import Network
from brian2.core.preferences import prefs
from brian2.devices.device import all_devices, get_device, reset_device, set_device
from brian2.units import second

from ..exceptions import CompilationError
from .clamped import DATA_DIRECTORY

__all__ = ["CompiledNetwork", "ProgramResults"]

#: Without -ffinite-math-only, g++ does not use vector instructions for exp; checks for
#: non-finite values are made outside of the program.
COMPILER_FLAGS = ["-w", "-O3", "-ffast-math", "-march=native", "-std=c++11"]
#: Longer than any data set; `ClampedInput` ends the run.
_ENDLESS = 1e8 * second


@dataclass(frozen=True)
class ProgramResults:
    """What a program left behind.

    Attributes
    ----------
    arrays : dict
        Values of the requested variables, by ``"object.variable"``.
    winners : array of int32
        What the `WinnerMonitor` noted.
    profile : dict
        Seconds by code object, if the network was compiled with profiling.
    peak_memory_mb : float or None
        Largest memory in use, where the system tells (Linux) and the run took long enough to ask.
    """

    arrays: dict[str, np.ndarray]
    winners: np.ndarray
    profile: dict[str, float]
    peak_memory_mb: float | None


class CompiledNetwork:
    """A network as a C++ program that takes its values when it starts.

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

    Raises
    ------
    CompilationError
        No C++ compiler or no make, or the compiler failed.

    Attributes
    ----------
    build_seconds : float
        Time that the compiler took; 0 if the program came from the cache.
    """

    def __init__(
        self, build: Callable[[], Network], *, cache: Path | None = None, profile: bool = False
    ) -> None:
        self.cache = Path(cache) if cache is not None else _default_cache()
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix="building-", dir=self.cache))
        except OSError as error:
            raise CompilationError(
                f"the cache directory '{self.cache}' is not writable ({error.strerror}); name "
                "another one in the environment variable GHOST_SPIKING_CACHE"
            ) from None
        self.build_seconds = 0.0
        try:
            self._files = _write_project(build, scratch, profile)
            key = _hash_of(scratch)
            self.directory = self.cache / key
            if not (self.directory / "main").exists():
                self.build_seconds = _compile(scratch)
                (scratch / "files.json").write_text(json.dumps(self._files))
                # Whoever renames first wins; both programs are the same.
                with contextlib.suppress(OSError):
                    scratch.rename(self.directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def run(
        self,
        values: Mapping[str, np.ndarray | float],
        inputs: Mapping[str, tuple[np.ndarray, np.ndarray]],
        wanted: list[str],
        *,
        monitor: str | None = None,
        progress: Callable[[np.ndarray], None] | None = None,
    ) -> ProgramResults:
        """Run the program until its inputs are exhausted.

        Parameters
        ----------
        values : mapping
            What to set before the run, by ``"object.variable"``.
        inputs : mapping
            Data and order for each `ClampedInput`, by its name.
        wanted : list of str
            Variables whose final values are needed.
        monitor : str, optional
            Name of the `WinnerMonitor` to read.
        progress : callable, optional
            Called now and then with all winners so far.

        Raises
        ------
        CompilationError
            The program failed; the message has its last words.
        """
        with tempfile.TemporaryDirectory(prefix="ghost-spiking-") as name:
            folder = Path(name)
            (folder / "out").mkdir()
            for input_name, (data, order) in inputs.items():
                np.ascontiguousarray(data).tofile(folder / f"{input_name}.data")
                order.astype(np.int32).tofile(folder / f"{input_name}.order")
            arguments = [self._argument(folder, name, value) for name, value in values.items()]
            winners_file = folder / "out" / f"{monitor}.winners"
            memory = self._execute(folder, arguments, winners_file, progress)
            return ProgramResults(
                arrays={name: self._read(folder, name) for name in wanted},
                winners=_read_winners(winners_file),
                profile=_read_profile(folder / "out" / "profiling_info.txt"),
                peak_memory_mb=memory,
            )

    def _argument(self, folder: Path, name: str, value: np.ndarray | float) -> str:
        _, dtype = self._files[name]
        path = folder / f"{name}.value"
        np.asarray(value, dtype=dtype).ravel().tofile(path)
        return f"{name}={path}"

    def _read(self, folder: Path, name: str) -> np.ndarray:
        file_name, dtype = self._files[name]
        return np.fromfile(folder / "out" / file_name, dtype=dtype)

    def _execute(
        self,
        folder: Path,
        arguments: list[str],
        winners_file: Path,
        progress: Callable[[np.ndarray], None] | None,
    ) -> float | None:
        command = [str(self.directory / "main"), "--results_dir", f"{folder / 'out'}/", *arguments]
        environment = os.environ | {DATA_DIRECTORY: str(folder)}
        interrupted, memory = False, None
        with open(folder / "messages", "w+") as messages:
            process = subprocess.Popen(
                command, cwd=self.directory, env=environment, stdout=messages, stderr=messages
            )
            while True:
                try:
                    process.wait(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    memory = _peak_memory_of(process.pid) or memory
                    if progress is not None:
                        progress(_read_winners(winners_file))
                except KeyboardInterrupt:
                    # The program got the signal too, ends after the present time step, and
                    # leaves complete weights; a second signal is meant for us.
                    if interrupted:
                        process.kill()
                        raise
                    interrupted = True
            if process.returncode == -signal.SIGINT:  # it had not started to compute yet
                raise KeyboardInterrupt
            messages.seek(0)
            if process.returncode or "Error" in (text := messages.read()):
                messages.seek(0)
                text = messages.read().strip()[-500:]
                raise CompilationError(f"the program ended with an error: {text or command[0]}")
        return memory


def _peak_memory_of(process_id: int) -> float | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def _read_winners(path: Path) -> np.ndarray:
    if not path.exists():
        return np.empty(0, dtype=np.int32)
    data = path.read_bytes()
    return np.frombuffer(data[: len(data) // 4 * 4], dtype=np.int32)


def _read_profile(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return {name: float(seconds) for name, seconds in rows}


def _default_cache() -> Path:
    import platformdirs

    return Path(
        os.environ.get("GHOST_SPIKING_CACHE") or platformdirs.user_cache_dir("ghost-spiking")
    )


@contextlib.contextmanager
def _standalone_device(directory: Path) -> Iterator[None]:
    """Activate the C++ standalone device, and leave no trace of it afterwards."""
    # Brian2 numbers code objects whose names are in use, and the names are part of the program.
    gc.collect()
    flags = prefs.codegen.cpp.extra_compile_args
    all_devices["cpp_standalone"].reinit()
    set_device("cpp_standalone", build_on_run=False, directory=str(directory))
    try:
        prefs.codegen.cpp.extra_compile_args = COMPILER_FLAGS
        yield
    finally:
        prefs.codegen.cpp.extra_compile_args = flags
        reset_device()
        all_devices["cpp_standalone"].reinit()


def _write_project(
    build: Callable[[], Network], directory: Path, profile: bool
) -> dict[str, tuple[str, str]]:
    """Write the C++ project; give file and type of every variable by its name."""
    with _standalone_device(directory):
        network = build()
        network.run(_ENDLESS, namespace={}, profile=profile)
        device = get_device()
        device.build(directory=str(directory), compile=False, run=False)
        return {
            f"{variable.owner.name}.{variable.name}": (
                device.get_array_filename(variable),
                np.dtype(variable.dtype).name,
            )
            for variable in device.arrays
        }


def _hash_of(directory: Path) -> str:
    """Hash of the project, of the compiler and of the processor that it is compiled for."""
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(directory)).encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    stamp = os.stat(compiler).st_mtime_ns if compiler else 0
    digest.update(f"{compiler} {stamp} {platform.platform()}".encode())
    with contextlib.suppress(OSError):
        flags = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if x[:5] == "flags"]
        digest.update("".join(flags[:1]).encode())
    return digest.hexdigest()[:24]


def _compile(directory: Path) -> float:
    for tool, packages in (
        (os.environ.get("CXX", "g++"), "g++ (Debian, Ubuntu), gcc-c++ (Fedora), Xcode (macOS)"),
        ("make", "make"),
    ):
        if shutil.which(tool) is None:
            raise CompilationError(f"'{tool}' was not found; install the package {packages}")
    start = time.perf_counter()
    done = subprocess.run(
        ["make", "-j", str(os.cpu_count() or 1)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "rror" in line]
        raise CompilationError(f"the C++ compiler failed: {(errors or ['make failed'])[0]}")
    for path in directory.rglob("*.o"):
        path.unlink()
    return time.perf_counter() - start

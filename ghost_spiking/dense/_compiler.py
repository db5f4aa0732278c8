"""Compiling C++ projects that Brian2 has written, in half the time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import brian2
import numpy as np
import sympy

from ._exceptions import CompilationError

__all__ = [
    "compile_project",
    "hash_of",
    "hash_without_source",
    "profile_by_the_wall",
    "spare_threads",
]

_INCLUDE = re.compile(r"^#include ?[<\"](?!code_objects/).*$", re.MULTILINE)
_FUNCTION = re.compile(r"^void (\w+)\(\);$", re.MULTILINE)
_SOURCES = re.compile(r"^SRCS = (.*)$", re.MULTILINE)
_PARALLEL = re.compile(
    r"^(\s*#pragma omp parallel for schedule\(static\))(\s*for\(int _idx=0; _idx<_N;)", re.M
)
_CLOCK = "std::chrono::steady_clock::now()"
#: How Brian2 times a code object, and how it is timed without a system call.
_TIMED = {
    "const std::clock_t _start_time = std::clock();": f"const auto _start_time = {_CLOCK};",
    "(double)(std::clock() -_start_time)/CLOCKS_PER_SEC": (
        f"std::chrono::duration<double>({_CLOCK} - _start_time).count()"
    ),
}
#: Units that a loop needs for several threads to be faster than one, as in templates/macros.cpp.
_WORTHWHILE = 4000
#: Files that hold together what is run once a step, and nothing that is computed.
_FRAME = ("main.cpp", "run.cpp", "network.cpp", "synapses_classes.cpp")
#: More files than this make the compiler read the headers more often than cores can make up for.
_MOST_BUNDLES = 4


def hash_of(directory: Path) -> str:
    """Return a hash of a project, of the compiler and of the processor that it is compiled for."""
    digest = hashlib.sha256(_hash_of_files(directory).encode())
    digest.update(_machine().encode())
    return digest.hexdigest()[:24]


def hash_without_source(*facts: object) -> str:
    """Return a hash of what a project depends on that has not been written, beside these facts.

    These are the code that would write it, the compiler and the processor.
    """
    versions = [brian2.__version__, sympy.__version__, np.__version__, platform.python_version()]
    known = [*map(repr, facts), *versions, _hash_of_files(Path(__file__).parent), _machine()]
    return hashlib.sha256("\0".join(known).encode()).hexdigest()[:24]


def _hash_of_files(directory: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        digest.update(str(path.relative_to(directory)).encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _machine() -> str:
    """Return a text that differs between compilers, and between processors."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    stamp = os.stat(compiler).st_mtime_ns if compiler else 0
    flags = []
    with contextlib.suppress(OSError):
        flags = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if x[:5] == "flags"]
    return f"{compiler} {stamp} {platform.platform()} {''.join(flags[:1])}"


def spare_threads(directory: Path) -> None:
    """Let Brian2's loops over a few units run in one thread; to wake others takes longer."""
    for path in (directory / "code_objects").glob("*.cpp"):
        path.write_text(_PARALLEL.sub(rf"\1 if(_N > {_WORTHWHILE})\2", path.read_text()))


def profile_by_the_wall(directory: Path) -> None:
    """Let code objects be timed by a clock that is read at once.

    Brian2's asks the kernel for the time of the processor, twice for each code object and step;
    what that takes is in no code object's time.
    """
    for path in (directory / "code_objects").glob("*.cpp"):
        text = path.read_text()
        for slow, quick in _TIMED.items():
            text = text.replace(slow, quick)
        path.write_text(f"#include <chrono>\n{text}")


def compile_project(directory: Path) -> float:
    """Compile a project to the program ``main``, and return the seconds that it took.

    Raises
    ------
    CompilationError
        The compiler or make is not there, or the compiler failed.
    """
    for tool, packages in (
        (os.environ.get("CXX", "g++"), "g++ (Debian, Ubuntu), gcc-c++ (Fedora), Xcode (macOS)"),
        ("make", "make"),
    ):
        if shutil.which(tool) is None:
            raise CompilationError(f"'{tool}' was not found; install the package {packages}")
    start = time.perf_counter()
    makefile = directory / "makefile"
    as_written = makefile.read_text()
    (directory / "make.deps").touch()  # dependencies, which nobody needs who compiles once
    makefile.write_text(_bundled(directory, as_written))
    if _make(directory) is not None:
        makefile.write_text(as_written)
        errors = _make(directory)
        if errors is not None:
            lines = [line for line in errors.splitlines() if "rror" in line]
            raise CompilationError(f"the C++ compiler failed: {(lines or ['make failed'])[0]}")
    for path in directory.rglob("*.o"):
        path.unlink()
    return time.perf_counter() - start


def _bundled(directory: Path, makefile: str) -> str:
    """Write the sources of several code objects into one, and return the makefile for these.

    There is a source file for each code object, and four fifths of the time would go to reading
    the same headers and starting the compiler. Each has helpers of the same names, so it gets a
    namespace to itself. Where that does not work, the project is compiled as it was written.
    """
    sources = sorted((directory / "code_objects").glob("*.cpp"))
    texts = [path.read_text() for path in sources]
    # Nothing is included once more within a namespace.
    headers = dict.fromkeys(line for text in texts for line in _INCLUDE.findall(text))
    n_bundles = min(_MOST_BUNDLES, os.cpu_count() or 1, len(sources))
    names = [f"bundle_{number}.cpp" for number in range(n_bundles)]
    for number, name in enumerate(names):
        lines = list(headers)
        for source in sources[number::n_bundles]:
            header = source.with_suffix(".h").read_text()
            space = f"of_{source.stem}"
            lines.append(f'namespace {space} {{\n#include "code_objects/{source.name}"\n}}')
            lines += [f"void {f}() {{ {space}::{f}(); }}" for f in _FUNCTION.findall(header)]
        (directory / name).write_text("\n".join(lines) + "\n")
    (directory / "frame.cpp").write_text("".join(f'#include "{name}"\n' for name in _FRAME))
    # What is left: the arrays, Brian2's library, and sources that users have added.
    listed = _SOURCES.search(makefile)
    others = [
        name
        for name in (listed[1].split() if listed else ())
        if name not in _FRAME and not name.startswith("code_objects/")
    ]
    makefile = _SOURCES.sub(f"SRCS = {' '.join([*others, *names, 'frame.cpp'])}", makefile)
    # Sets and writes all arrays, once; to optimise that would take longer than all the rest.
    return makefile + "\nobjects.o: CXXFLAGS += -O0\n"


def _make(directory: Path) -> str | None:
    """Run make, and return its messages if it fails."""
    make = subprocess.Popen(
        ["make", "-j", str(os.cpu_count() or 1)],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C ends all compilers at once, and none where someone else handles it.
        start_new_session=True,
    )
    try:
        _, messages = make.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(make.pid, signal.SIGKILL)
        make.communicate()
        raise
    return messages if make.returncode else None

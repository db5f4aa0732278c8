"""What can go wrong around a program is one clear error, and leaves nothing half-done behind."""

import builtins
import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from ghost_spiking import Simulation, Specification
from ghost_spiking.datasets import Dataset
from ghost_spiking.dense import standalone
from ghost_spiking.exceptions import CompilationError, DataError

SPECIFICATION = Specification.create(sizes=(4, 3, 2), batch_size=2, input_adaptation=False)
IMAGES = np.arange(24, dtype=np.uint8).reshape(6, 4)
LABELS = np.array([0, 1, 0, 1, 0, 1])


def entries(folder):
    return {path.name for path in Path(folder).iterdir()}


def programs(cache):
    return {name for name in entries(cache) if not name.endswith(".json")}


def test_cache_that_is_a_file(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(CompilationError, match=r"can't be written to.*GHOST_SPIKING_CACHE"):
        Simulation(SPECIFICATION, cache=tmp_path / "cache")


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("place", ["_write_project", "hash_of", "compile_project"])
def test_full_cache_leaves_nothing_behind(tmp_path, monkeypatch, place):
    monkeypatch.setattr(standalone, place, full)
    with pytest.raises(CompilationError, match=r"No space left.*make room there"):
        Simulation(SPECIFICATION, cache=tmp_path)
    assert not entries(tmp_path)


def test_interrupted_build_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(directory):
        raise KeyboardInterrupt

    monkeypatch.setattr(standalone, "compile_project", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Simulation(SPECIFICATION, cache=tmp_path)
    assert not entries(tmp_path)


def test_compiler_that_fails(tmp_path, monkeypatch):
    compiler = tmp_path / "broken-compiler"
    compiler.write_text("#!/bin/sh\necho 'fatal error: no such header' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(CompilationError, match="compiler failed"):
        Simulation(SPECIFICATION, cache=tmp_path / "cache")
    assert not entries(tmp_path / "cache")


def test_missing_blas_is_named(tmp_path, monkeypatch):
    original = builtins.__import__

    def without_blas(name, *arguments):
        if name == "scipy_openblas32":
            raise ImportError(name)
        return original(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_blas)
    with pytest.raises(CompilationError, match="pip install scipy-openblas32"):
        Simulation(SPECIFICATION, cache=tmp_path)
    assert not entries(tmp_path)


def test_full_temporary_folder(cache, monkeypatch):
    simulation = Simulation(SPECIFICATION)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    with pytest.raises(CompilationError, match="TMPDIR"):
        simulation.predict(IMAGES)


def test_results_that_were_cut_short(cache, monkeypatch):
    simulation = Simulation(SPECIFICATION)
    fromfile = np.fromfile
    monkeypatch.setattr(np, "fromfile", lambda *a, **k: fromfile(*a, **k)[:1])
    before = {name: weight.copy() for name, weight in simulation.weights.items()}
    with pytest.raises(CompilationError, match="only part of the results"):
        simulation.present(IMAGES, LABELS)
    for name, weight in before.items():
        np.testing.assert_array_equal(simulation.weights[name], weight)


def test_program_that_was_removed_is_built_again(tmp_path):
    first = Simulation(SPECIFICATION, cache=tmp_path)
    (first._program.directory / "main").unlink()
    again = Simulation(SPECIFICATION, cache=tmp_path)
    assert again.build_seconds > 0
    np.testing.assert_array_equal(again.predict(IMAGES), again.predict(IMAGES))


BUILD = """
import sys
from pathlib import Path
from ghost_spiking import Simulation, Specification
Simulation(Specification.create(sizes=(4, 3, 2), batch_size=2), cache=Path(sys.argv[1]))
"""


def building(folder):
    command = [sys.executable, "-c", BUILD, str(folder)]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)


def test_two_processes_build_at_once(tmp_path):
    processes = [building(tmp_path) for _ in range(2)]
    for process in processes:
        errors = process.communicate()[1]
        assert process.returncode == 0, errors
    # a program, and a note of what it is for
    assert len(entries(tmp_path)) == 2
    assert len(programs(tmp_path)) == 1


def test_killed_build_is_cleaned_up_by_the_next(tmp_path, monkeypatch):
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    process = building(cache)
    deadline = time.monotonic() + 60
    while not list(temporary.glob("*/main.cpp")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (left,) = temporary.glob("ghost-spiking-*")
    assert "main" not in entries(left)
    simulation = Simulation(SPECIFICATION, cache=cache)
    assert not left.exists()
    assert programs(cache) == {simulation._program.directory.name}


def dataset(images=IMAGES, labels=LABELS, maximum=255.0):
    return Dataset("images", np.asarray(images), np.asarray(labels), maximum, (4,), 2)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.full((6, 4), np.nan), LABELS, "not finite"),
        (np.full((6, 4), np.inf), LABELS, "not finite"),
        (IMAGES, LABELS + 1, "between 0 and 1, got 1 to 2"),
        (IMAGES, LABELS - 1, "between 0 and 1, got -1 to 0"),
        (IMAGES[:0], LABELS[:0], "at least one image"),
        (IMAGES[:, :3], LABELS, "shape"),
        (IMAGES, LABELS[:5], "6 images, but labels"),
    ],
)
def test_data_that_makes_no_sense(images, labels, message):
    with pytest.raises(DataError, match=message):
        dataset(images, labels)

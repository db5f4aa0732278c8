"""Places and names that people have: each was reported by someone."""

import os
import subprocess
import sys

import pytest

TRAIN = ("train", "--dataset", "digits", "--limit", "100", "--hidden", "5", "--epochs", "1",
         "--batch-size", "20", "--quiet")  # fmt: skip


def run(*arguments, cwd, **environment):
    """Run a command in a process of its own; a variable that is None is not set."""
    wanted = {**os.environ, **environment}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    command = [sys.executable, "-m", "ghost_spiking", *arguments]
    return subprocess.run(command, cwd=cwd, env=wanted, capture_output=True)


@pytest.fixture
def numpy_only():
    return ("--device", "numpy")


def test_home_that_can_not_be_written(tmp_path):
    """Programs and matplotlib's files go to a temporary folder of the user's own."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    nowhere = {"HOME": "/dev/null/home", "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}
    result = run(*TRAIN, "--out", "run", cwd=tmp_path, **nowhere, GHOST_SPIKING_CACHE=None,
                 MPLCONFIGDIR=None, TMPDIR=str(temporary))  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    (ours,) = temporary.glob("ghost-spiking-*")
    assert ours.stat().st_mode & 0o077 == 0
    assert any((ours / "ghost_spiking_cache").iterdir())
    # one that others can write to is not used
    ours.chmod(0o777)
    result = run("spec", cwd=tmp_path, **nowhere, GHOST_SPIKING_CACHE=None, TMPDIR=str(temporary))
    assert result.returncode == 0, result.stderr
    assert len(list(temporary.glob("ghost-spiking-*"))) == 2


@pytest.mark.parametrize("strict", [pytest.param(False, marks=pytest.mark.slow), True])
def test_ascii_locale_with_names_that_are_not(tmp_path, numpy_only, strict):
    plain = {"LC_ALL": "C"} | ({"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} if strict else {})
    name = "naïve 名前 $x$"
    result = run(*TRAIN, *numpy_only, "--out", name, cwd=tmp_path, **plain)
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    assert (tmp_path / name / "learning_curves.png").exists()
    result = run("show", name, cwd=tmp_path, **plain)
    assert result.returncode == 0, result.stderr
    result = run("evaluate", name + "s", cwd=tmp_path, **plain)
    assert result.returncode == 2
    assert result.stderr.startswith(b"Error: ")


def test_suggested_commands_can_be_pasted_and_warnings_be_errors(tmp_path, numpy_only):
    strict = {"PYTHONWARNINGS": "error"}
    result = run(*TRAIN, *numpy_only, "--out", "it's a run", cwd=tmp_path, **strict)
    assert result.returncode == 0, result.stderr
    line = result.stdout.decode().splitlines()[-1]
    command = line.partition("; ")[2].partition(" draws more")[0]
    command = command.replace("ghost-spiking", f"{sys.executable} -m ghost_spiking")
    shown = subprocess.run(
        command, shell=True, cwd=tmp_path, env={**os.environ, **strict}, capture_output=True
    )
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "it's a run" / "confusion.png").exists()

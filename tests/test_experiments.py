"""The experiments run from beginning to end in their smallest setting, and do nothing twice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "experiments"


@pytest.fixture
def run(tmp_path):
    """Run a copy of a script, so that nothing is left in the project."""
    copy = tmp_path / "experiments"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("results", "quick", "weights"))

    def run(script):
        command = [sys.executable, copy / f"{script}.py", "--quick"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return copy / "quick", done

    return run


def test_table_and_figures(run):
    where, _ = run("table1")
    table = (where / "table1.csv").read_text()
    assert len(table.splitlines()) == 1 + 4 * 2
    assert (where / "table1.png").exists()
    runs = {path: path.stat().st_mtime_ns for path in (where / "runs").iterdir()}
    run("table1")
    assert (where / "table1.csv").read_text() == table
    for script in ("figure2", "figure3"):
        run(script)
        assert (where / f"{script}.png").exists()
    assert {path: path.stat().st_mtime_ns for path in (where / "runs").iterdir()} == runs
    # a result that was deleted comes back the same
    lost = where / "runs" / "MA-transpose-100-seed1.json"
    before = json.loads(lost.read_text())
    lost.unlink()
    run("table1")
    after = json.loads(lost.read_text())
    assert before["history"] == after["history"]


# Those in a row use the networks of the first.
@pytest.mark.parametrize(
    "scripts",
    [["theorem1", "settling"], ["residual", "spiking_noise"], ["depth", "reconstruction"]],
    ids=" ".join,
)
def test_measurements(run, scripts):
    for name in scripts:
        where, _ = run(name)
        assert (where / f"{name}.csv").exists()
        assert (where / f"{name}.png").exists()


def test_choice_of_hyperparameters(run):
    where, _ = run("choose")
    assert "held_out_accuracy" in (where / "choose.csv").read_text()
    run("two_layers")

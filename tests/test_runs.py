"""A training survives whatever happens to it, and goes on as if nothing had."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from ghost_spiking import Simulation, Specification, Training, runs
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import DivergenceError, RunError
from ghost_spiking.runs import Run

FIELDS = {"sizes": (64, 12, 10), "batch_size": 20, "half_life": 50, "ghost_onset": 3}


def trainer(device="numpy", **fields):
    training, test = load("digits")
    spec = Specification.create(**(FIELDS | fields))
    return Training(Simulation(spec, device=device), training.take(130), test.take(40))


def assert_same(first, second):
    for name, weight in first.simulation.weights.items():
        np.testing.assert_array_equal(weight, second.simulation.weights[name], err_msg=name)
    assert first.simulation.presented == second.simulation.presented
    assert len(first.history) == len(second.history)
    for a, b in zip(first.history, second.history, strict=True):
        assert known(a) == known(b)


def known(epoch):
    return {key: value for key, value in vars(epoch).items() if key != "seconds"}


@pytest.fixture(scope="module")
def uninterrupted():
    whole = trainer()
    whole.run(4)
    return whole


@pytest.fixture(scope="module")
def half_done():
    first = trainer()
    first.run(2)
    return first


@pytest.fixture
def saved(tmp_path, half_done):
    run = Run.of(half_done, Run.create(tmp_path / "run"))
    run.save()
    return run


def test_saved_run_goes_on_as_if_never_stopped(saved, uninterrupted):
    second = trainer()
    Run.load(saved.path).restore(second)
    second.run(4)
    assert_same(second, uninterrupted)


@pytest.mark.parametrize("stop_after", [1, 25, 50, 99])
def test_epoch_that_was_stopped_goes_on_where_it_was(tmp_path, stop_after):
    """In the compiled program, which stops between two presentations."""
    whole = trainer("cpp_standalone")
    whole.run(3)
    first = trainer("cpp_standalone")
    first.run(1)
    # Stop as early as may be; how many presentations that takes is up to the machine.
    report = first.run_epoch(lambda presented, _: True)
    run = Run.of(first, Run.create(tmp_path / "run"))
    run.save()
    second = trainer("cpp_standalone")
    Run.load(run.path).restore(second)
    assert len(second.responses) == len(first.responses)
    second.run(3)
    assert_same(second, whole)
    assert report is None or len(first.history) == 2


@pytest.mark.parametrize("n_images", [20, 80])
def test_part_of_an_epoch_is_not_presented_again(tmp_path, uninterrupted, n_images):
    """What a program leaves that was stopped, without having to meet the moment."""
    first = trainer()
    first.run(1)
    present = first.simulation.present

    def part(images, labels, *, order, **options):
        return present(images, labels, order=order[:n_images], **options)

    first.simulation.present = part
    assert first.run_epoch() is None
    run = Run.of(first, Run.create(tmp_path / "run"), {})
    run.save()
    second = trainer()
    Run.load(run.path).restore(second)
    assert len(second.responses) == n_images
    second.run(4)
    assert_same(second, uninterrupted)


def test_history_and_facts_are_readable(saved):
    rows = (saved.path / "history.csv").read_text().splitlines()
    assert len(rows) == 1 + 2
    assert "forward_distance[ghost_forward_2]" in rows[0]
    facts = json.loads((saved.path / "run.json").read_text())
    assert facts["format"] == runs.FORMAT
    assert facts["versions"]["brian2"]
    assert Specification.load(saved.path / "spec.toml") == saved.specification


def test_full_disk_keeps_the_last_run(saved, uninterrupted, monkeypatch):
    before = {path.name: path.read_bytes() for path in saved.path.iterdir()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"the disk is full; what was saved before is still there"):
        Run.of(uninterrupted, saved.path).save()
    assert {path.name: path.read_bytes() for path in saved.path.iterdir()} == before


def test_divergence_keeps_the_last_run(saved):
    wild = trainer(learning_rates={"feedforward": 1e6}, input_adaptation=True)
    Run.load(saved.path).restore(wild)
    with pytest.raises(DivergenceError):
        wild.run(4)
    assert len(wild.history) == 2
    for name, weight in Run.load(saved.path).weights.items():
        np.testing.assert_array_equal(wild.simulation.weights[name], weight)


def change(path, **arrays):
    """Write a run again with other arrays; None takes one away."""
    with np.load(path / "run.npz") as archive:
        content = dict(archive) | arrays
    np.savez(path / "run.npz", **{k: v for k, v in content.items() if v is not None})


def cut(path):
    data = (path / "run.npz").read_bytes()
    (path / "run.npz").write_bytes(data[: len(data) // 2])


def pickled(path):
    np.savez(path / "run.npz", facts=np.array({"a": 1}, dtype=object))


def other_archive(path):
    with zipfile.ZipFile(path / "run.npz", "w") as archive:
        archive.writestr("a.txt", "b")


NAN = np.full((12, 64), np.nan)
DAMAGES = {
    "empty": lambda path: (path / "run.npz").write_bytes(b""),
    "text": lambda path: (path / "run.npz").write_text("weights"),
    "cut": cut,
    "pickle": pickled,
    "other archive": other_archive,
    "no facts": lambda path: change(path, facts=None),
    "facts are no JSON": lambda path: change(path, facts=np.array("{")),
    "facts are a list": lambda path: change(path, facts=np.array("[1]")),
    "later format": lambda path: change(path, facts=np.array('{"format": 99}')),
    "no specification": lambda path: change(path, specification=None),
    "bad specification": lambda path: change(path, specification=np.array("sizes = 3")),
    "bad history": lambda path: change(path, history=np.array('[{"epoch": 1}]')),
    "no weights": lambda path: change(path, **{"weights/feedforward_1": None}),
    "other weights": lambda path: change(path, **{"weights/feedforward_1": np.ones((3, 3))}),
    "words for weights": lambda path: change(path, **{"weights/feedforward_1": np.array("w")}),
    "weights not finite": lambda path: change(path, **{"weights/feedforward_1": NAN}),
    "no file": lambda path: (path / "run.npz").unlink(),
    "no folder": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_run_is_refused_by_name(saved, damage):
    DAMAGES[damage](saved.path)
    with pytest.raises(RunError, match=str(saved.path)):
        Run.load(saved.path)


def test_no_byte_that_changes_gives_other_numbers(saved):
    """Most are found out; one in a date of the archive, say, means nothing."""
    data, found_out = (saved.path / "run.npz").read_bytes(), 0
    for position in range(0, len(data), len(data) // 150):
        changed = bytearray(data)
        changed[position] ^= 0xFF
        (saved.path / "run.npz").write_bytes(changed)
        try:
            run = Run.load(saved.path)
        except RunError:
            found_out += 1
            continue
        assert run.summary() == saved.summary()
        assert run.history == saved.history
        assert run.specification == saved.specification
        assert run.weights.keys() == saved.weights.keys()
        for name, weight in saved.weights.items():
            np.testing.assert_array_equal(run.weights[name], weight)
    assert found_out > 100


def test_run_of_version_0_1_can_be_read_but_not_resumed(saved):
    (saved.path / "run.npz").unlink()
    saved.specification.replace(input_adaptation=False).save(saved.path / "spec.toml")
    np.savez(saved.path / "weights.npz", **saved.weights)
    (saved.path / "run.json").write_text('{"format": 1, "seed": 0, "dataset": "digits"}')
    (saved.path / "history.csv").write_text(
        "epoch,online_accuracy,test_accuracy,seconds\n1,50.0,60.0,1.5\n"
    )
    old = Run.load(saved.path)
    assert old.history[0].test_accuracy == 60
    np.testing.assert_array_equal(old.weights["bias_1"], saved.weights["bias_1"])
    with pytest.raises(RunError, match="can be shown and evaluated"):
        old.restore(trainer())


COMMAND = [sys.executable, "-m", "ghost_spiking", "train"]


def start(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(process):
    output = process.communicate()[0].decode()
    assert process.returncode == 0, output


@pytest.mark.slow
def test_killed_at_twenty_moments(tmp_path):
    """SIGKILL at random moments, then resume: the same bits, 20 times out of 20."""
    options = ("--dataset", "digits", "--hidden", 20, "--epochs", 60)
    finish(start(*options, "--out", tmp_path / "whole"))
    expected = Run.load(tmp_path / "whole")
    began = time.monotonic()  # now that the program is compiled
    finish(start(*options, "--out", tmp_path / "timed"))
    duration = time.monotonic() - began
    chance = random.Random(0)
    for number in range(20):
        path = tmp_path / f"killed{number}"
        process = start(*options, "--out", path)
        time.sleep(chance.uniform(0.1, 0.95) * duration)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if (path / "run.npz").exists():
            finish(start("--resume", path))
        else:  # not one epoch was over
            shutil.rmtree(path, ignore_errors=True)
            finish(start(*options, "--out", path))
        run = Run.load(path)
        for name, weight in expected.weights.items():
            np.testing.assert_array_equal(run.weights[name], weight)
        assert [known(epoch) for epoch in run.history] == [known(e) for e in expected.history]
        assert not list(path.glob("*.part"))


def test_resume_on_the_command_line(tmp_path):
    options = ("--dataset", "digits", "--limit", 200, "--hidden", 12)
    finish(start(*options, "--epochs", 4, "--out", tmp_path / "whole"))
    finish(start(*options, "--epochs", 2, "--out", tmp_path / "two"))
    finish(start("--resume", tmp_path / "two", "--epochs", 4))
    expected, run = Run.load(tmp_path / "whole"), Run.load(tmp_path / "two")
    for name, weight in expected.weights.items():
        np.testing.assert_array_equal(run.weights[name], weight)
    assert len(run.history) == 4
    # nothing is left to do: the same run again
    finish(start("--resume", tmp_path / "two"))
    assert len(Run.load(tmp_path / "two").history) == 4

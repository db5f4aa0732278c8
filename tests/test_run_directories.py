"""Run directories in the hands of users: killed, moved, written by two, with data that change."""

import contextlib
import csv
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from click.testing import CliRunner

from ghost_spiking import Simulation, Specification, Training, _run_files, plotting, runs
from ghost_spiking.cli import main
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import DataError, RunError
from ghost_spiking.runs import Run, lock

#: Minutes, since they kill trainings.
pytestmark = pytest.mark.slow

OPTIONS = ("--hidden", 12)  # with the sizes of digits, the program of tests/test_runs.py


def cli(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def well(*arguments):
    result = cli(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def error_of(*arguments):
    """Return the one line that a command ends with."""
    result = cli(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    return line


def idx(values):
    sizes = np.asarray(values.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


FILES = {
    (part, kind): f"{name}-{kind}-idx{n}-ubyte"
    for part, name in (("training", "train"), ("test", "t10k"))
    for kind, n in (("images", 3), ("labels", 1))
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images and runs of two and of four epochs, made with relative paths."""
    place = tmp_path_factory.mktemp("place")
    (place / "images").mkdir()
    for part, data, n in zip(("training", "test"), load("digits"), (200, 100), strict=True):
        some = data.take(n)
        (place / "images" / FILES[part, "images"]).write_bytes(idx(some.images.reshape(-1, 8, 8)))
        (place / "images" / FILES[part, "labels"]).write_bytes(idx(some.labels))
    with contextlib.chdir(place):
        for epochs in (2, 4):
            options = (*OPTIONS, "--epochs", epochs, "--out", f"runs/{epochs}")
            well("train", "--dataset", "images", *options)
    return place


@pytest.fixture
def run(place, tmp_path):
    return shutil.copytree(place / "runs" / "2", tmp_path / "run")


def assert_agrees(path, picture=True):
    """The run, what is said of it, and what it really is."""
    run = Run.load(path)
    if picture:
        drawn = path.parent / "expected.png"
        plotting.save(drawn, plotting.plot_learning_curves, run.history, title=path.name)
        assert (path / "learning_curves.png").read_bytes() == drawn.read_bytes()
    with open(path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [epoch.epoch for epoch in run.history]
    said = json.loads((path / "run.json").read_text())
    assert said == json.loads(json.dumps(run.summary()))
    assert said["epochs"] == len(run.history)
    assert said["presented"] == run.presented
    assert Specification.load(path / "spec.toml") == run.specification
    if not len(run.responses):
        assert said["test_accuracy"] == run.history[-1].test_accuracy
    found = json.loads(well("evaluate", path, "--json").stdout.splitlines()[-1])
    for name in ("train_accuracy", "test_accuracy"):
        assert said[name] in (None, found[name])
    return run


def assert_same_run(path, expected):
    first, second = Run.load(path), Run.load(expected)
    for name, weight in second.weights.items():
        np.testing.assert_array_equal(first.weights[name], weight)
    numbers = [(e.epoch, e.online_loss, e.test_accuracy, e.test_loss) for e in first.history]
    assert numbers == [
        (e.epoch, e.online_loss, e.test_accuracy, e.test_loss) for e in second.history
    ]
    assert first.train_accuracy == second.train_accuracy
    assert first.test_accuracy == second.test_accuracy


# -- killed ----------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for SIGKILL: after it, nothing of the process writes anything."""


@pytest.fixture
def kill(monkeypatch):
    """Make everything die when it is about to write the file with this number."""
    write = runs.write_atomically

    def at(number):
        written = []

        def write_or_die(path, data):
            if len(written) == number:
                raise Killed
            write(path, data)
            written.append((path.name, data))

        for module in (runs, plotting):
            monkeypatch.setattr(module, "write_atomically", write_or_die)
        return written

    yield at
    monkeypatch.undo()


@pytest.mark.parametrize("number", range(4))
def test_killed_between_two_files(run, place, kill, number):
    """Whatever file comes first: the run is whole, and the copies can be brought up to it."""
    later = dataclasses.replace(Run.load(place / "runs" / "4"), path=run)
    kill(number)
    with contextlib.ExitStack() as stack:
        if number < 3:  # run.npz, history.csv, run.json
            stack.enter_context(pytest.raises(Killed))
        later.save()
    kill(99)
    loaded = Run.load(run)
    assert len(loaded.history) == (2 if number == 0 else 4)
    loaded.write_copies()
    assert_agrees(run, picture=False)


@pytest.mark.parametrize(
    ("number", "reached", "shown"), [(1, 2, True), (4, 3, True), (7, 4, False), (10, 4, False)]
)
def test_killed_while_it_goes_on(run, place, kill, number, reached, shown):
    """Of a resumed training; `show` repairs what it left, and it goes on to the same bits."""
    written = kill(number)
    with pytest.raises(Killed):
        cli("train", "--resume", run, "--epochs", 4)
    assert len(written) == number
    kill(99)
    killed = Run.load(run)
    assert len(killed.history) == reached
    assert killed.facts.goal == 4  # from the first moment on
    if shown:
        lines = well("show", run).stdout.splitlines()
        said = dict(line.split(": ", 1) for line in lines if ": " in line)
        after = assert_agrees(run)
        assert int(said["epochs"]) == len(after.history) == reached
        assert f"epoch {reached + 1}" not in said
        assert said["test_accuracy"] == str(after.history[-1].test_accuracy)
        assert ("evaluate gives it" in said["train_accuracy"]) == (reached > 2)
    well("train", "--resume", run)
    assert_same_run(run, place / "runs" / "4")
    assert_agrees(run)
    assert not list(run.glob("*.part"))


def test_files_are_written_in_this_order(run, kill):
    """The test above kills at moments that it takes to be different ones."""
    written = kill(99)
    well("train", "--resume", run, "--epochs", 3)
    names = [name for name, _ in written]
    saved = ["run.npz", "history.csv", "run.json"]
    drawn = ["learning_curves.png"]
    assert names == ["run.npz", "run.json", *drawn, *saved, "run.npz", "run.json", *drawn]


def test_stale_facts_of_format_2_are_left_out(run, place):
    """A resumed run of an earlier version, killed: facts of epoch 2, weights of epoch 4."""
    to_format_2(place / "runs" / "4", run, epochs=2, train_accuracy=1.0, test_accuracy=2.0)
    loaded = Run.load(run)
    assert loaded.train_accuracy is None
    assert loaded.test_accuracy == loaded.history[3].test_accuracy
    assert loaded.facts.notes == {"colour": "blue"}
    well("show", run, "--dataset", place / "images")
    assert_agrees_with_data(run, place)


def test_run_of_format_2_is_resumed(run, place):
    to_format_2(place / "runs" / "2", run, goal=4)
    result = well("train", "--resume", run, "--dataset", place / "images")
    assert "earlier version" in result.stderr
    assert_same_run(run, place / "runs" / "4")
    resumed = assert_agrees(run)
    assert resumed.facts.test_data == Run.load(place / "runs" / "4").facts.test_data


def test_old_checksum_is_compared(run, place, tmp_path):
    to_format_2(place / "runs" / "2", run)
    images = changed_copy(place, tmp_path, "training", "labels")
    assert "training images or labels in" in error_of("show", run, "--dataset", images)


def test_results_of_an_epoch_that_was_stopped(tmp_path):
    """Weights in the middle of an epoch are not those that the history has an accuracy of."""
    trainer = trained()
    path = Run.create(tmp_path / "run")
    Run.of(trainer, path, train_accuracy=12.0).save()
    assert Run.load(path).train_accuracy == 12
    assert Run.load(path).test_accuracy == trainer.history[0].test_accuracy
    trainer.responses = np.zeros((20, 10), np.float32)
    trainer.simulation.presented += 1
    Run.of(trainer, path).save()
    loaded = Run.load(path)
    assert (loaded.train_accuracy, loaded.test_accuracy) == (None, None)
    Run.of(trainer, path, train_accuracy=13.0, test_accuracy=14.0).save()
    loaded = Run.load(path)
    assert (loaded.train_accuracy, loaded.test_accuracy) == (13, 14)
    # An older state of the same training does not replace it.
    trainer.responses = trainer.responses[:10]
    trainer.simulation.presented -= 1
    with pytest.raises(RunError, match="was not replaced"):
        Run.of(trainer, path).save()


def test_picture_that_can_not_be_drawn(run):
    """It is an error of `show`, and no reason to end a training."""
    for name in ("learning_curves.png", "angles.png"):
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir()
    assert "pictures can't be drawn in" in error_of("show", run)
    result = well("train", "--resume", run, "--epochs", 3)
    assert "the learning curves can't be drawn" in result.stderr
    assert len(Run.load(run).history) == 3


def test_run_of_version_0_1(run, place):
    """It can be looked at, and stays as it is."""
    saved = Run.load(run)
    facts = {"format": 1, "dataset": "images", "limit": None, "engine": "dense", "seed": 0}
    facts |= {"precision": "float32", "epochs": 2, "train_accuracy": saved.train_accuracy}
    facts |= {"seconds": 1.0, "test_accuracy": saved.test_accuracy, "interrupted": False}
    (run / "run.json").write_text(json.dumps(facts))
    columns = ("epoch", "online_accuracy", "test_accuracy", "seconds")
    rows = [",".join(str(getattr(epoch, name)) for name in columns) for epoch in saved.history]
    (run / "history.csv").write_text("\n".join([",".join(columns), *rows]) + "\n")
    (run / "run.npz").unlink()
    np.savez(run / "weights.npz", **saved.weights)
    content = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".png"}
    with contextlib.chdir(place):
        assert f"test_accuracy: {saved.test_accuracy}" in well("show", run).stdout
        found = json.loads(well("evaluate", run, "--json").stdout.splitlines()[-1])
        assert found["train_accuracy"] == saved.train_accuracy
        for options in ((), ("--epochs", 9)):
            assert "version 0.1" in error_of("train", "--resume", run, *options)
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".png"}
    assert after == content
    with pytest.raises(RunError, match=r"version 0\.1"):
        Run.load(run).save()


def to_format_2(source, target, **facts):
    """Write a run as the version before did."""
    run = Run.load(source)
    training = load(source.parents[1] / "images")[0]
    old = {"format": 2, "dataset": "images", "limit": None, "engine": "dense", "seed": 0}
    old |= {"precision": "float32", "checksum": runs.checksum(training), "colour": "blue"}
    old |= {"epochs": len(run.history), "versions": runs.versions(), "goal": len(run.history)}
    with np.load(source / "run.npz") as archive:
        content = dict(archive)
    np.savez(target / "run.npz", **content | {"facts": np.array(json.dumps(old | facts))})


def assert_agrees_with_data(path, place):
    with contextlib.chdir(place):  # where its relative path leads somewhere
        return assert_agrees(path)


# -- data ------------------------------------------------------------------------------------


def changed_copy(place, tmp_path, part, kind):
    """A copy of the images with one byte of one file changed."""
    images = shutil.copytree(place / "images", tmp_path / "changed", dirs_exist_ok=True)
    file = images / FILES[part, kind]
    content = bytearray(file.read_bytes())
    content[-1] = (content[-1] + 1) % 10
    file.write_bytes(content)
    return images


@pytest.mark.parametrize(("part", "kind"), FILES)
def test_changed_file_is_named(run, place, tmp_path, part, kind):
    images = changed_copy(place, tmp_path, part, kind)
    # The same as if the file had changed in its place:
    facts = Run.load(run).facts.model_copy(update={"dataset": str(images)})
    dataclasses.replace(Run.load(run), facts=facts).save()
    for command in (["evaluate", run], ["show", run], ["trace", run]):
        message = error_of(*command)
        assert f"changed: {part} {kind} in '{images / FILES[part, kind]}'. Bring" in message
    content = {path.name: path.read_bytes() for path in run.iterdir()}
    for epochs in (2, 3):  # also if there is nothing to do
        message = error_of("train", "--resume", run, "--epochs", epochs)
        assert str(images / FILES[part, kind]) in message
    assert {path.name: path.read_bytes() for path in run.iterdir()} == content
    well("evaluate", run, "--dataset", images)  # other images are welcome there


def test_other_things_that_change_are_named():
    training, test = load("digits")
    noted = test.fingerprint
    assert load("digits")[1].changes_since(noted) == []
    assert training.changes_since(noted)[:2] == ["images", "labels"]
    for change, words in (
        ({"maximum": 255.0}, ["maximum (16.0, now 255.0)"]),
        ({"n_classes": 11}, ["n_classes (10, now 11)"]),
        ({"image_shape": (4, 16)}, ["image_shape ((8, 8), now (4, 16))"]),
    ):
        assert dataclasses.replace(test, **change).changes_since(noted) == words
    floats = dataclasses.replace(test, images=test.images.astype(np.float32))
    assert floats.changes_since(noted) == ["images", "dtype (uint8, now float32)"]
    order = np.arange(len(test))[::-1]
    assert test.take(order).changes_since(noted) == ["images", "labels"]


def test_run_is_used_from_another_folder(run, tmp_path, monkeypatch):
    """It was trained with relative paths, and has been copied since."""
    monkeypatch.chdir(tmp_path)
    assert_agrees(run, picture=False)  # whose title is the old name
    well("trace", "run", "--out", "trace.png")
    well("train", "--resume", "run", "--epochs", 3)
    assert len(assert_agrees(run).history) == 3


def test_images_that_were_moved(run, place, tmp_path, monkeypatch):
    gone, moved = tmp_path / "gone", shutil.copytree(place / "images", tmp_path / "moved")
    facts = Run.load(run).facts.model_copy(update={"dataset": str(gone)})
    dataclasses.replace(Run.load(run), facts=facts).save()
    for command in (["evaluate", run], ["show", run], ["trace", run], ["train", "--resume", run]):
        message = error_of(*command)
        assert f"'{gone}'" in message
        assert "--dataset" in message
    monkeypatch.chdir(tmp_path)
    well("show", run, "--dataset", "moved")
    well("trace", run, "--dataset", "moved")
    well("train", "--resume", run, "--epochs", 3, "--dataset", "moved")
    assert Run.load(run).facts.dataset == str(moved)
    well("train", "--resume", run, "--epochs", 4)
    assert_same_run(run, place / "runs" / "4")


def test_place_is_what_was_named(place, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(place / "images")
    out = tmp_path / "out"
    well("train", "--dataset", "~/link", *OPTIONS, "--epochs", 1, "--out", out)
    assert Run.load(out).facts.dataset == str(tmp_path / "link")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(shutil.copytree(place / "images", tmp_path / "moved"))
    well("evaluate", out)


def test_only_what_is_learned_counts(place, tmp_path):
    """With --limit, the other training images may change."""
    out = tmp_path / "out"
    options = ("--limit", 100, *OPTIONS, "--epochs", 1, "--out", out)
    well("train", "--dataset", place / "images", *options)
    images = changed_copy(place, tmp_path, "training", "images")
    well("show", out, "--dataset", images)


# -- two writers -----------------------------------------------------------------------------


COMMAND = [sys.executable, "-m", "ghost_spiking", "train"]


def start(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def kill_group(process):
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0].decode()


def wait_until(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_second_resume_is_refused(run, place, monkeypatch):
    """The first one is then killed; its lock does not hold the next one up."""
    monkeypatch.setattr(_run_files, "_PATIENCE", 0.2)
    first = start("--resume", run, "--epochs", 100000)
    try:
        wait_until(lambda: len(Run.load(run).history) > 3, first)
        message = error_of("train", "--resume", run)
        assert f"is being written by process {first.pid} on" in message
        with pytest.raises(RunError, match=f"written by process {first.pid}"):
            Run.load(run).save()
        well("evaluate", run)
        assert first.poll() is None
        # Not even a moment without the lock, and what it writes stays whole.
        done = len(Run.load(run).history)
        wait_until(lambda: len(Run.load(run).history) > done, first)
    finally:
        kill_group(first)
    assert (run / "run.lock").exists()
    done = len(Run.load(run).history)
    well("train", "--resume", run, "--epochs", done + 1)
    assert len(assert_agrees(run).history) == done + 1
    assert not (run / "run.lock").exists()


def trained(seed=0, epochs=1, n_images=130):
    training, test = load("digits")
    specification = Specification.create(sizes=(64, 12, 10), batch_size=20)
    simulation = Simulation(specification, device="numpy", seed=seed)
    trainer = Training(simulation, training.take(n_images), test.take(40), seed)
    trainer.run(epochs)
    return trainer


def test_two_trainings_of_one_process(tmp_path):
    first, second = trained(0), trained(1)
    path = Run.create(tmp_path / "run")
    Run.of(first, path).save()
    content = (path / "run.npz").read_bytes()
    second.run(2)  # further than the first one
    with pytest.raises(RunError, match=r"saved by another training.*was not replaced"):
        Run.of(second, path).save()
    assert (path / "run.npz").read_bytes() == content
    first.run(2)
    Run.of(first, path).save()
    assert len(Run.load(path).history) == 2
    # One that was loaded before the other went on:
    with pytest.raises(RunError, match="which has 2 epochs"):
        Run.of(trained(0), path).save()


def test_what_callbacks_add_later_is_no_other_training(tmp_path):
    trainer = trained()
    path = Run.create(tmp_path / "run")
    Run.of(trainer, path).save()
    trainer.history[0].measurements["mine"] = 1.0
    Run.of(trainer, path).save()
    assert Run.load(path).history[0].measurements["mine"] == 1.0


def test_training_without_test_images_is_saved_again(tmp_path):
    trainer = trained()
    trainer.test = None
    path = Run.create(tmp_path / "run")
    for epochs in (2, 3):
        trainer.run(epochs)
        Run.of(trainer, path).save()
    saved = Run.load(path)
    assert saved.test_accuracy is None
    assert saved.facts.test_data is None
    strict = json.loads((path / "run.json").read_text(), parse_constant=pytest.fail)
    assert strict["epochs"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "its seed is 0, that of the training is 1"),
        ({"n_images": 131}, "training n_images .130, now 131"),
    ],
)
def test_restored_in_another_training(tmp_path, change, message):
    path = Run.create(tmp_path / "run")
    Run.of(trained(), path).save()
    other = trained(**change)
    before = dict(other.simulation.weights)
    with pytest.raises((RunError, DataError), match=message):
        Run.load(path).restore(other)
    assert dict(other.simulation.weights) == before


def test_restored_in_another_network(tmp_path):
    path = Run.create(tmp_path / "run")
    Run.of(trained(), path).save()
    data = load("digits")
    specification = Specification.create(sizes=(64, 12, 10), batch_size=20)
    double = Simulation(specification, device="numpy", precision="float64")
    trainer = Training(double, data[0].take(130), data[1].take(40))
    with pytest.raises(RunError, match="precision is float32, that of the training is float64"):
        Run.load(path).restore(trainer)
    wide = Simulation(Specification.create(sizes=(64, 13, 10), batch_size=20), device="numpy")
    trainer = Training(wide, data[0].take(130), data[1].take(40))
    with pytest.raises(RunError, match="shapes of weights"):
        Run.load(path).restore(trainer)


def test_lock_is_taken_again_by_its_process(tmp_path):
    with lock(tmp_path):
        with lock(tmp_path):
            pass
        assert (tmp_path / "run.lock").exists()
    assert not (tmp_path / "run.lock").exists()


HOLD = """
import sys, time
from ghost_spiking.runs import lock
with lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_lock_of_a_process_that_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(_run_files, "_PATIENCE", 0.2)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"written by process {holder.pid} on "), lock(tmp_path):
            pass
        message = error_of("train", "--dataset", "digits", *OPTIONS, "--out", tmp_path)
        assert f"written by process {holder.pid} on " in message
    finally:
        holder.kill()
        holder.communicate()
    with lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "run.lock").read_text()


def test_lock_where_nothing_can_be_written(tmp_path, monkeypatch):
    with pytest.raises(RunError, match="no such directory"), lock(tmp_path / "no"):
        pass
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(RunError, match="can't be written to"), lock(tmp_path):
        pass


def test_folder_of_a_training_that_was_killed_at_once(tmp_path):
    """Before it saved anything; the same command works again."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.lock").write_text("1\nsomewhere\n")
    (tmp_path / "run" / "run.npz.0123abcd.part").write_bytes(b"half")
    assert Run.create(tmp_path / "run") == tmp_path / "run"
    with lock(tmp_path / "run"):
        pass
    assert not list((tmp_path / "run").iterdir())


def test_trainings_that_start_in_the_same_second(tmp_path, monkeypatch):
    from ghost_spiking.cli.train import _folder_named

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda form: "20261123-120000")
    names = [_folder_named("digits").name for _ in range(3)]
    assert names == [f"digits-20261123-120000{end}" for end in ("", "-2", "-3")]


def test_many_write_one_file(tmp_path):
    path = tmp_path / "table.csv"
    texts = [bytes([65 + number]) * 100_000 for number in range(4)]
    errors = []

    def write(text):
        try:
            for _ in range(20):
                runs.write_atomically(path, text)
                assert path.read_bytes() in texts
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[text]) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


# -- --epochs --------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [None, 2])
def test_nothing_left_to_do(run, epochs):
    content = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".png"}
    options = () if epochs is None else ("--epochs", epochs)
    result = well("train", "--resume", run, *options, "--json")
    assert "has all of its 2 epochs already" in result.stderr
    assert json.loads(result.stdout)["epochs"] == 2
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".png"}
    assert after == content


def test_fewer_epochs_than_there_are(run):
    content = {path.name: path.read_bytes() for path in run.iterdir()}
    message = error_of("train", "--resume", run, "--epochs", 1)
    assert "has 2 epochs already, and --epochs counts all of them, got 1" in message
    assert {path.name: path.read_bytes() for path in run.iterdir()} == content


# -- killed in earnest -----------------------------------------------------------------------


@pytest.mark.slow
def test_resumed_run_killed_at_twenty_moments(place, tmp_path):
    """SIGKILL at random moments; whatever is left says the truth, and goes on to the same bits."""
    goal = ("--epochs", 60)
    whole = shutil.copytree(place / "runs" / "2", tmp_path / "whole")
    process = start("--resume", whole, *goal)
    output = process.communicate(timeout=600)[0].decode()
    assert process.returncode == 0, output
    chance = random.Random(1)
    reached = set()
    for number in range(20):
        run = shutil.copytree(place / "runs" / "2", tmp_path / f"killed{number}")
        process = start("--resume", run, *goal)
        if number % 5:  # somewhere in the training, or while it starts
            epoch = chance.randint(2, 55)
            wait_until(lambda run=run, epoch=epoch: len(Run.load(run).history) >= epoch, process)
        time.sleep(chance.uniform(0, 0.3 if number % 5 else 5))
        kill_group(process)
        killed = Run.load(run)
        reached.add(len(killed.history))
        found = json.loads(well("evaluate", run, "--json").stdout)
        assert found["test_accuracy"] == killed.test_accuracy
        assert killed.train_accuracy in (None, found["train_accuracy"])
        if number % 4 == 0:
            well("show", run)
            assert_agrees(run)
        well("train", "--resume", run, *goal)  # it may have been killed before it noted the goal
        assert_same_run(run, whole)
        assert_agrees(run)
        assert not list(run.glob("*.part"))
    assert len(reached - {2, 60}) > 5  # it did learn when it was killed

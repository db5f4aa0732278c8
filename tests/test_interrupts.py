"""Ctrl-C is a KeyboardInterrupt that costs nothing of what was learned, whenever it comes."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from brian2 import network_operation

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.dense._brian import LOCK, alone
from ghost_spiking.dense._interrupts import deferred
from ghost_spiking.exceptions import DivergenceError

#: Minutes, since they wait for moments.
pytestmark = pytest.mark.slow

SPECIFICATION = Specification.create(sizes=(64, 16, 10), batch_size=20)


# -- putting it off --------------------------------------------------------------------------


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def handler():
    """Use a handler of someone's own."""
    calls = []
    old = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    yield calls
    signal.signal(signal.SIGINT, old)


def interrupted(work):
    """Return the KeyboardInterrupt that some work ends with, and the handler is the old one."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as raised:
        work()
    assert signal.getsignal(signal.SIGINT) is before
    return raised.value


def test_the_first_is_raised_at_the_end():
    reached = []

    def work():
        with deferred() as interrupt:
            assert not interrupt.received
            ctrl_c()
            assert interrupt.received
            interrupt.found["responses"] = "those so far"
            reached.append(True)

    error = interrupted(work)
    assert reached
    assert error.responses == "those so far"
    assert type(error) is KeyboardInterrupt  # which shells and Brian2 look at


@pytest.mark.parametrize("patient", [False, True])
def test_the_second_is_raised_at_once_unless_results_are_stored(patient):
    reached = []

    def work():
        with deferred() as interrupt:
            interrupt.patient = patient
            ctrl_c()
            ctrl_c()
            reached.append(True)

    interrupted(work)
    assert bool(reached) == patient


def test_only_the_outer_one_raises():
    reached = []

    def work():
        with deferred():
            with deferred():
                ctrl_c()
            with deferred() as interrupt:
                assert interrupt.received
            reached.append(True)

    interrupted(work)
    assert reached


def test_it_wins_over_another_error():
    """Whoever handles the other error would go on, and Ctrl-C would be lost."""

    def work():
        with deferred():
            ctrl_c()
            raise ValueError

    assert type(interrupted(work).__cause__) is ValueError


def test_another_error_alone_stays_what_it_is():
    with pytest.raises(ValueError, match="other"), deferred():
        raise ValueError("other")


def test_who_handles_it_otherwise_still_does(handler):
    ours = signal.getsignal(signal.SIGINT)
    with deferred() as interrupt:
        ctrl_c()
        ctrl_c()
        assert not interrupt.received
    assert handler == [signal.SIGINT] * 2
    assert signal.getsignal(signal.SIGINT) is ours


def test_a_handler_that_raises_something_else_is_obeyed_at_once(handler):
    def leave(number, frame):
        raise SystemExit(3)

    signal.signal(signal.SIGINT, leave)
    with pytest.raises(SystemExit), deferred():
        ctrl_c()
    assert signal.getsignal(signal.SIGINT) is leave


def test_ignored_stays_ignored(handler):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferred() as interrupt:
        ctrl_c()
        assert not interrupt.received
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_know_nothing_of_it():
    found = []

    def look():
        with deferred() as interrupt:
            found.append(interrupt.received)

    def work():
        with deferred():
            ctrl_c()
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()

    interrupted(work)
    assert found == [False]


def test_who_waits_for_another_thread_can_be_interrupted():
    held, enough = threading.Event(), threading.Event()

    def hold():
        with LOCK:
            held.set()
            enough.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt), alone():
            raise AssertionError("two at once")
    finally:
        timer.join()
        enough.set()
        thread.join()


# -- in an epoch -----------------------------------------------------------------------------


def trainer(device="numpy", n_images=200, **fields):
    training, test = load("digits")
    specification = SPECIFICATION.replace(**fields) if fields else SPECIFICATION
    simulation = Simulation(specification, device=device)
    return Training(simulation, training.take(n_images), test.take(50))


def after(count):
    """Return a progress function that presses Ctrl-C when it is called for the `count`-th time."""
    calls = []

    def progress(*_):
        calls.append(None)
        if len(calls) == count:
            ctrl_c()

    return progress


def assert_same_training(found, expected):
    assert found.simulation.presented == expected.simulation.presented
    for name, weight in expected.simulation.weights.items():
        np.testing.assert_array_equal(found.simulation.weights[name], weight)
    assert [epoch.online_accuracy for epoch in found.history] == [
        epoch.online_accuracy for epoch in expected.history
    ]
    assert [epoch.test_loss for epoch in found.history] == [
        epoch.test_loss for epoch in expected.history
    ]
    assert len(found.responses) == 0


@pytest.fixture(scope="module")
def calm():
    whole = trainer()
    whole.run(2)
    return whole


def test_it_ends_a_presentation_between_mini_batches(monkeypatch):
    """In runtime mode; the weights are those of the mini-batches presented until then."""
    monkeypatch.setattr("ghost_spiking._runtime._REPORT_EVERY", 0.0)
    simulation, expected = Simulation(SPECIFICATION, device="numpy"), trainer().simulation
    training, _ = load("digits")
    arguments = {"maximum": training.maximum}
    with pytest.raises(KeyboardInterrupt) as raised:
        simulation.present(
            training.images[:200], training.labels[:200], progress=after(3), **arguments
        )
    n_presented = len(raised.value.responses)
    assert 0 < n_presented < 200
    assert simulation.presented == n_presented // 20
    responses = expected.present(
        training.images[:n_presented], training.labels[:n_presented], **arguments
    )
    np.testing.assert_array_equal(raised.value.responses, responses)
    for name, weight in expected.weights.items():
        np.testing.assert_array_equal(simulation.weights[name], weight)


def test_progress_can_end_a_presentation_in_runtime_mode(monkeypatch):
    monkeypatch.setattr("ghost_spiking._runtime._REPORT_EVERY", 0.0)
    stopped = trainer()
    assert stopped.run_epoch(lambda presented, percent: presented >= 60) is None
    assert 60 <= len(stopped.responses) < 200
    assert stopped.simulation.presented == len(stopped.responses) // 20


def test_an_error_of_progress_is_what_is_raised(monkeypatch):
    """And not one of Brian2's, within whose run it is called."""
    monkeypatch.setattr("ghost_spiking._runtime._REPORT_EVERY", 0.0)
    training = trainer()
    before = dict(training.simulation.weights)

    def progress(presented, percent):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        training.run_epoch(progress)
    assert training.simulation.presented == len(training.responses) == 0
    for name, weight in before.items():
        np.testing.assert_array_equal(training.simulation.weights[name], weight)


def test_an_interrupted_epoch_goes_on_where_it_was(monkeypatch, calm):
    monkeypatch.setattr("ghost_spiking._runtime._REPORT_EVERY", 0.0)
    training = trainer()
    presented = []
    while len(training.history) < 2:
        try:
            training.run(2, progress=after(3))
        except KeyboardInterrupt:
            presented.append(training.simulation.presented)
    assert len(presented) > 2
    assert presented == sorted(presented)
    assert_same_training(training, calm)


@pytest.mark.parametrize("place", ["_score", "_has_diverged", "_present"])
def test_interrupts_around_a_presentation_lose_nothing(place, monkeypatch, calm):
    """In evaluation, in what follows a presentation, and before it."""
    training, original = trainer(), getattr(Training, place)
    wanted = {1, 2}

    def interrupted(self, *arguments):
        if len(wanted) == 2 and place == "_present":
            wanted.pop()
            ctrl_c()
        result = original(self, *arguments)
        if wanted:
            wanted.pop()
            ctrl_c()
        return result

    monkeypatch.setattr(Training, place, interrupted)
    count = 0
    while len(training.history) < 2:
        try:
            training.run(2)
        except KeyboardInterrupt:
            count += 1
    assert count >= 1
    assert_same_training(training, calm)


def test_interrupted_divergence_keeps_the_weights_of_before(monkeypatch):
    wild = trainer(learning_rates={"feedforward": 100.0})
    before = dict(wild.simulation.weights)
    original = Training._explain

    def interrupted(self, *arguments):
        ctrl_c()
        return original(self, *arguments)

    monkeypatch.setattr(Training, "_explain", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        wild.run_epoch()
    assert isinstance(raised.value.__cause__, DivergenceError)
    assert wild.simulation.presented == len(wild.responses) == 0
    for name, weight in before.items():
        np.testing.assert_array_equal(wild.simulation.weights[name], weight)


def data(n_images=60):
    training, _ = load("digits")
    return {
        "images": training.images[:n_images],
        "labels": training.labels[:n_images],
        "maximum": training.maximum,
    }


def twice(*_):
    ctrl_c()
    ctrl_c()


def test_a_second_one_ends_runtime_mode_at_once():
    """In the middle of a mini-batch that has begun to learn."""
    simulation, fresh = (Simulation(SPECIFICATION, device="numpy") for _ in range(2))
    before, protocol = dict(simulation.weights), simulation.brian.populations["protocol"]
    last, steps = SPECIFICATION.protocol.prediction_steps + 2, []

    @network_operation(clock=protocol.clock, when="end")
    def operation():
        steps.append(int(protocol.step[:]))
        if steps[-1] == last and steps.count(0) == 2:
            twice()

    simulation.brian.network.add(operation)
    with pytest.raises(KeyboardInterrupt):
        simulation.present(**data())
    assert steps[-1] == last
    assert simulation.presented == 0
    for name, weight in before.items():
        np.testing.assert_array_equal(simulation.weights[name], weight)
    simulation.brian.network.remove(operation)
    np.testing.assert_array_equal(simulation.present(**data()), fresh.present(**data()))
    for name, weight in fresh.weights.items():
        np.testing.assert_array_equal(simulation.weights[name], weight)


#: Takes seconds in C++.
SLOW = SPECIFICATION.replace(prediction_steps=100_000)


def test_a_second_one_ends_a_program_at_once():
    simulation = Simulation(SLOW)
    before = dict(simulation.weights)
    with pytest.raises(KeyboardInterrupt) as raised:
        simulation.present(**data(1000), progress=twice)
    assert not hasattr(raised.value, "responses")
    assert simulation.presented == 0
    for name, weight in before.items():
        np.testing.assert_array_equal(simulation.weights[name], weight)
    assert not processes_left()


@pytest.mark.parametrize("learn", [True, False])
def test_it_ends_a_program_after_the_mini_batch(learn):
    simulation = Simulation(SLOW)
    with pytest.raises(KeyboardInterrupt) as raised:
        simulation.present(**data(1000), learn=learn, progress=after(1))
    n_presented = len(raised.value.responses)
    assert 0 < n_presented < 1000
    assert simulation.presented == (n_presented // 20 if learn else 0)
    assert not processes_left()


def processes_left():
    """Return what compilers and programs still run, but for those of tests beside this one."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            where = os.readlink(entry / "cwd") if entry.name.isdigit() else ""
            if os.environ["GHOST_SPIKING_CACHE"] in where:
                ancestors = ancestors_of(entry.name)
                beside = str(os.getppid()) in ancestors and str(os.getpid()) not in ancestors
                zombie = "(zombie)" in (entry / "status").read_text()
                found += [entry.name] * (not zombie and not beside)
    return found


def ancestors_of(number):
    found = []
    while number != "0":
        status = Path(f"/proc/{number}/status").read_text()
        number = status.split("PPid:")[1].split()[0]
        found.append(number)
    return found


def test_interrupted_compiler_leaves_nothing(tmp_path, monkeypatch):
    """Neither files nor processes, though the signal reaches this process only."""
    monkeypatch.setenv("GHOST_SPIKING_CACHE", str(tmp_path))
    over = threading.Event()

    def press_when_it_compiles():
        while not list(tmp_path.glob("*/frame.cpp")) and not over.wait(0.02):
            pass
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press_when_it_compiles)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Simulation(Specification.create(sizes=(4, 3, 2)), cache=tmp_path)
    finally:
        over.set()
        thread.join()
    assert not list(tmp_path.iterdir())
    assert not processes_left()


# -- at any time, from outside ---------------------------------------------------------------

SCRIPT = """
import os, signal, sys, threading, time
import numpy as np

fired = []

def kill():
    fired.append(1)
    os.kill(os.getpid(), signal.SIGINT)

def interrupted_after(seconds, work):
    # Press Ctrl-C after so long, and tell whether it was raised.
    timer = threading.Timer(seconds, kill)
    try:
        timer.start()
        work()
    except KeyboardInterrupt:
        return True
    finally:
        timer.cancel()
        timer.join()
    return False
"""
MANY = (
    SCRIPT
    + """
from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load

device, n_images, epochs, longest = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])
training, test = load("digits")
specification = Specification.create(sizes=(64, 16, 10), batch_size=20)
expected, found = (
    Training(Simulation(specification, device=device), training.take(n_images), test)
    for _ in range(2)
)
expected.run(epochs)
generator, caught = np.random.default_rng(0), 0
for _ in range(10):
    try:
        caught += interrupted_after(generator.uniform(0, longest), lambda: found.run(epochs))
    except KeyboardInterrupt:  # after the run, when the timer was about to be cancelled
        caught += 1
assert caught == len(fired) >= 5, (caught, fired)
found.run(epochs)
for name, weight in expected.simulation.weights.items():
    np.testing.assert_array_equal(found.simulation.weights[name], weight)
assert found.simulation.presented == expected.simulation.presented
for one, other in zip(found.history, expected.history, strict=True):
    assert (one.online_accuracy, one.test_loss) == (other.online_accuracy, other.test_loss)
"""
)
BUILDING = (
    SCRIPT
    + """
from pathlib import Path
from brian2 import prefs
from brian2.devices.device import RuntimeDevice, get_device
from ghost_spiking import Simulation, Specification

specification = Specification.create(sizes=(4, 3, 2))
cache = Path(os.environ["GHOST_SPIKING_CACHE"])
before, made = prefs.as_file, []
for seconds in map(float, sys.argv[1:]):
    for device in ("numpy", "cpp_standalone"):
        def work():
            while True:
                # Kept, since Python ignores what is raised while objects are removed.
                made.append(Simulation(specification, device=device, cache=cache))
                assert device == "numpy", "it was too fast"
        assert interrupted_after(seconds, work)
        assert prefs.as_file == before
        assert isinstance(get_device(), RuntimeDevice)
        assert not cache.exists() or not list(cache.iterdir())
        assert signal.getsignal(signal.SIGINT).previous_handler is signal.default_int_handler
"""
)
IGNORED = (
    SCRIPT
    + """
def pester():
    while True:
        kill()
        time.sleep(0.02)

first = sys.argv[1]
if first == "brian2 first":  # it installs a handler that fails, until this package comes
    import brian2
else:
    threading.Thread(target=pester, daemon=True).start()
from ghost_spiking import Simulation, Specification
if first == "brian2 first":
    threading.Thread(target=pester, daemon=True).start()
images = np.arange(16, dtype=np.uint8).reshape(4, 4)
for device in ("numpy", "cpp_standalone"):
    simulation = Simulation(Specification.create(sizes=(4, 3, 2), batch_size=1), device=device)
    responses = simulation.present(images, np.array([0, 1, 0, 1]))
    assert responses.shape == (4, 2)
    assert simulation.presented == 4
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
"""
)
# The main thread only waits, and is what signals reach.
IN_A_THREAD = (
    SCRIPT
    + """
from concurrent.futures import ThreadPoolExecutor
from ghost_spiking import Simulation, Specification
from ghost_spiking.datasets import load

training, _ = load("digits")
simulation, fresh = (
    Simulation(Specification.create(sizes=(64, 16, 10)), device="numpy") for _ in range(2)
)
data = training.images, training.labels
with ThreadPoolExecutor(1) as pool:
    for _ in range(5):
        future = pool.submit(simulation.present, *data)
        assert interrupted_after(0.4, lambda: time.sleep(10))
        assert len(future.result()) == len(training)
for _ in range(5):
    fresh.present(*data)
for name, weight in fresh.weights.items():
    np.testing.assert_array_equal(simulation.weights[name], weight)
"""
)
UNCAUGHT = """
from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
training, test = load("digits")
trainer = Training(Simulation(Specification.create(sizes=(64, 16, 10), batch_size=20)), training)
print("training", flush=True)
trainer.run(100_000)
"""


def start(script, *arguments, **options):
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", script, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, **pipes, **options)


def succeed(process):
    try:
        output = process.communicate(timeout=300)[0]
    finally:
        process.kill()
    assert process.returncode == 0, output


@pytest.mark.parametrize(
    "arguments",
    [
        ("cpp_standalone", 1437, 12, 0.5),
        pytest.param(("numpy", 200, 8, 3.0), marks=pytest.mark.slow),
    ],
    ids=lambda arguments: arguments[0],
)
def test_at_many_moments_of_a_training(arguments):
    succeed(start(MANY, *arguments))


@pytest.mark.slow
def test_at_many_moments_of_building(tmp_path, monkeypatch):
    monkeypatch.setenv("GHOST_SPIKING_CACHE", str(tmp_path / "cache"))
    succeed(start(BUILDING, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0))
    assert not processes_left()


@pytest.mark.parametrize("first", ["brian2 first", pytest.param("", marks=pytest.mark.slow)])
def test_ignored_in_the_background_of_a_script(first, tmp_path, monkeypatch):
    monkeypatch.setenv("GHOST_SPIKING_CACHE", str(tmp_path))

    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    succeed(start(IGNORED, first, preexec_fn=ignore))


@pytest.mark.slow
def test_another_thread_goes_on():
    succeed(start(IN_A_THREAD))


def test_who_does_not_catch_it_ends_as_python_does():
    """By the signal, which a shell looks at, and without a report of an unexpected error."""
    process = start(UNCAUGHT)
    assert process.stdout.readline() == "training\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    try:
        output = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT, output
    assert "unexpected error" not in output

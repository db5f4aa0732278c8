"""Threads give the same numbers as one after the other, whichever of them comes first."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris

from ghost_spiking import GhostClassifier, Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe

#: Minutes, since they train beside each other.
pytestmark = pytest.mark.slow

X, Y = load_iris(return_X_y=True)
SPECIFICATION = Specification.create(sizes=(64, 16, 10), batch_size=20)


def train(options):
    specification, options = options
    training, test = load("digits")
    trainer = Training(Simulation(specification, **options), training.take(200), test.take(50))
    trainer.run(3)
    return trainer


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.simulation.weights.keys() == other.simulation.weights.keys()
        for name, weight in other.simulation.weights.items():
            np.testing.assert_array_equal(one.simulation.weights[name], weight)
        assert [e.test_loss for e in one.history] == [e.test_loss for e in other.history]


def test_trainings_in_threads():
    """In runtime mode and in C++, with different preferences of Brian2."""
    work = [
        (SPECIFICATION, {"device": "numpy"}),
        (SPECIFICATION, {"device": "numpy", "precision": "float64"}),
        (SPECIFICATION, {"device": "cpp_standalone"}),
        (SPECIFICATION.replace(beta=2.0), {"device": "cpp_standalone"}),
    ]
    alone = list(map(train, work))
    with ThreadPoolExecutor(len(work)) as pool:
        assert_same(pool.map(train, work), alone)


def test_programs_are_compiled_once_and_beside_other_work(tmp_path):
    sizes = ((4, 3, 2), (4, 3, 2), (4, 5, 2))
    numpy = (SPECIFICATION, {"device": "numpy"})
    alone = train(numpy)

    def build(sizes):
        return Simulation(Specification.create(sizes=sizes), cache=tmp_path)

    with ThreadPoolExecutor(4) as pool:
        trained = pool.submit(train, numpy)
        first, second, other = pool.map(build, sizes)
    assert_same([trained.result()], [alone])
    assert first._program is second._program is not other._program
    assert sorted([first.build_seconds > 0, second.build_seconds > 0]) == [False, True]
    assert len(list(tmp_path.iterdir())) == 2
    images = np.arange(16, dtype=np.uint8).reshape(4, 4)
    np.testing.assert_array_equal(first.respond(images), build((4, 3, 2)).respond(images))


def fit(seed):
    classifier = GhostClassifier((8,), epochs=2, random_state=seed, device="numpy").fit(X, Y)
    return classifier.predict_proba(X)


def test_threads_of_joblib():
    alone = [fit(seed) for seed in range(3)]
    found = joblib.Parallel(2, backend="threading")(joblib.delayed(fit)(s) for s in range(3))
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(alone[0] - alone[1]).max() > 0


def test_measuring_in_threads():
    _, test = load("digits")
    probe, other = (
        Probe(SPECIFICATION, test.images[:20], test.labels[:20], maximum=test.maximum)
        for _ in range(2)
    )
    weights = Simulation(SPECIFICATION, device="numpy").weights
    alone = probe.measure(weights).flat()
    with ThreadPoolExecutor(3) as pool:
        pool.submit(train, (SPECIFICATION, {"device": "numpy"}))
        for found in pool.map(lambda probe: probe.measure(weights), (probe, other, probe)):
            assert found.flat() == alone


FIRST = """
import signal, sys, threading, warnings

before, failed = signal.getsignal(signal.SIGINT), []
def work():
    try:
        exec(sys.argv[1])
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=work) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
# what the main thread installs meanwhile is installed
signal.signal(signal.SIGTERM, lambda *_: None)
for thread in threads:
    thread.join()
assert not failed, failed
assert signal.getsignal(signal.SIGINT) is before
assert callable(signal.getsignal(signal.SIGTERM))
assert signal.signal.__module__ == "signal"
exec(sys.argv[1])
"""
FIRST_USES = {
    "dense": "from ghost_spiking.dense import DenseSynapses",
    "expression": (
        "from ghost_spiking import Specification\\n"
        "Specification.create(sizes=(4, 3, 2), rate_function='s / (1 + abs(s))')"
    ),
    "network": "from ghost_spiking.network import build",
    "measure": "from ghost_spiking.measure import Probe",
    "training": "from ghost_spiking import Training",
    "study": "from ghost_spiking.study import run_study, Study; import ghost_spiking.simulation",
    "fit": (
        "from ghost_spiking import GhostClassifier\\n"
        "import numpy as np\\n"
        "X, y = np.eye(4), np.array([0, 1, 0, 1])\\n"
        "GhostClassifier((3,), epochs=1, device='numpy').fit(X, y).predict(X)"
    ),
}
FAST = ("fit",)


@pytest.mark.parametrize(
    "use",
    [pytest.param(use, marks=[] if use in FAST else pytest.mark.slow) for use in FIRST_USES],
)
def test_first_use_in_threads(use):
    command = [sys.executable, "-c", FIRST, FIRST_USES[use].replace("\\n", "\n"), "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr

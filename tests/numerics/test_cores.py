"""Programs of several threads: the numbers of one thread, and the same bits every time."""

import numpy as np
import pytest

from ghost_spiking import GhostClassifier, Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.runs import Facts, Run

#: Wide enough that products and loops are shared.
WIDE = {"sizes": (64, 90, 110, 10), "batch_size": 100}
MODELS = {
    "MA": {"model": "MA"},
    "one hidden layer, the paper's rules": {"model": "MA", "sizes": (64, 120, 10)},
    "mirror": {"model": "MA", "feedback": "mirror"},
    "MB": {"model": "MB"},
    "spikes": {"model": "MA", "spikes": "lif"},
    "8 bits": {"model": "MA", "weight_bits": 8},
    "equilibrium propagation": {"model": "equilibrium_propagation"},
    "microcircuits": {"model": "microcircuit"},
    "predictive coding": {"model": "predictive_coding"},
}


def learned(fields, threads, precision="float64"):
    training, _ = load("digits")
    specification = Specification.create(**(WIDE | fields))
    simulation = Simulation(specification, precision=precision, seed=1, threads=threads)
    # the last batch is smaller
    images, labels = training.images[:450], training.labels[:450]
    responses = simulation.present(images, labels, maximum=training.maximum)
    return simulation.weights | {"responses": responses}


@pytest.mark.parametrize("name", MODELS)
def test_as_one_thread(name):
    one, two = (learned(MODELS[name], threads) for threads in (1, 2))
    for key, expected in one.items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(two[key], expected, rtol=1e-9, atol=1e-10 * scale)


def test_only_programs_of_several_threads_know_of_them():
    for threads in (1, 2):
        simulation = Simulation(Specification.create(**WIDE), threads=threads)
        sources = (simulation._program.directory / "code_objects").glob("*.cpp")
        shared = [path for path in sources if "omp parallel" in path.read_text()]
        assert bool(shared) == (threads == 2)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_bits_every_time(threads):
    one, other = (learned({}, threads, "float32") for _ in range(2))
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])


def test_a_run_goes_on_with_its_threads(tmp_path):
    training, test = load("digits")
    training, test = training.take(200), test.take(50)

    def trainer(threads):
        simulation = Simulation(Specification.create(**WIDE), threads=threads)
        return Training(simulation, training, test, 0)

    first, whole = trainer(2), trainer(2)
    first.run(1)
    run = Run.of(first, Run.create(tmp_path / "run"))
    run.save()
    assert Facts.of(first).threads == 2
    second = trainer(2)
    Run.load(run.path).restore(second)
    second.run(2)
    whole.run(2)
    for name, weight in whole.simulation.weights.items():
        np.testing.assert_array_equal(second.simulation.weights[name], weight)
    with pytest.raises(Exception, match="its threads is 2, that of the training is 1"):
        Run.load(run.path).restore(trainer(1))


def test_estimator():
    X, y = load("digits")[0].images[:100], load("digits")[0].labels[:100]
    classifier = GhostClassifier((80,), epochs=1, batch_size=100, threads=2).fit(X, y)
    assert classifier._simulation().threads == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "at least 1, got 0"),
        ({"threads": 2, "device": "numpy"}, "not device numpy"),
        ({"threads": 2, "engine": "synapses"}, "engine synapses; leave it at 1"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Simulation(Specification.create(sizes=(4, 3, 2), batch_size=1), **options)

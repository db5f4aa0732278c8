"""The defaults are stable over sizes and depths: 1,000 images of MNIST, several times."""

import numpy as np
import pytest

from ghost_spiking.datasets import load
from ghost_spiking.simulation import Simulation
from ghost_spiking.specification import Specification
from ghost_spiking.training import Training

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("hidden", "fields"),
    [
        ([50], {}),
        ([50, 50, 50], {}),
        pytest.param([50] * 5, {}, marks=SLOW),
        ([50], {"model": "MB"}),
        pytest.param([50, 50], {"model": "MB"}, marks=SLOW),
        pytest.param([2000], {}, marks=SLOW),
        pytest.param([300] * 3, {}, marks=SLOW),
        pytest.param([500, 50], {}, marks=SLOW),
        pytest.param([50, 500], {}, marks=SLOW),
        pytest.param([2000], {"model": "MB"}, marks=SLOW),
        pytest.param([50] * 5, {"model": "MB"}, marks=SLOW),
        pytest.param([50, 50], {"feedback": "alignment"}, marks=SLOW),
        pytest.param([50] * 5, {"feedback": "alignment"}, marks=SLOW),
        pytest.param([50, 50], {"feedback": "reconstruction"}, marks=SLOW),
    ],
)
def test_defaults_do_not_diverge(hidden, fields):
    training, test = load("mnist")
    spec = Specification.create(sizes=(784, *hidden, 10), **fields)
    # One image at a time takes long in Python.
    device = "numpy" if spec.protocol.batch_size > 1 else "cpp_standalone"
    simulation = Simulation(spec, device=device)
    trainer = Training(simulation, training.take(1000), test.take(100))
    for _ in range(3):
        trainer.run_epoch()
    assert np.isfinite(simulation.largest_state)
    assert simulation.largest_state < 100

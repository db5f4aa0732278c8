"""Noise is the same in numpy and C++, on every run, resumed or not; and it is noise."""

import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, ms
from scipy import stats

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.dense import ClampedInput, CompiledNetwork
from ghost_spiking.dense.noise import FUNCTIONS, white_noise
from ghost_spiking.runs import Run

# Strong nudging, beside which it matters little that ghosts are hardly calibrated yet.
CALIBRATING = Specification.create(
    sizes=(64, 12, 9, 10), batch_size=20, beta=1.0, calibration_steps=3, feedforward_onset=3
)


def test_cpp_gives_the_bits_of_numpy():
    def build():
        clock = Clock(1 * ms)
        shown = ClampedInput(1, batch=1, steps=1, clock=clock, name="shown")
        group = NeuronGroup(
            70,
            "x : 1\nseed : integer (constant, shared)\nwhen : integer (constant, shared)",
            namespace=FUNCTIONS,
            clock=clock,
            name="units",
        )
        group.run_regularly("x = white_noise(0.3, seed, when, 3, 2, i)", name="drawing")
        return Network(shown, group)

    program = CompiledNetwork(build)
    for seed, when in ((0, 0), (1, 12), (2**31 - 1, 10**6)):
        values = {"units.seed": seed, "units.when": when}
        inputs = {"shown": (np.zeros((1, 1), np.uint8), np.array([0]))}
        found = program.run(values, inputs, ["units.x"]).arrays["units.x"]
        np.testing.assert_array_equal(found, white_noise(0.3, seed, when, 3, 2, np.arange(70)))


def test_distribution():
    """False alarms in one of 10,000 sets of seeds, which don't change."""
    units = np.arange(20_000)
    drawn = [
        white_noise(1.0, *place, units)
        for place in ((0, 0, 0, 1), (0, 0, 1, 1), (0, 1, 0, 1), (1, 0, 0, 1), (0, 0, 0, 2))
    ]
    for noise in drawn:
        assert stats.kstest(noise, stats.uniform(-(3**0.5), 2 * 3**0.5).cdf).pvalue > 1e-4
        assert stats.pearsonr(noise[1:], noise[:-1]).pvalue > 1e-4
    for k, one in enumerate(drawn):
        for other in drawn[:k]:
            assert stats.pearsonr(one, other).pvalue > 1e-4
    assert (white_noise(0.0, 0, 0, 0, 1, units) == 0).all()


def test_each_seed_has_its_own():
    training, _ = load("digits")
    weights, found = Simulation(CALIBRATING).weights, []
    for seed in (0, 0, 1, 2**31):
        simulation = Simulation(CALIBRATING, seed=seed, weights=weights, device="numpy")
        simulation.adapt(training.images, training.maximum)
        simulation.present(training.images[:40], training.labels[:40], maximum=16.0)
        found.append(simulation.weights["ghost_forward_2"])
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[0], found[3])  # the remainder counts


@pytest.mark.parametrize("device", ["numpy", "cpp_standalone"])
def test_a_resumed_run_has_the_same_noise(device, tmp_path):
    training, _ = load("digits")
    training = training.take(100)

    def trainer(seed=3):
        simulation = Simulation(CALIBRATING, seed=seed, device=device)
        return Training(simulation, training, seed=seed)

    whole, other = trainer(), trainer(seed=4)
    whole.run(4)
    other.run(4)
    stopped = trainer()
    stopped.run(2)
    Run.of(stopped, Run.create(tmp_path / "run")).save()
    again = trainer()
    Run.load(tmp_path / "run").restore(again)
    again.run(4)
    for name, weight in whole.simulation.weights.items():
        np.testing.assert_array_equal(weight, again.simulation.weights[name], name)
        assert not np.array_equal(weight, other.simulation.weights[name]) or "bias" in name

"""Pools of neurons are integrate-and-fire neurons as Brian2 has them, and counts are what they say.

Tests of distributions raise a false alarm for one in 10,000 sets of seeds, which don't change.
"""

import numpy as np
import pytest
from brian2 import (
    Clock,
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    ms,
    mV,
    network_operation,
)
from scipy import stats

from ghost_spiking.dense import ClampedInput, CompiledNetwork, NeuronPool
from ghost_spiking.dense.noise import binomial_count, poisson_count
from ghost_spiking.dense.pool import BYTES, hashed, normal_bytes
from ghost_spiking.spikes import LIF

VALUES = {"threshold": -50, "reset": -66, "resting": -64, "offset": 30, "gain": 17, "noise": 15}
NEURONS, SEED, STREAM = 3, 7, 2
DRIVES = np.linspace(-4, 4, 5)


def units(clock):
    """Return units that count what their neurons do."""
    text = """
    x : 1
    fired : 1
    total : 1
    step : integer (shared)
    zero : integer (shared)
    seed : integer (shared)
    """
    group = NeuronGroup(len(DRIVES), text, clock=clock, name="units")
    group.run_regularly("step += 1; total += fired", when="end", name="counting")
    return group


def pool_of(group, **options):
    pool = NeuronPool(
        group, NEURONS, "x", "fired", step="step", presentation="zero", seed="seed",
        stream=STREAM, name="neurons", **options,
    )  # fmt: skip
    for name, value in VALUES.items():
        setattr(pool, name, value * mV)
    pool.membrane_time = 10 * ms
    return pool


def test_neurons_are_those_of_brian2():
    clock = Clock(4 * ms)
    group = units(clock)
    group.x, group.seed = DRIVES, SEED
    pool = pool_of(group)
    potentials = StateMonitor(pool, "v", record=True, when="end", clock=clock)
    spiked = StateMonitor(pool, "spiked", record=True, when="end", clock=clock)
    Network(group, pool, potentials, spiked).run(60 * 4 * ms)

    clock = Clock(4 * ms)
    plain = NeuronGroup(
        NEURONS * len(DRIVES),
        """
        dv/dt = (resting - v + offset + gain * x) / tau + noise * sqrt(2 * dt / tau) * z / dt : volt
        x : 1
        z : 1
        """,
        threshold="v >= threshold",
        reset="v = reset",
        method="euler",
        clock=clock,
        namespace={name: value * mV for name, value in VALUES.items()} | {"tau": 10 * ms},
    )
    numbers = np.arange(len(plain))
    plain.x = np.tile(DRIVES, NEURONS)
    begin = hashed(numbers, SEED, 0, 0, STREAM, other=True) >> np.uint32(8)
    plain.v = (VALUES["reset"] + (VALUES["threshold"] - VALUES["reset"]) * begin / 2**24) * mV

    @network_operation(when="start", clock=clock)
    def draw():
        step = round(float(clock.t / clock.dt))
        plain.z = normal_bytes(numbers, SEED, 0, step, STREAM) / BYTES

    expected = StateMonitor(plain, "v", record=True, when="end", clock=clock)
    spikes = SpikeMonitor(plain)
    Network(plain, draw, expected, spikes).run(60 * 4 * ms)

    np.testing.assert_allclose(potentials.v / mV, expected.v / mV, rtol=0, atol=1e-9)
    neuron, step = np.nonzero(spiked.spiked)
    when = np.rint(spikes.t / clock.dt).astype(int)
    assert sorted(zip(neuron, step, strict=True)) == sorted(zip(spikes.i, when, strict=True))
    assert 0.1 < spiked.spiked.mean() < 0.9
    np.testing.assert_array_equal(
        group.total, spiked.spiked.reshape(NEURONS, -1, 60).sum(axis=(0, 2))
    )


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_cpp_does_what_numpy_does(seed):
    def build():
        clock = Clock(4 * ms)
        shown = ClampedInput(1, batch=1, steps=30, clock=clock, name="shown")
        group = units(clock)
        return Network(shown, group, pool_of(group))

    program = CompiledNetwork(build)
    values = {"units.x": DRIVES, "units.seed": seed}
    values |= {f"neurons.{name}": value / 1000 for name, value in VALUES.items()}
    values["neurons.membrane_time"] = 0.01
    inputs = {"shown": (np.zeros((1, 1), np.uint8), np.array([0]))}
    found = program.run(values, inputs, ["neurons.v", "units.total", "neurons.spiked"]).arrays

    network = build()
    group, pool = network["units"], network["neurons"]
    group.x, group.seed = DRIVES, seed
    network["shown"].show(np.zeros((1, 1), np.uint8))
    network.run(1000 * ms)
    np.testing.assert_allclose(found["neurons.v"], np.asarray(pool.v), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found["neurons.spiked"], pool.spiked)
    np.testing.assert_array_equal(found["units.total"], group.total)


def test_noise_is_white_and_has_its_variance():
    neurons = np.arange(20_000)
    drawn = [
        normal_bytes(neurons, *place) / BYTES
        for place in ((0, 0, 1, 0), (0, 0, 2, 0), (0, 1, 1, 0), (1, 0, 1, 0), (0, 0, 1, 1))
    ]
    drawn.append(hashed(neurons, 0, 0, 1, 0, other=True) / 2.0**32 - 0.5)
    # The sum of four bytes has a kurtosis of -0.3, as that of four uniform numbers.
    for noise in drawn[:-1]:
        n = len(noise)
        assert abs(noise.mean()) < 3.9 / n**0.5
        assert abs(noise.var() - 1) < 3.9 * (1.7 / n) ** 0.5
        assert abs(stats.kurtosis(noise) + 0.3) < 0.2
        for lag in (1, 2, 3, 500):
            assert stats.pearsonr(noise[lag:], noise[:-lag]).pvalue > 1e-5
    for k, one in enumerate(drawn):
        for other in drawn[:k]:
            assert stats.pearsonr(one, other).pvalue > 1e-5


@pytest.mark.parametrize(("trials", "p"), [(1, 0.3), (3, 0.02), (3, 0.5), (10, 0.93), (200, 0.4)])
def test_binomial_counts(trials, p):
    counts = binomial_count(trials, p, 1, 2, 3, 4, np.arange(20_000))
    assert _p_value(counts, stats.binom(trials, p)) > 1e-4


@pytest.mark.parametrize("mean", [0.01, 0.7, 3.0, 60.0])
def test_poisson_counts(mean):
    counts = poisson_count(mean, 1, 2, 3, 4, np.arange(20_000))
    assert _p_value(counts, stats.poisson(mean)) > 1e-4


def _p_value(counts, distribution):
    """Return that of a chi-square test, with rare counts taken together."""
    values = np.arange(counts.max() + 2)
    expected = len(counts) * distribution.pmf(values)
    expected[-1] += len(counts) * distribution.sf(values[-1])
    observed = np.bincount(counts.astype(int), minlength=len(values))
    common = expected >= 5
    if expected[~common].sum() > 0:
        expected = np.append(expected[common], expected[~common].sum())
        observed = np.append(observed[common], observed[~common].sum())
    else:
        expected, observed = expected[common], observed[common]
    return stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue


def test_counts_at_the_edges():
    units = np.arange(1000)
    for trials in (1, 4):
        assert (binomial_count(trials, 0.0, 0, 0, 0, 0, units) == 0).all()
        assert (binomial_count(trials, 1.0, 0, 0, 0, 0, units) == trials).all()
        assert (binomial_count(trials, -0.5, 0, 0, 0, 0, units) == 0).all()
        assert (binomial_count(trials, 1.5, 0, 0, 0, 0, units) == trials).all()
    assert (poisson_count(0.0, 0, 0, 0, 0, units) == 0).all()


def test_rate_curve_is_the_sigmoid():
    """The values of LIF's fields make the mean count a sigmoid of the drive."""
    spikes = LIF()
    clock = Clock(spikes.dt * ms)
    group = NeuronGroup(
        41,
        "x : 1\nfired : 1\ntotal : 1\nstep : integer (shared)\nzero : integer (shared)",
        clock=clock,
    )
    group.run_regularly("step += 1; total += fired * int(step > 20)", when="end")
    group.x = np.linspace(-6, 6, 41)
    pool = NeuronPool(group, 200, "x", "fired", step="step", presentation="zero", seed="zero")
    for name in VALUES:
        setattr(pool, name, getattr(spikes, name) * mV)
    pool.membrane_time = spikes.membrane_time * ms
    Network(group, pool).run(520 * spikes.dt * ms)
    rate = group.total / (200 * 500)
    difference = rate - 1 / (1 + np.exp(-np.asarray(group.x)))
    assert (difference**2).mean() ** 0.5 < 0.016
    assert np.abs(difference).max() < 0.035

"""The network of experiments/diehl_cook.py, small: spikes as in plain Brian2."""

from pathlib import Path

import numpy as np
import pytest
from brian2 import Synapses, prefs

from ghost_spiking.dense import CompiledNetwork, DenseSynapses

EXPERIMENTS = Path(__file__).parent.parent.parent / "experiments"
SIZES = {"n_inputs": 49, "n_neurons": 20, "steps": 200}


@pytest.fixture
def diehl_cook(monkeypatch):
    monkeypatch.syspath_prepend(EXPERIMENTS)
    import diehl_cook

    return diehl_cook


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_spikes_weights_and_thresholds_equal_those_of_brian(compiled, diehl_cook):
    images = 255 * np.random.default_rng(0).integers(0, 2, (3, 49), dtype=np.uint8)
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    try:
        plain = diehl_cook.InBrian(Synapses, **SIZES)
        program = (
            CompiledNetwork(lambda: diehl_cook.build(**SIZES))
            if compiled
            else diehl_cook.InBrian(DenseSynapses, **SIZES)
        )
        states = [diehl_cook.start(49, 20)] * 2
        for number in range(len(images)):
            found = [
                diehl_cook.present(way, state, images, number)
                for way, state in zip((plain, program), states, strict=True)
            ]
            (expected, _), (spikes, _) = found
            assert len(expected) >= diehl_cook.FEWEST
            np.testing.assert_array_equal(spikes, expected)
            states = [state for _, state in found]
            for name, values in states[0].items():
                np.testing.assert_allclose(states[1][name], values, rtol=1e-9, atol=1e-12)
    finally:
        prefs.codegen.target = old


def test_neurons_are_named_after_what_they_answer(diehl_cook, monkeypatch):
    seen = np.repeat(10 * np.eye(10, dtype=int), 2, axis=0)  # neuron k likes digit k
    labels = np.repeat(np.arange(10), 2)

    def present(program, state, images, number, changes):
        assert not any(changes.values())
        return np.array([images[number]] * 3 + [0]), state

    monkeypatch.setattr(diehl_cook, "present", present)
    share = diehl_cook.accuracy(None, {}, seen, labels, (np.arange(10), np.arange(10) % 5))
    assert share == 0.5

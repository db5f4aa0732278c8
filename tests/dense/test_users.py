"""Networks as users of Brian2 write them: those of experiments/brian2_models.py, small."""

from pathlib import Path

import numpy as np
import pytest
from brian2 import BrianLogger, Network, Synapses, ms, prefs, seed

from ghost_spiking.dense import DenseSynapses

EXPERIMENTS = Path(__file__).parent.parent.parent / "experiments"
NAMES = ["oscillators", "random_rates", "two_populations", "oja", "gap_junctions", "conductances",
         "nmda", "delta_synapses", "stdp", "inhibitory_plasticity", "short_term_plasticity",
         "force", "voltage_based"]  # fmt: skip


@pytest.fixture
def models(monkeypatch):
    monkeypatch.syspath_prepend(EXPERIMENTS)
    import all_to_all

    return all_to_all.RATES | all_to_all.SPIKES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_the_class_is_changed(name, models):
    assert set(NAMES) == set(models)
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    BrianLogger.suppress_name("base")
    try:
        found = []
        for kind in (DenseSynapses, Synapses):
            seed(1)
            model = models[name](kind, 20)
            Network(model.objects).run(10 * ms, namespace=model.namespace)
            found.append(model.values())
    finally:
        prefs.codegen.target = old
    dense, plain = found
    for variable, values in plain.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(dense[variable], values, rtol=1e-9, atol=1e-12)

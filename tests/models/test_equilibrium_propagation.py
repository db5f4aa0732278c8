"""Equilibrium propagation in particular; the suite for all models holds it to its oracle."""

import numpy as np
import pytest

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import SpecificationError

from .conformance import ORACLES, make


@pytest.mark.parametrize("field", [{"rate_function": "tanh"}, {"loss": "cross_entropy"}])
def test_refuses_what_its_energy_does_not_have(field):
    with pytest.raises(SpecificationError, match=r"equilibrium_propagation has"):
        Specification.create(sizes=(4, 3, 2), model="equilibrium_propagation", **field)


@pytest.mark.parametrize("field", ["ghosts", "feedback", "half_life"])
def test_has_no_fields_of_other_models(field):
    with pytest.raises(SpecificationError, match=f"unknown field '{field}'"):
        Specification.create(sizes=(4, 3, 2), model="equilibrium_propagation", **{field: 1})


def test_weights_stay_until_the_presentation_ends():
    """The change is made once, from both phases, so that the nudged one runs with old weights."""
    specification, weights, images, labels, _ = make("equilibrium_propagation", 11)
    simulation = Simulation(specification, weights=weights, device="numpy", precision="float64")
    # without the last phase nothing changes
    simulation.present(images, labels, nudge=False)
    for name, weight in weights.items():
        np.testing.assert_array_equal(simulation.weights[name], weight)


@pytest.mark.parametrize("engine", ["dense", "synapses"])
def test_nudging_to_both_sides_agrees_with_the_oracle(engine):
    case = make("equilibrium_propagation", 4 if engine == "dense" else 1, symmetric=True)
    specification, weights, images, labels, order = case
    simulation = Simulation(
        specification, engine=engine, weights=weights, device="numpy", precision="float64"
    )
    simulation.present(images, labels, order=order)
    for name, weight in ORACLES["equilibrium_propagation"](*case).items():
        np.testing.assert_allclose(simulation.weights[name], weight, atol=1e-10, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learns_digits(seed):
    training, test = load("digits")
    specification = Specification.create(sizes=(64, 100, 10), model="equilibrium_propagation")
    trainer = Training(Simulation(specification, seed=seed), training, test, seed)
    trainer.run(20)
    print(f"seed {seed}: {trainer.history[-1].test_accuracy:.2f} % of the test images")
    assert trainer.history[-1].test_accuracy >= 93

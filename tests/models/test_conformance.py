"""One suite for all models: engines, devices, oracles, and what must make no difference."""

import pickle

import numpy as np
import pytest

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import Dataset
from ghost_spiking.describe import describe
from ghost_spiking.measure import Probe
from ghost_spiking.models import BIAS_UNIT, STIMULUS, model_named, names
from ghost_spiking.network import build
from ghost_spiking.runs import Run
from ghost_spiking.values import run_time_values

from .conformance import ORACLES, make

MODELS = [name for name in names() if model_named(name).__module__.startswith("ghost_spiking.")]


def simulate(specification, weights, images, labels, order, **options):
    options = {"device": "numpy", "precision": "float64"} | options
    simulation = Simulation(specification, weights=weights, **options)
    responses = simulation.present(images, labels, order=order)
    return simulation.weights, responses


def assert_close(found, expected, tolerance=1e-10):
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        np.testing.assert_allclose(found[name], weight, atol=tolerance, rtol=0, err_msg=name)


def test_every_model_has_an_oracle():
    assert set(ORACLES) == set(MODELS)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("engine", "device", "batch", "hidden"),
    [
        ("dense", "numpy", 4, (7, 5)),
        ("dense", "numpy", 1, (7,)),
        ("synapses", "numpy", 1, (7, 5)),
        ("dense", "cpp_standalone", 4, (7, 5)),
        pytest.param("dense", "cpp_standalone", 1, (7,), marks=pytest.mark.slow),
        pytest.param("synapses", "cpp_standalone", 1, (7, 5), marks=pytest.mark.slow),
    ],
)
def test_agrees_with_its_oracle(model, engine, device, batch, hidden):
    case = make(model, batch, hidden)
    weights, _ = simulate(*case, engine=engine, device=device)
    assert_close(weights, ORACLES[model](*case))
    for projection in case[0].layout.plastic:  # nothing that could learn stood still
        assert not np.array_equal(weights[projection.name], case[1][projection.name])


@pytest.mark.parametrize("model", [name for name in MODELS if name != "equilibrium_propagation"])
@pytest.mark.parametrize("device", ["numpy", "cpp_standalone"])
def test_learns_targets_in_place_of_classes(model, device):
    specification, weights, images, _, order = make(model, 4)
    specification = specification.replace(linear_output=True)
    shape = len(images), specification.network.sizes[-1]
    targets = np.random.default_rng(3).normal(size=shape)
    case = specification, weights, images, targets, order
    assert_close(simulate(*case, device=device)[0], ORACLES[model](*case))
    probe = Probe(specification, images, targets, adaptation=None)
    assert probe.measure(weights).error_angle


@pytest.mark.parametrize("model", MODELS)
def test_order_of_hidden_units_makes_no_difference(model):
    """Any population of units that the layout lists may be permuted."""
    specification, weights, *data = make(model, 4)
    layout, rng = specification.layout, np.random.default_rng(1)
    fixed = {STIMULUS, BIAS_UNIT, specification.layout.readout.population}
    linked = {place.split(".")[0] for unit in layout.populations for place in unit.links.values()}
    orders = {}
    for unit in layout.populations:
        if unit.replicated and unit.name not in fixed:
            partners = {place.split(".")[0] for place in unit.links.values()} & set(orders)
            # Units that are linked one to one go together.
            orders[unit.name] = orders[partners.pop()] if partners else rng.permutation(unit.size)
            if any(place.startswith(layout.readout.population) for place in unit.links.values()):
                orders[unit.name] = np.arange(unit.size)
    assert orders
    assert linked

    def permuted(given):
        found = {}
        for name, weight in given.items():
            item = layout.projection(name)
            rows = orders.get(item.target, np.arange(len(weight)))
            columns = orders.get(item.source, np.arange(weight.shape[1]))
            found[name] = weight[np.ix_(rows, columns)]
        return found

    straight, responses = simulate(specification, weights, *data)
    shuffled, same = simulate(specification, permuted(weights), *data)
    np.testing.assert_allclose(same, responses, atol=1e-10)
    assert_close(shuffled, permuted(straight))


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_is_a_mean_over_its_images(model):
    """Each image twice, a batch twice as large: the same weights. A smaller last batch, too."""
    specification, weights, images, labels, order = make(model, 3)
    once = simulate(specification, weights, images, labels, order[:7])
    twice = simulate(specification.replace(batch_size=6), weights, images, labels,
                     np.repeat(order[:7], 2))  # fmt: skip
    assert_close(twice[0], once[0])
    first, _ = simulate(specification, weights, images, labels, order[:6])
    last, _ = simulate(specification.replace(batch_size=1), first, images, labels, order[6:7])
    assert_close(last, once[0])


@pytest.mark.parametrize("model", MODELS)
def test_evaluation_leaves_weights_alone(model):
    specification, weights, images, labels, order = make(model, 4)
    simulation = Simulation(specification, weights=weights, device="numpy", precision="float64")
    simulation.present(images, labels, order=order, learn=False)
    assert_close(simulation.weights, weights, 0)
    assert simulation.presented == 0


@pytest.mark.parametrize("model", MODELS)
def test_specification_and_run_are_saved_whole(model, tmp_path):
    specification, weights, images, labels, _ = make(model, 4)
    for copy in (
        Specification.from_toml(specification.to_toml()),
        pickle.loads(pickle.dumps(specification)),
        specification.replace(),
    ):
        assert copy == specification
        assert copy.layout.identity == specification.layout.identity
    data = Dataset("made", images, labels, 255.0, (3, 3), 4)
    whole, half = (
        Training(Simulation(specification, weights=weights, device="numpy"), data, data)
        for _ in range(2)
    )
    whole.run(2)
    half.run(1)
    Run.of(half, Run.create(tmp_path / "run")).save()
    rest = Training(Simulation(specification, device="numpy"), data, data)
    Run.load(tmp_path / "run").restore(rest)
    rest.run(2)
    assert_close(rest.simulation.weights, whole.simulation.weights, 0)


@pytest.mark.parametrize("model", MODELS)
def test_numbers_are_no_part_of_the_program(model):
    """Everything but sizes and structure is given to the program when it starts."""
    specification = make(model, 4)[0]
    protocol = specification.protocol
    step = {} if protocol.time_step == 1 else {"time_step": protocol.time_step / 2}
    other = specification.replace(
        beta=protocol.beta / 2,
        **step,
        prediction_steps=protocol.prediction_steps + 1,
        nudging_steps=protocol.nudging_steps + 1,
        learning_rates={"feedforward": 0.01, "bias": 0.02},
        initial_weights={"feedforward": 0.5},
    )
    assert other.layout.text == specification.layout.text
    assert other.layout.identity != specification.layout.identity
    assert specification.replace(batch_size=5).layout.text != specification.layout.text


@pytest.mark.parametrize("model", MODELS)
def test_everything_is_set_and_watched(model):
    """A parameter that is not set would be zero in silence; a state that is not reset stays."""
    specification = make(model, 4)[0]
    layout, brian = specification.layout, build(specification)
    given = run_time_values(specification, learn=True)
    for name, group in {**brian.populations, **brian.projections}.items():
        for equation in group.equations.values():
            flags = set(equation.flags)
            if {"constant", "shared"} <= flags:
                assert f"{name}.{equation.varname}" in given
            if equation.type == "differential equation" and name in brian.populations:
                assert f"{name}.{equation.varname}" in layout.states
    for item in layout.plastic:
        assert item.rules
        assert item.equation
        assert item.phase in {phase.name for phase in layout.phases}
        assert item.rate_field in specification.protocol.learning_rates.model_dump()


@pytest.mark.parametrize("model", MODELS)
def test_it_can_be_described_and_measured(model):
    specification, weights, images, labels, _ = make(model, 4)
    text = describe(specification)
    for item in specification.layout.projections:
        assert item.name in text
    probe = Probe(specification, images, labels)
    row = probe.measure(weights).flat()
    assert {f"update_angle[feedforward_{layer}]" for layer in (1, 2, 3)} <= set(row)
    for layer in (1, 2, 3):
        trace = probe.trace(weights, layer)
        protocol = specification.protocol
        shown = protocol.prediction_steps + protocol.nudging_steps
        assert shown < len(trace["state"]) <= shown + len(specification.layout.phases)
        assert trace["state"].shape[1] == len(images)

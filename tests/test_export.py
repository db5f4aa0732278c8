"""A network that was exported answers as ours does, read by nir alone and by another simulator."""

import numpy as np
import pytest
from click.testing import CliRunner

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.cli import main
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import DataError, SpecificationError
from ghost_spiking.export import to_nir, write_nir
from ghost_spiking.runs import Run
from ghost_spiking.values import initial_weights

nir = pytest.importorskip("nir")


@pytest.fixture(scope="module")
def trained():
    training, test = load("digits")
    specification = Specification.create(sizes=(64, 40, 30, 10), batch_size=20)
    trainer = Training(Simulation(specification, device="numpy", seed=0), training, test, 0)
    trainer.run(6)
    return trainer


def answer(graph, inputs):
    """Run one time step of a chain of affine maps and neurons, as NIR defines them."""
    following = dict(graph.edges)
    name, values = following["input"], inputs
    while name != "output":
        node = graph.nodes[name]
        if isinstance(node, nir.Affine):
            values = values @ node.weight.T + node.bias
        else:
            # Their membranes follow within the step that is as long as their time constant.
            assert len(np.unique(node.tau)) == 1
            values = (node.v_leak + node.r * values > node.v_threshold).astype(float)
        name = following[name]
    return values


def ours(trainer):
    return trainer.simulation.predict(trainer.test.images, maximum=trainer.test.maximum)


def test_read_back_it_answers_as_ours(trained, tmp_path):
    simulation, test = trained.simulation, trained.test
    graph = to_nir(simulation.specification, simulation.weights, simulation.adaptation)
    write_nir(tmp_path / "network.nir", graph)
    again = nir.read(tmp_path / "network.nir")
    assert sorted(again.nodes) == ["input", "layer_1", "layer_2", "output", "weights_1",
                                   "weights_2", "weights_3"]  # fmt: skip
    assert again.nodes["layer_1"].tau.shape == (40 * 31,)
    found = answer(again, test.images / test.maximum).argmax(axis=1)
    assert (found == ours(trained)).mean() > 0.97
    more = to_nir(simulation.specification, simulation.weights, simulation.adaptation, levels=500)
    found = answer(more, test.images / test.maximum).argmax(axis=1)
    assert (found == ours(trained)).mean() > 0.995


@pytest.mark.parametrize("rate_function", ["tanh", "hard_sigmoid", "s / (1 + abs(s))"])
def test_other_rate_functions(rate_function):
    specification = Specification.create(
        sizes=(6, 5, 3), rate_function=rate_function, input_adaptation=False
    )
    weights = initial_weights(specification, 0)
    if rate_function.startswith("s /"):
        with pytest.raises(SpecificationError, match="rises between two limits"):
            to_nir(specification, weights)
        return
    graph = to_nir(specification, weights, levels=2000)
    rates = np.random.default_rng(0).random((50, 6))
    function = {"tanh": np.tanh, "hard_sigmoid": lambda s: np.clip(s / 4 + 0.5, 0, 1)}
    hidden = function[rate_function](rates @ weights["feedforward_1"].T)
    expected = hidden @ weights["feedforward_2"].T
    np.testing.assert_allclose(answer(graph, rates), expected, atol=2e-3)


def test_refused():
    chain = Specification.create(sizes=(6, 5, 3))
    with pytest.raises(DataError, match="adaptation="):
        to_nir(chain, initial_weights(chain, 0))
    skips = Specification.create(
        sizes=(6, 5, 4, 3), connections=[[0, 1], [1, 2], [0, 2], [2, 3]], input_adaptation=False
    )
    with pytest.raises(SpecificationError, match="chain"):
        to_nir(skips, initial_weights(skips, 0))
    soft = Specification.create(sizes=(6, 5, 3), rate_function="softplus", input_adaptation=False)
    with pytest.raises(SpecificationError, match="limits"):
        to_nir(soft, initial_weights(soft, 0))


def test_command(trained, tmp_path):
    Run.of(trained, Run.create(tmp_path / "run")).save()
    found = CliRunner().invoke(main, ["export", str(tmp_path / "run"), "--levels", "7"])
    assert found.exit_code == 0, found.output
    assert nir.read(tmp_path / "run" / "network.nir").nodes["layer_2"].tau.shape == (210,)


def test_another_simulator_runs_it(trained, tmp_path):
    """It needs torch: pip install torch snntorch nirtorch."""
    pytest.importorskip("snntorch")
    torch = pytest.importorskip("torch")
    from snntorch.import_nir import import_from_nir

    simulation, test = trained.simulation, trained.test
    graph = to_nir(simulation.specification, simulation.weights, simulation.adaptation)
    write_nir(tmp_path / "network.nir", graph)
    network = import_from_nir(nir.read(tmp_path / "network.nir"))
    with torch.no_grad():
        shown = torch.tensor(test.images / test.maximum, dtype=torch.float32)
        found = network(shown)
    found = found[0] if isinstance(found, tuple) else found
    right = (found.argmax(dim=1).numpy() == test.labels).mean()
    assert abs(right - (ours(trained) == test.labels).mean()) <= 0.005

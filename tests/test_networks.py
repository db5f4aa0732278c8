"""The trained network that ships."""

import numpy as np
import pytest
from click.testing import CliRunner

from experiments import trained as script
from ghost_spiking import Simulation
from ghost_spiking.cli import main
from ghost_spiking.datasets import load
from ghost_spiking.networks import NAME, trained
from ghost_spiking.runs import Run


def test_it_knows_mnist_and_is_small():
    run = trained()
    run.check_data(*load("mnist"))
    assert (script.FOLDER / "run.npz").stat().st_size < 500_000
    assert [file.name for file in script.FOLDER.iterdir()] == ["run.npz"]
    _, test = load("mnist")
    some = test.take(1000)
    simulation = Simulation(run.specification, weights=run.weights, adaptation=run.adaptation)
    accuracy = 100 * np.mean(simulation.predict(some.images) == some.labels)
    assert abs(accuracy - run.test_accuracy) < 3
    assert run.test_accuracy > 97


def test_commands_take_it_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["trace", NAME, "--unit", "3", "--image", "8"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / NAME / "trace_layer1_unit3_image8.png").exists()
    _, test = load("mnist")
    np.save("some.npy", test.images[:20].reshape(-1, 28, 28))
    # the folder with the picture is no run
    result = CliRunner().invoke(main, ["predict", NAME, "some.npy", "--device", "numpy"])
    found = [line.split(",")[1] for line in result.stdout.splitlines()[1:]]
    right = np.array(found, int) == test.labels[:20]
    assert right.mean() > 0.9
    assert "comes with the package" in result.stderr


@pytest.mark.slow
def test_the_script_makes_such_a_run(tmp_path):
    script.main(tmp_path / "run", n_images=300, epochs=1)
    run = Run.load(tmp_path / "run")
    assert (run.facts.dataset, len(run.history)) == ("mnist", 1)
    assert run.specification == trained().specification

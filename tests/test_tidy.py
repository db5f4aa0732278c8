"""Results as tables for other tools; samples that fill space; search; sweeps of a run."""

import csv
import json
import sys
import tomllib

import numpy as np
import pytest
import xarray
from click.testing import CliRunner

from ghost_spiking import Simulation, Specification
from ghost_spiking.cli import main
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import MissingPackageError, SpecificationError
from ghost_spiking.measure import Probe
from ghost_spiking.runs import Run
from ghost_spiking.study import Study, best_run, optimise, run_study, summarize
from ghost_spiking.study._cells import Cell, read_all

BASE = """
dataset = "digits"
epochs = 3
seeds = 2
held_out = 300
limit = 200
keep_weights = true
[network]
sizes = [64, 8, 10]
input_adaptation = true
[protocol]
batch_size = 20
[protocol.learning_rates]
feedforward = { first = 1.0, last = 0.2 }
"""
GRID = BASE + '[grid]\n"protocol.learning_rates.feedforward.last" = [0.1, 0.0001]\n'
SEARCH = (
    BASE
    + """
[random]
samples = 7
"protocol.beta" = { low = 0.2, high = 20.0, log = true }
"protocol.learning_rates.feedforward.last" = { low = 0.0001, high = 0.4, log = true }
"network.dale" = [false, true]
"""
)


def study(text, **changes):
    return Study.from_dict(tomllib.loads(text) | changes)


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def well(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "grid"
    return folder, run_study(study(GRID), folder, jobs=1)


# -- tables ---------------------------------------------------------------------------


def test_study_as_a_table(finished):
    folder, records = finished
    frame = study(GRID).to_frame(folder)
    assert len(frame) == 2 * 2 * 3
    name = "protocol.learning_rates.feedforward.last"
    assert list(frame.columns[:3]) == [name, "seed", "epoch"]
    assert "held_out_accuracy" in frame
    assert "forward_distance[ghost_forward_2]" in frame
    final = frame[frame.epoch == 3].groupby(name).held_out_accuracy.mean()
    wanted = {row["parameters"][name]: row["mean"] for row in summarize(records)}
    assert final.round(4).to_dict() == pytest.approx(wanted, abs=1e-4)


def test_run_as_a_table(finished):
    _, path = best_run(finished[0])
    run = Run.load(path)
    frame = run.to_frame()
    assert frame.epoch.tolist() == [1, 2, 3]
    assert frame.test_accuracy.tolist() == [epoch.test_accuracy for epoch in run.history]
    assert run.history[0].measurements.keys() <= set(frame.columns)


def test_table_without_pandas(finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match=r"tables need pandas.*\[pandas\]"):
        study(GRID).to_frame(finished[0])


def test_trace_with_names_of_axes():
    specification = Specification.create(sizes=(64, 5, 10), spikes="lif")
    _, test = load("digits")
    simulation = Simulation(specification, device="numpy")
    simulation.adapt(test.images, test.maximum)
    probe = Probe(specification, test.images[:3], test.labels[:3], maximum=16,
                  adaptation=simulation.adaptation)  # fmt: skip
    trace = probe.trace(simulation.weights, 1)
    found = xarray.Dataset.from_dict(trace.to_dict())
    assert found.error.dims == ("time", "image", "unit")
    assert found.fired.dims[-1] == "neuron"
    np.testing.assert_array_equal(found.state.sel(image=1, unit=2), trace["state"][:, 1, 2])
    np.testing.assert_array_equal(found.time, trace.times)


# -- weights of a study ---------------------------------------------------------------


def test_the_best_network_of_a_study(finished):
    folder, records = finished
    record, path = best_run(folder)
    assert record.parameters == summarize(records)[0]["parameters"]
    run = Run.load(path)
    assert run.test_accuracy == record.held_out_accuracy
    result = well("show", folder)
    assert "the best network of the study: protocol" in result.stderr
    assert (path / "confusion.png").exists()
    # its images are those held out
    found = json.loads(well("evaluate", folder, "--json").stdout)
    assert found["test_accuracy"] == record.held_out_accuracy


def test_weights_that_were_not_kept(finished, tmp_path, monkeypatch):
    plain = study(GRID, keep_weights=False, seeds=[0])
    kept = study(GRID, seeds=[0])
    assert [cell.key for cell in plain.cells] == [cell.key for cell in kept.cells]
    before = run_study(plain, tmp_path, jobs=1)
    assert not (tmp_path / "runs").exists()
    assert "keep_weights = true" in invoke("show", tmp_path).stderr
    after = run_study(kept, tmp_path, jobs=1)
    assert [r.held_out_accuracy for r in after] == [r.held_out_accuracy for r in before]
    assert (best_run(tmp_path)[1] / "run.npz").exists()
    monkeypatch.setattr(Cell, "train", None)  # nothing is left to do
    run_study(kept, tmp_path, jobs=1)


# -- samples --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sobol", "halton"])
def test_samples_that_fill_space(method):
    text = (
        BASE
        + f"""
    [random]
    samples = 32
    method = "{method}"
    "protocol.beta" = {{ low = 0.0, high = 1.0 }}
    "network.initial_weights.self_predicting" = [true, false]
    """
    )
    text = text.replace("low = 0.0", "low = 0.001")
    cells = study(text, seeds=[0]).cells
    betas = sorted(cell.parameters["protocol.beta"] for cell in cells)
    # no gap is much larger than the mean, as random draws have them
    assert np.diff([0.0, *betas, 1.0]).max() < 2.5 / 32
    assert sum(cell.parameters["network.initial_weights.self_predicting"] for cell in cells) == 16
    fewer = study(text.replace("samples = 32", "samples = 9"), seeds=[0]).cells
    assert [cell.key for cell in fewer] == [cell.key for cell in cells[:9]]


# -- search ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "search"
    return folder, optimise(study(SEARCH), folder)


def told(records):
    return [
        (r.parameters, r.seed, r.pruned, [epoch.test_accuracy for epoch in r.history])
        for r in records
    ]


def test_search_begins_with_the_defaults(searched):
    folder, records = searched
    first = records[0]
    default = Specification.from_toml(first.specification)
    assert first.parameters["protocol.learning_rates.feedforward.last"] == 0.2
    assert first.parameters["protocol.beta"] == default.protocol.beta == 3.0
    assert first.parameters["network.dale"] is False
    best = summarize(records)[0]
    assert best["mean"] >= np.mean([r.held_out_accuracy for r in records[:2]]) - 1e-4
    assert len({json.dumps(r.parameters) for r in records}) == 7
    with open(folder / "table.csv") as file:
        assert len(list(csv.DictReader(file))) == len(records)


def test_search_ends_what_falls_behind(searched):
    _, records = searched
    pruned = [record for record in records if record.pruned]
    assert pruned
    for record in pruned:
        assert len(record.history) < 3
        assert record.held_out_accuracy is None
        assert "ended after" in str(record)
    # other seeds of them are not trained
    assert len(records) < 14


@pytest.mark.parametrize(
    "stop", [pytest.param(1, marks=pytest.mark.slow), 4, pytest.param(6, marks=pytest.mark.slow)]
)
def test_search_goes_on_as_if_never_stopped(searched, tmp_path, monkeypatch, stop):
    train, done = Cell.train, []

    def interrupted(cell, after_epoch=None):
        if len(done) == stop:
            raise KeyboardInterrupt
        done.append(cell)
        return train(cell, after_epoch)

    monkeypatch.setattr(Cell, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        optimise(study(SEARCH), tmp_path)
    monkeypatch.setattr(Cell, "train", train)
    assert len(read_all(tmp_path)) == stop
    assert told(optimise(study(SEARCH), tmp_path)) == told(searched[1])


def test_finished_search_trains_nothing(searched, monkeypatch):
    monkeypatch.setattr(Cell, "train", None)
    assert told(optimise(study(SEARCH), searched[0])) == told(searched[1])
    frame = study(SEARCH).to_frame(searched[0])
    assert len(frame) == sum(len(record.history) for record in searched[1])


def test_search_that_can_not_be(tmp_path, monkeypatch):
    with pytest.raises(SpecificationError, match=r"needs a table \[random\]"):
        optimise(study(GRID), tmp_path)
    few = SEARCH.split("[random]")[0] + '[random]\nsamples = 2\n"network.dale" = [false, true]\n'
    described = study(few, epochs=1, seeds=[0])
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "optuna", None)
        with pytest.raises(MissingPackageError, match=r"\[optuna\]"):
            optimise(described, tmp_path)
    more = described.model_copy(
        update={"random": described.random.model_copy(update={"samples": 3})}
    )
    with pytest.raises(SpecificationError, match="only 2 different networks"):
        optimise(more, tmp_path)
    (tmp_path / "s.toml").write_text(few)
    result = invoke("study", tmp_path / "s.toml", "--optimise", "--jobs", 2)
    assert "--optimise trains one network after the other" in result.stderr


@pytest.mark.slow
def test_search_is_at_least_as_good_as_the_defaults(tmp_path):
    """Of beta and of the rates of both layers, on digits, within 20 trials."""
    text = """
    dataset = "digits"
    epochs = 10
    seeds = 2
    held_out = 400
    [network]
    sizes = [64, 32, 10]
    input_adaptation = true
    [protocol.learning_rates]
    feedforward = { first = 5.415384615384616, last = 0.2 }
    [random]
    samples = 20
    "protocol.beta" = { low = 0.3, high = 20.0, log = true }
    "protocol.learning_rates.feedforward.first" = { low = 0.3, high = 20.0, log = true }
    "protocol.learning_rates.feedforward.last" = { low = 0.01, high = 1.0, log = true }
    """
    (tmp_path / "search.toml").write_text(text)
    out = ("--out", tmp_path / "out")
    result = well("study", tmp_path / "search.toml", "--optimise", "--json", *out)
    best = json.loads(result.stdout.splitlines()[-1])["summary"][0]
    defaults = study(
        'dataset = "digits"\nepochs = 10\nseeds = 2\nheld_out = 400\n'
        '[network]\nsizes = [64, 32, 10]\n[grid]\n"protocol.beta" = [3.0]\n'
    )
    (default,) = summarize(run_study(defaults, tmp_path / "defaults", jobs=1))
    assert best["mean"] >= default["mean"]


# -- a sweep of a run -----------------------------------------------------------------


def test_sweep_of_a_run(tmp_path):
    run = tmp_path / "mine"
    well("train", "--dataset", "digits", "--limit", 200, "--hidden", 8, "--epochs", 2,
         "--batch-size", 20, "--set", "beta=2", "--quiet", "--out", run)  # fmt: skip
    out = tmp_path / "sweep"
    result = well("study", "--run", run, "--grid", "beta=[2, 10]", "--grid", "dale=[false]",
                  "--jobs", 1, "--quiet", "--out", out)  # fmt: skip
    assert "protocol.beta" in result.stdout
    records = read_all(out)
    assert {record.parameters["protocol.beta"] for record in records} == {2, 10}
    for record in records:
        network = Specification.from_toml(record.specification).network
        assert network == Run.load(run).specification.network
        assert (record.facts.goal, record.facts.limit, record.held_out) == (2, 200, 143)
    well("show", out)
    for arguments, message in (
        (("study",), "needs either"),
        (("study", "--run", run), "say with --grid"),
        (("study", "--run", run, "--grid", "bet=[1]"), "did you mean"),
        (("study", "x.toml", "--grid", "beta=[1]"), "go with --run"),
    ):
        assert message in invoke(*arguments).stderr

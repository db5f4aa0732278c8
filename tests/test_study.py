import csv
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ghost_spiking import Specification
from ghost_spiking.cli import main
from ghost_spiking.cli.study import study as command
from ghost_spiking.exceptions import SpecificationError, StudyError
from ghost_spiking.models.ghost import GhostEquations
from ghost_spiking.study import Cell, Range, Record, Study, run_study, summarize
from ghost_spiking.study._cells import read_record

ROOT = Path(__file__).parent.parent
# In the group that turns errors into one line, as for all commands
GROUP = type(main)("ghost-spiking", commands={"study": command})

BASE = """
dataset = "digits"
epochs = 1
seeds = 2
held_out = 300
limit = 200
[network]
sizes = [64, 8, 10]
"""
GRID = BASE + '[grid]\n"protocol.beta" = [1.0, 3.0]\n"protocol.nudging_steps" = [4, 8]\n'
RANDOM = (
    BASE
    + """
[random]
samples = 5
seed = 7
"protocol.beta" = { low = 0.5, high = 10.0, log = true }
"protocol.prediction_steps" = { low = 6, high = 9 }
"network.initial_weights.self_predicting" = [true, false]
"""
)


def study(text, **changes):
    return Study.from_dict(tomllib.loads(text) | changes)


def cli(*arguments):
    return CliRunner().invoke(GROUP, ["study", *map(str, arguments)])


def stamps(folder):
    files = [path.stat() for path in sorted((folder / "cells").glob("*.json"))]
    return {file.st_ino: file.st_mtime_ns for file in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "grid"
    return folder, run_study(study(GRID), folder, jobs=1)


@pytest.fixture
def no_training(monkeypatch):
    def fail(*arguments):
        raise AssertionError("something was trained or compiled")

    monkeypatch.setattr(Cell, "train", fail)
    monkeypatch.setattr("ghost_spiking.study._run.compile_all", fail)


# -- what is to be trained -------------------------------------------------------------------


def test_grid_has_all_combinations():
    cells = study(GRID).cells
    assert len(cells) == 2 * 2 * 2
    assert len({cell.key for cell in cells}) == 8
    assert [cell.key for cell in cells] == [cell.key for cell in study(GRID).cells]
    assert {cell.seed for cell in cells} == {0, 1}
    assert {cell.specification.protocol.beta for cell in cells} == {1.0, 3.0}


def test_random_sample_is_drawn_from_its_seed():
    cells = study(RANDOM, seeds=1).cells
    assert len(cells) == 5
    assert [cell.key for cell in cells] == [cell.key for cell in study(RANDOM, seeds=1).cells]
    more = tomllib.loads(RANDOM)["random"] | {"samples": 9}
    assert [c.key for c in study(RANDOM, seeds=1, random=more).cells[:5]] == [c.key for c in cells]
    other = tomllib.loads(RANDOM)["random"] | {"seed": 8}
    assert not {c.key for c in study(RANDOM, seeds=1, random=other).cells} & {c.key for c in cells}
    for cell in cells:
        protocol = cell.specification.protocol
        assert 0.5 <= protocol.beta <= 10
        assert 6 <= protocol.prediction_steps <= 9


def test_ranges():
    generator = np.random.default_rng(0)
    whole = [Range(low=2, high=4).draw(generator) for _ in range(300)]
    assert {type(value) for value in whole} == {int}
    assert min(whole.count(value) for value in (2, 3, 4)) > 70
    log = [Range(low=0.01, high=100.0, log=True).draw(generator) for _ in range(300)]
    assert 0.4 < np.mean(np.array(log) < 1) < 0.6


def test_defaults_follow_the_values_of_a_cell():
    text = BASE + '[grid]\n"network.model" = ["MA", "MB"]\n"protocol.batch_size" = [25, 100]\n'
    for cell in study(text).cells:
        expected = Specification.create(
            sizes=(64, 8, 10),
            model=cell.parameters["network.model"],
            batch_size=cell.parameters["protocol.batch_size"],
        )
        assert cell.specification == expected


def test_keys_without_quotes_mean_the_same():
    text = BASE + "[grid.protocol]\nbeta = [1.0, 3.0]\nlearning_rates.ghost_feedback = [0.1]\n"
    cells = study(text).cells
    assert list(cells[0].parameters) == ["protocol.beta", "protocol.learning_rates.ghost_feedback"]
    assert cells[0].specification.protocol.learning_rates.ghost_feedback == (0.1,)


def test_key_depends_on_everything_but_the_way_it_is_written():
    def key(text=GRID, **changes):
        return study(text, **changes).cells[0].key

    first = key()
    assert key(GRID.replace("[1.0, 3.0]", "[1, 3]")) == first
    assert key(GRID.replace("[64, 8, 10]", "[64, 9, 10]")) != first
    for change in ({"epochs": 2}, {"held_out": 301}, {"limit": 201}, {"seeds": [5]}):
        assert key(**change) != first, change


def test_numbers_of_numpy_mean_the_same():
    data = tomllib.loads(GRID)
    given = data | {
        "epochs": np.int64(1), "seeds": np.int32(2), "held_out": np.array(300),
        "limit": np.uint16(200), "dataset": np.str_("digits"),
        "network": {"sizes": np.array([64, 8, 10])},
        "grid": {"protocol.beta": np.linspace(1, 3, 2), "protocol.nudging_steps": np.array([4, 8])},
    }  # fmt: skip
    assert [cell.key for cell in Study.from_dict(given).cells] == [c.key for c in study(GRID).cells]
    assert study(GRID, seeds=np.arange(2)).seeds == (0, 1)
    assert Range(low=np.int64(2), high=np.int64(4)) == Range(low=2, high=4)
    assert Range(low=np.float32(0.5), high=np.int8(4), log=np.True_) == Range(
        low=0.5, high=4, log=True
    )
    for name in ("epochs", "seeds", "held_out", "limit"):
        for wrong in (True, np.True_, 2.0, "2", np.array([[2]])):
            with pytest.raises(SpecificationError, match=name):
                study(GRID, **{name: wrong})
    with pytest.raises(SpecificationError, match="needs a mapping"):
        Study.from_dict("grid.toml")


INVALID = {
    "not TOML": ("dataset = ", "not valid TOML"),
    "nothing varied": (BASE, "either a table [grid] or a table [random]"),
    "both": (GRID + RANDOM.removeprefix(BASE), "either a table [grid] or"),
    "empty grid": (BASE + "[grid]", "grid: needs at least one field"),
    "no dataset": (GRID.replace('dataset = "digits"', ""), "dataset: is missing"),
    "unknown key": ("epoch = 3\n" + GRID, "unknown key 'epoch'; did you mean 'epochs'?"),
    "unknown field": (GRID.replace("beta", "bta"), "did you mean 'protocol.beta'?"),
    "field without section": (
        BASE + "[grid]\nbeta = [1.0]",
        "unknown field 'beta'; did you mean 'protocol.beta'?",
    ),
    "single value": (
        BASE + '[grid]\n"protocol.beta" = 1.0',
        "protocol.beta: input should be a list",
    ),
    "no values": (BASE + '[grid]\n"protocol.beta" = []', "protocol.beta"),
    "invalid value": (GRID.replace("3.0", "-3.0"), "with protocol.beta = -3.0"),
    "word for a number": (GRID.replace("3.0", "'3'"), "protocol.beta: input should be"),
    "same twice": (GRID.replace("3.0", "1"), "are the same network"),
    "invalid base": (BASE + "modell = 'MA'\n[grid]\nprotocol.beta = [1.0]", "mean 'model'?"),
    "sizes missing": (GRID.replace("sizes = [64, 8, 10]", ""), "network.sizes: needs"),
    "other images": (GRID.replace("64", "65"), "must begin with 64 and end with 10"),
    "no images": (GRID.replace('"digits"', '"nowhere"'), "neither a folder"),
    "too few images": (GRID.replace("200", "2000"), "1437 training images"),
    "no epochs": (GRID.replace("epochs = 1", "epochs = 0"), "epochs: input should be greater"),
    "no seeds": (GRID.replace("seeds = 2", "seeds = 0"), "seeds: "),
    "seed twice": (GRID.replace("seeds = 2", "seeds = [1, 1]"), "only once"),
    "table for a value": (
        BASE + "[protocol]\nlearning_rates = 3\n"
        "[grid]\n'protocol.learning_rates.feedforward' = [1.0]",
        "learning_rates: needs a table",
    ),
    "no samples": (RANDOM.replace("samples = 5", ""), "random.samples: is missing"),
    "bounds": (RANDOM.replace("low = 0.5", "low = 50.0"), "low must be less than high"),
    "log of nothing": (RANDOM.replace("low = 0.5", "low = 0.0"), "greater than 0 with log"),
    "unknown bound": (
        RANDOM.replace("low = 0.5", "low = 0.5, lo = 1.0"),
        "random.protocol.beta.lo: extra",
    ),
    "too many samples": (
        BASE + '[random]\nsamples = 3\n"network.dale" = [true, false]',
        "only 2 different networks",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_study_is_one_error_and_leaves_nothing(name, tmp_path, monkeypatch, no_training):
    text, message = INVALID[name]
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(text)
    result = cli("bad.toml")
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "bad.toml" in result.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.toml"]


def test_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(SpecificationError, match=r"nowhere\.toml: can't be read"):
        Study.load(tmp_path / "nowhere.toml")


def test_example_is_valid():
    assert len(Study.load(ROOT / "experiments" / "studies" / "digits.toml").cells) == 24


# -- training --------------------------------------------------------------------------------


def test_results_are_complete(finished):
    folder, records = finished
    assert [record.key for record in records] == [cell.key for cell in study(GRID).cells]
    for record in records:
        assert record.error is None
        assert record.held_out_accuracy == record.history[-1].test_accuracy
        assert Specification.from_toml(record.specification)
        stored = json.loads((folder / "cells" / f"{record.key}.json").read_text())
        assert stored["facts"]["versions"]["ghost-spiking"]
        assert stored["history"][-1]["measurements"]
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert [float(row["held_out_accuracy"]) for row in rows] == [
        record.held_out_accuracy for record in records
    ]
    assert rows[-1]["protocol.beta"] == "3.0"
    assert (folder / "study.png").stat().st_size > 10_000
    assert not list(folder.rglob("*.part"))


def test_summary_is_the_mean_over_seeds_best_first(finished):
    _, records = finished
    rows = summarize(records)
    assert len(rows) == 4
    assert [row["mean"] for row in rows] == sorted((row["mean"] for row in rows), reverse=True)
    values = [r.held_out_accuracy for r in records if r.parameters == rows[0]["parameters"]]
    assert rows[0]["mean"] == pytest.approx(np.mean(values), abs=1e-3)
    assert rows[0]["std"] == pytest.approx(np.std(values, ddof=1), abs=1e-3)


def test_a_finished_study_trains_nothing(finished, no_training):
    folder, records = finished
    before = stamps(folder)
    assert run_study(study(GRID), folder) == records
    assert stamps(folder) == before


def test_records_of_earlier_versions_are_read(finished, tmp_path):
    """They had a history of four columns, and named the network by its text."""
    _, records = finished
    cell, now = study(GRID).cells[0], records[0]
    old = {
        "key": cell.earlier_key, "parameters": cell.parameters, "seed": cell.seed,
        "epochs": cell.epochs, "dataset": cell.dataset, "held_out": cell.held_out,
        "limit": cell.limit, "specification": now.specification, "held_out_accuracy": 81.5,
        "online_accuracy": 80.25, "seconds": 2.5, "error": None, "version": "0.1.0",
        "history": [
            {"epoch": 1, "online_accuracy": 80.25, "held_out_accuracy": 81.5, "seconds": 2.4}
        ],
    }  # fmt: skip
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / f"{cell.earlier_key}.json").write_text(json.dumps(old))
    record = read_record(tmp_path, cell)
    assert (record.key, record.seed, record.facts.goal) == (cell.key, cell.seed, cell.epochs)
    assert (record.held_out_accuracy, record.online_accuracy) == (81.5, 80.25)
    assert record.history[0].test_accuracy == 81.5
    assert Record.model_validate_json(record.model_dump_json()).history[0].epoch == 1


def test_only_new_cells_are_trained(finished, monkeypatch):
    folder, _ = finished
    trained, train = [], Cell.train
    monkeypatch.setattr(Cell, "train", lambda cell: trained.append(cell) or train(cell))
    text = GRID.replace("[1.0, 3.0]", "[1.0, 3.5]").replace("[4, 8]", "[4]")
    assert len(run_study(study(text), folder, jobs=1)) == 4
    assert {cell.parameters["protocol.beta"] for cell in trained} == {3.5}
    assert len(trained) == 2


def test_a_damaged_cell_is_trained_again_with_the_same_result(finished, caplog):
    folder, records = finished
    for record, damage in zip(records, [b"", b"{", b"[]", b"{}", b"\xff"], strict=False):
        (folder / "cells" / f"{record.key}.json").write_bytes(damage)
    again = run_study(study(GRID), folder, jobs=1)
    assert caplog.text.count("is damaged") == 5
    assert [r.held_out_accuracy for r in again] == [r.held_out_accuracy for r in records]
    assert all(record.error is None for record in again)


def test_a_cell_that_fails_does_not_stop_the_others(tmp_path, monkeypatch):
    text = BASE + '[grid]\n"protocol.learning_rates.feedforward" = [1e6, 1.0]\n'
    records = run_study(study(text), tmp_path, jobs=1)
    assert [record.error is None for record in records] == [False, False, True, True]
    assert records[0].error.startswith("DivergenceError: the network diverged")
    assert records[0].held_out_accuracy is None
    summary = summarize(records)
    assert summary[-1]["failed"] == 2
    assert summary[-1]["mean"] is None
    assert "DivergenceError" in (tmp_path / "table.csv").read_text()
    trained, train = [], Cell.train
    monkeypatch.setattr(Cell, "train", lambda cell: trained.append(cell) or train(cell))
    assert run_study(study(text), tmp_path, jobs=1) == records
    assert not trained
    run_study(study(text), tmp_path, jobs=1, retry=True)
    assert len(trained) == 2


def test_part_of_a_cell_is_not_saved(tmp_path, monkeypatch):
    from ghost_spiking.training import Training

    run_epoch = Training.run_epoch

    def interrupted(self, progress):
        if self.seed == 1:
            raise KeyboardInterrupt
        return run_epoch(self, progress)

    monkeypatch.setattr(Training, "run_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(study(GRID), tmp_path, jobs=1)
    assert len(stamps(tmp_path)) == 1


def test_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="can't be written"):
        run_study(study(GRID, seeds=1), tmp_path / "file", jobs=1)


def test_random_sample_is_trained_and_drawn(tmp_path):
    records = run_study(study(RANDOM, seeds=1), tmp_path, jobs=1)
    assert len(records) == 5
    assert (tmp_path / "study.png").stat().st_size > 10_000


def test_compiles_a_program_for_each_structure_only():
    text = BASE + (
        '[grid]\n"network.lesion" = [0.0, 0.1, 0.2]\n"protocol.beta" = [1.0, 2.0]\n'
        '"network.initial_weights.feedforward" = [1.0, 2.0]\n'
    )
    structures = {cell.specification.layout.text for cell in study(text).cells}
    assert len(structures) == 2


HALF = "error = 0.5 * (top_down - ghost_feedback) : 1"


def test_exchanged_equations_make_other_cells(monkeypatch):
    """Records of the equations as they were are not taken for theirs."""
    keys = {cell.key for cell in study(GRID).cells}
    monkeypatch.setattr(
        GhostEquations, "hidden_error", "error = 0.5*(top_down - ghost_feedback) : 1"
    )
    assert not keys & {cell.key for cell in study(GRID).cells}
    monkeypatch.undo()
    assert keys == {cell.key for cell in study(GRID).cells}


def test_workers_that_have_other_equations_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("ghost_spiking.study._run.compile_all", lambda *arguments: None)
    monkeypatch.setattr(
        GhostEquations, "hidden_error", "error = 0.5*(top_down - ghost_feedback) : 1"
    )
    with pytest.raises(StudyError, match=r"equations that were exchanged.*model of your own"):
        run_study(study(GRID, seeds=1), tmp_path, jobs=2)
    assert not list(tmp_path.glob("cells/*"))


# -- command ---------------------------------------------------------------------------------


def test_command_in_processes(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    result = cli(tmp_path / "grid.toml", "--out", tmp_path / "out", "--jobs", 2)
    assert result.exit_code == 0, result.output
    assert "| protocol.beta | protocol.nudging_steps |" in result.stdout
    assert "±" in result.stdout
    assert result.stderr.count("% of the held-out images") == 8
    result = cli(tmp_path / "grid.toml", "--out", tmp_path / "out", "--json")
    facts = json.loads(result.stdout.splitlines()[-1])
    assert (facts["cells"], facts["failed"], len(facts["summary"])) == (8, 0, 4)


def test_jobs_and_scheduler_exclude_each_other(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    result = cli(tmp_path / "grid.toml", "--jobs", 2, "--scheduler", "tcp://localhost:1")
    assert result.exit_code == 2
    assert "Error: --jobs" in result.stderr


def test_dask_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StudyError, match=r"pip install 'ghost-spiking\[dask\]'"):
        run_study(study(GRID), tmp_path / "out", scheduler="tcp://127.0.0.1:8786")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "no address", "http://x:y"])
def test_scheduler_that_is_not_there(address, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("ghost_spiking.study._parallel._CONNECT", 1)
    with pytest.raises(StudyError, match="there is no Dask scheduler at"):
        run_study(study(GRID), tmp_path / "out", scheduler=address)
    assert not (tmp_path / "out").exists()


# -- survival --------------------------------------------------------------------------------

PROGRAM = "from ghost_spiking.cli import main; main()"


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


@pytest.mark.slow
def test_survives_the_death_of_parent_and_worker(tmp_path):
    pytest.importorskip("distributed")
    description, folder, address = (tmp_path / name for name in ("s.toml", "out", "address.json"))
    slow = GRID.replace("seeds = 2", "seeds = 6").replace("epochs = 1", "epochs = 10")
    rates = "[protocol.learning_rates]\nfeedforward = 0.1\nghost_forward = 0.01\n"
    description.write_text(slow.replace("[grid]", f"{rates}[grid]"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    processes = []

    def start(*arguments):
        with open(tmp_path / f"log-{len(processes)}", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)], env=environment, stdout=log, stderr=log
            )
        processes.append(process)
        return process

    def saved():
        return len(list((folder / "cells").glob("*.json")))

    try:
        parent = start("-c", PROGRAM, "study", description, "--out", folder, "--jobs", 2)
        wait_for(lambda: saved() >= 4)
        parent.kill()
        parent.wait()
        first = stamps(folder)
        assert 4 <= len(first) < 24

        scheduler = ["--host", "127.0.0.1", "--port", 0, "--no-dashboard"]
        start("-m", "dask", "scheduler", *scheduler, "--scheduler-file", address)
        wait_for(address.exists)
        worker = ["-m", "dask", "worker", "--scheduler-file", address, "--no-nanny"]
        worker += ["--no-dashboard", "--local-directory", tmp_path / "scratch"]
        doomed = start(*worker, "--nthreads", 1)
        start(*worker, "--nthreads", 2)
        uri = json.loads(address.read_text())["address"]
        parent = start("-c", PROGRAM, "study", description, "--out", folder, "--scheduler", uri)
        wait_for(lambda: saved() >= 12 or parent.poll() is not None)
        second = stamps(folder)
        doomed.kill()
        assert parent.wait(180) == 0, (tmp_path / "log-4").read_text()
    finally:
        for process in reversed(processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(30)
    final = stamps(folder)
    assert len(final) == 24
    assert first.items() <= second.items() <= final.items()
    records = [json.loads(path.read_text()) for path in (folder / "cells").glob("*.json")]
    assert all(record["error"] is None for record in records)
    assert len(list(csv.reader((folder / "table.csv").read_text().splitlines()))) == 25

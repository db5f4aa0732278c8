import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from ghost_spiking import Specification
from ghost_spiking.cli import main
from ghost_spiking.runs import Run


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "digits"
    result = run("train", "--dataset", "digits", "--hidden", 32, "--out", path, "--json")
    assert result.exit_code == 0, result.output
    return path, json.loads(result.stdout.splitlines()[-1])


def test_digits_pass_ninety_percent(trained):
    path, summary = trained
    assert summary["test_accuracy"] > 90
    assert summary["run"] == str(path)
    assert summary["train_accuracy"] > 90
    assert summary["seconds"] > 0
    files = {"spec.toml", "history.csv", "run.npz", "run.json", "learning_curves.png"}
    assert files <= {file.name for file in path.iterdir()}


def test_run_directory_is_complete(trained):
    path, summary = trained
    loaded = Run.load(path)
    assert len(loaded.history) == summary["epochs"]
    assert loaded.history[-1].test_accuracy == summary["test_accuracy"]
    assert loaded.weights["feedforward_1"].shape == (32, 64)
    assert loaded.facts.seed == 0
    assert loaded.facts.versions["brian2"]


def test_evaluate_gives_the_same_accuracy(trained):
    path, summary = trained
    result = run("evaluate", path, "--json")
    again = json.loads(result.stdout.splitlines()[-1])
    assert again["test_accuracy"] == summary["test_accuracy"]
    assert again["train_accuracy"] == summary["train_accuracy"]


def test_same_seed_same_bits(trained, tmp_path):
    path, summary = trained
    arguments = ("train", "--dataset", "digits", "--hidden", 32, "--out", tmp_path / "again")
    assert run(*arguments, "--epochs", summary["epochs"]).exit_code == 0
    first, second = Run.load(path), Run.load(tmp_path / "again")
    for name, matrix in first.weights.items():
        np.testing.assert_array_equal(matrix, second.weights[name])


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_show_draws_everything(trained, suffix):
    path, _ = trained
    result = run("show", path, "--format", suffix)
    assert result.exit_code == 0, result.output
    assert "sizes = [" in result.output
    names = ("learning_curves", "distances", "angles", "receptive_fields", "confusion", "mistakes")
    for name in names:
        picture = path / f"{name}.{suffix}"
        assert str(picture) in result.output
        assert picture.stat().st_size > 5000


@pytest.mark.parametrize("layer", [1, 2])
def test_trace_draws_one_unit(trained, tmp_path, layer):
    out = tmp_path / "unit.svg"
    options = ("--layer", layer, "--unit", 3, "--image", 5, "--label", 0, "--out", out)
    result = run("trace", trained[0], *options)
    assert result.exit_code == 0, result.output
    assert "</svg>" in out.read_text()


def test_spec_file(trained, tmp_path):
    path, _ = trained
    out = tmp_path / "out"
    result = run(
        "train", "--dataset", "digits", "--spec", path / "spec.toml", "--epochs", 1, "--out", out
    )
    assert result.exit_code == 0, result.output
    assert Run.load(out).specification == Run.load(path).specification


def test_any_field(trained, tmp_path):
    path, _ = trained
    out = tmp_path / "out"
    fields = ["--set", "beta=2", "--set", "network.initial_weights.feedforward=[0.5, 0.2]"]
    result = run(
        "train", "--dataset", "digits", "--spec", path / "spec.toml", "--epochs", 1, "--out", out,
        *fields, "--set", "lesion=0.1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    before, after = Run.load(path).specification, Run.load(out).specification
    assert after == before.replace(
        beta=2.0, lesion=0.1, initial_weights={"feedforward": [0.5, 0.2]}
    )
    printed = run("spec", "--inputs", 64, "--hidden", "9,8", "--loss", "cross_entropy", *fields[:2],
                  "--set", "spikes.mechanism=change", "--set", "spikes.levels=5")  # fmt: skip
    specification = Specification.from_toml(printed.output)
    assert specification == Specification.create(
        sizes=(64, 9, 8, 10), loss="cross_entropy", beta=2.0,
        spikes={"mechanism": "change", "levels": 5},
    )  # fmt: skip
    assert run("train", "--resume", path, "--set", "beta=3").exit_code == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("beta", "needs FIELD=VALUE"),
        ("bta=3", "did you mean 'beta'"),
        ("feedforward=1", "which of network.initial_weights.feedforward"),
        ("beta=much", "protocol.beta"),
        ("spikes.neurons=3", "spikes.mechanism: is missing"),
        ("learning_rates=3", "needs FIELD=VALUE"),
    ],
)
def test_fields_that_are_refused(change, words):
    result = run("spec", "--set", change)
    assert result.exit_code == 2
    assert words in result.output


BAD = {
    "unknown option": (["train", "--hiden", "3"], "No such option"),
    "zero units": (["train", "--dataset", "digits", "--hidden", "0"], "each at least 1"),
    "words for units": (["train", "--dataset", "digits", "--hidden", "many"], "numbers of units"),
    "negative epochs": (["train", "--epochs", "-1"], "x>=1"),
    "unknown model": (["train", "--model", "MC"], "'MC' is not one of"),
    "unknown feedback": (["train", "--feedback", "none"], "input should be"),
    "ghosts in MA": (["train", "--dataset", "digits", "--ghosts", "5"], "only model MB"),
    "no data": (["train", "--dataset", "{tmp}"], "no file train-images"),
    "no folder": (["train", "--dataset", "{tmp}/nowhere"], "neither a folder"),
    "existing run": (["train", "--dataset", "digits", "--out", "{tmp}"], "exists already"),
    "batch for synapses": (
        ["train", "--dataset", "digits", "--engine", "synapses", "--batch-size", "5"],
        "one image at a time",
    ),
    "negative rate": (["train", "--dataset", "digits", "--spec", "{tmp}/bad.toml"], "bad.toml"),
    "unknown key": (["train", "--dataset", "digits", "--spec", "{tmp}/key.toml"], "did you mean"),
    "spec for other images": (
        ["train", "--dataset", "digits", "--spec", "{tmp}/small.toml"],
        "must begin with 64",
    ),
    "spec and options": (
        ["train", "--dataset", "digits", "--spec", "{tmp}/small.toml", "--hidden", "3"],
        "--hidden can't be given too",
    ),
    "not a run": (["evaluate", "{tmp}"], "not a run directory"),
    "no run": (["show", "{tmp}/nowhere"], "not a run directory"),
    "images of another size": (["evaluate", "{run}", "--dataset", "mnist"], "784 pixels"),
    "resume nothing": (["train", "--resume", "{tmp}/nowhere"], "not a run directory"),
    "resume with choices": (["train", "--resume", "{run}", "--seed", "3"], "--seed can't be given"),
    "batch too large": (
        ["train", "--dataset", "digits", "--limit", "50", "--hidden", "3"],
        "batch_size: 100 images",
    ),
    "no such layer": (["trace", "{run}", "--layer", "3"], "between 1 and 2"),
    "no such unit": (["trace", "{run}", "--unit", "32"], "between 0 and 31"),
    "no such image": (["trace", "{run}", "--image", "-1"], "between 0 and 359"),
    "no such class": (["trace", "{run}", "--label", "10"], "between 0 and 9"),
    "no such format": (["trace", "{run}", "--out", "{tmp}/x.xyz"], "xyz"),
    "no such folder": (["trace", "{run}", "--out", "{tmp}/no/x.png"], "can't be drawn"),
    "picture of what": (["show", "{run}", "--format", "gif"], "'gif' is not one of"),
    "nothing to learn": (["train", "--limit", "0"], "x>=1"),
    "more than there is": (
        ["train", "--dataset", "digits", "--limit", "1438"],
        "1437 training images, 1438 were asked for",
    ),
    "part of an epoch": (["train", "--epochs", "2.5"], "not a valid integer"),
    "no time between savings": (["train", "--save-every", "-1"], "x>=0"),
    "no number of minutes": (["train", "--save-every", "nan"], "nan is no number"),
    "no hidden layer": (["train", "--dataset", "digits", "--hidden", ""], "numbers of units"),
    "units beyond counting": (
        ["train", "--dataset", "digits", "--hidden", f"{2**31}"],
        "at most 2147483647 units",
    ),
    "ghosts beyond counting": (["train", "--model", "MB", "--ghosts", f"{2**31}"], "x<=2147483647"),
    "negative seed": (["train", "--seed", "-1"], "x>=0"),
    "out is a file": (["train", "--dataset", "digits", "--out", "{tmp}/bad.toml"], "exists"),
    "out below a file": (
        ["train", "--dataset", "digits", "--out", "{tmp}/bad.toml/x"],
        "can't be made",
    ),
    "long names": (["train", "--dataset", "x" * 5000], "name too long"),
    "long run": (["evaluate", "x" * 5000], "name too long"),
    "long file": (["describe", "x" * 5000], "name too long"),
    "nobody's home": (["train", "--dataset", "~nobody-we-know/images"], "can't be read"),
    "resume a study": (["train", "--resume", "{tmp}/studied"], "folder of a study"),
    "resume a file": (["train", "--resume", "{run}/run.npz"], "it is a file"),
    "resume elsewhere": (
        ["train", "--resume", "{run}", "--out", "{tmp}/x"],
        "--out can't be given too",
    ),
    "resume with other images": (
        ["train", "--resume", "{run}", "--dataset", "mnist"],
        "784 pixels",
    ),
    "fewer epochs than there are": (
        ["train", "--resume", "{run}", "--epochs", "1"],
        "counts all of them, got 1",
    ),
    "study in a file": (
        ["study", "{tmp}/good.toml", "--out", "{tmp}/bad.toml"],
        "choose another --out",
    ),
    "cycle": (["train", "--dataset", "digits", "--spec", "{tmp}/cycle.toml"], "connections"),
    "not TOML": (["train", "--dataset", "digits", "--spec", "{tmp}/text.toml"], "not valid TOML"),
    "missing file": (["train", "--dataset", "digits", "--spec", "{tmp}/no.toml"], "can't be read"),
    "binary file": (["train", "--dataset", "digits", "--spec", "{tmp}/binary"], "can't be read"),
    "no derivative": (["train", "--dataset", "digits", "--spec", "{tmp}/sqrt.toml"], "finite"),
    "no expression": (["train", "--dataset", "digits", "--spec", "{tmp}/or.toml"], "BitOr"),
    "idle ghosts": (["train", "--dataset", "digits", "--spec", "{tmp}/delay.toml"], "never learn"),
    "nan": (["describe", "{tmp}/nan.toml"], "finite number"),
    "describe what": (["describe", "{tmp}/no.toml"], "neither"),
    "study of what": (["study", "{tmp}/no.toml"], "can't be read"),
    "study of nothing": (["study", "{tmp}/small.toml"], "grid"),
    "study of an unknown field": (["study", "{tmp}/study.toml"], "protocol.betta"),
    "unknown command": (["tarin"], "No such command"),
    "words for a seed": (["train", "--seed", "one"], "not a valid integer"),
    "evaluate a file": (["evaluate", "{tmp}/small.toml"], "not a run directory"),
    "empty IDX files": (["train", "--dataset", "{tmp}/empty"], "train-images"),
    "text as IDX files": (["train", "--dataset", "{tmp}/texts"], "train-images"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text("[network]\nsizes = [4, 3, 2]\n")
    (tmp_path / "cycle.toml").write_text(
        "[network]\nsizes = [64, 3, 3, 10]\nconnections = [[0, 1], [1, 2], [2, 1], [2, 3]]\n"
    )
    (tmp_path / "text.toml").write_text("sizes: 64, 3, 10\n")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for folder, content in (("empty", b""), ("texts", b"some text\n")):
        (tmp_path / folder).mkdir()
        for part in ("train", "t10k"):
            for kind in ("images-idx3", "labels-idx1"):
                (tmp_path / folder / f"{part}-{kind}-ubyte").write_bytes(content)
    for name, text in {
        "sqrt": "rate_function = 'sqrt(s)'",
        "or": "rate_function = 's | 1'",
        "delay": "[protocol]\nghost_delay = 12",
        "nan": "[protocol]\nbeta = nan",
    }.items():
        (tmp_path / f"{name}.toml").write_text(f"[network]\nsizes = [64, 3, 10]\n{text}\n")
    (tmp_path / "study.toml").write_text(
        "dataset = 'digits'\n[network]\nsizes = [64, 3, 10]\n[grid]\n'protocol.betta' = [1.0]\n"
    )
    (tmp_path / "studied" / "cells").mkdir(parents=True)
    (tmp_path / "good.toml").write_text(
        "dataset = 'digits'\nepochs = 1\nheld_out = 100\n[network]\nsizes = [64, 3, 10]\n"
        "[grid]\n'protocol.beta' = [1.0]\n"
    )
    (tmp_path / "key.toml").write_text("[network]\nsizes = [64, 3, 10]\nmodell = 'MA'\n")
    (tmp_path / "bad.toml").write_text(
        "[network]\nsizes = [64, 3, 10]\n[protocol.learning_rates]\nfeedforward = -1.0\n"
    )
    arguments, message = BAD[name]
    before, whole = set(tmp_path.rglob("*")), set(trained[0].iterdir())
    result = run(*(a.format(tmp=tmp_path, run=trained[0]) for a in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1
    assert "Traceback" not in result.stderr
    assert not (set(tmp_path.rglob("*")) - before - {tmp_path / "runs"})
    assert set(trained[0].iterdir()) == whole


def test_missing_compiler_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("GHOST_SPIKING_CACHE", str(tmp_path / "cache"))
    result = run("train", "--dataset", "digits", "--hidden", 5, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "no-such-compiler" in result.stderr
    assert "install" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("Unable to allocate 477 GiB"), "not enough memory: Unable to allocate"),
        (OSError(errno.EIO, "Input/output error", "a.npz"), "Input/output error: 'a.npz'"),
    ],
)
def test_errors_of_the_system_are_one_line(tmp_path, monkeypatch, error, message):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("ghost_spiking.simulation.Simulation", fail)
    result = run("train", "--dataset", "digits", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_ctrl_c_leaves_a_usable_run(trained, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ghost_spiking", "train", "--dataset", "digits"]
    command += ["--hidden", "32", "--epochs", "100000", "--out", str(out)]
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 120
    while not (out / "run.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    output = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0, output
    assert Run.load(out).history
    assert run("evaluate", out).exit_code == 0


def test_divergence_names_the_rate_and_keeps_the_last_good_run(tmp_path):
    spec = tmp_path / "wild.toml"
    spec.write_text(
        "[network]\nsizes = [64, 32, 10]\n[protocol.learning_rates]\nfeedforward = 1e6\n"
    )
    out = tmp_path / "run"
    result = run("train", "--dataset", "digits", "--spec", spec, "--out", out)
    assert result.exit_code == 2
    assert "protocol.learning_rates.feedforward" in result.stderr
    assert not out.exists()


FORGETFUL = """
from ghost_spiking.models.ghost import MA

open({marker!r}, "a").write("loaded ")

class Forgetful(MA):
    name = "forgetful"
    hebbian = MA.hebbian.replace("slope_post * rate_pre", "(slope_post * rate_pre - 0.001 * w)")
"""


def test_model_of_a_file(tmp_path):
    """It trains, and its run is opened only with the file, by the command that was suggested."""
    file, path, marker = tmp_path / "my models.py", tmp_path / "run", tmp_path / "marker"
    file.write_text(FORGETFUL.format(marker=str(marker)))

    def shell(*arguments):
        command = [sys.executable, "-m", "ghost_spiking", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    options = ["--dataset", "digits", "--hidden", 8, "--epochs", 1, "--limit", 200]
    done = shell("train", "--model", f"{file}:Forgetful", *options, "--out", path)
    assert done.returncode == 0, done.stderr
    suggested = shlex.split(re.search(r"; ghost-spiking (.*) draws more", done.stdout)[1])
    assert suggested == ["show", str(path), "--model", f"{file}:Forgetful"]
    loaded = marker.read_text()
    done = shell(*suggested[:2])
    assert done.returncode == 2
    assert "forgetful" in done.stderr
    assert "--model" in done.stderr
    assert marker.read_text() == loaded, "a run must not load code"
    done = shell(*suggested)
    assert done.returncode == 0, done.stderr
    assert (path / "learning_curves.png").exists()

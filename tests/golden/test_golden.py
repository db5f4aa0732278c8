"""What the package computed before its models moved into rooms of their own, it computes still.

Bits are equal only on the processor and with the versions that they were frozen with; elsewhere
numbers have to be close. `freeze` makes them anew.
"""

import json
import math
import shutil
import tomllib
from functools import cache

import numpy as np
import pytest
import tomli_w
from click.testing import CliRunner

from ghost_spiking import Specification
from ghost_spiking.cli import main
from ghost_spiking.datasets import load
from ghost_spiking.runs import Run
from ghost_spiking.study import Study

from . import computed
from .computed import CASES, DEFAULTS, DRAWN, EPOCHS, HERE, MEASURED, RUNS, TRACED, TRAINED
from .freeze import ARRAYS, read, weights_of
from .freeze import values as read_values

EXPERIMENTS = HERE.parent.parent / "experiments"
#: Compilations that the fast tests can afford.
COMPILED = (
    "MA transpose squared_error",
    "MA reconstruction squared_error",
    "MB alignment cross_entropy",
)
#: How close numbers are on another processor, or with other versions; run directories are single.
CLOSE = 1e-9
CLOSE_SINGLE = 1e-4

frozen = cache(read)
values = cache(read_values)


@cache
def same_bits(device):
    return values()["fingerprint"][device] == computed.fingerprint(device)


def data():
    arrays = frozen("numpy")["data"]
    return arrays["images"], arrays["labels"]


def assert_frozen(found, device, group):
    expected = frozen(device)[group]
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        close = CLOSE_SINGLE if array.dtype == np.float32 else CLOSE
        np.testing.assert_allclose(found[name], array, atol=close, rtol=close, err_msg=name)
        if same_bits(device):
            assert found[name].tobytes() == array.tobytes(), (
                f"'{name}' is close, but has other bits: "
                f"{np.abs(found[name] - array).max():.3g} at most"
            )


def assert_same_numbers(found, expected, tolerance):
    """Compare numbers by name; angles by their cosine, which is what is known precisely."""
    assert found.keys() == expected.keys()
    for name, number in expected.items():
        a, b = found[name], number
        if "angle" in name or "alignment" in name:
            a, b = math.cos(math.radians(a)), math.cos(math.radians(b))
        assert a == pytest.approx(b, abs=tolerance, rel=tolerance, nan_ok=True), name


def parts(case):
    return tomllib.loads(computed.text_of(case))


def trained_weights(name):
    return weights_of(frozen("numpy")[f"dense/{name}"])


# -- what was written is read ---------------------------------------------------------


def test_stored_specifications_are_read_and_written_back_equal():
    """Those of all runs of the experiments, and of all golden cases; fields may change places."""
    texts = {name: computed.text_of(case) for name, case in CASES.items()}
    for path in (EXPERIMENTS / "results" / "runs").glob("*.json"):
        saved = json.loads(path.read_text())
        if "specification" in saved:  # a perceptron has none
            texts[path.name] = saved["specification"]
    assert len(texts) >= 116 + len(CASES)
    for name, text in texts.items():
        specification = Specification.from_toml(text)
        written, stored = specification.to_toml(), tomllib.loads(text)
        if "input_adaptation" in stored["network"]:  # since version 0.2
            assert tomllib.loads(written) == stored, name
        else:
            assert computed.as_frozen(written) == stored, name
        assert Specification.from_dict(specification.model_dump()) == specification, name


@pytest.mark.parametrize("index", range(len(DEFAULTS["case"])))
def test_defaults_are_resolved_as_ever(index):
    case = DEFAULTS["case"][index]
    assert computed.as_frozen(computed.resolved(case["choices"])) == parts(case)


def test_models_of_the_experiments_say_what_they_said():
    """What a TOML file leaves out is filled in, and what it says is kept.

    Later ones are not frozen.
    """
    names = {path.stem for path in (EXPERIMENTS / "models").glob("*.toml")}
    assert names >= DEFAULTS["models"].keys()
    for name, case in DEFAULTS["models"].items():
        text = (EXPERIMENTS / "models" / f"{name}.toml").read_text()
        written = tomllib.loads(text)
        written["network"]["sizes"] = case["network"]["sizes"]
        text = Specification.from_toml(tomli_w.dumps(written)).to_toml()
        assert computed.as_frozen(text) == parts(case), name


def test_study_of_the_experiments_makes_the_same_networks():
    cells = Study.load(EXPERIMENTS / "studies" / "digits.toml").cells
    choices = [cell.parameters | {"seed": cell.seed} for cell in cells]
    assert choices == DEFAULTS["study"]["cells"]
    for cell in cells:
        changed = {path.rpartition(".")[2]: value for path, value in cell.parameters.items()}
        assert cell.specification == cells[0].specification.replace(**changed)


@pytest.mark.parametrize("name", RUNS)
def test_old_run_directories_load_and_go_on(name):
    """From version 0.1.0, in format 2, after one of two epochs, float32."""
    assert_frozen(computed.resume(name, *data()), "numpy", name)
    run = Run.load(HERE / name)
    written = tomllib.loads((HERE / name / "spec.toml").read_text())
    assert computed.as_frozen(run.specification.to_toml()) == written
    assert [epoch.epoch for epoch in run.history] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_old_run_directories_are_resumed_by_the_command_line(name, tmp_path):
    copy = shutil.copytree(HERE / name, tmp_path / name)
    done = CliRunner().invoke(main, ["train", "--resume", str(copy), "--epochs", "2"])
    assert done.exit_code == 0, done.output
    before, after = Run.load(HERE / name), Run.load(copy)
    assert after.history[0] == before.history[0]
    assert [epoch.epoch for epoch in after.history] == [1, 2]
    for key, weight in computed.resume(name, *data()).items():
        when, _, projection = key.partition("/")
        if when == "after":  # by numpy, in single precision too
            np.testing.assert_allclose(
                after.weights[projection], weight, atol=CLOSE_SINGLE, err_msg=key
            )


# -- what is drawn and chosen ---------------------------------------------------------


def test_digits_are_those_that_were_frozen():
    training, _ = load("digits")
    images, labels = data()
    np.testing.assert_array_equal(training.images[:60], images)
    np.testing.assert_array_equal(training.labels[:60], labels)
    assert training.maximum == computed.MAXIMUM


@pytest.mark.parametrize("name", DRAWN)
def test_initial_weights(name):
    assert_frozen(computed.draw(name), "numpy", f"initial/{name}")


def test_values_of_runs_and_lesions():
    for name in CASES:
        assert computed.run_values(name) == values()["run values"][name], name
        assert computed.spared(name) == values()["spared"][name], name


@pytest.mark.parametrize("name", EPOCHS)
def test_order_of_images_and_history(name):
    found, expected = computed.epochs(name, *data()), values()["epochs"][name]
    assert found["orders"] == expected["orders"]
    for row, frozen_row in zip(found["history"], expected["history"], strict=True):
        if same_bits("numpy"):  # angles are computed in another way since
            assert {k: v for k, v in row.items() if "alignment" not in k} == {
                k: v for k, v in frozen_row.items() if "alignment" not in k
            }
        assert_same_numbers(row, frozen_row, CLOSE)


# -- what is learned ------------------------------------------------------------------


def is_slow(device, engine, name):
    """Whether a network is left to the slow tests."""
    if device == "numpy":
        synapses = ("numpy", "synapses", name) in TRAINED
        return name.endswith("one at a time") and not synapses
    return name not in COMPILED


@pytest.mark.parametrize(
    ("device", "engine", "name"),
    [
        pytest.param(
            *run,
            id=", ".join(run),
            marks=[pytest.mark.slow] * is_slow(*run),
        )
        for run in TRAINED
    ],
)
def test_two_epochs(device, engine, name):
    found = computed.train(device, engine, name, *data())
    assert_frozen(found, device, f"{engine}/{name}")


def test_everything_frozen_is_tested():
    """No array is left over, and training moved all weights but those that are fixed."""
    groups = {device: [f"{e}/{name}" for d, e, name in TRAINED if d == device] for device in ARRAYS}
    groups["numpy"] += ["data", *(f"initial/{name}" for name in DRAWN), *RUNS]
    groups["numpy"] += [f"trace/{name}" for name in TRACED]
    for device in ARRAYS:
        assert sorted(frozen(device)) == sorted(groups[device])
    for device, engine, name in TRAINED:
        before, values = computed.draw(name), computed.run_values(name)
        for key, weight in weights_of(frozen(device)[f"{engine}/{name}"]).items():
            moved = not np.array_equal(before[key], weight)
            assert moved == (f"{key}.eta" in values), (name, key)


# -- what is measured -----------------------------------------------------------------


def test_comparison_of_weights():
    for name, expected in values()["compare"].items():
        assert_same_numbers(computed.compare(name, trained_weights(name)), expected, 1e-12)


@pytest.mark.parametrize("name", MEASURED)
def test_measurements(name):
    found = computed.measure(name, trained_weights(name), *data())
    tolerance = 1e-12 if same_bits("numpy") else CLOSE
    assert_same_numbers(found, values()["measure"][name], tolerance)


@pytest.mark.parametrize("name", TRACED)
def test_traces(name):
    """To rounding: a signal may be recorded, or computed from others."""
    found = computed.trace(name, trained_weights(name), *data())
    expected = frozen("numpy")[f"trace/{name}"]
    assert found.keys() == expected.keys()
    close = 1e-12 if same_bits("numpy") else CLOSE
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, atol=close, rtol=close, err_msg=key)

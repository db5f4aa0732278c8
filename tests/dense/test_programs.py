"""What `CompiledNetwork.run` and `ClampedInput` take, and what they refuse."""

import numpy as np
import pytest
from brian2 import Clock, DimensionMismatchError, Network, NeuronGroup, Synapses, ms, mV, prefs
from brian2.core.base import BrianObjectException

from ghost_spiking.dense import (
    ClampedInput,
    CompilationError,
    CompiledNetwork,
    DenseSynapses,
    ResponseMonitor,
)


def objects(dtype=np.uint8):
    clock = Clock(1 * ms)
    stimulus = ClampedInput(4, steps=2, dtype=dtype, clock=clock, name="stimulus")
    model = "y : 1\nn : integer\np : volt"
    unit = NeuronGroup(3, model, clock=clock, name="unit")
    sums = "w : 1\ny_post = w*rate_pre : 1 (summed)"
    dense = DenseSynapses(stimulus, unit, sums, name="dense")
    plain = Synapses(unit, unit, "w : 1", clock=clock, name="plain")
    plain.connect("i != j")
    monitor = ResponseMonitor(unit, "y", "True", batch=stimulus, name="monitor")
    return stimulus, unit, dense, plain, monitor


@pytest.fixture(scope="module")
def program():
    return CompiledNetwork(lambda: Network(*objects()))


DATA = np.arange(12, dtype=np.uint8).reshape(3, 4)
WEIGHTS = np.arange(12.0).reshape(4, 3)


def run(program, values=None, data=DATA, order=(0, 1, 2), inputs=None, wanted=(), monitor=None):
    values = {"dense.w": WEIGHTS} if values is None else values
    inputs = {"stimulus": (data, order)} if inputs is None else inputs
    return program.run(values, inputs, wanted, monitor=monitor)


def test_what_fits_is_taken(program):
    results = run(
        program,
        {"dense.w": WEIGHTS.ravel(), "unit.n": 7.0, "unit.p": 3 * mV, "plain.w": 0.25},
        data=DATA.astype(np.int64).tolist(),
        order=np.array([2, 0], np.uint16),
        wanted=["unit.n", "unit.p", "plain.w"],
        monitor="monitor",
    )
    np.testing.assert_array_equal(results.responses[1::2], DATA[[2, 0]] @ WEIGHTS)
    np.testing.assert_array_equal(results.arrays["unit.n"], [7, 7, 7])
    np.testing.assert_allclose(results.arrays["unit.p"], [3e-3] * 3)
    np.testing.assert_array_equal(results.arrays["plain.w"], [0.25] * 6)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("data", "order", "message"),
    [
        (DATA.astype(float), [0], "must be uint8, got float64"),
        (DATA.astype(np.float32), [0], "must be uint8, got float32"),
        (DATA.astype(complex), [0], "must be uint8, got complex128"),
        (DATA.astype(str), [0], "must be uint8, got <U"),
        (DATA.astype(int) - 1, [0], "from 0 to 255, got int64 from -1 to 10"),
        (DATA.astype(np.uint16) + 250, [0], "from 0 to 255, got uint16 from 250 to 261"),
        (DATA[:, :3], [0], r"shape \(n_rows, 4\).*got \(3, 3\)"),
        (DATA.T, [0], r"shape \(n_rows, 4\).*got \(4, 3\)"),
        (DATA.ravel(), [0], r"shape \(n_rows, 4\).*got \(12,\)"),
        (DATA[:0], [0], "at least one row"),
        (DATA, [0, 3], "between 0 and 2, got 0 to 3"),
        (DATA, [-1], "between 0 and 2, got -1 to -1"),
        (DATA, [], "not empty"),
        (DATA, [[0]], r"list of row numbers.*shape \(1, 1\)"),
        (DATA, [0.0], "list of row numbers.*float64"),
        (DATA, [True], "list of row numbers.*bool"),
    ],
)
def test_inputs_that_do_not_fit(program, data, order, message):
    """By the program and by `ClampedInput.show` alike."""
    with pytest.raises(ValueError, match="^stimulus: .*" + message):
        run(program, data=data, order=order)
    with pytest.raises(ValueError, match="^input: .*" + message):
        ClampedInput(4, name="input").show(data, order)


@pytest.mark.parametrize("number", [NAN, INF, 1e300])
def test_data_are_finite(number):
    with pytest.raises(ValueError, match="must be finite numbers in float32"):
        ClampedInput(1, dtype=np.float32).show([[number]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dense.v": WEIGHTS}, "'dense.v' is not a variable of the program; there is dense.w"),
        ({"nothing": 1.0}, "'nothing' is not a variable of the program"),
        ({"dense.w": WEIGHTS.T}, r"dense.w has the shape \(4, 3\), got \(3, 4\)"),
        ({"dense.w": WEIGHTS[:3]}, r"dense.w has the shape \(4, 3\), got \(3, 3\)"),
        ({"dense.w": np.ones(1)}, r"dense.w has the shape \(4, 3\), got \(1,\)"),
        ({"unit.y": np.ones(4)}, r"unit.y has the shape \(3,\), got \(4,\)"),
        ({"unit.y": [1, 2, NAN]}, "unit.y: values must be finite"),
        ({"unit.y": INF}, "unit.y: values must be finite"),
        ({"unit.y": 1j}, "unit.y: values must be real numbers, got complex128"),
        ({"unit.y": "1"}, "unit.y: values must be real numbers, got <U1"),
        ({"unit.y": None}, "unit.y: values must be real numbers, got object"),
        ({"unit.n": 0.5}, "unit.n: values must be of the type int32, got float64"),
        ({"unit.n": 2**40}, "unit.n: values must be of the type int32, got int64"),
        ({"stimulus.rate": 1.0}, "stimulus.rate is computed by the program"),
    ],
)
def test_values_that_do_not_fit(program, values, message):
    with pytest.raises(ValueError, match=message):
        run(program, values)


def test_other_things_that_do_not_fit(program):
    with pytest.raises(DimensionMismatchError, match=r"unit\.p is set in other units"):
        run(program, {"unit.p": 3 * ms})
    with pytest.raises(ValueError, match="ClampedInput 'stimulus' needs data and order"):
        run(program, inputs={})
    given = (DATA, [0])
    with pytest.raises(ValueError, match=r"'other' is not a ClampedInput.*there is stimulus"):
        run(program, inputs={"stimulus": given, "other": given})
    with pytest.raises(ValueError, match="stimulus: give data and order"):
        run(program, inputs={"stimulus": DATA})
    with pytest.raises(ValueError, match=r"'dense\.W' is not a variable.*there is dense\.w"):
        run(program, wanted=["dense.W"])
    with pytest.raises(ValueError, match=r"'unit' is not a ResponseMonitor.*there is monitor"):
        run(program, monitor="unit")
    with pytest.raises(CompilationError, match="steps must be at least 1"):
        run(program, {"stimulus.steps": 0})
    with pytest.raises(CompilationError, match="does not match expected size"):
        run(program, {"plain.w": np.ones(5)})  # only the program knows how many synapses there are


@pytest.fixture
def _numpy_target():
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = old


@pytest.mark.usefixtures("_numpy_target")
def test_a_run_after_the_last_row_is_an_error():
    """There would be no row to take the mean of."""
    stimulus, unit, dense, _, _ = objects()
    network = Network(stimulus, unit, dense)
    stimulus.show(DATA)
    network.run(4 * ms)  # four of six
    network.run(100 * ms)
    assert stimulus.presentation == 2
    with pytest.raises(BrianObjectException) as info:
        network.run(1 * ms)
    assert "all 3 rows have been presented; call show(data)" in str(info.value.__cause__)
    stimulus.show(DATA)
    network.run(100 * ms)


@pytest.mark.usefixtures("_numpy_target")
def test_a_batch_needs_its_input():
    stimulus, unit, _, _, _ = objects()
    other = NeuronGroup(2, "x : 1", clock=unit.clock)
    sums = DenseSynapses(other, unit, "w : 1\ny_post = w*x_pre : 1 (summed)", batch=stimulus)
    with pytest.raises(BrianObjectException) as info:
        Network(other, unit, sums).run(1 * ms)
    assert "the batch has no rows" in str(info.value.__cause__)


def test_a_known_program_is_not_written_again(tmp_path, monkeypatch):
    """It does the same, and what there is to it is known."""
    asked = []

    def build():
        asked.append(1)
        return Network(*objects())

    def made(digest, **options):
        return CompiledNetwork(build, cache=tmp_path, digest=digest, **options)

    first, again = made("one"), made("one")
    assert len(asked) == 1
    assert again.directory == first.directory
    assert again._contents == first._contents
    expected, found = (run(p, {"unit.p": 3 * mV}, wanted=["unit.p"]) for p in (first, again))
    np.testing.assert_array_equal(found.arrays["unit.p"], expected.arrays["unit.p"])
    with pytest.raises(DimensionMismatchError):
        run(again, {"unit.p": 3 * ms})
    # another one, for all that is known; and another of two threads
    made("two")
    assert len(asked) == 2
    assert made("one", threads=2).directory != first.directory
    # whoever writes it has changed
    monkeypatch.setattr(np, "__version__", "0")
    made("one")
    assert len(asked) == 4


@pytest.mark.parametrize("text", ["", "{", "[]", '{"program": "gone"}'])
def test_a_note_that_says_nothing_is_written_anew(tmp_path, text):
    def made():
        return CompiledNetwork(lambda: Network(*objects()), cache=tmp_path, digest="one")

    first = made()
    (note,) = tmp_path.glob("*.json")
    right = note.read_text()
    note.write_text(text)
    assert made().directory == first.directory
    assert note.read_text() == right


def test_a_program_that_is_gone_is_made_anew(tmp_path):
    def made():
        return CompiledNetwork(lambda: Network(*objects()), cache=tmp_path, digest="one")

    (made().directory / "main").unlink()
    program = made()
    assert program.exists
    np.testing.assert_array_equal(run(program, monitor="monitor").responses[1], DATA[0] @ WEIGHTS)


@pytest.mark.parametrize("threads", [0, -1])
def test_at_least_one_thread(threads):
    with pytest.raises(ValueError, match=f"at least 1, got {threads}"):
        CompiledNetwork(lambda: Network(*objects()), threads=threads)

"""`DenseSynapses` against Brian2's `Synapses`, and what it refuses."""

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Network,
    NeuronGroup,
    StateMonitor,
    Synapses,
    ms,
    mV,
    prefs,
    second,
)
from brian2.core.base import BrianObjectException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghost_spiking.dense import ClampedInput, DenseSynapses

SIZES = (4, 3)


@pytest.fixture(autouse=True)
def _numpy_target():
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = old


def simulate(kind, rule, sums, seed=0):
    """Run a small network for some steps; give weights and summed variables."""
    rng = np.random.default_rng(seed)
    source = NeuronGroup(SIZES[0], "x : 1\nu : 1\nback : 1\nk : 1 (shared)", name="source")
    target = NeuronGroup(SIZES[1], "y : 1\nv : 1\ndrive : 1\nh : 1 (shared)", name="target")
    for group, names in ((source, "xu"), (target, "yv")):
        for name in names:
            setattr(group, name, rng.uniform(0.2, 1.2, len(group)))
    source.k, target.h = 0.3, 0.7
    model = f"dw/dt = ({rule}) / ms : 1 (clock-driven)\n{sums}\neta : 1 (constant, shared)\nc : 1"
    w, c = rng.normal(size=SIZES), rng.normal(size=SIZES)
    if kind is DenseSynapses:
        synapses = DenseSynapses(source, target, model, name="synapses")
        synapses.w, synapses.c = w, c
    else:
        synapses = Synapses(source, target, model, method="euler", order=-0.5, name="synapses")
        synapses.connect()
        synapses.w, synapses.c = w.ravel(), c.ravel()
    synapses.eta = 0.4
    source.run_regularly("x = x + 0.03 * back", when="end", name="source_moves")
    target.run_regularly("y = y + 0.03 * drive", when="end", name="target_moves")
    Network(source, target, synapses).run(0.5 * ms, namespace={"a": 0.6})
    # Copies: those of Brian2 are views of memory that goes with the objects.
    return [np.array(values[:]).ravel() for values in (synapses.w, target.drive, source.back)]


# Products of one-sided factors; sides may be any expression.
SHARED = st.sampled_from(["eta", "a", "0.5", "-1", "h_post", "k_pre*eta", "sin(20*t/ms)", "1"])
PRE = st.sampled_from(["x_pre", "u_pre", "x_pre*u_pre", "tanh(x_pre - u_pre)", "(1 - x_pre)", "1"])
POST = st.sampled_from(["y_post", "v_post", "y_post**2", "exp(-v_post)", "(y_post - v_post)", "1"])
MATRIX = st.sampled_from(["1", "w", "c", "w*c", "(1 - w)", "w**2*0.1", "1"])
TERM = st.builds("{}*{}*{}*{}".format, SHARED, MATRIX, POST, PRE)
MIXED = st.sampled_from(
    ["eta*(y_post - v_post)*(x_pre - 0.5)", "(x_pre - y_post)**2", "exp(-(x_pre + v_post))",
     "(x_pre*y_post)**2 - w/3", "eta*(y_post*x_pre - y_post**2*w)", "0"]
)  # fmt: skip
RULE = st.lists(st.one_of(TERM, MIXED), min_size=1, max_size=3).map(" + ".join)


MODELS = {"rule": RULE, "drive": RULE, "back": RULE, "both": st.booleans()}
PATIENT = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=20, **PATIENT)
@given(**MODELS)
def test_equals_synapses(rule, drive, back, both):
    compare(rule, drive, back, both)


@pytest.mark.slow
@settings(max_examples=200, **PATIENT)
@given(**MODELS)
def test_equals_synapses_many_times(rule, drive, back, both):
    compare(rule, drive, back, both)


def compare(rule, drive, back, both):
    sums = f"drive_post = {drive} : 1 (summed)"
    if both:
        sums += f"\nback_pre = {back} : 1 (summed)"
    results = [simulate(kind, rule, sums) for kind in (DenseSynapses, Synapses)]
    for dense, plain in zip(*results, strict=True):
        np.testing.assert_allclose(dense, plain, rtol=1e-9, atol=1e-10)


def test_two_plastic_matrices_move_at_once():
    """An eligibility trace: both right-hand sides see the old values."""
    results = []
    for kind in (DenseSynapses, Synapses):
        source, target = NeuronGroup(4, "x : 1"), NeuronGroup(3, "y : 1\nd : 1")
        source.x, target.y = "0.1*i", "0.2*i"
        model = """
        dw/dt = trace / ms : 1 (clock-driven)
        dtrace/dt = (x_pre*y_post - trace*w) / ms : 1 (clock-driven)
        d_post = w*x_pre : 1 (summed)
        """
        options = {} if kind is DenseSynapses else {"method": "euler", "order": -0.5}
        synapses = kind(source, target, model, **options)
        if kind is Synapses:
            synapses.connect()
        synapses.trace = "0.3 + 0.1*i - 0.2*j"
        Network(source, target, synapses).run(1 * ms)
        results.append(np.array(synapses.w[:]).ravel())
    np.testing.assert_allclose(*results, atol=1e-12)


def groups(batch=1, n_pre=3, n_post=2):
    source = NeuronGroup(batch * n_pre, "x : 1\nback : 1\ntag : 1 (shared)")
    target = NeuronGroup(batch * n_post, "y : 1\nd : 1\nd2 : 1\npotential : volt")
    return source, target


def test_several_projections_add_up():
    source, target = groups()
    source.x = [1, 2, 3]
    one = DenseSynapses(source, target, "w : 1\nd_post = w*x_pre : 1 (summed)")
    two = DenseSynapses(source, target, "w : 1\nd_post = -2*w*x_pre : 1 (summed)")
    one.w, two.w = 1.0, 0.25
    Network(source, target, one, two).run(0.3 * ms)
    np.testing.assert_allclose(target.d, 6 - 3)


def test_a_projection_outside_the_network_does_not_count():
    source, target = groups()
    source.x = 1
    one = DenseSynapses(source, target, "w : 1\nd_post = w*x_pre : 1 (summed)")
    other = DenseSynapses(source, target, "w : 1\nd_post = w*x_pre : 1 (summed)")
    one.w, other.w = 1.0, 50.0
    Network(source, target, one).run(0.3 * ms)
    np.testing.assert_allclose(target.d, 3)


def test_batch_shares_weights_and_averages_changes():
    source, target = groups(batch=4)
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    source.x, target.y = x.ravel(), y.ravel()
    synapses = DenseSynapses(
        source,
        target,
        "dw/dt = x_pre*y_post/ms : 1 (clock-driven)\nd_post = w*x_pre : 1 (summed)",
        batch=4,
    )
    synapses.w = w
    Network(source, target, synapses).run(0.1 * ms)
    np.testing.assert_allclose(np.reshape(target.d, (4, 2)), x @ w)
    np.testing.assert_allclose(synapses.w[:], w + 0.1 * x.T @ y / 4)


def test_transposed_weights_are_not_copied():
    source, target = groups(batch=2)
    rng = np.random.default_rng(0)
    forward = DenseSynapses(source, target, "w : 1\nd_post = w*x_pre : 1 (summed)", batch=2)
    backward = DenseSynapses(
        target, source, "back_post = w*y_pre : 1 (summed)", batch=2, weights=forward.T
    )
    w, y = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    forward.w, target.y = w, y.ravel()
    Network(source, target, forward, backward).run(0.1 * ms)
    np.testing.assert_allclose(np.reshape(source.back, (2, 3)), y @ w.T)
    np.testing.assert_allclose(backward.w[:], w.T)
    assert backward.variables["w"] is forward.variables["w"]
    backward.w = "i + 10*j"
    np.testing.assert_allclose(forward.w[:], (np.arange(2)[None, :] + 10 * np.arange(3)[:, None]))


def test_weights_as_matrices():
    source, target = groups()
    synapses = DenseSynapses(source, target, "w : 1\nd_post = w*x_pre : 1 (summed)")
    synapses.w = np.arange(6).reshape(3, 2)
    assert synapses.w[2, 1] == 5
    synapses.w[0, :] = 7
    np.testing.assert_array_equal(synapses.w[:], [[7, 7], [2, 3], [4, 5]])
    synapses.w = "10*i + j"
    np.testing.assert_array_equal(synapses.w[:], [[0, 1], [10, 11], [20, 21]])
    synapses.w["i == j"] = "-1"
    assert synapses.w[1, 1] == -1
    assert synapses.w.shape == (3, 2)
    with pytest.raises(ValueError, match=r"shape \(3, 2\).*got \(2, 3\)"):
        synapses.w = np.zeros((2, 3))
    with pytest.raises(ValueError, match="shape"):
        synapses.w = np.zeros(5)


def test_weights_with_units():
    source, target = groups()
    synapses = DenseSynapses(source, target, "w : volt\npotential_post = w*x_pre : volt (summed)")
    synapses.w = 2 * mV
    source.x = 1
    Network(source, target, synapses).run(0.1 * ms)
    np.testing.assert_allclose(np.asarray(target.potential), 6e-3)
    with pytest.raises(DimensionMismatchError):
        synapses.w = 1 * ms
    with pytest.raises(DimensionMismatchError):
        synapses.w[0, 0] = 1 * ms


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("dw/dt = sqrt(x_pre + y_post)/ms : 1 (clock-driven)", r"sqrt\(x_pre \+ y_post\)"),
        ("dw/dt = x_pre/(1 + w*y_post)/ms : 1 (clock-driven)", "synaptic variables"),
        ("dw/dt = z_pre/ms : 1 (clock-driven)", "'z_pre' is not a variable of the source"),
        ("dw/dt = rand()*x_pre/ms : 1 (clock-driven)", r"rand\(\)"),
        ("w : 1\nd_post = int(x_pre > y_post)*w : 1 (summed)", "x_pre"),
        ("w : 1\nnone_post = w*x_pre : 1 (summed)", "needs a parameter 'none'"),
        ("w : 1\nd = w*x_pre : 1 (summed)", "does not end in"),
        ("w : 1", "would do nothing"),
    ],
)
def test_refusals_name_line_and_term(model, message):
    with pytest.raises(ValueError, match=message):
        DenseSynapses(*groups(), model)


def test_other_refusals():
    source, target = groups(batch=2)
    model = "w : 1\nd_post = w*x_pre : 1 (summed)"
    with pytest.raises(AttributeError, match="nothing that could have"):
        DenseSynapses(source, target, model).delay = 1 * ms
    with pytest.raises(ValueError, match="can't be divided into batch=4"):
        DenseSynapses(source, target, model, batch=4)
    with pytest.raises(TypeError, match="subgroup"):
        DenseSynapses(source[:3], target, model, batch=2)
    with pytest.raises(ValueError, match="not a ClampedInput"):
        DenseSynapses(source, target, model, clamped=True)
    other = DenseSynapses(source, target, model, batch=2)
    with pytest.raises(ValueError, match="have the shape"):
        DenseSynapses(source, target, "d2_post = w*x_pre : 1 (summed)", weights=other.T, batch=2)
    with pytest.raises(TypeError, match="can't be plastic"):
        DenseSynapses(target, source, "dw/dt = 1/ms : 1 (clock-driven)", weights=other.T, batch=2)


def test_units_are_checked():
    source, target = groups()
    wrong = DenseSynapses(source, target, "dw/dt = x_pre : 1 (clock-driven)")
    with pytest.raises(BrianObjectException) as info:
        Network(source, target, wrong).run(0.1 * ms)
    assert isinstance(info.value.__cause__, DimensionMismatchError)
    with pytest.raises(DimensionMismatchError):
        DenseSynapses(source, target, "w : 1\npotential_post = w*x_pre : 1 (summed)")


CLAMPED = """
drive_post = w * rate_pre : 1 (summed)
dw/dt = learn_post * (0.3 - y_post) * rate_pre / ms : 1 (clock-driven)
"""


def clamped_network(clamped, batch=4, steps=5, n_rows=10, run=1 * second):
    rng = np.random.default_rng(0)
    stimulus = ClampedInput(6, batch=batch, steps=steps, dtype=float)
    stimulus.show(rng.normal(size=(n_rows, 6)), rng.permutation(n_rows))
    units = NeuronGroup(
        batch * 3,
        """ds/dt = (-s + drive) / (2*ms) : 1
        y = 1 / (1 + exp(-s)) : 1 (constant over dt)
        learn = 0.5 * int(t > 0.25*ms) : 1 (shared)
        drive : 1""",
        method="euler",
    )
    synapses = DenseSynapses(stimulus, units, CLAMPED, batch=stimulus, clamped=clamped)
    synapses.w = rng.normal(size=(6, 3))
    monitor = StateMonitor(units, "s", record=True)
    Network(stimulus, units, synapses, monitor).run(run)
    return synapses, monitor.s


@pytest.mark.parametrize("batch", [1, 3, 4, 10, 12])
@pytest.mark.parametrize("run", [1 * second, 0.7 * ms])
def test_clamped_shortcut_is_exact(batch, run):
    """Also when the run ends in the middle of a presentation."""
    fast, fast_s = clamped_network(None, batch, run=run)
    plain, plain_s = clamped_network(False, batch, run=run)
    assert fast._clamped
    assert not plain._clamped
    np.testing.assert_allclose(fast.w[:], plain.w[:], atol=1e-12)
    rows = min(batch, 10) * 3
    np.testing.assert_allclose(fast_s[:rows], plain_s[:rows], atol=1e-12)


def test_the_run_ends_with_the_data():
    _, s = clamped_network(None)
    assert s.shape[1] == 3 * 5  # three batches of five steps


def test_input_shows_rows_and_pads_the_last_batch():
    stimulus = ClampedInput(2, batch=2, steps=1)
    stimulus.scale = 0.5
    stimulus.show(np.arange(6).reshape(3, 2).astype(np.uint8), np.array([2, 0, 1]))
    monitor = StateMonitor(stimulus, "rate", record=True)
    Network(stimulus, monitor).run(1 * second)
    np.testing.assert_allclose(monitor.rate.T, [[2, 2.5, 0, 0.5], [1, 1.5, 0, 0]])
    assert stimulus.rows == 1


def test_input_refuses():
    stimulus = ClampedInput(2)
    with pytest.raises(BrianObjectException) as info:
        Network(stimulus).run(1 * ms)
    assert "call show" in str(info.value.__cause__)
    for data, order, message in [
        (np.zeros((2, 3), np.uint8), None, r"\(n_rows, 2\)"),
        (np.zeros((0, 2), np.uint8), None, "at least one row"),
        (np.zeros((2, 2)), None, "uint8, got float64"),
        (np.zeros((2, 2), np.uint8), [2], "between 0 and 1"),
        (np.zeros((2, 2), np.uint8), [], "not empty"),
    ]:
        with pytest.raises(ValueError, match=message):
            stimulus.show(data, order)
    with pytest.raises(ValueError, match="at least 1"):
        ClampedInput(0)

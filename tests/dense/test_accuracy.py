"""Sums and rules that lose digits as matrix products, and others that could go wrong quietly."""

import logging

import numpy as np
import pytest
from brian2 import (
    Clock,
    Network,
    NeuronGroup,
    device,
    ms,
    prefs,
    second,
    set_device,
)
from brian2.core.base import BrianObjectException
from brian2.utils.logger import catch_logs

from ghost_spiking.dense import ClampedInput, DenseSynapses, ResponseMonitor
from ghost_spiking.dense._factorise import FactorisationError, Mixed, Side, factorise

from . import models


@pytest.fixture(autouse=True)
def _numpy_target():
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = old


STEPS, BATCH = 4, 3


def rows(step):
    return BATCH if step < 2 else 1


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("drawn", "options"),
    [
        (models.HARMFUL, {"offset": 1e8, "moving": False, "low": 0.1}),
        (models.HARMFUL[:3], {"offset": -800, "moving": False, "low": 0.1}),
        (models.WHOLE, {"moving": False, "low": 0.1}),
        (models.SIDES, {}),
    ],
)
def test_as_exact_as_numbers_allow(drawn, options, batch):
    clock = Clock(0.1 * ms)
    shown = ClampedInput(1, batch=BATCH, steps=2, clock=clock)
    shown.show(np.zeros((4, 1), np.uint8))
    given = {"batch": shown} if batch else {}
    built = models.build(DenseSynapses, drawn, clock=clock, **given, **options)
    models.give(built)
    Network(*built.objects, *([shown] if batch else [])).run(STEPS * 0.1 * ms)
    moving = options.get("moving", True)
    given = {"batch": BATCH, "rows": rows} if batch else {}
    right = models.follow(drawn, built.values, STEPS, moving=moving, **given)
    source, target, *projections = built.objects
    n, replicas = (1, BATCH) if batch else (1, 1)
    for m, projection in enumerate(projections):
        for name, found in (
            (f"w{m}", projection.w[:]),
            (f"d{m}", np.reshape(getattr(target, f"d{m}"), (replicas, -1))[:n]),
            (f"b{m}", np.reshape(getattr(source, f"b{m}"), (replicas, -1))[:n]),
        ):
            expected = np.ravel(right[name]).astype(float)
            np.testing.assert_allclose(np.ravel(found), expected, 1e-13, err_msg=str(drawn[m]))


def test_exponentials_do_not_overflow():
    group = NeuronGroup(2, "x : 1\nI : 1")
    group.x = [800, 801]
    sums = DenseSynapses(group, group, "I_post = exp(x_pre - x_post) : 1 (summed)")
    Network(group, sums).run(0.1 * ms)
    np.testing.assert_allclose(group.I, [1 + np.exp(1), 1 + np.exp(-1)], 1e-15)


def test_synchrony_can_be_told_from_its_absence():
    """Phases that differ in the ninth digit: each sine has an error of the 16th."""
    group = NeuronGroup(2, "theta : 1\nI : 1")
    group.theta = [1.0, 1.0 + 1e-9]
    coupling = DenseSynapses(group, group, "I_post = sin(theta_pre - theta_post) : 1 (summed)")
    Network(group, coupling).run(0.1 * ms)
    difference = group.theta[1] - group.theta[0]
    np.testing.assert_allclose(group.I, [difference, -difference], rtol=0, atol=5e-16)


@pytest.mark.parametrize("target", ["numpy", pytest.param("cython", marks=pytest.mark.slow)])
def test_phases_of_oscillators(target):
    prefs.codegen.target = target
    group = NeuronGroup(4, "theta : 1\nI : 1")
    group.theta = "0.3*i"
    coupling = DenseSynapses(group, group, "I_post = sin(theta_pre - theta_post) : 1 (summed)")
    Network(group, coupling).run(0.1 * ms)
    theta = 0.3 * np.arange(4)
    np.testing.assert_allclose(group.I, np.sin(theta[:, None] - theta).sum(axis=0), 1e-14)


def test_slow_terms_are_named():
    group = NeuronGroup(2, "x : 1\nI : 1")
    with catch_logs(log_level=logging.INFO) as messages:
        DenseSynapses(group, group, "w : 1\nI_post = w*(x_pre - x_post)**2 : 1 (summed)", name="s")
    ((level, _, message),) = messages
    assert level == "INFO"
    assert "'w * (x_pre - x_post) ** 2' in 's' is computed for each synapse" in message


@pytest.mark.parametrize(
    "expression", ["w*(x_pre - y_post)", "x_pre - y_post", "u_pre*(x_pre - y_post)/(1 + v_post**2)"]
)
@pytest.mark.parametrize("batch", [1, 3])
def test_differences_lose_no_more_than_a_sum_does(expression, batch):
    """Membrane potentials that are all about the same, as between gap junctions."""
    rng = np.random.default_rng(0)
    source = NeuronGroup(4 * batch, "x : 1\nu : 1\nback : 1")
    target = NeuronGroup(3 * batch, "y : 1\nv : 1\nI : 1")
    source.x, target.y = 1e6 + 1e-6 * rng.random(4 * batch), 1e6 + 1e-6 * rng.random(3 * batch)
    source.u, target.v = rng.random(4 * batch), rng.random(3 * batch)
    model = f"w : 1\nI_post = {expression} : 1 (summed)\nback_pre = {expression} : 1 (summed)"
    projection = DenseSynapses(source, target, model, batch=batch)
    projection.w = rng.normal(size=(4, 3))
    Network(source, target, projection).run(0.1 * ms)
    values = {"w": projection.w[:], "x_pre": source.x[:].reshape(batch, 4, 1)}
    values |= {"u_pre": source.u[:].reshape(batch, 4, 1)}
    values |= {name + "_post": getattr(target, name)[:].reshape(batch, 1, 3) for name in "yv"}
    right = np.broadcast_to(eval(expression, values), (batch, 4, 3))
    np.testing.assert_allclose(target.I, right.sum(axis=1).ravel(), rtol=0, atol=1e-19)
    np.testing.assert_allclose(source.back, right.sum(axis=2).ravel(), rtol=0, atol=1e-19)


SIDES = {"w": Side.MATRIX, "c": Side.MATRIX}


def side_of(name):
    side = Side.PRE if name.endswith("_pre") else Side.POST if name.endswith("_post") else 0
    return SIDES.get(name, Side(side))


@pytest.mark.parametrize(
    ("expression", "products", "mixed"),
    [
        # the conductance form and Oja's rule stay matrix products
        ("g*w*(E - v_post)", 1, 0),
        ("g_pre*w*(E - v_post) + h_pre*w*(F - v_post)", 2, 0),
        ("w*(g_pre*(E - v_post) + h_pre*(F - v_post))", 2, 0),
        ("y_post*(x_pre - w*y_post)", 2, 0),
        ("eta*(y_post*x_pre - y_post**2*w)/tau", 2, 0),
        ("y_post*(x_pre - w)", 2, 0),
        ("(x_pre - 1 + exp(x_pre))*y_post/3", 1, 0),
        ("exp(x_pre)*exp(-y_post)", 1, 0),
        ("abs(x_pre*y_post)/sign(w*x_pre)", 1, 0),
        ("w/(x_pre*y_post)", 1, 0),
        ("0*w*x_pre + 0", 0, 0),
        ("sin(x_pre - y_post)", 2, 0),
        ("w*cos(2*(x_pre - y_post)/3 - a)", 2, 0),
        ("sin(x_pre - y_post)*cos(y_post + x_pre)", 4, 0),
        # what has to stay together
        ("x_pre - y_post", 0, 1),
        ("y_post*(x_pre - c)", 0, 1),
        ("w*(x_pre - y_post)", 0, 1),
        ("w*(x_pre - y_post + u_pre*v_post)", 1, 1),
        ("y_post*(x_pre - z_post - w)", 1, 1),
        ("(x_pre*y_post)**3", 0, 1),
        ("(x_pre + y_post)*(x_pre - y_post)", 0, 1),
        ("exp(-a*(x_pre - y_post)/b)*sin(x_pre + y_post + 1)", 0, 1),
        ("2**(x_pre - y_post)", 0, 1),
        ("sin(x_pre - y_post - c)", 0, 1),
        ("sin(x_pre - y_post)**2", 0, 1),
        ("(x_pre - y_post)*sin(x_pre - y_post)", 0, 1),
    ],
)
def test_what_is_a_product(expression, products, mixed):
    terms = factorise(expression, side_of, changes="w")
    assert sum(isinstance(term, Mixed) for term in terms) == mixed
    assert len(terms) == products + mixed


def test_what_decays_depends_on_the_rule():
    """For a sum, x - w is not small beside w."""
    (term,) = factorise("y_post*(x_pre - w)", side_of)
    assert isinstance(term, Mixed)


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("log(x_pre*y_post)", r"log\(a\) \+ log\(b\)"),
        ("sqrt(x_pre*y_post)", r"sqrt\(a\) \* sqrt\(b\)"),
        ("(x_pre*y_post)**p", "whole numbers as exponents"),
        ("(x_pre - y_post)**0.5", "whole numbers as exponents"),
        ("x_pre**y_post", "whole numbers as exponents"),
        ("w/(x_pre + y_post)", "divide by one-sided factors only"),
        ("(x_pre - y_post)**-1", "divide by one-sided factors only"),
        ("exp(-(x_pre - y_post)**2)", "use brian2.Synapses"),
        ("exp(x_pre*y_post)", "use brian2.Synapses"),
        ("tanh(x_pre - y_post)", "use brian2.Synapses"),
        ("w*(1 + x_pre*cos(x_pre*w))", "use brian2.Synapses"),
        ("int(x_pre > y_post and w > 0)", "use brian2.Synapses"),
    ],
)
def test_refusals_say_what_to_write(expression, advice):
    with pytest.raises(FactorisationError, match=f"depends on .* at once; .*{advice}"):
        factorise(expression, side_of)


def test_transposed_weights_for_each_synapse():
    source, target = NeuronGroup(3, "x : 1\nback : 1"), NeuronGroup(2, "y : 1\nd : 1")
    source.x, target.y, w = [1, 2, 3], [10, 20], np.arange(6.0).reshape(3, 2)
    forward = DenseSynapses(source, target, "w : 1\nd_post = w*(x_pre - i*y_post) : 1 (summed)")
    text = "back_post = w*(y_pre - x_post + i - 2*j) : 1 (summed)"
    backward = DenseSynapses(target, source, text, weights=forward.T)
    forward.w = w
    Network(source, target, forward, backward).run(0.1 * ms)
    x, y, i, j = (
        np.array(source.x)[:, None],
        np.array(target.y),
        np.arange(3)[:, None],
        np.arange(2),
    )
    np.testing.assert_array_equal(target.d, (w * (x - i * y)).sum(axis=0))
    np.testing.assert_array_equal(source.back, (w * (y - x + j - 2 * i)).sum(axis=1))


def test_a_sum_may_read_what_it_is_summed_into():
    """All is computed from the old values."""
    group = NeuronGroup(3, "x : 1\nz = 1/x : 1")
    old, w = np.array([1.0, 2.0, 3.0]), np.arange(9.0).reshape(3, 3)
    group.x = old
    sums = DenseSynapses(group, group, "w : 1\nx_post = w*x_pre*z_post + w*z_pre: 1 (summed)")
    sums.w = w
    Network(group, sums).run(0.1 * ms)
    np.testing.assert_allclose(group.x, old @ w / old + 1 / old @ w)
    group = NeuronGroup(3, "x : 1")
    sums, other = (DenseSynapses(group, group, "x_post = x_pre*0.5 : 1 (summed)") for _ in "ab")
    with pytest.raises(BrianObjectException) as info:
        Network(group, sums, other).run(0.1 * ms)
    assert "reads the variable that it is summed into" in str(info.value.__cause__)


def test_targets_of_another_precision():
    source = NeuronGroup(3, "x : 1")
    target = NeuronGroup(2, "y : 1\nd : 1", dtype=np.float32)
    source.x, target.y = [1, 2, 3], [4, 5]
    sums = DenseSynapses(
        source, target, "w : 1\nd_post = w*x_pre + w*(x_pre - y_post) : 1 (summed)"
    )
    sums.w = 1.5
    Network(source, target, sums).run(0.1 * ms)
    np.testing.assert_array_equal(target.d, [9 + 1.5 * (6 - 12), 9 + 1.5 * (6 - 15)])


MODEL = """
drive_post = w*rate_pre : 1 (summed)
dw/dt = (0.3 - y_post)*rate_pre/ms : 1 (clock-driven)
"""


def clamped(use, between=None, order=-0.5, dt=None, regularly=None, pace=False):
    """Two presentations, interrupted in the middle of the first one; `pace` sets the rows."""
    rng = np.random.default_rng(0)
    clock = Clock(0.1 * ms)
    shown = ClampedInput(3, batch=2, steps=4, dtype=float, clock=clock)
    units = NeuronGroup(4, "y : 1\ndrive : 1", clock=clock)
    units.run_regularly("y = y + 0.1*tanh(drive)", when="end")
    time = {"clock": clock} if dt is None else {"dt": dt}
    other = ClampedInput(1, batch=2, steps=3, clock=clock)
    other.show(np.zeros((3, 1), np.uint8))
    batch = other if pace else shown
    synapses = DenseSynapses(shown, units, MODEL, batch=batch, clamped=use, order=order, **time)
    if regularly:
        synapses.run_regularly(regularly, dt=0.1 * ms)
    synapses.w = rng.normal(size=(3, 2))
    network = Network(shown, units, synapses, *([other] if pace else []))
    shown.show(rng.normal(size=(4, 3)))
    network.run(0.2 * ms)
    if between is not None:
        synapses.w = between
    network.run(1 * second)
    return synapses, units


@pytest.mark.parametrize(
    "options",
    [{}, {"between": 0.5}, {"order": -2}, {"order": -1}, {"order": -0.995}, {"dt": 0.2 * ms},
     {"regularly": "w = clip(w, -0.1, 0.1)"}, {"pace": True}],
)  # fmt: skip
def test_the_shortcut_is_only_taken_where_it_is_exact(options):
    found, states = clamped(None, **options)
    right, expected = clamped(False, **options)
    np.testing.assert_allclose(found.w[:], right.w[:], 1e-13)
    np.testing.assert_allclose(states.y, expected.y, 1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": -2}, "weights of order -2 change before the sum"),
        ({"dt": 0.2 * ms}, "different clocks"),
        ({"pace": True}, "another ClampedInput says how many rows there are"),
        ({"regularly": "w = 2*w"}, "uses the weights"),
    ],
)
def test_the_shortcut_says_why_not(options, message):
    with pytest.raises((ValueError, BrianObjectException)) as info:
        clamped(True, **options)
    assert message in str(info.value.__cause__ or info.value)


@pytest.mark.slow
def test_each_run_of_a_script_shows_its_own_data(tmp_path):
    """In plain standalone scripts all runs are in one program."""
    set_device("cpp_standalone", build_on_run=False, directory=str(tmp_path))
    try:
        clock = Clock(1 * ms)
        shown = ClampedInput(2, steps=1, clock=clock)
        units = NeuronGroup(1, "y : 1\ntotal : 1", clock=clock)
        units.run_regularly("total = total + y", when="end")
        sums = DenseSynapses(shown, units, "w : 1\ny_post = w*rate_pre : 1 (summed)")
        sums.w = 1
        monitor = ResponseMonitor(units, "2*y", "True", batch=shown)
        network = Network(shown, units, sums, monitor)
        with pytest.raises(NotImplementedError, match="known after"):
            monitor.responses  # noqa: B018
        for data in ([[1, 2], [3, 4]], [[100, 0]]):
            shown.show(np.array(data, np.uint8))
            network.run(1 * second)
        device.build(directory=str(tmp_path), run=True)
        assert units.total[0] == 110
        np.testing.assert_array_equal(monitor.responses, [[6], [14], [200]])
    finally:
        device.reinit()
        set_device("runtime")

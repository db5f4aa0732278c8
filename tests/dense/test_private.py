"""Rules that are private to each replica, against explicit matrices, one for each replica."""

import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, ms, prefs
from brian2.core.base import BrianObjectException
from brian2.core.variables import linked_var

from ghost_spiking.dense import ClampedInput, CompiledNetwork, DenseSynapses

BATCH, STEPS, ROWS, N, M = 3, 5, 7, 4, 2
#: A rule, a sum for the target and one for the source each; `early` is 1 in the first 3 steps.
MODELS = {
    "product": ("(0.4 - y_post)*x_pre", "w*x_pre", "0*y_post"),
    "both ways": ("(0.4 - y_post)*x_pre", "w*x_pre", "w*y_post"),
    "decay": ("-0.3*w + y_post*x_pre", "w*x_pre", "w*y_post"),
    "decay alone": ("-0.3*w", "w*x_pre", "w*y_post"),
    "one side": ("0.2*y_post", "w*x_pre", "w*y_post*x_pre"),
    "the other side": ("-0.1*x_pre**2", "w*x_pre", "w*y_post"),
    "several": (
        "x_pre*y_post - 0.5*x_pre**2*y_post**2 - 0.1*w*early",
        "0.5*w*x_pre*(1 + y_post) - w*x_pre**2 + c*x_pre",
        "w*y_post + c*y_post*x_pre",
    ),
    "in its time": ("early*(0.4 - y_post)*x_pre", "w*x_pre", "w*y_post"),
    "in the end": ("(1 - early)*(0.4 - y_post)*x_pre - w*(1 - early)", "w*x_pre", "w*y_post"),
}


def build(names=MODELS, target_name="target"):
    """Return objects, with a source and a target for each of the models."""
    clock = Clock(1 * ms)
    shown = ClampedInput(N, batch=BATCH, steps=STEPS, dtype=float, clock=clock, name="shown")
    objects = [shown]
    for k, name in enumerate(MODELS):
        if name not in names:
            continue
        rule, forward, back = MODELS[name]
        source = NeuronGroup(
            BATCH * N,
            "dx/dt = (-x + rate + 0.3*back)/(3*ms) : 1\nrate : 1 (linked)\nback : 1",
            method="euler", clock=clock, name=f"source_{k}",
        )  # fmt: skip
        source.rate = linked_var(shown, "rate")
        target = NeuronGroup(
            BATCH * M,
            "dy/dt = (-y + drive)/(4*ms) : 1\ndrive : 1\nstep : integer (linked)\n"
            "early = int(step < 3) : 1 (shared)",
            method="euler", clock=clock, name=f"target_{k}",
        )  # fmt: skip
        target.step = linked_var(shown, "step")
        synapses = DenseSynapses(
            source,
            target,
            f"dw/dt = ({rule})/(2*ms) : 1 (clock-driven, private)\nc : 1\n"
            f"drive_post = {forward} : 1 (summed)\nback_pre = {back} : 1 (summed)",
            batch=shown,
            order=-0.5,
            name=f"synapses_{k}",
        )
        objects += [source, target, synapses]
    return objects


def follow(name, w, c, shown, n_steps):
    """Do what the objects do with a matrix for each replica; give w, and the last drive."""
    rule, forward, back = (compile(text, name, "eval") for text in MODELS[name])
    x, y = np.zeros((BATCH, N)), np.zeros((BATCH, M))
    for step in range(n_steps):
        rows = shown[step // STEPS * BATCH :][:BATCH]
        n = len(rows)
        if step % STEPS == 0:
            own = np.repeat(w[None], n, axis=0)
        values = {"w": own, "c": c, "x_pre": x[:n, :, None], "y_post": y[:n, None]}
        values |= {"early": float(step % STEPS < 3)}
        drive, feedback, change = (
            np.broadcast_to(eval(text, values), own.shape) for text in (forward, back, rule)
        )
        drive, feedback = drive.sum(axis=1), feedback.sum(axis=2)
        own = own + change / 2
        x[:n], y[:n] = x[:n] + (-x[:n] + rows + 0.3 * feedback) / 3, y[:n] + (-y[:n] + drive) / 4
        if step % STEPS == STEPS - 1 or step == n_steps - 1:
            w = own.mean(axis=0)
    return w, drive, feedback


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(size=(2, N, M)) for name in MODELS}
    return weights, rng.uniform(size=(ROWS, N)), rng.permutation(ROWS)


def compare(name, found, values, n_steps):
    weights, data, order = values
    expected = follow(name, *weights[name], data[order], n_steps)
    for what, array, right in zip(("w", "drive", "back"), found, expected, strict=True):
        array = np.reshape(array, (-1, right.shape[1]))[: len(right)]
        np.testing.assert_allclose(array, right, 1e-10, 1e-12, err_msg=f"{what} of {name}")


@pytest.fixture
def _numpy_target():
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = old


@pytest.mark.usefixtures("_numpy_target")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_steps", [3 * STEPS, 2 * STEPS - 2])
def test_numpy_equals_matrices(name, n_steps, values):
    """Also where a run ends during a presentation."""
    weights, data, order = values
    shown, source, target, synapses = build([name])
    synapses.w, synapses.c = weights[name]
    shown.show(data, order=order)
    Network(shown, source, target, synapses).run(n_steps * ms)
    compare(name, (synapses.w[:], target.drive[:], source.back[:]), values, n_steps)


@pytest.fixture(scope="module")
def compiled(values):
    weights, data, order = values
    program = CompiledNetwork(lambda: Network(*build()))
    given, wanted = {}, []
    for k, name in enumerate(MODELS):
        given |= {f"synapses_{k}.{part}": weights[name][number] for number, part in enumerate("wc")}
        wanted += [f"synapses_{k}.w", f"target_{k}.drive", f"source_{k}.back"]
    return program.run(given, {"shown": (data, order)}, wanted).arrays


@pytest.mark.parametrize("name", MODELS)
def test_cpp_equals_matrices(name, compiled, values):
    k = list(MODELS).index(name)
    found = (compiled[f"synapses_{k}.w"], compiled[f"target_{k}.drive"])
    compare(name, (*found, compiled[f"source_{k}.back"]), values, 3 * STEPS)


def objects(batch=None, rule="x_pre*y_post", drive="w*x_pre", more="", **options):
    clock = Clock(1 * ms)
    shown = ClampedInput(N, batch=BATCH, steps=STEPS, clock=clock, name="shown")
    source = NeuronGroup(BATCH * N, "x : 1", clock=options.pop("source_clock", clock))
    target = NeuronGroup(BATCH * M, "y : 1\ndrive : 1", clock=options.get("clock", clock))
    text = f"dw/dt = {rule}/ms : 1 (clock-driven, private)\n"
    text += f"drive_post = {drive} : 1 (summed)\n{more}"
    return shown, source, target, DenseSynapses(
        source, target, text, batch=shown if batch is None else batch, name="s", **options
    )  # fmt: skip


REFUSED = {
    "no presentations": ({"batch": BATCH}, "ClampedInput that presents, not 3"),
    "another clock": ({"clock": Clock(2 * ms)}, "the clock of 'shown'"),
    "a second rule": ({"more": "dv/dt = x_pre*y_post/ms : 1 (clock-driven)"}, "a second rule"),
    "two private": ({"more": "dv/dt = -v/ms : 1 (clock-driven, private)"}, "a second rule"),
    "weights times a side": ({"rule": "(x_pre - w)*y_post**2"}, "is neither"),
    "another matrix": ({"rule": "c*x_pre*y_post", "more": "c : 1"}, "is neither"),
    "for each synapse": ({"rule": "exp(x_pre - y_post)"}, "is neither"),
    "squares of weights": ({"drive": "w**2*x_pre"}, "can only have 'w' as a factor"),
    "masked weights": ({"drive": "c*w*x_pre", "more": "c : 1"}, "can only have 'w' as a factor"),
    "through a name": ({"drive": "v*x_pre", "more": "v = w**3 : 1"}, "only have 'w' as a factor"),
    "a sum for each synapse": ({"drive": "w*(x_pre - y_post)"}, "only have 'w' as a factor"),
    "before the sum": ({"order": -2}, "has to act after the sum 'drive_post'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    given, message = REFUSED[case]
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        objects(**given)


def test_weights_can_not_be_lent():
    shown, source, target, owner = objects()
    for weights in (owner, owner.T):
        into, out_of = (target, source) if weights is owner else (source, target)
        group = NeuronGroup(len(into), "d : 1", clock=into.clock)
        with pytest.raises(TypeError, match="can't be used here"):
            DenseSynapses(
                out_of, group, "d_post = w : 1 (summed)", batch=shown, weights=weights, name="b"
            )


@pytest.mark.usefixtures("_numpy_target")
def test_code_that_would_see_a_part_of_the_weights():
    shown, source, target, synapses = objects()
    synapses.run_regularly("w = clip(w, 0, 1)", name="clipping")
    shown.show(np.zeros((3, N), np.uint8))
    with pytest.raises(BrianObjectException) as caught:
        Network(shown, source, target, synapses).run(1 * ms)
    assert "'clipping' uses 'w'" in str(caught.value.__cause__)

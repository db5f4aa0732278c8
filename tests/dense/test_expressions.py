"""Expressions over single synapses: what `DenseSynapses` makes of them, beside `Synapses`."""

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    StateMonitor,
    Synapses,
    linked_var,
    ms,
    network_operation,
    prefs,
    second,
)
from brian2.core.base import BrianObjectException
from hypothesis import HealthCheck, Phase, given, settings

from ghost_spiking.dense import ClampedInput, DenseSynapses

from .projects import build, project
from .uses import DRAWN, Uses, assert_same, compare

KINDS = (DenseSynapses, Synapses)


@pytest.fixture(autouse=True)
def target(request):
    """The code generation target, for strings too; numpy unless a test says otherwise."""
    names = ("codegen.target", "codegen.string_expression_target")
    before = {name: prefs[name] for name in names}
    for name in names:
        prefs[name] = getattr(request, "param", "numpy")
    yield
    for name in names:
        prefs[name] = before[name]


def PATIENT(examples):  # noqa: N802 - a constant but for the number
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # An example takes too long for making it simpler, and is not long itself.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )


@PATIENT(15)
@given(**DRAWN)
def test_equals_synapses(first, where, update, q):
    compare(first=first, where=where, update=update, q=q)


@pytest.mark.slow
@PATIENT(100)
@given(**DRAWN)
def test_equals_synapses_many_times(first, where, update, q):
    compare(first=first, where=where, update=update, q=q)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cython"], indirect=True)
@PATIENT(3)
@given(**DRAWN)
def test_equals_synapses_in_cython(first, where, update, q):
    compare(first=first, where=where, update=update, q=q)


#: Every variable, every form, and every kind of condition.
FIXED = [
    {
        "first": "x_pre*10 + y*half_pre - twice/(2 + abs(n_pre)) + k_pre*h + N_incoming*a",
        "where": "i != j and y_post*int(on_pre) < x_pre",
        "update": "clip(w + 0.1*q*int(strong), -1, 2 + u_pre) - 0.01*total",
        "q": "w*x_pre - (potential_post/mV)*eta + both % 3",
    },
    {
        "first": "sqrt(abs(i_pre*v + p))*int(m) + N_post*tanh(c - u_pre)",
        "where": "(m or on_pre) and not strong",
        "update": "exp(-abs(y - x_pre))*w + (t/ms)*int(i > j) + h_post/N_pre",
        "q": "int(y_post > x_pre)*both + p/7.0 + 3*v_post",
    },
]


@pytest.mark.slow
def test_equals_synapses_in_standalone(tmp_path):
    """Many expressions in one program."""
    with project(tmp_path) as device:
        pairs = [
            [Uses(kind, **drawn, prefix=f"{kind.__name__}{number}_") for kind in KINDS]
            for number, drawn in enumerate(FIXED)
        ]
        Network([uses.objects for pair in pairs for uses in pair]).run(0.3 * ms)
        build(device, tmp_path)
        device.run()
        for dense, plain in pairs:
            assert_same(dense.seen(), plain.seen())
            # From the values of the program, which Brian2 can't do for Synapses.
            q = dense.synapses.q[:]
            np.testing.assert_array_equal(q[1, :], dense.synapses.q[1, :])
            np.testing.assert_array_equal(dense.synapses.i[:], np.mgrid[:4, :3][0])


@pytest.mark.parametrize("number", range(len(FIXED)))
@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cython", marks=pytest.mark.slow)], indirect=True
)
def test_equals_synapses_in_fixed_expressions(target, number):
    compare(**FIXED[number])


def groups(batch=1):
    source = NeuronGroup(batch * 3, "x : 1\nback : 1\nagain : 1\nk : 1 (shared)\ntwice = 2*x : 1")
    target = NeuronGroup(batch * 2, "y : 1\nd : 1\ntotal : 1")
    source.x, target.y, source.k = "i + 1", "10*(i + 1)", 0.5
    return source, target


def cause(error):
    """What Brian2 has wrapped into an error of its own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def test_constants_are_found_where_the_expression_stands():
    source, target = groups()
    model = "w : 1\neta : 1 (shared)\nq = w*b : 1\nd_post = w : 1 (summed)"
    synapses = DenseSynapses(source, target, model)
    b = 2.0
    synapses.eta = "b + k_pre"
    assert synapses.eta == 2.5
    synapses.w = "b*x_pre"
    np.testing.assert_array_equal(synapses.q[:], b * b * np.outer([1, 2, 3], [1, 1]))
    assert synapses.q[2, 1] == 12
    np.testing.assert_array_equal(synapses.w["x_pre > b"], [6, 6])
    synapses.w[1, :] = "b + j"
    np.testing.assert_array_equal(synapses.w[1, :], [2, 3])


def test_parts_of_matrices():
    source, target = groups()
    synapses = DenseSynapses(
        source, target, "w : 1\nn : integer\nm : boolean\nd_post = w*int(m)*n : 1 (summed)"
    )
    synapses.w[1:, 0] = "x_pre*y_post"
    synapses.w[synapses["i == 0"]] = [5, 6]
    synapses.w[synapses.i[:] < synapses.j[:]] = 7
    np.testing.assert_array_equal(synapses.w[:], [[5, 7], [20, 0], [30, 0]])
    np.testing.assert_array_equal(synapses.w[synapses[2, :]], [30, 0])
    assert len(synapses[:, 1]) == 3
    synapses.n, synapses.m = "2*i", [[True, False]] * 3
    assert synapses.n[:].dtype.kind == "i"
    assert synapses.m[:].dtype.kind == "b"
    synapses.n += 1
    Network(source, target, synapses).run(0.1 * ms)
    np.testing.assert_array_equal(target.d, [5 * 1 + 20 * 3 + 30 * 5, 0])
    synapses.x_pre = 4
    np.testing.assert_array_equal(source.x, 4)
    for name in ("i", "j", "twice_pre"):
        with pytest.raises(TypeError, match="read-only"):
            setattr(synapses, name, 3)
    with pytest.raises(TypeError, match="real numbers"):
        synapses.w = None


def test_states_are_saved_and_restored():
    source, target = groups()
    synapses = DenseSynapses(source, target, "w : 1\nd_post = w : 1 (summed)")
    synapses.w = "x_pre + y_post"
    states = synapses.get_states(read_only_variables=False)
    synapses.w, source.x = 0, 0
    synapses.set_states(states)
    np.testing.assert_array_equal(synapses.w[:], np.add.outer([1, 2, 3], [10, 20]))
    np.testing.assert_array_equal(source.x, [1, 2, 3])
    network = Network(source, target, synapses)
    network.store()
    synapses.w = 1
    network.restore()
    np.testing.assert_array_equal(synapses.w[0, :], [11, 21])


def test_weights_are_normalised_by_a_sum():
    source, target = groups()
    synapses = DenseSynapses(source, target, "w : 1\ntotal_post = w : 1 (summed)")
    synapses.w = "x_pre*(1 + j)"
    synapses.run_regularly("w = w/total_post", when="end")
    Network(source, target, synapses).run(0.1 * ms)
    np.testing.assert_allclose(synapses.w[:], np.outer([1, 2, 3], [1, 1]) / 6)


def test_numbers_of_units_are_made_only_if_needed():
    source, target = groups()
    synapses = DenseSynapses(
        source, target, "dw/dt = x_pre*y_post/ms : 1 (clock-driven)\nd_post = w*x_pre : 1 (summed)"
    )
    backward = DenseSynapses(target, source, "back_post = w*y_pre : 1 (summed)", weights=synapses.T)
    synapses.w, synapses.w[0, 0], backward.w = np.ones((3, 2)), 3, np.ones((2, 3))
    Network(source, target, synapses, backward).run(0.1 * ms)
    device = synapses.variables.device
    numbers = {synapses.variables["i"], synapses.variables["j"], *backward.variables.values()}
    numbers = {each for each in numbers if "idx" in getattr(each, "name", "")}
    assert len(numbers) == 5
    assert not numbers & set(device.arrays)
    synapses.w = "x_pre"
    assert numbers & set(device.arrays) == {synapses.variables["i"]}


class TestTransposed:
    """Synapses of a projection that reads the weights of another one the other way round."""

    def build(self):
        source, target = groups()
        forward = DenseSynapses(source, target, "w : 1\nd_post = w*x_pre : 1 (summed)")
        backward = DenseSynapses(
            target,
            source,
            "q = w + 10*y_pre + x : 1\nback_post = w*y_pre*(i + 1) - 0.1*j : 1 (summed)",
            weights=forward.T,
        )
        forward.w = np.arange(6).reshape(3, 2)
        return source, target, forward, backward

    def test_expressions(self):
        _, _, forward, backward = self.build()
        backward.w = "x_post + 0.1*i + 100*y_pre"
        right = np.add.outer([1000, 2000.1], [1, 2, 3])
        np.testing.assert_allclose(backward.w[:], right)
        np.testing.assert_allclose(forward.w[:], right.T)
        np.testing.assert_allclose(backward.q[:], right + np.add.outer([100, 200], [1, 2, 3]))
        np.testing.assert_allclose(backward.w["i == 1 and x > 1"], right[1, 1:])
        np.testing.assert_allclose(backward.q[1, ::2], right[1, ::2] + [201, 203])
        backward.w["j == 0"] = "i"
        backward.w[0, 1:] = "-j"
        backward.w[1, [1, 2]] = [7, 8]
        np.testing.assert_array_equal(backward.w[:], [[0, -1, -2], [1, 7, 8]])
        backward.w = [0, 1, 2, 3, 4, 5]  # flat, in the order of its own synapses
        np.testing.assert_array_equal(backward.w[:], [[0, 1, 2], [3, 4, 5]])
        backward.w = np.array([[5, 6, 7], [8, 9, 10]])[backward.i, backward.j]
        np.testing.assert_array_equal(forward.w[:], [[5, 8], [6, 9], [7, 10]])

    def test_runs(self):
        source, target, forward, backward = self.build()
        w, y = forward.w[:].T.copy(), np.array([10, 20])[:, None]
        monitor = StateMonitor(backward, ["w", "q"], record=True, when="end")
        backward.run_regularly("w = w + y_pre*x_post")
        Network(source, target, forward, backward, monitor).run(0.1 * ms)
        w = w + y * [1, 2, 3]
        np.testing.assert_allclose(backward.w[:], w)
        np.testing.assert_allclose(forward.w[:], w.T)
        np.testing.assert_allclose(monitor.w[:, 0].reshape(2, 3), w)
        np.testing.assert_allclose(monitor.q[:, 0].reshape(2, 3), w + 10 * y + [1, 2, 3])
        i, j = np.mgrid[:2, :3]
        np.testing.assert_allclose(source.back, (w * y * (i + 1) - 0.1 * j).sum(axis=0))

    def test_of_a_projection_that_borrows_itself(self):
        source, target, forward, backward = self.build()
        there = DenseSynapses(source, target, "total_post = w : 1 (summed)", weights=backward.T)
        back = DenseSynapses(target, source, "again_post = w : 1 (summed)", weights=backward)
        np.testing.assert_array_equal(there.w[:], forward.w[:])
        np.testing.assert_array_equal(back.w[:], forward.w[:].T)
        Network(source, target, forward, backward, there, back).run(0.1 * ms)
        np.testing.assert_array_equal(target.total, [0 + 2 + 4, 1 + 3 + 5])
        np.testing.assert_array_equal(source.again, [0 + 1, 2 + 3, 4 + 5])


class TestBatch:
    """Several replicas share the synapses."""

    def build(self):
        source, target = groups(batch=4)
        model = """
        w : 1
        good = w*k_pre + i : 1
        bad = w*twice_pre : 1
        total_post = w*x_pre : 1 (summed)
        """
        return source, target, DenseSynapses(source, target, model, batch=4)

    def test_what_all_replicas_share_works(self):
        source, target, synapses = self.build()
        synapses.w = "i + 10*j + k_pre + N_pre"
        right = np.add.outer([3.5, 4.5, 5.5], [0, 10])
        np.testing.assert_array_equal(synapses.w[:], right)
        np.testing.assert_array_equal(synapses.good[:], right / 2 + [[0], [1], [2]])
        np.testing.assert_array_equal(synapses.w["i > j"], right[[1, 2, 2], [0, 0, 1]])
        synapses.run_regularly("w = w/2 + j", when="end")
        monitor = StateMonitor(synapses, ["w", "good"], record=True)
        network = Network(source, target, synapses, monitor)
        network.run(0.2 * ms)
        np.testing.assert_array_equal(monitor.w[:, 1].reshape(3, 2), right / 2 + [0, 1])
        states = network.get_states(read_only_variables=False)[synapses.name]
        assert states.keys() == {"w", "k_pre"}

    @pytest.mark.parametrize(
        ("name", "use"),
        [
            ("x_pre", lambda s: setattr(s, "w", "x_pre + i")),
            ("y", lambda s: s.w.__setitem__("y > 0", 1)),
            ("total_post", lambda s: s.w["total_post > 0"]),
            ("twice_pre", lambda s: s.bad[:]),
            ("twice_pre", lambda s: s.get_states(["bad"])),
            ("x_pre", lambda s: s.x_pre),
            ("x_pre", lambda s: setattr(s, "x_pre", 1)),
            ("twice_pre", lambda s: StateMonitor(s, "bad", record=True)),
            ("y_post", lambda s: StateMonitor(s, "y_post", record=[0])),
            ("total_post", lambda s: run_with(s, "w = w/total_post")),
            ("y_post", lambda s: run_with(s, "y_post = 5")),
        ],
    )
    def test_what_differs_between_replicas_is_refused_by_name(self, name, use):
        *_, synapses = self.build()
        with pytest.raises(Exception) as info:  # noqa: PT011 - Brian2 wraps it in some places
            use(synapses)
        error = cause(info.value)
        assert isinstance(error, ValueError)
        text = f"{synapses.name}: '{name}' has a value in each of the 4 replicas"
        assert str(error).startswith(text)
        assert "batch=1" in str(error)


def run_with(synapses, code):
    synapses.run_regularly(code)
    Network(synapses.source, synapses.target, synapses).run(0.1 * ms)


def looking(synapses, read):
    """Python code that notes the weights in every step, and sets them now and then."""

    @network_operation(when="end")
    def look():
        read.append(synapses.w[:].copy())
        if len(read) in (2, 3, 9):
            synapses.w[0, :] = -1
        elif len(read) == 7:
            synapses.w *= 0.5

    return look


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "reader", ["nothing", "code", "code of a subexpression", "monitor", "Python"]
)
def test_what_uses_weights_during_a_presentation_sees_them_learn(reader, batch):
    """The shortcut for a clamped source writes them at the end; it is given up, or catches up."""
    found = []
    for clamped in (None, False):
        rng = np.random.default_rng(0)
        stimulus = ClampedInput(4, batch=batch, steps=5, dtype=float)
        stimulus.show(rng.normal(size=(6, 4)))
        units = NeuronGroup(2 * batch, "drive : 1\ny : 1")
        units.run_regularly("y = 0.5*y + tanh(drive)\ndrive = drive + y", when="end")
        synapses = DenseSynapses(
            stimulus,
            units,
            """
            dw/dt = rate_pre*(y_post - 0.3)/ms : 1 (clock-driven)
            drive_post = w*rate_pre : 1 (summed)
            q = w*(i + 1) : 1
            """,
            batch=stimulus,
            clamped=clamped,
        )
        synapses.w = rng.normal(size=(4, 2))
        objects, read = [], []
        if reader == "monitor":
            objects.append(StateMonitor(synapses, "q", record=True))
        elif reader == "Python":
            objects.append(looking(synapses, read))
        elif reader != "nothing":
            synapses.run_regularly("w = w + 0.01*" + ("w" if reader == "code" else "q"))
        Network(stimulus, units, synapses, *objects).run(1 * second)
        found.append([synapses.w[:], units.y[:], units.drive[:], *read])
        if reader == "monitor":
            found[-1].append(objects[0].q)
        assert synapses._clamped == (clamped is None and reader in ("nothing", "Python"))
    for shortcut, plain in zip(*found, strict=True):
        np.testing.assert_allclose(shortcut, plain, atol=1e-12)


def test_a_shortcut_that_is_insisted_on_is_refused_to_code():
    stimulus, units = ClampedInput(4, steps=5), NeuronGroup(2, "drive : 1\ny : 1")
    stimulus.show(np.ones((2, 4), np.uint8))
    model = "dw/dt = rate_pre*y_post/ms : 1 (clock-driven)\ndrive_post = w*rate_pre : 1 (summed)"
    synapses = DenseSynapses(stimulus, units, model, batch=stimulus, clamped=True)
    synapses.run_regularly("w = clip(w, 0, 1)", name="bounds")
    with pytest.raises(BrianObjectException) as info:
        Network(stimulus, units, synapses).run(1 * ms)
    assert "clamped=True is not exact" in str(cause(info.value))
    assert "bounds" in str(cause(info.value))


def test_variables_without_a_suffix_are_those_of_the_target():
    """In sums and rules, too; names of the projection come first."""
    source, target = groups()
    synapses = DenseSynapses(
        source,
        target,
        """
        total : 1
        dw/dt = y*x_pre/ms : 1 (clock-driven)
        d_post = y*x_pre + total : 1 (summed)
        """,
    )
    synapses.total = 1
    target.total = 50
    Network(source, target, synapses).run(0.1 * ms)
    np.testing.assert_allclose(target.d, [10 * 6 + 3, 20 * 6 + 3])
    np.testing.assert_allclose(synapses.w[:], 0.1 * np.outer([1, 2, 3], [10, 20]))


def test_groups_that_link_their_variables():
    source, target = groups()
    one = NeuronGroup(1, "gain : 1")
    one.gain = 3
    links = NeuronGroup(3, "x : 1 (linked)\ngain : 1 (linked)\nturned : 1 (linked)\nz = gain*x : 1")
    links.x, links.gain = linked_var(source.x), linked_var(one.gain)
    links.turned = linked_var(source.x, index=np.array([2, 1, 0]))
    synapses = DenseSynapses(links, target, "w : 1\nd_post = w*z_pre*gain_pre : 1 (summed)")
    synapses.w = "z_pre + gain_pre*x_pre"
    Network(source, one, links, target, synapses).run(0.1 * ms)
    np.testing.assert_allclose(synapses.w[:, 0], [6, 12, 18])
    np.testing.assert_allclose(target.d, 9 * (6 * 1 + 12 * 2 + 18 * 3))
    with pytest.raises(ValueError, match="'turned_pre' is not"):  # as in Synapses
        DenseSynapses(links, target, "d_post = turned_pre : 1 (summed)")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x_pre : 1", "'x_pre' cannot be used"),
        ("j : 1", "'j' is a name"),
        ("s = 2*w : 1 (shared)", "'s' refers to 'w', which is not shared"),
        ("shared_post = w : 1 (summed)", "value for each unit"),
        ("whole_post = w : 1 (summed)", "'whole' in .* is integer"),
    ],
)
def test_lines_that_have_no_meaning_are_refused(line, message):
    source = NeuronGroup(3, "x : 1")
    target = NeuronGroup(2, "d : 1\nshared : 1 (shared)\nwhole : integer")
    with pytest.raises((ValueError, TypeError), match=message):
        DenseSynapses(source, target, f"w : 1\nd_post = w*x_pre : 1 (summed)\n{line}")


def test_random_subexpressions_are_refused():
    """They would have other values wherever they stand; Brian2 refuses them, too."""
    source, target = groups()
    synapses = DenseSynapses(source, target, "w : 1\nq = rand() : 1\nd_post = w : 1 (summed)")
    with pytest.raises(BrianObjectException) as info:
        Network(source, target, synapses).run(0.1 * ms)
    assert "'q'" in str(cause(info.value))

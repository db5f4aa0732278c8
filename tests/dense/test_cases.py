"""What users wrote and got wrong numbers for, on every target, with the right ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Network,
    NeuronGroup,
    StateMonitor,
    Synapses,
    linked_var,
    ms,
    prefs,
    second,
)
from brian2.core.base import BrianObjectException
from scipy.sparse import csr_matrix

from ghost_spiking.dense import ClampedInput, DenseSynapses, ResponseMonitor

from .projects import build, project

M = np.arange(1.0, 17.0).reshape(4, 4)
X = np.arange(4.0)


@dataclass
class Case:
    objects: list
    found: Callable[[], Any]
    right: Any


def group_and_projection(model="w : 1", **options):
    group = NeuronGroup(4, "x : 1\nI : 1\nk : 1")
    group.x = "i"
    model += "\nI_post = w*x_pre : 1 (summed)"
    return group, DenseSynapses(group, group, model, **options)


def expression_of_both_sides():
    group, projection = group_and_projection()
    projection.w = "x_pre*10 + x_post"
    return Case([group, projection], lambda: projection.w[:], np.add.outer(10 * X, X))


def expression_where_a_condition_holds():
    group, projection = group_and_projection()
    projection.w = M
    projection.w["x_pre > x_post"] = "-x_pre"
    right = np.where(X[:, None] > X, -X[:, None], M)
    return Case([group, projection], lambda: projection.w[:], right)


def regular_update_of_weights():
    group, projection = group_and_projection()
    projection.run_regularly("w = x_pre*10 + x_post")
    return Case([group, projection], lambda: projection.w[:], np.add.outer(10 * X, X))


def regular_update_of_a_copy():
    """In Brian2's numpy, c would be a second name of w."""
    group, projection = group_and_projection("w : 1\nc : 1")
    projection.w = M
    projection.run_regularly("c = w\nw *= 2")
    right = {"c": M, "w": 2 * M}
    return Case([group, projection], lambda: {k: getattr(projection, k)[:] for k in right}, right)


def copies_at_spikes():
    source = NeuronGroup(4, "v : 1\ns : 1\nold : 1", threshold="v > 1", reset="s = v\nv = 0")
    target = NeuronGroup(4, "k : 1\nb : boolean")
    source.v = [0, 0, 2, 0]
    code = "before = w\nk_post = w\nw *= 1 + 0.5*k_post\nc = before\nx = s\ns += 1\nold_pre = x"
    model = "w : 1\nc : 1\nx : 1\ns : 1"
    projection = DenseSynapses(source, target, model, on_pre=code)
    projection.w = M
    changed = M.copy()
    changed[2] *= 1 + 0.5 * M[2]
    right = {"w": changed, "c": np.where(np.arange(4)[:, None] == 2, M, 0), "k": M[2]}
    names = {"w": projection, "c": projection, "k": target}

    def found():
        return {name: np.array(getattr(of, name)[:]) for name, of in names.items()}

    return Case([source, target, projection], found, right)


def regular_update_of_the_target():
    group, projection = group_and_projection()
    projection.w = M
    projection.run_regularly("k_post = 5 + x_post")
    return Case([group, projection], lambda: group.k[:], 5 + X)


def normalised_weights():
    group, projection = group_and_projection("w : 1\nk_post = w : 1 (summed)")
    projection.w = M
    projection.run_regularly("w = w/k_post", when="end")
    return Case([group, projection], lambda: projection.w[:], M / M.sum(axis=0))


def monitored_subexpression():
    group, projection = group_and_projection("w : 1\nq = w*x_pre : 1")
    projection.w = 1
    monitor = StateMonitor(projection, "q", record=True)
    right = np.repeat(X, 4).reshape(4, 4)
    return Case([group, projection, monitor], lambda: monitor.q[:, 0].reshape(4, 4), right)


def weights_read_transposed():
    group, projection = group_and_projection()
    model = "k_post = w*x_pre*(i + 1) : 1 (summed)"
    backward = DenseSynapses(group, group, model, weights=projection.T)
    projection.w = M
    backward.w["i == 1"] = "x_pre + 10*x_post"
    right = M.copy()
    right[:, 1] = 1 + 10 * X
    found = {"w": lambda: projection.w[:], "sum": lambda: group.k[:]}
    return Case(
        [group, projection, backward],
        lambda: {name: get() for name, get in found.items()},
        {"w": right, "sum": (X * (X + 1)) @ right.T},
    )


def sum_of_each_kind(names=("first", "second"), silent=""):
    source, sink = NeuronGroup(5, "v : 1"), NeuronGroup(3, "I : 1")
    source.v = 1
    dense = DenseSynapses(source, sink, "w : 1\nI_post = w*v_pre : 1 (summed)", name=names[0])
    dense.w = 2
    plain = Synapses(source, sink, "I_post = v_pre : 1 (summed)", name=names[1])
    plain.connect()
    for obj in (dense, plain):
        obj.active = obj.name != silent
    right = 10 * dense.active + 5 * plain.active
    return Case([source, sink, dense, plain], lambda: sink.I[:], np.full(3, right))


def weights_as_people_set_them():
    ways = {
        "matrix": lambda s: setattr(s, "w", M),
        "list": lambda s: setattr(s, "w", M.tolist()),
        "flat": lambda s: setattr(s, "w", M.ravel()),
        "by i and j": lambda s: setattr(s, "w", M[s.i, s.j]),
        "sparse": lambda s: setattr(s, "w", csr_matrix(M)),
        "row by row": lambda s: [s.w.__setitem__((i, slice(None)), M[i]) for i in range(4)],
        "connect": lambda s: (s.connect(), s.connect(True), setattr(s, "w", M)),
    }
    objects, found = [], {}
    for name, way in ways.items():
        group, projection = group_and_projection()
        way(projection)
        objects += [group, projection]
        found[name] = projection
    return Case(
        objects,
        lambda: {name: projection.w[:] for name, projection in found.items()},
        dict.fromkeys(ways, M),
    )


CASES = {
    case.__name__: case
    for case in (
        expression_of_both_sides,
        expression_where_a_condition_holds,
        regular_update_of_weights,
        regular_update_of_a_copy,
        copies_at_spikes,
        regular_update_of_the_target,
        normalised_weights,
        monitored_subexpression,
        weights_read_transposed,
        sum_of_each_kind,
        weights_as_people_set_them,
    )
} | {
    "sum of each kind, the other name first": lambda: sum_of_each_kind(("z", "a")),
    "sum of each kind, without the dense one": lambda: sum_of_each_kind(("d", "p"), "d"),
    "sum of each kind, without the plain one": lambda: sum_of_each_kind(("d1", "p1"), "p1"),
}


def check(found, right):
    if isinstance(right, dict):
        assert found.keys() == right.keys()
        for name, value in right.items():
            np.testing.assert_allclose(found[name], value, err_msg=name)
    else:
        np.testing.assert_allclose(found, right)


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


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cython", marks=pytest.mark.slow)], indirect=True
)
def test_at_run_time(target, name):
    case = CASES[name]()
    Network(case.objects).run(0.1 * ms)
    check(case.found(), case.right)


def given_values():
    """Two projections that share their weights, to be given these when the program starts."""
    group, forward = group_and_projection("w : 1\nn : integer\nm : boolean\neta : 1 (shared)")
    backward = DenseSynapses(group, group, "k_post = w*x_pre : 1 (summed)", weights=forward.T)
    return group, forward, backward


@pytest.fixture(scope="module")
def standalone(tmp_path_factory):
    """Everything in one program, and what it gives when it runs with other values."""
    directory = tmp_path_factory.mktemp("cases")
    with project(directory) as device:
        cases = {name: case() for name, case in CASES.items()}
        group, forward, backward = given_values()
        objects = [obj for case in cases.values() for obj in case.objects]
        Network(objects, group, forward, backward).run(0.1 * ms)
        build(device, directory)
        device.run()
        found = {name: (case.found(), case.right) for name, case in cases.items()}

        def run_with(view, value):
            device.run(run_args={view: value})
            return {name: np.array(getattr(forward, name)[:]) for name in ("w", "n", "m")} | {
                "I": group.I[:], "k": group.k[:], "of owner": backward.w[:].T
            }  # fmt: skip

        given = {
            "matrix": run_with(forward.w, M),
            "list": run_with(forward.w, M.tolist()),
            "flat": run_with(forward.w, M.ravel()),
            "transposed": run_with(backward.w, M.T),
            "transposed, flat": run_with(backward.w, M.T.ravel()),
            "sparse": run_with(forward.w, csr_matrix(M)),
            "scalar": run_with(forward.w, -0.5),
            "not a number": run_with(forward.w, np.nan),
            "infinite": run_with(forward.w, -np.inf),
            "integers": run_with(forward.n, M.astype(int)),
            "booleans": run_with(forward.m, M > 7),
        }
        refused = {}
        for name, view, value in (
            ("shape", forward.w, M[:2]),
            ("length", backward.w, M.ravel()[:-1]),
            ("text", forward.w, "x_pre"),
            ("units", forward.w, M * ms),
            ("another variable", forward.x_pre, M),
            ("a shared one", forward.eta, M),
        ):
            with pytest.raises((ValueError, TypeError, DimensionMismatchError)) as info:
                device.run(run_args={view: value})
            refused[name] = str(info.value)
        return found, given, refused


@pytest.mark.parametrize("name", CASES)
def test_in_standalone(standalone, name):
    check(*standalone[0][name])


@pytest.mark.parametrize(
    ("name", "w"),
    [
        *((name, M) for name in ("matrix", "list", "flat", "sparse")),
        *((name, M) for name in ("transposed", "transposed, flat")),
        ("scalar", np.full((4, 4), -0.5)),
        ("not a number", np.full((4, 4), np.nan)),
        ("infinite", np.full((4, 4), -np.inf)),
    ],
)
def test_programs_are_given_matrices(standalone, name, w):
    found = standalone[1][name]
    np.testing.assert_array_equal(found["w"], w)
    np.testing.assert_array_equal(found["of owner"], w)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found["I"], X @ w)
        np.testing.assert_allclose(found["k"], X @ w.T)


def test_programs_are_given_whole_numbers_and_masks(standalone):
    np.testing.assert_array_equal(standalone[1]["integers"]["n"], M)
    np.testing.assert_array_equal(standalone[1]["booleans"]["m"], M > 7)


def test_programs_refuse_what_does_not_fit(standalone):
    refused = standalone[2]
    assert "shape (4, 4) (n_pre, n_post), got (2, 4)" in refused["shape"]
    assert "got (15,)" in refused["length"]
    assert "takes real numbers" in refused["text"]
    assert "other units" in refused["units"]
    assert "x_pre is not a matrix" in refused["another variable"]
    assert "eta" in refused["a shared one"]


def test_schedule_is_shown():
    stimulus = ClampedInput(3, steps=2)
    units = NeuronGroup(2, "d : 1\ny : 1")
    model = "dw/dt = rate_pre*y_post/ms : 1 (clock-driven)\nd_post = w*rate_pre : 1 (summed)"
    plastic = DenseSynapses(stimulus, units, model, order=-0.3, name="plastic")
    monitor = ResponseMonitor(units, "d", "True", batch=stimulus)
    summary = Network(stimulus, units, plastic, monitor).scheduling_summary()
    shown = repr(summary)
    for name in ("plastic_summed_variable_d_post", "plastic_stateupdater", "-0.3", "-0.99"):
        assert name in shown
        assert name in summary._repr_html_()


class TestSums:
    """Several projections, dense or plain, sum into one variable."""

    def run(self, kinds, names, *, inactive=(), outside=(), swapped=False):
        source, sink = NeuronGroup(5, "v : 1"), NeuronGroup(3, "I : 1")
        source.v = 1
        projections = {}
        for kind, name in zip(kinds, names, strict=True):
            if kind is DenseSynapses:
                made = kind(source, sink, "w : 1\nI_post = w*v_pre : 1 (summed)", name=name)
                made.w = 10
            else:
                made = kind(source, sink, "I_post = v_pre : 1 (summed)", name=name)
                made.connect()
            projections[name] = made
            made.active = name not in inactive
        inside = [each for name, each in projections.items() if name not in outside]
        network = Network(source, sink, *(reversed(inside) if swapped else inside))
        for _ in range(2):
            network.run(0.2 * ms)
        return sink.I[:], network, projections

    @pytest.mark.parametrize("names", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
    @pytest.mark.parametrize("swapped", [False, True])
    def test_of_both_kinds(self, names, swapped):
        found, *_ = self.run([DenseSynapses, Synapses, DenseSynapses], names, swapped=swapped)
        np.testing.assert_array_equal(found, 50 + 5 + 50)
        found, *_ = self.run([Synapses, DenseSynapses], names[:2], swapped=swapped)
        np.testing.assert_array_equal(found, 5 + 50)

    @pytest.mark.parametrize("way", ["inactive", "outside"])
    @pytest.mark.parametrize(("without", "right"), [("a", 55), ("b", 100), ("c", 55)])
    def test_what_does_not_run_does_not_count(self, way, without, right):
        kinds = [DenseSynapses, Synapses, DenseSynapses]
        found, *_ = self.run(kinds, "abc", **{way: [without]})
        np.testing.assert_array_equal(found, right)

    def test_one_that_comes_later(self):
        found, network, made = self.run([DenseSynapses], "a")
        np.testing.assert_array_equal(found, 50)
        dense = made["a"]
        plain = Synapses(dense.source, dense.target, "I_post = v_pre : 1 (summed)")
        plain.connect()
        network.add(plain)
        network.run(0.2 * ms)
        np.testing.assert_array_equal(dense.target.I, 55)
        plain.active = False
        network.run(0.2 * ms)
        np.testing.assert_array_equal(dense.target.I, 50)

    def test_to_both_sides_of_one_group(self):
        group = NeuronGroup(4, "x : 1\nI : 1")
        group.x = X
        model = "w : 1\nI_post = w*x_pre : 1 (summed)\nI_pre = 2*w*x_post : 1 (summed)"
        both = DenseSynapses(group, group, model)
        both.w = M
        Network(group, both).run(0.2 * ms)
        np.testing.assert_allclose(group.I, X @ M + 2 * M @ X)

    def test_at_different_times_of_a_step_are_refused(self):
        """Brian2 sums into a part of a group later than into a whole one."""
        group = NeuronGroup(4, "x : 1\nI : 1")
        dense = DenseSynapses(group, group, "I_post = x_pre : 1 (summed)", name="dense")
        part = Synapses(group, group[:2], "I_post = x_pre : 1 (summed)", name="part")
        part.connect()
        network = Network(group, dense, part)
        with pytest.raises(BrianObjectException) as info:
            network.run(0.1 * ms)
        for name in ("dense_summed", "part_summed", f"{group.name}.I"):
            assert name in str(info.value.__cause__)
        part.active = False
        network.run(0.1 * ms)

    def test_on_different_clocks_are_refused(self):
        group = NeuronGroup(4, "x : 1\nI : 1")
        slow = NeuronGroup(4, "I : 1 (linked)", dt=0.2 * ms)
        slow.I = linked_var(group.I)
        model = "I_post = x_pre : 1 (summed)"
        projections = [DenseSynapses(group, each, model) for each in (group, slow)]
        with pytest.raises(BrianObjectException) as info:
            Network(group, slow, *projections).run(0.1 * ms)
        assert "different times" in str(info.value.__cause__)

    def test_of_a_clamped_source_and_of_synapses(self):
        found = []
        for clamped in (None, False):
            stimulus = ClampedInput(4, steps=5, dtype=float)
            stimulus.show(np.random.default_rng(0).normal(size=(3, 4)))
            units = NeuronGroup(4, "I : 1\ny : 1")
            units.run_regularly("y = tanh(I)", when="end")
            model = (
                "dw/dt = rate_pre*y_post/ms : 1 (clock-driven)\nI_post = w*rate_pre : 1 (summed)"
            )
            dense = DenseSynapses(stimulus, units, model, clamped=clamped)
            dense.w = M / 10
            plain = Synapses(stimulus, units, "I_post = rate_pre : 1 (summed)")
            plain.connect(j="i")
            Network(stimulus, units, dense, plain).run(1 * second)
            found.append([dense.w[:], units.I[:]])
        np.testing.assert_allclose(found[0][0], found[1][0])
        np.testing.assert_allclose(found[0][1], found[1][1])

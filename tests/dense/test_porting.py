"""Scripts for `Synapses` that run with `DenseSynapses`, and what those that can't are told."""

import numpy as np
import pytest
from brian2 import BrianLogger, Network, NeuronGroup, StateMonitor, Synapses, ms, mV, prefs, second
from brian2.core.base import BrianObjectException
from scipy.sparse import csr_matrix

from ghost_spiking.dense import ClampedInput, DenseSynapses

from .projects import build, project

N = 9
MODEL = """
w : 1
dp/dt = (0.1*x_pre*x_post - p)/(10*ms) : 1 (clock-driven)
q = x_pre - x_post : 1
I_post = 0.3*w*x_pre + 0.01*(1 - w)*x_pre + 0.1*q + 0.01 + p*x_pre : 1 (summed)
K_pre = w/(1 + j) : 1 (summed)
"""
PAIRS = np.nonzero(np.random.default_rng(0).random((N, N)) < 0.4)

#: Ways to connect some of the neurons.
WAYS = {
    "all": lambda s: s.connect(),
    "all, as a condition": lambda s: s.connect(True),
    "not itself": lambda s: s.connect(condition="i != j"),
    "near and larger": lambda s: s.connect("abs(i - j) < near and x_pre > x_post"),
    "pairs": lambda s: s.connect(i=PAIRS[0], j=PAIRS[1]),
    "one to one": lambda s: s.connect(j="i"),
    "the next one": lambda s: s.connect(j="i + 1", skip_if_invalid=True),
    "from one to two": lambda s: s.connect(i=3, j=[1, 2]),
    "in two steps": lambda s: (s.connect("i < j"), s.connect("i > j + 2")),
}
near = 3


@pytest.fixture(autouse=True)
def _numpy_target():
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    BrianLogger.suppress_name("base")
    yield
    prefs.codegen.target = old


class Built:
    """Neurons, and a projection of which some synapses exist."""

    def __init__(self, kind, way, prefix=""):
        self.group = NeuronGroup(
            N,
            "dx/dt = (-x + I)/(10*ms) : 1\nI : 1\nJ : 1\nK : 1\nL : 1",
            threshold="x > 0.3",
            reset="x = 0",
            method="euler",
            name=f"{prefix}group",
        )
        self.group.x = "0.1*i"
        self.kind = kind
        self.synapses = kind(
            self.group,
            model=MODEL,
            on_pre="J_post += 0.1*q",
            on_post="w += 0.01; L_pre += 1",
            method="euler",
            name=f"{prefix}s",
        )
        way(self.synapses)
        self.synapses.w = "0.1*i + 0.01*j"
        self.synapses.p = "0.1*(i + j)"
        self.synapses.run_regularly("w = w + 0.001", dt=1 * ms, name=f"{prefix}regularly")
        self.objects = [self.group, self.synapses]

    def found(self):
        found = {name: np.array(getattr(self.group, name)[:]) for name in "xIJKL"}
        for name in "wp":
            values = np.array(getattr(self.synapses, name)[:]).ravel()
            if self.kind is DenseSynapses and self.synapses.mask is not None:
                there = self.synapses.variables["_connected"].get_value() > 0
                assert not values[~there].any()
                values = values[there]
            # Synapses number pairs in the order of the calls
            found[name] = np.sort(values)
        return found


def assert_same(dense, plain):
    for name, value in plain.items():
        np.testing.assert_allclose(dense[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", WAYS)
def test_some_synapses(name):
    found = []
    for kind in (DenseSynapses, Synapses):
        built = Built(kind, WAYS[name])
        Network(built.objects).run(10 * ms)
        found.append(built.found())
    assert_same(*found)


def test_some_synapses_in_standalone(tmp_path):
    with project(tmp_path) as device:
        pairs = {
            name: [
                Built(kind, WAYS[name], f"{x}{n}")
                for kind, x in ((DenseSynapses, "d"), (Synapses, "p"))
            ]
            for n, name in enumerate(["near and larger", "pairs"])
        }
        Network([obj for pair in pairs.values() for built in pair for obj in built.objects]).run(
            10 * ms
        )
        build(device, tmp_path)
        device.run(str(tmp_path), with_output=False, run_args={})
        for dense, plain in pairs.values():
            assert_same(dense.found(), plain.found())
        # also if the program is given values for what does not exist
        dense = pairs["pairs"][0].synapses
        device.run(str(tmp_path), with_output=False, run_args={dense.w: np.ones((N, N))})
        there = np.zeros((N, N), bool)
        there[PAIRS] = True
        assert not dense.w[:][~there].any()
        assert dense.w[:][there].min() >= 1


def test_connect_refuses():
    group = NeuronGroup(3, "x : 1\nI : 1")
    model = "w : 1\nI_post = w*x_pre : 1 (summed)"
    synapses = DenseSynapses(group, group, model)
    for arguments, message in [
        ({"p": 0.1}, r"connect\(i=i, j=j\)"),
        ({"n": 2}, "one synapse for each pair"),
        ({"condition": False}, "no synapse"),
        ({"i": [0, 0], "j": [1, 1]}, "a pair twice"),
        ({"i": [0], "j": [3]}, "from 0 to 2"),
        ({"j": "k for k in range(2)"}, "condition on i and j"),
        ({"j": "i + 1"}, "skip_if_invalid"),
        ({"condition": "N > 3"}, "number of synapses"),
    ]:
        with pytest.raises(ValueError, match=message):
            synapses.connect(**arguments)
    with pytest.raises(TypeError, match=r"connect\(i=\.\.\., j="):
        synapses.connect([0, 1])
    assert synapses.mask is None
    shared = DenseSynapses(group, group, model)
    other = DenseSynapses(group, group, "I_pre = w*x_post : 1 (summed)", weights=shared)
    for projection in (shared, other):
        with pytest.raises(ValueError, match="shared with another"):
            projection.connect("i != j")
    counting = DenseSynapses(group, group, "w : 1\nI_post = w*x_pre/N_incoming : 1 (summed)")
    with pytest.raises(ValueError, match="number of synapses"):
        counting.connect("i != j")
    synapses.connect("i != j")
    synapses.run_regularly("x_post += 1")
    with pytest.raises(BrianObjectException) as info:
        Network(group, synapses).run(0.1 * ms)
    assert "some synapses are not connected" in str(info.value.__cause__)


@pytest.mark.parametrize(
    ("first", "second"), [((0, 4), (4, 9)), ((2, 7), (1, 9)), ((3, 6), (3, 6))]
)
def test_parts_of_a_group(first, second):
    """Sums into a part come after the group's own update, as in Brian2."""
    found = []
    for kind in (DenseSynapses, Synapses):
        group = NeuronGroup(
            9, "dx/dt = (I - x)/(5*ms) : 1\nI : 1\nback : 1", method="euler", name="n"
        )
        group.x, group.I = "0.1*i", 0.3
        projection = kind(
            group[slice(*first)],
            group[slice(*second)],
            """
            dw/dt = (x_pre*x_post - w*x_post)/(3*ms) : 1 (clock-driven)
            I_post = w*x_pre + 0.1*(x_pre - x_post) : 1 (summed)
            back_pre = w*x_post*i : 1 (summed)
            """,
            method="euler",
            name="s",
        )
        projection.connect()
        projection.w = "0.1*x_pre + 0.01*j"
        Network(group, projection).run(3 * ms)
        found.append(
            [
                np.array(v).ravel()
                for v in (projection.w[:], group.I[:], group.back[:], projection.i[:])
            ]
        )
    for dense, plain in zip(*found, strict=True):
        np.testing.assert_allclose(dense, plain, atol=1e-12)


@pytest.mark.parametrize(("number", "right"), [(2, [4, 4, 8, 8]), (3, [4, 16, 20, 8])])
def test_sums_into_several_parts(number, right):
    group = NeuronGroup(4, "x : 1\nI : 1")
    group.x = 1
    model = "w : 1\nI_post = w*x_pre : 1 (summed)"
    parts = [DenseSynapses(group, part, model) for part in (group[:2], group[2:], group[1:3])]
    for weight, part in enumerate(parts, 1):
        part.w = weight
    Network(group, *parts[:number]).run(0.1 * ms)
    np.testing.assert_array_equal(group.I[:], right)


SPIKING = "w : 1\nds/dt = -s/(5*ms) : 1 (clock-driven)\nI_post = w*s : 1 (summed)"


def spiking(
    model="w : 1\nds/dt = -s/(5*ms) : 1 (clock-driven)\nI_post = w*s : 1 (summed)", **options
):
    group = NeuronGroup(4, "v : 1\nI : 1", threshold="v > 1", reset="v = 0")
    options = {"on_pre": "s += 1"} | options
    return group, DenseSynapses(group, group, model, **options)


def test_states_of_a_neuron_are_set():
    _, synapses = spiking()
    assert synapses.one_sided.keys() == {"s"}
    assert synapses.variables["s"].size == 4
    synapses.s = 0.5
    np.testing.assert_array_equal(synapses.s[:], np.full((4, 4), 0.5))
    synapses.s = "0.1*i + v_pre"
    np.testing.assert_allclose(synapses.s[:], np.repeat(0.1 * np.arange(4), 4).reshape(4, 4))
    synapses.s[2, :] = 7
    synapses.s["i == 1"] = 3
    synapses.s = synapses.s[:] + 1
    np.testing.assert_allclose(synapses.s[:, 0], [1, 4, 8, 1.3])
    for wrong in ("rand()", "0.1*j", "w", "v_post"):
        with pytest.raises(ValueError, match="same at all synapses of a pre-synaptic neuron"):
            synapses.s = wrong
    with pytest.raises(ValueError, match="multiply by a matrix"):
        synapses.s = np.arange(16.0)
    with pytest.raises(ValueError, match="multiply by a matrix"):
        synapses.s[1, 2] = 5


def test_what_spikes_can_not_do():
    for options, error, message in [
        ({"on_post": "s += 1", "on_event": {"post": "other"}}, ValueError, "event 'other'"),
        ({"delay": {"back": 1 * ms}}, ValueError, "pathway 'back', which does not exist"),
        ({"delay": 2}, Exception, "unit of time"),
        ({"delay": -1 * ms}, ValueError, "negative"),
        ({"delay": [1, 2] * ms}, TypeError, "2 different ones"),
        ({"on_pre": {"connect": "s += 1"}}, ValueError, "can't be called 'connect'"),
        ({"clamped": True}, ValueError, "something at spikes"),
        ({"on_pre": "s += t - lastupdate"}, ValueError, "'last = t'"),
    ]:
        with pytest.raises(error, match=message):
            spiking(**options)
    quiet = NeuronGroup(4, "v : 1\nI : 1")
    with pytest.raises(ValueError, match="did you forget its threshold"):
        DenseSynapses(quiet, quiet, on_pre="v_post += 1")
    with pytest.raises(ValueError, match="event-driven, so that it is up to date at spikes only"):
        spiking(SPIKING.replace("clock-driven", "event-driven"))
    with pytest.raises(ValueError, match="noise"):
        spiking(
            "w : 1\nds/dt = -s/(5*ms) + xi*ms**-0.5 : 1 (clock-driven)\nI_post = w*s : 1 (summed)"
        )
    group, synapses = spiking()
    for wrong in ("rand()*ms", "2*ms"):
        with pytest.raises(TypeError, match="same for all synapses"):
            synapses.delay = wrong
    synapses.delay = np.full((4, 4), 2) * ms
    assert synapses.pre.delay == 2 * ms
    group = NeuronGroup(8, "v : 1\nI : 1", threshold="v > 1")
    with pytest.raises(ValueError, match="one after the other; take batch=1"):
        DenseSynapses(group, group, "w : 1", on_pre="w += 1", batch=2)
    for on_pre, cause in [
        ("v_post += 1*mV", "units"),
        ("s = w*unknown", "unknown"),
        ("i = 3", "i"),
    ]:
        group, synapses = spiking(on_pre=f"s += 1\n{on_pre}")
        with pytest.raises(BrianObjectException) as info:
            Network(group, synapses).run(0.1 * ms, namespace={"mV": mV})
        assert cause in str(info.value.__cause__)


@pytest.mark.parametrize("target", ["numpy", pytest.param("cython", marks=pytest.mark.slow)])
def test_random_numbers_at_spikes(target):
    prefs.codegen.target = target
    group = NeuronGroup(4, "v : 1\nI : 1", threshold="i < 2", name="always")
    synapses = DenseSynapses(
        group, group, "w : 1", on_pre="w = rand(); I_post += randn()*int(i == 0)"
    )
    Network(group, synapses).run(0.1 * ms)
    weights = synapses.w[:]
    assert not weights[2:].any()
    assert len(np.unique(weights[:2])) == 8
    assert len(np.unique(group.I)) == 4


def test_matrices_have_one_look_at_their_rule():
    group = NeuronGroup(3, "x : 1")
    model = "dw/dt = -w/(5*ms) + x_pre/second : 1 (clock-driven)"
    with pytest.raises(ValueError, match="method='euler', or 'exact'"):
        DenseSynapses(group, group, model, method="rk4")
    found = []
    for kind in (DenseSynapses, Synapses):
        group = NeuronGroup(3, "x : 1")
        group.x = "0.1*i"
        synapses = kind(group, group, model, method="exact", namespace={"second": second})
        synapses.connect()
        synapses.w = "1 + 0.1*j"
        Network(group, synapses).run(5 * ms)
        found.append(np.array(synapses.w[:]).ravel())
    np.testing.assert_allclose(*found, rtol=1e-10)


def test_replicas_spike_for_themselves():
    """What a batch does is what each of its replicas does alone."""
    rows = np.random.default_rng(2).uniform(0.9, 2, size=(3, 5))
    weights = np.random.default_rng(3).uniform(0, 0.2, size=(5, 5))

    def run(drive, batch):
        group = NeuronGroup(
            drive.size,
            "dv/dt = (I + g - v)/(5*ms) : 1\nI : 1\ng : 1",
            threshold="v > 1",
            reset="v = 0",
            method="euler",
        )
        group.I = drive.ravel()
        synapses = DenseSynapses(
            group,
            group,
            """
            w : 1
            ds/dt = -s/(5*ms) : 1 (clock-driven)
            dx/dt = (1 - x)/(20*ms) : 1 (event-driven)
            g_post = w*s : 1 (summed)
            """,
            on_pre="s += x; x *= 0.8; v_post += 0.1*w*x",
            delay=0.3 * ms,
            batch=batch,
        )
        synapses.w, synapses.x = weights, 1
        if batch > 1:
            synapses.s = np.zeros((batch, 5))
            np.testing.assert_array_equal(synapses.x[:], np.ones((batch, 5)))
            with pytest.raises(ValueError, match="a row for each replica"):
                synapses.s = np.zeros(3)
            with pytest.raises(ValueError, match="a row for each replica"):
                synapses.s = "i"
        monitor = StateMonitor(group, "v", record=True)
        Network(group, synapses, monitor).run(20 * ms)
        return monitor.v

    alone = np.concatenate([run(row, 1) for row in rows])
    np.testing.assert_allclose(run(rows, 3), alone, atol=1e-10)


# from Brian2's look for values that are not numbers
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_spikes_that_are_under_way_are_stored(dtype):
    old = prefs.core.default_float_dtype
    prefs.core.default_float_dtype = dtype
    try:
        model = "dv/dt = (1.5 - v)/(2*ms) : 1\nI : 1"
        group = NeuronGroup(3, model, threshold="v > 1", reset="v = 0", method="euler")
        group.v = "0.3*i"
        model = "w : 1\ndx/dt = -x/(5*ms) : 1 (event-driven)"
        on_pre = "x += 0.5; I_post += w*x"
        synapses = DenseSynapses(group, group, model, on_pre=on_pre, delay=1.7 * ms)
        synapses.w = "1 + i + j"
        network = Network(group, synapses)
        network.run(3 * ms)
        network.store()
        found = []
        for _ in range(2):
            network.restore()
            network.run(4 * ms)
            found.append(np.array(group.I[:]))
            network.run(1 * ms)
    finally:
        prefs.core.default_float_dtype = old
    assert found[0].dtype == dtype
    assert found[0].all()
    np.testing.assert_array_equal(*found)


def test_weights_as_users_set_them():
    group = NeuronGroup(3, "x : 1\nI : 1")
    values = np.arange(9.0).reshape(3, 3)
    synapses = DenseSynapses(group, model="w : 1\nI_post = w*x_pre : 1 (summed)")
    synapses.connect(condition="i != j")
    for given in (values, values.flatten(), values[synapses.i, synapses.j], csr_matrix(values)):
        synapses.w = given
        np.testing.assert_array_equal(synapses.w[:], values - np.diag(np.diag(values)))
    synapses.w[:] = 1
    synapses.w[1, 1] = 5
    synapses.w["i == 2"] = "3"
    np.testing.assert_array_equal(synapses.w[:], [[0, 1, 1], [1, 0, 1], [3, 3, 0]])
    assert len(StateMonitor(synapses, "w", record=synapses[0, :]).record) == 3


def test_weights_of_chosen_neurons():
    found = []
    for kind in (DenseSynapses, Synapses):
        group = NeuronGroup(5, "x : 1\nI : 1", name="of_chosen*")
        synapses = kind(group, group, "w : 1\nI_post = w*x_pre : 1 (summed)")
        synapses.connect()
        synapses.w[:] = 1
        synapses.w[synapses.indices[:, 1:3]] = 2
        synapses.w[synapses.indices[1:3, 1:3]] = 3
        found.append(np.array(synapses.w[:]).reshape(5, 5))
    np.testing.assert_array_equal(*found)
    assert found[0].sum() == 25 + 10 + 4


def test_a_clamped_source_with_some_synapses():
    model = "dw/dt = y_post*rate_pre/ms : 1 (clock-driven)\ny_post = w*rate_pre : 1 (summed)"
    found = []
    for way in ({}, {"condition": "i != j"}):
        stimulus = ClampedInput(3, batch=1, steps=2, dtype=float)
        unit = NeuronGroup(3, "y : 1", clock=stimulus.clock)
        synapses = DenseSynapses(stimulus, unit, model, batch=stimulus)
        synapses.connect(**way)
        synapses.w = 1
        stimulus.show([[1.0, 2.0, 3.0]])
        Network(stimulus, unit, synapses).run(1 * ms)
        found.append(unit.y[:])
    np.testing.assert_allclose(found[0], 6 * (1 + 0.1 * 14))
    others = 14 - np.array([1.0, 4.0, 9.0])
    sums = 6 - np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(found[1], sums + 0.1 * sums * others)

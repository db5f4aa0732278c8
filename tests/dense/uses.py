"""Every place where Brian2 takes a synaptic expression, for `DenseSynapses` and `Synapses` alike.

A model gets expressions and is asked what it makes of them. Values of synapses are flat, in the
order of `Synapses.connect`, so that the two kinds can be compared.
"""

import numpy as np
from brian2 import Clock, Network, NeuronGroup, StateMonitor, Synapses, ms, mV
from brian2.parsing.sympytools import str_to_sympy
from hypothesis import strategies as st

from ghost_spiking.dense import DenseSynapses

N_PRE, N_POST = 4, 3
N = N_PRE * N_POST

SOURCE = """
x : 1
u : 1
n : integer
on : boolean
k : 1 (shared)
half = x/2 + u : 1
"""
TARGET = """
y : 1
v : 1
total : 1
potential : volt
h : 1 (shared)
twice = 2*v : 1
"""
MODEL = """
w : 1
c : 1
seen : 1
p : integer
m : boolean
eta : 1 (shared)
q = c + 0.1*({q}) : 1
both = i + 10*j : integer
strong = w > 0.3 : boolean
total_post = w*x_pre : 1 (summed)
"""

#: Whatever can stand in an expression over synapses; "a" is an external constant.
ATOMS = st.sampled_from(
    ["w", "c", "p", "int(m)", "eta", "a", "0.5", "3", "i", "j", "N_pre", "N_post", "N_incoming",
     "x_pre", "u_pre", "n_pre", "int(on_pre)", "k_pre", "half_pre", "i_pre", "(t/ms)",
     "y_post", "y", "v", "twice", "h_post", "h", "total", "(potential_post/mV)", "both",
     "int(strong)"]
)  # fmt: skip
FORMS = [
    "({} + {})", "({} - {})", "({}*{})", "({}/(2 + abs({})))", "clip({}, -1, ({})**2)",
    "tanh({} - {})", "exp(-abs({} + {}))", "int({} > {})", "sqrt(abs({}*{}))", "({} % 3 + {})",
]  # fmt: skip


def is_known_to_brian2(expression):
    """Tell whether Brian2 can read it; it can't compare functions of `int`, such as tanh."""
    try:
        str_to_sympy(expression)
    except SyntaxError:
        return False
    return True


EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.builds(
        lambda form, a, b: form.format(a, b), st.sampled_from(FORMS), inner, inner
    ),
    max_leaves=6,
).filter(is_known_to_brian2)
CONDITIONS = st.one_of(
    st.builds("c > {}".format, EXPRESSIONS),
    st.builds("i != j and {} < x_pre".format, EXPRESSIONS),
    st.sampled_from(["m or on_pre", "strong", "i == j", "both > 11 and not m", "y_post > x_pre"]),
).filter(is_known_to_brian2)
#: In Brian2's numpy a copy, ``w = c``, changes with c; for ours see test_cases.py.
UPDATES = EXPRESSIONS.filter(lambda expression: expression != "c")
#: The arguments of `Uses`.
DRAWN = {"first": EXPRESSIONS, "where": CONDITIONS, "update": UPDATES, "q": EXPRESSIONS}


class Uses:
    """A source, a target and a projection, whose expressions are used everywhere.

    Parameters
    ----------
    kind : class
        `DenseSynapses` or `Synapses`.
    first : str
        Assigned to matrices.
    where : str
        A condition.
    update : str
        What the weights become in every time step.
    q : str
        Part of the subexpression.
    prefix : str
        First part of all names.
    """

    def __init__(self, kind, first, where, update, q, *, prefix=""):
        rng = np.random.default_rng(5)
        self.kind, self.prefix, self.where = kind, prefix, where
        clock = Clock(0.1 * ms, name=f"{prefix}clock")
        source = NeuronGroup(N_PRE, SOURCE, clock=clock, name=f"{prefix}source")
        target = NeuronGroup(N_POST, TARGET, clock=clock, name=f"{prefix}target")
        self.source, self.target = source, target
        source.x, source.u = rng.uniform(-1, 1, size=(2, N_PRE))
        source.n, source.on, source.k = [1, -2, 3, 4], [True, False, True, True], 0.7
        target.y, target.v = rng.uniform(-1, 1, size=(2, N_POST))
        target.potential, target.h = [1, -2, 3] * mV, 0.3
        self.synapses = kind(
            source,
            target,
            MODEL.format(q=q),
            namespace={"a": 0.6},
            clock=clock,
            name=f"{prefix}synapses",
        )
        self.synapses.connect()
        self._assign(first)
        self._set_to_run(update)

    def _assign(self, first):
        synapses = self.synapses
        synapses.p, synapses.m = "i - j + n_pre", "i > j or on_pre"
        synapses.c = np.linspace(-1, 1, N)
        synapses.eta = 1.1
        synapses.w = f"0.2*({first})"
        synapses.c[self.where] = first
        synapses.w[self.where] = 0.25
        synapses.y_post["x_pre == x_pre"] = "0.5*v_post"

    def _set_to_run(self, update):
        synapses, name = self.synapses, self.prefix
        self.source.run_regularly("x = x + 0.1*cos(u)", when="end", name=f"{name}source_moves")
        self.target.run_regularly("v = v - 0.1*tanh(total)", when="end", name=f"{name}target_moves")
        # Before the monitors, which start as the others do.
        synapses.run_regularly("seen = q", when="before_start", name=f"{name}see")
        synapses.run_regularly(f"w = {update}\nc += 0.1*tanh(w)", when="end", name=f"{name}w")
        synapses.run_regularly("u_pre += 0.01*c", when="after_end", name=f"{name}u")
        synapses.run_regularly("eta = 0.9*eta + h_post", dt=0.2 * ms, when="end", name=f"{name}eta")
        synapses.run_regularly("y_post = v_post + t/ms", when="after_groups", name=f"{name}y")
        record = {"w": np.arange(N), "seen": [1, 5, 7], "x_pre": np.arange(N), "y": [0, 11]}
        self.monitors = {
            variable: StateMonitor(synapses, variable, indices, name=f"{name}monitor_{variable}")
            for variable, indices in record.items()
        }
        if self.kind is DenseSynapses:
            # Brian2 can't follow a subexpression of Synapses with variables of the groups.
            self.monitors["q"] = StateMonitor(
                synapses, ["q", "both"], True, name=f"{name}monitor_q"
            )

    @property
    def objects(self):
        return [self.source, self.target, self.synapses, *self.monitors.values()]

    def asked(self):
        """Return what is found by asking the objects, which is not possible in C++ standalone."""
        synapses, where = self.synapses, self.where
        states = synapses.get_states(["w", "q", "x_pre", "y", "i", "both", "m", "p", "eta"])
        found = {f"states {name}": value for name, value in states.items()}
        for name in ("w", "q", "both", "x_pre", "m"):
            found[f"{name} where"] = getattr(synapses, name)[where]
            found[f"{name} all"] = getattr(synapses, name)[:]
        # Copies: those of Brian2 are views of memory that goes with the objects.
        return {name: np.array(value).ravel() for name, value in found.items()}

    def seen(self):
        """Return what is there after a run."""
        synapses = self.synapses
        found = {name: getattr(synapses, name)[:] for name in ("w", "c", "seen", "p", "m", "eta")}
        found |= {name: getattr(self.source, name)[:] for name in "xu"}
        found |= {name: getattr(self.target, name)[:] for name in ("y", "v", "total")}
        found = {name: np.array(value).ravel() for name, value in found.items()}
        for name, monitor in self.monitors.items():
            found[f"monitor of {name}"] = np.array(getattr(monitor, name))
        if "q" in self.monitors:
            q = found.pop("monitor of q")
            # Two loops that compute the same may differ in the last digit.
            np.testing.assert_allclose(q[[1, 5, 7]], found["monitor of seen"], rtol=1e-14)
            i, j = np.divmod(np.arange(N), N_POST)
            np.testing.assert_array_equal(self.monitors["q"].both[:, 0], i + 10 * j)
        return found


def compare(**drawn):
    """Compare the two kinds in runtime mode, before and after a run."""
    found = []
    for kind in (DenseSynapses, Synapses):
        uses = Uses(kind, **drawn)
        before = uses.asked()
        Network(uses.objects).run(0.3 * ms)
        found.append([before, uses.seen(), uses.asked()])
    for dense, plain in zip(*found, strict=True):
        assert_same(dense, plain)


def assert_same(dense, plain):
    assert dense.keys() == plain.keys()
    for name, value in plain.items():
        assert dense[name].dtype == value.dtype, name
        # C++ may round another way where it writes the same expression in another place
        np.testing.assert_allclose(dense[name], value, rtol=1e-12, atol=1e-13, err_msg=name)

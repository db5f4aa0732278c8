"""Spiking and rate models drawn from a grammar of what users write, against `Synapses`."""

import random
import re

import numpy as np
import pytest
from brian2 import BrianLogger, Clock, Network, Synapses, ms, prefs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ghost_spiking.dense import DenseSynapses

from . import models
from .projects import build, project
from .spiking import Built, Case, assert_equal, simulate

#: States, and what they need. Those without spikes of their own are moved by others.
EQUATIONS = {
    "s": "ds/dt = -s/(5*ms) : 1 (clock-driven)",
    "slow": "dslow/dt = (s - slow)/(9*ms) : 1 (clock-driven)",
    "p": "dp/dt = -p/(7*ms) : 1 (clock-driven)",
    "a": "da/dt = (0.2*s*p - a)/(6*ms) : 1 (clock-driven)",
    "x": "dx/dt = -x/(20*ms) : 1 (event-driven)",
    "u": "du/dt = (0.2 - u)/(30*ms) : 1 (event-driven)",
    "y": "dy/dt = -y/(15*ms) : 1 (event-driven)",
    "z": "dz/dt = -z/(12*ms) : 1 (event-driven)",
}
NEEDS = {"slow": {"s"}, "a": {"s", "p"}}
#: Statements by side, with the states that they need.
ON_PRE = {
    "g_post += w": set(),
    "v += 0.3*w": set(),
    "g_post += w*(1 - v_post)": set(),
    "h_post += v_pre + 0.1*j": set(),
    "c_post = w": set(),
    "s += 1": {"s"},
    "s += 0.5*(1 - s)": {"s"},
    "x += 0.1; w = clip(w + 0.02*y, 0, 0.1)": {"x", "y"},
    "u += 0.2*(1 - u); r = u*x; x = 0.9*x; g_post += 0.1*w*r": {"x", "u"},
    "x = 1": {"x"},
    "z += 0.1*w; g_post += 0.1*z": {"z"},
    "q = 0.1*x; g_post += w*q; x += 0.2": {"x"},
    "w *= 1 + 0.01*y - 0.01*x": {"x", "y"},
    "b = int(v_post > 0.5); g_post += 0.1*w*b; w = clip(w + 0.001*b, 0, 0.1)": set(),
    "a += 0.01*w": {"a"},
}
ON_POST = {
    "y += 0.1": {"y"},
    "p += 1": {"p"},
    "w = clip(w - 0.02*x, 0, 0.1)": {"x"},
    "k = y; y = 1; w = clip(w + 0.01*x*k, 0, 0.1)": {"x", "y"},
    "z *= 0.9": {"z"},
    "w += 0.001*(0.1 - w)": set(),
    "c_pre += w": set(),
}
SUMS = {
    "h_post = w*s : 1 (summed)": {"s"},
    "h_post = 2*w*slow*(2 - v_post) : 1 (summed)": {"slow"},
    "h_post = w*sin(v_pre - v_post) + 0.1*s : 1 (summed)": {"s"},
    "h_post = 0.1*w*(v_pre - v_post) : 1 (summed)": set(),
    "h_post = (w + a)*s*p : 1 (summed)": {"a"},
}
BACK = {"c_pre = w*v_post : 1 (summed)": set(), "c_pre = w*p : 1 (summed)": {"p"}}
ENDS = ("all", "parts", "generator")
CONDITIONS = (None, None, "i != j", "abs(i - j) < 6")
DELAYS = (None, None, 0.4 * ms, 1.3 * ms)


def case(pre, post, sums, ends, condition, delay):
    """Put a model together, with all states that it needs; drop what contradicts the rest."""
    summed = {line.split("_")[0] for line in sums}
    pre = [line for line in pre if not ("h" in summed and "h_post" in line)]
    pre = [line for line in pre if not (ends == "generator" and "v_pre" in line)]
    post = [line for line in post if not ("c" in summed and "c_pre" in line)]
    sums = [
        line for line in sums if not (ends == "generator" and ("_pre =" in line or "v_pre" in line))
    ]
    if ends == "generator":
        post = [line for line in post if "c_pre" not in line]
    needed = set()
    for line in (*pre, *post, *sums):
        needed |= (ON_PRE | ON_POST | SUMS | BACK)[line]
    for name in list(needed):
        needed |= NEEDS.get(name, set())
    model = ["w : 1", *(EQUATIONS[name] for name in EQUATIONS if name in needed), *sums]
    return Case(
        "\n".join(model),
        on_pre="\n".join(pre) or "g_post += w",
        on_post="\n".join(post) or None,
        delay=delay,
        method="euler",
        ends=ends,
        condition=condition,
    )


def lines(of, most):
    return st.lists(st.sampled_from(sorted(of)), max_size=most, unique=True)


CASES = st.builds(
    lambda pre, post, main, back, *rest: case(pre, post, main + back, *rest),
    lines(ON_PRE, 3),
    lines(ON_POST, 2),
    lines(SUMS, 1),
    lines(BACK, 1),
    st.sampled_from(ENDS),
    st.sampled_from(CONDITIONS),
    st.sampled_from(DELAYS),
)
PATIENT = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(autouse=True)
def _numpy_target():
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    BrianLogger.suppress_name("base")
    yield
    prefs.codegen.target = old


def depends_on_order(drawn):
    """Whether a spike reads what others of the same step write.

    Brian2 takes one spike after the other in Cython and C++, as we do everywhere; in numpy all at
    once, so that its own targets differ.
    """
    return "v +=" in drawn.on_pre and re.search(r"v_(pre|post)", drawn.on_pre)


def compare(drawn):
    if prefs.codegen.target == "numpy":
        assume(not depends_on_order(drawn))
    assert_equal(simulate(DenseSynapses, drawn, 8 * ms), simulate(Synapses, drawn, 8 * ms))


@settings(max_examples=8, **PATIENT)
@given(CASES)
def test_drawn_models_equal_synapses(drawn):
    compare(drawn)


@pytest.mark.slow
@settings(max_examples=150, **PATIENT)
@given(CASES)
def test_many_drawn_models_equal_synapses(drawn):
    compare(drawn)


@pytest.mark.slow
def test_spikes_of_one_step_take_turns_in_numpy_too():
    line = "b = int(v_post > 0.5); g_post += 0.1*w*b; w = clip(w + 0.001*b, 0, 0.1)"
    drawn = case([line, "v += 0.3*w"], [], [], "all", None, None)
    dense = simulate(DenseSynapses, drawn, 8 * ms)
    assert not np.array_equal(dense["w"], simulate(Synapses, drawn, 8 * ms)["w"])
    prefs.codegen.target = "cython"
    assert_equal(dense, simulate(Synapses, drawn, 8 * ms))


@pytest.mark.slow
@settings(max_examples=6, **PATIENT)
@given(CASES)
def test_drawn_models_equal_synapses_in_cython(drawn):
    prefs.codegen.target = "cython"
    compare(drawn)


@pytest.mark.slow
def test_drawn_models_equal_synapses_in_standalone(tmp_path):
    """Twenty models in one program."""
    rng = random.Random(1)

    def some(of, most):
        return rng.sample(sorted(of), rng.randint(0, most))

    with project(tmp_path) as device:
        pairs = []
        for number in range(20):
            drawn = case(
                some(ON_PRE, 3),
                some(ON_POST, 2),
                some(SUMS, 1) + some(BACK, 1),
                rng.choice(ENDS),
                rng.choice(CONDITIONS),
                rng.choice(DELAYS),
            )
            pairs.append(
                [
                    Built(kind, drawn, f"{x}{number}_")
                    for kind, x in ((DenseSynapses, "d"), (Synapses, "p"))
                ]
            )
        Network([obj for pair in pairs for built in pair for obj in built.objects]).run(8 * ms)
        build(device, tmp_path)
        device.run(str(tmp_path), with_output=False, run_args={})
        spikes = 0
        for dense, plain in pairs:
            assert_equal(dense.found(), plain.found())
            spikes += len(plain.found()["i"])
        assert spikes > 100
        assert np.isfinite(plain.found()["v"]).all()


@pytest.mark.slow
def test_rules_in_cython_are_those_in_numpy():
    """Without replicas they are another program there."""
    late = ("late_post*y_post*x_pre*c", "w*x_pre", "w*y_post")
    drawn = [*models.draw(5, 2), models.SIDES[1], late]
    found = []
    for target in ("numpy", "cython"):
        prefs.codegen.target = target
        built = models.build(DenseSynapses, drawn, prefix=target, clock=Clock(0.1 * ms))
        models.give(built)
        Network(built.objects).run(1 * ms)
        objects = {obj.name: obj for obj in built.objects}
        found.append([objects[f"{target}model{m}"].w[:] for m in range(len(drawn))])
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12)

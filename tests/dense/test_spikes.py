"""What projections do at spikes, against Brian2's `Synapses`, spike by spike."""

from dataclasses import replace

import numpy as np
import pytest
from brian2 import (
    BrianLogger,
    Clock,
    Network,
    NeuronGroup,
    SpikeMonitor,
    Synapses,
    linked_var,
    ms,
    prefs,
    second,
)

from ghost_spiking.dense import ClampedInput, CompiledNetwork, DenseSynapses

from .projects import build, project
from .spiking import CASES, Built, assert_equal, simulate


@pytest.fixture(autouse=True)
def _numpy_target():
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    # of Synapses, where one statement of a pathway overwrites what another has written
    BrianLogger.suppress_name("base")
    yield
    prefs.codegen.target = old


@pytest.mark.parametrize("name", CASES)
def test_equals_synapses(name):
    plain = simulate(Synapses, CASES[name])
    assert len(plain["i"]) > 20
    assert_equal(simulate(DenseSynapses, CASES[name]), plain)


def test_subexpressions_are_up_to_date():
    """In `Synapses` they may be those before the decay, or before the statement above."""
    case = CASES["what was before"]
    named = replace(
        case, model=case.model + "\nq = w*x : 1", on_pre=case.on_pre.replace("w*x", "q")
    )
    assert_equal(simulate(DenseSynapses, named), simulate(DenseSynapses, case))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_equals_synapses_in_cython(name):
    prefs.codegen.target = "cython"
    assert_equal(simulate(DenseSynapses, CASES[name]), simulate(Synapses, CASES[name]))


def _in_one_program(cases, directory):
    """Run all cases with both kinds in one C++ program; give what each has found."""
    with project(directory) as device:
        pairs = {
            name: [
                Built(kind, case, prefix=f"{letter}{number}_")
                for kind, letter in ((Synapses, "p"), (DenseSynapses, "d"))
            ]
            for number, (name, case) in enumerate(cases.items())
        }
        Network([obj for pair in pairs.values() for built in pair for obj in built.objects]).run(
            30 * ms
        )
        build(device, directory)
        device.run(str(directory), with_output=False, run_args={})
        return {name: [built.found() for built in pair] for name, pair in pairs.items()}


#: Those of a kind do the same in other languages.
FEW = ["without suffix, delayed", "pairs of spikes, parts of a group", "short-term plasticity",
       "a trace of each synapse", "slow conductances"]  # fmt: skip


def test_equals_synapses_in_standalone(tmp_path):
    for plain, dense in _in_one_program({name: CASES[name] for name in FEW}, tmp_path).values():
        assert_equal(dense, plain)


@pytest.mark.slow
def test_all_equal_synapses_in_standalone(tmp_path):
    for plain, dense in _in_one_program(CASES, tmp_path).values():
        assert_equal(dense, plain)


def _digits(steps=40):
    """Inputs that fire at the rates of an image, and neurons that learn from them at spikes."""
    clock = Clock(0.5 * ms)
    shown = ClampedInput(6, steps=steps, dtype=float, clock=clock, name="shown")
    inputs = NeuronGroup(
        6,
        "dv/dt = rate/(5*ms) : 1\nrate : 1 (linked)",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        clock=clock,
        name="inputs",
    )
    inputs.rate = linked_var(shown, "rate")
    neurons = NeuronGroup(
        4,
        "dv/dt = (g - v)/(20*ms) : 1\ndg/dt = -g/(5*ms) : 1\ndtheta/dt = -theta/(1*second) : 1",
        threshold="v > 0.3 + theta",
        reset="v = 0; theta += 0.02",
        method="euler",
        clock=clock,
        name="neurons",
    )
    learning = DenseSynapses(
        inputs,
        neurons,
        "w : 1\ndApre/dt = -Apre/(20*ms) : 1 (event-driven)",
        on_pre="g_post += w; Apre = 1",
        on_post="w = clip(w + 0.05*(Apre - 0.3), 0, 1)",
        delay={"pre": 1 * ms},
        name="learning",
    )
    lateral = DenseSynapses(neurons, on_pre="v_post -= 0.1", name="lateral")
    lateral.connect("i != j")
    plain = Synapses(neurons, inputs, on_pre="v_post -= 0.01", name="plain", clock=clock)
    plain.connect("i == j")
    monitor = SpikeMonitor(neurons, name="spikes")
    return Network(shown, inputs, neurons, learning, lateral, plain, monitor)


@pytest.mark.slow
def test_one_program_for_one_image_after_another():
    """Spikes, weights and thresholds come out, and are carried on."""
    images = np.random.default_rng(0).random((4, 6))
    weights = np.random.default_rng(1).random((6, 4))
    program = CompiledNetwork(_digits)
    values, spikes = {"learning.w": weights}, []
    wanted = ["learning.w", "neurons.theta", "spikes.i", "spikes.t"]
    for number in range(4):
        results = program.run(values, {"shown": (images, [number])}, wanted)
        spikes.append(results.arrays["spikes.i"])
        values = {name: results.arrays[name] for name in ("learning.w", "neurons.theta")}
    expected = {"w": weights, "theta": np.zeros(4)}
    for number in range(4):
        network = _digits()
        network["learning"].w, network["neurons"].theta = expected["w"], expected["theta"]
        network["shown"].show(images, [number])
        network.run(1 * second)
        np.testing.assert_array_equal(spikes[number], network["spikes"].i[:])
        expected = {"w": network["learning"].w[:], "theta": np.array(network["neurons"].theta[:])}
    assert sum(map(len, spikes)) > 8
    np.testing.assert_allclose(values["learning.w"].reshape(6, 4), expected["w"], rtol=1e-9)

"""What projections do at spikes, against Brian2's `Synapses`, spike by spike."""

from dataclasses import replace

import pytest
from brian2 import BrianLogger, Network, Synapses, ms, prefs

from ghost_spiking.dense import DenseSynapses

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

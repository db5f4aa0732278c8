"""Projects are compiled from few files, with the same result as from those that Brian2 writes."""

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    check_units,
    implementation,
    ms,
)
from brian2.devices.device import get_device

from ghost_spiking.dense import CompilationError, DenseSynapses, _compiler

from .projects import build, project


@implementation("cpp", "double doubled(double x) { return 2*x; }")
@check_units(x=1, result=1)
def doubled(x):
    return 2 * x


def objects():
    """Of many kinds: spikes, delays, plasticity, monitors, dense projections, own functions."""
    source = SpikeGeneratorGroup(3, [0, 1, 2, 0], [1, 2, 3, 4] * ms, name="source")
    units = NeuronGroup(
        4,
        "dv/dt = (doubled(drive) - v)/(5*ms) : 1\ndrive : 1\nrate = v % 0.7 + v**3 : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="units",
        namespace={"doubled": doubled},
    )
    stdp = Synapses(
        source,
        units,
        "w : 1\nda/dt = -a/(3*ms) : 1 (event-driven)",
        on_pre="v_post += w\na += 0.1\nw = clip(w + a, 0, 1)",
        on_post="w = clip(w - 0.05*a, 0, 1)",
        delay=0.3 * ms,
        name="stdp",
    )
    stdp.connect()
    stdp.w = "0.1 + 0.1*i"
    text = "dw/dt = 0.1*rate_pre*v_post/ms : 1 (clock-driven)\ndrive_post = w*rate_pre : 1 (summed)"
    dense = DenseSynapses(units, units, text, name="dense")
    dense.w = "0.1*(i + 1)/(j + 1)"
    monitors = SpikeMonitor(units, name="spikes"), StateMonitor(units, "v", True, name="states")
    return source, units, stdp, dense, *monitors


def spikes_of_two_neurons(directory):
    """Compile and run as little as there can be."""
    with project(directory) as device:
        units = NeuronGroup(2, "dv/dt = 1/ms : 1", threshold="v > 1", reset="v = 0", method="euler")
        spikes = SpikeMonitor(units)
        Network(units, spikes).run(3 * ms)
        build(device, directory)
        get_device().run(str(directory), with_output=False, run_args=[])
        return np.array(spikes.i[:])


def results(directory):
    with project(directory) as device:
        _, units, stdp, dense, spikes, states = built = objects()
        Network(*built).run(8 * ms)
        build(device, directory)
        get_device().run(str(directory), with_output=False, run_args=[])
        return {
            "v": np.array(units.v[:]),
            "stdp": np.array(stdp.w[:]),
            "dense": np.array(dense.w[:]),
            "spikes": np.array(spikes.i[:]),
            "states": np.array(states.v),
        }


def test_bundled_sources_give_the_same_program(tmp_path, monkeypatch):
    calls = []
    make = _compiler._make

    def counted(directory):
        calls.append(make(directory))
        return calls[-1]

    monkeypatch.setattr(_compiler, "_make", counted)
    bundled = results(tmp_path / "bundled")
    assert calls == [None], "the bundles were not compiled at the first go"
    assert list((tmp_path / "bundled").glob("bundle_*.cpp"))
    monkeypatch.setattr(_compiler, "_bundled", lambda directory, makefile: makefile)
    separate = results(tmp_path / "separate")
    assert len(bundled["spikes"]) > 0
    for name, values in separate.items():
        np.testing.assert_array_equal(bundled[name], values, err_msg=name)


def test_what_can_not_be_bundled_is_compiled_as_it_was_written(tmp_path, monkeypatch):
    bundled = _compiler._bundled

    def broken(directory, makefile):
        changed = bundled(directory, makefile)
        with open(directory / "bundle_0.cpp", "a") as file:
            file.write("this is no C++;\n")
        return changed

    monkeypatch.setattr(_compiler, "_bundled", broken)
    assert sorted(spikes_of_two_neurons(tmp_path)) == [0, 0, 1, 1]


def test_messages_of_the_compiler_are_those_of_the_project(tmp_path):
    (tmp_path / "code_objects").mkdir()
    makefile = "SRCS = main.cpp\nmain:\n\t@echo 'error: wrong' >&2; exit 1\n"
    (tmp_path / "makefile").write_text(makefile)
    with pytest.raises(CompilationError, match=r"the C\+\+ compiler failed: error: wrong"):
        _compiler.compile_project(tmp_path)

"""Programs of every kind, compiled with AddressSanitizer: none touches memory that it should not.

A program that does ends with an error, and so does its test.
"""

import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, device, ms, prefs, second, set_device

from ghost_spiking.dense import ClampedInput, DenseSynapses, standalone
from ghost_spiking.simulation import Simulation

from .dense import test_cpp
from .numerics import test_engines

pytestmark = pytest.mark.slow
FLAGS = ["-w", "-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer", "-std=c++11"]


@pytest.fixture(autouse=True)
def _sanitized(monkeypatch, tmp_path):
    # Brian2 and BLAS keep some memory until the end.
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0:halt_on_error=1")
    monkeypatch.setenv("GHOST_SPIKING_CACHE", str(tmp_path / "programs"))
    monkeypatch.setattr(standalone, "COMPILER_FLAGS", FLAGS)
    old = prefs.codegen.cpp.extra_compile_args, prefs.codegen.cpp.extra_link_args
    prefs.codegen.cpp.extra_compile_args, prefs.codegen.cpp.extra_link_args = FLAGS, FLAGS
    yield
    prefs.codegen.cpp.extra_compile_args, prefs.codegen.cpp.extra_link_args = old
    programs = list(tmp_path.glob("**/main"))
    assert programs
    assert all(b"__asan_init" in program.read_bytes() for program in programs)


@pytest.mark.parametrize("parts", [test_cpp.ALONE, test_cpp.BATCHED])
def test_rules_and_sums(parts):
    """Clamped, transposed, for each synapse, one-sided factors; a smaller last batch."""
    results = test_cpp.run_program(parts, extra=parts is test_cpp.BATCHED)
    values, _, found = results
    for part in parts.values():
        part.compare(found.arrays, part.reference(values), 1e-11)
    if parts is test_cpp.BATCHED:
        for clamped in (None, False):
            test_cpp.test_clamped_and_transposed(results, clamped)
        test_cpp.test_responses(results)


@pytest.mark.parametrize(
    ("engine", "batch", "options"),
    [
        ("dense", 4, test_engines.EACH_FEEDBACK),
        ("dense", 1, test_engines.EACH_FEEDBACK | {"model": "MB"}),
        ("dense", 3, test_engines.OPTIONS["everything"] | {"model": "MB"}),
        ("synapses", 1, test_engines.OPTIONS["everything"]),
    ],
)
def test_networks(engine, batch, options):
    case = test_engines.make(batch, **options)
    spec, weights, images, labels, order = case
    sim = Simulation(spec, engine=engine, precision="float64", weights=weights)
    sim.present(images, labels, order=order)
    oracle, _ = test_engines.expected(*case)
    test_engines.assert_weights(sim.weights, oracle, 1e-10)
    sim.respond(images)


def test_script(tmp_path):
    """A plain standalone script with several runs, which uses Brian2's own templates, too."""
    set_device("cpp_standalone", build_on_run=False, directory=str(tmp_path))
    try:
        clock = Clock(1 * ms)
        shown = ClampedInput(3, batch=2, steps=3, clock=clock)
        units = NeuronGroup(2 * 2, "y : 1\ntotal : 1", clock=clock)
        units.run_regularly("total = total + y", when="end")
        sums = DenseSynapses(
            shown,
            units,
            "y_post = w*rate_pre : 1 (summed)\ndw/dt = -0.1*w/ms : 1 (clock-driven)",
            batch=shown,
        )
        sums.w = "i + 10*j"
        sums.run_regularly("w = clip(w, 0, 11)", when="end")
        network = Network(shown, units, sums)
        w, total = np.add.outer(np.arange(3), 10 * np.arange(2.0)), 0
        for data in (np.arange(9).reshape(3, 3), np.full((1, 3), 200)):
            shown.show(data.astype(np.uint8))
            network.run(1 * second)
            for first in range(0, len(data), 2):
                for _ in range(3):
                    total = total + data[first] @ w
                    w = np.clip(0.9 * w, 0, 11)
        device.build(directory=str(tmp_path), run=True)
        np.testing.assert_allclose(np.reshape(sums.w, (3, 2)), w, 1e-12)
        np.testing.assert_allclose(units.total[:2], total, 1e-12)
    finally:
        device.reinit()
        set_device("runtime")

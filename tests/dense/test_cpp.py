"""`DenseSynapses` in C++ standalone: general rules and sums, in one program."""

import numpy as np
import pytest
from brian2 import Clock, Network, Synapses, ms, prefs

from ghost_spiking.dense import ClampedInput, CompiledNetwork, DenseSynapses

from . import models

N_PRE, N_POST, BATCH, STEPS, ROWS = 4, 3, 3, 4, 7
#: Presentations, the last one of a smaller batch.
PRESENTATIONS = -(-ROWS // BATCH)
ALONE = models.draw(seed=1, number=8)
BATCHED = models.draw(seed=2, number=4)


def build_program():
    clock = Clock(0.1 * ms)
    stimulus = ClampedInput(5, batch=BATCH, steps=STEPS, dtype=float, clock=clock, name="stimulus")
    alone = models.build(DenseSynapses, ALONE, prefix="a_", clock=clock)
    batched = models.build(DenseSynapses, BATCHED, batch=stimulus, prefix="b_", clock=clock)
    network = Network(stimulus, *alone.objects, *batched.objects)
    return network, alone.values | batched.values


@pytest.fixture(scope="module")
def results():
    values = {}

    def build():
        network, given = build_program()
        values.update(given)
        return network

    program = CompiledNetwork(build)
    rng = np.random.default_rng(0)
    inputs = {"stimulus": (rng.normal(size=(ROWS, 5)), np.arange(ROWS))}
    wanted = [f"a_model{m}.w" for m in range(len(ALONE))]
    wanted += [f"b_model{m}.w" for m in range(len(BATCHED))]
    wanted += [
        f"{p}_target.d{m}" for p, ms in (("a", ALONE), ("b", BATCHED)) for m in range(len(ms))
    ]
    wanted += [
        f"{p}_source.b{m}" for p, ms in (("a", ALONE), ("b", BATCHED)) for m in range(len(ms))
    ]
    return values, program.run(values, inputs, wanted).arrays


def compare(prefix, drawn, arrays, reference, rows=1, batch=1):
    for m, model in enumerate(drawn):
        for name, found in (
            (f"w{m}", arrays[f"{prefix}_model{m}.w"]),
            (f"d{m}", arrays[f"{prefix}_target.d{m}"].reshape(batch, -1)[:rows]),
            (f"b{m}", arrays[f"{prefix}_source.b{m}"].reshape(batch, -1)[:rows]),
        ):
            np.testing.assert_allclose(
                np.ravel(found),
                np.ravel(reference[name]).astype(float),
                rtol=1e-11,
                atol=1e-12,
                err_msg=f"{name} of {model}",
            )


def test_equals_synapses(results):
    _, arrays = results
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    try:
        plain = models.build(Synapses, ALONE, prefix="a_", clock=Clock(0.1 * ms))
        models.give(plain)
        Network(*plain.objects).run(PRESENTATIONS * STEPS * 0.1 * ms)
    finally:
        prefs.codegen.target = old
    owners = {obj.name: obj for obj in plain.objects}
    reference = {}
    for m in range(len(ALONE)):
        reference[f"w{m}"] = np.array(owners[f"a_model{m}"].w)
        reference[f"d{m}"] = np.array(getattr(owners["a_target"], f"d{m}"))
        reference[f"b{m}"] = np.array(getattr(owners["a_source"], f"b{m}"))
    compare("a", ALONE, arrays, reference)


def test_equals_numpy(results):
    values, arrays = results
    alone = {name: value for name, value in values.items() if name.startswith("a_")}
    reference = models.follow(ALONE, alone, PRESENTATIONS * STEPS, prefix="a_")
    compare("a", ALONE, arrays, reference)


def test_batch_equals_numpy(results):
    values, arrays = results
    batched = {name: value for name, value in values.items() if name.startswith("b_")}

    def rows(step):
        return min(BATCH, ROWS - step // STEPS * BATCH)

    reference = models.follow(
        BATCHED, batched, PRESENTATIONS * STEPS, batch=BATCH, rows=rows, prefix="b_"
    )
    compare("b", BATCHED, arrays, reference, rows(PRESENTATIONS * STEPS - 1), BATCH)

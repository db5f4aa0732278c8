"""`DenseSynapses` in C++ standalone: general rules and sums, many in one program."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, Synapses, ms, prefs

from ghost_spiking.dense import ClampedInput, CompiledNetwork, DenseSynapses, ResponseMonitor

from . import models

BATCH, STEPS, ROWS = 3, 4, 7
#: Three presentations, the last one of a single row.
ALL_STEPS = -(-ROWS // BATCH) * STEPS


def rows(step):
    return min(BATCH, ROWS - step // STEPS * BATCH)


@dataclass
class Part:
    """Models with a source and a target of their own."""

    prefix: str
    models: list
    batch: bool = False
    options: dict = field(default_factory=dict)

    def build(self, kind, clock, stimulus=None):
        options = self.options | ({"batch": stimulus} if self.batch else {})
        return models.build(kind, self.models, prefix=self.prefix, clock=clock, **options)

    def names(self):
        for m in range(len(self.models)):
            names = f"model{m}.w", f"target.d{m}", f"source.b{m}"
            yield from (self.prefix + name for name in names)

    def reference(self, values):
        values = {name: value for name, value in values.items() if name.startswith(self.prefix)}
        batch = {"batch": BATCH, "rows": rows} if self.batch else {}
        moving = self.options.get("moving", True)
        return models.follow(
            self.models, values, ALL_STEPS, prefix=self.prefix, moving=moving, **batch
        )

    def compare(self, found, reference, tolerance):
        n, batch = (rows(ALL_STEPS - 1), BATCH) if self.batch else (1, 1)
        for m, model in enumerate(self.models):
            for name, array in (
                (f"w{m}", found[f"{self.prefix}model{m}.w"]),
                (f"d{m}", found[f"{self.prefix}target.d{m}"].reshape(batch, -1)[:n]),
                (f"b{m}", found[f"{self.prefix}source.b{m}"].reshape(batch, -1)[:n]),
            ):
                right = np.ravel(reference[name]).astype(float)
                message = f"{name} of {model}"
                np.testing.assert_allclose(np.ravel(array), right, tolerance, 0, err_msg=message)


STILL = {"moving": False, "low": 0.1}
ALONE = {
    "random": Part("a_", models.draw(1, 4)),
    "harmful": Part("h_", models.HARMFUL, options=STILL | {"offset": 1e8}),
    "whole numbers": Part("n_", models.WHOLE, options=STILL),
}
BATCHED = {
    "sides": Part("s_", models.SIDES, batch=True),
    "random": Part("b_", models.draw(2, 2), batch=True),
}
MANY = {
    "random": Part("c_", models.draw(3, 20)),
    "random, batch": Part("d_", models.draw(4, 10), batch=True),
    "harmful, batch": Part("e_", models.HARMFUL, True, STILL | {"offset": 1e8}),
}


def clamped_objects(stimulus, clock, clamped):
    """A projection of the input that learns, beside one that reads its weights transposed."""
    name = f"clamped_{clamped}"
    text = """
    ds/dt = (-s + drive + back) / (0.3*ms) : 1
    y = 1/(1 + exp(-s)) : 1 (constant over dt)
    learn = 2.5*int(sin(40*t/ms) > 0) : 1 (shared)
    drive : 1
    back : 1
    """
    units = NeuronGroup(BATCH * 3, text, method="euler", clock=clock, name=f"{name}_units")
    # The sum has to replace whatever is there.
    units.run_regularly("drive = drive + 1", when="end", name=f"{name}_units_are_written")
    other = NeuronGroup(BATCH * 2, "s : 1\ndrive : 1", clock=clock, name=f"{name}_other")
    other.run_regularly("s = tanh(drive)", when="end", name=f"{name}_other_moves")
    plastic = DenseSynapses(
        stimulus,
        units,
        "drive_post = w*rate_pre : 1 (summed)\n"
        "dw/dt = learn_post*(0.3 - y_post)*rate_pre/ms : 1 (clock-driven)",
        batch=stimulus,
        clamped=clamped,
        name=f"{name}_plastic",
    )
    forward = DenseSynapses(
        units,
        other,
        "drive_post = w*y_pre : 1 (summed)\ndw/dt = (s_post - w)*y_pre/ms : 1 (clock-driven)",
        batch=stimulus,
        name=f"{name}_forward",
    )
    backward = DenseSynapses(
        other,
        units,
        "back_post = w*s_pre*(1 - s_post) + (i + 1)*w*(s_pre - s_post)/9 : 1 (summed)",
        batch=stimulus,
        weights=forward.T,
        name=f"{name}_backward",
    )
    return [units, other, plastic, forward, backward]


CLAMPED = ["plastic.w", "forward.w", "units.s", "units.drive", "units.back", "other.drive"]


def follow_clamped(data, order, w, v):
    """Do what the objects of `clamped_objects` do, row by row."""
    s, z = np.zeros((BATCH, 3)), np.zeros((BATCH, 2))
    for step in range(ALL_STEPS):
        n = rows(step)
        first = step // STEPS * BATCH
        x = 0.5 * data[order[first : first + n]]
        y = 1 / (1 + np.exp(-s[:n]))
        drive, forward = x @ w, y @ v
        back = z[:n] @ v.T * (1 - s[:n])
        back += z[:n] * (1, 2) / 9 @ v.T - s[:n] * (v @ (1, 2)) / 9
        learn = 2.5 * (np.sin(4 * step) > 0)  # on and off
        w = w + 0.1 * learn * x.T @ (0.3 - y) / n
        v = v + 0.1 * (y.T @ z[:n] / n - v * y.mean(axis=0)[:, None])
        s[:n] += 0.1 / 0.3 * (-s[:n] + drive + back)
        z[:n] = np.tanh(forward)
    return dict(zip(CLAMPED, (w, v, s[:n], drive + 1, back, forward), strict=True))


@pytest.fixture(scope="module")
def alone():
    return run_program(ALONE)


@pytest.fixture(scope="module")
def batched():
    return run_program(BATCHED, extra=True)


def run_program(parts, extra=False):
    """Compile and run; give the values at the start, data and order, and the values at the end."""
    values, rng = {}, np.random.default_rng(0)
    wanted = [name for part in parts.values() for name in part.names()]

    def build():
        clock = Clock(0.1 * ms)
        stimulus = ClampedInput(5, batch=BATCH, steps=STEPS, dtype=float, clock=clock, name="shown")
        objects = [stimulus]
        for part in parts.values():
            built = part.build(DenseSynapses, clock, stimulus)
            objects += built.objects
            values.update(built.values)
        if extra:
            objects += clamped_objects(stimulus, clock, None) + clamped_objects(
                stimulus, clock, False
            )
            whole = next(obj for obj in objects if obj.name == "s_target")
            objects.append(
                ResponseMonitor(
                    whole, "y/3 + q/7 + q*(1/9)", "t > 0.15*ms", batch=stimulus, name="m"
                )
            )
        return Network(*objects)

    program = CompiledNetwork(build)
    inputs = rng.normal(size=(ROWS, 5)), rng.permutation(ROWS)
    if extra:
        weights = {"plastic": rng.normal(size=(5, 3)), "forward": rng.normal(size=(3, 2))}
        for clamped in ("None", "False"):
            values.update({f"clamped_{clamped}_{k}.w": w for k, w in weights.items()})
            wanted += [f"clamped_{clamped}_{name}" for name in CLAMPED]
    values["shown.scale"] = 0.5
    wanted.append("shown.rate")
    found = program.run(values, {"shown": inputs}, wanted, monitor="m" if extra else None)
    return values, inputs, found


@pytest.mark.parametrize("part", ALONE)
def test_equals_numpy(alone, part):
    values, _, found = alone
    # 1e-14 is what numbers in double precision allow
    tolerance = 1e-14 if part == "whole numbers" else 1e-12
    ALONE[part].compare(found.arrays, ALONE[part].reference(values), tolerance)


@pytest.mark.parametrize("part", BATCHED)
def test_batch_equals_numpy(batched, part):
    values, _, found = batched
    BATCHED[part].compare(found.arrays, BATCHED[part].reference(values), 1e-12)


@pytest.mark.parametrize("part", ["random", "harmful"])
def test_equals_synapses(alone, part):
    values, _, found = alone
    assert_synapses(ALONE[part], values, found)


def assert_synapses(part, values, found):
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    try:
        plain = part.build(Synapses, Clock(0.1 * ms))
        models.give(plain)
        Network(*plain.objects).run(ALL_STEPS * 0.1 * ms)
    finally:
        prefs.codegen.target = old
    owners = {obj.name.removeprefix(part.prefix): obj for obj in plain.objects}
    reference = {}
    for m in range(len(part.models)):
        reference[f"w{m}"] = np.array(owners[f"model{m}"].w)
        reference[f"d{m}"] = np.array(getattr(owners["target"], f"d{m}"))
        reference[f"b{m}"] = np.array(getattr(owners["source"], f"b{m}"))
    part.compare(found.arrays, reference, 1e-11)


@pytest.mark.parametrize("clamped", [None, False])
def test_clamped_and_transposed(batched, clamped):
    values, (data, order), found = batched
    weights = (values[f"clamped_{clamped}_{name}.w"] for name in ("plastic", "forward"))
    reference = follow_clamped(data, order, *weights)
    n = rows(ALL_STEPS - 1)
    for name, right in reference.items():
        array = found.arrays[f"clamped_{clamped}_{name}"]
        if not name.endswith(".w"):
            array = array.reshape(BATCH, -1)[:n]
        np.testing.assert_allclose(array.ravel(), right.ravel(), 1e-12, err_msg=name)


def test_shown_rows(batched):
    """Scaled, in order; nothing where the last batch has no row."""
    _, (data, order), found = batched
    expected = np.zeros((BATCH, 5))
    expected[:1] = 0.5 * data[order[-1:]]
    np.testing.assert_array_equal(found.arrays["shown.rate"].reshape(BATCH, 5), expected)


def test_responses(batched):
    """The last noted ones, of one row; 7 rows were shown, but for the first two steps."""
    values, _, found = batched
    assert found.responses.shape == (3 * 2 + 3 * 4 + 1 * 4, 3)
    y, v, q = (np.reshape(values[f"s_target.{name}"], (BATCH, -1))[:1] for name in "yvq")
    for _ in range(ALL_STEPS - 1):
        _, y = models.moves(0, y, v)
    np.testing.assert_allclose(found.responses[-1:], y / 3 + q / 7 + q / 9, 1e-14)


@pytest.mark.slow
def test_many_models():
    values, _, found = run_program(MANY)
    for part in MANY.values():
        part.compare(found.arrays, part.reference(values), 1e-11)
        if not part.batch:
            assert_synapses(part, values, found)


def test_float32_stays_in_single_precision(tmp_path):
    """A single number in double precision would keep the compiler from vectorising."""
    from ghost_spiking.dense import standalone

    part = ALONE["whole numbers"]
    for precision, expected, other in (("float32", "1.0f*", "1.0*"), ("float64", "1.0*", "1.0f*")):
        old = prefs.core.default_float_dtype
        prefs.core.default_float_dtype = getattr(np, precision)
        try:
            folder = tmp_path / precision
            standalone._write_project(
                lambda: Network(*part.build(DenseSynapses, Clock(0.1 * ms)).objects), folder, False
            )
        finally:
            prefs.core.default_float_dtype = old
        sources = [path.read_text() for path in folder.glob("code_objects/*model*codeobject.cpp")]
        text = "".join(source.partition("CONSTANTS")[2] for source in sources)
        assert expected in text
        assert other not in text

"""The program that runs is the one that was described, and pixels are what they were."""

import dataclasses
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from brian2 import Function, Network, NeuronGroup
from brian2.devices.device import all_devices, reset_device, set_device

from ghost_spiking import Simulation, Specification, Training, network, rate_functions
from ghost_spiking import simulation as module
from ghost_spiking.datasets import Dataset, load
from ghost_spiking.dense._brian import fresh_names
from ghost_spiking.dense._text import digest_of
from ghost_spiking.exceptions import CompilationError, DataError, SpecificationError
from ghost_spiking.measure import Probe
from ghost_spiking.models.ghost import MA, GhostEquations
from ghost_spiking.values import initial_weights

SPECIFICATION = Specification.create(sizes=(64, 16, 10), batch_size=20, input_adaptation=False)
TRAINING, TEST = load("digits")
IMAGES, LABELS = TRAINING.images[:60], TRAINING.labels[:60]


def learn(simulation, images=IMAGES, maximum=16.0, n_epochs=2):
    for _ in range(n_epochs):
        responses = simulation.present(images, LABELS, maximum=maximum)
    return responses


def assert_same(found, expected, tolerance=None):
    for name, weight in expected.weights.items():
        if tolerance is None:
            np.testing.assert_array_equal(found.weights[name], weight)
        else:
            np.testing.assert_allclose(found.weights[name], weight, atol=tolerance)


# -- the right program -----------------------------------------------------------------------

#: Eq. (5) at five times the rate.
FASTER = GhostEquations.hebbian.replace("eta * nudging_post", "5 * eta * nudging_post")


class Faster(MA):
    name = "faster"
    hebbian = FASTER


def with_exchange(how, monkeypatch):
    """Return the specification with eq. (5) exchanged, by a subclass or in the class itself."""
    if how == "subclass":
        return SPECIFICATION.replace(model=Faster)
    monkeypatch.setattr(GhostEquations, "hebbian", FASTER)
    return SPECIFICATION


@pytest.mark.parametrize("how", ["subclass", "patch"])
def test_exchanged_equation_is_what_runs(how, monkeypatch):
    """In C++ as in runtime mode, in one process, and back again."""
    assert GhostEquations.hebbian != FASTER
    compiled, changes = [], []
    for exchanged in (False, True, False):
        with monkeypatch.context() as patched:
            specification = with_exchange(how, patched) if exchanged else SPECIFICATION
            program, numpy = (
                Simulation(specification, device=device) for device in ("cpp_standalone", "numpy")
            )
            before = program.weights
            np.testing.assert_allclose(learn(program), learn(numpy), atol=1e-4)
        assert_same(program, numpy, 1e-4)
        compiled.append(program)
        name = "feedforward_2"
        changes.append(np.abs(program.weights[name] - before[name]).mean())
    assert changes[1] > 1.3 * changes[0]
    assert compiled[0]._program is compiled[2]._program
    assert compiled[0]._program.directory != compiled[1]._program.directory
    assert compiled[2].build_seconds == 0
    assert_same(compiled[2], compiled[0])


def digest(specification=SPECIFICATION, **options):
    return Simulation(specification, data_dtype=None, **options)._digest  # nothing is compiled


#: Networks in which each of the equations has a part.
NETWORKS = [
    SPECIFICATION,
    SPECIFICATION.replace(lesion=0.2, loss="cross_entropy"),
    Specification.create(
        sizes=(6, 5, 4, 3), model="MB", feedback=("alignment", "reconstruction"), dale=True
    ),
    SPECIFICATION.replace(biases=False),
    Specification.create(sizes=(6, 5, 4, 3), rate_function="softplus"),
    Specification.create(sizes=(6, 5, 3), rate_function="softplus"),
    Specification.create(sizes=(6, 5, 4, 3), following="local"),
    Specification.create(sizes=(6, 5, 4, 3), following="none"),
    Specification.create(sizes=(6, 5, 4, 3), feedback="mirror"),
]


@pytest.fixture(scope="module")
def digests():
    return [digest(specification) for specification in NETWORKS]


def exchanges():
    """Return every string of the models with one more line, or another number."""
    for name, text in vars(GhostEquations).items():
        if name.startswith("_") or not isinstance(text, str):
            continue
        if name == "dale":
            changed = text.replace("int(", "1*int(")
        elif text and ":" not in text:  # an expression, or a statement
            changed = text.replace(" = ", " = 2 * ") if " = " in text else f"2 * {text}"
        elif ": 1 (summed)" in text:
            changed = text.replace(" : 1 (summed)", " * 1.5 : 1 (summed)")
        else:
            changed = f"{text}\nunheard_of : 1\n"
        assert changed != text
        yield pytest.param(name, changed, id=name)


@pytest.mark.parametrize(("name", "text"), list(exchanges()))
def test_every_equation_is_part_of_the_text(name, text, digests, monkeypatch):
    monkeypatch.setattr(GhostEquations, name, text)
    assert any(
        digest(specification) != before
        for specification, before in zip(NETWORKS, digests, strict=True)
    )


def test_everything_else_that_is_built_is_part_of_the_text(digests, monkeypatch):
    with monkeypatch.context() as patched:
        other = rate_functions.RateFunction("1 / (1 + exp(-2*s))", "2 * rate * (1 - rate)")
        patched.setitem(rate_functions._NAMED, "sigmoid", other)
        assert digest() != digests[0]
    with monkeypatch.context() as patched:
        slower = property(lambda one: replace(one.model.layout(one), dt=2e-3))
        patched.setattr(Specification, "layout", slower)
        assert digest() != digests[0]

    def noisy(*arguments):
        built = network.build(*arguments)
        hidden = built.populations["pyramidal_1"]
        hidden.run_regularly(f"s += {noise} * randn()", clock=built.stimulus.clock, name="noise")
        return built

    monkeypatch.setattr(module, "build", noisy)
    found = set()
    for noise in (0.1, 0.2):  # noqa: B007 - it is used by noisy
        found.add(digest())
    assert len(found | {digests[0]}) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"sizes": (64, 15, 10)},
        {"batch_size": 10},
        {"biases": False},
        {"rate_function": "tanh"},
        {"rate_function": "s / (1 + abs(s))"},
        {"feedback": "alignment"},
        {"lesion": 0.1},
    ],
    ids=str,
)
def test_fields_of_the_network_are_part_of_the_text(fields, digests):
    fields = {"sizes": (64, 16, 10), "batch_size": 20} | fields
    assert digest(Specification.create(**fields)) != digests[0]


def test_precision_and_engine_are_part_of_the_text():
    alone = SPECIFICATION.replace(batch_size=1)
    found = {
        digest(alone, precision=precision, engine=engine)
        for precision in ("float32", "float64")
        for engine in ("dense", "synapses")
    }
    assert len(found) == 4


def test_values_are_no_part_of_the_text(digests):
    """Fields that are set when a program starts; it would be compiled anew for nothing."""
    same = [
        SPECIFICATION.replace(beta=7.0, prediction_steps=30, ghost_onset=3, half_life=5),
        SPECIFICATION.replace(learning_rates={"feedforward": 0.3}),
        SPECIFICATION.replace(initial_weights={"feedforward": 2.0, "self_predicting": True}),
    ]
    for specification in same:
        assert digest(specification, seed=3) == digests[0]
    assert digest(SPECIFICATION.replace(lesion=0.4, loss="cross_entropy")) == digests[1]


def test_functions_are_never_taken_for_the_same():
    """Their code is not part of any text."""

    def built(function):
        group = NeuronGroup(1, "v = f(1.0) : 1", namespace={"f": function}, name="group")
        return Network(group, name="network")

    function = Function(lambda x: x, arg_units=[1], return_unit=1)
    with fresh_names():
        assert digest_of(built(function)) != digest_of(built(function))


def test_other_objects_do_not_change_the_program(tmp_path):
    """Brian2 numbers what has a name that is in use, and names are part of a program."""
    others = [Simulation(SPECIFICATION, device="numpy") for _ in range(2)]
    for other in others:
        learn(other)
    first = Simulation(SPECIFICATION)
    module._programs.clear()
    del other, others
    second = Simulation(SPECIFICATION)
    assert second._program is not first._program
    assert second._program.directory == first._program.directory
    assert second.build_seconds == 0


def test_program_for_other_pixels_has_the_same_equations(monkeypatch):
    simulation = Simulation(SPECIFICATION)
    monkeypatch.setattr(GhostEquations, "hebbian", FASTER)
    monkeypatch.setattr(module, "_programs", {})
    simulation.predict(IMAGES)  # its own program is there already
    with pytest.raises(
        SpecificationError, match=r"exchange equations before.*data_dtype='float64'"
    ):
        simulation.predict(IMAGES / 16)


def test_project_of_the_user_is_not_lost():
    """A program that is built needs the one standalone device there is."""
    simulation = Simulation(SPECIFICATION, device="numpy")
    set_device("cpp_standalone", build_on_run=False)
    try:
        for device in ("numpy", "cpp_standalone"):
            with pytest.raises(CompilationError, match=r"CPPStandaloneDevice.*'runtime'"):
                Simulation(SPECIFICATION, device=device)
        with pytest.raises(CompilationError, match=r"CPPStandaloneDevice.*'runtime'"):
            simulation.predict(IMAGES)
    finally:
        reset_device()
        all_devices["cpp_standalone"].reinit()
    assert simulation.predict(IMAGES).shape == (60,)


# -- pixels ----------------------------------------------------------------------------------

#: The same images in other types, with the value that means a rate of 1.
SAME = {
    "int64": (IMAGES.astype(np.int64), 16),
    "int8": (IMAGES.astype(np.int8), np.int64(16)),
    "uint16 of more than a byte": (IMAGES.astype(np.uint16) * 100, 1600),
    "negative": (-IMAGES.astype(np.int32), 16),  # twice
    "whole numbers beyond float32": (IMAGES.astype(np.int64) * 2**24 + 0, 2**28),
    "float16": (IMAGES.astype(np.float16), 16),
    "float32 rates": ((IMAGES / 16).astype(np.float32), 1.0),
    "float64 rates": (IMAGES / 16, 1),
    "long double": (IMAGES.astype(np.longdouble) / 16, np.float32(1.0)),
    "big-endian": ((IMAGES / 16).astype(">f4"), 1.0),
    "Fortran order": (np.asfortranarray(IMAGES), 16.0),
    "list": (IMAGES.tolist(), 16.0),
}
BINARY = (IMAGES > 7).astype(np.uint8)


@pytest.fixture(scope="module")
def as_bytes():
    simulation = Simulation(SPECIFICATION, device="numpy")
    return simulation, learn(simulation)


@pytest.mark.parametrize("name", SAME)
def test_pixels_are_what_they_are_in_any_type(name, as_bytes):
    images, maximum = SAME[name]
    simulation = Simulation(SPECIFICATION, device="numpy")
    if name == "negative":
        flipped = {"feedforward_1": -simulation.weights["feedforward_1"]}
        simulation.weights |= flipped
    responses = learn(simulation, images, maximum)
    np.testing.assert_array_equal(responses, as_bytes[1])
    if name == "negative":
        simulation.weights["feedforward_1"] *= -1
    assert_same(simulation, as_bytes[0])


def test_booleans_are_bytes():
    first, second = (Simulation(SPECIFICATION, device="numpy") for _ in range(2))
    responses = learn(first, BINARY, 1)
    np.testing.assert_array_equal(learn(second, BINARY.astype(bool), 1), responses)
    assert len(set(responses.argmax(axis=1))) > 1


def test_pixels_beyond_the_maximum_are_rates_beyond_one():
    found = [
        Simulation(SPECIFICATION, device="numpy").respond(images, maximum=maximum)
        for images, maximum in ((IMAGES, 4.0), (IMAGES * 0.25, 1.0))
    ]
    np.testing.assert_array_equal(*found)


def pixels_of(simulation):
    """Return the types of pixels that there are programs for."""
    return {pixels.name for pixels, _ in simulation._compiled}


def test_program_for_each_type_of_pixels(as_bytes, monkeypatch):
    """One more for floats, which is compiled when they first come, and takes bytes too."""
    monkeypatch.setattr(module, "_programs", {})
    simulation = Simulation(SPECIFICATION)
    before = simulation.build_seconds
    assert pixels_of(simulation) == {"uint8"}
    responses = learn(simulation)
    np.testing.assert_allclose(responses, as_bytes[1], atol=1e-5)
    for name in ("int64", "int8", "list"):
        np.testing.assert_array_equal(
            simulation.respond(SAME[name][0], maximum=16), simulation.respond(IMAGES, maximum=16)
        )
    assert simulation.build_seconds == before
    floats = simulation.respond(SAME["float32 rates"][0], maximum=1.0)
    np.testing.assert_array_equal(floats, simulation.respond(IMAGES, maximum=16))
    assert pixels_of(simulation) == {"uint8", "float32"}

    later = Simulation(SPECIFICATION, data_dtype=None)
    assert later._compiled == {}
    learn(later, SAME["float16"][0])
    learn(later, n_epochs=1)  # bytes go through the same program
    learn(simulation, n_epochs=1)
    assert pixels_of(later) == {"float32"}
    assert later.build_seconds == 0
    assert_same(later, simulation)


def test_training_with_floats_is_training_with_bytes():
    """Scaled images as most people have them, and a simulation that was made without a thought."""

    def floats(data):
        images = (data.images / 16).astype(np.float32)
        return dataclasses.replace(data, images=images, maximum=1.0)

    found = []
    for data in ((TRAINING, TEST), map(floats, (TRAINING, TEST))):
        training, test = data
        trainer = Training(Simulation(SPECIFICATION, device="numpy"), training.take(400), test)
        trainer.run(2)
        found.append(trainer)
    assert_same(*(trainer.simulation for trainer in found))
    first, second = (trainer.history[-1] for trainer in found)
    assert (first.test_accuracy, first.test_loss) == (second.test_accuracy, second.test_loss)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float16])
def test_probe_takes_any_type(dtype):
    weights = initial_weights(SPECIFICATION, seed=0)
    expected, found = (
        Probe(SPECIFICATION, images, LABELS, maximum=1).measure(weights).flat()
        for images in (BINARY, BINARY.astype(dtype))
    )
    assert found == expected


@pytest.fixture(scope="module")
def simulation():
    return Simulation(SPECIFICATION, device="numpy")


@pytest.mark.parametrize(
    ("images", "maximum", "message"),
    [
        (np.where(IMAGES == 3, np.nan, IMAGES), 16, "not finite"),
        (np.where(IMAGES == 3, -np.inf, IMAGES), 16, "not finite"),
        (IMAGES.astype(complex), 16, "type complex128, but pixels need to be numbers"),
        (IMAGES.astype(str), 16, "pixels need to be numbers"),
        (IMAGES.astype(object), 16, "type object"),
        (IMAGES.astype("datetime64[s]"), 16, "pixels need to be numbers"),
        (IMAGES[:, 1:], 16, "have the shape"),
        (IMAGES[0], 16, "have the shape"),
        (IMAGES[:0], 16, "no images"),
        (IMAGES, 0, "maximum.*positive.*got 0"),
        (IMAGES, -1.0, "maximum.*positive.*got -1"),
        (IMAGES, np.nan, "maximum.*positive.*got nan"),
        (IMAGES, np.inf, "maximum.*positive.*got inf"),
        (IMAGES, 1e-44, "maximum.*within float32"),
        (IMAGES, 1e44, "maximum.*within float32"),
        (IMAGES, "white", "maximum needs to be a number, got 'white'"),
        (IMAGES, None, "maximum needs to be a number"),
        (IMAGES * 1e30, 1e-10, "too far beyond maximum"),
    ],
)
def test_pixels_that_make_no_sense(images, maximum, message, simulation):
    with pytest.raises(DataError, match=message):
        simulation.present(images, LABELS[: len(images)], maximum=maximum)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": IMAGES.astype(str)}, "numbers"),
        ({"images": IMAGES * np.nan}, "not finite"),
        ({"maximum": 0.0}, "positive"),
        ({"labels": LABELS + 0.5}, "whole numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_probe_of_what_makes_no_sense(change, message):
    arguments = {"images": IMAGES, "labels": LABELS, "maximum": 16.0} | change
    with pytest.raises(DataError, match=message):
        Probe(SPECIFICATION, arguments.pop("images"), arguments.pop("labels"), **arguments)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[1:], "60 images, but 59 labels"),
        (np.eye(9)[LABELS % 9], r"targets have the shape \(60, 9\).*need \(60, 10\)"),
        (np.eye(10)[LABELS[1:]], "targets have the shape"),
        (np.zeros((60, 10), dtype=str), "targets need to be numbers"),
        (np.full((60, 10), np.nan), "targets contain values that are not finite"),
        (2 * np.eye(10)[LABELS], "targets go from 0 to 2.*linear_output = true"),
        (LABELS[:, None, None], "an array of shape"),
        (LABELS + 0.5, "whole numbers"),
        (np.full(60, np.nan), "whole numbers"),
        (LABELS.astype(str), "whole numbers"),
        (LABELS - 1, "labels go from -1"),
        (LABELS + 1, "labels go from 1 to 10"),
    ],
)
def test_labels_that_make_no_sense(labels, message, simulation):
    with pytest.raises(DataError, match=message):
        simulation.present(IMAGES, labels)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 60], "order goes from 0 to 60, but there are 60 images"),
        ([0, -1], "order goes from -1 to 0"),
        ([], "not empty"),
        (LABELS > 3, "numbers of images"),
        ([0.0, 1.0], "numbers of images"),
        ([[0, 1]], "numbers of images"),
        ([2**40], "order goes from"),
    ],
)
def test_order_that_makes_no_sense(order, message, simulation):
    for each in (simulation, Simulation(SPECIFICATION)):  # a program would read foreign memory
        with pytest.raises(DataError, match=message):
            each.present(IMAGES, LABELS, order=order)


@pytest.mark.parametrize("dtype", ["colour", "complex64", str, object])
def test_type_to_compile_for_that_makes_no_sense(dtype):
    with pytest.raises(ValueError, match=r"Simulation\.data_dtype: needs to be a type of numbers"):
        Simulation(SPECIFICATION, device="numpy", data_dtype=dtype)


def test_data_set_of_whole_numbers():
    """As they come out of many a table."""
    images = IMAGES.astype(np.int64)
    data = Dataset("mine", images, LABELS, 16.0, (8, 8), 10)
    trainer = Training(Simulation(SPECIFICATION, device="numpy"), data)
    trainer.run(1)
    with patch.object(trainer, "training", dataclasses.replace(data, images=IMAGES)):
        assert trainer.evaluate(data) == trainer.evaluate(trainer.training)


def test_nan_in_any_layer_is_the_largest_state():
    wild = Simulation(SPECIFICATION, device="numpy")
    wild.weights["feedforward_2"][0, 0] = np.nan
    learn(wild, n_epochs=1)
    assert wild.largest_state == np.inf


# -- several programs at once ----------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": "MB"},
        {"model": "equilibrium_propagation"},
        {"model": "microcircuit"},
        {"model": "predictive_coding"},
        {"model": "backpropagation"},
        {"spikes": "lif"},
        {"spikes": "poisson"},
        {"spikes": "change"},
        {"feedback": "mirror"},
        {"weight_bits": 8},
    ],
    ids=str,
)
def test_responses_do_not_depend_on_the_number_of_programs(fields):
    specification = Specification.create(sizes=(64, 12, 10), batch_size=8, **fields)
    simulation = Simulation(specification, seed=3)
    learn(simulation)
    whole = simulation.respond(IMAGES, maximum=16.0)
    presented = simulation.presented
    np.testing.assert_array_equal(simulation.respond(IMAGES, maximum=16.0, cores=3), whole)
    np.testing.assert_array_equal(simulation.respond(IMAGES, maximum=16.0, cores=100), whole)
    assert simulation.presented == presented


# -- data that are handed over once ----------------------------------------------------------


def test_data_that_have_changed_are_handed_over_anew():
    images = np.repeat(TRAINING.images[:10], 2000, axis=0)
    simulation = Simulation(SPECIFICATION)
    first = simulation.respond(images, maximum=16.0)
    with simulation.keeping_data():
        np.testing.assert_array_equal(simulation.respond(images, maximum=16.0), first)
        images[5000] = images[0]
        second = simulation.respond(images, maximum=16.0)
        np.testing.assert_array_equal(second[5000], first[0])
        assert not np.array_equal(first[5000], first[0])
        np.testing.assert_array_equal(np.delete(second, 5000, 0), np.delete(first, 5000, 0))

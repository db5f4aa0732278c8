"""Every engine and target against the oracle."""

import re

import numpy as np
import pytest
from brian2 import StateMonitor, prefs
from hypothesis import given, settings
from hypothesis import strategies as st

from ghost_spiking.network import build
from ghost_spiking.simulation import Simulation
from ghost_spiking.specification import Specification
from ghost_spiking.values import drawn_values, initial_weights, run_time_values

from .oracle import Oracle

NAMES = {
    "feedforward": "W_f",
    "feedback": "W_b",
    "ghost_forward": "V_f",
    "ghost_feedback": "V_b",
    "bias": "b_W",
    "ghost_bias": "b_V",
    "feedback_bias": "b_W_b",
}


def key_of(name):
    """Symbol of a projection, and its connection, or its layer if it is a bias."""
    kind, _, numbers = re.fullmatch(r"([a-z_]+?)_((\d+_)?\d+)", name).group(1, 1, 2)
    layers = tuple(map(int, numbers.split("_")))
    if kind.endswith("bias"):
        return NAMES[kind], layers[0]
    return NAMES[kind], layers if len(layers) == 2 else (layers[0] - 1, layers[0])


def by_symbol(named):
    """Rearrange what is given by projection, the way that the oracle wants it."""
    grouped = {symbol: {} for symbol in NAMES.values()}
    for name, value in named.items():
        symbol, key = key_of(name)
        grouped[symbol][key] = value
    return grouped


def oracle_of(spec, weights, seed=0):
    network, protocol = spec.network, spec.protocol
    hidden = sorted({i for i, _ in network.connections if i > 0})
    ghosts = sorted({j for i, j in network.connections if i > 0})
    rates = protocol.learning_rates
    back = [pair for pair in network.connections if pair[0] > 0]
    into = [pair for pair in network.connections if pair[1] in ghosts]
    of_layer = dict(zip(hidden, network.feedback, strict=True))
    eta = {
        "W_f": dict(zip(network.connections, rates.feedforward, strict=True)),
        "b_W": dict(enumerate(rates.bias, start=1)),
        "V_f": dict(zip(into, rates.ghost_forward, strict=True)),
        "b_V": dict(zip(ghosts, rates.ghost_bias, strict=True)),
        "V_b": dict(zip(back, rates.ghost_feedback, strict=True)),
        "W_b": dict(zip(back, rates.feedback, strict=True)),
    }
    # documented: an offset learns like the layer's last connection of those listed
    eta["b_W_b"] = {i: eta["W_b"][i, j] for i, j in back}
    return Oracle(
        network.connections,
        by_symbol(weights),
        model=network.model,
        feedback=of_layer,
        biases=network.biases,
        k=protocol.time_step,
        beta=protocol.beta,
        prediction_steps=protocol.prediction_steps,
        nudging_steps=protocol.nudging_steps,
        eta=eta,
        rho=network.rate_function,
        softmax=network.loss == "cross_entropy",
        linear=network.linear_output,
        dale=network.dale,
        intact={
            int(name.split(".")[0].removeprefix("ghost_")): values
            for name, values in drawn_values(spec, seed).items()
        },
        ghost_delay=protocol.ghost_delay,
        ghost_onset=protocol.ghost_onset,
        feedforward_onset=protocol.feedforward_onset,
        ghost_rate=protocol.ghost_rate,
        normalised=normalised(spec) if protocol.normalised else (),
        private=protocol.private_feedback,
        following=protocol.following,
        calibration=(
            protocol.calibration_settling,
            protocol.calibration_steps,
            protocol.calibration_noise,
            rates.calibration,
            lambda *place: protocol.calibration_noise * noise(seed, *place),
        )
        if protocol.calibration_steps
        else None,
    )


def noise(seed, presentation, step, layer, n_images, n_units):
    """Two rounds of splitmix64 of a counter, in numbers of any length, of variance 1."""
    full = 2**64 - 1

    def mixed(z):
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = ((z ^ (z >> shift)) * factor) & full
        return z ^ (z >> 31)

    when = (presentation * 2**24 + step * 2**8 + layer) * 0x9E3779B97F4A7C15
    where = [seed * 2**32 + unit for unit in range(n_images * n_units)]
    found = [mixed((mixed((when + place) & full) + place) & full) for place in where]
    uniform = np.array([(number >> 11) / 2**53 for number in found])
    return (12**0.5 * (uniform - 0.5)).reshape(n_images, n_units)


def normalised(specification):
    """Name the populations that documented normalisation is for, as the oracle does."""
    network = specification.network
    hidden = network.rate_function == "softplus" or specification.protocol.private_feedback
    top = network.n_layers
    found = [(kind, layer) for kind in "sg" for layer in range(1, top) if hidden]
    linear = (network.loss == "cross_entropy" or network.linear_output) and network.model == "MA"
    return found + [("g", top)] * (linear or hidden)


def make(batch, hidden=(7, 5), model="MA", seed=0, **fields):
    """A small network with weights and rates large enough for every term to matter."""
    rng = np.random.default_rng(seed)
    sizes = (9, *hidden, 4)
    rates = {"feedforward": 0.8, "ghost_forward": 0.3, "ghost_feedback": 0.4, "feedback": 0.25}
    rates |= {"ghost_bias": 0.35} | fields.pop("learning_rates", {})
    fields = {"time_step": 0.4, "prediction_steps": 4, "nudging_steps": 3, "beta": 1.7} | fields
    if model == "MB":
        fields["ghosts"] = 6
    spec = Specification.create(
        sizes=sizes,
        model=model,
        batch_size=batch,
        learning_rates=rates,
        initial_weights={"self_predicting": False, "ghost_bias": -0.2},
        **fields,
    )
    weights = initial_weights(spec, seed)
    for name in weights:  # biases start at zero, which would hide mistakes
        weights[name] = weights[name] + 0.1 * rng.normal(size=weights[name].shape)
        if spec.network.dale and name.startswith("ghost_feedback"):
            weights[name] = np.abs(weights[name])
    images = rng.integers(0, 256, size=(11, 9)).astype(np.uint8)
    labels = rng.integers(0, 4, size=11)
    return spec, weights, images, labels, rng.permutation(11)[:10]


def expected(spec, weights, images, labels, order, record=None):
    oracle = oracle_of(spec, weights)
    targets = np.eye(spec.network.sizes[-1])[labels] if labels.ndim == 1 else labels
    winners = oracle.run(images / 255, targets, order, spec.protocol.batch_size, record=record)
    return oracle, winners


def assert_weights(simulated, oracle, tolerance):
    for name, matrix in simulated.items():
        symbol, key = key_of(name)
        reference = oracle.w[symbol][key]
        np.testing.assert_allclose(matrix, reference, atol=tolerance, rtol=0, err_msg=name)


ENGINES = [("dense", 4), ("dense", 1), ("synapses", 1)]
FEEDBACKS = ("transpose", "alignment", "reconstruction")


def assert_agreement(engine, case):
    """Weights and predictions after several presentations, numpy target."""
    oracle, winners = expected(*case)
    spec, weights, images, labels, order = case
    sim = Simulation(spec, engine=engine, device="numpy", precision="float64", weights=weights)
    responses = sim.present(images, labels, order=order)
    np.testing.assert_array_equal(responses.argmax(axis=1), winners)
    assert_weights(sim.weights, oracle, 1e-10)
    for name, weight in weights.items():  # nothing that could learn stood still
        if f"{name}.eta" in run_time_values(spec, learn=True):
            assert not np.array_equal(weight, sim.weights[name]), name


@pytest.mark.parametrize("hidden", [(7,), (7, 5), (6, 5, 4)])
@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("model", ["MA", "MB"])
@pytest.mark.parametrize(("engine", "batch"), ENGINES)
def test_runtime_agrees_with_oracle(engine, batch, model, feedback, hidden):
    assert_agreement(engine, make(batch, hidden, model, feedback=feedback))


@pytest.mark.parametrize("fields", [{"linear_output": True}, {}, {"loss": "cross_entropy"}])
@pytest.mark.parametrize("model", ["MA", "MB"])
@pytest.mark.parametrize(
    ("engine", "device", "batch"),
    [(engine, "numpy", batch) for engine, batch in ENGINES] + [("dense", "cpp_standalone", 4)],
)
def test_targets_in_place_of_classes_agree_with_oracle(engine, device, batch, model, fields):
    rates = {"feedforward": 0.2}
    spec, weights, images, _, order = make(batch, model=model, learning_rates=rates, **fields)
    rng = np.random.default_rng(5)
    targets = rng.normal(size=(11, 4)) if "linear_output" in fields else rng.random((11, 4))
    targets /= targets.sum(axis=1, keepdims=True) if "loss" in fields else 1
    sim = Simulation(spec, engine=engine, device=device, precision="float64", weights=weights)
    sim.present(images, targets, order=order)
    assert_weights(sim.weights, expected(spec, weights, images, targets, order)[0], 1e-10)


SKIPPING = [[0, 1], [1, 2], [0, 2], [2, 3], [1, 3]]
OPTIONS = {
    "no biases": {"biases": False},
    "no biases, reconstruction": {"biases": False, "feedback": "reconstruction"},
    "tanh": {"rate_function": "tanh"},
    "hard sigmoid": {"rate_function": "hard_sigmoid"},
    "softplus": {
        "rate_function": "softplus",
        "time_step": 0.1,
        "learning_rates": {"feedforward": 0.1, "ghost_forward": 0.1, "ghost_feedback": 0.1},
    },
    "softplus, normalised": {
        "rate_function": "softplus",
        "normalised": True,
        "time_step": 0.1,
        "learning_rates": {"feedforward": 0.1, "ghost_forward": 1.3, "ghost_feedback": 1.1},
    },
    "cross-entropy, normalised": {"loss": "cross_entropy", "normalised": True},
    "expression": {"rate_function": "s / (1 + abs(s))"},
    "cross-entropy": {"loss": "cross_entropy"},
    "linear output": {"linear_output": True},
    "linear output, normalised": {"linear_output": True, "normalised": True},
    "copy": {"following": "copy"},
    "local": {"following": "local"},
    "copy, everything": {
        "following": "copy",
        "learning_rates": {"feedforward": 0.2},
        "connections": SKIPPING,
        "feedback": ["alignment", "transpose"],
        "loss": "cross_entropy",
        "lesion": 0.3,
        "ghost_delay": 1,
        "feedforward_onset": 1,
    },
    "local, normalised": {
        "following": "local",
        "rate_function": "softplus",
        "normalised": True,
        "time_step": 0.1,
        "learning_rates": {"feedforward": 0.1, "ghost_forward": 1.3, "ghost_feedback": 1.1},
    },
    "calibration": {
        "calibration_steps": 3,
        "calibration_settling": 2,
        "feedforward_onset": 0,
    },
    "calibration, copy": {"calibration_steps": 2, "following": "copy", "feedforward_onset": 1},
    "calibration, local, everything": {
        "calibration_steps": 2,
        "following": "local",
        "learning_rates": {"feedforward": 0.2, "calibration": 0.2},
        "calibration_noise": 0.2,
        "feedforward_onset": 0,
        "connections": SKIPPING,
        "feedback": ["alignment", "transpose"],
        "loss": "cross_entropy",
        "lesion": 0.3,
    },
    "calibration, mirror": {
        "feedback": "mirror",
        "calibration_steps": 3,
        "feedforward_onset": 0,
        "following": "copy",
        "learning_rates": {"feedforward": 0.2, "feedback": 0.2},
    },
    "calibration, mirror and transpose, skip": {
        "feedback": ["transpose", "mirror"],
        "connections": SKIPPING,
        "feedforward_onset": 0,
        "loss": "cross_entropy",
        "biases": False,
    },
    "private feedback": {"private_feedback": True},
    "private feedback, everything": {
        "private_feedback": True,
        "connections": SKIPPING,
        "loss": "cross_entropy",
        "lesion": 0.3,
        "ghost_delay": 1,
    },
    "private feedback, normalised": {
        "private_feedback": True,
        "rate_function": "softplus",
        "normalised": True,
        "time_step": 0.1,
        "learning_rates": {"feedforward": 0.1, "ghost_feedback": 1.1},
    },
    "private feedback, normalised, bounded": {"private_feedback": True, "normalised": True},
    "Dale": {"dale": True},
    "lesion": {"lesion": 0.5},
    "delays": {"ghost_delay": 2, "ghost_onset": 1, "feedforward_onset": 2},
    "mixed feedback": {"feedback": ["reconstruction", "transpose"]},
    "skip": {"connections": SKIPPING},
    "skip, alignment": {"connections": SKIPPING, "feedback": "alignment"},
    "skip, reconstruction": {"connections": SKIPPING, "feedback": "reconstruction"},
    "everything": {
        "connections": SKIPPING,
        "feedback": ["transpose", "reconstruction"],
        "rate_function": "s / (1 + abs(s))",
        "loss": "cross_entropy",
        "dale": True,
        "lesion": 0.3,
        "ghost_delay": 1,
    },
}


#: How names of options begin that only the other model has.
OTHERS = {"MA": ("private",), "MB": ("copy", "local", "calibration")}


@pytest.mark.parametrize(
    ("model", "option"),
    [(model, name) for model in OTHERS for name in OPTIONS if not name.startswith(OTHERS[model])],
)
@pytest.mark.parametrize(("engine", "batch"), [("dense", 3), ("synapses", 1)])
def test_options_agree_with_oracle(engine, batch, model, option):
    assert_agreement(engine, make(batch, model=model, **OPTIONS[option]))


@pytest.mark.parametrize(
    ("schedule", "remaining"),
    [
        ("exponential", [1, 0.5**0.5, 0.5, 0.5**1.5, 0.25, 0.5**2.5]),
        ("inverse_time", [1, 1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]),
    ],
)
def test_half_life_counts_presentations_of_all_runs(schedule, remaining):
    spec, weights, images, labels, order = make(4, half_life=2, schedule=schedule)
    oracle = oracle_of(spec, weights)
    at_first = dict(oracle.eta)
    sim = Simulation(spec, device="numpy", precision="float64", weights=weights)
    batches = [order[first : first + 4] for first in range(0, len(order), 4)]
    for number in range(6):
        if number % 3 == 0:
            sim.present(images, labels, order=order)
        for symbol in ("W_f", "b_W"):
            oracle.eta[symbol] = {
                key: eta * remaining[number] for key, eta in at_first[symbol].items()
            }
        oracle.run(images / 255, np.eye(4)[labels], batches[number % 3], 4)
    assert_weights(sim.weights, oracle, 1e-10)


def test_onset_counts_presentations_of_all_runs():
    case = make(4, ghost_onset=2, feedforward_onset=4)
    spec, weights, images, labels, order = case
    oracle, _ = expected(*case)
    targets = np.eye(4)[labels]
    oracle.run(images / 255, targets, order, 4)
    sim = Simulation(spec, device="numpy", precision="float64", weights=weights)
    for _ in range(2):
        sim.present(images, labels, order=order)
    assert sim.presented == 6
    assert_weights(sim.weights, oracle, 1e-10)


@pytest.mark.parametrize(
    ("engine", "batch", "device"),
    [
        ("dense", 4, "numpy"),
        ("synapses", 1, "numpy"),
        # Cython compiles each code object by itself, which takes minutes the first time.
        pytest.param("synapses", 1, "cython", marks=pytest.mark.slow),
    ],
)
def test_trajectories(engine, batch, device):
    """States and weights at every step of several presentations."""
    # Cython compiles every code object by itself, so that network has fewer of them.
    small = device == "cython"
    case = make(batch, (7,) if small else (7, 5), biases=not small)
    spec, weights, images, labels, order = case
    order = order[: 2 * batch]  # full batches, so that every replica is in use
    states = ("s1", "s2", "g2") if small else ("s1", "s2", "s3", "g2", "g3")
    seen = {name: [] for name in (*states, "V", "W")}

    def record(net):
        for name in states:
            seen[name].append(getattr(net, name[0])[int(name[1])].ravel().copy())
        seen["V"].append(net.w["V_b"][1, 2].T.ravel().copy())
        seen["W"].append(net.w["W_f"][1, 2].T.ravel().copy())

    expected(spec, weights, images, labels, order, record)
    sim = Simulation(spec, engine=engine, device=device, precision="float64", weights=weights)
    monitors = {}
    for name in states:
        kind = "pyramidal" if name[0] == "s" else "ghost"
        group = sim.brian.populations[f"{kind}_{name[1]}"]
        # after the reset at the beginning of a presentation
        monitors[name] = StateMonitor(group, name[0], record=True, clock=group.clock, when="start")
    for name, projection in (("V", "ghost_feedback_2"), ("W", "feedforward_2")):
        target = sim.brian.projections[projection]
        clock = sim.brian.stimulus.clock
        monitors[name] = StateMonitor(target, "w", record=True, clock=clock, when="start")
    sim.brian.network.add(*monitors.values())
    sim.present(images, labels, order=order)
    for name, monitor in monitors.items():
        recorded = monitor.w if name in ("V", "W") else getattr(monitor, name[0])
        np.testing.assert_allclose(
            recorded, np.array(seen[name]).T, atol=1e-10, rtol=0, err_msg=name
        )


#: A hidden layer for each, so that one program has all of them.
EACH_FEEDBACK = {"hidden": (6, 5, 4), "feedback": FEEDBACKS}


@pytest.mark.parametrize(
    ("engine", "batch", "precision", "tolerance", "options"),
    [
        ("dense", 4, "float64", 1e-10, EACH_FEEDBACK),
        ("dense", 1, "float64", 1e-10, EACH_FEEDBACK | {"model": "MB"}),
        ("dense", 4, "float64", 1e-10, EACH_FEEDBACK | {"model": "MB", "private_feedback": True}),
        (
            "dense",
            4,
            "float64",
            1e-10,
            EACH_FEEDBACK | {"following": "copy", "calibration_steps": 2, "feedforward_onset": 1},
        ),
        ("dense", 4, "float32", 1e-4, {}),
        ("dense", 4, "float64", 1e-10, OPTIONS["everything"]),
        ("synapses", 1, "float64", 1e-10, OPTIONS["everything"]),
        *(
            pytest.param("dense", batch, "float64", 1e-10, options, marks=pytest.mark.slow)
            for batch, options in (
                (1, EACH_FEEDBACK),
                (4, EACH_FEEDBACK | {"model": "MB"}),
                (4, {}),
                *(
                    (batch, {"hidden": (7, 5), "model": model, "feedback": feedback})
                    for model in ("MA", "MB")
                    for feedback in FEEDBACKS
                    for batch in (4, 1)
                ),
                (4, OPTIONS["everything"] | {"model": "MB"}),
            )
        ),
    ],
)
def test_standalone_agrees_with_oracle(engine, batch, precision, tolerance, options):
    """Weights step by step: one program, with presentations of every length."""
    case = make(batch, **options)
    spec, weights, images, labels, order = case
    sim = Simulation(spec, engine=engine, precision=precision, weights=weights)
    assert sim.build_seconds > 0
    responses = sim.present(images, labels, order=order)
    oracle, winners = expected(*case)
    np.testing.assert_array_equal(responses.argmax(axis=1), winners)
    assert_weights(sim.weights, oracle, tolerance)
    # the same program with other values: no compilation, still right
    for prediction, nudging, beta in [(2, 1, 0.5), (2, 2, 1.0), (3, 2, 2.0)]:
        other = Specification.from_dict(
            spec.model_dump()
            | {
                "protocol": spec.protocol.model_dump()
                | {"prediction_steps": prediction, "nudging_steps": nudging, "beta": beta}
            }
        )
        again = Simulation(other, engine=engine, precision=precision, weights=weights)
        assert again.build_seconds == 0
        states = final_states(again, images, labels, order)
        oracle, _ = expected(other, weights, images, labels, order)
        assert_weights(again.weights, oracle, tolerance)
        rows = len(oracle.x)  # the last batch may be smaller
        for name, state in states.items():
            reference = getattr(oracle, name[0])[int(name[1])]
            found = state.reshape(batch, -1)[:rows]
            np.testing.assert_allclose(found, reference, atol=tolerance, rtol=0, err_msg=name)


def final_states(sim, images, labels, order):
    """Present images, and give the states at the end as well."""
    names = {"s1": "pyramidal_1.s", "s3": "pyramidal_3.s", "g2": "ghost_2.g", "g3": "ghost_3.g"}
    run, states = sim._program.run, {}

    def run_and_look(values, inputs, wanted, **options):
        results = run(values, inputs, [*wanted, *names.values()], **options)
        states.update({short: results.arrays[name] for short, name in names.items()})
        return results

    sim._program.run = run_and_look
    sim.present(images, labels, order=order)
    return states


@settings(max_examples=25, deadline=None)
@given(
    hidden=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    batch=st.integers(1, 11),
    precision=st.sampled_from(["float32", "float64"]),
    biases=st.booleans(),
    seed=st.integers(0, 1000),
    steps=st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_random_specifications(hidden, batch, precision, biases, seed, steps):
    case = make(
        batch,
        tuple(hidden),
        seed=seed,
        biases=biases,
        prediction_steps=steps[0],
        nudging_steps=steps[1],
    )
    spec, weights, images, labels, order = case
    oracle, _ = expected(*case)
    sim = Simulation(spec, device="numpy", precision=precision, weights=weights)
    sim.present(images, labels, order=order)
    assert_weights(sim.weights, oracle, 1e-10 if precision == "float64" else 1e-4)


def test_same_seed_same_bits():
    spec, _, images, labels, order = make(4)
    results = []
    for _ in range(2):
        sim = Simulation(spec, seed=5)
        sim.present(images, labels, order=order)
        results.append(sim.weights)
    for name in results[0]:
        np.testing.assert_array_equal(results[0][name], results[1][name])


@pytest.mark.parametrize("device", ["numpy", "cpp_standalone"])
@pytest.mark.parametrize("model", ["MA", "MB"])
def test_evaluation_changes_nothing(model, device):
    """But V^b of MB replicates the feedback of each mini-batch meanwhile."""
    spec, weights, images, labels, order = make(4, model=model)
    sim = Simulation(spec, device=device, precision="float64", weights=weights)
    responses = sim.present(images, labels, order=order, learn=False)
    oracle = oracle_of(spec, weights)
    oracle.nudging_steps = 0
    for name, eta in oracle.eta.items():
        if (model, name) != ("MB", "V_b"):
            eta.update(dict.fromkeys(eta, 0.0))
    winners = oracle.run(images / 255, np.eye(4)[labels], order, 4)
    np.testing.assert_array_equal(responses.argmax(axis=1), winners)
    last = oracle.rate(oracle.L)  # of the last mini-batch, which has two images
    np.testing.assert_allclose(responses[-2:], last, atol=1e-12)
    assert sim.presented == 0
    for name, matrix in sim.weights.items():
        np.testing.assert_array_equal(matrix, weights[name])


def test_values_cover_all_parameters():
    """A learning rate that is not set would silently be zero."""
    spec = make(1)[0]
    objects = {obj.name: obj for obj in build(spec).network.objects}
    given = set(run_time_values(spec, learn=True))
    for name, obj in objects.items():
        if "eta" in getattr(obj, "variables", {}):
            assert f"{name}.eta" in given
    assert prefs.core.default_float_dtype is np.float64

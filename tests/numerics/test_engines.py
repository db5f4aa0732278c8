"""Every engine and target against the oracle."""

import numpy as np
import pytest
from brian2 import StateMonitor, prefs
from hypothesis import given, settings
from hypothesis import strategies as st

from ghost_spiking.network import build, initial_weights, run_time_values
from ghost_spiking.simulation import Simulation
from ghost_spiking.specification import Specification

from .oracle import Oracle, tanh_prime

NAMES = {
    "feedforward": "W_f",
    "feedback": "W_b",
    "ghost_forward": "V_f",
    "ghost_feedback": "V_b",
    "bias": "b_W",
    "ghost_bias": "b_V",
}


def oracle_of(spec, weights):
    network, protocol = spec.network, spec.protocol
    L = network.n_layers
    rates = protocol.learning_rates
    by_name = {symbol: {} for symbol in NAMES.values()}
    for name, matrix in weights.items():
        kind, _, layer = name.rpartition("_")
        by_name[NAMES[kind]][int(layer)] = matrix
    functions = {}
    if network.rate_function == "tanh":
        functions = {"rho": np.tanh, "rho_prime": tanh_prime}
    return Oracle(
        L,
        by_name,
        model=network.model,
        transpose=network.feedback == "transpose",
        biases=network.biases,
        k=protocol.time_step,
        beta=protocol.beta,
        prediction_steps=protocol.prediction_steps,
        nudging_steps=protocol.nudging_steps,
        eta_W={l: rates.feedforward[l - 1] for l in range(1, L + 1)},
        eta_Vf={l: rates.ghost_forward[l - 2] for l in range(2, L + 1)},
        eta_Vb={l: rates.ghost_feedback[l - 2] for l in range(2, L + 1)},
        **functions,
    )


def make(batch, hidden=(7, 5), model="MA", feedback="transpose", seed=0, **fields):
    """A small network with weights and rates large enough for every term to matter."""
    rng = np.random.default_rng(seed)
    sizes = (9, *hidden, 4)
    rates = {"feedforward": 0.8, "ghost_forward": 0.3, "ghost_feedback": 0.4}
    fields = {"time_step": 0.4, "prediction_steps": 4, "nudging_steps": 3, "beta": 1.7} | fields
    if model == "MB":
        fields["ghosts"] = [6] * len(hidden)
    spec = Specification.create(
        sizes=sizes,
        model=model,
        feedback=feedback,
        batch_size=batch,
        learning_rates=rates,
        initial_weights={"self_predicting": False},
        **fields,
    )
    weights = initial_weights(spec, seed)
    for name in weights:  # biases start at zero, which would hide mistakes
        weights[name] = weights[name] + 0.1 * rng.normal(size=weights[name].shape)
    images = rng.integers(0, 256, size=(11, 9)).astype(np.uint8)
    labels = rng.integers(0, 4, size=11)
    return spec, weights, images, labels, rng.permutation(11)[:10]


def expected(spec, weights, images, labels, order, record=None):
    oracle = oracle_of(spec, weights)
    targets = np.eye(spec.network.sizes[-1])[labels]
    winners = oracle.run(images / 255, targets, order, spec.protocol.batch_size, record=record)
    return oracle, winners


def assert_weights(simulated, oracle, tolerance):
    for name, matrix in simulated.items():
        kind, _, layer = name.rpartition("_")
        reference = oracle.w[NAMES[kind]][int(layer)]
        np.testing.assert_allclose(matrix, reference, atol=tolerance, rtol=0, err_msg=name)


MODELS = [(m, f) for m in ("MA", "MB") for f in ("transpose", "alignment")]


@pytest.mark.parametrize("hidden", [(7,), (7, 5), (6, 5, 4)])
@pytest.mark.parametrize(("model", "feedback"), MODELS)
@pytest.mark.parametrize(("engine", "batch"), [("dense", 4), ("dense", 1), ("synapses", 1)])
def test_runtime_agrees_with_oracle(engine, batch, model, feedback, hidden):
    """Weights and predictions after several presentations, numpy target."""
    case = make(batch, hidden, model, feedback)
    oracle, winners = expected(*case)
    spec, weights, images, labels, order = case
    sim = Simulation(spec, engine=engine, device="numpy", precision="float64", weights=weights)
    np.testing.assert_array_equal(sim.present(images, labels, order=order), winners)
    assert_weights(sim.weights, oracle, 1e-10)


@pytest.mark.parametrize("options", [{"biases": False}, {"rate_function": "tanh"}])
def test_options_agree_with_oracle(options):
    case = make(3, **options)
    oracle, _ = expected(*case)
    spec, weights, images, labels, order = case
    sim = Simulation(spec, device="numpy", precision="float64", weights=weights)
    sim.present(images, labels, order=order)
    assert_weights(sim.weights, oracle, 1e-10)


@pytest.mark.parametrize(
    ("engine", "batch", "device"),
    [("dense", 4, "numpy"), ("synapses", 1, "numpy"), ("synapses", 1, "cython")],
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
        seen["V"].append(net.w["V_b"][2].T.ravel().copy())
        seen["W"].append(net.w["W_f"][2].T.ravel().copy())

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


@pytest.mark.parametrize(
    ("engine", "batch", "precision", "tolerance"),
    [
        ("dense", 4, "float64", 1e-10),
        ("dense", 4, "float32", 1e-4),
        ("dense", 1, "float64", 1e-10),
        ("synapses", 1, "float64", 1e-10),
    ],
)
def test_standalone_agrees_with_oracle(engine, batch, precision, tolerance):
    """Weights step by step: one program, with presentations of every length."""
    case = make(batch)
    spec, weights, images, labels, order = case
    sim = Simulation(spec, engine=engine, precision=precision, weights=weights)
    assert sim.build_seconds > 0
    winners = sim.present(images, labels, order=order)
    oracle, expected_winners = expected(*case)
    np.testing.assert_array_equal(winners, expected_winners)
    assert_weights(sim.weights, oracle, tolerance)
    # the same program with other values: no compilation, still right
    for prediction, nudging, beta in [(1, 1, 0.5), (2, 1, 1.0), (3, 2, 2.0)]:
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


def test_evaluation_changes_nothing():
    spec, weights, images, labels, order = make(4)
    sim = Simulation(spec, device="numpy", precision="float64", weights=weights)
    predicted = sim.present(images, labels, order=order, learn=False)
    oracle = oracle_of(spec, weights)
    targets = np.eye(4)[labels]
    np.testing.assert_array_equal(
        predicted, oracle.run(images / 255, targets, order, 4, learn=False)
    )
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

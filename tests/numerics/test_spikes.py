"""Networks with spikes, on every engine and target, against an oracle that shares no code."""

import numpy as np
import pytest

from ghost_spiking import Simulation, Specification
from ghost_spiking.dense.noise import white_noise
from ghost_spiking.dense.pool import BYTES, hashed, normal_bytes
from ghost_spiking.values import initial_weights

from .spiking_oracle import SpikingOracle
from .test_engines import key_of

SIZES = (7, 6, 5, 4)
FIELDS = {
    "prediction_steps": 6,
    "nudging_steps": 5,
    "beta": 2.0,
    "time_step": 0.3,
    "input_adaptation": False,
    "schedule": "inverse_time",
    "learning_rates": {
        "feedforward": 0.7,
        "bias": 0.5,
        "ghost_forward": 0.3,
        "ghost_bias": 0.2,
        "ghost_feedback": 0.4,
    },
}
MECHANISMS = {
    "poisson": {"neurons": 4, "peak_rate": 50.0, "dt": 4.0},
    "bernoulli": {"neurons": 3, "peak_rate": 150.0},
    "one": {"mechanism": "bernoulli"},
    "lif": {"neurons": 2, "dt": 4.0, "resting": -64.0, "reset": -66.0},
    "change": {"levels": 8},
}
VARIANTS = {
    "MA": {"following": "none"},
    "MA, copy": {"following": "copy"},
    "MA, local, alignment": {"following": "local", "feedback": "alignment"},
    "MA, noise of their own": {"following": "copy", "shared_noise": False},
    "MB": {"model": "MB", "ghosts": 3, "ghost_delay": 1},
    "MB, private": {"model": "MB", "ghosts": 3, "private_feedback": True, "normalised": True},
}


def numbers_of(specification, seed):
    """Return what feeds the oracle the random numbers of the engine, by what they are for."""
    streams = {item.name: 128 + k for k, item in enumerate(specification.model.layout(
        specification).populations)}  # fmt: skip
    if getattr(specification.spikes, "shared_noise", False):
        streams |= {
            f"ghost_{layer}": streams[f"pyramidal_{layer}"] for layer in range(2, len(SIZES))
        }
    batch = specification.protocol.batch_size

    def neurons(shape):
        """Number all neurons, also those of replicas without an image."""
        n_neurons, rows, units = shape
        return np.arange(n_neurons * batch * units).reshape(n_neurons, batch, units)[:, :rows]

    def uniform(population, age, step, shape):
        numbers = np.arange(shape[0] * shape[1]).reshape(shape)
        return white_noise(1 / 12**0.5, seed, age, step, streams[population], numbers) + 0.5

    def noise(population, age, step, shape):
        return normal_bytes(neurons(shape), seed, age, step, streams[population]) / BYTES

    def start(population, age, shape):
        bits = hashed(neurons(shape), seed, age, 0, streams[population], other=True)
        return (bits >> np.uint32(8)) / 2.0**24

    return {"uniform": uniform, "lif_noise": noise, "lif_start": start}


def oracle_of(specification, weights, seed):
    network, protocol, spikes = specification.network, specification.protocol, specification.spikes
    rates = protocol.learning_rates
    top = network.n_layers
    hidden, ghosts = range(1, top), range(2, top + 1)
    grouped = {name: {} for name in ("W_f", "V_f", "W_b", "V_b", "b_W", "b_V")}
    for name, weight in weights.items():
        symbol, key = key_of(name)
        if symbol.startswith("b"):
            grouped[symbol][key] = weight[:, 0]
        else:  # those into a lower layer have the name of the connection that they go back
            grouped[symbol][key[0] if symbol.endswith("b") else key[1]] = weight
    known = spikes.model_dump()
    lif = ("membrane_time", "resting", "threshold", "reset", "offset", "gain", "noise")
    return SpikingOracle(
        grouped,
        mechanism=spikes.mechanism,
        model=network.model,
        feedback=network.feedback[0],
        dt=spikes.dt,
        tau=spikes.dt / protocol.time_step,
        prediction_steps=protocol.prediction_steps,
        nudging_steps=protocol.nudging_steps,
        beta=protocol.beta,
        synaptic_time=known.get("synaptic_time", 1.0),
        trace_time=known.get("trace_time", 1.0),
        neurons=known.get("neurons", 1),
        peak=known.get("peak_rate", 0.0) / 1000,
        levels=known.get("levels", 1),
        lif={name: known[name] for name in lif} if spikes.mechanism == "lif" else None,
        eta_W=dict(enumerate(rates.feedforward, start=1)),
        eta_bW=dict(enumerate(rates.bias, start=1)),
        eta_Vf=dict(zip(ghosts, rates.ghost_forward[-len(ghosts):], strict=True)),
        eta_bV=dict(zip(ghosts, rates.ghost_bias, strict=True)),
        eta_Vb=dict(zip(hidden, rates.ghost_feedback, strict=True)),
        half_life=protocol.half_life,
        ghost_delay=protocol.ghost_delay,
        ghost_rate=protocol.ghost_rate,
        private=protocol.private_feedback,
        normalised=protocol.normalised,
        following=protocol.following,
        **numbers_of(specification, seed),
    )  # fmt: skip


def make(mechanism, batch, **fields):
    spikes = {"mechanism": mechanism} | MECHANISMS[mechanism]
    if "shared_noise" in fields and mechanism != "change":
        spikes["shared_noise"] = fields["shared_noise"]
    fields.pop("shared_noise", None)
    specification = Specification.create(
        sizes=SIZES, batch_size=batch, spikes=spikes, half_life=4, **(FIELDS | fields)
    )
    rng = np.random.default_rng(0)
    weights = {
        name: weight + 0.3 * rng.normal(size=weight.shape)
        for name, weight in initial_weights(specification, 0).items()
    }
    images = rng.integers(0, 256, size=(11, SIZES[0])).astype(np.uint8)
    return specification, weights, images, rng.integers(0, 4, size=11), rng.permutation(11)[:10]


def compare(mechanism, batch, device, fields, engine="dense", seed=5):
    specification, weights, images, labels, order = make(mechanism, batch, **fields)
    simulation = Simulation(
        specification,
        engine=engine,
        device=device,
        precision="float64",
        weights=weights,
        seed=seed,
    )
    responses = simulation.present(images, labels, order=order)
    oracle = oracle_of(specification, weights, seed)
    expected = oracle.run(images / 255, np.eye(4)[labels], order, batch)
    np.testing.assert_allclose(responses, expected, rtol=0, atol=1e-10)
    for name, weight in simulation.weights.items():
        symbol, key = key_of(name)
        if symbol.startswith("b"):
            found = weight[:, 0]
        else:
            found, key = weight, key[0] if symbol.endswith("b") else key[1]
        np.testing.assert_allclose(found, oracle.w[symbol][key], rtol=0, atol=1e-10, err_msg=name)
        assert not np.array_equal(weight, weights[name]) or name.startswith(
            ("feedback", "ghost_forward" if specification.network.model == "MB" else "feedback")
        )
    return specification, simulation, oracle


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_numpy(mechanism, variant):
    compare(mechanism, 4, "numpy", VARIANTS[variant])


@pytest.mark.parametrize("mechanism", ["poisson", "lif", "change"])
def test_cpp(mechanism):
    compare(mechanism, 4, "cpp_standalone", VARIANTS["MA, copy"])


@pytest.mark.parametrize("mechanism", ["lif", "poisson"])
def test_plain_synapses(mechanism):
    compare(mechanism, 1, "numpy", VARIANTS["MA, copy"], engine="synapses")


def test_cython():
    compare("bernoulli", 4, "cython", VARIANTS["MB"])

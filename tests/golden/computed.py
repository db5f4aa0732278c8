"""What the golden tests freeze, computed anew: the only file here that calls the package.

When a name of the package changes, this file follows; the numbers do not.
"""

import hashlib
import os
import platform
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tomli_w
from threadpoolctl import threadpool_info

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import Dataset
from ghost_spiking.measure import Probe, compare_weights, flatten
from ghost_spiking.runs import Run
from ghost_spiking.values import drawn_values, initial_weights, run_time_values

HERE = Path(__file__).parent
#: Whole specifications, every field written out, each with what is to be done with it.
CASES = tomllib.loads((HERE / "specifications.toml").read_text())
#: Choices of a few fields, each with the specification that was resolved from them.
DEFAULTS = tomllib.loads((HERE / "defaults.toml").read_text())
#: Networks that are trained, as (device, engine, name of the case).
TRAINED = [(*run.split(), name) for name, case in CASES.items() for run in case["run"]]
#: Cases whose trained networks are measured, whose initial weights are kept, and so on.
MEASURED = [name for name, case in CASES.items() if "measure" in case["also"]]
TRACED = [name for name, case in CASES.items() if "trace" in case["also"]]
DRAWN = [name for name, case in CASES.items() if "draw" in case["also"]]
EPOCHS = [name for name, case in CASES.items() if "epochs" in case["also"]]
#: Run directories that version 0.1.0 saved (ghost-spiking train --dataset digits --limit 38
#: --epochs 1 --seed 3 --spec ... --out ...). They are never made anew.
RUNS = ("run-MA", "run-MB")
SEED = 3
#: The pixel value that means a rate of 1.
MAXIMUM = 16.0


def dataset(images, labels):
    # the type of `load`'s labels, which the check of a run directory's images depends on
    return Dataset("digits", images, labels.astype(np.int64), MAXIMUM, (8, 8), 10)


def text_of(case):
    """Return the specification of a case as TOML text, as `Specification.to_toml` writes it."""
    return tomli_w.dumps({section: case[section] for section in ("network", "protocol")})


def specification(name):
    return Specification.from_toml(text_of(CASES[name]))


#: Fields that there were not when numbers were frozen, with the values that mean what was meant;
#: None where all do.
SINCE = {
    "network": {
        "input_adaptation": False, "linear_output": False, "weight_bits": 0, "weight_range": 3.0,
    },
    "protocol": {
        "schedule": "exponential", "normalised": False, "private_feedback": False,
        "following": "none", "calibration_steps": 0, "calibration_settling": None,
        "calibration_noise": 0.3, "learning_rates": {"calibration": 0.5},
    },
}  # fmt: skip


def resolved(choices):
    return Specification.create(**choices, input_adaptation=False).to_toml()


def as_frozen(text):
    """Return a TOML text as it would have been, if it means what was meant."""

    def without(found, new, place):
        for name, value in new.items():
            if isinstance(value, dict):
                without(found.get(name, {}), value, f"{place}.{name}")
            elif name in found:
                assert found.pop(name) == value or value is None, f"{place}.{name}"
        return found

    return without(tomllib.loads(text), SINCE, "")


def train(device, engine, name, images, labels):
    """Return all that comes out of two short epochs, as arrays by name."""
    spec, n_images = specification(name), CASES[name]["images"]
    images, labels = images[:n_images], labels[:n_images]
    simulation = Simulation(spec, engine=engine, device=device, precision="float64", seed=SEED)
    # in one go, which is faster
    order = np.concatenate([np.random.default_rng(k).permutation(n_images) for k in (1, 2)])
    learning = simulation.present(images, labels, order=order, maximum=MAXIMUM)
    found = {"second epoch": learning[n_images:]}
    if "respond" in CASES[name]["also"]:
        found["responses"] = simulation.respond(images, maximum=MAXIMUM)
    found["presented"] = np.array(float(simulation.presented))
    found["largest state"] = np.array(simulation.largest_state)
    return found | {f"weights/{key}": value for key, value in simulation.weights.items()}


def draw(name):
    """Return the initial weights by projection."""
    return initial_weights(specification(name), SEED)


def spared(name):
    """Return the ghosts that a lesion spares, by layer."""
    chosen = drawn_values(specification(name), SEED)
    layers = {key: key.removeprefix("ghost_").removesuffix(".intact") for key in chosen}
    return {layers[key]: np.flatnonzero(intact).tolist() for key, intact in chosen.items()}


def run_values(name):
    """Return the scalar values of a run, in learning and without it."""
    spec = specification(name)
    learning = run_time_values(spec, learn=True, presented=7)
    testing = run_time_values(spec, learn=False)
    probing = run_time_values(spec, learn=False, nudge=True)
    return {
        key: [float(values[key]) for values in (learning, testing, probing)] for key in learning
    }


def compare(name, weights):
    return flatten(compare_weights(specification(name), weights))


def measure(name, weights, images, labels):
    probe = Probe(specification(name), images[:8], labels[:8], maximum=MAXIMUM, seed=SEED)
    return probe.measure(weights).flat()


def trace(name, weights, images, labels):
    """Return all signals of all layers, as arrays by name."""
    spec = specification(name)
    probe = Probe(spec, images[:2], labels[:2], maximum=MAXIMUM, seed=SEED)
    found = {}
    for layer in range(1, spec.network.n_layers + 1):
        trace = probe.trace(weights, layer)
        found[f"{layer}/times"] = trace.times
        found[f"{layer}/nudging_from"] = np.asarray(trace.nudging_from)
        for signal in trace.signals:
            if signal.label:  # as drawn beside the layer's units
                key = {"state": "s", "ghost": "g"}.get(signal.name, signal.name)
                found[f"{layer}/{key}"] = trace[signal.name]
    return found


def epochs(name, images, labels):
    """Return the order of images and the history of two epochs."""
    spec, n_images = specification(name), CASES[name]["images"]
    simulation = Simulation(spec, device="numpy", precision="float64", seed=SEED)
    present, orders = simulation.present, []

    def present_and_note(*arguments, **options):
        if options.get("learn", True):
            orders.append(options["order"].tolist())
        return present(*arguments, **options)

    simulation.present = present_and_note
    learned, others = (
        dataset(images[part], labels[part]) for part in (slice(n_images), slice(n_images, None))
    )
    training = Training(simulation, learned, others, SEED)
    training.run(2)
    history = []
    for epoch in training.history:
        known = vars(epoch).copy()
        del known["seconds"], known["warning"]
        history.append(flatten(known))
    return {"orders": orders, "history": history}


def resume(name, images, labels):
    """Go on with a run directory, and give its weights before and after the second epoch."""
    run, n_images = Run.load(HERE / name), 38
    simulation = Simulation(run.specification, device="numpy", seed=SEED)
    training = Training(simulation, dataset(images[:n_images], labels[:n_images]), None, SEED)
    run.restore(training)
    training.run(2)
    weights = {"before": run.weights, "after": simulation.weights}
    return {f"{when}/{key}": w for when, named in weights.items() for key, w in named.items()}


def fingerprint(device):
    """Return what the last bits of numbers depend on."""
    blas = [info for info in threadpool_info() if "numpy" in info["filepath"]]
    facts = {
        "processor": _processor(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "kernels": ", ".join(f"{info['version']} {info['architecture']}" for info in blas),
        "numpy features": os.environ.get("NPY_DISABLE_CPU_FEATURES", ""),
    }
    facts |= {name: version(name) for name in ("brian2", "numpy", "sympy")}
    if device == "cpp_standalone":
        facts["scipy-openblas32"] = version("scipy-openblas32")
        compiler = [os.environ.get("CXX", "g++"), "--version"]
        facts["compiler"] = subprocess.run(
            compiler, capture_output=True, text=True, check=True
        ).stdout.splitlines()[0]
    return facts


def _processor():
    """Return the processor's name and a number for what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    facts = {key.strip(): text.strip() for key, _, text in (x.partition(":") for x in lines)}
    flags = " ".join(sorted(facts.get("flags", facts.get("Features", "")).split()))
    digest = hashlib.sha256(flags.encode()).hexdigest()[:12]
    return f"{platform.machine()} {facts.get('model name', '')} {digest}"

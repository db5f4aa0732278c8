"""Digits that spiking neurons learn without labels (Diehl & Cook 2015), with a `CompiledNetwork`.

python experiments/diehl_cook.py            60,000 images; goes on where it was stopped.
python experiments/diehl_cook.py --times    Time of an image: this program, and plain Brian2.

784 Poisson inputs teach 400 neurons by a triplet rule. Each of these excites an inhibitory neuron,
which inhibits all others; thresholds grow with each spike, and the weights of each neuron are
normalised before every image. Equations and constants are those of the paper and of its published
program, in our own words. What differs: inputs have no delays (there they are drawn between 0 and
10 ms), and neurons begin each image at rest, which is what 150 ms without input do there.
"""

import csv
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from brian2 import (
    Clock,
    Network,
    NeuronGroup,
    SpikeMonitor,
    Synapses,
    linked_var,
    ms,
    mV,
    prefs,
    second,
)

from ghost_spiking.datasets import load
from ghost_spiking.dense import ClampedInput, CompiledNetwork, DenseSynapses
from ghost_spiking.dense.noise import FUNCTIONS

RESULTS = Path(__file__).parent / "results"
STEP = 0.5 * ms
STEPS = 700
#: Rates in Hz for a grey value of 1, and how they grow while a digit evokes too few spikes.
RATE = 1 / 4
FEWEST = 5
#: What changes while the network learns.
LEARNING = {
    "learning.depression": 1e-4,
    "learning.potentiation": 1e-2,
    "neurons.theta_plus": 0.05 * mV,
}
KEPT = ("learning.w", "neurons.theta")
CSV = RESULTS / "diehl_cook.csv"
FIELDS = ["images", "accuracy", "seconds", "test_images"]


def build(kind=DenseSynapses, n_inputs=784, n_neurons=400, steps=STEPS):
    """Return the network; nothing but the class differs from one of `Synapses`."""
    clock = Clock(STEP, name="clock")
    shown = ClampedInput(n_inputs, steps=steps, clock=clock, name="shown")
    inputs = NeuronGroup(
        n_inputs,
        """
        rate : 1 (linked)
        step : integer (linked)
        image : integer (constant, shared)
        """,
        threshold="binomial_count(1, rate*dt/second, 1, image, step, 0, i) > 0",
        reset="",
        clock=clock,
        namespace=FUNCTIONS,
        name="inputs",
    )
    inputs.rate, inputs.step = linked_var(shown, "rate"), linked_var(shown, "step")
    neurons = NeuronGroup(
        n_neurons,
        """
        dv/dt = (-65*mV - v - ge*v + gi*(-100*mV - v))/(100*ms) : volt (unless refractory)
        dge/dt = -ge/ms : 1
        dgi/dt = -gi/(2*ms) : 1
        dtheta/dt = -theta/(10000*second) : volt
        theta_plus : volt (constant, shared)
        total : 1
        """,
        threshold="v > theta - 72*mV",
        reset="v = -65*mV; theta += theta_plus",
        refractory=5 * ms,
        method="exponential_euler",
        clock=clock,
        name="neurons",
    )
    inhibitory = NeuronGroup(
        n_neurons,
        """
        dv/dt = (-60*mV - v - ge*v)/(10*ms) : volt (unless refractory)
        dge/dt = -ge/ms : 1
        """,
        threshold="v > -40*mV",
        reset="v = -45*mV",
        refractory=2 * ms,
        method="exponential_euler",
        clock=clock,
        name="inhibitory",
    )
    neurons.v, inhibitory.v = -65 * mV, -60 * mV
    learning = kind(
        inputs,
        neurons,
        """
        w : 1
        depression : 1 (constant, shared)
        potentiation : 1 (constant, shared)
        din_trace/dt = -in_trace/(20*ms) : 1 (event-driven)
        dout_trace/dt = -out_trace/(20*ms) : 1 (event-driven)
        dslow_trace/dt = -slow_trace/(40*ms) : 1 (event-driven)
        total_post = w : 1 (summed)
        """,
        on_pre="""
        ge_post += w
        in_trace = 1
        w = clip(w - depression*out_trace, 0, 1)
        """,
        on_post="""
        w = clip(w + potentiation*in_trace*slow_trace, 0, 1)
        out_trace = 1
        slow_trace = 1
        """,
        clock=clock,
        name="learning",
    )
    learning.connect()
    # Once an image, before its first step, the weights of each neuron are given the sum of 78.
    image = Clock(steps * STEP, name="image")
    total = learning.summed_updaters["total_post"]
    total._clock, total.when = image, "before_start"
    learning.run_regularly(
        "w *= 78*N_pre/784/total_post", clock=image, when="before_start", order=1, name="normalise"
    )
    excitation = Synapses(
        neurons, inhibitory, on_pre="ge_post += 10.4", clock=clock, name="excitation"
    )
    excitation.connect(j="i")
    inhibition = kind(inhibitory, neurons, on_pre="gi_post += 17", clock=clock, name="inhibition")
    inhibition.connect("i != j")
    spikes = SpikeMonitor(neurons, name="spikes")
    return Network(shown, inputs, neurons, inhibitory, learning, excitation, inhibition, spikes)


def start(n_inputs=784, n_neurons=400):
    """Return weights and thresholds before all learning."""
    weights = 0.3 * np.random.default_rng(0).random((n_inputs, n_neurons))
    return {"learning.w": weights + 1e-3, "neurons.theta": np.full(n_neurons, 20e-3)}


def present(program, state, images, number, changes=LEARNING, fewest=FEWEST):
    """Show an image, again with higher rates if there are few spikes; return spikes and state."""
    for scale in range(1, 20):
        values = state | changes | {"shown.scale": scale * RATE, "inputs.image": number}
        results = program.run(values, {"shown": (images, [number])}, [*KEPT, "spikes.i"])
        spikes = results.arrays["spikes.i"]
        state = {name: results.arrays[name] for name in KEPT}
        if len(spikes) >= fewest:
            break
    return spikes, state


class InBrian:
    """The same network as a script of plain Brian2 runs it, image by image."""

    def __init__(self, kind=Synapses, **sizes):
        self._network = build(kind, **sizes)
        self._network.store()

    def run(self, values, inputs, wanted):
        network = self._network
        network.restore()
        for name, value in values.items():
            owner, variable = name.split(".")
            variable = network[owner].variables[variable]
            variable.set_value(np.ravel(np.asarray(value)).astype(variable.dtype))
        network["shown"].show(*inputs["shown"])
        network.run(1 * second)
        found = {}
        for name in wanted:
            owner, variable = name.split(".")
            found[name] = np.array(network[owner].variables[variable].get_value()).ravel()
        return SimpleNamespace(arrays=found)


def counts(spikes, n_neurons=400):
    return np.bincount(spikes, minlength=n_neurons)


def accuracy(program, state, seen, labels, test):
    """Name each neuron after the digit that it answered most, and ask what others are.

    Parameters
    ----------
    seen, labels : array
        Counts of spikes of recent training images, and what these are.
    test : tuple of array
        Images, and labels.
    """
    means = np.array([seen[labels == digit].mean(axis=0) for digit in range(10)])
    names = means.argmax(axis=0)
    still = dict.fromkeys(LEARNING, 0.0)
    right = 0
    for number, label in enumerate(test[1]):
        spikes, _ = present(program, state, test[0], number, still)
        answers = counts(spikes, len(names))
        votes = [
            answers[names == digit].mean() if (names == digit).any() else 0 for digit in range(10)
        ]
        right += int(np.argmax(votes)) == label
    return right / len(test[1])


#: After how many images to test, and with how many.
CHECKS = {1000: 1000, 3000: 1000, 10000: 1000, 30000: 1000, 60000: 10000}


def learn(checks=CHECKS, n_recent=2000):
    """Learn from one image after another; note accuracy, and save the state, at some numbers."""
    training, test = load("mnist")
    program, saved = CompiledNetwork(build), RESULTS.parent / "weights" / "diehl_cook.npz"
    rows = list(csv.reader(CSV.read_text().splitlines()))[1:] if CSV.exists() else []
    first, state, responses = int(rows[-1][0]) if rows else 0, start(), []
    if first:
        with np.load(saved) as archive:
            state = {name: archive[name] for name in KEPT}
    begin, spent = time.perf_counter(), float(rows[-1][2]) if rows else 0.0
    for number in range(first, max(checks)):
        spikes, state = present(program, state, training.images, number)
        responses.append(counts(spikes))
        if number + 1 in checks:
            spent += time.perf_counter() - begin
            recent = np.array(responses[-n_recent:])
            labels = training.labels[number + 1 - len(recent) : number + 1]
            n_test = checks[number + 1]
            some = test.images[:n_test], test.labels[:n_test]
            share = accuracy(program, state, recent, labels, some)
            rows.append([number + 1, f"{100 * share:.1f}", f"{spent:.0f}", n_test])
            saved.parent.mkdir(exist_ok=True)
            np.savez(saved, **state)
            with open(CSV, "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([FIELDS, *rows])
            print(dict(zip(FIELDS, rows[-1], strict=True)), flush=True)
            begin = time.perf_counter()


def times(n_images=20):
    """Compare the time of an image, one after another, and require the same spikes."""
    images = load("mnist")[0].images
    prefs.codegen.target = "cython"
    ways = {
        "program with DenseSynapses": CompiledNetwork(build),
        "program with Synapses": CompiledNetwork(lambda: build(Synapses)),
        "run() with DenseSynapses": InBrian(DenseSynapses),
        "run() with Synapses": InBrian(Synapses),
    }
    states = {name: start() for name in ways}
    taken = {name: [] for name in ways}
    for number in range(n_images):
        found = {}
        for name, program in ways.items():
            begin = time.perf_counter()
            found[name], states[name] = present(program, states[name], images, number, fewest=0)
            taken[name].append(time.perf_counter() - begin)
        for name, spikes in found.items():
            np.testing.assert_array_equal(spikes, found["run() with Synapses"], err_msg=name)
    lines = ["| | shortest time of an image |", "|---|---:|"]
    for name, seconds in taken.items():
        lines.append(f"| {name} | {1e3 * min(seconds):.0f} ms |")
    (RESULTS / "diehl_cook.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    times() if "--times" in sys.argv else learn()

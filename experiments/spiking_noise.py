"""Claim 8: one unit may stand for several neurons with similar connections, against spiking noise.

Every pyramidal and every ghost unit is taken for K neurons with the same connections. In each time
step each of them sends a Poisson number of spikes, rho(s) on average, and their target gets the
mean. That is one more line in the equations, which are exchanged before a network is built.
Networks of 100 hidden units learn with such spikes, and are tested with them on held-out images.
The network of residual.py, which learned with rates, tells how far noise turns the weight change of
one presentation.

python experiments/spiking_noise.py [--quick]
"""

import contextlib
import json
import os
from unittest.mock import patch

import brian2
import joblib
from lab import COLOURS, figure, folder, options, run_all, save_table
from residual import task
from tqdm import tqdm

from ghost_spiking import Simulation, Training, equations
from ghost_spiking.exceptions import DivergenceError
from ghost_spiking.measure import Probe

#: Neurons in a unit.
NEURONS = (1, 3, 10, 30, 100, 300)
#: Images of the mini-batch whose weight change is compared.
IMAGES = 300


@contextlib.contextmanager
def spikes(neurons):
    """Within it, networks are built of units that stand for so many spiking neurons."""
    silent, spiking = (
        "\nrate = {rate} :",
        (
            "\nexpected = {rate} : 1 (constant over dt)"
            f"\nrate = poisson({neurons} * expected) / {neurons}.0 :"
        ),
    )
    with contextlib.ExitStack() as stack:
        for name in ("PYRAMIDAL", "GHOST"):
            text = getattr(equations, name)
            assert silent in text
            # A slope belongs to the state, and not to the spikes that it happened to cause.
            text = text.replace(silent, spiking).replace("{slope}", "expected * (1 - expected)")
            stack.enter_context(patch.object(equations, name, text))
        yield


def train(neurons, quick):
    """Give accuracy on held-out images after each epoch; it is trained only once."""
    silent = task("MA", "transpose", quick)
    path = folder(quick) / "runs" / f"MA-transpose-100-{neurons}-neurons.json"
    if not path.exists():
        with spikes(neurons):
            simulation = Simulation(silent.specification, device="numpy", seed=silent.seed)
        brian2.seed(neurons)
        trainer = Training(simulation, *silent.data(), silent.seed)
        result = {"neurons": neurons, "held_out_accuracy": [], "diverged": None}
        try:
            for _ in range(silent.epochs):
                result["held_out_accuracy"].append(round(trainer.run_epoch().test_accuracy, 4))
        except DivergenceError as error:
            result["diverged"] = str(error)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(result, indent=1) + "\n")
        os.replace(partial, path)
    return json.loads(path.read_text())


def angles(neurons, silent):
    """Give the angles of the change of each W^f to the gradient; no neurons stand for rates."""
    _, held_out = silent.data()
    with spikes(neurons) if neurons else contextlib.nullcontext():
        probe = Probe(silent.specification, held_out.images[:IMAGES], held_out.labels[:IMAGES])
    brian2.seed(neurons)
    return probe.measure(silent.weights()).update_angle


@options
def main(quick, jobs):
    """Learn with spikes, and measure what they do to weight changes."""
    where, neurons = folder(quick), NEURONS[::3] if quick else NEURONS
    silent = task("MA", "transpose", quick)
    (rates,) = run_all([silent], where, jobs)
    accuracies = {0: [epoch["test_accuracy"] for epoch in rates["history"]]}
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(
        joblib.delayed(train)(number, quick) for number in neurons
    )
    for run in tqdm(work, total=len(neurons), unit=" runs"):
        accuracies[run["neurons"]] = run["held_out_accuracy"]
    rows = []
    for number, accuracy in accuracies.items():
        found = angles(number, silent)
        rows.append(
            {
                "neurons": number or "rates",
                "epochs": len(accuracy),
                "held_out_accuracy": accuracy[-1] if accuracy else None,
                "angle_1": round(found["feedforward_1"], 2),
                "angle_2": round(found["feedforward_2"], 2),
            }
        )
        print(rows[-1], flush=True)
    save_table(where / "spiking_noise.csv", rows)
    draw(rows, where / "spiking_noise.png")


def draw(rows, path):
    drawing, axes = figure(1, 2)
    rates, spiking = rows[0], rows[1:]
    counts = [row["neurons"] for row in spiking]
    errors = [100 - row["held_out_accuracy"] for row in spiking]
    axes[0, 0].plot(counts, errors, "o-", ms=4, color=COLOURS[0], label="spikes")
    axes[0, 0].axhline(100 - rates["held_out_accuracy"], color="0.4", ls="--", label="rates")
    axes[0, 0].set_ylabel("error on held-out images (%)")
    axes[0, 0].set_ylim(bottom=0)
    for layer, colour in ((1, COLOURS[0]), (2, COLOURS[1])):
        key, label = f"angle_{layer}", f"$W^f_{layer}$"
        axes[0, 1].plot(
            counts, [row[key] for row in spiking], "o-", ms=4, color=colour, label=label
        )
        axes[0, 1].axhline(rates[key], color=colour, ls="--")
    axes[0, 1].set_ylabel("$\\Delta W^f$ to gradient (degrees)")
    axes[0, 1].set_ylim(0, 90)
    for panel in axes.flat:
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.set_xlabel("neurons in a unit")
        panel.legend(frameon=False, fontsize="small")
    drawing.savefig(path)


if __name__ == "__main__":
    main()

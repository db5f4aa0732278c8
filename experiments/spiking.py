"""Spikes: what networks of spiking neurons learn, what they cost, and what few bits do to them.

784-500-10 unless a row says otherwise, the defaults of the package but for what the row says.
Networks learn all training images; test images are looked at once. Then, smaller networks with
other numbers of neurons (claim 8: one unit may stand for several neurons), tested with held-out
images: accuracy, spikes, and the angle of the weight change to the gradient.

Each result is saved as soon as it is there; whoever stops the script and starts it again loses at
most the fits that were under way.

python experiments/spiking.py [--quick] [--only REGEX]
"""

import re
import time
from dataclasses import dataclass, field

import click
import joblib
import lab
import numpy as np
from tqdm import tqdm

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe, count_spikes

#: Images that spikes are counted on, and updates measured with.
COUNTED, MEASURED = 50, 300
#: Bits to which the weights of trained networks are cut, each matrix with a range of its own.
CUT = (8, 6, 5, 4, 3)
LIF = {"spikes": "lif"}
#: Rows of the first table: what is specified, and epochs.
NETWORKS = {
    "rates": ({}, 10),
    "change": ({"spikes": "change"}, 10),
    "lif": (LIF, 20),
    "bernoulli": ({"spikes": "bernoulli"}, 20),
    "lif, alignment": (LIF | {"feedback": "alignment"}, 10),
    "lif, two hidden layers of 300": (LIF | {"sizes": (784, 300, 300, 10)}, 20),
    "lif, MB": (LIF | {"model": "MB"}, 10),
    "lif, 8 bits": (LIF | {"weight_bits": 8}, 20),
    "lif, 6 bits": (LIF | {"weight_bits": 6}, 20),
    "lif, 4 bits": (LIF | {"weight_bits": 4}, 20),
}
SEEDS = 3
#: Neurons of a unit in the second table, by mechanism; 0 is rates.
NEURONS = {
    "rates": (0,),
    "change": (0,),
    "poisson": (1, 3, 10, 30, 100),
    "bernoulli": (1, 3, 10),
    "lif": (1, 3, 10),
}
UNITS, FEW, EPOCHS = 100, 20_000, 6


@dataclass(frozen=True)
class Fit:
    """One network, one seed."""

    name: str
    seed: int
    fields: dict = field(default_factory=dict)
    epochs: int = 1
    images: int | None = None
    held_out: bool = False

    @property
    def key(self):
        return self.name, str(self.seed)

    def run(self):
        training, test = load("mnist")
        if self.held_out:
            training, test = training.split(10_000, seed=0)
        if self.images:
            training = training.take(self.images)
        specification = Specification.create(**({"sizes": (784, 500, 10)} | self.fields))
        simulation = Simulation(specification, seed=self.seed)
        trainer = Training(simulation, training, test, self.seed)
        start = time.perf_counter()
        trainer.run(self.epochs)
        seconds = (time.perf_counter() - start) / self.epochs
        row = {
            "network": self.name,
            "seed": self.seed,
            "epochs": self.epochs,
            "accuracy": round(trainer.history[-1].test_accuracy, 2),
            "seconds_per_epoch": round(seconds, 1),
        }
        weights, spikes = simulation.weights, specification.spikes
        probe = Probe(
            specification,
            test.images[:MEASURED],
            test.labels[:MEASURED],
            adaptation=simulation.adaptation,
            seed=self.seed,
        )
        row["angle"] = round(max(probe.measure(weights).update_angle.values()), 1)
        counted = Probe(
            specification,
            test.images[:COUNTED],
            test.labels[:COUNTED],
            adaptation=simulation.adaptation,
            seed=self.seed,
        )
        counts = count_spikes(counted, weights) if spikes else None
        hidden = counts.spikes["pyramidal_1"]["prediction"] if counts else ""
        row["hidden_spikes"] = round(hidden) if counts else ""
        row["synaptic_events"] = round(sum(counts.events.values())) if counts else ""
        for bits in CUT:
            simulation.weights = {
                name: weight if "bias" in name else cut(weight, bits)
                for name, weight in weights.items()
            }
            row[f"cut_to_{bits}_bits"] = round(trainer.evaluate(test), 2)
        return row


def cut(weight, bits):
    """Return a matrix in so many bits."""
    step = float(np.abs(weight).max()) / (2 ** (bits - 1) - 1)
    return np.rint(weight / step) * step


def networks(quick):
    """Return the fits of the first table."""
    images, epochs = (2000, 1) if quick else (None, None)
    return [
        Fit(name, seed, fields, epochs or own, images, held_out=quick)
        for seed in range(1 if quick else SEEDS)
        for name, (fields, own) in NETWORKS.items()
    ]


def pools(quick):
    """Return the fits of the second table."""
    found = []
    for seed in range(1 if quick else SEEDS):
        for mechanism, numbers in NEURONS.items():
            for neurons in numbers[:1] if quick else numbers:
                fields = {"sizes": (784, UNITS, 10)}
                if mechanism != "rates":
                    fields["spikes"] = {"mechanism": mechanism}
                name = mechanism
                if neurons:
                    fields["spikes"]["neurons"] = neurons
                    name = f"{mechanism}, {neurons} neuron{'s' * (neurons > 1)}"
                images, epochs = (2000, 1) if quick else (FEW, EPOCHS)
                found.append(Fit(name, seed, fields, epochs, images, held_out=True))
    return found


def table(path, order):
    """Return means and standard deviations over the seeds that are there."""
    rows, found = lab.read_rows(path), []
    for name in order:
        of = [row for row in rows if row["network"] == name]
        if not of:
            continue
        accuracies = [float(row["accuracy"]) for row in of]
        spread = np.std(accuracies, ddof=1) if len(of) > 1 else 0.0
        facts = {
            "network": name,
            "epochs": of[0]["epochs"],
            "accuracy (%)": f"{np.mean(accuracies):.2f} ± {spread:.2f}",
            "angle (degrees)": f"{np.mean([float(row['angle']) for row in of]):.1f}",
        }
        for column, label in (
            ("hidden_spikes", "hidden spikes per image"),
            ("synaptic_events", "synaptic events per image"),
        ):
            values = [float(row[column]) for row in of if row[column]]
            facts[label] = f"{np.mean(values):,.0f}" if values else ""
        for bits in CUT:
            values = [float(row[f"cut_to_{bits}_bits"]) for row in of]
            facts[f"cut to {bits} bits (%)"] = f"{np.mean(values):.2f}"
        found.append(facts | {"seeds": len(of)})
    return found


def draw(small):
    """Draw accuracy and angle against neurons in a unit."""
    drawing, panels = lab.figure(1, 2, height=3.0)
    for panel, column, label in (
        (panels[0, 0], "accuracy (%)", "held-out error (%)"),
        (panels[0, 1], "angle (degrees)", "$\\Delta W^f$ to gradient (degrees)"),
    ):
        for colour, mechanism in zip(lab.COLOURS, NEURONS, strict=False):
            of = [row for row in small if row["network"].partition(",")[0] == mechanism]
            values = [float(row[column].split()[0]) for row in of]
            values = [100 - value for value in values] if panel is panels[0, 0] else values
            name = mechanism if panel is panels[0, 0] else None
            if NEURONS[mechanism] == (0,):
                for value in values:
                    panel.axhline(value, color=colour, ls="--", label=name)
            else:
                numbers = [int(re.search(r"\d+", row["network"])[0]) for row in of]
                panel.plot(numbers, values, "o-", ms=4, color=colour, label=name)
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.set_xlabel("neurons in a unit")
        panel.set_ylabel(label)
        panel.set_ylim(bottom=0)
    drawing.legend(loc="outside lower center", ncols=5, frameon=False, fontsize="small")
    return drawing


@click.option("--only", default="", help="Only networks whose name matches this.")
@lab.options
def main(quick, jobs, only):
    """Learn with spikes, count them, and cut weights to a few bits."""
    where = lab.folder(quick)
    tables = []
    for name, fits in (("spiking", networks(quick)), ("spiking_neurons", pools(quick))):
        path = where / f"{name}.csv"
        known = {(row["network"], row["seed"]) for row in lab.read_rows(path)}
        missing = [fit for fit in fits if fit.key not in known and re.search(only, fit.name)]
        work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
            joblib.delayed(Fit.run)(fit) for fit in missing
        )
        for row in tqdm(work, total=len(missing), unit=" fits"):
            lab.append_row(path, row)
            tqdm.write(f"{row['network']}, seed {row['seed']}: {row['accuracy']:.2f} %")
        tables.append(table(path, dict.fromkeys(fit.name for fit in fits)))
        lab.save_table(where / f"{name}_means.csv", tables[-1])
        for row in tables[-1]:
            click.echo(" ".join(str(value).rjust(8) for value in row.values()))
    draw(tables[1]).savefig(where / "spiking.png")


if __name__ == "__main__":
    main()

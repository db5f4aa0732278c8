"""Beyond the paper: how deep networks follow the gradient, by the rule of their ghosts.

Hidden layers of 100 units, transposed feedback unless a rule says otherwise, the defaults of the
package, and learning rates that begin to fall after 1,000 mini-batches. After every epoch, error
and weight update of every layer are compared with backpropagation's; the worst layer of the worst
epoch counts. At the end, the steps until the prediction phase has settled are counted. Beside them,
backpropagation through the same network, from the same weights, with the same inputs, mini-batches,
epochs and schedule; its learning rates are, for each depth, the best of `CANDIDATES` on 10,000
training images that are held out (beyond_choice.csv). With --trial networks are tested with these
too, for choosing; otherwise they learn all training images, and test images are looked at once, for
reporting.

python experiments/beyond.py [--trial] [--quick] [--only REGEX]
"""

import ast
import re
import time
from dataclasses import dataclass

import click
import lab
import numpy as np
from tqdm import tqdm

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.measure import Probe, backpropagate, compare_weights
from ghost_spiking.values import initial_weights

UNITS = 100
DEPTHS = (1, 2, 3, 4, 5, 10)
#: As many hidden layers are shown with one seed, and these rules.
DEEPEST, SHOWN = 10, ("backpropagation", "copy", "copy, calibrated")
#: What a specification says beside its sizes. Where ghosts are calibrated, they start at random.
RULES = {
    "the paper's": {"following": "none"},
    "copy": {"following": "copy"},
    "copy, calibrated": {"following": "copy", "calibration_steps": 6},
    "local": {"following": "local"},
    "local, calibrated": {"following": "local", "calibration_steps": 16},
    "mirror, calibrated": {"following": "copy", "feedback": "mirror"},
    "alignment": {"following": "copy", "feedback": "alignment"},
}
BACKPROPAGATION = "backpropagation"
#: Learning rates of backpropagation: of the first, of further hidden layers, and of the output. The
#: first three have the ratios of what a presentation does to a ghost network.
CANDIDATES = [
    (2.5, 3.0, 1.0), (5.0, 6.0, 2.0), (10.0, 12.0, 4.0),
    (5.0, 6.0, 1.0), (10.0, 12.0, 2.0), (20.0, 24.0, 2.0),
]  # fmt: skip
#: Images that errors and updates are measured with.
MEASURED = 300
#: Mini-batches after which learning rates have halved; they are constant for half as many.
HALF_LIFE = 2000


@dataclass(frozen=True)
class Plan:
    """How long networks learn, and with which images they are tested."""

    images: int
    epochs: int
    seeds: int
    held_out: bool

    def data(self):
        training, test = load("mnist")
        if self.held_out:
            training, test = training.split(10_000, seed=0)
        return training.take(min(self.images, len(training))), test


FULL, TRIAL = Plan(60_000, 5, 5, False), Plan(60_000, 5, 1, True)
QUICK = Plan(10_000, 1, 1, True)


def specification(depth, **fields):
    sizes = (784, *[UNITS] * depth, 10)
    return Specification.create(**{"sizes": sizes, "half_life": HALF_LIFE} | fields)


@dataclass(frozen=True)
class Fit:
    """One rule, one depth, one seed; backpropagation has learning rates."""

    rule: str
    depth: int
    seed: int
    plan: Plan
    rates: tuple = ()
    fields: tuple = ()  # what else a specification says

    @property
    def key(self):
        return self.rule, str(self.depth), str(self.seed)

    def run(self):
        start = time.perf_counter()
        training, test = self.plan.data()
        if self.rates:
            found = dict.fromkeys(MEASUREMENTS, 0)
            found["accuracy"] = accuracy(self, descend(self, training), test)
        else:
            found = ghosts(self, training, test)
        facts = {"rule": self.rule, "hidden_layers": self.depth, "seed": self.seed}
        note = f"rates {self.rates}" if self.rates else ""
        return facts | found | {"note": note, "seconds": round(time.perf_counter() - start, 1)}

    def tried(self):
        """Train by backpropagation, for choosing its learning rates."""
        found = self.run()
        return {
            "hidden_layers": self.depth,
            "rates": str(self.rates),
            "held_out_accuracy": found["accuracy"],
        }


MEASUREMENTS = (
    "accuracy", "error_angle", "error_ratio", "update_angle", "feedback_angle", "settling_steps",
)  # fmt: skip


def ghosts(fit, training, test):
    """Train a ghost network; measure it after every epoch, and its accuracy at the end."""
    spec = specification(fit.depth, **RULES[fit.rule] | dict(fit.fields))
    trainer = Training(Simulation(spec, seed=fit.seed), training, test, fit.seed)
    images, labels = test.images[:MEASURED], test.labels[:MEASURED]
    found = []

    def measure(trainer):
        simulation = trainer.simulation
        probe = Probe(spec, images, labels, adaptation=simulation.adaptation)
        back = compare_weights(spec, simulation.weights)["feedback_alignment"]
        found.append((probe.measure(simulation.weights), max(back.values())))

    trainer.run(fit.plan.epochs, callbacks=[measure])
    ratios = [ratio for gradient, _ in found for ratio in gradient.error_ratio.values()]
    values = (
        trainer.history[-1].test_accuracy,
        max(angle for gradient, _ in found for angle in gradient.error_angle.values()),
        max(ratios, key=lambda ratio: abs(ratio - 1)),
        max(angle for gradient, _ in found for angle in gradient.update_angle.values()),
        found[-1][1],
        settling(fit, trainer.simulation, images, labels),
    )
    return {name: round(value, 3) for name, value in zip(MEASUREMENTS, values, strict=True)}


def settling(fit, simulation, images, labels):
    """Count the steps of tau / 2 until the prediction phase is within 1 % of its fixed point."""
    fields = RULES[fit.rule] | dict(fit.fields) | {"time_step": 0.5}
    probe = Probe(
        specification(fit.depth, **fields), images, labels, adaptation=simulation.adaptation
    )
    return probe.settling_steps(simulation.weights) or np.nan


def best_rates(path, depths, quick, jobs):
    """Return the learning rates of backpropagation for each depth; try those that are missing."""
    plan = QUICK if quick else TRIAL
    known = {(row["hidden_layers"], row["rates"]) for row in lab.read_rows(path)}
    missing = [
        Fit(BACKPROPAGATION, depth, 0, plan, rates)
        for depth in depths
        for rates in (CANDIDATES[:2] if quick else CANDIDATES)
        if (str(depth), str(rates)) not in known
    ]
    for row in lab.parallel(jobs, Fit.tried, missing, "candidates"):
        lab.append_row(path, row)
    best = {}
    for row in sorted(lab.read_rows(path), key=lambda row: float(row["held_out_accuracy"])):
        best[int(row["hidden_layers"])] = ast.literal_eval(row["rates"])
    return best


def inputs(fit, training, images):
    """Return the rates of input units that have adapted to the training images."""
    simulation = Simulation(specification(fit.depth, **dict(fit.fields)), seed=fit.seed)
    simulation.adapt(training.images)
    return simulation.input_rates(images).astype(np.float32)


def descend(fit, training):
    """Return weights after gradient descent, and the training images that inputs adapted to."""
    spec = specification(fit.depth, **dict(fit.fields)).for_training(len(training))
    weights = {
        name: weight.astype(np.float32)
        for name, weight in initial_weights(spec, fit.seed).items()
        if name.startswith(("feedforward", "bias"))
    }
    first, between, last = fit.rates
    of_layer = dict.fromkeys(range(2, fit.depth + 1), between) | {1: first}
    of_layer[fit.depth + 1] = last
    batch, age = spec.protocol.batch_size, 0
    rates_in = inputs(fit, training, training.images)
    for number in range(1, fit.plan.epochs + 1):
        order = np.random.default_rng([fit.seed, 1, number]).permutation(len(training))
        for begin in range(0, len(order), batch):
            rows = order[begin : begin + batch]
            found = backpropagate(spec, weights, rates_in[rows], training.labels[rows])
            remaining = 1 / max(1.0, 2 * age / spec.protocol.half_life)
            for name, change in (found.weights | found.biases).items():
                rate = of_layer[int(name.split("_")[-1])] * remaining
                if name == "bias_1":
                    rate *= 785 / 100  # as that of ghost networks
                weights[name] = weights[name] + np.float32(rate) * change.astype(np.float32)
            age += 1
    return weights, training


def accuracy(fit, learned, images):
    """Return the percentage of images that the perceptron classifies correctly."""
    weights, training = learned
    rate = inputs(fit, training, images.images)
    for layer in range(1, fit.depth + 2):
        state = rate @ weights[f"feedforward_{layer}"].T + weights[f"bias_{layer}"].T
        rate = 1 / (1 + np.exp(-state))
    return 100 * float(np.mean(rate.argmax(axis=1) == images.labels))


@click.option("--trial", is_flag=True, help="Fewer images and epochs, and held-out images.")
@click.option("--only", default="", help="Only fits whose 'rule; depth' matches this.")
@lab.options
def main(quick, jobs, trial, only):
    """Compare rules of ghosts over depth."""
    where = lab.folder(quick)
    plan, name = (
        (QUICK, "beyond") if quick else (TRIAL, "beyond_trial") if trial else (FULL, "beyond")
    )
    path = where / f"{name}.csv"
    known = {(row["rule"], row["hidden_layers"], row["seed"]) for row in lab.read_rows(path)}
    depths = DEPTHS[:2] if quick else DEPTHS
    best = best_rates(where / "beyond_choice.csv", depths, quick, jobs)
    fits = [
        Fit(rule, depth, seed, plan, best[depth] if rule == BACKPROPAGATION else ())
        for seed in range(plan.seeds)
        for depth in depths
        for rule in (BACKPROPAGATION, *RULES)
        if (depth == 3 or rule != "local") and (depth < DEEPEST or (seed == 0 and rule in SHOWN))
    ]
    missing = [
        fit for fit in fits if fit.key not in known and re.search(only, f"{fit.rule}; {fit.depth}")
    ]
    for row in lab.parallel(jobs, Fit.run, missing, "fits"):
        lab.append_row(path, row)
        tqdm.write(f"{row['rule']}, {row['hidden_layers']} layers: {row['accuracy']:.2f} %")
    found = means(lab.read_rows(path))
    lab.save_table(where / f"{name}_means.csv", found)
    draw(found).savefig(where / f"{name}.png")
    for row in found:
        click.echo(" ".join(str(value).rjust(8) for value in row.values()))


def means(rows):
    """Return means over the seeds that are there, in the order of depths and rules."""
    found = []
    for depth in DEPTHS:
        for rule in (BACKPROPAGATION, *RULES):
            of = [row for row in rows if (row["rule"], row["hidden_layers"]) == (rule, str(depth))]
            if not of:
                continue
            mean = {name: np.mean([float(row[name]) for row in of]) for name in MEASUREMENTS}
            spread = f" ± {np.std(accuracies(of), ddof=1):.2f}" if len(of) > 1 else ""
            measured = rule != BACKPROPAGATION
            found.append(
                {
                    "hidden layers": depth,
                    "rule": rule,
                    "accuracy (%)": f"{mean['accuracy']:.2f}{spread}",
                    "error (degrees)": f"{mean['error_angle']:.1f}" if measured else "",
                    "error (ratio)": f"{mean['error_ratio']:.2f}" if measured else "",
                    "update (degrees)": f"{mean['update_angle']:.1f}" if measured else "",
                    "W^b to W^f^T (degrees)": f"{mean['feedback_angle']:.1f}" if measured else "",
                    "settling (steps)": settled(mean["settling_steps"]) if measured else "",
                    "runs": len(of),
                }
            )
    return found


def settled(steps):
    return "not settled" if np.isnan(steps) else f"{steps:.0f}"


def accuracies(rows):
    return [float(row["accuracy"]) for row in rows]


def draw(rows):
    """Draw accuracy and angle against depth."""
    drawing, panels = lab.figure(1, 2, height=3.2)
    for panel, column, label in (
        (panels[0, 0], "accuracy (%)", "accuracy (%)"),
        (panels[0, 1], "error (degrees)", "error to gradient (degrees)"),
    ):
        for colour, rule in zip(
            ("0.3", *lab.COLOURS, "0.7"), (BACKPROPAGATION, *RULES), strict=True
        ):
            of = [row for row in rows if row["rule"] == rule and row[column] != ""]
            depths = [row["hidden layers"] for row in of]
            values = [float(row[column].split()[0]) for row in of]
            name = rule if panel is panels[0, 0] else None
            panel.plot(depths, values, "o-", ms=4, color=colour, label=name)
        panel.set_xticks(sorted({row["hidden layers"] for row in rows}))
        panel.set_xlabel("hidden layers")
        panel.set_ylabel(label)
    panels[0, 0].set_ylim(bottom=89)
    drawing.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="x-small")
    return drawing


if __name__ == "__main__":
    main()

"""Ghosts and their rivals, side by side: accuracy, errors over depth, settling, size.

Every model learns with its usual learning rates times the best of `SCALES`, found on 10,000
held-out training images after 3 epochs of 20,000; then all training images, and test images are
looked at. Rates are constant, for ghosts too. Errors are compared with the gradient of the model's
own cost, in the network that it has learned: for most, that of the feedforward network with the
same weights; for equilibrium propagation, whose weights work both ways, that of its fixed point.
Each result is saved as soon as it is there.

Fashion-MNIST is not part of the package: name its folder of IDX files with --fashion.

python experiments/rivals.py [--quick] [--fashion FOLDER] [--only REGEX] [--jobs N]
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace

import click
import joblib
import lab
import numpy as np
from tqdm import tqdm

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import load
from ghost_spiking.exceptions import GhostSpikingError
from ghost_spiking.graph import projection_name
from ghost_spiking.measure import Probe
from ghost_spiking.vectors import angle, ratio

#: Rectified, but smooth, so that it has a slope.
RECTIFIED = "log(1 + exp(4 * s)) / 4"


@dataclass(frozen=True)
class Rival:
    """What a specification says beside its sizes.

    `deep` has what differs with three hidden layers or more; `factors` are those on the model's
    usual learning rates of W^f, of the first layer, between hidden layers, and of the output.
    """

    fields: dict[str, object]
    deep: dict[str, object] = field(default_factory=dict)
    factors: tuple[float, float, float] = (1.0, 1.0, 1.0)
    epochs: int | None = None

    def specification(self, sizes, scale):
        """Return the specification, all rates of W^f and biases multiplied by this."""
        fields = self.fields | (self.deep if len(sizes) > 4 else {})
        chosen = Specification.create(sizes=sizes, **fields)
        rates = chosen.protocol.learning_rates
        first, between, last = self.factors
        factors = (first, *(between,) * (len(sizes) - 3), last)
        # Rates that are given at once would mean inputs as they are, and other defaults.
        return chosen.replace(
            learning_rates={
                name: tuple(
                    scale * factor * rate
                    for factor, rate in zip(factors, getattr(rates, name), strict=True)
                )
                for name in ("feedforward", "bias")
            }
        )


_GHOSTS = {"model": "MA", "half_life": 0}
_EQUILIBRIUM = {"model": "equilibrium_propagation"}
#: All of them. Equilibrium propagation of three layers and more has 500 free steps in its source;
#: it is settled before 100 here, see ``settling_steps``.
MODELS = {
    "backpropagation": Rival({"model": "backpropagation"}),
    "backpropagation, rectified": Rival(
        {
            "model": "backpropagation",
            "loss": "cross_entropy",
            "rate_function": RECTIFIED,
            "input_adaptation": False,
            "initial_weights": {"feedforward": 1.0},
            "batch_size": 20,
        },
        factors=(0.1, 0.1, 0.3),
    ),
    "feedback alignment": Rival({"model": "backpropagation", "feedback": "alignment"}),
    "equilibrium propagation": Rival(_EQUILIBRIUM, {"prediction_steps": 100}),
    "equilibrium propagation, both sides": Rival(
        _EQUILIBRIUM | {"symmetric": True, "nudging_steps": 8},
        {"prediction_steps": 100},
        factors=(3.0, 3.0, 3.0),
    ),
    "predictive coding": Rival(
        {
            "model": "predictive_coding",
            "rate_function": RECTIFIED,
            "input_adaptation": False,
        },
        factors=(1.0, 1.0, 3.0),
    ),
    "microcircuits": Rival({"model": "microcircuit"}),
    "microcircuits, transposed": Rival({"model": "microcircuit", "feedback": "transpose"}),
    "ghosts, the paper's rules": Rival(_GHOSTS | {"following": "none"}),
    "ghosts that follow": Rival(_GHOSTS | {"following": "copy"}),
    "ghosts, mirror": Rival(_GHOSTS | {"following": "copy", "feedback": "mirror"}),
    "ghosts, MB": Rival({"model": "MB", "half_life": 0}),
    "ghosts, LIF": Rival(_GHOSTS | {"spikes": "lif"}, epochs=2),
}
#: Hidden layers: one of 500 units, and one to five of 100.
NETWORKS = ((500,), *((100,) * depth for depth in range(1, 6)))
#: Candidates, as many for each model: factors on its learning rates of W^f and biases.
SCALES = (1 / 3, 1.0, 3.0)
SEEDS, MEASURED = 3, 200
CHOOSING = 20_000, 3


def n_epochs(model, hidden):
    """Return how many epochs a network learns for."""
    return MODELS[model].epochs or (10 if hidden == (500,) else 5)


@dataclass(frozen=True)
class Fit:
    """One model, one network, one seed; `scale` is that of its learning rates."""

    data: str
    model: str
    hidden: tuple[int, ...]
    seed: int
    scale: float
    folder: str | None
    quick: bool = False

    @property
    def facts(self):
        hidden = "-".join(map(str, self.hidden))
        return {"data": self.data, "model": self.model, "hidden": hidden}

    def specification(self, n_inputs):
        return MODELS[self.model].specification((n_inputs, *self.hidden, 10), self.scale)

    def parts(self, choosing):
        training, test = load(self.folder or "mnist")
        if choosing:
            training, test = training.split(10_000, seed=0)
            training = training.take(CHOOSING[0])
        if self.quick:
            training, test = training.take(2000), test.take(500)
        return training, test

    def choose(self):
        """Return the accuracy on held-out images."""
        training, test = self.parts(choosing=True)
        specification = self.specification(training.n_features)
        trainer = Training(Simulation(specification, seed=self.seed), training, test, self.seed)
        try:
            trainer.run(1 if self.quick else CHOOSING[1])
            accuracy = trainer.history[-1].test_accuracy
        except GhostSpikingError as error:
            tqdm.write(f"{self.model}, scale {self.scale:g}: {error}")
            accuracy = 0.0
        return self.facts | {"scale": self.scale, "accuracy": round(accuracy, 2)}

    def report(self):
        """Return a row for each epoch, and one for each hidden layer."""
        training, test = self.parts(choosing=False)
        specification = self.specification(training.n_features)
        simulation = Simulation(specification, seed=self.seed)
        trainer = Training(simulation, training, test, self.seed)
        facts = self.facts | {"seed": self.seed}
        try:
            trainer.run(1 if self.quick else n_epochs(self.model, self.hidden))
        except GhostSpikingError as error:
            tqdm.write(f"{self.model}, {self.facts['hidden']}, seed {self.seed}: {error}")
            return [facts | {"scale": self.scale, "epoch": 0, "test_accuracy": 0.0}], []
        size = cost(specification)
        epochs = [
            facts
            | {
                "scale": self.scale,
                "epoch": epoch.epoch,
                "test_accuracy": round(epoch.test_accuracy, 2),
                "online_accuracy": round(epoch.online_accuracy, 2),
                "seconds": round(epoch.seconds, 2),
            }
            | size
            for epoch in trainer.history
        ]
        probe = Probe(
            specification,
            test.images[:MEASURED],
            test.labels[:MEASURED],
            maximum=test.maximum,
            adaptation=simulation.adaptation,
            seed=self.seed,
        )
        settled = probe.settling_steps(simulation.weights)
        layers = [
            facts
            | {
                "layer": layer,
                "from_output": len(self.hidden) + 1 - layer,
                "angle": round(of_layer[0], 2),
                "ratio": round(of_layer[1], 5),
                "settling_steps": settled,
            }
            for layer, of_layer in errors(probe, simulation.weights, test).items()
        ]
        return epochs, layers


def cost(specification):
    """Return how much there is to a network: weights, and states of all units."""
    layout = specification.layout
    weights = sum(
        layout.size(item.source) * layout.size(item.target)
        for item in layout.projections
        if item.start is not None
    )
    states = sum(item.size * len(item.states) for item in layout.populations)
    return {"weights": weights, "states": states, "steps": sum(p.steps for p in layout.phases)}


def errors(probe, weights, test):
    """Return angle and magnitude of the error of each hidden layer, relative to the gradient."""
    if probe.specification.network.model == "equilibrium_propagation":
        return displacements(probe, weights, test)
    return probe.errors(weights)


def displacements(probe, weights, test):
    """Return the same for equilibrium propagation, whose errors are how far nudging moves states.

    The gradient of its cost at the fixed point s is D (I - W D)^-1 (y - s_L), where D says which
    states are not held at a bound, and W connects both ways; by iteration. Nudging is made weak
    and long, so that what is compared is the rule, and not its settings.
    """
    specification = probe.specification
    top, beta = specification.network.n_layers, 1e-3
    layers = range(1, top + 1)
    free_steps = 2 * specification.protocol.prediction_steps
    states = probe.states(weights, prediction_steps=free_steps, nudging_steps=free_steps, beta=beta)
    free = {layer: states[f"layer_{layer}.s"][free_steps] for layer in layers}
    moved = {layer: (states[f"layer_{layer}.s"][-1] - free[layer]) / beta for layer in layers}
    inside = {layer: (free[layer] > 0) & (free[layer] < 1) for layer in layers}
    W = {layer: weights[projection_name("feedforward", layer - 1, layer)] for layer in layers}
    target = np.eye(specification.network.sizes[-1])[test.labels[:MEASURED]]
    found = {layer: np.zeros_like(free[layer]) for layer in layers}
    for _ in range(free_steps):
        new = {}
        for layer in layers:
            drive = found[layer - 1] @ W[layer].T if layer > 1 else 0.0
            if layer < top:
                drive = drive + found[layer + 1] @ W[layer + 1]
            else:
                drive = drive + target - free[top]
            new[layer] = inside[layer] * drive
        found = new
    return {
        layer: (angle(moved[layer], found[layer]), ratio(moved[layer], found[layer]))
        for layer in range(1, top)
    }


# -- what is run ----------------------------------------------------------------------


def work(fits, method, jobs):
    """Yield fits and their results as they come."""
    results = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
        joblib.delayed(_one)(fit, method) for fit in fits
    )
    yield from tqdm(results, total=len(fits), unit=" fits")


def _one(fit, method):
    start = time.perf_counter()
    found = getattr(fit, method)()
    return fit, found, time.perf_counter() - start


def best_scales(rows):
    """Return the best of the scales for each data set, model and network."""
    best = {}
    for row in rows:
        key = row["data"], row["model"], row["hidden"]
        if key not in best or float(row["accuracy"]) > best[key][0]:
            best[key] = float(row["accuracy"]), float(row["scale"])
    return {key: scale for key, (_, scale) in best.items()}


def last_epochs(rows):
    """Return the last row of each fit."""
    found = {}
    for row in rows:
        key = tuple(map(row.get, ("data", "model", "hidden", "seed")))
        if key not in found or int(row["epoch"]) >= int(found[key]["epoch"]):
            found[key] = row
    return list(found.values())


def table(rows):
    """Return mean and standard deviation of the last epoch's test accuracy, a column a network."""
    found = {}
    for row in last_epochs(rows):
        key = row["data"], row["model"]
        found.setdefault(key, {}).setdefault(row["hidden"], []).append(row)
    columns = ["-".join(map(str, hidden)) for hidden in NETWORKS]

    def cell(of):
        values = [float(row["test_accuracy"]) for row in of]
        spread = f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
        return f"{np.mean(values):.2f}{spread}" if values else ""

    return [
        {"data": data, "model": model}
        | {column: cell(networks.get(column, [])) for column in columns}
        for (data, model), networks in found.items()
    ]


def draw(rows, layers):
    """Draw accuracy over depth, and errors over the distance to the output."""
    drawing, panels = lab.figure(1, 3, width=3.0, height=3.2)
    accuracy, angles, magnitudes = panels[0]
    for number, model in enumerate(MODELS):
        style = {
            "color": lab.COLOURS[number % len(lab.COLOURS)],
            "ls": "-" if number < len(lab.COLOURS) else "--",
            "marker": "os^vDPX*<>phd"[number],
            "ms": 4,
        }
        means = {}
        for row in last_epochs(rows):
            depth = row["hidden"].count("100")
            if row["model"] == model and row["data"] == "MNIST" and depth:
                means.setdefault(depth, []).append(float(row["test_accuracy"]))
        if means:
            depths = sorted(means)
            accuracy.plot(depths, [np.mean(means[k]) for k in depths], label=model, **style)
        for panel, column in ((angles, "angle"), (magnitudes, "ratio")):
            of = {}
            for row in layers:
                if (
                    row["model"] == model
                    and row["data"] == "MNIST"
                    and row["hidden"] == "100-100-100-100-100"
                ):
                    of.setdefault(int(row["from_output"]), []).append(float(row[column]))
            places = sorted(of)
            # Magnitudes relative to that next to the output: a common factor is a learning rate.
            scale = np.mean(of[1]) if column == "ratio" and 1 in of else 1.0
            if places:
                panel.plot(places, [np.mean(of[k]) / scale for k in places], **style)
    accuracy.set(xlabel="hidden layers of 100", ylabel="test accuracy (%)")
    angles.set(xlabel="layers from the output", ylabel="error to gradient (degrees)")
    magnitudes.set(xlabel="layers from the output", ylabel="error / gradient", yscale="log")
    drawing.legend(loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    return drawing


@click.option("--fashion", help="Folder with Fashion-MNIST.")
@click.option("--only", default="", help="Only fits whose 'data; model; hidden' matches this.")
@lab.options
def main(quick, jobs, fashion, only):
    """Let ghosts and their rivals learn the same; results in rivals.csv and rivals_layers.csv."""
    where = lab.folder(quick)
    choice, epochs, layers = (where / f"rivals{name}.csv" for name in ("_choice", "", "_layers"))
    networks = NETWORKS[:3:2] if quick else NETWORKS
    fits = [
        Fit(data, model, hidden, 0, 1.0, folder, quick)
        for data, folder in (("MNIST", None), ("Fashion-MNIST", fashion))
        if data == "MNIST" or fashion
        for hidden in networks
        for model in MODELS
        if re.search(only, f"{data}; {model}; {'-'.join(map(str, hidden))}")
    ]
    known = {
        (*map(row.get, ("data", "model", "hidden")), row["scale"]) for row in lab.read_rows(choice)
    }
    candidates = [replace(fit, seed=100, scale=scale) for fit in fits for scale in SCALES]
    missing = [fit for fit in candidates if (*fit.facts.values(), str(fit.scale)) not in known]
    for fit, row, _ in work(missing, "choose", jobs):
        lab.append_row(choice, row)
        tqdm.write(f"{fit.model}, {row['hidden']}, scale {fit.scale:.2g}: {row['accuracy']:.2f} %")
    best = best_scales(lab.read_rows(choice))
    known = {
        (*map(row.get, ("data", "model", "hidden")), row["seed"]) for row in lab.read_rows(epochs)
    }
    missing = [
        replace(fit, seed=seed, scale=best[tuple(fit.facts.values())])
        for seed in range(1 if quick else SEEDS)
        for fit in fits
        if (*fit.facts.values(), str(seed)) not in known
    ]
    for fit, (of_epochs, of_layers), seconds in work(missing, "report", jobs):
        for path, rows in ((layers, of_layers), (epochs, of_epochs)):
            for row in rows:
                lab.append_row(path, row)
        last = of_epochs[-1]
        tqdm.write(
            f"{fit.model}, {last['hidden']}: {last['test_accuracy']:.2f} % ({seconds:.0f} s)"
        )
    rows = lab.read_rows(epochs)
    means = table(rows)
    lab.save_table(where / "rivals_means.csv", means)
    for row in means:
        click.echo("  ".join(str(value).ljust(14) for value in row.values()))
    draw(rows, lab.read_rows(layers)).savefig(where / "rivals.png")


if __name__ == "__main__":
    main()

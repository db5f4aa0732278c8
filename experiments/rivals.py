"""Ghosts and their rivals, side by side: accuracy, errors over depth, settling, size.

Every model learns with its usual learning rates times one of `SCALES`, found on 10,000
held-out training images of MNIST after 3 epochs of 20,000: the smallest that is within a standard
error of the best, since larger ones may fall apart later. Then it learns all training images; if it
fails, or its accuracy while learning falls, it begins again with the next smaller scale. Test
images are looked at in the end. Rates are constant, for ghosts too. Errors are compared with the
gradient of the model's own cost, in the network that it has learned: for most, that of the
feedforward network with the same weights; for equilibrium propagation, whose weights work both
ways, that of its fixed point.
Each result is saved as soon as it is there.

Fashion-MNIST is not part of the package: name its folder of IDX files with --fashion. Nothing is
chosen on it: it shows what the settings that were found on MNIST do with other images.

python experiments/rivals.py [--quick] [--fashion FOLDER] [--only REGEX] [--seeds N] [--jobs N]
python experiments/rivals.py --times    Seconds for an epoch of 784-500-10, on one quiet thread.
"""

from __future__ import annotations

import itertools
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
from ghost_spiking.vectors import angle, norm, ratio

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
#: All of them. Equilibrium propagation of three layers and more has 500 free steps in its source,
#: and 100 here for the sake of time: less than it needs to come to rest, see ``settling_steps``.
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
            "batch_size": 10,
        },
        {"batch_size": 20},
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
CHOSEN_ON = "MNIST"
SEEDS, MEASURED = 3, 200
CHOOSING, HELD_OUT = (20_000, 3), 10_000
#: Points of accuracy.
FALLEN = 2.0


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
        return {"data": self.data, "model": self.model, "hidden": hidden_name(self.hidden)}

    def specification(self, n_inputs):
        return MODELS[self.model].specification((n_inputs, *self.hidden, 10), self.scale)

    def parts(self, choosing):
        training, test = load(self.folder or "mnist")
        if choosing:
            training, test = training.split(HELD_OUT, seed=0)
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

    def learn(self):
        """Return a training that has learned, or None if it failed."""
        training, test = self.parts(choosing=False)
        simulation = Simulation(self.specification(training.n_features), seed=self.seed)
        trainer = Training(simulation, training, test, self.seed)
        try:
            trainer.run(1 if self.quick else n_epochs(self.model, self.hidden))
        except GhostSpikingError as error:
            tqdm.write(f"{self.model}, {self.facts['hidden']}, seed {self.seed}: {error}")
            return None
        return trainer

    def report(self):
        """Return a row for each epoch, and one for each hidden layer."""
        for scale in sorted((s for s in SCALES if s <= self.scale), reverse=True):
            trainer = replace(self, scale=scale).learn()
            if trainer is not None and not fell_apart(trainer):
                break
        facts = self.facts | {"seed": self.seed, "chosen": self.scale, "scale": scale}
        if trainer is None:
            return [facts | {"epoch": 0, "test_accuracy": 0.0}], []
        simulation, test = trainer.simulation, trainer.test
        specification = simulation.specification
        size = cost(specification)
        epochs = [
            facts
            | {
                "epoch": epoch.epoch,
                "test_accuracy": round(epoch.test_accuracy, 2),
                "online_accuracy": round(epoch.online_accuracy, 2),
                "seconds": round(epoch.seconds, 2),
            }
            | size
            for epoch in trainer.history
        ]
        # Long traces of equilibrium propagation take much memory.
        model = specification.network.model
        measured = MEASURED // 10 if model == "equilibrium_propagation" else MEASURED
        probe = Probe(
            specification,
            test.images[:measured],
            test.labels[:measured],
            maximum=test.maximum,
            adaptation=simulation.adaptation,
            seed=self.seed,
        )
        settled = probe.settling_steps(simulation.weights)
        layers = [
            self.facts
            | {
                "seed": self.seed,
                "layer": layer,
                "from_output": len(self.hidden) + 1 - layer,
                "angle": rounded(of_layer[0], 2),
                "ratio": rounded(of_layer[1], 5),
                "settling_steps": settled,
            }
            for layer, of_layer in errors(probe, simulation.weights, test.labels[:measured]).items()
        ]
        return epochs, layers


def fell_apart(trainer):
    """Tell whether the accuracy while learning has fallen from one epoch to a later one."""
    while_learning = [epoch.online_accuracy for epoch in trainer.history]
    highest = np.maximum.accumulate(while_learning)
    return bool(np.any(highest - while_learning > FALLEN))


def rounded(value, digits):
    return "" if value is None or not np.isfinite(value) else round(value, digits)


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


def errors(probe, weights, labels):
    """Return angle and magnitude of the error of each hidden layer, relative to the gradient."""
    if probe.specification.network.model == "equilibrium_propagation":
        return displacements(probe, weights, labels)
    return probe.errors(weights)


def displacements(probe, weights, labels):
    """Return the same for equilibrium propagation, whose errors are how far nudging moves states.

    The gradient of its cost at the fixed point s is D (I - W D)^-1 (y - s_L), where D says which
    states are not held at a bound, and W connects both ways; by iteration. Nudging is made weak,
    and phases as long as it takes, so that what is compared is the rule, and not its settings.
    Where states are not at rest after that, there is nothing to compare.
    """
    specification = probe.specification
    top, beta, steps = specification.network.n_layers, 1e-3, 1500
    layers = range(1, top + 1)
    states = probe.states(weights, prediction_steps=steps, nudging_steps=steps, beta=beta)
    found = {}
    for layer in layers:
        trace = states[f"layer_{layer}.s"]
        free, late, nudged = trace[steps], trace[3 * steps // 4], trace[-1]
        moved = (nudged - free) / beta
        unrest = norm(free - late) + norm(nudged - trace[-1 - steps // 4])
        found[layer] = free, moved, unrest < 1e-3 * norm(nudged - free)
    free = {layer: values[0] for layer, values in found.items()}
    inside = {layer: (free[layer] > 0) & (free[layer] < 1) for layer in layers}
    W = {layer: weights[projection_name("feedforward", layer - 1, layer)] for layer in layers}
    target = np.eye(specification.network.sizes[-1])[labels]
    truth = {layer: np.zeros_like(free[layer]) for layer in layers}
    for _ in range(steps):
        new = {}
        for layer in layers:
            drive = truth[layer - 1] @ W[layer].T if layer > 1 else 0.0
            if layer < top:
                drive = drive + truth[layer + 1] @ W[layer + 1]
            else:
                drive = drive + target - free[top]
            # Half a step, since whole ones may oscillate.
            new[layer] = 0.5 * (truth[layer] + inside[layer] * drive)
        truth = new
    return {
        layer: (angle(moved, truth[layer]), ratio(moved, truth[layer])) if rests else (None, None)
        for layer, (_, moved, rests) in found.items()
        if layer < top
    }


# -- time -----------------------------------------------------------------------------

#: Settings of equilibrium propagation in which it is timed beside PyTorch.
TIMED = {"prediction_steps": 20, "nudging_steps": 10, "batch_size": 100}
ROUNDS = 5


def times(where, quick):
    """Time an epoch of 784-500-10 of all models in turn, and of PyTorch where it is installed."""
    training, test = load("mnist")
    if quick:
        training = training.take(2000)
    specifications = {
        model: rival.specification((784, 500, 10), 1.0) for model, rival in MODELS.items()
    }
    specifications["equilibrium propagation, 20 + 10 steps of 100"] = Specification.create(
        sizes=(784, 500, 10), model="equilibrium_propagation", **TIMED
    )
    trainers = {
        model: Training(Simulation(specification, seed=0), training, test.take(100), 0)
        for model, specification in specifications.items()
    }
    ways = {
        model: lambda trainer=trainer: trainer.run_epoch().seconds
        for model, trainer in trainers.items()
    }
    try:
        ways["equilibrium propagation, 20 + 10 steps of 100, PyTorch"] = in_torch(training)
    except ImportError:
        click.echo("PyTorch is not installed: without its rows")
    path = where / "rivals_times.csv"
    path.unlink(missing_ok=True)
    for turn in tqdm(range(ROUNDS), unit=" rounds"):
        for model, way in ways.items():
            lab.append_row(path, {"model": model, "round": turn, "seconds": f"{way():.2f}"})
    rows = lab.read_rows(path)
    for model in ways:
        seconds = [float(row["seconds"]) for row in rows if row["model"] == model]
        click.echo(f"{model:52} {min(seconds):6.2f} {np.median(seconds):6.2f} {max(seconds):6.2f}")


def in_torch(training):
    """Return a function that lets PyTorch run the same dynamics, as users write it.

    States go down the gradient of the energy, which PyTorch derives.
    """
    import torch

    torch.set_num_threads(1)
    images = torch.from_numpy(np.array(training.images)).float() / 255
    targets = torch.nn.functional.one_hot(torch.from_numpy(training.labels), 10).float()
    sizes = (784, 500, 10)
    weights = [torch.randn(a, b) / a**0.5 for a, b in itertools.pairwise(sizes)]
    biases = [torch.zeros(n) for n in sizes[1:]]
    for parameter in weights + biases:
        parameter.requires_grad_()

    def energy(x, states, beta, y):
        rates = [x, *(state.clamp(0, 1) for state in states)]
        total = 0.5 * sum((state**2).sum() for state in states)
        for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
            total = total - ((rates[k] @ w + b) * rates[k + 1]).sum()
        return total + beta * 0.5 * ((states[-1] - y) ** 2).sum()

    def relax(x, states, steps, beta, y):
        for _ in range(steps):
            states = [state.detach().requires_grad_() for state in states]
            slopes = torch.autograd.grad(energy(x, states, beta, y), states)
            states = [(s - 0.5 * g).clamp(0, 1) for s, g in zip(states, slopes, strict=True)]
        return [state.detach() for state in states]

    def epoch():
        start = time.perf_counter()
        for rows in torch.randperm(len(images)).split(TIMED["batch_size"]):
            x, y = images[rows], targets[rows]
            states = [torch.zeros(len(rows), n) for n in sizes[1:]]
            free = relax(x, states, TIMED["prediction_steps"], 0.0, y)
            nudged = relax(x, free, TIMED["nudging_steps"], 1.0, y)
            change = (energy(x, nudged, 0.0, y) - energy(x, free, 0.0, y)) / len(rows)
            slopes = torch.autograd.grad(change, weights + biases)
            with torch.no_grad():
                for parameter, slope in zip(weights + biases, slopes, strict=True):
                    parameter -= 0.1 * slope
        return time.perf_counter() - start

    return epoch


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
    """Return the smallest scale within a standard error of the best, as Breiman et al. (1984)."""
    tried = {}
    for row in rows:
        found = tried.setdefault((row["model"], row["hidden"]), {})
        found[float(row["scale"])] = float(row["accuracy"])
    best = {}
    for key, found in tried.items():
        highest = max(found.values())
        error = (highest * (100 - highest) / HELD_OUT) ** 0.5
        best[key] = min(scale for scale, right in found.items() if right >= highest - error)
    return best


def forget_others(where, best):
    """Remove what was learned with another scale than the best, as of an earlier choice."""
    rows = lab.read_rows(where / "rivals.csv")
    stale = {
        key
        for row in rows
        if (key := (row["model"], row["hidden"])) in best and float(row["chosen"]) != best[key]
    }
    for path in (where / "rivals.csv", where / "rivals_layers.csv"):
        rows = lab.read_rows(path)
        kept = [row for row in rows if (row["model"], row["hidden"]) not in stale]
        if len(kept) < len(rows):
            lab.save_table(path, kept)


def last_epochs(rows):
    """Return the last row of each fit."""
    found = {}
    for row in rows:
        key = tuple(map(row.get, ("data", "model", "hidden", "seed")))
        if key not in found or int(row["epoch"]) >= int(found[key]["epoch"]):
            found[key] = row
    return list(found.values())


def mean_and_spread(values, digits=2):
    """Return a cell of a table: the mean, and the standard deviation if there are several."""
    values = [float(value) for value in values if value not in ("", None)]
    if not values:
        return ""
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def accuracies(rows):
    """Return the test accuracy after the last epoch, a row a model and a column a network."""
    found = {}
    for row in last_epochs(rows):
        cells = found.setdefault((row["data"], row["model"]), {})
        cells.setdefault(row["hidden"], []).append(row["test_accuracy"])
    return [
        {"data": data, "model": model}
        | {
            name: mean_and_spread(found.get((data, model), {}).get(name, ()))
            for name in map(hidden_name, NETWORKS)
        }
        for data in dict.fromkeys(data for data, _ in found)
        for model in MODELS
        if (data, model) in found
    ]


def sizes_and_settling(rows, layers, times):
    """Return what each model needs, of MNIST: weights, states, steps, and seconds an epoch."""
    found = []
    for model in MODELS:
        of = [row for row in rows if row["model"] == model and row["data"] == "MNIST"]
        wide = next((row for row in of if row["hidden"] == "500" and row["weights"]), None)
        if wide is None:
            continue

        def settled(depth, model=model):
            name = hidden_name((100,) * depth)
            return "/".join(
                dict.fromkeys(
                    row["settling_steps"] or "never"
                    for row in layers
                    if (row["model"], row["hidden"], row["data"]) == (model, name, "MNIST")
                )
            )

        seconds = [row["seconds"] for row in times if row["model"] == model]
        found.append(
            {
                "model": model,
                "weights": f"{int(wide['weights']):,}",
                "states": f"{int(wide['states']):,}",
                "steps of an image": wide["steps"],
                "seconds an epoch": f"{min(map(float, seconds)):.1f}" if seconds else "",
            }
            | {f"settled, {depth} hidden": settled(depth) for depth in (1, 3, 5)}
        )
    return found


def of_depth(layers, column, hidden):
    """Return means over seeds of an error's angle or ratio, by model and layers from the output."""
    found = {}
    for row in layers:
        if row["data"] == "MNIST" and row["hidden"] == hidden_name(hidden) and row[column]:
            places = found.setdefault(row["model"], {})
            places.setdefault(int(row["from_output"]), []).append(float(row[column]))
    return {
        model: {place: float(np.mean(values)) for place, values in sorted(places.items())}
        for model, places in found.items()
    }


def hidden_name(hidden):
    return "-".join(map(str, hidden))


#: What is drawn, and how; the rest is in the tables.
DRAWN = {
    "backpropagation": ("#000000", "-", "o"),
    "feedback alignment": ("#999999", "--", "o"),
    "equilibrium propagation, both sides": (lab.COLOURS[0], "-", "s"),
    "predictive coding": (lab.COLOURS[4], "-", "D"),
    "microcircuits": (lab.COLOURS[1], "--", "v"),
    "microcircuits, transposed": (lab.COLOURS[1], "-", "^"),
    "ghosts, the paper's rules": (lab.COLOURS[2], "--", "P"),
    "ghosts that follow": (lab.COLOURS[2], "-", "X"),
    "ghosts, mirror": (lab.COLOURS[3], "-", "*"),
}


def draw_errors(layers):
    """Draw angle and magnitude of errors over the distance to the output: the first claim."""
    deep = NETWORKS[-1]
    drawing, panels = lab.figure(1, 2, width=3.2, height=3.4)
    angles, ratios = panels[0]
    for panel, column in ((angles, "angle"), (ratios, "ratio")):
        for model, places in of_depth(layers, column, deep).items():
            if model in DRAWN:
                colour, line, marker = DRAWN[model]
                # Relative to the layer next to the output: a common factor is a learning rate.
                scale = places[1] if column == "ratio" else 1.0
                panel.plot(
                    list(places),
                    [max(value / scale, 1e-9) for value in places.values()],
                    color=colour,
                    ls=line,
                    marker=marker,
                    ms=5,
                    label=model,
                )
        panel.set_xticks(range(1, len(deep) + 1))
        panel.set_xlabel("layers from the output")
    angles.set(ylabel="angle to the gradient (degrees)", ylim=(-3, 100))
    ratios.set(ylabel="error / gradient (layer 1: 1)", yscale="log")
    handles, labels = angles.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return drawing


def draw_settling(rows, layers):
    """Draw steps until the first phase is at rest, and accuracy, over depth: the second claim."""
    drawing, panels = lab.figure(1, 2, width=3.2, height=3.4)
    steps, accuracy = panels[0]
    for model, (colour, line, marker) in DRAWN.items():
        style = {"color": colour, "ls": line, "marker": marker, "ms": 5, "label": model}
        settled, right = {}, {}
        for depth in range(1, 6):
            name = hidden_name((100,) * depth)
            of_model = {"data": "MNIST", "model": model, "hidden": name}
            for row in layers:
                if of_model.items() <= row.items() and row["settling_steps"]:
                    settled.setdefault(depth, []).append(float(row["settling_steps"]))
            for row in last_epochs(rows):
                if of_model.items() <= row.items():
                    right.setdefault(depth, []).append(float(row["test_accuracy"]))
        for panel, values in ((steps, settled), (accuracy, right)):
            if values:
                panel.plot(list(values), [np.mean(value) for value in values.values()], **style)
    steps.set(ylabel="steps to rest, first phase", yscale="log")
    accuracy.set(ylabel="test accuracy (%)", ylim=(80, 100))
    for panel in panels[0]:
        panel.set_xticks(range(1, 6))
        panel.set_xlabel("hidden layers of 100 units")
    handles, labels = accuracy.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return drawing


def markdown(rows):
    """Return a table for the site."""
    names = list(rows[0])
    lines = [names, ["---"] + ["---:"] * (len(names) - 1)]
    lines += [[str(row[name]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def show_all(where):
    """Write tables and figures of what is there."""
    rows, layers, times = (
        lab.read_rows(where / f"rivals{name}.csv") for name in ("", "_layers", "_times")
    )
    means = accuracies(rows)
    lab.save_table(where / "rivals_means.csv", means)
    for data in dict.fromkeys(row["data"] for row in means):
        of = [{k: v for k, v in row.items() if k != "data"} for row in means if row["data"] == data]
        of = [{k: v for k, v in row.items() if any(r[k] for r in of)} for row in of]
        (where / f"rivals_{data.lower()}.md").write_text(markdown(of))
    if needs := sizes_and_settling(rows, layers, times):
        (where / "rivals_needs.md").write_text(markdown(needs))
    angles, ratios = (of_depth(layers, column, NETWORKS[-1]) for column in ("angle", "ratio"))
    deep = [
        {"model": model}
        | {
            f"{place} from the output": f"{angles[model][place]:.1f}, {ratios[model][place]:.2g}"
            for place in angles[model]
        }
        for model in MODELS
        if model in angles
    ]
    if deep:
        (where / "rivals_errors.md").write_text(markdown(deep))
        draw_errors(layers).savefig(where / "rivals_errors.png")
        draw_settling(rows, layers).savefig(where / "rivals.png")
    for row in means:
        click.echo("  ".join(str(value).ljust(14) for value in row.values()))


@click.option("--fashion", help="Folder with Fashion-MNIST.")
@click.option("--only", default="", help="Only fits whose 'data; model; hidden' matches this.")
@click.option("--seeds", default=SEEDS, show_default=True, help="Runs of each fit.")
@click.option("--times", "timing", is_flag=True, help="Seconds for an epoch, and nothing else.")
@lab.options
def main(quick, jobs, fashion, only, seeds, timing):
    """Let ghosts and their rivals learn the same; results in rivals.csv and rivals_layers.csv."""
    where = lab.folder(quick)
    if timing:
        times(where, quick)
        return
    choice, epochs, layers = (where / f"rivals{name}.csv" for name in ("_choice", "", "_layers"))
    networks = NETWORKS[:3:2] if quick else NETWORKS
    fits = [
        Fit(data, model, hidden, 0, 1.0, folder, quick)
        for data, folder in ((CHOSEN_ON, None), ("Fashion-MNIST", fashion))
        if data == CHOSEN_ON or fashion
        for hidden in networks
        for model in MODELS
        if re.search(only, f"{data}; {model}; {hidden_name(hidden)}")
    ]
    known = {
        (*map(row.get, ("data", "model", "hidden")), row["scale"]) for row in lab.read_rows(choice)
    }
    candidates = [
        replace(fit, seed=100, scale=scale)
        for fit in fits
        for scale in SCALES
        if fit.data == CHOSEN_ON
    ]
    missing = [fit for fit in candidates if (*fit.facts.values(), str(fit.scale)) not in known]
    for fit, row, _ in work(missing, "choose", jobs):
        lab.append_row(choice, row)
        tqdm.write(f"{fit.model}, {row['hidden']}, scale {fit.scale:.2g}: {row['accuracy']:.2f} %")
    best = best_scales(lab.read_rows(choice))
    forget_others(where, best)
    known = {
        (*map(row.get, ("data", "model", "hidden")), row["seed"]) for row in lab.read_rows(epochs)
    }
    missing = [
        replace(fit, seed=seed, scale=best[fit.model, fit.facts["hidden"]])
        for seed in range(1 if quick else seeds)
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
    show_all(where)


if __name__ == "__main__":
    main()

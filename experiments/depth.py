"""Depth: test error with 1 to 4 hidden layers, beside perceptrons trained by backpropagation.

The paper says that several hidden layers work, "data not shown". The perceptron has the same
sizes, rate function, loss, initial weights, mini-batches and epochs; its learning rate is the best
of `RATES` on 10,000 held-out training images.

python experiments/depth.py [--quick]
"""

import json

import joblib
import numpy as np
from lab import COLOURS, Task, figure, folder, options, run_all, save_table, specification
from tqdm import trange

from ghost_spiking.measure import backpropagate
from ghost_spiking.values import initial_weights

UNITS = 100
DEPTHS = (1, 2, 3, 4)
FEEDBACKS = ("transpose", "alignment")
EPOCHS = 20
#: Learning rates of the perceptron, the same in all layers.
RATES = (0.3, 1.0, 3.0)
#: Epochs after which they are compared.
TRIAL = 3


def task(depth, feedback, quick):
    name = "deep-alignment" if feedback == "alignment" and depth > 1 else "deep"
    return Task(
        f"MA-{feedback}-{depth}x{UNITS}-seed0",
        specification(name, [UNITS] * depth, feedback=feedback),
        seed=0,
        epochs=2 if quick else EPOCHS,
        images=5000 if quick else None,
    )


def train_perceptron(ghosts, data, epochs, rate, name):
    """Return the weights after gradient descent on mini-batches, in single precision."""
    spec, batch = ghosts.specification, ghosts.specification.protocol.batch_size
    drawn = initial_weights(spec, ghosts.seed)
    weights = {
        key: value.astype(np.float32)
        for key, value in drawn.items()
        if key.startswith(("feedforward", "bias"))
    }
    images = data.images.astype(np.float32) / 255
    for number in trange(1, epochs + 1, desc=name, leave=False):
        order = np.random.default_rng([ghosts.seed, 1, number]).permutation(len(data))
        for first in range(0, len(order), batch):
            rows = order[first : first + batch]
            found = backpropagate(spec, weights, images[rows], data.labels[rows])
            for key, change in found.weights.items():
                weights[key] = weights[key] + np.float32(rate) * change.astype(np.float32)
            for key, change in found.biases.items():
                weights[key] = weights[key] + np.float32(rate) * change.astype(np.float32)
    return weights


def errors(spec, weights, data):
    """Return the percentage of images that the perceptron takes for another class."""
    rate = data.images.astype(np.float32) / 255
    for layer in range(1, spec.network.n_layers + 1):
        state = rate @ weights[f"feedforward_{layer}"].T + weights[f"bias_{layer}"].T
        rate = 1 / (1 + np.exp(-state))
    return 100 * float(np.mean(rate.argmax(axis=1) != data.labels))


def perceptron(depth, quick):
    """Return learning rate and test error of the perceptron; it is trained only once."""
    file = folder(quick) / "runs" / f"perceptron-{depth}x{UNITS}.json"
    if not file.exists():
        ghosts = task(depth, "transpose", quick)
        training, test = ghosts.data()
        part, held_out = training.split(len(training) // 6, seed=0)
        found = {}
        for rate in RATES:
            name = f"{depth} layers, rate {rate:g}"
            weights = train_perceptron(ghosts, part, 1 if quick else TRIAL, rate, name)
            found[rate] = errors(ghosts.specification, weights, held_out)
        best = min(found, key=found.get)
        name = f"{depth} layers, all images"
        weights = train_perceptron(ghosts, training, ghosts.epochs, best, name)
        result = {"rate": best, "test_error": errors(ghosts.specification, weights, test)}
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(result | {"held_out_errors": found}, indent=1) + "\n")
    return json.loads(file.read_text())


@options
def main(quick, jobs):
    """Compare depths."""
    where, depths = folder(quick), DEPTHS[:2] if quick else DEPTHS
    tasks = [task(depth, feedback, quick) for depth in depths for feedback in FEEDBACKS]
    runs = {task.name: run for task, run in zip(tasks, run_all(tasks, where, jobs), strict=True)}
    beside = joblib.Parallel(n_jobs=jobs)(joblib.delayed(perceptron)(n, quick) for n in depths)
    rows = []
    for depth, trained in zip(depths, beside, strict=True):
        row = {"hidden_layers": depth}
        for feedback in FEEDBACKS:
            run = runs[task(depth, feedback, quick).name]
            row[f"{feedback}_train_error"] = round(100 - run.train_accuracy, 4)
            row[f"{feedback}_test_error"] = round(100 - run.test_accuracy, 4)
        row |= {"perceptron_rate": trained["rate"]}
        row |= {"perceptron_test_error": round(trained["test_error"], 4)}
        rows.append(row)
        print(row, flush=True)
    save_table(where / "depth.csv", rows)
    draw(rows, where / "depth.png")


def draw(rows, path):
    drawing, axes = figure()
    panel = axes[0, 0]
    for key, colour, style, label in (
        ("transpose_test_error", COLOURS[0], "o-", "ghost units, transpose"),
        ("alignment_test_error", COLOURS[1], "s-", "ghost units, alignment"),
        ("perceptron_test_error", COLOURS[2], "^--", "backpropagation"),
    ):
        depths = [row["hidden_layers"] for row in rows]
        panel.plot(depths, [row[key] for row in rows], style, ms=4, color=colour, label=label)
    panel.set_xticks([row["hidden_layers"] for row in rows])
    panel.set_xlabel("hidden layers")
    panel.set_ylabel("error on test images (%)")
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False, fontsize="x-small")
    drawing.savefig(path)


if __name__ == "__main__":
    main()

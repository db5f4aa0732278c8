"""Theorem 1: the error of hidden units against backpropagation, over depth and nudging strength.

Networks of one to five hidden layers are trained on 50,000 images. Their W^f soon slows down, and
after 20 epochs only ghosts learn, for another 40 ("learned ghosts"). To tell the two sources of
error apart, the same W^f is also measured with V copied from it ("ideal ghosts"), on
held-out training images.

python experiments/theorem1.py [--quick]
"""

import numpy as np
from lab import COLOURS, Task, figure, folder, options, run_all, save_table, specification

from ghost_spiking.measure import Probe

UNITS = 100
DEPTHS = (1, 2, 3, 4, 5)
BETAS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 3.0, 10.0)
#: Long enough for the error to reach the lowest of five hidden layers.
NUDGING_STEPS = 60
IMAGES = 300
GHOSTS = ("right after training", "learned ghosts", "ideal ghosts")


def task(depth, quick=False):
    return Task(
        f"MA-deep-{depth}x{UNITS}",
        specification("deep", [UNITS] * depth, half_life=1000),  # two epochs
        seed=0,
        epochs=2 if quick else 20,
        rest=1 if quick else 40,
        held_out=10_000,
        images=5000 if quick else None,
        keep_weights=True,
    )


def networks(quick, jobs):
    """Train what is missing; give the depth, the task and a probe for each network in turn."""
    depths = DEPTHS[:2] if quick else DEPTHS
    tasks = [task(depth, quick) for depth in depths]
    run_all(tasks, folder(quick), jobs)
    for depth, trained in zip(depths, tasks, strict=True):
        _, held_out = trained.data()
        images, labels = held_out.images[:IMAGES], held_out.labels[:IMAGES]
        yield depth, trained, Probe(trained.specification, images, labels)


@options
def main(quick, jobs):
    """Measure Theorem 1."""
    where = folder(quick)
    betas = BETAS[::3] if quick else BETAS
    rows = []
    for depth, trained, probe in networks(quick, jobs):
        after = trained.weights()
        for ghosts, weights in zip(
            GHOSTS, (trained.weights("before rest"), after, idealised(after)), strict=True
        ):
            for beta in betas:
                found = probe.errors(weights, beta=beta, nudging_steps=NUDGING_STEPS)
                rows += [
                    {
                        "hidden_layers": depth,
                        "ghosts": ghosts,
                        "beta": beta,
                        "layer": layer,
                        "angle": round(angle, 3),
                        "ratio": round(ratio, 4),
                    }
                    for layer, (angle, ratio) in found.items()
                ]
        print(f"{depth} hidden layers measured", flush=True)
    save_table(where / "theorem1.csv", rows)
    report(rows)
    draw(rows, where / "theorem1.png")


def idealised(weights):
    """Copy V from W, so that ghosts predict perfectly."""
    ideal = dict(weights)
    for name in weights:
        if name.startswith("ghost_forward"):
            number = name.removeprefix("ghost_forward")
            ideal[name] = weights[f"feedforward{number}"]
            ideal[f"ghost_feedback{number}"] = weights[f"feedforward{number}"].T
            ideal[f"ghost_bias{number}"] = weights[f"bias{number}"]
    return ideal


def strengths(rows):
    return sorted({row["beta"] for row in rows})


def select(rows, depth, ghosts="learned ghosts"):
    """Return angles and ratios of one network: arrays of shape (layers, betas)."""
    chosen = [row for row in rows if row["hidden_layers"] == depth and row["ghosts"] == ghosts]
    shape = (len(strengths(rows)), depth)
    return tuple(
        np.array([row[key] for row in chosen]).reshape(shape).T for key in ("angle", "ratio")
    )


def best(rows, depth, ghosts="learned ghosts"):
    """Return the index of the nudging strength with the smallest of the layers' largest angles.

    Beyond 1, where errors saturate and are far too small, angles may fall again.
    """
    largest = select(rows, depth, ghosts)[0].max(axis=0)
    return int(largest[np.array(strengths(rows)) <= 1].argmin())


def report(rows):
    for depth in sorted({row["hidden_layers"] for row in rows}):
        for ghosts in GHOSTS:
            angles, ratios = select(rows, depth, ghosts)
            index = best(rows, depth, ghosts)
            print(
                f"{depth} hidden layers, {ghosts}, beta = {strengths(rows)[index]:g}: angles "
                f"{np.round(angles[:, index], 1)}, ratios {np.round(ratios[:, index], 2)}"
            )


def draw(rows, path):
    depths = sorted({row["hidden_layers"] for row in rows})
    drawing, axes = figure(2, 2, height=3)
    shown = 3 if 3 in depths else max(depths)
    for ghosts, style in (("learned ghosts", "o-"), ("ideal ghosts", ".:")):
        for layer, values in enumerate(zip(*select(rows, shown, ghosts), strict=True)):
            label = f"layer {layer + 1} of {shown}, {ghosts}"
            for panel, curve in zip(axes[:, 0], values, strict=True):
                panel.plot(strengths(rows), curve, style, ms=3, color=COLOURS[layer], label=label)
    for panel in axes[:, 0]:
        panel.set_xscale("log")
        panel.set_xlabel(r"nudging strength $\beta$")
    for depth in depths:
        index = best(rows, depth)
        layers = np.arange(1, depth + 1)
        for ghosts, style in (("learned ghosts", "o-"), ("ideal ghosts", ".:")):
            label = f"{depth} hidden, " + rf"$\beta$ = {strengths(rows)[index]:g}"
            for panel, values in zip(axes[:, 1], select(rows, depth, ghosts), strict=True):
                panel.plot(layers, values[:, index], style, ms=3, color=COLOURS[depth - 1],
                           label=label if ghosts == "learned ghosts" else None)  # fmt: skip
    for panel in axes[:, 1]:
        panel.set_xlabel("hidden layer")
        panel.set_xticks(range(1, max(depths) + 1))
    for panel in axes[0]:
        panel.set_ylabel("angle to gradient (degrees)")
        panel.axhline(10, color="black", lw=0.8, ls="--")
        panel.set_ylim(0, 95)
    for panel in axes[1]:
        panel.set_ylabel("magnitude / that of gradient")
        panel.axhspan(0.8, 1.25, color="black", alpha=0.08, lw=0)
    axes[1, 0].set_yscale("log")
    axes[1, 0].yaxis.set_major_formatter("{x:g}")
    axes[1, 0].legend(frameon=False, fontsize="x-small", loc="upper right")
    axes[1, 1].set_ylim(0, 1.5)
    axes[0, 1].legend(frameon=False, fontsize="x-small", loc="upper left")
    drawing.savefig(path)


if __name__ == "__main__":
    main()

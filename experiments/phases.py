"""How long phases have to be, and how weak nudging, where ghosts copy: accuracy and gradient.

Hidden layers of 100 units and the defaults but for what varies; 50,000 training images, 5 epochs,
tested with 10,000 held-out training images, one seed. What a presentation adds to W^f is the same
in all, since learning rates are divided by beta and by the length of the nudging phase (see
`ghost_spiking/models/ghost/_rates.py`). Errors and updates are measured after every epoch; the
worst counts. The figure shows means over seeds; what diverged is left out.

python experiments/phases.py [--quick]
"""

from collections import defaultdict
from dataclasses import dataclass

import beyond
import click
import lab
import numpy as np

from ghost_spiking.exceptions import DivergenceError

#: Step in units of tau, and steps of both phases, by the number of hidden layers. The first were
#: those of version 0.1.
STEPS = {
    1: ((0.8, 4, 6),),
    3: ((0.5, 16, 20), (0.8, 12, 12), (0.8, 8, 10), (0.8, 6, 8), (0.8, 4, 6), (0.8, 4, 4)),
    5: ((0.5, 16, 20), (0.8, 12, 14), (0.8, 9, 12), (0.8, 9, 10), (0.8, 6, 6)),
}
#: The steps that are the defaults.
DEFAULT = {1: (0.8, 4, 6), 3: (0.8, 6, 8), 5: (0.8, 9, 12)}
BETAS = (0.003, 0.01, 0.03, 0.1, 0.3)
DEFAULT_BETA = 0.01
SEEDS = range(1)
MEASUREMENTS = beyond.MEASUREMENTS[:-1]  # phases of other lengths settle alike


FACTS = ("depth", "time_step", "prediction_steps", "nudging_steps", "beta", "seed")


@dataclass(frozen=True)
class Fit:
    """One depth, one protocol."""

    depth: int
    time_step: float
    prediction_steps: int
    nudging_steps: int
    beta: float
    seed: int
    quick: bool

    @property
    def facts(self):
        return {name: str(getattr(self, name)) for name in FACTS}

    def run(self):
        plan = beyond.QUICK if self.quick else beyond.TRIAL
        protocol = {
            "time_step": self.time_step,
            "prediction_steps": self.prediction_steps,
            "nudging_steps": self.nudging_steps,
            "beta": self.beta,
        }
        fit = beyond.Fit("copy", self.depth, self.seed, plan, fields=tuple(protocol.items()))
        try:
            found = beyond.ghosts(fit, *plan.data())
        except DivergenceError:
            found = dict.fromkeys(beyond.MEASUREMENTS, "diverged")
        return self.facts | {name: found[name] for name in MEASUREMENTS}


@lab.options
def main(quick, jobs):
    """Learn with phases of several lengths, and several strengths of nudging."""
    path = lab.folder(quick) / "phases.csv"
    protocols = [(depth, *steps, DEFAULT_BETA) for depth in STEPS for steps in STEPS[depth]] + [
        (depth, *DEFAULT[depth], beta) for depth in STEPS for beta in BETAS if beta != DEFAULT_BETA
    ]
    seeds = SEEDS[:1] if quick else SEEDS
    if quick:
        protocols = protocols[:20:19]
    fits = [Fit(*protocol, seed, quick) for seed in seeds for protocol in protocols]
    known = [facts(row) for row in lab.read_rows(path)]
    missing = [fit for fit in fits if tuple(fit.facts.values()) not in known]
    for row in lab.parallel(jobs, Fit.run, missing, "fits"):
        lab.append_row(path, row)
    order = [tuple(fit.facts.values()) for fit in fits]
    rows = sorted(lab.read_rows(path), key=lambda row: order.index(facts(row)))
    lab.save_table(path, rows)
    draw(rows).savefig(path.with_suffix(".png"))
    for row in rows:
        click.echo(" ".join(str(value).rjust(8) for value in row.values()))


def draw(rows):
    """Draw accuracy and angle against steps and beta, a colour for each depth."""
    drawing, panels = lab.figure(2, 2, height=2.4)
    for line, (column, label) in enumerate(
        (("accuracy", "held-out accuracy (%)"), ("error_angle", "error to gradient (degrees)"))
    ):
        for depth, colour in zip(STEPS, lab.COLOURS, strict=False):
            for panel, chosen, x in (
                (panels[line, 0], lambda row: float(row["beta"]) == DEFAULT_BETA, length),
                (panels[line, 1], lambda row, depth=depth: steps(row) == DEFAULT[depth], beta),
            ):
                of = defaultdict(list)
                for row in rows:
                    if row["depth"] == str(depth) and chosen(row) and row[column] != "diverged":
                        of[x(row)].append(float(row[column]))
                panel.plot(
                    sorted(of),
                    [np.mean(of[place]) for place in sorted(of)],
                    "o-",
                    ms=4,
                    color=colour,
                    label=f"{depth} hidden layer{'s' * (depth > 1)}",
                )
                panel.set_ylabel(label)
        panels[line, 0].set_xlabel("steps of both phases")
        panels[line, 1].set_xlabel("beta")
        panels[line, 1].set_xscale("log")
    panels[0, 0].legend(frameon=False, fontsize="small")
    return drawing


def facts(row):
    return tuple(row[name] for name in FACTS)


def steps(row):
    return float(row["time_step"]), int(row["prediction_steps"]), int(row["nudging_steps"])


def length(row):
    return int(row["prediction_steps"]) + int(row["nudging_steps"])


def beta(row):
    return float(row["beta"])


if __name__ == "__main__":
    main()

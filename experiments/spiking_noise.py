"""Claim 8: one unit may stand for several neurons with similar connections, against spiking noise.

Every pyramidal and every ghost unit is taken for K neurons with the same connections. In each time
step each of them sends a Poisson number of spikes, rho(s) on average, and their target gets the
mean. That is a model of its own with one more line in two equations.
Networks of 100 hidden units learn with such spikes, and are tested with them on held-out images.
The network of residual.py, which learned with rates, tells how far noise turns the weight change of
one presentation.

python experiments/spiking_noise.py [--quick]
"""

from dataclasses import dataclass

import brian2
from lab import COLOURS, Task, figure, folder, options, run_all, save_table
from residual import task

from ghost_spiking import Simulation
from ghost_spiking.measure import Probe
from ghost_spiking.models.ghost import MA

#: Neurons in a unit.
NEURONS = (1, 3, 10, 30, 100, 300)
#: Images of the mini-batch whose weight change is compared.
IMAGES = 300


def spiking(neurons):
    """Return the model whose units stand for so many spiking neurons."""
    rate = f"""
expected = {{rate}} : 1 (constant over dt)
rate = poisson({neurons} * expected) / {neurons}.0 : 1 (constant over dt)
"""

    class Spiking(MA):
        name = f"MA, {neurons} spiking neurons in a unit"
        # A slope belongs to the state, and not to the spikes that it happened to cause.
        pyramidal = f"""
ds/dt = (-s + bottom_up + error) / tau : 1
{rate}
slope = expected * (1 - expected) : 1
"""
        ghost = f"""
dg/dt = (-g + bottom_up) / tau : 1
{rate}
"""

    return Spiking


def with_spikes(specification, neurons):
    """Return a specification with spiking units, and seed their noise; 0 neurons for rates."""
    brian2.seed(neurons)
    return specification.replace(model=spiking(neurons)) if neurons else specification


@dataclass(frozen=True)
class SpikingTask(Task):
    """The network of residual.py with spikes."""

    neurons: int = 1

    def description(self):
        return super().description() | {"neurons": self.neurons}

    def simulation(self):
        specification = with_spikes(self.specification, self.neurons)
        return Simulation(specification, device="numpy", seed=self.seed)


def spiking_task(neurons, quick):
    rates = task("MA", "transpose", quick)
    return SpikingTask(
        f"MA-transpose-100-{neurons}-neurons",
        rates.specification,
        rates.seed,
        rates.epochs,
        rates.held_out,
        rates.images,
        neurons=neurons,
    )


def angles(neurons, rates):
    """Return the angle of the change of each W^f to the gradient, in the network of rates."""
    _, held_out = rates.data()
    specification = with_spikes(rates.specification, neurons)
    probe = Probe(specification, held_out.images[:IMAGES], held_out.labels[:IMAGES])
    return probe.measure(rates.weights()).update_angle


@options
def main(quick, jobs):
    """Learn with spikes, and measure what they do to weight changes."""
    where, neurons = folder(quick), NEURONS[::3] if quick else NEURONS
    rates = task("MA", "transpose", quick)
    tasks = [rates, *(spiking_task(number, quick) for number in neurons)]
    rows = []
    for number, run in zip((0, *neurons), run_all(tasks, where, jobs), strict=True):
        found = angles(number, rates)
        rows.append(
            {
                "neurons": number or "rates",
                "epochs": rates.epochs,
                "held_out_accuracy": round(run.test_accuracy, 4),
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

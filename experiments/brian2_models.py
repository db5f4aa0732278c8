"""All-to-all models with `Synapses` and with `DenseSynapses`: equal numbers, and time for a step.

python experiments/brian2_models.py            Takes hours; goes on where it was stopped.
python experiments/brian2_models.py --quick    Whether small networks agree; times mean nothing.

The models are in all_to_all.py. Each is run in a process of its own, on one thread, with both kinds
in turn, since other work on a machine comes and goes: times are the shortest of a few blocks of
steps, without what a run needs to begin. They are those of the processor in runtime mode, and those
of the clock in standalone programs.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

TARGETS = ("cython", "standalone", "numpy")
SIZES = (200, 1000, 4000)
REPLICAS = 32
KINDS = ("plain", "dense")
ROUNDS = 5
#: Steps after which the two have to agree, by the number of neurons.
STEPS = {20: 100, 200: 1000, 1000: 200, 4000: 50}
#: Seconds that a block of steps should take with `Synapses`.
BLOCK = 0.15
FIELDS = ["model", "target", "neurons", "replicas", "kind", "ms_per_step", "spikes"]


def built(kind, model, n, replicas):
    from all_to_all import RATES, SPIKES
    from brian2 import Synapses, seed

    from ghost_spiking.dense import DenseSynapses

    seed(1)
    # `Synapses` have no replicas: theirs is the first one
    options = {"replicas": replicas} if replicas > 1 and kind == "dense" else {}
    return (RATES | SPIKES)[model]({"dense": DenseSynapses, "plain": Synapses}[kind], n, **options)


class Runtime:
    """A network that Python runs."""

    def __init__(self, kind, model, n, replicas):
        from brian2 import Network

        self._model = built(kind, model, n, replicas)
        self._network = Network(self._model.objects)
        self._blocks = 0
        self.milliseconds(STEPS[n])
        self.values = self._model.values()
        self._steps = max(10, min(4000, round(1e3 * BLOCK / self.milliseconds(10))))

    def milliseconds(self, steps=None):
        """Run some steps, with the random numbers that the other kind gets; return their mean."""
        from brian2 import defaultclock, second, seed

        steps, marks = steps or self._steps, []
        self._blocks += 1
        seed(self._blocks)
        self._network.run(
            steps * defaultclock.dt,
            namespace=self._model.namespace,
            report=lambda *_: marks.append(time.process_time()),
            report_period=1e9 * second,
        )
        return 1e3 * (marks[-1] - marks[0]) / steps

    def take_steps_of(self, other):
        self._steps = other._steps


class Program:
    """A C++ standalone program."""

    def __init__(self, kind, model, n, replicas, path):
        from brian2 import Network, defaultclock, device, set_device

        self._path, self._steps = path / kind, STEPS[n]
        device.reinit()
        set_device("cpp_standalone", build_on_run=False, directory=str(self._path))
        model = built(kind, model, n, replicas)
        Network(model.objects).run(self._steps * defaultclock.dt, namespace=model.namespace)
        device.build(directory=str(self._path), compile=True, run=True, with_output=False)
        self.values = model.values()

    def milliseconds(self):
        subprocess.run(["./main"], cwd=self._path, check=True, capture_output=True)
        seconds = float((self._path / "results" / "last_run_info.txt").read_text().split()[0])
        return 1e3 * seconds / self._steps

    def take_steps_of(self, other):
        pass


def measure(model, target, n, replicas):
    """Run a model both ways; print rows, and stop if the numbers differ."""
    from brian2 import BrianLogger, prefs

    BrianLogger.log_level_error()
    with tempfile.TemporaryDirectory() as folder:
        if target == "standalone":
            networks = [Program(kind, model, n, replicas, Path(folder)) for kind in KINDS]
        else:
            prefs.codegen.target = target
            networks = [Runtime(kind, model, n, replicas) for kind in KINDS]
        plain, dense = networks
        for name, values in plain.values.items():
            if replicas > 1 and model == "oja":  # where replicas teach the same weights
                break
            scale = np.abs(values).max(initial=1e-300)
            np.testing.assert_allclose(
                dense.values[name][: len(values)],
                values,
                rtol=1e-9,
                atol=1e-9 * scale,
                err_msg=f"{model} {name}",
            )
        dense.take_steps_of(plain)
        blocks = [[network.milliseconds() for network in networks] for _ in range(ROUNDS)]
    spikes = len(plain.values.get("spikes", []))
    rows = [
        [model, target, n, replicas, kind, round(min(times), 5), spikes]
        for kind, times in zip(KINDS, zip(*blocks, strict=True), strict=True)
    ]
    print(json.dumps(rows))


def measured(*case):
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--one", *map(str, case)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}\n{done.stderr[-3000:]}")
    return [list(map(str, row)) for row in json.loads(done.stdout.splitlines()[-1])]


def plan(quick):
    from all_to_all import RATES, SPIKES

    if quick:
        return [(model, "numpy", 20, 1) for model in RATES | SPIKES]
    alone = [
        (model, target, n, 1)
        for n in (1000, 200, 4000)
        for target in TARGETS
        for model in RATES | SPIKES
    ]
    together = [
        (model, target, n, REPLICAS) for n in (1000, 200) for target in TARGETS for model in RATES
    ]
    # what matters most comes first
    return sorted(
        together + alone, key=lambda row: (row[2] == 4000, row[1] == "numpy", row[2] == 200)
    )


def main():
    quick = "--quick" in sys.argv
    where = Path(__file__).parent / ("quick" if quick else "results")
    where.mkdir(exist_ok=True)
    path = where / "brian2_models.csv"
    rows = list(csv.reader(path.read_text().splitlines()))[1:] if path.exists() else []
    have = {(row[0], row[1], int(row[2]), int(row[3])) for row in rows}
    for model, target, n, replicas in plan(quick):
        if (model, target, n, replicas) in have:
            continue
        begin = time.perf_counter()
        rows += measured(model, target, n, replicas)
        with open(path, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([FIELDS, *rows])
        plain, dense = (float(row[5]) for row in rows[-2:])
        took = f"{time.perf_counter() - begin:.0f} s"
        print(model, target, n, replicas, f"{plain:.3f} and {dense:.3f} ms, {took}", flush=True)
        write_table(rows, where / "brian2_models.md")
    draw(rows, where / "brian2_models.png")
    write_table(rows, where / "brian2_models.md")


def write_table(rows, path):
    """Write times for 1000 neurons (in a quick run, for all), and how much faster at all sizes."""
    ratios, times = {}, {}
    for plain, dense in zip(rows[::2], rows[1::2], strict=True):
        model, target, n, replicas = plain[0], plain[1], int(plain[2]), int(plain[3])
        before, after = float(plain[5]), float(dense[5])
        ratios[model, target, n, replicas] = replicas * before / after
        if n in (1000, 20) and replicas == 1:
            times[model, target] = (before, after)
    models = list(dict.fromkeys(key[0] for key in ratios))
    targets = [target for target in TARGETS if any(key[1] == target for key in times)]
    lines = table(
        [f"{target}: {kind}" for target in targets for kind in ("Synapses", "Dense", "ratio")],
        {
            model: [
                cell
                for target in targets
                for cell in cells_of(*times.get((model, target), (None, None)))
            ]
            for model in models
        },
    )
    cases = sorted({key[1:] for key in ratios}, key=lambda case: (case[2], case[1], case[0]))
    heads = [
        f"{t}, {n}" + (f", {replicas} replicas" if replicas > 1 else "") for t, n, replicas in cases
    ]
    body = {model: [shown(ratios.get((model, *case))) for case in cases] for model in models}
    path.write_text("\n".join([*lines, "", *table(heads, body)]) + "\n")


def cells_of(before, after):
    return (
        ["", "", ""] if before is None else [f"{before:.3f}", f"{after:.3f}", shown(before / after)]
    )


def shown(ratio):
    return "" if ratio is None else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def table(heads, body):
    lines = [f"| model | {' | '.join(heads)} |", "|---" + "|---:" * len(heads) + "|"]
    return lines + [
        f"| {name.replace('_', ' ')} | {' | '.join(cells)} |" for name, cells in body.items()
    ]


def draw(rows, path):
    from lab import COLOURS, figure

    ratios = {}
    for plain, dense in zip(rows[::2], rows[1::2], strict=True):
        ratios[plain[0], plain[1], int(plain[2]), int(plain[3])] = float(plain[5]) / float(dense[5])
    models = list(dict.fromkeys(key[0] for key in ratios))
    drawing, panels = figure(1, 1, width=6, height=4)
    axes = panels[0, 0]
    marks = {200: "o", 1000: "s", 4000: "D", 20: "o"}
    for (model, target, n, replicas), ratio in ratios.items():
        if replicas > 1:
            continue
        colour = COLOURS[TARGETS.index(target)]
        axes.plot(ratio, models.index(model), marks[n], color=colour, ms=4)
    axes.axvline(1, color="0.7", lw=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(models)), [model.replace("_", " ") for model in models])
    axes.invert_yaxis()
    axes.set_xlabel("time of Synapses / time of DenseSynapses")
    for target, colour in zip(TARGETS, COLOURS, strict=False):
        axes.plot([], [], "s", color=colour, ms=4, label=target)
    for n in sorted({key[2] for key in ratios}):
        axes.plot([], [], marks[n], color="0.5", ms=4, label=f"{n} neurons")
    axes.legend(frameon=False, fontsize="small")
    drawing.savefig(path)


if __name__ == "__main__":
    if "--one" in sys.argv:
        chosen, where, n, replicas = sys.argv[sys.argv.index("--one") + 1 :]
        measure(chosen, where, int(n), int(replicas))
    else:
        main()

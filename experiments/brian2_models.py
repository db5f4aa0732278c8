"""All-to-all models with `Synapses` and with `DenseSynapses`: equal numbers, and time for a step.

python experiments/brian2_models.py            Takes hours; goes on where it was stopped.
python experiments/brian2_models.py --quick    Whether small networks agree; times mean nothing.

The models are in all_to_all.py. Each is run in a process of its own, on one thread. Time is that of
the processor for one time step, without what a run needs to begin.
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

TARGETS = ("numpy", "cython", "standalone")
SIZES = (200, 1000, 4000)
REPLICAS = 32
#: Steps after which the two have to agree, by the number of neurons.
STEPS = {20: 100, 200: 600, 1000: 200, 4000: 60}
FIELDS = ["model", "target", "neurons", "replicas", "kind", "ms_per_step", "spikes"]


def one(model, kind, target, n, replicas, path):
    """Run a network; save the values that it comes to, and print the time of a step."""
    from all_to_all import RATES, SPIKES
    from brian2 import BrianLogger, Network, Synapses, defaultclock, device, prefs, seed, set_device

    from ghost_spiking.dense import DenseSynapses

    BrianLogger.log_level_error()
    steps = STEPS[n]
    if target == "standalone":
        set_device("cpp_standalone", build_on_run=False, directory=str(path / "project"))
    else:
        prefs.codegen.target = target
    seed(1)
    options = {"replicas": replicas} if replicas > 1 else {}
    build = (RATES | SPIKES)[model]
    built = build({"dense": DenseSynapses, "plain": Synapses}[kind], n, **options)
    network = Network(built.objects)

    def run(number):
        begin = time.process_time()
        network.run(number * defaultclock.dt, namespace=built.namespace)
        return time.process_time() - begin

    run(steps)
    if target == "standalone":
        device.build(directory=str(path / "project"), compile=True, run=True, with_output=False)
        seconds = device._last_run_time / steps
        values = built.values()
    else:
        values = built.values()
        first = run(5)
        guess = max(run(25) - first, 1e-4) / 20
        many = int(min(4000, max(10, 0.3 / guess)))
        seconds = guess if n == 20 else (run(3 * many) - run(many)) / (2 * many)
    np.savez(path / f"{kind}.npz", **values)
    print(json.dumps({"ms_per_step": 1e3 * seconds, "spikes": len(values.get("spikes", []))}))


def compared(model, target, n, replicas):
    """Run a model both ways; return rows, and stop if the numbers differ."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        kinds = ("plain", "dense")
        for kind in kinds:
            command = [sys.executable, __file__, "--one", model, kind, target, n, replicas, folder]
            done = subprocess.run(map(str, command), capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{command}\n{done.stderr[-3000:]}")
            found = json.loads(done.stdout.splitlines()[-1])
            milliseconds = round(found["ms_per_step"], 4)
            rows.append([model, target, n, replicas, kind, milliseconds, found["spikes"]])
        plain, dense = (np.load(Path(folder) / f"{kind}.npz") for kind in kinds)
        for name in plain:
            scale = np.abs(plain[name]).max(initial=1e-300)
            np.testing.assert_allclose(
                dense[name], plain[name], rtol=1e-9, atol=1e-9 * scale, err_msg=f"{model} {name}"
            )
    return rows


def plan(quick):
    from all_to_all import RATES, SPIKES

    if quick:
        return [(model, "numpy", 20, 1) for model in RATES | SPIKES]
    alone = [
        (model, target, n, 1)
        for n in (1000, 200, 4000)
        for target in ("cython", "standalone", "numpy")
        for model in RATES | SPIKES
    ]
    together = [
        (model, target, 1000, REPLICAS) for target in ("cython", "standalone") for model in RATES
    ]
    # what matters most comes first
    return sorted(
        alone + together, key=lambda row: (row[2] == 4000, row[1] == "numpy", row[2] == 200)
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
        rows += [list(map(str, row)) for row in compared(model, target, n, replicas)]
        with open(path, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([FIELDS, *rows])
        plain, dense = (float(row[5]) for row in rows[-2:])
        took = f"{time.perf_counter() - begin:.0f} s"
        print(model, target, n, replicas, f"{plain:.3f} and {dense:.3f} ms, {took}", flush=True)
    draw(rows, where / "brian2_models.png")
    write_table(rows, where / "brian2_models.md")


def write_table(rows, path):
    """Write a table of the networks of 1000 neurons (in a quick run, of all)."""
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    largest = [pair for pair in pairs if pair[0][2:4] == ["1000", "1"]] or pairs
    times = {(plain[0], plain[1]): (float(plain[5]), float(dense[5])) for plain, dense in largest}
    targets = [target for target in TARGETS if any(key[1] == target for key in times)]
    head = "".join(f" | {target}: Synapses | DenseSynapses | ratio" for target in targets)
    lines = [f"| model{head} |", "|---" + "|---:|---:|---:" * len(targets) + "|"]
    for model in dict.fromkeys(key[0] for key in times):
        cells = [model.replace("_", " ")]
        for target in targets:
            plain, dense = times.get((model, target), (0, 0))
            cells += [f"{plain:.2f}", f"{dense:.3f}", f"{plain / dense:.1f}"] if dense else [""] * 3
        lines.append(f"| {' | '.join(cells)} |")
    path.write_text("\n".join(lines) + "\n")


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
        model, kind, target, n, replicas, folder = sys.argv[sys.argv.index("--one") + 1 :]
        one(model, kind, target, int(n), int(replicas), Path(folder))
    else:
        main()

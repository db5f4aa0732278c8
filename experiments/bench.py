"""Timing on this machine: comparison, profile, and how cost grows; writes results and a plot.

python experiments/bench.py
"""

import json
import platform

from lab import COLOURS, RESULTS, figure, save_table

from ghost_spiking.bench import compare, profile, scaling


def main():
    RESULTS.mkdir(exist_ok=True)
    results = compare()
    seconds, total = profile()
    results["profile_fraction"] = round(sum(seconds.values()) / total, 3)
    results["profile"] = {name: round(value / total, 4) for name, value in seconds.items()}
    results["machine"] = f"{platform.machine()}, {platform.system()}, one thread"
    (RESULTS / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    rows = scaling()
    save_table(RESULTS / "bench_scaling.csv", rows)
    draw(rows, RESULTS / "bench_scaling.png")


def draw(rows, path):
    drawing, axes = figure(2, 2)
    varied = dict.fromkeys(row["varied"] for row in rows)
    for panel, name in zip(axes.flat, varied, strict=True):
        points = [(row["value"], row["s_per_epoch"]) for row in rows if row["varied"] == name]
        panel.plot(*zip(*points, strict=True), "o-", color=COLOURS[0], ms=4)
        panel.set_xlabel(name)
        panel.set_ylabel("seconds per epoch")
        panel.set_xlim(left=0)
        panel.set_ylim(bottom=0)
    drawing.savefig(path)


if __name__ == "__main__":
    main()

"""Timing on this machine: comparison, profile, and how cost grows; writes results and a plot.

python experiments/bench.py
"""

import csv
import json
import platform
from pathlib import Path

from matplotlib.figure import Figure

from ghost_spiking.bench import compare, profile, scaling

RESULTS = Path(__file__).parent / "results"


def main():
    RESULTS.mkdir(exist_ok=True)
    results = compare()
    seconds, total = profile()
    results["profile_fraction"] = round(sum(seconds.values()) / total, 3)
    results["profile"] = {name: round(value / total, 4) for name, value in seconds.items()}
    results["machine"] = f"{platform.machine()}, {platform.system()}, one thread"
    (RESULTS / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    rows = scaling()
    with open(RESULTS / "bench_scaling.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, RESULTS / "bench_scaling.png")


def draw(rows, path):
    figure = Figure(figsize=(7, 5), dpi=150, layout="constrained")
    panels = dict.fromkeys(row["varied"] for row in rows)
    for axes, varied in zip(figure.subplots(2, 2).flat, panels, strict=True):
        points = [(row["value"], row["s_per_epoch"]) for row in rows if row["varied"] == varied]
        axes.plot(*zip(*points, strict=True), "o-", color="#0072B2", ms=4)
        axes.set_xlabel(varied)
        axes.set_ylabel("seconds per epoch")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.savefig(path)


if __name__ == "__main__":
    main()

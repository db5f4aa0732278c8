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
    panels = dict(zip([name for name in varied if "MB" not in name], axes.flat, strict=True))
    for name in varied:
        points = [(row["value"], row["s_per_epoch"]) for row in rows if row["varied"] == name]
        model = "MB" if "MB" in name else "MA"
        panel = panels[name.removesuffix(" of MB")]
        colour = COLOURS[model == "MB"]
        panel.plot(*zip(*points, strict=True), "o-", color=colour, ms=4, label=model)
    for name, panel in panels.items():
        panel.set_xlabel(name)
        panel.set_ylabel("seconds per epoch")
        panel.set_xlim(left=0)
        panel.set_ylim(bottom=0)
    axes[0, 0].legend(frameon=False, fontsize="small")
    drawing.savefig(path)


if __name__ == "__main__":
    main()

"""Timing on this machine: networks beside peers, a profile, and how cost grows.

No other work should run. PyTorch, ngc-learn and ANNarchy are timed where a Python that has them is
named.

python experiments/bench.py [--quick] [--peers PYTHON]
"""

import json
import sys
import timeit

import click
import numpy as np
from lab import COLOURS, figure, folder, save_table
from threadpoolctl import threadpool_limits

from ghost_spiking import Specification
from ghost_spiking.bench import (
    compare,
    exponents,
    kernels_of_blas,
    processor,
    profile,
    scaling,
    start_seconds,
)

ROUNDS, IMAGES = 5, 20_000


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="One round of a few images, and nothing else.")
@click.option("--peers", default=sys.executable, help="A Python with these peers.")
def main(quick, peers):
    where = folder(quick)
    rounds, images = (1, 1000) if quick else (ROUNDS, IMAGES)
    rows = compare(rounds=rounds, images=images, peer_python=peers)
    save_table(where / "bench.csv", rows)
    (where / "bench.md").write_text(table(rows))
    click.echo(table(rows))
    if quick:
        return
    seconds, total = profile()
    grown = scaling()
    results = {
        "processor": processor(),
        "blas": kernels_of_blas(),
        "start_seconds": round(float(np.median(start_seconds(ROUNDS))), 2),
        "profile_fraction": round(sum(seconds.values()) / total, 3),
        "profile": {name: round(value / total, 4) for name, value in seconds.items()},
        "exponents": exponents(grown),
        "gflops": rates_of_products(),
    }
    (where / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    save_table(where / "bench_scaling.csv", grown)
    draw([row for row in grown if row["varied"] != "images"], where / "bench_scaling.png")


def rates_of_products():
    """Return GFLOP/s: of large matrices in numpy, and of those between two hidden layers of 300."""
    a = np.random.default_rng(0).random((2000, 2000), dtype=np.float32)
    with threadpool_limits(1):
        shortest = min(timeit.repeat(lambda: a @ a, number=1, repeat=5))
    found = {"2000 x 2000 by 2000 x 2000": round(2 * 2000**3 / shortest / 1e9)}
    seconds, _ = profile((784, 300, 300, 10), model="MA")
    specification = Specification.create(sizes=(784, 300, 300, 10))
    steps = sum(phase.steps for phase in specification.layout.phases) * 60_000 / 100
    for name, where in {
        "sums": ("feedforward_2_summed", "ghost_forward_2_summed", "ghost_feedback_2_summed"),
        "rules": ("ghost_forward_2_state", "ghost_feedback_2_state"),
    }.items():
        parts = [value for key, value in seconds.items() if key.startswith(where)]
        flop = 2 * 100 * 300 * 300 * steps * len(parts)
        found[f"100 x 300 by 300 x 300, {name}"] = round(flop / sum(parts) / 1e9)
    return found


def table(rows):
    """Return a table for the site."""
    lines = [
        "| | s per epoch | shortest, longest | MB | times | of |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        ratio = (
            f"{row['ratio']} ({row['lowest']} to {row['highest']})" if row["compared_with"] else ""
        )
        lines.append(
            f"| {row['way']} | {row['seconds']:.2f} | {row['shortest']:.2f}, {row['longest']:.2f} "
            f"| {row['memory_mb']} | {ratio} | {row['compared_with']} |"
        )
    return "\n".join(lines) + "\n"


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

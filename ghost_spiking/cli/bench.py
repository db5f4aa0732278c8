"""``ghost-spiking bench``."""

from __future__ import annotations

import json
import re
import sys
from statistics import median
from typing import Any

import click

from .common import as_json, quiet, say

__all__ = ["bench"]

_NONE = "no way of `ghost-spiking bench --list` matches '{}'"


@click.command()
@quiet
@as_json
@click.option("--list", "only_list", is_flag=True, help="Say what can be timed, and end.")
@click.option("--only", default="", metavar="REGEX", help="Only what matches, see --list.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--images",
    type=click.IntRange(1000, 60_000),
    default=20_000,
    show_default=True,
    help="Images that each run learns; times are for 60,000.",
)
@click.option(
    "--peer-python",
    default=sys.executable,
    show_default="this one",
    help="A Python with PyTorch, ngc-learn or ANNarchy.",
)
@click.option("--profile", "with_profile", is_flag=True, help="Also time every code object.")
@click.option("--start", "with_start", is_flag=True, help="Also time from shell to first image.")
@click.option("--scaling", "with_scaling", is_flag=True, help="Also vary sizes and steps.")
def bench(
    quiet: bool,
    as_json: bool,
    only_list: bool,
    only: str,
    rounds: int,
    threads: int,
    images: int,
    peer_python: str,
    with_profile: bool,
    with_start: bool,
    with_scaling: bool,
) -> None:
    """Time epochs of MNIST: networks of this package, plain Synapses, and peers.

    Peers are backpropagation in PyTorch, predictive coding in ngc-learn, and our default network,
    one image at a time, in ANNarchy, where they are installed. All have so many cores and no more,
    each run is a process of its own, and all take turns. No other work should run on the machine.
    """
    from ..bench import (
        WAYS,
        compare,
        exponents,
        kernels_of_blas,
        processor,
        profile,
        scaling,
        start_seconds,
    )

    chosen = [name for name in WAYS if re.search(only, name)]
    if not chosen:
        raise click.BadParameter(_NONE.format(only), param_hint="--only")
    if only_list:
        click.echo("\n".join(chosen))
        return
    say(f"{processor()}, BLAS for {kernels_of_blas()}, cores: {threads}; it takes some minutes")
    rows = compare(
        chosen, rounds=rounds, threads=threads, images=images, peer_python=peer_python, quiet=quiet
    )
    results: dict[str, Any] = {"processor": processor(), "blas": kernels_of_blas(), "rows": rows}
    if not as_json:
        for row in rows:
            click.echo(_line(row))
        missing = [name for name in chosen if name not in {row["way"] for row in rows}]
        if missing:
            click.echo(f"not installed: {'; '.join(missing)}")
    if with_profile:
        seconds, total = profile()
        results["profile_fraction"] = round(sum(seconds.values()) / total, 3)
        results["profile"] = {name: round(value / total, 4) for name, value in seconds.items()}
        if not as_json:
            for name, share in results["profile"].items():
                click.echo(f"{share:7.1%}  {name.removesuffix('_codeobject')}")
            click.echo(f"{results['profile_fraction']:7.1%}  together")
    if with_start:
        results["start_seconds"] = median(start_seconds(rounds))
        if not as_json:
            click.echo(f"{results['start_seconds']:.2f} s from the shell to the first image")
    if with_scaling:
        results["scaling"] = scaling()
        results["exponents"] = exponents(results["scaling"])
        if not as_json:
            for row in results["scaling"]:
                click.echo(f"{row['varied']} {row['value']}: {row['s_per_epoch']} s")
            for varied, exponent in results["exponents"].items():
                click.echo(f"time grows with the power {exponent} of {varied}")
    if as_json:
        click.echo(json.dumps(results))


def _line(row: dict[str, Any]) -> str:
    text = (
        f"{row['way']:46} {row['seconds']:8.2f} s ({row['shortest']:.2f} to {row['longest']:.2f})"
    )
    if row["compared_with"]:
        text += (
            f", {row['ratio']} times ({row['lowest']} to {row['highest']}) {row['compared_with']}"
        )
    return text

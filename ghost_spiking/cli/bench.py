"""``ghost-spiking bench``."""

from __future__ import annotations

import json

import click

from .common import as_json, say

__all__ = ["bench"]

_NO_TORCH = "PyTorch is not installed; pip install 'ghost-spiking[bench]'"


@click.command()
@as_json
@click.option("--profile", "with_profile", is_flag=True, help="Also time every code object.")
@click.option("--scaling", "with_scaling", is_flag=True, help="Also vary sizes and steps.")
def bench(as_json: bool, with_profile: bool, with_scaling: bool) -> None:
    """Time one epoch of MNIST: dense engine, plain Synapses, backpropagation in PyTorch.

    All on one thread, with the same 784-500-10 network, images, batch and precision.
    """
    from ..bench import compare, profile, scaling

    say("this takes one to two minutes" + ", and about ten for --scaling" * with_scaling)
    results = compare()
    if with_profile:
        seconds, total = profile()
        results["profile_fraction"] = round(sum(seconds.values()) / total, 3)
        for name, value in seconds.items():
            click.echo(f"{value / total:7.1%}  {name.removesuffix('_codeobject')}")
    if with_scaling:
        for row in scaling():
            click.echo(f"{row['varied']} {row['value']}: {row['s_per_epoch']} s per epoch")
    for key, value in results.items():
        missing = key.startswith(("backprop", "slowdown")) and value is None
        if not as_json:
            click.echo(f"{key}: {_NO_TORCH if missing else value}")
    if as_json:
        click.echo(json.dumps(results))

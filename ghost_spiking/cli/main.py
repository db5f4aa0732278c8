"""The group of commands, and what becomes of their errors."""

from __future__ import annotations

import errno
from typing import Any

import click

from .. import __version__
from ..exceptions import GhostSpikingError
from ._surroundings import put_right
from .bench import bench
from .describe import describe
from .export import export
from .look import evaluate, show, trace
from .predict import predict
from .spec import spec
from .study import study
from .train import train

__all__ = ["main"]


class _Command(click.Group):
    """Turns errors of this package and of the system into one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        put_right()
        try:
            return super().invoke(ctx)
        except GhostSpikingError as error:
            message = str(error)
        except MemoryError as error:
            message = f"there is not enough memory: {error}"
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read the output has enough, such as head
                raise
            message = str(error)
        click.echo(f"Error: {message}", err=True)
        return ctx.exit(2)


@click.group(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ghost-spiking")
def main() -> None:
    """Train networks that assign credit by their own dynamics and local rules, and look at them.

    Start with: ghost-spiking train --dataset digits --hidden 32
    """


for _command in (train, evaluate, predict, show, trace, study, spec, describe, export, bench):
    main.add_command(_command)

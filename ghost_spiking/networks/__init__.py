"""A trained network that comes with the package, to look at without training first."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

from ..runs import Run

__all__ = ["NAME", "trained"]

#: What commands take for it in place of the directory of a run.
NAME = "mnist"


def trained() -> Run:
    """Return the run of a network of model MA, 784-100-10, that has learned MNIST.

    ``experiments/trained.py`` has made it, with the defaults. On the command line it is the run
    ``mnist``, if there is no run in a folder of that name: ``ghost-spiking trace mnist``. Pictures
    are drawn into such a folder.

    Examples
    --------
    >>> from ghost_spiking.networks import trained
    >>> run = trained()
    >>> run.specification.network.sizes, run.weights["feedforward_1"].shape
    ((784, 100, 10), (100, 784))
    """
    with as_file(files(__package__) / NAME) as folder:
        return replace(Run.load(folder), path=Path(NAME))

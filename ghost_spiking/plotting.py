"""Pictures; every function draws into matplotlib axes that it also returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .training import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_learning_curves", "save_learning_curves"]

# Two colours of Okabe and Ito, which colour-blind people tell apart.
_BLUE, _ORANGE = "#0072B2", "#D55E00"


def plot_learning_curves(history: Sequence[Epoch], axes: Axes) -> Axes:
    """Draw the error on training and test images against epochs.

    Parameters
    ----------
    history : sequence of Epoch
        At least one epoch.
    axes : matplotlib Axes
        Where to draw.

    Returns
    -------
    matplotlib Axes
        The same axes.
    """
    from matplotlib.ticker import MaxNLocator

    epochs = [epoch.epoch for epoch in history]
    online = [100 - epoch.online_accuracy for epoch in history]
    test = [100 - epoch.test_accuracy for epoch in history]
    axes.plot(epochs, online, "o--", color=_ORANGE, label="training images, while learning", ms=4)
    axes.plot(epochs, test, "s-", color=_BLUE, label="test images", ms=4)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(_label_some)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("error (%)")
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.legend(frameon=False)
    return axes


def save_learning_curves(
    history: Sequence[Epoch], path: str | os.PathLike[str], title: str = ""
) -> None:
    """Draw learning curves into a file; its suffix chooses the format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without pyplot there is no global state, and nothing to close.
    figure = Figure(figsize=(5.2, 3.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = plot_learning_curves(history, figure.add_subplot())
    axes.set_title(title, fontsize="medium")
    figure.savefig(path)


def _label_some(value: float, _: float) -> str:
    digit = round(value / 10 ** np.floor(np.log10(value)))
    return f"{value:g}" if digit in (2, 5) else ""

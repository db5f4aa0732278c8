"""Pictures; every function draws into matplotlib axes that it also returns.

`save` makes a figure, calls one of them, and writes a file.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._circuit import circuit_size, plot_circuit
from ._drawing import COLOURS, fonts, label_some, readable
from .models import distances
from .runs import write_atomically
from .training import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .measure import Measurements, Trace

__all__ = [
    "COLOURS",
    "circuit_size",
    "plot_angles",
    "plot_circuit",
    "plot_confusion",
    "plot_distances",
    "plot_images",
    "plot_learning_curves",
    "plot_receptive_fields",
    "plot_trace",
    "save",
]

_MARKERS = "os^Dv*P"
#: Errors that differ by such a factor are drawn on a logarithmic axis.
_LOGARITHMIC = 4
#: Up to so many classes, a confusion matrix has numbers.
_FEW_CLASSES = 20


def save(
    path: str | os.PathLike[str],
    draw: Callable[..., Any],
    *arguments: Any,
    title: str = "",
    size: tuple[float, float] = (5.2, 3.6),
    rows: int = 1,
    **options: Any,
) -> None:
    """Draw a picture into a file, whose suffix chooses the format.

    Parameters
    ----------
    path : path
        Such as ``errors.png`` or ``errors.svg``. It is complete at any time.
    draw : callable
        One of the functions of this module.
    *arguments, **options
        What to call it with, beside the axes.
    title : str, optional
        Title of the picture.
    size : tuple of float, optional
        Width and height in inches.
    rows : int, optional
        Number of axes, one above the other; more than one are given as a list.

    Raises
    ------
    ValueError
        matplotlib does not know the format.

    Examples
    --------
    >>> from ghost_spiking.plotting import plot_images, save
    >>> save("noise.png", plot_images, np.random.rand(9, 16), (4, 4))  # doctest: +SKIP
    """
    from matplotlib.figure import Figure

    path, buffer = Path(path), io.BytesIO()
    with fonts():
        # Without pyplot there is no global state, and nothing to close.
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        axes = list(np.ravel(figure.subplots(rows, sharex=True)))
        draw(*arguments, axes if rows > 1 else axes[0], **options)
        if title:
            axes[0].set_title(readable(title), fontsize="medium", loc=_place_of_title(axes[0]))
        figure.savefig(buffer, format=path.suffix.lstrip("."))
    write_atomically(path, buffer.getvalue())


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

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.plotting import plot_learning_curves
    >>> from ghost_spiking.training import Epoch
    >>> history = [Epoch(1, 80.0, 0.2, 85.0, 0.2, 1.0), Epoch(2, 88.0, 0.1, 89.0, 0.1, 1.0)]
    >>> plot_learning_curves(history, Figure().subplots()).get_ylabel()
    'error (%)'
    """
    epochs = [epoch.epoch for epoch in history]
    online = [100 - epoch.online_accuracy for epoch in history]
    test = [100 - epoch.test_accuracy for epoch in history]
    known = [value for value in (*online, *test) if value > 0 and np.isfinite(value)]
    logarithmic = bool(known) and max(known) >= _LOGARITHMIC * min(known)
    for values, style, colour, label in (
        (online, "o--", COLOURS[1], "training images, while learning"),
        (test, "s-", COLOURS[0], "test images"),
    ):
        axes.plot(epochs, values, style, color=colour, label=label, ms=4, clip_on=False)
    if logarithmic:
        if 0 in (*online, *test):  # below the smallest error the axis is linear
            axes.set_yscale("symlog", linthresh=min(known))
            axes.set_ylim(bottom=0)
        else:
            axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(label_some)
    else:
        axes.set_ylim(bottom=0, top=1.1 * max(known, default=1.0))
    axes.set_ylabel("error (%)")
    _epochs(axes)
    axes.legend(frameon=False)
    return axes


def plot_distances(history: Sequence[Epoch], axes: Axes) -> Axes:
    """Draw distances between weights against epochs (Figure 2 of the paper, for MA).

    Parameters
    ----------
    history : sequence of Epoch
        With measurements.
    axes : matplotlib Axes
        Where to draw.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.plotting import plot_distances
    >>> from ghost_spiking.training import Epoch
    >>> history = [
    ...     Epoch(k, 80.0, 0.2, 85.0, 0.2, 1.0, {"forward_distance[ghost_forward_2]": 3.0 / k})
    ...     for k in (1, 2, 3)
    ... ]
    >>> plot_distances(history, Figure().subplots()).get_ylabel()
    'Frobenius norm'
    """
    names = distances()
    chosen = [name for name in history[0].measurements if name.split("[")[0] in names]
    for number, name in enumerate(chosen):
        kind, projection = name.rstrip("]").split("[")
        values = [epoch.measurements.get(name, np.nan) for epoch in history]
        axes.plot(
            [epoch.epoch for epoch in history],
            values,
            color=COLOURS[number % len(COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            ms=4,
            clip_on=False,
            label=f"{names[kind]}, {projection.split('_', 2)[-1].replace('_', ' to ')}",
        )
    axes.set_ylabel("Frobenius norm")
    axes.set_ylim(bottom=0)
    _epochs(axes)
    if chosen:
        axes.legend(frameon=False, title="distance, layer", fontsize="small")
    return axes


def plot_angles(measurements: Measurements, axes: Axes) -> Axes:
    """Draw the angles between what the network does and what backpropagation would do.

    Parameters
    ----------
    measurements : Measurements
        As from `Probe.measure`.
    axes : matplotlib Axes
        Where to draw.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.plotting import plot_angles
    >>> found = probe.measure(trainer.simulation.weights)  # doctest: +SKIP
    >>> plot_angles(found, Figure().subplots())  # doctest: +SKIP
    """
    bars = {f"error,\nlayer {layer}": v for layer, v in measurements.error_angle.items()}
    n_errors = len(bars)
    for name, value in measurements.update_angle.items():
        bars[f"update,\n{name.replace('feedforward_', 'W ')}"] = value
    colours = [COLOURS[0]] * n_errors + [COLOURS[1]] * (len(bars) - n_errors)
    drawn = axes.bar(list(bars), list(bars.values()), color=colours)
    axes.bar_label(drawn, fmt="%.0f°", padding=2)
    axes.axhline(90, color="0.4", linestyle="--", linewidth=1)
    axes.text(
        1.01,
        90,
        "no better\nthan chance",
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize="small",
    )
    axes.set_ylim(0, max(105, *[1.1 * value for value in bars.values()]))
    axes.set_ylabel("angle to backpropagation (degrees)")
    return axes


def plot_receptive_fields(
    weights: np.ndarray, image_shape: tuple[int, ...], axes: Axes, n_units: int = 100
) -> Axes:
    """Draw the weights into the units of the first layer as images.

    Parameters
    ----------
    weights : array, shape (N_1, N_0)
        W^f of the first layer.
    image_shape : (int, int)
        Height and width of an image.
    axes : matplotlib Axes
        Where to draw.
    n_units : int, optional
        How many units; those with the largest weights are chosen.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.plotting import plot_receptive_fields
    >>> from ghost_spiking.values import initial_weights
    >>> weights = initial_weights(Specification.create(sizes=(64, 20, 10)), seed=0)
    >>> axes = plot_receptive_fields(weights["feedforward_1"], (8, 8), Figure().subplots())
    >>> axes.images[0].get_array().shape  # 4 rows of 5 units
    (36, 45)
    """
    strongest = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:n_units]
    shown = weights[np.sort(strongest)]
    limit = float(np.abs(shown).max()) or 1.0
    drawn = axes.imshow(_mosaic(shown, image_shape), cmap="PuOr_r", vmin=-limit, vmax=limit)
    axes.set_axis_off()
    _colour_bar(drawn, axes, "weight")
    return axes


def plot_images(
    images: np.ndarray,
    image_shape: tuple[int, ...],
    axes: Axes,
    captions: Sequence[str] = (),
    columns: int | None = None,
) -> Axes:
    """Draw images side by side, with a caption above each.

    Parameters
    ----------
    images : array, shape (n_images, n_features)
        At least one image.
    image_shape : (int, int)
        Height and width of an image.
    axes : matplotlib Axes
        Where to draw.
    captions : sequence of str, optional
        One for each image.
    columns : int, optional
        Images in a row; by default about as many as there are rows.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.datasets import load
    >>> from ghost_spiking.plotting import plot_images
    >>> test = load("digits")[1].take(6)
    >>> axes = plot_images(
    ...     test.images, test.image_shape, Figure().subplots(), [str(k) for k in test.labels]
    ... )
    >>> len(axes.texts)
    6
    """
    columns = columns or int(np.ceil(len(images) ** 0.5))
    gap = max(1, -(-image_shape[0] * 2 // 5)) if captions else 1
    height, width = image_shape[0] + gap, image_shape[1] + 1
    axes.imshow(_mosaic(images, image_shape, columns, gap), cmap="gray_r")
    for number, caption in enumerate(captions):
        row, column = divmod(number, columns)
        axes.text(
            column * width,
            row * height + gap - 0.9,
            readable(caption),
            fontsize="x-small",
            va="bottom",
            clip_on=False,
        )
    axes.set_axis_off()
    return axes


def plot_confusion(
    labels: np.ndarray, predicted: np.ndarray, axes: Axes, classes: Sequence[Any] = ()
) -> Axes:
    """Draw how often each class was taken for each other one.

    Colours are percent of the images of the true class; numbers are images.

    Parameters
    ----------
    labels, predicted : array of int, shape (n_images,)
        True and predicted classes.
    axes : matplotlib Axes
        Where to draw.
    classes : sequence, optional
        Names of all classes; by default numbers.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.plotting import plot_confusion
    >>> axes = plot_confusion(np.array([0, 1, 1]), np.array([0, 1, 0]), Figure().subplots())
    >>> axes.get_ylabel()
    'true class'
    """
    from matplotlib.colors import PowerNorm
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    names = classes or range(1 + int(max(labels.max(), predicted.max())))
    counts = confusion_matrix(labels, predicted, labels=range(len(names)))
    percent = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    few = len(names) <= _FEW_CLASSES
    display = ConfusionMatrixDisplay(percent, display_labels=[readable(name) for name in names])
    display.plot(
        include_values=few,
        cmap="Blues",
        ax=axes,
        colorbar=False,
        # a few errors are what one looks for
        im_kw={"norm": PowerNorm(0.5, 0, 100)},
        text_kw={"fontsize": "x-small"},
    )
    if few:
        for text, count in zip(display.text_.ravel(), counts.ravel(), strict=True):
            text.set_text(str(count) if count else "")
    long = max(len(str(name)) for name in names) > 2
    axes.tick_params("x", rotation=90 if long or not few else 0)
    axes.tick_params(labelsize="small" if few else "x-small")
    axes.set_xlabel("predicted class" + "\nnumbers: images" * few)
    axes.set_ylabel("true class")
    _colour_bar(display.im_, axes, "images of the true class (%)")
    return axes


def plot_trace(trace: Trace, unit: int, image: int, axes: Sequence[Axes]) -> Sequence[Axes]:
    """Draw the virtual electrophysiology of one unit through both phases.

    Parameters
    ----------
    trace : Trace
        As from `Probe.trace`.
    unit, image : int
        Number of the unit in its layer, and of the image.
    axes : sequence of matplotlib Axes
        One for each of `Trace.panels`: states, feedback and error; and where units send spikes,
        membrane potentials and a raster of the unit's neurons, or how much was sent.

    Returns
    -------
    sequence of matplotlib Axes
        The same axes.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.adaptation import Adaptation
    >>> from ghost_spiking.measure import Probe
    >>> from ghost_spiking.plotting import plot_trace
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> images = np.array([[0, 80, 160, 240]], dtype=np.uint8)
    >>> probe = Probe(specification, images, np.array([0]), adaptation=Adaptation.to(images))
    >>> trace = probe.trace(initial_weights(specification, seed=0), layer=1)
    >>> axes = plot_trace(trace, 0, 0, Figure().subplots(3, sharex=True))
    >>> [panel.get_ylabel() for panel in axes]
    ['state', 'feedback', 'error']
    """
    shown = [signal for signal in trace.signals if signal.label]
    for row, (panel, name) in enumerate(zip(axes[:3], trace.panels[:3], strict=True)):
        for number, signal in enumerate(shown):
            if signal.panel == row:
                panel.plot(
                    trace.times,
                    trace[signal.name][:, image, unit],
                    "--" if signal.dashed else "-",
                    color=COLOURS[number % len(COLOURS)],
                    label=signal.label,
                )
        panel.axvline(trace.nudging_from, color="0.4", linewidth=1, linestyle=":")
        panel.set_ylabel(name)
        panel.grid(alpha=0.3, linewidth=0.5)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(
                frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5)
            )
        else:
            panel.text(0.5, 0.5, "output units get none", transform=panel.transAxes, ha="center")
    for panel, name in zip(axes[3:], trace.panels[3:], strict=True):
        _draw_spikes(trace, unit, image, name, panel)
    top = axes[0].get_xaxis_transform()
    for words, start, end in (
        ("prediction", 0.0, trace.nudging_from),
        ("nudging", trace.nudging_from, trace.times[-1]),
    ):
        axes[0].text((start + end) / 2, 1.02, words, transform=top, ha="center", fontsize="small")
    scale = "" if trace.tau is None else f" = {1000 * trace.tau:g} ms"
    axes[-1].set_xlabel(rf"time ($\tau${scale})")
    axes[-1].set_xlim(trace.times[0], trace.times[-1])
    return axes


def _draw_spikes(trace: Trace, unit: int, image: int, name: str, panel: Axes) -> None:
    """Draw what the neurons of a unit do, or what a unit without neurons sends."""
    if name == "spikes":
        sent = trace["spikes"][:, image, unit]
        panel.vlines(trace.times, 0, sent, color=COLOURS[0], linewidth=1)
    elif name == "neuron":
        neurons = trace["fired"].shape[-1]
        fired = [trace.times[trace["fired"][:, image, unit, k] > 0] for k in range(neurons)]
        panel.eventplot(fired, colors=[COLOURS[k % len(COLOURS)] for k in range(neurons)])
        panel.set_yticks(range(0, neurons, -(-neurons // 5)))
    else:
        potentials = 1000 * trace["potential"][:, image, unit]
        for k, potential in enumerate(potentials.T):
            panel.plot(trace.times, potential, color=COLOURS[k % len(COLOURS)], linewidth=0.8)
    panel.axvline(trace.nudging_from, color="0.4", linewidth=1, linestyle=":")
    panel.set_ylabel(name)
    panel.grid(alpha=0.3, linewidth=0.5)


def save_overview(
    folder: Path,
    suffix: str,
    history: Sequence[Epoch],
    weights: Mapping[str, np.ndarray],
    measurements: Measurements,
    images: np.ndarray,
    image_shape: tuple[int, ...],
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[Any],
) -> list[Path]:
    """Draw everything there is to see of a trained network, and give the files."""
    drawn: list[Path] = []

    def picture(name: str, *arguments: Any, **options: Any) -> None:
        drawn.append(folder / f"{name}.{suffix}")
        save(drawn[-1], *arguments, title=options.pop("title", folder.name), **options)

    if history:
        picture("learning_curves", plot_learning_curves, history)
        if any(name.split("[")[0] in distances() for name in history[0].measurements):
            picture("distances", plot_distances, history)
    picture("angles", plot_angles, measurements)
    if len(image_shape) == 2:
        fields = weights["feedforward_1"]
        picture("receptive_fields", plot_receptive_fields, fields, image_shape, size=(6, 5))
    side = max(4.6, 2 + 0.2 * len(classes))
    picture("confusion", plot_confusion, labels, predicted, classes=classes, size=(side + 1, side))
    wrong = np.flatnonzero(labels != predicted)[:40]
    if len(wrong) and len(image_shape) == 2:
        captions = [f"{classes[labels[k]]} as {classes[predicted[k]]}" for k in wrong]
        columns = 8 if max(map(len, captions)) <= 10 else 4
        title = f"{folder.name}: taken for another class"
        picture(
            "mistakes",
            plot_images,
            images[wrong],
            image_shape,
            captions=captions,
            columns=columns,
            title=title,
            size=(6, 1 + 0.75 * 8 / columns * -(-len(wrong) // columns)),
        )
    return drawn


def _epochs(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    first, last = axes.get_xlim()
    if last - first < 1:  # a single epoch
        axes.set_xlim((first + last) / 2 - 0.5, (first + last) / 2 + 0.5)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3, which="both", linewidth=0.5)


def _colour_bar(drawn: Any, axes: Axes, label: str) -> None:
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(drawn, ax=axes, shrink=0.8).set_label(label)


def _mosaic(
    images: np.ndarray, image_shape: tuple[int, ...], columns: int | None = None, gap: int = 1
) -> np.ndarray:
    """Put images into a grid, with `gap` empty lines above each row."""
    columns = columns or int(np.ceil(len(images) ** 0.5))
    rows = -(-len(images) // columns)
    height, width = image_shape
    grid = np.full((rows * (height + gap), columns * (width + 1)), np.nan)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = row * (height + gap) + gap, column * (width + 1)
        grid[top : top + height, left : left + width] = image.reshape(height, width)
    return grid


def _place_of_title(axes: Axes) -> Literal["left", "center"]:
    """Return where a title has room: pictures without axes may have a legend beside them."""
    return "center" if axes.axison or not axes.get_legend() else "left"

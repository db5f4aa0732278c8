"""Pictures of parameter studies; every function draws into matplotlib axes that it also returns."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._drawing import COLOURS, fonts, label_some
from ..models import units
from ..spikes import UNITS
from ._cells import Record, text_of
from ._table import summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_error_bars", "plot_heat_map", "plot_scatter", "save_study_plots"]

_MARKERS = "os^Dv<>"
_ACCURACY = "accuracy on held-out images (%)"
_UNITS = {
    "network.sizes": "units",
    "protocol.batch_size": "images",
    "protocol.time_step": "dt / tau",
} | {
    f"protocol.{name}": unit
    for name, unit in [
        ("prediction_steps", "time steps"),
        ("nudging_steps", "time steps"),
    ]
}
#: Largest ratio of values that still are told apart on a linear axis.
_LINEAR = 10


def plot_error_bars(
    records: Sequence[Record], parameter: str, axes: Axes, lines: str | None = None
) -> Axes:
    """Draw mean and standard deviation of the accuracy against a parameter.

    Parameters
    ----------
    records : sequence of Record
        Of one study. What is neither `parameter` nor `lines` is averaged over, as seeds are.
    parameter : str
        Dotted path of a varied field.
    axes : matplotlib Axes
        Where to draw.
    lines : str, optional
        Another varied field, with a line for each of its values.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.study import Study, plot_error_bars, run_study
    >>> records = run_study(Study.load("nudging.toml"), "results")  # doctest: +SKIP
    >>> plot_error_bars(records, "protocol.beta", Figure().subplots())  # doctest: +SKIP
    """
    values = _values(records, parameter)
    places = _places(values)
    groups = [None] if lines is None else _values(records, lines)
    for number, group in enumerate(groups):
        chosen = [r for r in records if lines is None or r.parameters[lines] == group]
        found = [_accuracies(chosen, {parameter: value}) for value in values]
        kept = [i for i, accuracies in enumerate(found) if accuracies]
        # Beside each other, where places are only numbers of categories
        shift = 0.0 if _numeric(values) else 0.12 * (number - (len(groups) - 1) / 2)
        axes.errorbar(
            [places[i] + shift for i in kept],
            [np.mean(found[i]) for i in kept],
            [np.std(found[i], ddof=len(found[i]) > 1) for i in kept],
            fmt=_MARKERS[number % len(_MARKERS)] + ("-" if number < len(COLOURS) else "--"),
            color=COLOURS[number % len(COLOURS)],
            capsize=3,
            markersize=5,
            label=None if lines is None else text_of(group),
        )
    others = set(records[0].parameters) - {parameter, lines}
    over = "seeds and other parameters" if others else "seeds"
    axes.set_title(f"mean ± std over {over}", fontsize="small")
    _label(axes, "x", parameter, values)
    axes.set_ylabel(_ACCURACY)
    axes.grid(alpha=0.3, linewidth=0.5)
    if lines is not None:
        axes.legend(title=lines, frameon=False, fontsize="small", title_fontsize="small")
    return axes


def plot_heat_map(records: Sequence[Record], x: str, y: str, axes: Axes) -> Axes:
    """Draw the mean accuracy for all pairs of values of two parameters.

    Parameters
    ----------
    records : sequence of Record
        Of one study; seeds and all other parameters are averaged over.
    x, y : str
        Dotted paths of two varied fields.
    axes : matplotlib Axes
        Where to draw.

    Returns
    -------
    matplotlib Axes
        The same axes; pairs that have failed are left white, with a dash.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.study import Study, plot_heat_map, run_study
    >>> records = run_study(Study.load("nudging.toml"), "results")  # doctest: +SKIP
    >>> axes = Figure().subplots()
    >>> plot_heat_map(records, "protocol.beta", "network.lesion", axes)  # doctest: +SKIP
    """
    columns, rows = _values(records, x), _values(records, y)
    means = np.full((len(rows), len(columns)), np.nan)
    for i, j in np.ndindex(means.shape):
        if accuracies := _accuracies(records, {y: rows[i], x: columns[j]}):
            means[i, j] = np.mean(accuracies)
    image = axes.imshow(means, cmap="viridis", origin="lower", aspect="auto")
    lowest, highest = image.get_clim()
    light = 0.4 * (lowest or 0) + 0.6 * (highest or 0)
    for i, j in np.ndindex(means.shape):
        known = np.isfinite(means[i, j])
        dark = known and means[i, j] < light
        text = f"{means[i, j]:.1f}" if known else "-"
        axes.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    axes.figure.colorbar(image, ax=axes, label=_ACCURACY)
    _label(axes, "x", x, _as_text(columns))
    _label(axes, "y", y, _as_text(rows))
    return axes


def plot_scatter(
    records: Sequence[Record], parameter: str, axes: Axes, *, logarithmic: bool = False
) -> Axes:
    """Draw the accuracy of each network of a random sample against a parameter.

    Parameters
    ----------
    records : sequence of Record
        Of one study. A network is drawn at its mean over seeds, with the standard deviation.
    parameter : str
        Dotted path of a varied field.
    axes : matplotlib Axes
        Where to draw.
    logarithmic : bool, optional
        Whether the axis of the parameter is logarithmic whatever its values are.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking.study import Study, plot_scatter, run_study
    >>> records = run_study(Study.load("nudging.toml"), "results")  # doctest: +SKIP
    >>> plot_scatter(records, "protocol.beta", Figure().subplots())  # doctest: +SKIP
    """
    values = _values(records, parameter)
    places = dict(zip(map(text_of, values), _places(values), strict=True))
    rows = [row for row in summarize(records) if row["mean"] is not None]
    # Aside by turns, so that networks with the same category do not hide each other
    shifts = itertools.cycle([0.0] if _numeric(values) else [0.0, -0.16, 0.16, -0.08, 0.08])
    axes.errorbar(
        [places[text_of(row["parameters"][parameter])] + next(shifts) for row in rows],
        [row["mean"] for row in rows],
        [row["std"] or 0.0 for row in rows] if any(row["std"] for row in rows) else None,
        fmt="o",
        color=COLOURS[0],
        markersize=5,
        alpha=0.7,
        capsize=2,
    )
    _label(axes, "x", parameter, values, logarithmic)
    axes.set_ylabel(_ACCURACY)
    axes.grid(alpha=0.3, linewidth=0.5)
    return axes


def save_study_plots(
    records: Sequence[Record],
    path: str | os.PathLike[str],
    *,
    sampled: bool = False,
    logarithmic: Collection[str] = (),
) -> None:
    """Draw what fits a study into a file; its suffix chooses the format.

    A random sample gets a scatter plot for each parameter; a grid gets error bars for each
    (in one panel, with lines, if there are two) and a heat map for each pair. Parameters whose
    logarithms were drawn have logarithmic axes.

    Examples
    --------
    >>> from ghost_spiking.study import Study, run_study, save_study_plots
    >>> records = run_study(Study.load("nudging.toml"), "results")  # doctest: +SKIP
    >>> save_study_plots(records, "nudging.svg")  # doctest: +SKIP
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(records[0].parameters)
    varied = [name for name in names if len(_values(records, name)) > 1] or names[:1]
    # A numeric parameter with many values is the best one to draw lines against.
    distinct = {name: _values(records, name) for name in varied}
    varied.sort(key=lambda name: (not _numeric(distinct[name]), -len(distinct[name])))
    pairs = [] if sampled else list(itertools.combinations(varied, 2))
    singles = varied[:1] if len(pairs) == 1 else varied
    n_panels = len(singles) + len(pairs)
    columns = min(3, n_panels)
    n_rows = -(-n_panels // columns)
    # Without pyplot there is no global state, and nothing to close.
    with fonts():
        figure = Figure(figsize=(4.6 * columns, 3.8 * n_rows), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        panels = [figure.add_subplot(n_rows, columns, i + 1) for i in range(n_panels)]
        for name, axes in zip(singles, panels, strict=False):
            if sampled:
                plot_scatter(records, name, axes, logarithmic=name in logarithmic)
            elif len(pairs) == 1:
                plot_error_bars(records, name, axes, lines=varied[1])
            else:
                plot_error_bars(records, name, axes)
        for (x, y), axes in zip(pairs, panels[len(singles) :], strict=True):
            plot_heat_map(records, x, y, axes)
        figure.savefig(path)


def _values(records: Sequence[Record], parameter: str) -> list[Any]:
    """Return the distinct values of a parameter; numbers are sorted."""
    values = {json.dumps(v): v for v in (record.parameters[parameter] for record in records)}
    distinct = list(values.values())
    return sorted(distinct) if _numeric(distinct) else distinct


def _accuracies(records: Sequence[Record], wanted: dict[str, Any]) -> list[float]:
    return [
        record.held_out_accuracy
        for record in records
        if record.held_out_accuracy is not None
        and all(record.parameters[name] == value for name, value in wanted.items())
    ]


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, (int, float)) and type(value) is not bool for value in values)


def _places(values: Sequence[Any]) -> list[float]:
    return (
        [float(v) for v in values] if _numeric(values) else [float(i) for i in range(len(values))]
    )


def _label(
    axes: Axes,
    which: Literal["x", "y"],
    parameter: str,
    values: Sequence[Any],
    logarithmic: bool = False,
) -> None:
    """Name an axis, with the unit; numbers have a scale, everything else a tick for each value."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    unit = (_UNITS | UNITS | units()).get(parameter)
    axis.set_label_text(f"{parameter} ({unit})" if unit else parameter)
    if not _numeric(values):
        # One below the other, lest neighbours overlap
        texts = [text_of(value) if isinstance(value, str) else _lines(value) for value in values]
        axis.set_ticks(range(len(texts)), texts)
        if which == "x" and sum(len(max(text.split("\n"), key=len)) for text in texts) > 40:
            axes.tick_params("x", rotation=30)
    elif min(values) > 0 and (logarithmic or max(values) >= _LINEAR * min(values)):
        axes.set(**{f"{which}scale": "log"})
        # labels of decades and of what is between them on one line
        axes.tick_params(which, which="minor", pad=5)
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(label_some)


def _as_text(values: Sequence[Any]) -> list[Any]:
    return [value if isinstance(value, list) else text_of(value) for value in values]


def _lines(value: Any) -> str:
    return "\n".join(map(text_of, value)) if isinstance(value, (list, tuple)) else text_of(value)

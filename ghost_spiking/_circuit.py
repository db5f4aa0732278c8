"""A picture of a network: its populations, projections and phases, from the layout that runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ._drawing import COLOURS
from .models import STIMULUS, TARGETS, Layout, Projection
from .specification import Specification

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["circuit_size", "plot_circuit"]

_WIDTH, _HEIGHT = 1.5, 0.5
_COLUMN, _ROW = 3.2, 1.35


def circuit_size(specification: Specification) -> tuple[float, float]:
    """Return width and height in inches that suit the picture of a network.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.plotting import circuit_size
    >>> circuit_size(Specification.create(sizes=(4, 3, 2)))[0] > 5
    True
    """
    places = _places(specification.layout)
    columns = 1 + max(x for x, _ in places.values())
    rows = 1 + max(y for _, y in places.values())
    return 3.6 + 1.6 * columns, 1.4 + 0.95 * rows


def plot_circuit(specification: Specification, axes: Axes) -> Axes:
    r"""Draw the circuit of a network, in the manner of Figure 1 of the paper.

    Boxes are populations, one line of them for each layer, with the number of units. Arrows are
    projections, with a colour for each kind; those of weights that are fixed are dashed, and
    backwards ones through the same weights are dotted. Grey lines are what units are told without
    weights. The bar below has the phases of a presentation. Everything is read from the layout that
    the simulation is built from. What serves all units, such as the bias, is not drawn.

    Parameters
    ----------
    specification : Specification
        Which network.
    axes : matplotlib Axes
        Where to draw; `circuit_size` suits.

    Returns
    -------
    matplotlib Axes
        The same axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.plotting import plot_circuit
    >>> axes = plot_circuit(Specification.create(sizes=(4, 3, 2)), Figure().subplots())
    >>> [text.get_text() for text in axes.texts][:3]
    ['stimulus\n4', 'targets\n2', 'pyramidal 1\n3']
    """
    layout = specification.layout
    places = _places(layout)
    drawn = {name: (x * _COLUMN, y * _ROW) for name, (x, y) in places.items()}
    for name, (x, y) in drawn.items():
        label = f"{name.replace('_', ' ')}\n{layout.size(name)}"
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "0.2"}
        axes.text(x, y, label, ha="center", va="center", fontsize="small", bbox=box, zorder=3)
    _draw_links(layout, drawn, axes)
    _draw_projections(layout, drawn, axes)
    _draw_phases(specification, drawn, axes)
    xs = [x for x, _ in drawn.values()]
    ys = [y for _, y in drawn.values()]
    axes.set_xlim(min(xs) - 1.4, max(xs) + 1.4)
    axes.set_ylim(min(ys) - 1.7, max(ys) + 0.6)
    axes.set_axis_off()
    axes.legend(
        loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small", handlelength=3
    )
    return axes


def _places(layout: Layout) -> dict[str, tuple[int, int]]:
    """Return column and row of each population that is drawn: those of layers, by their number."""
    found = {STIMULUS: (0, 0)}
    kinds: dict[str, int] = {}
    layers: dict[str, tuple[int, int]] = {}
    for item in layout.populations:
        numbered = re.fullmatch(r"(\D+?)_(\d+)", item.name)
        if numbered and item.replicated and not item.name.startswith("power_"):
            column = kinds.setdefault(numbered[1], len(kinds))
            layers[item.name] = (column, int(numbered[2]))
    top = max(row for _, row in layers.values())
    found[TARGETS] = (0, top + 1)
    return found | layers


def _draw_links(layout: Layout, drawn: dict[str, tuple[float, float]], axes: Axes) -> None:
    told = {
        (link.partition(".")[0], item.name)
        for item in layout.populations
        if item.name in drawn
        for link in item.links.values()
    }
    label: str | None = "told without weights"
    for source, target in sorted(told):
        if source in drawn and source != target:
            _arrow(axes, drawn[source], drawn[target], "0.65", ":", 0.0, label)
            label = None


def _draw_projections(layout: Layout, drawn: dict[str, tuple[float, float]], axes: Axes) -> None:
    shown = [item for item in layout.projections if item.source in drawn and item.target in drawn]
    kinds = list(dict.fromkeys(item.kind for item in shown))
    labelled: set[tuple[str, bool]] = set()
    for item in shown:
        colour = COLOURS[kinds.index(item.kind) % len(COLOURS)]
        # Apart from each other, where several join the same two
        others = [one for one in shown if {one.source, one.target} == {item.source, item.target}]
        bend = 0.18 + 0.16 * others.index(item)
        if len({item.source, item.target} & {STIMULUS}) and len(others) == 1:
            bend = 0.0
        sides = {side for _, side, _ in item.sums} or {"post"}
        for side in sorted(sides):
            back = side == "pre"
            ends = (item.target, item.source) if back else (item.source, item.target)
            style = (0, (1, 1.5)) if back else "-" if item.eta is not None else (0, (5, 2))
            first = (item.kind, back) not in labelled
            labelled.add((item.kind, back))
            _arrow(
                axes,
                drawn[ends[0]],
                drawn[ends[1]],
                colour,
                style,
                bend,
                _name_of(item, back) if first else None,
            )


def _name_of(item: Projection, back: bool) -> str:
    kind = item.kind.replace("_", " ")
    if back:
        return f"{kind}, backwards through the same weights"
    return f"{kind}, " + (f"learns: {item.phase}" if item.eta is not None else "fixed")


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    style: object,
    bend: float,
    label: str | None,
) -> None:
    from matplotlib.patches import FancyArrowPatch

    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=11,
            linewidth=1.4,
            linestyle=style,
            color=colour,
            # boxes are wider than high
            shrinkA=33 if start[1] == end[1] else 20,
            shrinkB=33 if start[1] == end[1] else 20,
            connectionstyle=f"arc3,rad={bend}",
            zorder=2,
        )
    )
    if label:
        axes.plot([], [], color=colour, linestyle=style, linewidth=1.4, label=label)


def _draw_phases(
    specification: Specification, drawn: dict[str, tuple[float, float]], axes: Axes
) -> None:
    from matplotlib.patches import Rectangle

    phases = specification.layout.phases
    left = min(x for x, _ in drawn.values()) - 1.2
    width = max(x for x, _ in drawn.values()) + 1.2 - left
    total = sum(phase.steps for phase in phases)
    bottom = min(y for _, y in drawn.values()) - 1.2
    for number, phase in enumerate(phases):
        share = width * phase.steps / total
        shade = ("0.93", "0.85", "0.78")[number % 3]
        axes.add_patch(Rectangle((left, bottom), share, 0.42, facecolor=shade, edgecolor="white"))
        left += share
    words = "; ".join(f"{phase.name}, {phase.steps} steps" for phase in phases)
    axes.text(left - width, bottom - 0.1, words, ha="left", va="top", fontsize="small")

"""A specification as a model description, in the tables of Nordlie, Gewaltig & Plesser (2009).

Everything is read from the layout that the simulation is built from, so that the description
can't tell another story: equations and rules are the strings that run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .models import STIMULUS, TARGETS, Layout, Pool, Population
from .rate_functions import rate_function
from .specification import Specification

__all__ = ["describe"]


def describe(specification: Specification) -> str:
    """Describe a network and its protocol in Markdown.

    Parameters
    ----------
    specification : Specification
        What to describe.

    Returns
    -------
    str
        Model summary, populations, connectivity, neuron models, plasticity, input, and every
        parameter, each as a table.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.describe import describe
    >>> print(describe(Specification.create(sizes=(4, 3, 2))).splitlines()[0])
    # Model description: MA, 4-3-2
    """
    layout, fields = specification.layout, specification.model_dump(exclude_none=True)
    sizes = "-".join(map(str, specification.network.sizes))
    sections = {
        "A. Model summary": _summary(specification),
        "B. Populations": _populations(layout),
        "C. Connectivity": _connectivity(layout),
        "D. Neuron models": _neurons(specification, layout),
        "E. Plasticity": _plasticity(layout),
        "F. Input and protocol": _protocol(specification, layout),
        "G. Parameters": _table(("field", "value"), _leaves(fields)),
    }
    title = f"# Model description: {specification.network.model}, {sizes}"
    return "\n\n".join([title, *(f"## {name}\n\n{text}" for name, text in sections.items())]) + "\n"


def _summary(spec: Specification) -> str:
    network, model = spec.network, spec.model
    chain = all(post == pre + 1 for pre, post in network.connections)
    rows = {
        "Model": f"{model.name}: {model.summary}",
        "Populations": f"input, {network.n_layers - 1} hidden layers and output",
        "Topology": "chain of layers" if chain else "directed acyclic graph of layers",
        "Connectivity": "all-to-all",
        "Neuron model": "rate-coded leaky integrators, rate function "
        + network.rate_function
        + (f"; {spec.spikes.summary} stand for them" if spec.spikes else ""),
        "Synapse model": "linear, no delays",
        "Plasticity": "local rules, gated by phases: "
        + ", ".join(phase.name for phase in spec.layout.phases),
        "Input": "clamped rates, one image for each presentation",
        "Measurements": "class of the most active output unit at the end of the "
        f"{spec.layout.phases[0].name} phase",
        "Source": f"{model.citation}, model {model.name}",
    }
    return _table(("", ""), (rows | model.facts(spec)).items())


def _populations(layout: Layout) -> str:
    rows = [
        (STIMULUS, "clamped input", layout.n_inputs),
        (TARGETS, "clamped desired output", layout.n_outputs),
        *((unit.name, unit.description, unit.size) for unit in _units(layout)),
        *(
            (
                unit.pool.name,
                f"integrate-and-fire neurons, {unit.pool.neurons} for each unit of {unit.name}",
                unit.pool.neurons * unit.size,
            )
            for unit in _units(layout)
            if unit.pool
        ),
    ]
    return _table(("name", "elements", "size"), rows)


def _units(layout: Layout) -> list[Population]:
    """Return what is a population to a reader; what only opens gates is not."""
    return [item for item in layout.populations if item.replicated]


def _connectivity(layout: Layout) -> str:
    rows = []
    for item in layout.projections:
        shape = f"{layout.size(item.target)} x {layout.size(item.source)}"
        start = "1" if item.start is None else str(item.start)
        learning = "fixed" if item.eta is None else "plastic"
        rows.append((item.name, item.source, item.target, shape, start, learning))
        if any(side == "pre" for _, side, _ in item.sums):
            shape = f"{layout.size(item.source)} x {layout.size(item.target)}"
            rows.append(
                (f"{item.name}, backwards", item.target, item.source, shape,
                 f"transpose of {item.name}, no copy", "follows it")
            )  # fmt: skip
    columns = ("projection", "source", "target", "shape", "weights at the start", "learning")
    return "All projections are all-to-all.\n\n" + _table(columns, rows)


def _neurons(spec: Specification, layout: Layout) -> str:
    function = rate_function(spec.network.rate_function)
    parts = [
        f"Rate function: rho(s) = `{function.rate}`, rho'(s) = `{function.slope}`"
        + (
            "; output units, and those that imitate them, have rho(s) = s"
            if spec.network.loss == "cross_entropy" or spec.network.linear_output
            else ""
        )
        + ". States start every presentation at 0. Integration: explicit Euler steps. Variables "
        "without an equation are what projections sum into."
    ]
    shown: dict[str, list[str]] = {}
    for unit in layout.populations:
        if unit.equations.strip():
            shown.setdefault(_own_lines(unit), []).append(unit.name)
    parts += [f"**{', '.join(names)}**\n\n```text\n{text}\n```" for text, names in shown.items()]
    pools = [item.pool for item in layout.populations if item.pool]
    if pools:
        names = ", ".join(pool.name for pool in pools)
        parts.append(f"**{names}**\n\n{_of_pool(pools[0])}")
    return "\n\n".join(parts)


def _of_pool(pool: Pool) -> str:
    """Return equation, threshold, reset and values of the neurons of a pool."""
    values = [
        (name, f"{1000 * value:g}", "ms" if name.endswith("_time") else "mV")
        for name, value in pool.parameters.items()
    ]
    return (
        f"```text\n{pool.equations.strip()}\n```\n\n"
        "xi is white noise, and each neuron has its own; the drive is the state of the unit. "
        "Potentials begin every presentation uniformly between reset and threshold; there is no "
        "refractory time beyond a time step. How many fire in a step is the variable `fired` of "
        "the unit.\n\n" + _table(("parameter", "value", "unit"), values)
    )


def _own_lines(unit: Population) -> str:
    """Return the equations without variables of other populations."""
    lines = (line for line in unit.equations.splitlines() if line.strip())
    return "\n".join(line for line in lines if not line.rstrip().endswith("(linked)"))


def _plasticity(layout: Layout) -> str:
    rows = []
    for item in layout.plastic:
        rules = [f"`{rule.partition(' : ')[0]}`" for rule in item.rules]
        rows.append((item.name, "; ".join(rules), item.phase, item.equation, f"{item.eta:g}"))
    text = _table(("projection", "rule", "phase", "equation", "eta"), rows)
    notes = ["Weight changes are means over the mini-batch; weights move before states."]
    private = [item.name for item in layout.plastic if "private)" in item.equations]
    if private:
        notes.append(
            f"Each image has its own changes of {', '.join(private)} while it is presented; then "
            "all share their mean."
        )
    constraints: dict[str, list[str]] = {}
    for item in layout.projections:
        if item.constraint:
            constraints.setdefault(item.constraint, []).append(item.name)
    notes += [f"After each change of {', '.join(n)}: `{c}`." for c, n in constraints.items()]
    return text + "\n\n" + " ".join(notes)


_ADAPTED = (
    "adapted to the training images: each unit to its mean, all together to a mean square of 1"
)


def _protocol(spec: Specification, layout: Layout) -> str:
    protocol = spec.protocol
    learning: dict[str, str] = {}
    for phase in layout.phases:
        kinds = (item.kind for item in layout.plastic if phase.name in item.phase)
        learning[phase.name] = ", ".join(dict.fromkeys(kinds))
    rows = {
        STIMULUS: "rates of the input units are clamped to `scale * pixel - offset`, "
        + (_ADAPTED if spec.network.input_adaptation else "the pixels, between 0 and 1"),
        **{
            f"{phase.name} phase": f"{phase.steps} steps of {protocol.time_step:g} tau"
            + (f" and {spec.spikes.dt:g} ms" if spec.spikes else "")
            + (f"; learning: {learning[phase.name]}" if learning[phase.name] else "")
            for phase in layout.phases
        },
        "beta": f"{protocol.beta:g}",
        "mini-batch": f"{protocol.batch_size} images share their weight changes",
        "order": "all training images once in each epoch, in random order",
        **spec.model.schedule(spec),
        "evaluation": f"{layout.phases[0].name} phase only, no learning; the most active output "
        "unit counts"
        + (", by its spikes in the second half" if spec.spikes and spec.spikes.random else ""),
    }
    return _table(("", ""), rows.items())


def _leaves(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float):
        return repr(value)
    return str(value)


def _table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [list(columns)]
    lines.append(["---"] * len(lines[0]))
    lines += [[str(entry).replace("|", "\\|") for entry in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""A specification as a model description, in the tables of Nordlie, Gewaltig & Plesser (2009).

Names, sizes and equations are read from the Brian2 objects that are built for the specification,
so that the description can't tell another story than the simulation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .equations import LINKS
from .graph import Connection, projection_name
from .network import GhostNetwork
from .rate_functions import rate_function
from .simulation import Simulation
from .specification import Specification
from .values import projection_rates

__all__ = ["describe"]

_CONVENTIONAL = {
    "pyramidal": r"$\tau \dot s_l = -s_l + b_l + e_l$ (1), with $b_l = W^f_l \rho(s_{l-1})$",
    "ghost": r"$\tau \dot g_l = -g_l + V^f_l \rho(s_{l-1})$ (2)",
}
_ERRORS = {
    "hidden": r"$e_l = t_l - c_l$, with $t_l = W^b_{l+1} \rho(s_{l+1})$ and "
    r"$c_l = V^b_{l+1} \rho(g_{l+1})$",
    "squared_error": r"$e_L = \beta\,(y - \rho(s_L))$ while nudging, otherwise 0; "
    r"$C = \frac{1}{2}\|y - \rho(s_L)\|^2$",
    "cross_entropy": r"$e_L = \beta\,(y - \mathrm{softmax}(s_L))$ while nudging, otherwise 0; "
    r"$C = -\sum_k y_k \log \mathrm{softmax}(s_L)_k$",
}
#: Rule, phase and number of the equation, by kind of projection.
_RULES = {
    "feedforward": (r"$\dot W^f = \eta\, (e\, \rho'(s))\, \rho(s_{pre})^T$", "nudging", "(5), (7)"),
    "bias": (r"$\dot b = \eta\, e\, \rho'(s)$", "nudging", "as (5), (7)"),
    "ghost_forward": (r"$\dot V^f = \eta\, (s - g)\, \rho(s_{pre})^T$", "prediction", "(3)"),
    "ghost_bias": (r"$\dot b = \eta\, (s - g)$", "prediction", "as (3)"),
    "homeostasis": (r"$\dot b = \eta\, (r - \rho(g))$", "prediction", "not in the paper"),
    "ghost_feedback": (r"$\dot V^b = \eta\, (t - c)\, \rho(g)^T$", "prediction", "(4), (6)"),
    "feedback": (
        r"$\dot W^b = \eta\, (\rho(s) - t - o)\, \rho(s_{above})^T$",
        "prediction",
        "derived from the paper's reconstruction cost",
    ),
    "feedback_bias": (r"$\dot o = \eta\, (\rho(s) - t - o)$", "prediction", "as for W^b"),
}


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
    simulation = Simulation(specification.replace(batch_size=1), device="numpy")
    brian = simulation.brian
    assert brian is not None
    sizes = "-".join(map(str, specification.network.sizes))
    sections = {
        "A. Model summary": _summary(specification),
        "B. Populations": _populations(specification, brian),
        "C. Connectivity": _connectivity(specification, brian),
        "D. Neuron models": _neurons(specification, brian),
        "E. Plasticity": _plasticity(specification),
        "F. Input and protocol": _protocol(specification),
        "G. Parameters": _parameters(specification),
    }
    title = f"# Model description: {specification.network.model}, {sizes}"
    return "\n\n".join([title, *(f"## {name}\n\n{text}" for name, text in sections.items())]) + "\n"


def _summary(spec: Specification) -> str:
    network = spec.network
    hidden = network.n_layers - 1
    chain = all(post == pre + 1 for pre, post in network.connections)
    options = [
        *(["Dale's law for ghosts, V^b >= 0"] if network.dale else []),
        *([f"{network.lesion:.0%} of the ghosts silenced"] if network.lesion else []),
    ]
    rows = {
        "Populations": f"input, {hidden} hidden layers and output of pyramidal units; ghost units "
        "(inhibitory)",
        "Topology": "chain of layers" if chain else "directed acyclic graph of layers",
        "Connectivity": "all-to-all, feedforward; feedback: " + ", ".join(network.feedback),
        "Neuron model": "rate-coded leaky integrators, rate function " + network.rate_function,
        "Synapse model": "linear, no delays" + "".join(f"; {option}" for option in options),
        "Plasticity": "local rules, gated by two phases, prediction and nudging",
        "Input": "clamped rates, one image for each presentation",
        "Measurements": "class of the most active output unit at the end of the prediction phase",
        "Source": "Mesnard, Vignoud, Sacramento, Senn & Bengio (2019), model " + network.model,
    }
    return _table(("", ""), rows.items())


def _populations(spec: Specification, brian: GhostNetwork) -> str:
    rows = [("stimulus", "clamped input", len(brian.stimulus)),
            ("targets", "clamped desired output", len(brian.targets))]  # fmt: skip
    rows += [
        (name, _kind_of_population(spec, name), len(group))
        for name, group in brian.populations.items()
        if name != "protocol"
    ]
    return _table(("name", "elements", "size"), rows)


def _kind_of_population(spec: Specification, name: str) -> str:
    if name.startswith("ghost"):
        return "ghost units"
    if name.startswith("pyramidal"):
        output = name == f"pyramidal_{spec.network.n_layers}"
        return "pyramidal units, output" if output else "pyramidal units, hidden"
    return {"bias_unit": "unit with rate 1", "normaliser": "sum of the softmax"}[name]


def _connectivity(spec: Specification, brian: GhostNetwork) -> str:
    rates = projection_rates(spec)
    rows = []
    for name, projection in brian.projections.items():
        source, target = projection.source, projection.target
        weights = _initial(spec, name, len(source), len(target))
        fixed = name in ("normalising", "division")
        plastic = "plastic" if name in rates else "fixed"
        rows.append(
            (name, source.name, target.name, f"{len(target)} x {len(source)}",
             "1" if fixed else weights, plastic)
        )  # fmt: skip
    for pre, post in spec.network.graph.feedback_connections:
        if spec.network.feedback_of(pre) == "transpose":
            name = projection_name("feedforward", pre, post)
            rows.append(
                (f"W^b of {name}", f"pyramidal_{post}", f"pyramidal_{pre}",
                 f"{spec.network.sizes[pre]} x {spec.network.sizes[post]}",
                 f"transpose of {name}, no copy", "follows it")
            )  # fmt: skip
    columns = ("projection", "source", "target", "shape", "weights at the start", "learning")
    return "All projections are all-to-all.\n\n" + _table(columns, rows)


def _kind_and_connection(spec: Specification, name: str) -> tuple[str, Connection]:
    """Take the name of a projection apart; a bias has the number of its layer twice."""
    match = re.fullmatch(r"([a-z_]+?)_(?:(\d+)_)?(\d+)", name)
    assert match is not None
    kind, pre, post = match.groups()
    top = int(post)
    if kind.endswith("bias"):
        return kind, (top, top)
    return kind, (int(pre) if pre else top - 1, top)


def _initial(spec: Specification, name: str, n_pre: int, n_post: int) -> str:
    if name in ("normalising", "division"):
        return "1"
    network, gains = spec.network, spec.network.initial_weights
    graph = network.graph
    kind, pair = _kind_and_connection(spec, name)
    if kind.endswith("bias"):
        return f"{gains.ghost_bias:g}" if kind == "ghost_bias" else "0"
    if gains.self_predicting and kind == "ghost_forward":
        return f"copy of {projection_name('feedforward', *pair)}"
    if gains.self_predicting and kind == "ghost_feedback":
        return "copy of W^b"
    order = {
        "feedforward": graph.connections,
        "ghost_forward": graph.ghost_connections,
    }.get(kind, graph.feedback_connections)
    bound = getattr(gains, kind)[order.index(pair)] * (6 / (n_pre + n_post)) ** 0.5
    if kind == "ghost_forward" and gains.ghost_distribution == "normal":
        return f"normal, standard deviation {bound / 3**0.5:.4g}"
    if kind == "ghost_feedback" and network.dale:
        return f"uniform in [0, {bound:.4g}]"
    return f"uniform in [-{bound:.4g}, {bound:.4g}]"


def _neurons(spec: Specification, brian: GhostNetwork) -> str:
    network = spec.network
    function = rate_function(network.rate_function)
    parts = [
        f"Rate function: rho(s) = `{function.rate}`, rho'(s) = `{function.slope}`"
        + (
            "; output units, and ghosts that imitate them, have rho(s) = s"
            if network.loss == "cross_entropy"
            else ""
        )
        + ". States start every presentation at 0. Integration: explicit Euler steps."
    ]
    shown = set()
    for name, group in brian.populations.items():
        kind = name.rstrip("0123456789").rstrip("_")
        if kind not in _CONVENTIONAL:
            continue
        text = "\n".join(
            line for line in str(group.equations).splitlines() if not line.startswith(LINKS)
        )
        if text in shown:
            continue
        shown.add(text)
        formula = _CONVENTIONAL[kind]
        if kind == "pyramidal":
            output = name == f"pyramidal_{network.n_layers}"
            formula += "; " + _ERRORS[network.loss if output else "hidden"]
        parts.append(f"**{name}**: {formula}\n\n```text\n{text.strip()}\n```")
    return "\n\n".join(parts)


def _plasticity(spec: Specification) -> str:
    rows = []
    for name, eta in projection_rates(spec).items():
        kind, _ = _kind_and_connection(spec, name)
        if kind == "ghost_bias" and spec.network.model == "MB":
            kind = "homeostasis"
        rows.append((name, *_RULES[kind], f"{eta:g}"))
    text = _table(("projection", "rule, divided by tau", "phase", "equation", "eta"), rows)
    notes = ["Weight changes are means over the mini-batch; weights move before states."]
    if spec.network.dale:
        notes.append("Negative weights of V^b are set to 0 after each change.")
    return text + "\n\n" + " ".join(notes)


def _protocol(spec: Specification) -> str:
    protocol = spec.protocol
    step = protocol.time_step
    rows = {
        "stimulus": "rates of the input units are clamped to the pixels, between 0 and 1",
        "prediction phase": f"{protocol.prediction_steps} steps of {step:g} tau; V learns",
        "nudging phase": f"{protocol.nudging_steps} steps of {step:g} tau, "
        f"beta = {protocol.beta:g}; W^f learns",
        "mini-batch": f"{protocol.batch_size} images share their weight changes",
        "order": "all training images once in each epoch, in random order",
    }
    if protocol.ghost_delay:
        rows["ghosts wait"] = f"{protocol.ghost_delay} steps of each presentation"
    if protocol.ghost_onset:
        rows["ghosts learn from"] = f"mini-batch {protocol.ghost_onset} on"
    if protocol.feedforward_onset:
        rows["W^f learns from"] = f"mini-batch {protocol.feedforward_onset} on"
    if protocol.half_life:
        rows["rates of W^f"] = f"halve every {protocol.half_life} mini-batches"
    rows["evaluation"] = "prediction phase only, no learning; the most active output unit counts"
    return _table(("", ""), rows.items())


def _parameters(spec: Specification) -> str:
    return _table(("field", "value"), _leaves(spec.model_dump()))


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

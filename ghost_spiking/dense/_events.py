"""What `DenseSynapses` do at spikes: a row of the matrix for each spike, or a column.

A pathway evaluates its statements with the synapses of a spiking neuron as the inner loop, which
runs over neighbours in memory for pre-synaptic spikes. What is the same at all synapses of
a neuron is done once for it. Delays are the same for all synapses, so that spikes wait in a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.base import weakproxy_with_fallback
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Variables
from brian2.equations.equations import DIFFERENTIAL_EQUATION, SUBEXPRESSION, Equations
from brian2.equations.unitcheck import check_units_statements
from brian2.groups.group import Group
from brian2.groups.subgroup import Subgroup
from brian2.stateupdaters.base import UnsupportedEquationsException
from brian2.stateupdaters.exact import linear
from brian2.units.allunits import second
from brian2.units.fundamentalunits import Quantity, fail_for_dimension_mismatch
from brian2.utils.stringtools import get_identifiers

from ._codeobjects import DenseCodeRunner, in_cython, in_standalone
from ._factorise import Side
from ._indices import POST, POST_OF_PART, PRE, PRE_OF_PART, STORED
from ._line import WaitingLine
from ._statements import COPY, Statement, copied, statements_of, text_of

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = [
    "LAST",
    "LAST_OF_EACH",
    "PLACES",
    "DensePathway",
    "Pathway",
    "add_places",
    "loop_kwds",
    "pathways_of",
    "single_delay",
]

#: When event-driven states were solved last: those of neurons all at once, those of synapses each
#: by itself.
LAST, LAST_OF_EACH = "_last", "_last_of_each"
#: Where a neuron is in its group, and in what the projection keeps for each neuron; where a
#: synapse is in a matrix that is read transposed.
PLACES = ("_unit_pre", "_unit_post", "_own_pre", "_own_post", "_stored")


class _Place(AuxiliaryVariable):
    """An index that the loop over synapses sets."""

    def __init__(self, name: str, unique: bool) -> None:
        super().__init__(name, dtype=np.int32)
        self.unique = unique


def add_places(variables: Variables, synapses: DenseSynapses, own: str) -> None:
    """Have the variables of a projection read at places that a loop over synapses sets.

    Parameters
    ----------
    variables : Variables
        Those of the code that has the loop.
    synapses : DenseSynapses
        The projection.
    own : {"pre", "post"}
        The side of the outer loop, whose place is the same for all turns of the inner one.
    """
    for name, index in synapses.variables.indices.items():
        kept = name in synapses.one_sided
        if index in (PRE, POST, PRE_OF_PART, POST_OF_PART):
            side = "pre" if index in (PRE, PRE_OF_PART) else "post"
            variables.indices[name] = f"_{'own' if kept else 'unit'}_{side}"
        elif index == STORED:
            variables.indices[name] = "_stored"
    for name in PLACES:
        variables.add_object(name, _Place(name, name != f"_unit_{own}"))
    for name in ("i", "j"):
        variables.add_auxiliary_variable(name, dtype=np.int32)


def loop_kwds(synapses: DenseSynapses, own: str) -> dict[str, Any]:
    """Return what a template needs for its loops over neurons and synapses."""
    return {
        "own": own,
        "other": "post" if own == "pre" else "pre",
        "n": {"pre": synapses.n_pre, "post": synapses.n_post},
        "start": {
            "pre": getattr(synapses.source, "start", 0),
            "post": getattr(synapses.target, "start", 0),
        },
        "size": {"pre": synapses.size_of(Side.PRE), "post": synapses.size_of(Side.POST)},
        "mask": synapses.mask,
    }


class DensePathway(DenseCodeRunner, Group):
    """Does something at the synapses of neurons that have spiked, as Brian2's `SynapticPathway`.

    Parameters
    ----------
    synapses : DenseSynapses
        The projection.
    statements : list of Statement
        What to do.
    prepost : {"pre", "post"}
        Whose spikes.
    objname : str
        Name of the pathway; it is an attribute of the projection.
    delay : Quantity, optional
        The time that spikes take.
    event : str
        Name of the event.
    """

    def __init__(
        self,
        synapses: DenseSynapses,
        statements: list[Statement],
        prepost: str,
        objname: str,
        delay: Quantity | None,
        event: str,
    ) -> None:
        self.synapses = weakproxy_with_fallback(synapses)
        self.prepost, self.objname, self.event = prepost, objname, event
        self.source = synapses.source if prepost == "pre" else synapses.target
        self.target = synapses.target if prepost == "pre" else synapses.source
        if event not in getattr(self.source, "events", {}):
            raise ValueError(
                f"{synapses.name}: on_{prepost} follows the event '{event}', which the group "
                f"'{self.source.name}' does not have"
                + ("; did you forget its threshold?" if event == "spike" else "")
            )
        if any("lastupdate" in get_identifiers(s.expression) for s in statements) and (
            "lastupdate" not in synapses.variables
        ):
            raise ValueError(
                f"{synapses.name}: 'lastupdate' is not kept for each synapse; write a parameter of "
                "your own, 'last : second', and 'last = t' after it was used"
            )
        self.statements = statements
        self.split = synapses.sides.split(prepost, statements)
        base = self.source.source if isinstance(self.source, Subgroup) else self.source
        start = getattr(self.source, "start", 0)
        self.bounds = (start, start + len(self.source))
        #: In C++ what waits is kept in variables.
        self.waiting = (f"_{objname}_due", f"_{objname}_waiting")
        if in_standalone():
            for name in self.waiting:
                synapses.variables.add_dynamic_array(name, size=0, dtype=np.int32)
        super().__init__(
            synapses,
            "dense_events",
            compiled=True,
            clock=self.source.clock,
            when="synapses",
            order=-1 if prepost == "pre" else 1,
            name=f"{synapses.name}_{objname}",
        )
        self.namespace = synapses.namespace
        self._create_variables(base, delay)
        self._indices = synapses._indices
        self._enable_group_attributes()

    def _create_variables(self, base: Group, delay: Quantity | None) -> None:
        synapses = self.group
        variables = self.variables = Variables(synapses)
        add_places(variables, synapses, self.prepost)
        variables.add_array(
            "delay", size=1, dimensions=second.dim, scalar=True, constant=True, index="0"
        )
        self.delay_variable = variables["delay"]
        if delay is not None:
            self.delay_variable.set_value(np.asarray(single_delay(delay, self.name)))
        variables.add_reference("N", synapses)
        variables.add_reference("_events", base, f"_{self.event}space")
        variables.add_reference("_timestep", self.clock, "timestep", index="0")
        own_side = Side.PRE if self.prepost == "pre" else Side.POST
        for name in self.split.kept:
            hidden = f"_{self.objname}_{name}"
            synapses.variables.add_array(
                hidden, size=synapses.size_of(own_side), dtype=synapses.dtype
            )
            variables.add_reference(name, synapses, hidden, index=f"_own_{self.prepost}")
        variables.add_object(COPY, copied)
        self.waiting_line = WaitingLine(self)
        variables.add_object("_waiting_line", self.waiting_line)

    def _full_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super()._full_state()
        return state | {"_waiting": self.waiting_line.entries().copy()}

    def _restore_from_full_state(self, state: Mapping[str, Any]) -> None:
        variables = dict(state)
        self.waiting_line.restore(variables.pop("_waiting"))
        super()._restore_from_full_state(variables)

    def __setattr__(self, key: str, value: Any, level: int = 0) -> None:
        if key == "delay" and self.__dict__.get("_group_attribute_access_active"):
            value = single_delay(value, self.name)
        super().__setattr__(key, value, level=level + 1)

    def before_run(self, run_namespace: Mapping[str, Any]) -> None:
        """Check the units of what the user wrote."""
        code = "\n".join(map(str, self.statements))
        names = get_identifiers_recursively([code], self.group.variables)
        written = {s.variable for s in self.statements}
        known = self.group.resolve_all(
            {name for name in names if name not in written or name in self.group.variables},
            run_namespace,
            user_identifiers=names,
        )
        check_units_statements(code, known)
        for name in sorted(written & known.keys()):
            if getattr(known[name], "read_only", False):
                raise TypeError(f"{self.name}: '{name}' can't be changed at a spike")
        self.waiting_line.prepare()
        super().before_run(run_namespace)

    def update_abstract_code(self, run_namespace: Any) -> None:
        """Put together what runs for neurons and what runs for synapses."""
        synapses = self.group
        steps: list[tuple[str, str]] = []
        code: dict[str, str] = {}
        solved = synapses.event_driven
        for side, kind in ((Side.PRE, "pre"), (Side.POST, "post")):
            names = {name for name in solved if synapses.one_sided.get(name) == side}
            if names:
                code[f"solve_{kind}"] = _solution(synapses, names, LAST)
                steps.append((kind, f"solve_{kind}"))
        if self.split.spiking:
            code["spiking"] = text_of(self.split.spiking)
            steps.append(("spiking", "spiking"))
        lines = [text_of(self.split.synaptic)] if self.split.synaptic else []
        of_each = {name for name in solved if name not in synapses.one_sided}
        if of_each:
            lines = [_solution(synapses, of_each, LAST_OF_EACH), *lines, f"{LAST_OF_EACH} = t"]
        if lines:
            code["synaptic"] = "\n".join(lines)
            steps.append(("synaptic", "synaptic"))
        known = synapses.variables
        names = get_identifiers_recursively(
            list(code.values()), {**dict(known.items()), **dict(self.variables.items())}
        )
        everything = {**dict(known.items()), **dict(self.variables.items())}
        # all that the code and the template read
        indices = {self._index_of(name) for name in names if name in everything}
        needed = {"_events", "_timestep"}
        if in_standalone():
            needed |= {"delay", "dt", *self.waiting}
        elif in_cython():
            needed.add("_waiting_line")
        else:
            # What Python asks for itself is not handed to the code, which costs time in every step.
            needed = {"_waiting_line"}
        needed |= {index for index in indices if index in PLACES}
        needed |= {"i", "j"} & names
        if any(step[0] in ("pre", "post") for step in steps):
            needed |= {LAST, "t"}
        if synapses.mask is not None:
            needed.add(synapses.mask)
        self.needed_variables = sorted(needed)
        self.template_kwds = {
            **loop_kwds(synapses, self.prepost),
            "steps": steps,
            "bounds": self.bounds,
            "n_source": len(self.variables["_events"]) - 1,
            "used": sorted({index for index in indices if index in PLACES} | ({"i", "j"} & names)),
            "solves": any(step[0] in ("pre", "post") for step in steps),
            "last": LAST,
            "waiting": self.waiting,
            **self._without_copies(code.get("synaptic", "")),
        }
        self.abstract_code = code

    def _without_copies(self, code: str) -> dict[str, bool]:
        """Tell what numpy may read where it is, without indices for every synapse.

        What is written under one name must not be read under another. A value of the neuron that
        spikes is one number, unless it is written, once for each synapse.
        """
        synapses, own = self.group, self.prepost
        everything = {**dict(synapses.variables.items()), **dict(self.variables.items())}
        names = get_identifiers_recursively([code], everything) & everything.keys()
        arrays = [everything[name] for name in names if isinstance(everything[name], ArrayVariable)]
        written = {statement.variable for statement in statements_of(code)} if code else set()
        of_own = {
            name for name in written if self._index_of(name) in (f"_own_{own}", f"_unit_{own}")
        }
        return {
            "views": synapses.mask is None and len({id(array) for array in arrays}) == len(arrays),
            "only_read": not of_own,
        }

    def _index_of(self, name: str) -> str:
        if name in self.variables:
            return str(self.variables.indices.get(name, "_idx"))
        index = self.variables.indices.get(name)
        return str(index if index is not None else self.group.variables.indices.get(name, "_idx"))


def _solution(synapses: DenseSynapses, names: set[str], last: str) -> str:
    """Return the lines that bring event-driven states to the present time."""
    equations = Equations(
        [
            eq
            for eq in synapses.model.values()
            if eq.varname in names or (eq.type == SUBEXPRESSION and "summed" not in eq.flags)
        ]
    )
    try:
        code = linear(equations, synapses.variables)
    except UnsupportedEquationsException:
        lines = ", ".join(
            f"'{eq}'" for eq in equations.values() if eq.type == DIFFERENTIAL_EQUATION
        )
        raise UnsupportedEquationsException(
            f"{synapses.name}: {lines} can't be solved from spike to spike; use (clock-driven)"
        ) from None
    return re.sub(r"\bdt\b", f"(t - {last})", code)


@dataclass(frozen=True)
class Pathway:
    """What is asked for at spikes."""

    name: str
    prepost: str
    statements: list[Statement]
    event: str
    delay: Quantity | None


def pathways_of(name: str, on_pre: Any, on_post: Any, on_event: Any, delay: Any) -> list[Pathway]:
    """Return the pathways that the arguments of `Synapses` describe."""
    delays = {} if delay is None else delay if isinstance(delay, Mapping) else {"pre": delay}
    found = []
    for prepost, code in (("pre", on_pre), ("post", on_post)):
        if not code:
            continue
        named = code if isinstance(code, Mapping) else {prepost: code}
        for key, text in named.items():
            event = on_event.get(key, "spike") if isinstance(on_event, Mapping) else on_event
            found.append(Pathway(key, prepost, statements_of(text), event, delays.get(key)))
    unknown = sorted(delays.keys() - {pathway.name for pathway in found})
    if unknown:
        raise ValueError(
            f"{name}: a delay was given for the pathway '{unknown[0]}', which does not exist"
        )
    return found


def single_delay(value: Any, name: str) -> Quantity:
    """Return the one delay of a pathway.

    Raises
    ------
    TypeError
        There are several, or it is not a number.
    """
    advice = (
        f"{name}: a delay is the same for all synapses here, a number such as 2*ms; for delays "
        "that differ between synapses use brian2.Synapses, or a projection for each delay"
    )
    if isinstance(value, str):
        raise TypeError(f"{advice}; got '{value}'")
    fail_for_dimension_mismatch(value, second, f"{name}: a delay has the unit of time")
    values = np.unique(np.asarray(value))
    if len(values) != 1:
        raise TypeError(f"{advice}; got {len(values)} different ones")
    if values[0] < 0:
        raise ValueError(f"{name}: a delay can't be negative, got {value}")
    return Quantity(values[0], dim=second.dim)

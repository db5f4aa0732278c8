"""Statements that run at spikes, and on which side each state of a synapse depends.

A trace that grows by one with each spike of the pre-synaptic neuron is the same at all synapses of
this neuron. It is kept once per neuron, so that it is a factor of a matrix product, and is updated
once per spike. This module finds such states, and divides the statements of a pathway into those
that run once per spiking neuron and those that run for each of its synapses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from brian2.core.functions import Function
from brian2.equations.equations import DIFFERENTIAL_EQUATION, SUBEXPRESSION, SingleEquation
from brian2.parsing.statements import parse_statement
from brian2.utils.stringtools import get_identifiers, word_substitute

from ._codeobjects import in_cython, in_standalone
from ._factorise import Side, replaced

__all__ = ["COPY", "Sides", "Split", "Statement", "copied", "statements_of", "text_of"]

#: For numpy, where ``x = w`` and then ``w *= 2`` would change x too.
COPY = "_copy_of"
copied = Function(np.copy, arg_units=[None], return_unit=lambda unit: unit)
copied.implementations.add_numpy_implementation(np.copy)
copied.known_as = COPY

#: What gives another number at each synapse.
_RANDOM = {"rand", "randn", "poisson"}


@dataclass(frozen=True)
class Statement:
    """A line such as ``w += 0.1*x``."""

    variable: str
    operation: str
    expression: str

    def __str__(self) -> str:
        return f"{self.variable} {self.operation} {self.expression}"


def statements_of(code: str) -> list[Statement]:
    """Return the statements of some code in Brian2 syntax."""
    lines = [line.partition("#")[0].strip() for line in re.split(r"[;\n]", code)]
    return [Statement(*parse_statement(line)[:3]) for line in lines if line]


def text_of(statements: Iterable[Statement]) -> str:
    """Return statements as code, in which a copy stays a copy: numpy would make a second name."""
    numpy = not (in_standalone() or in_cython())
    return "\n".join(
        f"{s.variable} = {COPY}({s.expression})"
        if numpy and s.operation == "=" and s.expression.isidentifier()
        else str(s)
        for s in statements
    )


@dataclass(frozen=True)
class Split:
    """The statements of a pathway.

    Attributes
    ----------
    spiking : tuple of Statement
        To do once for each spiking neuron, before all others.
    synaptic : tuple of Statement
        To do for each synapse of the spiking neurons.
    kept : tuple of str
        Names of further values, one for each neuron, that the first kind leaves for the second.
    """

    spiking: tuple[Statement, ...]
    synaptic: tuple[Statement, ...]
    kept: tuple[str, ...]


@dataclass
class Sides:
    """Finds what depends on which side.

    Parameters
    ----------
    side_of : callable
        Gives the side of a name that is no state.
    equations : iterable of SingleEquation
        Those of the synapses.
    pathways : iterable of (str, list of Statement)
        Whether a pathway follows spikes of the ``"pre"`` or of the ``"post"`` side, and what it
        does.
    variable_of : callable
        Gives the variable of a name, or None, since some have two names (``v`` and ``v_post``).

    Attributes
    ----------
    states : dict
        The states that are kept once per neuron, and their sides.
    """

    side_of: Callable[[str], Side]
    equations: Iterable[SingleEquation]
    pathways: Iterable[tuple[str, list[Statement]]]
    variable_of: Callable[[str], object]
    states: dict[str, Side] = field(init=False)

    def __post_init__(self) -> None:
        equations = list(self.equations)
        self.pathways = list(self.pathways)
        self.subexpressions = {
            eq.varname: str(eq.expr) for eq in equations if eq.type == SUBEXPRESSION
        }
        self._rates = {
            eq.varname: eq
            for eq in equations
            if eq.type == DIFFERENTIAL_EQUATION and "private" not in eq.flags
        }
        self.states = {}
        if not self.pathways:
            return  # a state without spikes is a matrix, whose values the user may choose
        found = dict.fromkeys(self._rates, Side.SHARED)
        while True:
            self._spread(found)
            # What depends on neither side differs from synapse to synapse as its user likes.
            alike = [name for name, side in found.items() if side == Side.SHARED]
            if not alike:
                break
            found |= dict.fromkeys(alike, Side.MATRIX)
        self.states = {name: side for name, side in found.items() if side in (Side.PRE, Side.POST)}

    def _spread(self, found: dict[str, Side]) -> None:
        before: dict[str, Side] = {}
        while before != found:
            before = dict(found)
            for name, eq in self._rates.items():
                found[name] |= self.side(str(eq.expr), found)
                if "event-driven" in eq.flags and found[name] not in (
                    Side.SHARED,
                    Side.PRE,
                    Side.POST,
                ):
                    # they are solved together
                    for other in self.names_in(str(eq.expr)) & self._rates.keys():
                        if "event-driven" in self._rates[other].flags:
                            found[other] |= Side.MATRIX
            for own, statements in self.pathways:
                self._follow(own, statements, found)

    def _follow(self, own: str, statements: list[Statement], found: dict[str, Side]) -> None:
        written = {
            self.variable_of(s.variable) for s in statements if s.variable not in self._rates
        } - {None}
        temporary: dict[str, Side] = {}
        for statement in statements:
            names = self.names_in(statement.expression)
            side = self.side(statement.expression, found | temporary)
            if written & {self.variable_of(name) for name in names}:
                side |= Side.MATRIX  # it would be read before all synapses have written it
            if statement.variable in found:
                found[statement.variable] |= side | (Side.PRE if own == "pre" else Side.POST)
            elif self.variable_of(statement.variable) is None:
                temporary[statement.variable] = side | temporary.get(
                    statement.variable, Side.SHARED
                )

    def names_in(self, expression: str) -> set[str]:
        """Return all names in an expression and in the subexpressions that it refers to."""
        found: set[str] = set()
        todo = get_identifiers(expression)
        while todo:
            name = todo.pop()
            found.add(name)
            if name in self.subexpressions:
                todo |= get_identifiers(self.subexpressions[name]) - found
        return found

    def side(self, expression: str, known: Mapping[str, Side]) -> Side:
        """Return what an expression depends on."""
        side = Side.SHARED
        for name in self.names_in(expression) - self.subexpressions.keys():
            if name in _RANDOM:
                side |= Side.MATRIX
            else:
                side |= known[name] if name in known else self.side_of(name)
        return side

    def split(self, own: str, statements: list[Statement]) -> Split:
        """Divide the statements of a pathway."""
        own_side = Side.PRE if own == "pre" else Side.POST
        temporary: dict[str, Side] = {}
        for _ in statements:  # until nothing changes
            for s in statements:
                if s.variable not in self.states and self.variable_of(s.variable) is None:
                    side = self.side(s.expression, self.states | temporary)
                    temporary[s.variable] = temporary.get(s.variable, Side.SHARED) | side
        kept = {name for name, side in temporary.items() if side in (Side.SHARED, own_side)}
        once = kept | {name for name, side in self.states.items() if side == own_side}
        spiking: list[Statement] = []
        synaptic: list[Statement] = []
        #: How often each has been written so far, and where it had been when it was read.
        writes: dict[str, list[int]] = {name: [] for name in once}
        read: dict[tuple[int, str], int] = {}
        for s in statements:
            if s.variable in once:
                spiking.append(s)
                writes[s.variable].append(len(spiking))
            else:
                # as it stands, with what it refers to, since that may have to be read earlier
                names = self.names_in(s.expression) & once
                for name in names:
                    read[len(synaptic), name] = len(writes[name])
                synaptic.append(s)
        early = sorted(
            {(name, count) for (_, name), count in read.items() if count < len(writes[name])}
        )
        earlier = {key: f"_{key[0]}_after_{key[1]}" for key in early}
        for (name, count), copy in sorted(
            earlier.items(), key=lambda item: -(([0] + writes[item[0][0]])[item[0][1]])
        ):
            position = ([0] + writes[name])[count]
            spiking.insert(position, Statement(copy, "=", name))
        for number, s in enumerate(synaptic):
            copies = {
                name: earlier[name, count]
                for (where, name), count in read.items()
                if where == number and (name, count) in earlier
            }
            if copies:
                text = word_substitute(replaced(s.expression, self.subexpressions), copies)
                synaptic[number] = Statement(s.variable, s.operation, text)
        return Split(tuple(spiking), tuple(synaptic), tuple(sorted(kept | set(earlier.values()))))

"""Split an expression over synapses into products of one-sided factors.

A dense projection never visits a single synapse. An expression such as
``eta * (s_post - g_post) * rate_pre`` becomes a matrix product only because it
is a sum of products of factors that depend on the post-synaptic side alone, the
pre-synaptic side alone, the synaptic matrices alone, or on nothing but shared
(scalar) quantities. This module finds these factors symbolically.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntFlag

import sympy
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str

__all__ = ["FactorisationError", "Side", "Term", "factorise"]


class FactorisationError(ValueError):
    """An expression is not a sum of products of one-sided factors."""


class Side(IntFlag):
    """What a quantity varies over; a union says that it varies over several."""

    SHARED = 0
    PRE = 1
    POST = 2
    MATRIX = 4


@dataclass(frozen=True)
class Term:
    """One product ``shared * matrix * post * pre`` of a factorised expression.

    Attributes
    ----------
    shared : str
        Scalar coefficient, ``"1"`` if there is none.
    matrix, post, pre : str or None
        Expression of the synaptic matrices, of the post-synaptic and of the
        pre-synaptic variables; None where the term does not depend on that side.
    """

    shared: str
    matrix: str | None
    post: str | None
    pre: str | None


def factorise(
    expression: str,
    side_of: Callable[[str], Side],
    subexpressions: Mapping[str, str] | None = None,
) -> list[Term]:
    """Write an expression as a sum of products of one-sided factors.

    Parameters
    ----------
    expression : str
        Right-hand side in Brian2 syntax.
    side_of : callable
        Gives the side of an identifier.
    subexpressions : mapping, optional
        Names that stand for other expressions, replaced before anything else.

    Returns
    -------
    list of Term
        The terms, in a reproducible order; empty if the expression is zero.

    Raises
    ------
    FactorisationError
        A term mixes sides inside a function or a power; the message names it.
    """
    full = str_to_sympy(expression)
    names = {name: str_to_sympy(text) for name, text in (subexpressions or {}).items()}
    for _ in names:  # a subexpression may refer to another one
        full = full.xreplace({s: names[s.name] for s in full.free_symbols if s.name in names})
    return _Factoriser(side_of).terms(full)


class _Factoriser:
    def __init__(self, side_of: Callable[[str], Side]):
        self._side_of_name = side_of
        # A subtree that lives on one side is handled as one symbol from then on,
        # so that expanding products leaves what the user wrote inside it alone.
        self._atoms: dict[sympy.Symbol, tuple[Side, sympy.Expr]] = {}

    def terms(self, expression: sympy.Expr) -> list[Term]:
        expanded = sympy.expand(self._atomise(expression))
        if expanded == 0:
            return []
        parts = sympy.Add.make_args(expanded)
        return [self._term(part) for part in sorted(parts, key=sympy.default_sort_key)]

    def side(self, expression: sympy.Expr) -> Side:
        side = Side.SHARED
        for symbol in expression.free_symbols:
            if symbol in self._atoms:
                side |= self._atoms[symbol][0]
            else:
                side |= self._side_of_name(symbol.name)
        return side

    def _atomise(self, expression: sympy.Expr) -> sympy.Expr:
        side = self.side(expression)
        if _is_one_sided(side) and not isinstance(expression, sympy.Mul):
            return self._atom(expression, side)
        if isinstance(expression, (sympy.Add, sympy.Mul)):
            by_side: dict[Side, list[sympy.Expr]] = {}
            for argument in expression.args:
                by_side.setdefault(self.side(argument), []).append(argument)
            rebuilt = []
            for argument_side, arguments in by_side.items():
                if _is_one_sided(argument_side):
                    rebuilt.append(self._atom(expression.func(*arguments), argument_side))
                else:
                    rebuilt.extend(self._atomise(argument) for argument in arguments)
            return expression.func(*rebuilt)
        expanded = expression.expand()
        return self._atomise(expanded) if expanded != expression else expression

    def _atom(self, expression: sympy.Expr, side: Side) -> sympy.Expr:
        if expression.is_Number or expression.is_Symbol:
            return expression
        # Numbered names keep the order of the terms the same in every process.
        atom = sympy.Symbol(f"_atom_{len(self._atoms)}", real=True)
        self._atoms[atom] = (side, expression)
        return atom

    def _term(self, product: sympy.Expr) -> Term:
        factors: dict[Side, list[sympy.Expr]] = {}
        for factor in sympy.Mul.make_args(product):
            side = self.side(factor)
            if not _is_one_sided(side):
                offender = self._text(factor)
                raise FactorisationError(
                    f"the term '{self._text(product)}' is not a product of one-sided factors: "
                    f"'{offender}' depends on {_describe(side)} at once"
                )
            factors.setdefault(side, []).append(factor)

        def text(side: Side) -> str | None:
            return self._text(sympy.Mul(*factors[side])) if side in factors else None

        return Term(text(Side.SHARED) or "1", text(Side.MATRIX), text(Side.POST), text(Side.PRE))

    def _text(self, expression: sympy.Expr) -> str:
        while expression.free_symbols & self._atoms.keys():
            expression = expression.xreplace({a: e for a, (_, e) in self._atoms.items()})
        return sympy_to_str(expression)


def _is_one_sided(side: Side) -> bool:
    return side in (Side.SHARED, Side.PRE, Side.POST, Side.MATRIX)


def _describe(side: Side) -> str:
    names = {
        Side.PRE: "pre-synaptic variables",
        Side.POST: "post-synaptic variables",
        Side.MATRIX: "synaptic variables",
    }
    return " and ".join(text for flag, text in names.items() if flag in side)

"""Split an expression over synapses into products of one-sided factors.

A dense projection does not visit single synapses where it need not. An expression such as
``eta * (s_post - g_post) * rate_pre`` becomes a matrix product because it is a product of
factors that depend on the post-synaptic side alone, the pre-synaptic side alone, the synaptic
matrices alone, or on nothing but shared (scalar) quantities. This module finds these factors.

Some expressions are sums of such products in exact arithmetic, but not in floating point:
``exp(x_pre - y_post)`` overflows as ``exp(x_pre) * exp(-y_post)``, and ``w * (x_pre - y_post)``
may lose all digits as ``w * x_pre - w * y_post``. They stay as they were written, and are
computed for each synapse (`Mixed`). Of ``sin(x_pre - y_post)`` nothing is lost, as the factors
``sin(x_pre)`` and ``cos(y_post)`` are never large.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import TypeGuard

__all__ = ["Difference", "FactorisationError", "Mixed", "Side", "Term", "factorise", "replaced"]


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


@dataclass(frozen=True)
class Mixed:
    """A term that has to be computed for each synapse, lest it loses accuracy.

    Attributes
    ----------
    shared : str
        Scalar coefficient, ``"1"`` if there is none.
    template : str
        The rest, with ``{0}``, ``{1}``, ... for its one-sided parts.
    parts : tuple of (Side, str)
        The one-sided parts.
    """

    shared: str
    template: str
    parts: tuple[tuple[Side, str], ...]

    def __str__(self) -> str:
        return self.template.format(*(text for _, text in self.parts))


@dataclass(frozen=True)
class Difference(Term):
    """A term with a further factor ``a + b``, of a pre-synaptic and a post-synaptic addend.

    It is summed as ``(a - c) + (b + c)``, where c lies among the values of a, so that no more is
    lost than by adding up differences.

    Attributes
    ----------
    a, b : str
        The pre-synaptic and the post-synaptic addend.
    """

    a: str = "0"
    b: str = "0"


def factorise(
    expression: str,
    side_of: Callable[[str], Side],
    subexpressions: Mapping[str, str] | None = None,
    *,
    changes: str | None = None,
    differences: bool = False,
) -> list[Term | Mixed]:
    """Write an expression as a sum of products of one-sided factors.

    What is written as a sum of one-sided parts, alone or as a factor, stays together:
    ``w * (x_pre - y_post)`` is computed for each synapse.

    Parameters
    ----------
    expression : str
        Right-hand side in Brian2 syntax.
    side_of : callable
        Gives the side of an identifier.
    subexpressions : mapping, optional
        Names that stand for other expressions, replaced before anything else.
    changes : str, optional
        The matrix whose rate of change this is. A decay of this matrix is a term of its own: the
        error of ``y_post * x_pre - y_post * w`` is small beside `w`, which is what counts.
    differences : bool, optional
        Whether ``w * (x_pre - y_post)`` may be a `Difference`, if the terms are to be summed.

    Returns
    -------
    list of Term or Mixed
        The terms, in a reproducible order; empty if the expression is zero.

    Raises
    ------
    FactorisationError
        A term mixes sides inside a function or a power; the message names it.

    Examples
    --------
    >>> from ghost_spiking.dense._factorise import Side, factorise
    >>> sides = {"w": Side.MATRIX, "x_pre": Side.PRE, "y_post": Side.POST}
    >>> factorise("eta * w * x_pre / 3", lambda name: sides.get(name, Side.SHARED))
    [Term(shared='eta / 3', matrix='w', post=None, pre='x_pre')]
    >>> (term,) = factorise("w * (x_pre - y_post)", lambda name: sides.get(name, Side.SHARED))
    >>> term.template
    '{0} * ({1} - {2})'
    """
    whole = _parse(replaced(expression, subexpressions or {}))
    return _Factoriser(side_of, changes, differences).terms(whole)


def replaced(expression: str, subexpressions: Mapping[str, str]) -> str:
    """Return an expression with the names of subexpressions replaced by what they stand for."""
    trees = {name: _parse(text) for name, text in subexpressions.items()}
    return _text(_Replacer(trees).visit(_parse(expression)))


#: A factor of a product, and whether it is a divisor.
_Factor = tuple[ast.expr, bool]
#: Functions f with f(a + b) in terms of f(a) and f(b), if not always without loss.
_OF_SUMS = {"exp", "expm1", "sin", "cos", "sinh", "cosh"}
#: Functions f with f(a * b) = f(a) * f(b), to the last bit.
_OF_PRODUCTS = {"abs", "sign"}


class _Factoriser:
    def __init__(
        self, side_of: Callable[[str], Side], changes: str | None, differences: bool
    ) -> None:
        self._side_of_name = side_of
        self._changes = changes
        self._differences = differences

    def terms(self, expression: ast.expr) -> list[Term | Mixed]:
        return [
            self._term(product)
            for addend in self._addends(expression)
            for product in self._expand(self._factors(addend))
            if not any(_is_zero(factor) and not divides for factor, divides in product)
        ]

    def side(self, node: ast.AST) -> Side:
        if isinstance(node, ast.Name):
            return self._side_of_name(node.id)
        side = Side.SHARED
        children = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
        for child in children:
            side |= self.side(child)
        return side

    def _is_mixed(self, node: ast.expr) -> bool:
        return self.side(node) not in (Side.SHARED, Side.PRE, Side.POST, Side.MATRIX)

    # -- sums -------------------------------------------------------------------------

    def _addends(self, node: ast.expr) -> list[ast.expr]:
        """Split a sum, but for what has to stay together."""
        whole: list[ast.expr] = []
        apart: list[ast.expr] = []
        for addend in _summands(node):
            together = not self._is_mixed(addend) and not self._is_decay(addend)
            (whole if together else apart).append(addend)
        return ([_sum(whole)] if whole else []) + apart

    def _is_decay(self, node: ast.expr) -> bool:
        return any(
            isinstance(factor, ast.Name) and factor.id == self._changes and not inverted
            for factor, inverted in self._factors(node)
        )

    def _expand(self, factors: list[_Factor]) -> Iterator[list[_Factor]]:
        """Multiply out, unless that takes apart what has to stay together."""
        mixed = [factor for factor in factors if self._is_mixed(factor[0])]
        waves = [self._products_of_waves(*factor) for factor in mixed]
        if mixed and all(waves):
            others = [factor for factor in factors if factor not in mixed]
            for waves_of_product in itertools.product(*waves):
                yield others + [factor for wave in waves_of_product for factor in wave]
            return
        if len(mixed) == 1 and not mixed[0][1]:
            addends = self._addends(mixed[0][0])
            if len(addends) > 1:
                others = [factor for factor in factors if factor is not mixed[0]]
                for addend in addends:
                    yield from self._expand(others + self._factors(addend))
                return
        yield factors

    def _products_of_waves(self, node: ast.expr, divides: bool) -> list[list[_Factor]]:
        """Write sin or cos of a pre-synaptic plus a post-synaptic angle as a sum of products.

        All factors are at most 1, so that this is as accurate as the sum of the angles.
        """
        if divides or not isinstance(node, ast.Call) or _name(node) not in ("sin", "cos"):
            return []
        (argument,) = node.args
        if self.side(argument) != Side.PRE | Side.POST or not self._is_sum(argument):
            return []
        angles: dict[Side, list[ast.expr]] = {Side.SHARED: [], Side.PRE: [], Side.POST: []}
        for addend in self._distributed(argument):
            angles[self.side(addend)].append(addend)
        pre, post = _sum(angles[Side.PRE] + angles[Side.SHARED]), _sum(angles[Side.POST])

        def of(function: str, angle: ast.expr) -> _Factor:
            return ast.Call(ast.Name(function), [angle], []), False

        if _name(node) == "sin":
            return [[of("sin", pre), of("cos", post)], [of("cos", pre), of("sin", post)]]
        return [
            [of("cos", pre), of("cos", post)],
            [(ast.Constant(-1), False), of("sin", pre), of("sin", post)],
        ]

    def _distributed(self, node: ast.expr) -> Iterator[ast.expr]:
        """Return one-sided addends, where `_is_sum` says that there are some."""
        for addend in _summands(node):
            if not self._is_mixed(addend):
                yield addend
                continue
            factors = self._factors(addend)
            ((inside, _),) = [f for f in factors if self.side(f[0]) != Side.SHARED]
            others = [f for f in factors if self.side(f[0]) == Side.SHARED]
            for part in self._distributed(inside):
                yield _product([*others, (part, False)])

    # -- products ---------------------------------------------------------------------

    def _factors(self, node: ast.expr, inverted: bool = False) -> list[_Factor]:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            sign = [(ast.Constant(-1), False)] if isinstance(node.op, ast.USub) else []
            return sign + self._factors(node.operand, inverted)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            divides = isinstance(node.op, ast.Div)
            left = self._factors(node.left, inverted)
            return left + self._factors(node.right, inverted != divides)
        return self._factors_inside(node, inverted) or [(node, inverted)]

    def _factors_inside(self, node: ast.expr, inverted: bool) -> list[_Factor]:
        """Return factors of abs(x_pre * y_post), say; powers might overflow by themselves."""
        if not (
            isinstance(node, ast.Call) and _name(node) in _OF_PRODUCTS and self._is_mixed(node)
        ):
            return []
        inside = self._factors(node.args[0])
        if not self._is_mixed(node) or any(self._is_mixed(factor) for factor, _ in inside):
            return []
        return [(ast.Call(node.func, [f], []), inverted != divides) for f, divides in inside]

    def _term(self, factors: list[_Factor]) -> Term | Mixed:
        sides: dict[Side, list[_Factor]] = {}
        mixed = False
        for factor, inverted in factors:
            side = self.side(factor)
            if self._is_mixed(factor):
                self._check(factor, inverted, factors)
                mixed = True
            sides.setdefault(side, []).append((factor, inverted))
        shared = _text(_product(sides.pop(Side.SHARED, [])))
        if not mixed:
            matrix, post, pre = (
                _text(_product(sides[side])) if side in sides else None
                for side in (Side.MATRIX, Side.POST, Side.PRE)
            )
            return Term(shared, matrix, post, pre)
        if self._differences:
            difference = self._difference(sides, shared)
            if difference is not None:
                return difference
        parts: list[tuple[Side, str]] = []
        rest = _product([factor for factors in sides.values() for factor in factors])
        template = _text(self._with_placeholders(rest, parts))
        return Mixed(shared, template, tuple(parts))

    def _difference(self, sides: dict[Side, list[_Factor]], shared: str) -> Difference | None:
        both = Side.PRE | Side.POST
        mixed = [
            factor for side, factors in sides.items() if side & (side - 1) for factor in factors
        ]
        if len(mixed) != 1 or mixed[0][1] or self.side(mixed[0][0]) != both:
            return None
        node = mixed[0][0]
        if not _is_addition(node) or not self._is_sum(node):
            return None
        addends: dict[Side, list[ast.expr]] = {Side.SHARED: [], Side.PRE: [], Side.POST: []}
        for addend in self._distributed(node):
            addends[self.side(addend)].append(addend)
        matrix, post, pre = (
            _text(_product(sides[side])) if side in sides else None
            for side in (Side.MATRIX, Side.POST, Side.PRE)
        )
        a = _text(_sum(addends[Side.PRE] + addends[Side.SHARED]))
        return Difference(shared, matrix, post, pre, a, _text(_sum(addends[Side.POST])))

    def _with_placeholders(self, node: ast.expr, parts: list[tuple[Side, str]]) -> ast.expr:
        side = self.side(node)
        if side == Side.SHARED:
            return node
        if not self._is_mixed(node):
            part = (side, _text(node))
            if part not in parts:
                parts.append(part)
            return ast.Name(f"{{{parts.index(part)}}}")
        if isinstance(node, ast.Call):
            arguments = [self._with_placeholders(argument, parts) for argument in node.args]
            return ast.Call(node.func, arguments, [])
        if isinstance(node, ast.BinOp):
            left = self._with_placeholders(node.left, parts)
            return ast.BinOp(left, node.op, self._with_placeholders(node.right, parts))
        assert isinstance(node, ast.UnaryOp)  # nothing else has passed the check
        return ast.UnaryOp(node.op, self._with_placeholders(node.operand, parts))

    # -- what there is no product for -------------------------------------------------

    def _check(self, node: ast.expr, inverted: bool, product: list[_Factor]) -> None:
        """Raise an error if an expression has no sum of products even in exact arithmetic."""
        offender, advice = self._offender(node, inverted)
        if offender is not None:
            raise FactorisationError(
                f"the term '{_text(_product(product))}' is not a product of one-sided factors: "
                f"'{_text(offender)}' depends on {_describe(self.side(offender))} at once; {advice}"
            )

    def _offender(self, node: ast.expr, inverted: bool = False) -> tuple[ast.expr | None, str]:
        found: tuple[ast.expr | None, str]
        for factor, divides in self._factors(node, inverted):
            if not self._is_mixed(factor):
                continue
            found = (factor, _advice(factor))
            if divides:
                return factor, "divide by one-sided factors only"
            if _is_addition(factor):
                for addend in _summands(factor):
                    found = self._offender(addend)
                    if found[0] is not None:
                        return found
            elif isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Pow):
                if self.side(factor.left) == Side.SHARED and self._is_sum(factor.right):
                    continue
                power = _whole_number(factor.right)
                if power is None:
                    return found
                found = self._offender(factor.left, power < 0)
                if found[0] is not None:
                    return found
            elif not (
                isinstance(factor, ast.Call)
                and _name(factor) in _OF_SUMS
                and self._is_sum(factor.args[0])
            ):
                return found
        return None, ""

    def _is_sum(self, node: ast.expr) -> bool:
        """Whether it is a sum of one-sided addends, or a shared factor times such a sum."""
        for addend in _summands(node):
            if not self._is_mixed(addend):
                continue
            factors = [factor for factor, _ in self._factors(addend)]
            varying = [factor for factor in factors if self.side(factor) != Side.SHARED]
            if len(varying) != 1 or not _is_addition(varying[0]) or not self._is_sum(varying[0]):
                return False
        return True


def _advice(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and _name(node) == "log":
        return "the logarithm of a product of positive factors is a sum: log(a) + log(b)"
    if isinstance(node, ast.Call) and _name(node) == "sqrt":
        return "the root of a product of positive factors is a product: sqrt(a) * sqrt(b)"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return "powers of more than one side need whole numbers as exponents"
    return "compute it in the source or the target group, or use brian2.Synapses"


# -- trees ----------------------------------------------------------------------------


class _Replacer(ast.NodeTransformer):
    """Replaces names by expressions, and names in these in turn."""

    def __init__(self, trees: Mapping[str, ast.expr]) -> None:
        self._trees = trees

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.visit(_parse(_text(self._trees[node.id]))) if node.id in self._trees else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])


def _parse(expression: str) -> ast.expr:
    # in parentheses, because Brian2 gives long expressions with line breaks
    return ast.parse(f"({expression})", mode="eval").body


def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_addition(node: ast.expr) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _whole_number(node: ast.expr) -> int | None:
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    if negative and isinstance(node, ast.UnaryOp):
        node = node.operand
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return None
    value = node.value
    if not isinstance(value, (int, float)) or value != round(value):
        return None
    return -round(value) if negative else round(value)


def _summands(node: ast.expr) -> list[ast.expr]:
    if _is_addition(node):
        right = _summands(node.right)
        subtracts = isinstance(node.op, ast.Sub)
        return _summands(node.left) + (list(map(_negative, right)) if subtracts else right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inside = _summands(node.operand)
        return list(map(_negative, inside)) if isinstance(node.op, ast.USub) else inside
    return [node]


def _negative(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand
    return ast.UnaryOp(ast.USub(), node)


def _sum(nodes: list[ast.expr]) -> ast.expr:
    total = nodes[0]
    for node in nodes[1:]:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            total = ast.BinOp(total, ast.Sub(), node.operand)
        else:
            total = ast.BinOp(total, ast.Add(), node)
    return total


def _product(factors: list[_Factor]) -> ast.expr:
    """Multiply, then divide, so that there is something to divide."""
    ordered = sorted(factors, key=lambda factor: factor[1])
    if not ordered or ordered[0][1]:
        ordered.insert(0, (ast.Constant(1), False))
    product = ordered[0][0]
    for factor, inverted in ordered[1:]:
        product = ast.BinOp(product, ast.Div() if inverted else ast.Mult(), factor)
    return product


def _describe(side: Side) -> str:
    names = {
        Side.PRE: "pre-synaptic variables",
        Side.POST: "post-synaptic variables",
        Side.MATRIX: "synaptic variables",
    }
    return " and ".join(text for flag, text in names.items() if flag in side)

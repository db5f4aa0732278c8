"""Rate functions rho and their derivatives, as Brian2 expressions and as numpy functions.

Brian2 is only needed to derive an expression of the user's, and only imported there.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["LINEAR", "RateFunction", "check", "rate_function"]

#: What an expression may use: functions that Brian2 knows, and their derivatives.
_FUNCTIONS = ("exp", "log", "log1p", "sqrt", "abs", "sin", "cos", "tan", "sinh", "cosh", "tanh",
              "arctan")  # fmt: skip
#: What it may be made of besides; integer division and remainders have no useful derivative.
_SYNTAX = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.expr_context, ast.Add,
           ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub)  # fmt: skip


class RateFunction(NamedTuple):
    """A rate function rho.

    Attributes
    ----------
    rate : str
        rho, an expression of the state ``s``.
    slope : str
        Its derivative rho', an expression of ``s`` and of ``rate``.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.rate_functions import rate_function
    >>> tanh = rate_function("tanh")
    >>> tanh.of("g"), tanh.slope
    ('tanh(g)', '1 - rate**2')
    >>> tanh.derivative(np.zeros(1))
    array([1.])
    """

    rate: str
    slope: str

    def of(self, state: str) -> str:
        """Return rho as an expression of another variable."""
        return re.sub(r"\bs\b", state, self.rate)

    @property
    def function(self) -> Callable[[np.ndarray], np.ndarray]:
        """Rho as a numpy function."""
        return _numpy_function(self.rate)

    @property
    def derivative(self) -> Callable[[np.ndarray], np.ndarray]:
        """The derivative of rho as a numpy function of the state."""
        return _numpy_function(re.sub(r"\brate\b", f"({self.rate})", self.slope))


#: Those that have a name. The slope uses the rate where that saves a second exponential.
_NAMED = {
    "sigmoid": RateFunction("1 / (1 + exp(-s))", "rate * (1 - rate)"),
    "tanh": RateFunction("tanh(s)", "1 - rate**2"),
    # the tangent of the sigmoid at 0, cut off at 0 and 1
    "hard_sigmoid": RateFunction("clip(0.25 * s + 0.5, 0, 1)", "0.25 * int(abs(s) < 2)"),
    # linear between 0 and 1
    "clip": RateFunction("clip(s, 0, 1)", "1.0 * int(s >= 0) * int(s <= 1)"),
    # log(1 + exp(s)), written so that nothing overflows
    "softplus": RateFunction("0.5 * (s + abs(s)) + log1p(exp(-abs(s)))", "1 / (1 + exp(-s))"),
}
#: Output units with a softmax.
LINEAR = RateFunction("s", "1.0")


def rate_function(text: str) -> RateFunction:
    """Return the rate function of that name, or the one that an expression of ``s`` describes.

    The derivative of an expression is derived symbolically.

    Examples
    --------
    >>> rate_function("s**2").slope
    '2*s'
    """
    if text in _NAMED:
        return _NAMED[text]
    import sympy

    from .dense import _brian  # noqa: F401 - before anything of Brian2

    # isort: split
    from brian2.parsing.sympytools import str_to_sympy, sympy_to_str

    derivative = sympy.diff(str_to_sympy(text), sympy.Symbol("s", real=True))
    return RateFunction(text, sympy_to_str(derivative))


def check(text: str) -> None:
    """Refuse what is neither a name nor a differentiable expression of ``s``.

    Raises
    ------
    ValueError
        The message says what can't be used, and what would work.

    Examples
    --------
    >>> check("s / (1 + abs(s))")
    """
    if text in _NAMED:
        return
    known = f"{', '.join(_NAMED)}, or an expression of s such as 's / (1 + abs(s))'"
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError):
        raise ValueError(f"is not {known}") from None
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        if not isinstance(node, _SYNTAX) and not number:
            part = ast.unparse(node) or type(node).__name__
            raise ValueError(f"is not {known}: '{part}' can't be used")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _is_huge(node.right):
            raise ValueError(f"is not {known}: the exponent of '{ast.unparse(node)}' is too large")
        if isinstance(node, ast.Call) and (len(node.args) != 1 or node.keywords):
            raise ValueError(f"is not {known}: '{ast.unparse(node)}' needs one argument")
        if isinstance(node, ast.Name) and id(node) in called and node.id not in _FUNCTIONS:
            raise ValueError(
                f"uses '{node.id}', which has no known derivative; use {', '.join(_FUNCTIONS)}"
            )
        if isinstance(node, ast.Name) and id(node) not in called and node.id != "s":
            close = difflib.get_close_matches(text, _NAMED, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ValueError(f"is not {known}: '{node.id}' is not known{hint}")
    if not any(isinstance(node, ast.Name) and node.id == "s" for node in nodes):
        raise ValueError(f"is not {known}: it does not depend on s")
    try:
        with np.errstate(all="ignore"):
            states, rho = np.linspace(-4, 4, 9), rate_function(text)
            values = np.stack([rho.function(states), rho.derivative(states)])
    except Exception:  # whatever sympy or numpy can't do with it
        values = np.full(1, np.nan)
    if not np.isfinite(values).all():
        raise ValueError(
            f"is not {known}: it, and its derivative, must be finite where states are, "
            "on both sides of 0 and there"
        )


def _is_huge(exponent: ast.expr) -> bool:
    """Tell whether a power may be a number with more digits than anyone wants to wait for."""
    if any(isinstance(node, ast.Name) for node in ast.walk(exponent)):
        return False  # it stays a symbol
    try:
        return bool(abs(ast.literal_eval(exponent)) > 100)
    except (ValueError, TypeError):  # a power of powers, say
        return True


def _numpy_function(text: str) -> Callable[[np.ndarray], np.ndarray]:
    names = {name: getattr(np, name) for name in (*_FUNCTIONS, "sign", "clip")}
    names["int"] = lambda condition: np.asarray(condition, dtype=float)
    code = compile(text, "<rate function>", "eval")
    return lambda s: eval(code, {"__builtins__": {}}, names | {"s": s}) + np.zeros_like(s)

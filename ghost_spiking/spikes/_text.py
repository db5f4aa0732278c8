"""Equations as text: what lines define, and other names in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

_NAME = re.compile(r"^\s*(?:d(?P<state>\w+)/dt|(?P<name>\w+))\s*=")


def line_of(text: str, name: str) -> str:
    """Return the line that defines a variable, or an empty one."""
    found = re.search(rf"^\s*{name}\s*=.*$", text, re.MULTILINE)
    return found.group().strip() if found else ""


def expression_of(line: str) -> str:
    """Return what a line says a variable is."""
    return line.partition("=")[2].rpartition(":")[0].strip()


def subexpressions(text: str) -> list[tuple[str, str]]:
    """Return the variables that lines define, other than ``slope``, and their expressions."""
    found = []
    for line in text.splitlines():
        match = _NAME.match(line)
        if match and match["name"] and match["name"] != "slope":
            found.append((match["name"], expression_of(line)))
    return found


def uses(expression: str, names: Iterable[str]) -> bool:
    return any(re.search(rf"\b{name}\b", expression) for name in names)


def renamed(text: str, names: Iterable[str], pattern: str) -> str:
    for name in names:
        text = re.sub(rf"\b{name}\b", pattern.format(name), text)
    return text


def with_spikes(text: str, name: str) -> str:
    """Let equations refer to what became of spikes, but for the rate itself and its slope."""
    lines = []
    for line in text.splitlines():
        match = _NAME.match(line)
        if match and (match["name"] or match["state"]) not in ("rate", "slope"):
            head, equals, rest = line.partition("=")
            line = head + equals + re.sub(r"\brate\b", name, rest)
        lines.append(line)
    return "\n".join(lines) + "\n"


def joined(updates: Any, slot: str, code: str) -> dict[str, str]:
    before = updates.get(slot)
    return {**updates, slot: f"{before}\n{code}" if before else code}


def is_between_0_and_1(expression: str, states: tuple[str, ...], bounded: set[str]) -> bool:
    """Tell whether an expression of states is a rate; noise counts as 0, other variables as 1.

    States that are `bounded` stay between 0 and 1.
    """
    states_at = np.linspace(-30, 30, 121)
    names: dict[str, Any] = {name: getattr(np, name) for name in ("exp", "log", "log1p", "tanh",
        "sqrt", "abs", "clip", "sin", "cos", "sinh", "cosh", "tan", "arctan")}  # fmt: skip
    names["int"] = lambda condition: np.asarray(condition, dtype=float)
    others = set(re.findall(r"\b[A-Za-z_]\w*\b", expression)) - set(names)
    names |= dict.fromkeys(others, 1.0)  # parameters, say
    names |= dict.fromkeys(states, states_at) | {"noise": 0.0}
    names |= dict.fromkeys(bounded, np.clip(states_at, 0, 1))
    try:
        with np.errstate(all="ignore"):
            values = eval(expression, {"__builtins__": {}}, names) + np.zeros_like(states_at)
    except Exception:  # it is no expression of numbers, so nobody knows
        return False
    return bool(((values >= -1e-9) & (values <= 1 + 1e-9)).all())

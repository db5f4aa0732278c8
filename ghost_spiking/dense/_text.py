"""The text of a network: all that its C++ program depends on, before any code is generated."""

from __future__ import annotations

import dataclasses
import hashlib
import uuid
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from brian2.core.functions import Function
from brian2.core.names import Nameable
from brian2.core.network import Network
from brian2.core.preferences import prefs
from brian2.core.variables import Variable, Variables
from brian2.equations.equations import Equations, SingleEquation
from brian2.units.fundamentalunits import Quantity

__all__ = ["digest_of"]

#: Attributes of Brian2 objects that say when and where they were made.
_BOOKKEEPING = {"_id", "_network", "_scope_key", "_creation_stack", "_full_creation_stack"}
_PLAIN = (str, bytes, int, float, complex, type(None), Enum, np.generic, np.dtype, type)
_EXACTLY = {str, int, float, bool, type(None)}


def digest_of(network: Network) -> str:
    """Return a hash of a network that was built and has not been run.

    Networks with the same hash become the same program: it covers each object's equations, code,
    sizes, types, links, clock and place in the time step, and Brian2's preferences. Networks
    whose equations use functions in a namespace never have the same one, unless the functions say
    in an attribute ``known_as`` what they compute.
    """
    digest, text = hashlib.sha256(prefs.as_file.encode()), _Text()
    for obj in network.sorted_objects:
        obj._network = network.id  # or Brian2 warns of an object that was not used
        facts = {key: value for key, value in vars(obj).items() if key not in _BOOKKEEPING}
        digest.update(f"{type(obj).__qualname__} {text.of(facts)}\n".encode())
        digest.update(f"{obj.clock.name} {obj.clock.dt_!r}\n".encode())
    return digest.hexdigest()


class _Text:
    """Texts of the values in a network; what belongs to several objects is read once."""

    def __init__(self) -> None:
        self._of_variables: dict[int, str] = {}

    def of(self, value: Any) -> str:
        if type(value) in _EXACTLY:  # most are
            return repr(value)
        if isinstance(value, Function):  # also a TimedArray; what it computes can't be seen
            return getattr(value, "known_as", uuid.uuid4().hex)
        if isinstance(value, Nameable):
            return f"<{value.name}>"
        if isinstance(value, Variable):
            return f"<{getattr(value.owner, 'name', None)}.{value.name}>"
        if isinstance(value, Variables):
            return "\n".join(
                f"{name} [{value.indices.get(name)}] {self.of(variable)} {self._all_of(variable)}"
                for name, variable in sorted(value.items())
            )
        if isinstance(value, (Equations, SingleEquation)):
            return str(value)
        if isinstance(value, Quantity):
            return f"{self.of(np.asarray(value))} {value.dim}"
        if isinstance(value, np.ndarray):
            return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        if isinstance(value, _PLAIN):
            return repr(value)
        if dataclasses.is_dataclass(value):
            return f"{type(value).__qualname__}{self.of(vars(value))}"
        if isinstance(value, Mapping):
            items = sorted(f"{self.of(key)}: {self.of(item)}" for key, item in value.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self.of, value))}]"
        if isinstance(value, (set, frozenset)):
            return f"{{{', '.join(sorted(map(self.of, value)))}}}"
        return type(value).__qualname__

    def _all_of(self, variable: Variable) -> str:
        """Return all that there is to a variable, not only its name."""
        if isinstance(variable, Function):
            return self.of(variable)
        text = self._of_variables.get(id(variable))
        if text is None:
            text = f"{type(variable).__qualname__} {self.of(vars(variable))}"
            self._of_variables[id(variable)] = text
        return text

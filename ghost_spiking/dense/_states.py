"""Integration: states that are kept once per neuron, and the method for all equations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from brian2.core.variables import Constant, Variables
from brian2.equations.equations import SUBEXPRESSION, Equations
from brian2.groups.group import CodeRunner
from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException
from brian2.utils.stringtools import word_substitute

from ._factorise import Side
from ._indices import POST, POST_OF_PART, PRE, PRE_OF_PART
from ._statements import statements_of

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["METHODS", "OneSidedUpdater", "effective_rates", "method_for"]

#: What Brian2 tries, in this order, unless it is told a method.
METHODS = ("exact", "euler", "heun")


def method_for(synapses: DenseSynapses, equations: Equations, method: Any) -> Any:
    """Return the one method, of those given, that Brian2 would integrate all equations with.

    External names count as constants, as they do for Brian2.
    """
    if method is None:
        method = METHODS
    if isinstance(method, str) or callable(method):
        return method
    if not isinstance(method, Iterable):
        raise TypeError(f"{synapses.name}: method is a name or a list of names, got {method!r}")
    variables = _known(synapses, equations)
    for name in method:
        try:
            StateUpdateMethod.apply_stateupdater(equations, variables, name)
        except UnsupportedEquationsException:
            continue
        return name
    raise ValueError(
        f"{synapses.name}: none of the methods {list(method)} can integrate the equations"
    )


def _known(synapses: DenseSynapses, equations: Equations) -> dict[str, Any]:
    known: dict[str, Any] = dict(synapses.variables.items())
    for name in equations.identifiers:
        if name not in known:
            known[name] = Constant(name, value=1.0)
    known["dt"] = synapses.variables["dt"]
    return known


def effective_rates(
    synapses: DenseSynapses, equations: Equations, matrices: Iterable[str], method: Any
) -> dict[str, str]:
    """Return the rate of change of each matrix, such that an Euler step does what `method` does.

    Raises
    ------
    ValueError
        The method needs more than one look at the right-hand side.
    """
    rates = {name: str(equations[name].expr) for name in matrices}
    if not rates or method == "euler":
        return rates
    both = Equations(
        [eq for eq in equations.values() if eq.varname in rates or eq.type == SUBEXPRESSION]
    )
    code = None
    if method in ("exact", "linear", "exponential_euler"):
        code = StateUpdateMethod.apply_stateupdater(both, _known(synapses, both), method)
    if not isinstance(code, str):
        raise ValueError(
            f"{synapses.name}: matrices ({', '.join(sorted(rates))}) are integrated with "
            f"method='euler', or 'exact' where they are linear; got method={method!r}"
        )
    helpers: dict[str, str] = {}
    for statement in statements_of(code):
        if statement.variable in rates:
            continue
        text = word_substitute(
            statement.expression, {name: f"({value})" for name, value in helpers.items()}
        )
        helpers[statement.variable] = text
    return {name: f"(({helpers[f'_{name}']}) - {name})/dt" for name in rates}


class OneSidedUpdater(CodeRunner):
    """Integrates the states that are kept once for each neuron of a side.

    Parameters
    ----------
    synapses : DenseSynapses
        The projection.
    side : Side
        The pre- or the post-synaptic side.
    names : set of str
        The states.
    method, method_options
        How to integrate.
    """

    def __init__(
        self,
        synapses: DenseSynapses,
        side: Side,
        names: set[str],
        method: Any,
        method_options: Mapping[str, Any] | None,
    ) -> None:
        self._names, self._method, self._options = names, method, method_options
        label, indices = (
            ("pre", (PRE, PRE_OF_PART)) if side == Side.PRE else ("post", (POST, POST_OF_PART))
        )
        super().__init__(
            synapses,
            "stateupdate",
            clock=synapses.clock,
            when="groups",
            order=synapses.order,
            # after the matrices, which see the old values
            name=f"{synapses.name}_stateupdater_{label}",
            check_units=False,
        )
        variables = self.variables = Variables(synapses)
        variables.add_constant("N", synapses.size_of(side))
        for name, of in synapses.variables.indices.items():
            if of in indices:
                variables.indices[name] = synapses.over_units.indices.get(name, "_idx")
        for place in ("_sub_pre", "_sub_post"):
            if place in synapses.over_units:
                variables.add_object(place, synapses.over_units[place])

    def update_abstract_code(self, run_namespace: Any) -> None:
        """Write the code of a time step."""
        synapses = self.group
        equations = Equations(
            [
                eq
                for eq in synapses.equations.values()
                if eq.varname in self._names or eq.type == SUBEXPRESSION
            ]
        )
        names = equations.names | equations.identifiers | {"dt"}
        variables = synapses.resolve_all(names, run_namespace, user_identifiers=set())
        code = StateUpdateMethod.apply_stateupdater(
            equations, variables, self._method, method_options=self._options
        )
        if not isinstance(code, str):
            raise TypeError(f"{synapses.name}: the method {self._method!r} can't be used here")
        self.abstract_code = code

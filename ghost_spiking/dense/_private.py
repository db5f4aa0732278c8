"""Rules whose changes are private to each replica until the end of a presentation.

During a presentation replica ``b`` has weights of its own, ``w_b = kept * w + sum over k of
pre_b(k) post_b(k)^T``: one product for every step in which the rule has acted. They are kept as
they are, since a matrix for each replica would be far larger. At the end ``w`` becomes the mean
of the ``w_b``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brian2.codegen.translation import get_identifiers_recursively

from ._codeobjects import DenseCodeRunner
from ._factorise import Difference, Mixed, Side, Term
from ._plan import Plan, Product
from ._updaters import AFTER_OTHER_SUMS
from .clamped import ClampedInput

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["PrivateRuleUpdater", "check_private"]

_Terms = Mapping[str, list[Term | Mixed]]


def check_private(synapses: DenseSynapses, batch: Any, sums: _Terms, rules: _Terms) -> ClampedInput:
    """Return the input that presents; refuse what can't be computed from products.

    Raises
    ------
    ValueError
        Says what stands in the way.
    """
    name = synapses.private[0]
    rule = f"{synapses.name}: the rule of '{name}' is private to each replica until the end of a "
    rule += "presentation"
    if not isinstance(batch, ClampedInput):
        raise ValueError(f"{rule}, so batch has to be the ClampedInput that presents, not {batch}")
    if synapses.clock is not batch.clock:
        raise ValueError(f"{rule}, so it needs the clock of '{batch.name}', which presents")
    if len(rules) > 1:
        raise ValueError(f"{rule}, so there can't be a second rule; use another projection")
    for term in rules[name]:
        if isinstance(term, Mixed) or not (
            term.matrix is None or (term.matrix, term.pre, term.post) == (name, None, None)
        ):
            raise ValueError(
                f"{rule}, so each of its terms has to be a pre-synaptic times a post-synaptic "
                f"factor, or a shared factor times '{name}'; '{_text(term)}' is neither"
            )
    for varname, terms in sums.items():
        group = synapses.target if varname.endswith("_post") else synapses.source
        for term in terms:
            used = _matrix_of(term)
            if name in get_identifiers_recursively([used], synapses.variables) and (
                isinstance(term, (Difference, Mixed)) or used != name
            ):
                raise ValueError(
                    f"{rule}, so a sum can only have '{name}' as a factor; in '{varname}' it is "
                    f"part of '{_text(term)}'"
                )
        if synapses.order <= group.order - 1 + AFTER_OTHER_SUMS:
            raise ValueError(
                f"{rule}, so it has to act after the sum '{varname}'; its order "
                f"{synapses.order:g} is too low"
            )
    return batch


def _matrix_of(term: Term | Mixed) -> str:
    if isinstance(term, Mixed):
        return " + ".join(text for side, text in term.parts if side == Side.MATRIX) or "1"
    return term.matrix or "1"


def _text(term: Term | Mixed) -> str:
    if isinstance(term, Mixed):
        return str(term)
    factors = [term.shared, term.matrix, term.post, term.pre]
    if isinstance(term, Difference):
        factors.append(f"({term.a} + {term.b})")
    return " * ".join(factor for factor in factors if factor not in (None, "1")) or "1"


class PrivateRuleUpdater(DenseCodeRunner):
    """Notes the products of a private rule, and adds their mean to the weights in the end."""

    def __init__(self, synapses: DenseSynapses, batch: ClampedInput, terms: _Terms) -> None:
        ((target, items),) = terms.items()
        plan = self._plan = Plan(synapses, "rule")
        plan.needed.add(target)
        variables = synapses.variables
        variables.add_reference("_presented_step", batch, "step", index="0")
        variables.add_reference("_presented_steps", batch, "steps", index="0")
        plan.needed |= {"_presented_step", "_presented_steps"}
        self.names = {"count": plan.flag("private_count"), "open": plan.flag("private_open")}
        variables.add_array("_private_kept", size=1, dtype=synapses.dtype, scalar=True, index="0")
        for name in ("_private_pre", "_private_post"):
            variables.add_dynamic_array(name, size=0, dtype=synapses.dtype)
        self.names |= {name: f"_private_{name}" for name in ("kept", "pre", "post")}
        self.names["target"] = target
        plan.needed |= set(self.names.values())
        decays, products = [], []
        for term in items:
            assert isinstance(term, Term)
            if term.matrix is not None:
                decays.append(f"({term.shared})")
                continue
            left = plan.operand(term.pre or "1", Side.PRE)
            right = plan.operand(term.post or "1", Side.POST)
            products.append(Product(plan.scalar(f"dt*({term.shared})"), left, right))
        self._kwds: dict[str, Any] = {
            "products": products,
            "decay": plan.scalar(f"dt*({' + '.join(decays)})") if decays else None,
            "names": self.names,
            "n_pre": synapses.n_pre,
            "n_post": synapses.n_post,
            "sizes": plan.sizes(),
        }
        super().__init__(
            synapses,
            "dense_private_rule",
            clock=synapses.clock,
            when="groups",
            order=synapses.order,
            name=f"{synapses.name}_stateupdater",
            variables=synapses.over_units,
        )

    def update_abstract_code(self, run_namespace: Any) -> None:
        """Refuse code of the user's that would see weights of which a part is missing."""
        synapses = self.group
        for name, is_code in synapses.readers_of_weights():
            if is_code:
                raise ValueError(
                    f"{synapses.name}: '{name}' uses '{self.names['target']}', whose changes are "
                    "private to each replica until the end of a presentation; do it between runs"
                )
        self.template_kwds = self._kwds
        self.needed_variables = sorted(self._plan.needed)
        self.abstract_code = dict(self._plan.code) or {"scalars": ""}

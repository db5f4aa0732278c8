"""Rules of a projection without replicas, as one loop over synapses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.variables import Variables

from ._codeobjects import DenseCodeRunner
from ._events import PLACES, add_places, loop_kwds
from ._factorise import Mixed, Side, Term
from ._plan import Plan, product_of

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["SingleRuleUpdater"]


class SingleRuleUpdater(DenseCodeRunner):
    """Integrates the matrices of a projection without replicas, synapse by synapse, in compiled code.

    With one row there is nothing to add up, and a matrix product would only make matrices that have
    to be read again. One-sided factors are still computed once per neuron.
    """

    def __init__(self, synapses: DenseSynapses, rules: dict[str, list[Term | Mixed]]) -> None:
        plan = Plan(synapses, "single_rule")
        places: dict[str, str] = {}

        def operand(text: str, side: Side) -> str:
            name = plan.operand(text, side, any_type=True)
            if name != text:
                places[name] = "_own_pre" if side == Side.PRE else "_own_post"
            return name

        def text_of(term: Term | Mixed) -> str:
            if isinstance(term, Mixed):
                parts = [
                    text if side == Side.MATRIX else operand(text, side)
                    for side, text in term.parts
                ]
                return product_of(term.shared, term.template.format(*(f"({p})" for p in parts)))
            pre = None if term.pre is None else operand(term.pre, Side.PRE)
            post = None if term.post is None else operand(term.post, Side.POST)
            return product_of(term.shared, term.matrix, post, pre)

        lines = []
        for varname, terms in rules.items():
            change = " + ".join(map(text_of, terms)) or "0"
            lines.append(f"_new_{varname} = {varname} + dt*({change})")
        plan.line("synaptic", "\n".join(lines + [f"{name} = _new_{name}" for name in rules]))
        shared = {term.shared for terms in rules.values() for term in terms}
        # Nothing is done while all coefficients are zero, as outside of their phase.
        self._guards = [plan.scalar(text) for text in sorted(shared)] if "1" not in shared else []
        self._plan, self._places = plan, places
        super().__init__(
            synapses,
            "dense_events",
            compiled=True,
            clock=synapses.clock,
            when="groups",
            order=synapses.order,
            name=f"{synapses.name}_single_stateupdater",
        )
        variables = self.variables = Variables(synapses)
        add_places(variables, synapses, "pre")
        variables.indices.update(places)

    def update_abstract_code(self, run_namespace: Any) -> None:
        """Say which loops there are."""
        synapses = self.group
        code = dict(self._plan.code)
        kinds = [("pre", "pre"), ("post", "post"), ("synaptic", "synaptic")]
        names = get_identifiers_recursively(list(code.values()), synapses.variables)
        used = {*PLACES, *({"i", "j"} & names)}
        self.template_kwds = {
            **loop_kwds(synapses, "pre"),
            "steps": [step for step in kinds if step[1] in code],
            "used": sorted(used),
            "guards": self._guards,
            "waiting": None,
            "solves": False,
        }
        mask = {synapses.mask} if synapses.mask is not None else set()
        self.needed_variables = sorted((self._plan.needed - {"_rows"}) | used | mask)
        self.abstract_code = code

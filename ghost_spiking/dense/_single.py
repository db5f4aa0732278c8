"""Rules and regular operations of a projection without replicas, as one loop over synapses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.variables import Variables

from ._codeobjects import DenseCodeRunner
from ._events import PLACES, add_places, loop_kwds
from ._factorise import Mixed, Side, Term
from ._plan import Plan, product_of

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["SingleRuleUpdater", "SynapseLoop"]


class SynapseLoop(DenseCodeRunner):
    """Does something at all synapses, one after the other, in compiled code.

    Neurons are counted on the way, so that no synapse has to look up which ones it connects.

    Parameters
    ----------
    synapses : DenseSynapses
        The projection, without replicas.
    name : str
        Name of the object.
    code : dict
        What to do for each neuron in the blocks ``"pre"`` and ``"post"``, and at each synapse in
        ``"synaptic"``.
    guards : list of str, optional
        Scalars that the block ``"scalars"`` gives; nothing is done while all are zero.
    needed : set of str, optional
        Further variables of the code.
    places : dict, optional
        Indices of variables that are not those of a neuron or a synapse.
    **kwds
        Further arguments of `DenseCodeRunner`.
    """

    def __init__(
        self,
        synapses: DenseSynapses,
        name: str,
        code: Mapping[str, str],
        *,
        guards: Sequence[str] = (),
        needed: Iterable[str] = (),
        places: Mapping[str, str] | None = None,
        **kwds: Any,
    ) -> None:
        self._code, self._guards, self._needed = code, guards, set(needed)
        super().__init__(synapses, "dense_events", compiled=True, name=name, **kwds)
        variables = self.variables = Variables(synapses)
        add_places(variables, synapses, "pre")
        variables.indices.update(places or {})

    def update_abstract_code(self, run_namespace: Any) -> None:
        """Say which loops there are."""
        synapses, code = self.group, dict(self._code)
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
            # matrices are zero where there is no synapse, and what is written keeps them so
            "mask": None,
        }
        self.needed_variables = sorted(self._needed | used)
        self.abstract_code = code


class SingleRuleUpdater(SynapseLoop):
    """Integrates the matrices of a projection without replicas, synapse by synapse.

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
        # Nothing is done while all coefficients are zero, as outside of their phase.
        shared = {term.shared for terms in rules.values() for term in terms}
        guards = [plan.scalar(text) for text in sorted(shared)] if "1" not in shared else []
        super().__init__(
            synapses,
            f"{synapses.name}_single_stateupdater",
            plan.code,
            guards=guards,
            needed=plan.needed - {"_rows"},
            places=places,
            clock=synapses.clock,
            when="groups",
            order=synapses.order,
        )

"""The code runners of `DenseSynapses`: sums, their zeroing, and the learning rule.

Each turns factorised terms into a plan for its template: which one-sided factors have to
be evaluated into a buffer, which variables can be handed to BLAS as they are,
which matrix products follow, and what is computed synapse by synapse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.base import BrianObject
from brian2.core.network import Network
from brian2.core.variables import ArrayVariable
from brian2.groups.subgroup import Subgroup
from brian2.synapses.synapses import SummedVariableUpdater

from ._codeobjects import DenseCodeRunner, FractionalOrder, in_cython, in_standalone
from ._factorise import Difference, Mixed, Side, Term
from ._plan import BLOCKS, Each, Plan, Product, product_of
from ._single import SingleRuleUpdater
from .clamped import ClampedInput

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = [
    "AFTER_OTHER_SUMS",
    "RuleUpdater",
    "SumUpdater",
    "SumZeroer",
    "clamped_obstacle",
]

#: Sums of `Synapses` overwrite their target, so those of dense projections follow them.
AFTER_OTHER_SUMS = 0.01


class SumUpdater(DenseCodeRunner):
    """Computes a summed variable before the group that it belongs to is updated."""

    def __init__(
        self,
        synapses: DenseSynapses,
        varname: str,
        terms: list[Term | Mixed],
        target: ArrayVariable,
    ) -> None:
        self.varname = varname
        self.target_var = target
        #: Whether it adds to what others have summed; decided when a run begins.
        self.adds = False
        to_post = varname.endswith("_post")
        group = synapses.target if to_post else synapses.source
        #: The part of the variable that belongs to the group.
        self.part = _part_of(group)
        self.is_part = isinstance(group, Subgroup)
        from_side, to_side = (Side.PRE, Side.POST) if to_post else (Side.POST, Side.PRE)
        # It may be read as well, by its own sum: then all is computed from the old values.
        self._reads_itself = _reads(terms, target, synapses)
        plan = Plan(synapses, f"{varname}_sum", varname)
        self._buffered = self._reads_itself or target.dtype != synapses.dtype

        grouped: dict[tuple[str | None, str | None], list[tuple[str, str | None]]] = {}
        each: list[Each] = []
        differences: list[Difference] = []
        self._added: list[str] = []
        for term in terms:
            if isinstance(term, Mixed):
                buffer = plan.buffer("product", plan.size(to_side)) if self._buffered else None
                each.append(plan.each(term, buffer))
                self._added += [buffer] if buffer else []
                continue
            inner, outer = (term.pre, term.post) if to_post else (term.post, term.pre)
            if isinstance(term, Difference):
                differences.append(term)
                continue
            grouped.setdefault((term.matrix, inner), []).append((term.shared, outer))
        products = []
        for (matrix, inner), multipliers in grouped.items():
            left = plan.operand(inner or "1", from_side)
            right = None if matrix is None else plan.operand(matrix, Side.MATRIX)
            shared, outer = multipliers[0]
            if len(multipliers) == 1 and outer is None and not self._buffered:
                products.append(Product(plan.scalar(shared), left, right))
            else:
                buffer = plan.buffer("product", plan.size(to_side))
                products.append(Product(plan.scalar("1"), left, right, buffer))
                factor = " + ".join(product_of(*pair) for pair in multipliers)
                self._added.append(f"{buffer}*({factor})")
        for term in differences:
            a, b = (term.a, term.b) if to_post else (term.b, term.a)
            inner, outer = (term.pre, term.post) if to_post else (term.post, term.pre)
            buffer = plan.buffer("product", plan.size(to_side))
            products.append(
                Product(
                    plan.scalar("1"),
                    None if inner is None else plan.operand(inner, from_side),
                    None if term.matrix is None else plan.operand(term.matrix, Side.MATRIX),
                    buffer,
                    None,
                    plan.operand(a, from_side),
                    plan.operand(b, to_side),
                )
            )
            self._added.append(product_of(buffer, term.shared, outer))
        self._plan = plan
        n_in, n_out = (
            (synapses.n_pre, synapses.n_post) if to_post else (synapses.n_post, synapses.n_pre)
        )
        self._kwds: dict[str, Any] = {
            "target": varname,
            "products": products,
            "each": each,
            "to": BLOCKS[to_side],
            "n_in": n_in,
            "n_out": n_out,
            "n_pre": synapses.n_pre,
            "n_post": synapses.n_post,
            # Stored matrices are (n_pre, n_post); the other direction reads them transposed.
            "transposed": synapses._transposed == to_post,
            "stored_transposed": synapses._transposed,
            "sizes": plan.sizes() | {"combine": plan.size(to_side)},
            "start": self.part.start,
            "n_target": target.size,
            # always one row, and not only in some batches
            "alone": synapses.batch == 1 and not synapses.is_paced,
        }
        super().__init__(
            synapses,
            "dense_sum",
            clock=group.clock,
            when="groups",
            order=group.order - 1 + AFTER_OTHER_SUMS,
            name=f"{synapses.name}_summed_variable_{varname}",
            variables=synapses.over_units,
            compiled=True,
        )

    def update_abstract_code(self, run_namespace: Any) -> None:
        """Decide how to write the target, now that all contributors are known."""
        synapses = self.group
        code = dict(self._plan.code)
        accumulate = self.adds
        if accumulate and self._reads_itself:
            raise ValueError(
                f"{synapses.name}: the sum '{self.varname}' reads the variable that it is summed "
                "into, and other projections add to it, so that its old values are gone; keep "
                "them in a variable of their own"
            )
        # What needs no factor is added to the target at once.
        parts = [*self._kwds["products"], *self._kwds["each"]]
        direct = any(part.buffer is None for part in parts)
        if self._added:
            sign = "+=" if accumulate or direct else "="
            code["combine"] = f"{self.varname} {sign} {' + '.join(self._added)}"
        clamped = synapses.use_shortcut()
        private = synapses.private_names
        needed = set(self._plan.needed) | {self.varname, *private.values()}
        if clamped:
            needed |= {"_clamped_step", *synapses._rule_updater.clamped_names()}
        self.template_kwds = self._kwds | {
            "accumulate": accumulate,
            "empties": not accumulate and (direct or not parts),
            "clamped": synapses._rule_updater.clamped_kwds() if clamped else None,
            "private": private,
        }
        # Many rows are a matter of numpy's BLAS; with one, only what surrounds it takes time.
        self._compiled = self._kwds["alone"] and not clamped and not private
        if self._compiled and in_cython():
            needed.remove("_rows")
        self.needed_variables = sorted(needed)
        self.abstract_code = code or {"scalars": ""}

    @property
    def is_one_of_several(self) -> bool:
        """Whether others sum into the same variable, dense projections or `Synapses`.

        All that exist count, because an object does not know in which network it runs. Those
        that do not run make no difference, since the variable is set to zero before.
        """
        return any(other is not self for other in _sums_into(self.target_var, self.part))

    def before_run(self, run_namespace: Any) -> None:
        """Check that what is summed here stays until the target group is updated."""
        for other in _sums_into(self.target_var, self.part):
            # So late are Synapses that sum into a part of the group, or into a variable that is
            # linked to another group.
            apart = other.when != self.when or other.clock is not self.clock
            overwrites = apart or other.order > self.order
            if overwrites and other.active and _run_together(self, other):
                variable = f"{self.target_var.owner.name}.{self.target_var.name}"
                raise ValueError(
                    f"'{self.name}' and '{other.name}' sum into the variable '{variable}' at "
                    "different times of a step, so that the later one would overwrite the other; "
                    "let each sum into a variable of its own, and add these in the target group"
                )
        super().before_run(run_namespace)


def _run_together(one: BrianObject, other: BrianObject) -> bool:
    networks = [reference() for reference in list(Network.__instances__())]
    return any(
        {one, other} <= set(network.sorted_objects) for network in networks if network is not None
    )


def _sums_into(target: ArrayVariable, part: range) -> Iterator[Any]:
    for kind in (SumUpdater, SummedVariableUpdater):
        for reference in list(kind.__instances__()):
            updater = reference()
            # One whose construction has failed may still be there, without its attributes.
            if getattr(updater, "target_var", None) is target:
                other = updater.part if kind is SumUpdater else _part_of(updater.target)
                if max(part.start, other.start) < min(part.stop, other.stop):
                    yield updater


def _part_of(group: Any) -> range:
    """Return the numbers of a group's units in the group that holds their variables."""
    start = getattr(group, "start", 0)
    return range(start, start + len(group))


class SumZeroer(DenseCodeRunner):
    """Sets a summed variable to zero before several projections add into it.

    Each sum has one, so that it runs exactly if the sum does. If a variable has only
    one sum, that overwrites it, and this object does nothing. It comes first in the order, so
    it decides for both: the other objects may vanish at any time.
    """

    def __init__(self, updater: SumUpdater) -> None:
        self._updater = updater
        super().__init__(
            updater.group,
            "dense_zero",
            clock=updater.clock,
            name=f"{updater.name}_zeroer",
            needed_variables=[updater.varname],
            template_kwds={
                "target": updater.varname,
                "start": updater.part.start,
                "size": len(updater.part),
            },
            variables=updater.variables,
        )

    # The user may give the sum another time, or switch it off.

    @property
    def when(self) -> str:
        return str(self._updater.when)

    @when.setter
    def when(self, value: str) -> None:
        pass

    @property
    def order(self) -> float:
        # before the sums of `Synapses`, but after a group of which the target is a part
        offset = AFTER_OTHER_SUMS * (0.5 if self._updater.is_part else 2)
        return FractionalOrder(self._updater.order - offset)

    @order.setter
    def order(self, value: float) -> None:
        pass

    @property
    def _clock(self) -> Any:
        return self._updater._clock

    @_clock.setter
    def _clock(self, value: Any) -> None:
        pass

    @property
    def active(self) -> bool:
        return bool(self._updater.active)

    @active.setter
    def active(self, value: bool) -> None:
        pass

    def create_code_objects(self, run_namespace: Any) -> None:
        self._updater.adds = self._updater.is_one_of_several
        if self._updater.adds:
            super().create_code_objects(run_namespace)
        else:
            self.code_objects[:] = []


class RuleUpdater(DenseCodeRunner):
    """Integrates the differential equations of the matrices, once a time step."""

    def __init__(self, synapses: DenseSynapses, rules: dict[str, list[Term | Mixed]]) -> None:
        plan = self._plan = Plan(synapses, "rule")
        everything = [term for terms in rules.values() for term in terms]
        # Without a matrix on the right-hand side, products add straight into the weights.
        direct = all(
            isinstance(term, Term) and term.matrix is None and (term.pre or term.post)
            for term in everything
        )
        products: list[Product] = []
        each: list[Each] = []
        updates: list[str] = []
        for varname, terms in rules.items():
            plan.needed.add(varname)
            grouped: dict[tuple[str | None, str | None], list[tuple[str, str | None]]] = {}
            summands = []
            for term in terms:
                if isinstance(term, Mixed):
                    buffer = plan.buffer("outer", plan.size(Side.MATRIX))
                    each.append(plan.each(term, buffer))
                    summands.append(buffer)
                elif term.pre is None and term.post is None:
                    summands.append(product_of(term.shared, term.matrix))
                else:
                    key = (term.matrix, term.pre)
                    grouped.setdefault(key, []).append((term.shared, term.post))
            for (matrix, pre), factors in grouped.items():
                scale, right = self._post_factor(factors)
                left = None if pre is None else plan.operand(pre, Side.PRE)
                if direct:
                    products.append(
                        Product(plan.scalar(f"dt*({scale})"), left, right, None, varname)
                    )
                else:
                    buffer = plan.buffer("outer", plan.size(Side.MATRIX))
                    products.append(Product(plan.scalar(scale), left, right, buffer))
                    summands.append(product_of(matrix, buffer))
            if not direct:
                if f"_new_{varname}" not in synapses.variables:
                    synapses.variables.add_auxiliary_variable(
                        f"_new_{varname}", dtype=synapses.dtype
                    )
                change = " + ".join(summands) or "0"
                updates.append(f"_new_{varname} = {varname} + dt*({change})")
        if not direct:
            # All new values are computed from old ones before any is written.
            updates += [f"{varname} = _new_{varname}" for varname in rules]
            plan.line("integrate", "\n".join(updates))
        self._products = products
        self._each = each
        self._sizes = plan.sizes() | {"integrate": plan.size(Side.MATRIX)}
        #: Does the same in Cython and C++, for one replica, without matrices in between.
        self._alone = SingleRuleUpdater(synapses, rules) if synapses.batch == 1 else None
        if synapses._clamped:
            self._plan_clamped(products[0])
        super().__init__(
            synapses,
            "dense_rule",
            clock=synapses.clock,
            when="groups",
            order=synapses.order,
            name=f"{synapses.name}_stateupdater",
            variables=synapses.over_units,
            compiled=True,
        )

    def _post_factor(self, factors: list[tuple[str, str | None]]) -> tuple[str, str | None]:
        if len(factors) == 1:
            shared, post = factors[0]
            return shared, None if post is None else self._plan.operand(post, Side.POST)
        total = " + ".join(product_of(*pair) for pair in factors)
        # Zero if nothing has to be computed, as outside of the phases of a rule.
        scale = " or ".join(f"({shared}) != 0" for shared in {shared: 1 for shared, _ in factors})
        return f"int({scale})", self._plan.operand(total, Side.POST)

    def _plan_clamped(self, product: Product) -> None:
        synapses, plan = self._plan.synapses, self._plan
        source = synapses.source
        synapses.variables.add_reference("_clamped_step", source, "step", index="0")
        synapses.variables.add_reference("_clamped_steps", source, "steps", index="0")
        size = plan.size(Side.POST)
        self._clamped_names = {
            "drive": plan.buffer("drive", size),
            "delta": plan.buffer("delta", size),
            "total": plan.buffer("total", size),
            "gram": plan.buffer("gram", synapses.batch**2),
            "pending": plan.flag("pending"),
            "accumulated": plan.flag("accumulated"),
            "gram_valid": plan.flag("gram_valid"),
            "drive_valid": plan.flag("drive_valid"),
            "learned": product.left,
        }

    def clamped_kwds(self) -> dict[str, Any]:
        return {"names": self._clamped_names, "target": self._products[0].target}

    def clamped_names(self) -> set[str]:
        return {name for name in self._clamped_names.values() if name}

    def create_code_objects(self, run_namespace: Any) -> None:
        compiled = in_standalone() or in_cython()
        if self._alone is not None and compiled and not self.group.use_shortcut():
            self._alone.create_code_objects(run_namespace)
            self.code_objects[:] = self._alone.code_objects
        else:
            super().create_code_objects(run_namespace)

    def update_abstract_code(self, run_namespace: Any) -> None:
        """Choose the plain or the clamped way, now that all users of the weights are known."""
        synapses = self.group
        clamped = synapses.use_shortcut()
        needed = set(self._plan.needed)
        if clamped:
            needed |= {"_clamped_step", "_clamped_steps", *self.clamped_names()}
        self.template_kwds = {
            "products": self._products,
            "each": self._each,
            "n_pre": synapses.n_pre,
            "n_post": synapses.n_post,
            "sizes": self._sizes,
            "clamped": self.clamped_kwds() if clamped else None,
        }
        self.needed_variables = sorted(needed)
        self.abstract_code = dict(self._plan.code) or {"scalars": ""}
        # What is added straight into the weights is a matter of BLAS alone.
        self._compiled = "integrate" in self.abstract_code and not (clamped or self._each)


def _reads(terms: list[Term | Mixed], target: ArrayVariable, synapses: DenseSynapses) -> bool:
    texts = [
        text
        for term in terms
        for text in (
            (term.shared, str(term))
            if isinstance(term, Mixed)
            else (term.shared, term.matrix, term.post, term.pre)
            + ((term.a, term.b) if isinstance(term, Difference) else ())
        )
        if text
    ]
    variables = synapses.variables
    names = get_identifiers_recursively(texts, variables)
    return any(variables[name] is target for name in names if name in variables)


def clamped_obstacle(
    synapses: DenseSynapses,
    sums: dict[str, list[Term | Mixed]],
    rules: dict[str, list[Term | Mixed]],
) -> str | None:
    """Why the shortcuts for a clamped source would not be exact, or None if they are.

    They rest on ``w = w_0 + X^T S`` during a presentation, X being what the source shows: the
    drive is then ``X w_0 + (X X^T) S``, and only S has to be known until the end.
    """
    source = synapses.source
    if not isinstance(source, ClampedInput):
        return f"the source '{source.name}' is not a ClampedInput, so its rates may change"
    if synapses._weights_of is not None or synapses._weights_shared_with:
        return "its weights are shared with another projection"
    if synapses.private:
        return "its rule is private to each replica"
    if len(sums) != 1 or len(rules) != 1:
        return "it needs exactly one summed variable and one differential equation"
    ((summed, sum_terms),) = sums.items()
    ((weight, rule_terms),) = rules.items()
    if not summed.endswith("_post"):
        return f"'{summed}' is summed over the target"
    if len(sum_terms) != 1 or len(rule_terms) != 1:
        return "the summed variable and the rule need exactly one term each"
    drive, rule = sum_terms[0], rule_terms[0]
    if isinstance(drive, (Difference, Mixed)) or isinstance(rule, Mixed):
        return "the summed variable and the rule have to be products"
    if drive.matrix != weight or drive.post is not None:
        return f"the summed term is not '{weight}' times a pre-synaptic factor"
    if rule.matrix is not None or rule.post is None or rule.pre is None:
        return f"the rule of '{weight}' is not a post-synaptic times a pre-synaptic factor"
    if drive.shared != "1":
        return f"the coefficient '{drive.shared}' of the summed term may change with time"
    if not synapses.clock is source.clock is synapses.target.clock:
        return "source, target and weights have different clocks"
    rows = synapses.variables["_rows"]
    if isinstance(rows, ArrayVariable) and rows is not source.variables["rows"]:
        return "another ClampedInput says how many rows there are"
    if synapses.order <= synapses.target.order - 1 + AFTER_OTHER_SUMS:
        return f"weights of order {synapses.order} change before the sum is computed"
    held = {f"{name}_pre" for name in source.held_variables}
    for factor in (drive.pre or "", rule.pre):
        if factor not in held:
            return f"'{factor}' is not a variable that the source holds during a presentation"
    return None

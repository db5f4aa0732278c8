"""`DenseSynapses`: all-to-all plastic projections as matrices shared by a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.preferences import prefs
from brian2.devices.device import get_device
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
    check_subexpressions,
)
from brian2.groups.group import CodeRunner, Group
from brian2.groups.neurongroup import check_identifier_pre_post
from brian2.monitors.statemonitor import StateMonitor
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units.fundamentalunits import (
    Quantity,
    fail_for_dimension_mismatch,
)

from ._codeobjects import DenseCodeRunner, in_standalone
from ._connect import Connecting, masked
from ._events import DensePathway, Pathway, pathways_of
from ._factorise import FactorisationError, Mixed, Side, Term, factorise
from ._indices import SynapseIndexing
from ._matrix_view import accept_matrices
from ._private import PrivateRuleUpdater, check_private
from ._statements import Sides
from ._states import OneSidedUpdater, effective_rates, method_for
from ._updaters import RuleUpdater, SumUpdater, SumZeroer, clamped_obstacle
from .clamped import ClampedInput

__all__ = ["DenseSynapses"]


class _Transposed:
    """Marks the weights of a projection as read the other way round."""

    def __init__(self, synapses: DenseSynapses) -> None:
        self.synapses = synapses


class DenseSynapses(Connecting):
    """An all-to-all projection whose weights are one matrix, shared by a batch.

    It takes the part of the `~brian2.synapses.synapses.Synapses` syntax that can be
    computed with matrix products, and refuses the rest by name.

    * ``x_post = <expression> : unit (summed)`` and ``x_pre = ...``, where the expression is
      a sum of products of shared (scalar) factors, synaptic matrices, post-synaptic and
      pre-synaptic factors, as in ``gain * w * rate_pre``. Several projections may add
      into one variable. They do so before the target group is updated, in the order of
      their names.
    * ``dw/dt = <expression> : unit (clock-driven)``, with the same kind of expression,
      integrated by the explicit Euler method with all quantities taken at the
      beginning of the time step, and averaged over the rows of the batch.
    * The same with the flags ``(clock-driven, private)``: each replica has its own changes, which
      its sums see at once, until the presentation of `batch`, then a `ClampedInput`, ends. Only
      then they are averaged, and become part of the matrix that all share. Terms have to be a
      pre-synaptic times a post-synaptic factor, or a shared factor times ``w``. No matrix is kept
      for any replica. What is read and recorded, is what all share; a run that ends before the
      presentation does ends it for the changes.
    * ``p : unit`` (a matrix), ``p : unit (constant, shared)`` (a scalar), and
      subexpressions.
    * `on_pre`, `on_post`, `delay`, `on_event`, and ``ds/dt = ... (event-driven)``, as in
      `Synapses`. A state that spikes of one side change, and that depends on nothing of the other
      side, is kept once per neuron.

    Source and target hold `batch` replicas of their units, one replica after the other:
    unit ``n`` of replica ``b`` is neuron ``b * n_units + n`` of the group, so that a
    variable of the group is a matrix with a row per replica.

    Parameters
    ----------
    source, target : Group
        Groups whose sizes are multiples of the batch size; with one replica subgroups are fine,
        too. Without a target, the source.
    model : str or Equations, optional
        The equations, see above.
    on_pre, on_post : str or dict, optional
        Statements to run at spikes of the source or of the target; or several, by the names of
        their pathways.
    delay : Quantity or dict, optional
        The time that spikes take, for the pathway ``pre`` or by the names of pathways. It is the
        same for all synapses.
    on_event : str or dict, optional
        Events other than ``'spike'``.
    batch : int or ClampedInput, optional
        Number of replicas; or the input that sets the pace, which then also says how
        many rows the present batch has (the last one may be smaller).
    weights : DenseSynapses or DenseSynapses.T, optional
        A projection whose matrices are used by this one, without a copy: names that
        `model` does not define are looked up there.
    clamped : bool, optional
        Whether to use the shortcuts for a clamped source: the drive is computed once per
        presentation, learning acts on it through the Gram matrix of the batch, and the
        weights are written once, at the end of the presentation. By default this is done
        wherever it is exact. If you insist on it, a monitor of the weights notes what they were
        at the beginning of the presentation.
    namespace : dict, optional
        Values of external constants.
    dt, clock : optional
        Time step or clock, by default the target's clock.
    order : int or float, optional
        Order of the weight update within the slot ``'groups'``. The default comes after groups of
        order 0 whose names are smaller, as for `Synapses`; -0.5 comes after the sums and before
        the groups.
    method, method_options : optional
        How differential equations are integrated. States that are kept once per neuron take any
        method of Brian2, and the one that it would choose by default; matrices ``'euler'`` (the
        default), or ``'exact'`` where they are linear.
    name : str, optional
        Unique name.

    Raises
    ------
    ValueError
        Sizes that do not fit, a rule that does not factorise (the message names the
        line and the term), statements that change a matrix in a batch, or `clamped=True` where the
        shortcut would not be exact.
    TypeError
        Unsupported objects or flags.

    Notes
    -----
    Matrices have the shape ``(n_pre, n_post)``, so ``S.w[i, j]`` is the weight from unit ``i``
    to unit ``j``, as in `Synapses`. They are set with 2-D arrays, scalars or
    string expressions in ``i`` and ``j``.

    With replicas, the products are calls to BLAS: in C++ standalone mode that of OpenBLAS, and in
    runtime mode that of numpy. Without, they are loops in Cython and C++, which read each matrix
    once.

    Examples
    --------
    Oja's rule for 20 inputs and 3 outputs, 10 patterns at a time:

    >>> import numpy as np
    >>> from brian2 import NeuronGroup, Network, ms
    >>> from ghost_spiking.dense import DenseSynapses
    >>> inputs = NeuronGroup(10 * 20, "x : 1")
    >>> outputs = NeuronGroup(10 * 3, "y : 1")
    >>> oja = DenseSynapses(inputs, outputs, '''
    ...     dw/dt = (y_post * x_pre - y_post**2 * w) / (100*ms) : 1 (clock-driven)
    ...     y_post = w * x_pre : 1 (summed)
    ... ''', batch=10)
    >>> oja.w = "0.1 * (i + j) / (N_pre + N_post)"
    >>> inputs.x = np.random.default_rng(1).normal(size=200)
    >>> Network(inputs, outputs, oja).run(10 * ms)
    >>> oja.w[:].shape
    (20, 3)
    """

    add_to_magic_network = True

    def __init__(
        self,
        source: Group,
        target: Group | None = None,
        model: str | Equations | None = None,
        on_pre: str | Mapping[str, str] | None = None,
        *,
        on_post: str | Mapping[str, str] | None = None,
        delay: Quantity | Mapping[str, Quantity] | None = None,
        on_event: str | Mapping[str, str] = "spike",
        batch: int | ClampedInput = 1,
        weights: DenseSynapses | _Transposed | None = None,
        clamped: bool | None = None,
        namespace: Mapping[str, Any] | None = None,
        dt: Quantity | None = None,
        clock: Any = None,
        order: float = 0,
        method: Any = None,
        method_options: Mapping[str, Any] | None = None,
        name: str = "synapses*",
    ) -> None:
        target = source if target is None else target
        if dt is None and clock is None:
            clock = target.clock
        super().__init__(
            dt=dt, clock=clock, when="groups", order=order, namespace=namespace, name=name
        )
        self.source = source
        self.target = target
        self.add_dependency(source)
        self.add_dependency(target)
        self.codeobj_class = None
        self.batch = batch.batch if isinstance(batch, ClampedInput) else int(batch)
        #: Whether an input says how many replicas there are.
        self.is_paced = isinstance(batch, ClampedInput)
        self.n_pre = self._units_per_replica("source", source)
        self.n_post = self._units_per_replica("target", target)
        self.dtype = np.dtype(prefs.core.default_float_dtype)

        self._transposed = isinstance(weights, _Transposed)
        self._weights_of = weights.synapses if isinstance(weights, _Transposed) else weights
        if self._weights_of is not None and self._weights_of._weights_of is not None:
            # It has only borrowed them itself, perhaps transposed.
            self._transposed ^= self._weights_of._transposed
            self._weights_of = self._weights_of._weights_of
        self._weights_shared_with: list[str] = []

        equations = model if isinstance(model, Equations) else Equations(model or "")
        self.model = equations
        self._check_flags(equations)
        self._summed = {eq.varname: eq for eq in equations.values() if "summed" in eq.flags}
        # As in Synapses, what is summed is a variable of a group, and not one of the synapses.
        self.equations = Equations(
            [eq for eq in equations.values() if eq.varname not in self._summed]
        )
        #: Variables whose changes are private to each replica until a presentation ends.
        self.private = tuple(eq.varname for eq in equations.values() if "private" in eq.flags)
        #: Name of the matrix that says which synapses there are, if not all.
        self.mask: str | None = None
        self._indices = SynapseIndexing((self.n_pre, self.n_post))
        self._create_group_variables(batch)
        pathways = pathways_of(self.name, on_pre, on_post, on_event, delay)
        self.sides = Sides(
            self._side_before,
            self.equations.values(),
            [(pathway.prepost, pathway.statements) for pathway in pathways],
            self._variable_before,
        )
        #: States that are kept once per neuron, and whose neurons.
        self.one_sided = self.sides.states
        self._create_synaptic_variables(self.one_sided)
        self._check_shared_subexpressions()
        self.over_units = self._variables_over_units(equations)
        #: States that are solved from spike to spike.
        self.event_driven = {
            eq.varname for eq in self.equations.values() if "event-driven" in eq.flags
        }
        for eq in equations.values():
            self._check_names(eq)

        self._method_given, self._batch_given = method, batch
        self._statements = [s for pathway in pathways for s in pathway.statements]
        rules, sums = self._rules(), self._sums()
        if not sums and not rules and not pathways:
            raise ValueError(
                f"{self.name}: the model has neither a summed variable nor a differential "
                "equation nor something to do at spikes, so the projection would do nothing"
            )
        obstacle = (
            "it does something at spikes" if pathways else clamped_obstacle(self, sums, rules)
        )
        if clamped and obstacle:
            raise ValueError(f"{self.name}: clamped=True is not exact here: {obstacle}")
        self._clamped_requested = bool(clamped)
        self._clamped = obstacle is None and clamped is not False
        self._updaters: list[DenseCodeRunner] = []
        self._build()
        self._add_one_sided_updaters(method_options)
        self._pathways = [self._pathway(of) for of in pathways]
        self._enable_group_attributes()
        if in_standalone():
            accept_matrices(get_device())

    # -- building ---------------------------------------------------------------------

    def _build(self) -> None:
        """Make what computes sums and rules, anew if it is there."""
        if self._updaters and self._clamped_requested:
            raise ValueError(f"{self.name}: clamped=True is not exact with some synapses only")
        self._clamped &= not self._updaters
        for updater in self._updaters:
            self.contained_objects.remove(updater)
        rules, sums = self._rules(), self._sums()
        #: Variables that hold private changes, by what they are.
        self.private_names: dict[str, str] = {}
        self._rule_updater: RuleUpdater | PrivateRuleUpdater | None = None
        if self.private:
            presenter = check_private(self, self._batch_given, sums, rules)
            self._rule_updater = PrivateRuleUpdater(self, presenter, rules)
            self.private_names = self._rule_updater.names
        elif rules:
            self._rule_updater = RuleUpdater(self, rules)
        self._sum_updaters = [
            SumUpdater(self, varname, terms, self._check_summed_target(varname))
            for varname, terms in sums.items()
        ]
        self._updaters = [*self._sum_updaters]
        if self._rule_updater is not None:
            self._updaters.append(self._rule_updater)
        self._updaters += [SumZeroer(updater) for updater in self._sum_updaters]
        self.contained_objects.extend(self._updaters)

    def _sums(self) -> dict[str, list[Term | Mixed]]:
        return {varname: self._factorise(eq) for varname, eq in self._summed.items()}

    def _all_names(self) -> set[str]:
        texts = [str(eq.expr) for eq in self.model.values() if eq.expr is not None]
        texts += [s.expression for s in self._statements]
        return get_identifiers_recursively(texts, self.variables)

    def _check_flags(self, equations: Equations) -> None:
        equations.check_flags(
            {
                DIFFERENTIAL_EQUATION: ["clock-driven", "event-driven", "private"],
                SUBEXPRESSION: ["summed", "shared"],
                PARAMETER: ["constant", "shared"],
            },
            incompatible_flags=[("summed", "shared"), ("clock-driven", "event-driven")],
        )
        if equations.is_stochastic:
            raise ValueError(
                f"{self.name}: noise ('xi') in a synaptic equation would differ from synapse to "
                "synapse; put it into the source or target group"
            )
        for eq in equations.values():
            if "summed" not in eq.flags:
                check_identifier_pre_post(eq.varname)
            if eq.varname in ("i", "j", "delay"):
                raise ValueError(f"{self.name}: '{eq.varname}' is a name that Brian2 uses itself")
            if eq.type == DIFFERENTIAL_EQUATION and self._weights_of is not None:
                raise TypeError(
                    f"{self.name}: '{eq.varname}' can't be plastic, because this projection "
                    f"uses the weights of '{self._weights_of.name}'; put the rule there"
                )
            if eq.type == DIFFERENTIAL_EQUATION and "event-driven" in eq.flags:
                self._check_event_driven(eq, equations)

    def _check_event_driven(self, eq: SingleEquation, equations: Equations) -> None:
        if eq.varname == "lastupdate" or "lastupdate" in equations.names:
            raise ValueError(f"{self.name}: 'lastupdate' is a name that Brian2 uses itself")
        for other in equations.values():
            if "event-driven" in other.flags or not (
                other.type == DIFFERENTIAL_EQUATION or "summed" in other.flags
            ):
                continue
            names = set(other.identifiers)
            for name in list(names & equations.names):
                if equations[name].type == SUBEXPRESSION:
                    names |= equations[name].identifiers
            if eq.varname in names:
                raise ValueError(
                    f"{self.name}: in the line '{other}': '{eq.varname}' is event-driven, so that "
                    "it is up to date at spikes only; make it (clock-driven)"
                )

    def _side_before(self, name: str) -> Side:
        """Return the side of a name while there are no synaptic variables yet."""
        eq = self.equations.get(name)
        if eq is not None:
            return Side.SHARED if "shared" in eq.flags else Side.MATRIX
        if name in ("i", "j") or self._borrows(name):
            return Side.MATRIX
        if name in self._sides:
            return self._sides[name]
        return self._sides.get(f"{name}_post", Side.SHARED)

    def _variable_before(self, name: str) -> object:
        """Return what a name stands for, or None if nothing that is known so far."""
        if name in self.equations.names or self._borrows(name):
            return name
        for known_as in (name, f"{name}_post"):
            if known_as in self.variables:
                return self.variables[known_as]
        return None

    def _borrows(self, name: str) -> bool:
        return self._weights_of is not None and name in self._weights_of._matrices

    def _check_names(self, eq: SingleEquation) -> None:
        if eq.expr is None:
            return
        unknown = [
            name
            for name in eq.identifiers
            if name.endswith(("_pre", "_post")) and name not in self.variables
        ]
        if unknown:
            raise ValueError(
                f"{self.name}: in the line '{eq}': '{unknown[0]}' is not a variable of the "
                f"{'source' if unknown[0].endswith('_pre') else 'target'} group"
            )

    def _rules(self) -> dict[str, list[Term | Mixed]]:
        """Return the changes of matrices in a time step, and choose the method for all states."""
        method = self._method_given
        clocked = Equations(
            [eq for eq in self.equations.values() if "event-driven" not in eq.flags]
        )
        names = [
            eq.varname
            for eq in clocked.values()
            if eq.type == DIFFERENTIAL_EQUATION and eq.varname not in self.one_sided
        ]
        if self.one_sided.keys() - self.event_driven:
            self._method = method_for(self, clocked, method)
        if names and not (method is None or isinstance(method, str)):
            method = method_for(self, clocked, method)
        # Matrices move by Euler steps unless another method is asked for.
        rates = effective_rates(self, clocked, names, method or "euler")
        return {name: self._factorise(clocked[name], rates[name]) for name in names}

    def _add_one_sided_updaters(self, method_options: Mapping[str, Any] | None) -> None:
        for side in (Side.PRE, Side.POST):
            names = {
                name
                for name, of in self.one_sided.items()
                if of == side and name not in self.event_driven
            }
            if names:
                updater = OneSidedUpdater(self, side, names, self._method, method_options)
                self.contained_objects.append(updater)

    def _pathway(self, of: Pathway) -> DensePathway:
        if self.batch > 1 and any(
            self._side_of(s.variable) == Side.MATRIX
            for s in of.statements
            if s.variable in self.variables
        ):
            raise ValueError(
                f"{self.name}: with batch={self.batch} spikes of the replicas would change "
                "the matrix that all share one after the other; take batch=1"
            )
        if hasattr(self, of.name):
            raise ValueError(
                f"{self.name}: a pathway can't be called '{of.name}', since there is an attribute "
                "of this name"
            )
        pathway = DensePathway(self, of.statements, of.prepost, of.name, of.delay, of.event)
        setattr(self, of.name, pathway)
        self.contained_objects.append(pathway)
        return pathway

    def _factorise(self, eq: SingleEquation, expression: str | None = None) -> list[Term | Mixed]:
        random = {"rand", "randn", "poisson"} & eq.identifiers
        if random:
            raise ValueError(
                f"{self.name}: in the line '{eq}': '{random.pop()}()' would differ from synapse "
                "to synapse; put the noise into the source or target group"
            )
        subexpressions = {
            other.varname: str(other.expr)
            for other in self.equations.values()
            if other.type == SUBEXPRESSION
        }
        try:
            changes = eq.varname if eq.type == DIFFERENTIAL_EQUATION else None
            terms = factorise(
                expression or str(eq.expr),
                self._side_of,
                subexpressions,
                changes=changes,
                differences=changes is None,
            )
        except FactorisationError as error:
            raise ValueError(f"{self.name}: in the line '{eq}': {error}") from None
        return terms if self.mask is None else masked(terms, self._matrices)

    # -- running ----------------------------------------------------------------------

    def before_run(self, run_namespace: Mapping[str, Any]) -> None:
        """Check the units of all equations, as Brian2 does for its own objects."""
        self.equations.check_units(self, run_namespace=run_namespace)
        check_subexpressions(self, self.equations, run_namespace)
        for varname, eq in self._summed.items():
            names = eq.expr.identifiers
            known = self.resolve_all(names, run_namespace, user_identifiers=names)
            fail_for_dimension_mismatch(
                eq.dim,
                Quantity(1, dim=parse_expression_dimensions(str(eq.expr), known)),
                f"{self.name}: the two sides of '{varname}' have different units",
            )
        super().before_run(run_namespace)

    def _check_for_invalid_states(self) -> None:
        """Warn at the end of a run, as Brian2 does, but without a value for every synapse."""
        for name in self.equations.diff_eq_names:
            self._check_for_invalid_values(name, self.variables[name].get_value())

    def use_shortcut(self) -> bool:
        """Decide, when a run begins, whether the shortcuts for a clamped source are exact.

        Once they are not, they are given up for good: the two ways keep different things
        from one time step to the next.
        """
        if self._clamped:
            for name, is_code in self.readers_of_weights():
                if self._clamped_requested and is_code:
                    raise ValueError(
                        f"{self.name}: clamped=True is not exact while '{name}' uses the weights"
                    )
                self._clamped &= self._clamped_requested
            if any(sum_.adds or sum_.is_one_of_several for sum_ in self._sum_updaters):
                if self._clamped_requested:
                    raise ValueError(
                        f"{self.name}: clamped=True is not exact here: other projections add to "
                        "the same summed variable"
                    )
                self._clamped = False
        return self._clamped

    def write_learned(self) -> None:
        """Write what a presentation has taught so far, because Python is about to use the weights.

        The drive is then computed anew, in case they are set.
        """
        if not self._clamped or self._rule_updater is None:
            return
        for updater in (self._rule_updater, *self._sum_updaters):
            if isinstance(updater.codeobj, NumpyCodeObject):
                updater.codeobj.after_run()

    def readers_of_weights(self) -> Iterator[tuple[str, bool]]:
        """Return what uses the matrices during a run, and whether it is code of the user's."""
        for obj in self.contained_objects:
            users = isinstance(obj, CodeRunner) and not isinstance(obj, DenseCodeRunner)
            if users and self._matrices & self._names_in(obj.abstract_code):
                yield obj.name, True
        for reference in list(StateMonitor.__instances__()):
            monitor = reference()
            if getattr(monitor, "source", None) is self and any(
                self._matrices & self._names_in(name) for name in monitor.record_variables
            ):
                yield monitor.name, False

    def _names_in(self, code: str) -> set[str]:
        return get_identifiers_recursively([code], self.variables)

    @property
    def T(self) -> _Transposed:  # noqa: N802 - the name that numpy gave to it
        """The weights, transposed; for the `weights` argument of another projection."""
        return _Transposed(self)

    @property
    def delay(self) -> Any:
        """The delay of the pathway ``pre``."""
        return self._delayed().delay

    @delay.setter
    def delay(self, value: Any) -> None:
        self._delayed().delay = value

    def _delayed(self) -> DensePathway:
        for pathway in self._pathways:
            if pathway.objname == "pre":
                return pathway
        raise AttributeError(
            f"{self.name}: there is no pathway 'pre' (on_pre), so nothing that could have a delay"
        )

    @property
    def summed_updaters(self) -> dict[str, SumUpdater]:
        """What computes each summed variable, by its name, as for `Synapses`."""
        return {updater.varname: updater for updater in self._sum_updaters}

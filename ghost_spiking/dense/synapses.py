"""`DenseSynapses`: all-to-all plastic projections as matrices shared by a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, Subexpression, Variables
from brian2.devices.device import get_device
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    FLOAT,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
    check_subexpressions,
)
from brian2.groups.group import CodeRunner, Group, get_dtype
from brian2.groups.neurongroup import check_identifier_pre_post
from brian2.groups.subgroup import Subgroup
from brian2.monitors.statemonitor import StateMonitor
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units.fundamentalunits import (
    Quantity,
    fail_for_dimension_mismatch,
)

from ._codeobjects import DenseCodeRunner, ListedVariables, in_standalone
from ._factorise import FactorisationError, Mixed, Side, Term, factorise
from ._indices import (
    POST,
    PRE,
    STORED,
    SynapseIndexing,
    SynapseNumbers,
    SynapseSelection,
    SynapticIndices,
)
from ._matrix_view import MatrixView, accept_matrices
from ._private import PrivateRuleUpdater, check_private
from ._updaters import RuleUpdater, SumUpdater, SumZeroer, clamped_obstacle
from .clamped import ClampedInput

__all__ = ["DenseSynapses"]


class _Transposed:
    """Marks the weights of a projection as read the other way round."""

    def __init__(self, synapses: DenseSynapses) -> None:
        self.synapses = synapses


class DenseSynapses(Group):
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

    Source and target hold `batch` replicas of their units, one replica after the other:
    unit ``n`` of replica ``b`` is neuron ``b * n_units + n`` of the group, so that a
    variable of the group is a matrix with a row per replica.

    Parameters
    ----------
    source, target : Group
        Groups whose sizes are multiples of the batch size. Not subgroups.
    model : str or Equations
        The equations, see above.
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
        Order of the weight update within the slot ``'groups'``. The default comes after the
        sums and before the update of groups with their default order 0.
    name : str, optional
        Unique name.

    Raises
    ------
    ValueError
        Sizes that do not fit, a rule that does not factorise (the message names the
        line and the term), or `clamped=True` where the shortcut would not be exact.
    TypeError
        Unsupported objects or flags.

    Notes
    -----
    Matrices have the shape ``(n_pre, n_post)``, so ``S.w[i, j]`` is the weight from unit ``i``
    to unit ``j``, as in `Synapses`. They are set with 2-D arrays, scalars or
    string expressions in ``i`` and ``j``.

    In C++ standalone mode the products are calls to BLAS. In runtime mode they are done
    by numpy, whatever the code generation target of the other groups.

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
        target: Group,
        model: str | Equations,
        *,
        batch: int | ClampedInput = 1,
        weights: DenseSynapses | _Transposed | None = None,
        clamped: bool | None = None,
        namespace: Mapping[str, Any] | None = None,
        dt: Quantity | None = None,
        clock: Any = None,
        order: float = -0.5,
        name: str = "densesynapses*",
    ) -> None:
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
        self._matrices: set[str] = set()
        #: Names of the groups' variables that differ from unit to unit.
        self._sides: dict[str, Side] = {}

        equations = model if isinstance(model, Equations) else Equations(model)
        self._check_flags(equations)
        self._summed = {eq.varname: eq for eq in equations.values() if "summed" in eq.flags}
        # As in Synapses, what is summed is a variable of a group, and not one of the synapses.
        self.equations = Equations(
            [eq for eq in equations.values() if eq.varname not in self._summed]
        )
        #: Variables whose changes are private to each replica until a presentation ends.
        self.private = tuple(eq.varname for eq in equations.values() if "private" in eq.flags)
        self._indices = SynapseIndexing((self.n_pre, self.n_post))
        self._create_variables(batch)
        self._check_shared_subexpressions()
        self.over_units = self._variables_over_units(equations)

        rules = {
            eq.varname: self._factorise(eq)
            for eq in equations.values()
            if eq.type == DIFFERENTIAL_EQUATION
        }
        if not self._summed and not rules:
            raise ValueError(
                f"{self.name}: the model has neither a summed variable nor a differential "
                "equation, so the projection would do nothing"
            )
        sums = {varname: self._factorise(eq) for varname, eq in self._summed.items()}
        presenter = check_private(self, batch, sums, rules) if self.private else None
        obstacle = clamped_obstacle(self, sums, rules)
        if clamped and obstacle:
            raise ValueError(f"{self.name}: clamped=True is not exact here: {obstacle}")
        self._clamped_requested = bool(clamped)
        self._clamped = obstacle is None and clamped is not False

        self._rule_updater: RuleUpdater | PrivateRuleUpdater | None = None
        #: Variables that hold private changes, by what they are.
        self.private_names: dict[str, str] = {}
        if presenter is not None:
            self._rule_updater = PrivateRuleUpdater(self, presenter, rules)
            self.private_names = self._rule_updater.names
        self._sum_updaters = [
            SumUpdater(self, varname, terms, self._check_summed_target(varname))
            for varname, terms in sums.items()
        ]
        if rules and not self.private:
            self._rule_updater = RuleUpdater(self, rules)
        self.contained_objects.extend(self._sum_updaters)
        if self._rule_updater is not None:
            self.contained_objects.append(self._rule_updater)
        self.contained_objects.extend(SumZeroer(updater) for updater in self._sum_updaters)
        self._enable_group_attributes()
        if in_standalone():
            accept_matrices(get_device())

    # -- building ---------------------------------------------------------------------

    def _units_per_replica(self, role: str, group: Group) -> int:
        if isinstance(group, Subgroup):
            raise TypeError(
                f"{self.name}: the {role} '{group.name}' is a subgroup; its replicas are not "
                "next to each other in memory. Use a group of its own"
            )
        if self.batch < 1 or len(group) % self.batch:
            raise ValueError(
                f"{self.name}: the {role} '{group.name}' has {len(group)} neurons, which "
                f"can't be divided into batch={self.batch} replicas"
            )
        return len(group) // self.batch

    def _check_flags(self, equations: Equations) -> None:
        equations.check_flags(
            {
                DIFFERENTIAL_EQUATION: ["clock-driven", "private"],
                SUBEXPRESSION: ["summed", "shared"],
                PARAMETER: ["constant", "shared"],
            },
            incompatible_flags=[("summed", "shared")],
        )
        for eq in equations.values():
            if "summed" not in eq.flags:
                check_identifier_pre_post(eq.varname)
            if eq.varname in ("i", "j", "delay"):
                raise ValueError(f"{self.name}: '{eq.varname}' is a name that Brian2 uses itself")
            if eq.type == DIFFERENTIAL_EQUATION and "clock-driven" not in eq.flags:
                raise TypeError(
                    f"{self.name}: 'd{eq.varname}/dt' needs the flag (clock-driven); dense "
                    "projections have no spikes that could drive an update"
                )
            if eq.type == DIFFERENTIAL_EQUATION and self._weights_of is not None:
                raise TypeError(
                    f"{self.name}: '{eq.varname}' can't be plastic, because this projection "
                    f"uses the weights of '{self._weights_of.name}'; put the rule there"
                )

    def _create_variables(self, batch: int | ClampedInput) -> None:
        variables = self.variables = ListedVariables(self)
        shape = (self.n_pre, self.n_post)
        numbers = {
            name: SynapseNumbers(name, self, variables.device, shape)
            for name in (PRE, POST, STORED)[: 3 if self._transposed else 2]
        }
        for name, variable in numbers.items():
            variables.add_object(name, variable)
        numbers |= {"i": numbers[PRE], "j": numbers[POST]}
        check = _refuse_replicas(self.name, self.batch) if self.batch > 1 else _accept
        variables.indices = SynapticIndices(
            variables.indices.default_factory, variables.indices, numbers, check
        )
        variables.add_reference("i", self, PRE)
        variables.add_reference("j", self, POST)
        variables.create_clock_variables(self._clock)
        variables.add_constant("N", self.n_pre * self.n_post)
        variables.add_constant("N_pre", self.n_pre)
        variables.add_constant("N_post", self.n_post)
        variables.add_constant("N_incoming", self.n_pre)
        variables.add_constant("N_outgoing", self.n_post)
        if isinstance(batch, ClampedInput):
            variables.add_reference("_rows", batch, "rows", index="0")
        else:
            variables.add_constant("_rows", self.batch)
        self._add_references(self.source, Side.PRE, "_pre")
        self._add_references(self.target, Side.POST, "_post")
        for eq in self.equations.values():
            scalar = "shared" in eq.flags
            dtype = get_dtype(eq, self.dtype)
            if eq.type in (DIFFERENTIAL_EQUATION, PARAMETER):
                if not scalar:
                    self._matrices.add(eq.varname)
                variables.add_array(
                    eq.varname,
                    size=1 if scalar else self.n_pre * self.n_post,
                    dimensions=eq.dim,
                    dtype=dtype,
                    constant="constant" in eq.flags,
                    scalar=scalar,
                    index="0" if scalar else "_idx",
                )
            else:
                variables.add_subexpression(
                    eq.varname, expr=str(eq.expr), dimensions=eq.dim, dtype=dtype, scalar=scalar
                )
        self._borrow_weights()
        # Those of the target are also known by their own names, unless these have been taken.
        self._add_references(self.target, Side.POST, "")

    def _add_references(self, group: Group, side: Side, suffix: str) -> None:
        """Make the variables of a group known here, with an index over synapses."""
        for name in list(group.variables):
            known_as = name + suffix
            if name.startswith("_") or known_as in self.variables or not _is_direct(group, name):
                continue
            if not suffix and name.endswith(("_pre", "_post")):
                continue
            variable = group.variables[name]
            if variable.scalar:
                self.variables.add_reference(known_as, group, name, index="0")
                continue
            self._sides[known_as] = side
            one_for_all = group.variables.indices[name] == "0"
            index = "0" if one_for_all else PRE if side == Side.PRE else POST
            self.variables.add_reference(known_as, group, name, index=index)

    def _check_shared_subexpressions(self) -> None:
        for eq in self.equations.values():
            if eq.type != SUBEXPRESSION or "shared" not in eq.flags:
                continue
            for name in self.variables[eq.varname].identifiers:
                if name in self.variables and not self.variables[name].scalar:
                    raise ValueError(
                        f"{self.name}: the shared subexpression '{eq.varname}' refers to '{name}', "
                        "which is not shared"
                    )

    def _variables_over_units(self, equations: Equations) -> Variables:
        """Return what sums and rules see in another way than expressions over single synapses do.

        They evaluate factors over the units of a group, or over a matrix as it is stored.
        """
        variables = Variables(self)
        for name, index in self.variables.indices.items():
            if index in (PRE, POST, STORED):
                variables.indices[name] = "_idx"
        owner = self._weights_of
        if owner is not None and self._transposed:
            used = get_identifiers_recursively(
                [str(eq.expr) for eq in equations.values() if eq.expr is not None], self.variables
            )
            for name, of_owner in (("i", "j"), ("j", "i")):
                variables.add_reference(name, owner, of_owner, index="_idx")
                if name in used:
                    owner.variables[of_owner].announce()
        return variables

    def _borrow_weights(self) -> None:
        owner = self._weights_of
        if owner is None:
            return
        shape = (self.n_post, self.n_pre) if self._transposed else (self.n_pre, self.n_post)
        if (owner.n_pre, owner.n_post) != shape:
            raise ValueError(
                f"{self.name}: the weights of '{owner.name}' have the shape "
                f"{(owner.n_pre, owner.n_post)}{' before transposing' * self._transposed}, "
                f"{shape} is needed"
            )
        if self._matrices:
            raise TypeError(
                f"{self.name}: a projection that uses the weights of another one has no "
                f"matrices of its own, but defines {sorted(self._matrices)}"
            )
        if owner.private:
            raise TypeError(
                f"{self.name}: the weights of '{owner.name}' can't be used here, since their "
                "changes are private to each replica until the end of a presentation; put the sum "
                f"into the equations of '{owner.name}'"
            )
        owner._share_with(self.name)
        for name in owner._matrices:
            index = STORED if self._transposed else "_idx"
            self.variables.add_reference(name, owner, name, index=index)
            self._matrices.add(name)

    def _share_with(self, name: str) -> None:
        if self._clamped_requested:
            raise ValueError(
                f"{self.name}: clamped=True is not exact once '{name}' uses its weights"
            )
        self._weights_shared_with.append(name)
        if self._clamped:
            self._clamped = False

    def _side_of(self, name: str) -> Side:
        if name in self._matrices or name in ("i", "j"):
            return Side.MATRIX
        return self._sides.get(name, Side.SHARED)

    def _factorise(self, eq: SingleEquation) -> list[Term | Mixed]:
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
            return factorise(str(eq.expr), self._side_of, subexpressions, changes=changes)
        except FactorisationError as error:
            raise ValueError(f"{self.name}: in the line '{eq}': {error}") from None

    def _check_summed_target(self, varname: str) -> ArrayVariable:
        base, _, side = varname.rpartition("_")
        group = {"pre": self.source, "post": self.target}.get(side)
        if group is None:
            raise ValueError(
                f"{self.name}: the summed variable '{varname}' does not end in '_pre' or '_post'"
            )
        equation = getattr(group, "equations", {}).get(base)
        if equation is None or equation.type != PARAMETER:
            raise ValueError(
                f"{self.name}: the summed variable '{varname}' needs a parameter '{base}' in the "
                f"group '{group.name}'"
            )
        variable = group.variables.get(base)
        if varname not in self._sides or len(variable) != len(group):
            raise ValueError(
                f"{self.name}: the summed variable '{varname}' needs a parameter '{base}' with a "
                f"value for each unit of '{group.name}', not one that is shared or linked"
            )
        if equation.var_type != FLOAT:
            raise TypeError(
                f"{self.name}: '{base}' in '{group.name}' is {equation.var_type}, so that it can't "
                f"hold the sum '{varname}'; make it a parameter of real numbers"
            )
        fail_for_dimension_mismatch(
            self._summed[varname].dim,
            equation.dim,
            f"{self.name}: '{varname}' has other units than '{base}' in '{group.name}'",
        )
        return variable

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

    def connect(
        self,
        condition: str | bool | None = None,
        i: Any = None,
        j: Any = None,
        p: float | str = 1.0,
        n: int | str = 1,
        skip_if_invalid: bool = False,
        namespace: Mapping[str, Any] | None = None,
        level: int = 0,
    ) -> None:
        """Do nothing, since all units are connected already; for models made for `Synapses`.

        Raises
        ------
        ValueError
            The arguments ask for some of the connections only, or for several of each.
        """
        given = {"condition": condition, "i": i, "j": j, "p": p, "n": n}
        usual = {"condition": {"None", "True"}, "i": {"None"}, "j": {"None"}, "p": {"1", "1.0"}}
        for argument, value in given.items():
            if str(value).strip() not in usual.get(argument, {"1"}):
                raise ValueError(
                    f"{self.name}: connect({argument}={value!r:.60}) is not possible, because "
                    "every unit is connected to every unit once; multiply the weights by a matrix "
                    "of zeros and ones ('mask : 1') to leave some out, or use brian2.Synapses"
                )

    # -- synapses as matrices ---------------------------------------------------------

    def state(self, name: str, use_units: bool = True, level: int = 0) -> Any:
        """Return a view of a variable; what differs between synapses is seen as a matrix."""
        if self._has_matrix(name):
            variable = self.variables[name]
            return MatrixView(name, variable, self, variable.dim if use_units else None)
        return super().state(name, use_units, level + 1)

    def __getitem__(self, item: Any) -> SynapseSelection:
        if isinstance(item, str):
            return SynapseSelection(self.indices[item])
        return SynapseSelection(self._indices(item))

    def __setattr__(self, key: str, value: Any, level: int = 0) -> None:
        name = key.removesuffix("_")
        if key not in self.__dict__ and not hasattr(type(self), key) and self._has_matrix(name):
            view = self.state(name, use_units=key == name)
            view.set_item(slice(None), value, level=level + 1)
        else:
            super().__setattr__(key, value, level=level + 1)

    def get_states(
        self,
        vars: list[str] | None = None,
        units: bool = True,
        format: str = "dict",
        subexpressions: bool = False,
        read_only_variables: bool = True,
        level: int = 0,
    ) -> Any:
        """Return copies of the values of all variables, see `brian2.groups.group.VariableOwner`.

        With `batch` > 1 variables of the groups are left out, unless they are shared.
        """
        if vars is None and self.batch > 1:
            vars = [
                name
                for name, variable in self.variables.items()
                if not name.startswith("_")
                and not self._differs_between_replicas(name)
                and (subexpressions or not isinstance(variable, Subexpression))
                and (read_only_variables or not variable.read_only)
            ]
        return super().get_states(
            vars, units, format, subexpressions, read_only_variables, level=level + 1
        )

    def _has_matrix(self, name: str) -> bool:
        if not self.__dict__.get("_group_attribute_access_active"):
            return False
        variable = self.variables.get(name)
        return (
            isinstance(variable, (ArrayVariable, Subexpression))
            and not variable.scalar
            and not name.startswith("_")
            and self.variables.indices.get(name) != "0"
        )

    def _differs_between_replicas(self, name: str) -> bool:
        names = {name} | self._names_in(name)
        return any(self.variables.indices.get(each) in (PRE, POST) for each in names)


def _is_direct(group: Group, name: str) -> bool:
    """Whether a variable, or what it stands for, is a value for each unit or one for all.

    Others are linked by an index of their own. Brian2 leaves them out of `Synapses`, too.
    """
    if group.variables.indices[name] not in ("_idx", "0"):
        return False
    variable = group.variables[name]
    return not isinstance(variable, Subexpression) or all(
        _is_direct(group, other) for other in variable.identifiers if other in group.variables
    )


def _accept(name: str, index: str) -> None:
    """Every variable has a meaning for single synapses, while there is one replica."""


def _refuse_replicas(projection: str, batch: int) -> Callable[[str, str], None]:
    """Return a function that refuses variables which differ between the replicas."""

    def check(name: str, index: str) -> None:
        if index in (PRE, POST) and not name.startswith("_"):
            raise ValueError(
                f"{projection}: '{name}' has a value in each of the {batch} replicas, which share "
                "their synapses, and so none for a synapse. Use it in a sum or a rule, set the "
                "matrix to what Python has computed, or take batch=1"
            )

    return check

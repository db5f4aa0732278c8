"""`DenseSynapses`: all-to-all plastic projections as matrices shared by a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, Variables
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.groups.group import Group
from brian2.groups.subgroup import Subgroup
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units.fundamentalunits import (
    Quantity,
    fail_for_dimension_mismatch,
)

from ._factorise import FactorisationError, Mixed, Side, Term, factorise
from ._matrix_view import MatrixView
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
        wherever it is exact. Weights that are read during a presentation (by a
        monitor, say) are then those of its beginning.
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
        self._weights_shared_with: list[str] = []
        self._matrices: set[str] = set()

        equations = model if isinstance(model, Equations) else Equations(model)
        self._check_flags(equations)
        self.equations = equations
        self._create_variables(batch)
        self._borrow_weights()

        summed = [eq for eq in equations.values() if "summed" in eq.flags]
        rules = {
            eq.varname: self._factorise(eq)
            for eq in equations.values()
            if eq.type == DIFFERENTIAL_EQUATION
        }
        if not summed and not rules:
            raise ValueError(
                f"{self.name}: the model has neither a summed variable nor a differential "
                "equation, so the projection would do nothing"
            )
        sums = {eq.varname: self._factorise(eq) for eq in summed}
        obstacle = clamped_obstacle(self, sums, rules)
        if clamped and obstacle:
            raise ValueError(f"{self.name}: clamped=True is not exact here: {obstacle}")
        self._clamped_requested = bool(clamped)
        self._clamped = obstacle is None and clamped is not False

        self._sum_updaters = [
            SumUpdater(self, varname, terms, self._check_summed_target(varname))
            for varname, terms in sums.items()
        ]
        self._rule_updater = RuleUpdater(self, rules) if rules else None
        self.contained_objects.extend(self._sum_updaters)
        if self._rule_updater is not None:
            self.contained_objects.append(self._rule_updater)
        self._enable_group_attributes()
        for updater in self._sum_updaters:
            self.contained_objects.append(SumZeroer.of(updater))

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
                DIFFERENTIAL_EQUATION: ["clock-driven"],
                SUBEXPRESSION: ["summed", "shared"],
                PARAMETER: ["constant", "shared"],
            },
            incompatible_flags=[("summed", "shared")],
        )
        for eq in equations.values():
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
        variables = self.variables = Variables(self)
        variables.create_clock_variables(self._clock)
        variables.add_constant("N", self.n_pre * self.n_post)
        variables.add_constant("N_pre", self.n_pre)
        variables.add_constant("N_post", self.n_post)
        if isinstance(batch, ClampedInput):
            variables.add_reference("_rows", batch, "rows", index="0")
        else:
            variables.add_constant("_rows", self.batch)
        # A transposed projection walks through the owner's matrix, row by row.
        variables.add_arange("_flat", self.n_pre * self.n_post)
        row, column, width = ("j", "i", "N_pre") if self._transposed else ("i", "j", "N_post")
        variables.add_subexpression(row, expr=f"_flat // {width}", dtype=np.int32)
        variables.add_subexpression(column, expr=f"_flat % {width}", dtype=np.int32)
        for side, group in (("pre", self.source), ("post", self.target)):
            for name, variable in list(group.variables.items()):
                if name.startswith("_") or name in ("N", "t", "dt", "t_in_timesteps"):
                    continue
                index = "0" if variable.scalar else group.variables.indices[name]
                if index in ("_idx", "0"):
                    variables.add_reference(f"{name}_{side}", group, name, index=index)
        for eq in self.equations.values():
            scalar = "shared" in eq.flags
            if eq.type in (DIFFERENTIAL_EQUATION, PARAMETER):
                if not scalar:
                    self._matrices.add(eq.varname)
                variables.add_array(
                    eq.varname,
                    size=1 if scalar else self.n_pre * self.n_post,
                    dimensions=eq.dim,
                    dtype=self.dtype if eq.var_type == "float" else None,
                    constant="constant" in eq.flags,
                    scalar=scalar,
                    index="0" if scalar else "_idx",
                )
            elif "summed" not in eq.flags:
                variables.add_subexpression(
                    eq.varname, expr=str(eq.expr), dimensions=eq.dim, scalar=scalar
                )

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
        owner._share_with(self.name)
        for name in owner._matrices:
            self.variables.add_reference(name, owner, name)
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
        variable = self.variables.get(name)
        if variable is None or variable.scalar:
            return Side.SHARED
        return Side.PRE if name.endswith("_pre") else Side.POST

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
            if other.type == SUBEXPRESSION and "summed" not in other.flags
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
        fail_for_dimension_mismatch(
            self.equations[varname].dim,
            equation.dim,
            f"{self.name}: '{varname}' has other units than '{base}' in '{group.name}'",
        )
        return group.variables[base]

    # -- running ----------------------------------------------------------------------

    def before_run(self, run_namespace: Mapping[str, Any]) -> None:
        """Check the units of all equations, as Brian2 does for its own objects."""
        self.equations.check_units(self, run_namespace=run_namespace)
        for updater in self._sum_updaters:
            expression = self.equations[updater.varname].expr
            known = self.resolve_all(
                expression.identifiers, run_namespace, user_identifiers=expression.identifiers
            )
            fail_for_dimension_mismatch(
                self.equations[updater.varname].dim,
                Quantity(1, dim=parse_expression_dimensions(str(expression), known)),
                f"{self.name}: the two sides of '{updater.varname}' have different units",
            )
        super().before_run(run_namespace)

    @property
    def T(self) -> _Transposed:  # noqa: N802 - the name that numpy gave to it
        """The weights, transposed; for the `weights` argument of another projection."""
        return _Transposed(self)

    # -- weights as matrices ----------------------------------------------------------

    def state(self, name: str, use_units: bool = True, level: int = 0) -> Any:
        """Give a view of a variable; the views of matrices are two-dimensional."""
        if name in self._matrices:
            variable = self.variables[name]
            return MatrixView(name, variable, self, variable.dim if use_units else None)
        return super().state(name, use_units, level + 1)

    def __setattr__(self, key: str, value: Any, level: int = 0) -> None:
        matrices = self.__dict__.get("_matrices", ())
        if key in matrices and self.__dict__.get("_group_attribute_access_active"):
            self.state(key).set_item(slice(None), value, level=level + 1)
        elif key.endswith("_") and key[:-1] in matrices:
            self.state(key[:-1], use_units=False).set_item(slice(None), value, level=level + 1)
        else:
            super().__setattr__(key, value, level=level + 1)

"""The variables of a `DenseSynapses`: its own, and those of the groups that it connects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.variables import ArrayVariable, Subexpression, Variables
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    FLOAT,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.groups.group import Group, IndexWrapper, get_dtype
from brian2.groups.subgroup import Subgroup
from brian2.units.allunits import second
from brian2.units.fundamentalunits import fail_for_dimension_mismatch

from ._codeobjects import ListedVariables
from ._events import LAST, LAST_OF_EACH
from ._factorise import Side
from ._indices import (
    POST,
    POST_OF_PART,
    PRE,
    PRE_OF_PART,
    STORED,
    SynapseNumbers,
    SynapseSelection,
    SynapticIndices,
)
from ._matrix_view import MatrixView, ReplicasView
from ._statements import COPY, copied
from .clamped import ClampedInput

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["ProjectionVariables", "base_of"]


def base_of(group: Group) -> Group:
    """Return the group that holds the variables: a subgroup is a part of another."""
    return group.source if isinstance(group, Subgroup) else group


class _Selector(IndexWrapper):
    """Gives selections, since plain numbers would select rows of a matrix."""

    def __getitem__(self, item: Any) -> SynapseSelection:
        return SynapseSelection(super().__getitem__(item))


class ProjectionVariables(Group):
    """What is known in the equations of a projection, and how it is seen from outside."""

    source: Group
    target: Group
    batch: int
    n_pre: int
    n_post: int
    equations: Equations
    _summed: dict[str, SingleEquation]
    one_sided: dict[str, Side]
    _weights_of: DenseSynapses | None
    _transposed: bool
    _clamped: bool

    def _units_per_replica(self, role: str, group: Group) -> int:
        if isinstance(group, Subgroup) and self.batch > 1:
            raise TypeError(
                f"{self.name}: the {role} '{group.name}' is a subgroup, which is possible with "
                f"batch=1 only; with batch={self.batch} its replicas would not be next to each "
                "other in memory. Use a group of its own"
            )
        if self.batch < 1 or len(group) % self.batch:
            raise ValueError(
                f"{self.name}: the {role} '{group.name}' has {len(group)} neurons, which "
                f"can't be divided into batch={self.batch} replicas"
            )
        return len(group) // self.batch

    def size_of(self, side: Side) -> int:
        """Return the number of values of what depends on a side, in all replicas."""
        return {
            Side.PRE: self.batch * self.n_pre,
            Side.POST: self.batch * self.n_post,
            Side.MATRIX: self.n_pre * self.n_post,
        }[side]

    # -- variables of the groups ------------------------------------------------------

    def _create_group_variables(self, batch: int | ClampedInput) -> None:
        #: Names of variables that differ from synapse to synapse.
        self._matrices: set[str] = set()
        #: Names of the groups' variables that differ from unit to unit.
        self._sides: dict[str, Side] = {}
        variables = self.variables = ListedVariables(self)
        shape = (self.n_pre, self.n_post)
        starts = {
            PRE: getattr(self.source, "start", 0),
            POST: getattr(self.target, "start", 0),
        }
        numbers = {
            name: SynapseNumbers(name, self, variables.device, shape, starts.get(name, 0))
            for name in (PRE, POST, STORED)[: 3 if self._transposed else 2]
        }
        #: The index of what the projection keeps for each neuron of a side.
        self.own_index = {Side.PRE: PRE, Side.POST: POST}
        for side, index, relative in (
            (Side.PRE, PRE, PRE_OF_PART),
            (Side.POST, POST, POST_OF_PART),
        ):
            if starts[index]:
                numbers[relative] = SynapseNumbers(relative, self, variables.device, shape)
                self.own_index[side] = relative
        for name, variable in numbers.items():
            variables.add_object(name, variable)
        variables.add_object(COPY, copied)
        names = {"i": self.own_index[Side.PRE], "j": self.own_index[Side.POST]}
        numbers |= {name: numbers[stored] for name, stored in names.items()}
        check = _refuse_replicas(self.name, self.batch) if self.batch > 1 else _accept
        variables.indices = SynapticIndices(
            variables.indices.default_factory, variables.indices, numbers, check
        )
        for name, stored in names.items():
            variables.add_reference(name, self, stored)
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

    def _add_references(
        self, group: Group, side: Side, suffix: str, taken: frozenset[str] = frozenset()
    ) -> None:
        """Make the variables of a group known here, with an index over synapses."""
        base = base_of(group)
        for name in list(base.variables):
            known_as = name + suffix
            if name.startswith("_") or known_as in self.variables or known_as in taken:
                continue
            if not _is_direct(base, name) or (name == "i" and base is not group):
                continue
            if not suffix and name.endswith(("_pre", "_post")):
                continue
            variable = base.variables[name]
            if variable.scalar:
                self.variables.add_reference(known_as, base, name, index="0")
                continue
            self._sides[known_as] = side
            one_for_all = base.variables.indices[name] == "0"
            index = "0" if one_for_all else PRE if side == Side.PRE else POST
            self.variables.add_reference(known_as, base, name, index=index)

    # -- variables of the synapses ----------------------------------------------------

    def _create_synaptic_variables(self, one_sided: dict[str, Side]) -> None:
        variables = self.variables
        for eq in self.equations.values():
            scalar = "shared" in eq.flags
            dtype = get_dtype(eq, self.dtype)
            if eq.type in (DIFFERENTIAL_EQUATION, PARAMETER):
                side = one_sided.get(eq.varname, Side.MATRIX)
                if side != Side.MATRIX:
                    self._sides[eq.varname] = side
                elif not scalar:
                    self._matrices.add(eq.varname)
                variables.add_array(
                    eq.varname,
                    size=1 if scalar else self.size_of(side),
                    dimensions=eq.dim,
                    dtype=dtype,
                    constant="constant" in eq.flags,
                    scalar=scalar,
                    index="0" if scalar else self.own_index.get(side, "_idx"),
                )
            else:
                variables.add_subexpression(
                    eq.varname, expr=str(eq.expr), dimensions=eq.dim, dtype=dtype, scalar=scalar
                )
        event_driven = {eq.varname for eq in self.equations.values() if "event-driven" in eq.flags}
        for name, needed, size in (
            (LAST, event_driven & one_sided.keys(), 1),
            (LAST_OF_EACH, event_driven - one_sided.keys(), self.size_of(Side.MATRIX)),
        ):
            if needed:
                variables.add_array(
                    name,
                    size=size,
                    dimensions=second.dim,
                    dtype=np.float64,
                    scalar=size == 1,
                    index="0" if name == LAST else "_idx",
                )
        self._borrow_weights()
        # Those of the target are also known by their own names, unless these have been taken.
        self._add_references(self.target, Side.POST, "")

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
        of_part = {}
        for index, group, name in (
            (PRE, self.source, "_sub_pre"),
            (POST, self.target, "_sub_post"),
        ):
            if isinstance(group, Subgroup):
                variables.add_reference(name, group, "_sub_idx", index="_idx")
                of_part[index] = name
        for name, index in self.variables.indices.items():
            if index in (PRE, POST, STORED, PRE_OF_PART, POST_OF_PART):
                own = name in self._own_states()
                variables.indices[name] = "_idx" if own else of_part.get(index, "_idx")
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

    def _own_states(self) -> set[str]:
        return {eq.varname for eq in self.equations.values() if eq.varname in self._sides}

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
        alone = len(group) == 1 and equation.type == PARAMETER and "shared" in equation.flags
        per_unit = varname in self._sides and len(variable) == len(base_of(group))
        if not (per_unit or alone):
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

    # -- synapses as matrices ---------------------------------------------------------

    def state(self, name: str, use_units: bool = True, level: int = 0) -> Any:
        """Return a view of a variable; what differs between synapses is seen as a matrix."""
        if self._has_matrix(name):
            variable = self.variables[name]
            if self.batch > 1 and name in self.one_sided:
                return ReplicasView(name, variable, self, variable.dim if use_units else None)
            return MatrixView(name, variable, self, variable.dim if use_units else None)
        return super().state(name, use_units, level + 1)

    def __getitem__(self, item: Any) -> SynapseSelection:
        return self.indices[item]

    @property
    def indices(self) -> _Selector:
        """Select synapses, as in ``S.w[S.indices[:, 3:5]]``."""
        return _Selector(self)

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

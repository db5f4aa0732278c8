"""Projections of which some synapses do not exist: a matrix of zeros and ones.

Where there is no synapse, all matrices are kept at zero, so that products with them need no mask;
all other terms are multiplied by it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.namespace import get_local_namespace
from brian2.groups.group import CodeRunner

from ._codeobjects import DenseCodeRunner, in_cython, in_standalone
from ._factorise import Mixed, Side, Term
from ._indices import SynapseSelection
from ._matrix_view import CONNECTED, MatrixView
from ._single import SynapseLoop
from ._statements import statements_of, text_of
from ._variables import ProjectionVariables

__all__ = ["CONNECTED", "Connecting", "masked"]

#: Names whose values depend on how many there are.
_COUNTS = {"N", "N_incoming", "N_outgoing"}


def masked(terms: list[Term | Mixed], matrices: set[str]) -> list[Term | Mixed]:
    """Return terms that are zero where there is no synapse, as the matrices are."""
    found: list[Term | Mixed] = []
    for term in terms:
        if isinstance(term, Mixed):
            parts = (*term.parts, (Side.MATRIX, CONNECTED))
            template = f"{{{len(term.parts)}}} * ({term.template})"
            found.append(Mixed(term.shared, template, parts))
        elif term.matrix is None:
            found.append(replace(term, matrix=CONNECTED))
        elif _has_factor(ast.parse(term.matrix, mode="eval").body, matrices):
            found.append(term)
        else:
            matrix = f"{CONNECTED} * ({term.matrix})"
            found.append(replace(term, matrix=matrix))
    return found


def _has_factor(node: ast.expr, names: set[str]) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _has_factor(node.left, names) or _has_factor(node.right, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _has_factor(node.left, names)
    if isinstance(node, ast.UnaryOp):
        return _has_factor(node.operand, names)
    return isinstance(node, ast.Name) and node.id in names


class _Regularly(CodeRunner):
    """A regular operation, which leaves alone what does not exist."""

    def __init__(self, group: Any, runner: CodeRunner) -> None:
        super().__init__(
            group,
            "stateupdate",
            code=runner.abstract_code,
            clock=runner.clock,
            when=runner.when,
            order=runner.order,
            name=runner.name,
            codeobj_class=runner.codeobj_class,
        )
        self._code = runner.abstract_code
        self._loop: SynapseLoop | None = None

    def create_code_objects(self, run_namespace: Any) -> None:
        """Use a loop that knows the neurons of each synapse, if there is one synapse of a pair."""
        group = self.group
        written = {s.variable for s in statements_of(self._code)} & set(group.variables)
        names = get_identifiers_recursively([self._code], group.variables)
        looks_up = any(group._side_of(name) & (Side.PRE | Side.POST) for name in names) or (
            names & {"i", "j"}
        )
        compiled = in_standalone() or in_cython()
        only_matrices = bool(written) and written <= group._matrices
        if not (compiled and group.batch == 1 and only_matrices and looks_up):
            super().create_code_objects(run_namespace)
            return
        self.update_abstract_code(run_namespace)
        self._loop = SynapseLoop(
            group,
            f"{self.name}_loop*",
            {"synaptic": self.abstract_code},
            clock=self.clock,
            when=self.when,
            order=self.order,
        )
        self._loop.check_units = True
        self._loop.create_code_objects(run_namespace)
        self.code_objects[:] = self._loop.code_objects

    def update_abstract_code(self, run_namespace: Any) -> None:
        group = self.group
        self.abstract_code = text_of(statements_of(self._code))
        if group.mask is None:
            return
        written = {s.variable for s in statements_of(self._code)}
        outside = sorted(written & group._sides.keys() - group.one_sided.keys())
        if outside:
            raise ValueError(
                f"{group.name}: run_regularly writes to '{outside[0]}', a variable of a group, and "
                "some synapses are not connected; let the group itself do it"
            )
        lines = [f"{name} = {name}*{CONNECTED}" for name in sorted(written & group._matrices)]
        self.abstract_code += "\n" + "\n".join(lines)


class _Cleaner(DenseCodeRunner):
    """Clears what a program was given, when it started, for synapses that do not exist."""

    def __init__(self, synapses: Any) -> None:
        flag = "_cleared"
        synapses.variables.add_array(flag, size=1, dtype=np.int32, scalar=True, index="0")
        matrices = [
            name for name in sorted(synapses._matrices) if not synapses.variables[name].read_only
        ]
        super().__init__(
            synapses,
            "dense_clear",
            clock=synapses.clock,
            when="before_start",
            order=-1,
            name=f"{synapses.name}_cleaner",
            needed_variables=[*matrices, CONNECTED, flag],
            template_kwds={
                "matrices": matrices,
                "connected": CONNECTED,
                "flag": flag,
                "size": synapses.size_of(Side.MATRIX),
            },
        )


class Connecting(ProjectionVariables):
    """`connect`, for all synapses or for some."""

    mask: str | None
    private: tuple[str, ...]
    _weights_shared_with: list[str]

    def _build(self) -> None:
        """Make what computes sums and rules."""
        raise NotImplementedError

    def _all_names(self) -> set[str]:
        """Return all names in equations and statements."""
        raise NotImplementedError

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
        """Say which synapses exist; without arguments, or if this is never called, all do.

        Where there is no synapse, matrices are zero, and nothing is summed, learned or done at
        spikes. Several calls add up.

        Parameters
        ----------
        condition : str or bool, optional
            An expression, such as ``"i != j"``.
        i, j : array of int or str, optional
            Numbers of the pre- and post-synaptic units, an entry for each synapse; or an expression
            that gives one from the other, such as ``j="i"``.
        p, n : optional
            Not possible.
        skip_if_invalid : bool, optional
            Whether ``j="i + 1"`` may point outside of the group.
        namespace : dict, optional
            External values for the condition.

        Raises
        ------
        ValueError
            Connections at random, several of one pair, or numbers that do not exist.
        """
        if str(n).strip() != "1":
            raise ValueError(
                f"{self.name}: connect(n={n!r}) is not possible, because there is one synapse for "
                "each pair; use brian2.Synapses"
            )
        if str(p).strip() not in ("1", "1.0"):
            raise ValueError(
                f"{self.name}: connect(p={p!r}) is not possible here; draw the pairs in Python, "
                "i, j = np.nonzero(np.random.rand(N_pre, N_post) < p), and give them: "
                "connect(i=i, j=j)"
            )
        if isinstance(condition, (bool, np.bool_)) or str(condition).strip() == "True":
            if condition is False or condition == np.False_:
                raise ValueError(f"{self.name}: connect(False) would leave no synapse")
            condition = None
        if condition is None and i is None and j is None:
            if self.mask is not None:
                self._connected().set_item(slice(None), 1.0)
            return
        if condition is not None and not isinstance(condition, str):
            raise TypeError(
                f"{self.name}: connect takes a condition such as 'i != j', got {condition!r:.60}; "
                "with numbers of units write connect(i=..., j=...)"
            )
        which = condition if condition is not None else self._which(i, j, skip_if_invalid)
        if namespace is None:
            namespace = get_local_namespace(level=level + 1)
        if isinstance(which, str):
            self._check_identifiers(which)
        self._use_mask()
        view = self._connected()
        if isinstance(which, str):
            view.set_item(which, 1.0, level=level + 1, namespace=namespace)
        else:
            view.set_item(SynapseSelection(which), 1.0)
        for name in sorted(self._matrices):
            MatrixView(name, self.variables[name], self, None).leave_out_unconnected()

    def _check_identifiers(self, condition: str) -> None:
        if _COUNTS & get_identifiers_recursively([condition], self.variables):
            raise ValueError(
                f"{self.name}: the condition '{condition}' uses the number of synapses, which "
                "depends on it"
            )

    def _which(self, i: Any, j: Any, skip: bool) -> str | np.ndarray:
        if isinstance(i, str) or isinstance(j, str):
            given, name = (i, "i") if isinstance(i, str) else (j, "j")
            other = j if name == "i" else i
            if other is not None or " for " in given:
                raise ValueError(
                    f"{self.name}: connect({name}={given!r}) is not possible; write a condition on "
                    "i and j, or give both as arrays"
                )
            if not skip and given.strip() not in ("i", "j"):
                raise ValueError(
                    f"{self.name}: connect({name}={given!r}) may point outside of the group; say "
                    "skip_if_invalid=True if that is meant"
                )
            return f"{name} == ({given})"
        if i is None or j is None:
            given = "i" if j is None else "j"
            units = np.unique(np.asarray(i if j is None else j))
            self._check_units(given, units)
            everything = np.arange(self.n_pre * self.n_post).reshape(self.n_pre, self.n_post)
            return (everything[units] if given == "i" else everything[:, units]).ravel()
        first, second = np.broadcast_arrays(np.atleast_1d(i), np.atleast_1d(j))
        for given, values in (("i", first), ("j", second)):
            self._check_units(given, values)
        numbers = first.astype(int) * self.n_post + second
        if len(np.unique(numbers)) < len(numbers):
            raise ValueError(
                f"{self.name}: connect(i=..., j=...) names a pair twice, but there is one synapse "
                "for each pair; use brian2.Synapses"
            )
        return numbers

    def _check_units(self, name: str, units: np.ndarray) -> None:
        size = self.n_pre if name == "i" else self.n_post
        inside = not units.size or 0 <= units.min() <= units.max() < size
        if units.dtype.kind not in "iu" or not inside:
            raise ValueError(
                f"{self.name}: connect({name}=...) takes numbers of units from 0 to {size - 1}"
            )

    def _use_mask(self) -> None:
        if self.mask is not None:
            return
        reasons = {
            "its weights are shared with another projection": self._weights_of is not None
            or bool(self._weights_shared_with),
            "its rule is private to each replica": bool(self.private),
            "an equation uses the number of synapses": bool(_COUNTS & self._all_names()),
        }
        for reason, holds in reasons.items():
            if holds:
                raise ValueError(
                    f"{self.name}: some synapses can't be left out, since {reason}; multiply by a "
                    "matrix of zeros and ones ('mask : 1')"
                )
        self.variables.add_array(
            CONNECTED, size=self.n_pre * self.n_post, dtype=self.dtype, index="_idx"
        )
        self.mask = CONNECTED
        self._build()
        if in_standalone():
            self.contained_objects.append(_Cleaner(self))

    def _connected(self) -> MatrixView:
        return MatrixView(CONNECTED, self.variables[CONNECTED], self, None)

    def run_regularly(self, code: str, *arguments: Any, **kwds: Any) -> CodeRunner:
        """Run code for every synapse regularly, see `brian2.groups.group.Group.run_regularly`."""
        runner = super().run_regularly(code, *arguments, **kwds)
        self.contained_objects.remove(runner)
        regularly = _Regularly(self, runner)
        self.contained_objects.append(regularly)
        return regularly

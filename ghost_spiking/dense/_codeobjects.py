"""Code objects that find their templates in this package, and BLAS for C++.

Brian2 looks templates up in the class of the code object. Deriving a class with a
templater of its own leaves Brian2's classes, and thus every other model, untouched.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.runtime.cython_rt import CythonCodeObject
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.codegen.translation import get_identifiers_recursively
from brian2.core.preferences import prefs
from brian2.core.variables import Variables
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import get_device
from brian2.groups.group import CodeRunner
from brian2.parsing.rendering import CPPNodeRenderer
from brian2.utils.stringtools import word_substitute

from ._exceptions import CompilationError

__all__ = [
    "DenseCodeRunner",
    "FractionalOrder",
    "ListedVariables",
    "blas_of_programs",
    "in_cython",
    "in_standalone",
]


class _CPPNodeRenderer(CPPNodeRenderer):
    """Divides integers in the precision of the model.

    Brian2 writes ``1.0f * a / b``, which is a number in single precision if both are integers.
    """

    def render_BinOp(self, node: Any) -> str:  # noqa: N802 - the name that Brian2 gives to it
        if not isinstance(node.op, ast.Div):
            return super().render_BinOp(node)
        one = "1.0f" if np.dtype(prefs.core.default_float_dtype) == np.float32 else "1.0"
        left, right = map(self.render_element_parentheses, (node.left, node.right))
        return f"{one}*{left}/{right}"


class _CPPCodeGenerator(CPPCodeGenerator):
    def translate_expression(self, expr: str) -> str:
        expr = word_substitute(expr, self.func_name_replacements)
        return _CPPNodeRenderer(auto_vectorise=self.auto_vectorise).render_expr(expr).strip()


class _DenseCPPCodeObject(CPPStandaloneCodeObject):
    generator_class = _CPPCodeGenerator
    templater = CPPStandaloneCodeObject.templater.derive("ghost_spiking.dense")


class _DenseNumpyCodeObject(NumpyCodeObject):
    templater = NumpyCodeObject.templater.derive("ghost_spiking.dense")


class _DenseCythonCodeObject(CythonCodeObject):
    templater = CythonCodeObject.templater.derive("ghost_spiking.dense")


class FractionalOrder(float):
    """An order between two whole numbers, which Brian2's tables can show."""

    def __format__(self, format_spec: str) -> str:
        return super().__format__(format_spec.replace("d", "g"))


def in_standalone() -> bool:
    """Whether the active device writes a C++ standalone project."""
    return isinstance(get_device(), CPPStandaloneDevice)


def in_cython() -> bool:
    """Whether code that is not for numpy alone runs in Cython."""
    return not in_standalone() and issubclass(
        get_device().code_object_class(None), CythonCodeObject
    )


class ListedVariables(Variables):
    """Variables of which only some are listed at times; all can be looked up at any time.

    Brian2 makes a key of all variables that a group lists whenever it looks at a line of code. A
    projection has those of both its groups, and most of the time to start a network went into it.
    """

    _listed: frozenset[str] | None = None

    def __iter__(self) -> Iterator[str]:
        if self._listed is None:
            return super().__iter__()
        return iter([name for name in self._variables if name in self._listed])

    @contextlib.contextmanager
    def listing(self, code: str | Mapping[str, str]) -> Iterator[None]:
        """List only what some code refers to."""
        texts = [code] if isinstance(code, str) else list(code.values())
        names = get_identifiers_recursively(texts, self)
        self._listed = frozenset(names)
        try:
            yield
        finally:
            self._listed = None


class DenseCodeRunner(CodeRunner):
    """A code runner that uses the templates of this package.

    In runtime mode matrix products with several rows are done in numpy, whose BLAS does the work,
    whatever the target of the other objects.

    Parameters
    ----------
    group : Group
        The group that the code belongs to.
    template : str
        Name of the template.
    variables : Variables, optional
        What the code sees in another way than other code of the group, with the indices.
    compiled : bool, optional
        Whether it runs in Cython where the other objects do, having loops of its own; it may be
        decided as late as in `update_abstract_code`.
    order : float, optional
        Order within the slot.
    **kwds
        Other arguments of `brian2.groups.group.CodeRunner`.
    """

    def __init__(
        self,
        group: Any,
        template: str,
        *,
        variables: Variables | None = None,
        compiled: bool = False,
        order: float = 0,
        **kwds: Any,
    ) -> None:
        self._compiled = compiled
        codeobj_class = _DenseCPPCodeObject if in_standalone() else _DenseNumpyCodeObject
        # Now, since later on Brian2 would wrap an error in one of its own.
        self._blas = blas_of_programs() if in_standalone() else {}
        super().__init__(
            group,
            template,
            codeobj_class=codeobj_class,
            check_units=False,
            order=int(order) if order == int(order) else FractionalOrder(order),
            **kwds,
        )
        if variables is not None:
            self.variables = variables

    def create_default_code_object(self, run_namespace: Any) -> Any:
        self.update_abstract_code(run_namespace=run_namespace)
        if not in_standalone():
            in_loops = self._compiled and in_cython()
            self.codeobj_class = _DenseCythonCodeObject if in_loops else _DenseNumpyCodeObject
        variables = self.group.variables
        listed: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        if isinstance(variables, ListedVariables):
            listed = variables.listing(self.abstract_code)
        with listed:
            codeobj = super().create_default_code_object(run_namespace)
        if codeobj is not None and isinstance(codeobj, _DenseCPPCodeObject):
            codeobj.compiler_kwds = self._blas
        return codeobj


def blas_of_programs() -> dict[str, list[str]]:
    try:
        import scipy_openblas32
    except ImportError:
        raise CompilationError(
            "C++ programs need the BLAS of the package scipy-openblas32, which is not installed; "
            "pip install scipy-openblas32"
        ) from None
    return {
        "include_dirs": [scipy_openblas32.get_include_dir()],
        "library_dirs": [scipy_openblas32.get_lib_dir()],
        "runtime_library_dirs": [scipy_openblas32.get_lib_dir()],
        "libraries": [scipy_openblas32.get_library()],
    }

"""What a sum or a rule of `DenseSynapses` needs: buffers, code, products.

Factorised terms become a plan for a template: which one-sided factors have to be evaluated into
a buffer, which variables can be handed to BLAS as they are, which matrix products follow,
and what is computed synapse by synapse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from brian2.core.variables import ArrayVariable
from brian2.utils.logger import get_logger

from ._factorise import Mixed, Side

if TYPE_CHECKING:
    from .synapses import DenseSynapses

__all__ = ["BLOCKS", "Each", "Plan", "Product", "product_of"]

#: Below Brian2's, so that its preferences and filters hold.
logger = get_logger("brian2.ghost_spiking.dense")

#: The block of a template in which factors of a side are evaluated.
BLOCKS = {Side.PRE: "pre", Side.POST: "post", Side.MATRIX: "matrix"}


@dataclass(frozen=True)
class Product:
    """One matrix product of a plan; the names are those of variables.

    In a sum, `left` (rows x n_in) times `right` (a matrix) goes into the target or into `buffer`;
    without a matrix it is one number for each row. In a rule, `left` (rows x n_pre) transposed
    times `right` (rows x n_post) goes into a matrix or into `buffer`. None stands for a factor that
    is 1 everywhere.
    """

    scale: str
    left: str | None
    right: str | None
    buffer: str | None = None
    target: str | None = None
    #: In the sum of a `Difference`, the addends of the side that is summed over and of the other.
    inner: str | None = None
    outer: str | None = None


@dataclass(frozen=True)
class Each:
    """What is computed for each synapse and each row, in a block of its own.

    The block gives `value` from the `parts`, names of scalars by side, and of the arrays that
    they come from. Added up over a side in a sum and over the rows in a rule, and multiplied by
    `scale`, it goes into the target or into `buffer`.
    """

    scale: str
    block: str
    value: str
    parts: tuple[tuple[str, str, str], ...]
    buffer: str | None = None


class Plan:
    """Collects the variables and the code that a template needs.

    An array called `changing` is written while it may still be read, so it has to be copied.
    """

    def __init__(self, synapses: DenseSynapses, prefix: str, changing: str | None = None) -> None:
        self.synapses = synapses
        # a projection is planned anew if some of its synapses turn out not to exist
        self.prefix = prefix if synapses.mask is None else f"{prefix}_masked"
        self.changing = changing
        self.code: dict[str, str] = {}
        self.needed: set[str] = {"_rows"}
        self._count = 0

    def buffer(self, label: str, size: int) -> str:
        name = f"_{self.prefix}_{label}_{self._count}"
        self._count += 1
        self.synapses.variables.add_array(name, size=size, dtype=self.synapses.dtype)
        self.needed.add(name)
        return name

    def flag(self, label: str) -> str:
        name = f"_{label}"
        if name not in self.synapses.variables:
            self.synapses.variables.add_array(name, size=1, dtype=np.int32, scalar=True, index="0")
        self.needed.add(name)
        return name

    def scalar(self, expression: str) -> str:
        name = f"_{self.prefix}_scale_{self._count}"
        self._count += 1
        variables = self.synapses.variables
        variables.add_auxiliary_variable(name, dtype=self.synapses.dtype, scalar=True)
        self.line("scalars", f"{name} = {expression}")
        return name

    def operand(self, expression: str, side: Side, *, any_type: bool = False) -> str:
        """Name of an array that holds the expression: the variable itself, or a buffer."""
        variables, size = self.synapses.variables, self.size(side)
        variable = variables.get(expression)
        if (
            isinstance(variable, ArrayVariable)
            and (any_type or variable.dtype == self.synapses.dtype)
            and variable.size == size
            and (self.changing is None or variable is not variables[self.changing])
        ):
            self.needed.add(expression)
            return expression
        name = self.buffer(BLOCKS[side], size)
        self.line(BLOCKS[side], f"{name} = {expression}")
        return name

    def each(self, term: Mixed, buffer: str | None) -> Each:
        """Have something computed for each synapse."""
        logger.info(
            f"'{term}' in '{self.synapses.name}' is computed for each synapse, since it would lose "
            "accuracy as a sum of matrix products; with a large batch that is slower",
            name_suffix="computed_for_each_synapse",
        )
        variables, dtype = self.synapses.variables, self.synapses.dtype
        number = self._count
        self._count += 1
        value = f"_{self.prefix}_value_{number}"
        parts = []
        for index, (side, text) in enumerate(term.parts):
            name = f"_{self.prefix}_part_{number}_{index}"
            # integers stay what they are, since BLAS does not see them
            array = self.operand(text, side, any_type=True)
            variables.add_auxiliary_variable(name, dtype=variables[array].dtype)
            parts.append((BLOCKS[side], name, array))
        variables.add_auxiliary_variable(value, dtype=dtype)
        block = f"each_{number}"
        names = [name for _, name, _ in parts]
        self.line(block, f"{value} = {term.template.format(*names)}")
        return Each(self.scalar(term.shared), block, value, tuple(parts), buffer)

    def size(self, side: Side) -> int:
        synapses = self.synapses
        return {
            Side.PRE: synapses.batch * synapses.n_pre,
            Side.POST: synapses.batch * synapses.n_post,
            Side.MATRIX: synapses.n_pre * synapses.n_post,
        }[side]

    def line(self, block: str, line: str) -> None:
        self.code[block] = self.code[block] + "\n" + line if block in self.code else line

    def sizes(self) -> dict[str, int]:
        return {block: self.size(side) for side, block in BLOCKS.items()}


def product_of(*factors: str | None) -> str:
    present = [f"({factor})" for factor in factors if factor not in (None, "1")]
    return "*".join(present) or "1"

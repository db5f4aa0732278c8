"""Which layers of a network are connected: directed acyclic graphs of numbered layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ._checks import Count, plain, tuples
from .exceptions import SpecificationError

__all__ = ["Connection", "Graph", "projection_name"]

#: Two layers, the one that sends and the one that receives.
Connection = tuple[int, int]

_STRICT = ConfigDict(strict=True)
_SIZES = TypeAdapter(Annotated[tuple[Count, ...], Field(min_length=3)], config=_STRICT)
_PAIRS = TypeAdapter(tuple[tuple[int, int], ...], config=_STRICT)


@dataclass(frozen=True)
class Graph:
    """Which layers are connected. Layers count from 0, the input, to L, the output.

    Attributes
    ----------
    sizes : tuple of int
        N_0 .. N_L.
    connections : tuple of (int, int)
        Layers that send and receive, each pair from a lower to a higher one.

    Examples
    --------
    A hidden layer that is skipped by one connection:

    >>> from ghost_spiking.graph import Graph
    >>> graph = Graph.of([4, 3, 2, 2], [[0, 1], [1, 2], [2, 3], [1, 3]])
    >>> graph.above(1), graph.feedback_targets, graph.feedback_sources
    ((2, 3), (1, 2), (2, 3))
    """

    sizes: tuple[int, ...]
    connections: tuple[Connection, ...]

    @classmethod
    def of(cls, sizes: Any, connections: Any = None) -> Graph:
        """Make a graph from what a user has written; by default a chain.

        Raises
        ------
        SpecificationError
            Sizes are no positive numbers, or connections close a cycle, occur twice, name a
            layer that does not exist, or leave one out.

        Examples
        --------
        >>> Graph.of([4, 3, 2]).connections
        ((0, 1), (1, 2))
        """
        sizes = plain(sizes)
        try:
            sizes = _SIZES.validate_python(tuples(sizes))
        except ValidationError:
            raise SpecificationError(
                "network.sizes: needs the numbers of units of the input, of at least one hidden "
                f"layer and of the output, each at least 1, got {sizes!r}"
            ) from None
        top = len(sizes) - 1
        if connections is None:
            connections = [(layer - 1, layer) for layer in range(1, top + 1)]
        pairs = _pairs(connections)
        for pre, post in pairs:
            if not 0 <= pre <= top or not 0 <= post <= top:
                raise SpecificationError(
                    f"network.connections: [{pre}, {post}] names a layer that does not exist; "
                    f"layers count from 0, the input, to {top}, the output"
                )
            if pre >= post:
                raise SpecificationError(
                    f"network.connections: [{pre}, {post}] would close a cycle; each connection "
                    "goes from a lower to a higher layer, and feedback returns on it by itself"
                )
            if pairs.count((pre, post)) > 1:
                raise SpecificationError(
                    f"network.connections: [{pre}, {post}] occurs more than once"
                )
        graph = cls(sizes, pairs)
        for layer in range(top + 1):
            if layer > 0 and not graph.below(layer):
                raise SpecificationError(f"network.connections: layer {layer} receives nothing")
            if layer < top and not graph.above(layer):
                raise SpecificationError(
                    f"network.connections: layer {layer} sends to no other layer"
                )
        return graph

    @property
    def n_layers(self) -> int:
        """Number of layers above the input, L."""
        return len(self.sizes) - 1

    @property
    def feedback_connections(self) -> tuple[Connection, ...]:
        """Connections that feedback returns on: those that do not come from the input."""
        return tuple(pair for pair in self.connections if pair[0] > 0)

    @property
    def feedback_targets(self) -> tuple[int, ...]:
        """Layers that receive feedback: those that send to another one, but the input."""
        return tuple(sorted({pre for pre, _ in self.feedback_connections}))

    @property
    def feedback_sources(self) -> tuple[int, ...]:
        """Layers that send feedback: those with a connection from a hidden layer."""
        return tuple(sorted({post for _, post in self.feedback_connections}))

    def into(self, layers: tuple[int, ...]) -> tuple[Connection, ...]:
        """Return all connections into these layers."""
        return tuple(pair for pair in self.connections if pair[1] in layers)

    def below(self, layer: int) -> tuple[int, ...]:
        """Layers that send to a layer."""
        return tuple(pre for pre, post in self.connections if post == layer)

    def above(self, layer: int) -> tuple[int, ...]:
        """Layers that a layer sends to."""
        return tuple(post for pre, post in self.connections if pre == layer)


def projection_name(kind: str, pre: int, post: int) -> str:
    """Name what belongs to the connection from one layer to a higher one.

    Between neighbours it has the number of the higher layer, as in the paper; a connection that
    skips layers has both.

    Examples
    --------
    >>> projection_name("feedback", 1, 2), projection_name("feedforward", 0, 2)
    ('feedback_2', 'feedforward_0_2')
    """
    return f"{kind}_{post}" if post == pre + 1 else f"{kind}_{pre}_{post}"


def _pairs(connections: Any) -> tuple[Connection, ...]:
    connections = plain(connections)
    try:
        return _PAIRS.validate_python(tuples(connections))
    except ValidationError:
        raise SpecificationError(
            "network.connections: needs pairs of layers such as [[0, 1], [1, 2]], got "
            f"{connections!r}"
        ) from None

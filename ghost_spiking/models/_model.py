"""What a model is: sections of a specification, their defaults, and a layout."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel

from ..exceptions import SpecificationError
from ..graph import Graph
from ._language import Layout, Signal
from ._sections import Network, Protocol

if TYPE_CHECKING:
    from ..specification import Specification
    from ..spikes import Spikes

__all__ = ["Choice", "Model"]


@dataclass(frozen=True)
class Choice:
    """A field of a model's own that the command line offers as an option.

    Attributes
    ----------
    field : str
        Name of the field; the option has the same with dashes.
    help : str
        What it says about it.
    type : type
        ``str``, where commas separate values, or ``int`` of at least 1.

    Examples
    --------
    >>> from ghost_spiking.models import Choice
    >>> Choice("ghosts", "Ghosts per layer.", int).field
    'ghosts'
    """

    field: str
    help: str
    type: type = str


class Model:
    """A way of assigning credit. A subclass overrides what differs, down to a single string.

    Attributes
    ----------
    name : str
        What ``network.model`` says.
    summary : str
        One line for people who choose a model.
    citation : str
        Where it comes from.
    network, protocol : type
        The sections of its specifications: `Network` and `Protocol`, or subclasses of these with
        fields of the model's own.
    choices : tuple of Choice
        Options on the command line.
    distances : mapping
        Measurements of `compare_weights` that are drawn against epochs, and their labels.
    units : mapping
        Units of fields of the model's own, by dotted path, for the axes of studies.

    Examples
    --------
    >>> from ghost_spiking.models import model_named
    >>> model_named("MB").summary
    'any number of ghosts, with fixed random input'
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str]
    network: ClassVar[type[Network]] = Network
    protocol: ClassVar[type[Protocol]] = Protocol
    choices: ClassVar[tuple[Choice, ...]] = ()
    distances: ClassVar[Mapping[str, str]] = {}
    units: ClassVar[Mapping[str, str]] = {}

    # -- specifications ---------------------------------------------------------------

    @classmethod
    def sections(cls) -> dict[str, type[BaseModel]]:
        """Return all tables of a specification, by dotted path.

        Examples
        --------
        >>> from ghost_spiking.models import model_named
        >>> list(model_named("MA").sections())
        ['network', 'network.initial_weights', 'protocol', 'protocol.learning_rates']
        """
        found: dict[str, type[BaseModel]] = {}
        for name, section in (("network", cls.network), ("protocol", cls.protocol)):
            found[name] = section
            for key, field in section.model_fields.items():
                if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
                    found[f"{name}.{key}"] = field.annotation
        return found

    def lengths(self, graph: Graph) -> dict[str, tuple[int, str]]:
        """Return which fields have a value for each of something, how many, and of what.

        Parameters
        ----------
        graph : Graph
            Layers and connections.

        Returns
        -------
        dict
            Number and name (``"connection"``), by dotted path. One value stands for all, and a
            table of ``first``, ``between`` and ``last`` for any number.
        """
        connections = len(graph.connections), "connection"
        return {
            "network.initial_weights.feedforward": connections,
            "protocol.learning_rates.feedforward": connections,
            "protocol.learning_rates.bias": (graph.n_layers, "layer"),
        }

    def defaults(
        self, graph: Graph, network: Mapping[str, Any], protocol: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a value for every field that may be left out.

        Parameters
        ----------
        graph : Graph
            Layers and connections.
        network, protocol : mapping
            What is given, with values for each of what `lengths` says. It is not validated yet,
            so nothing may depend on it being sensible.

        Returns
        -------
        dict
            ``{"network": {...}, "protocol": {...}}``, with the tables in these.
        """
        raise NotImplementedError

    def spiking_defaults(self, graph: Graph, spikes: Spikes) -> dict[str, Any]:
        """Return values that spikes call for, in the place of what is left out.

        `defaults` is told them as if they had been given.

        Parameters
        ----------
        graph : Graph
            Layers and connections.
        spikes : Spikes
            The mechanism.

        Returns
        -------
        dict
            As `defaults`, but with any fields only, and those of ``spikes`` too.
        """
        return {}

    def for_training(self, specification: Specification, n_images: int) -> Specification:
        """Return the specification with numbers in place of what depends on the training images.

        A `Training` has it replace that of its simulation, so a run is saved with it. Only the
        protocol may change, but its batch size.

        Parameters
        ----------
        specification : Specification
            As it was given.
        n_images : int
            Number of training images.
        """
        return specification

    def check_given(self, graph: Graph, network: Mapping[str, Any]) -> None:
        """Refuse choices that exclude each other, before defaults are chosen.

        Raises
        ------
        SpecificationError
            The message names the field, and what would work.
        """

    def require(self, network: Mapping[str, Any], **fields: Any) -> None:
        """Refuse any other value of fields for which a model has no choice; for `check_given`."""
        for field, only in fields.items():
            if network.get(field, only) != only:
                raise SpecificationError(
                    f"network.{field}: {self.name} has {only!r}, got {network[field]!r}"
                )

    def check(self, specification: Specification) -> None:
        """Refuse a specification that makes no sense as a whole; raises as `check_given`."""

    # -- the network ------------------------------------------------------------------

    def layout(self, specification: Specification) -> Layout:
        """Return the network's populations and projections."""
        raise NotImplementedError

    # -- looking ----------------------------------------------------------------------

    def signals(self, specification: Specification, layer: int) -> tuple[Signal, ...]:
        """Return what can be recorded of a layer's units, see `Signal`."""
        raise NotImplementedError

    def compare_weights(
        self, specification: Specification, weights: Mapping[str, np.ndarray]
    ) -> dict[str, dict[str, float]]:
        """Compare weights with each other; measurements by name and by projection.

        Parameters
        ----------
        specification : Specification
            The network.
        weights : mapping
            Weights by projection, (n_post, n_pre).
        """
        return {}

    def measure(
        self, specification: Specification, predicted: Mapping[str, np.ndarray]
    ) -> dict[str, dict[Any, float]]:
        """Measure what is particular to the model.

        Parameters
        ----------
        specification : Specification
            The network.
        predicted : mapping
            All signals at the end of the first phase, (n_images, n_units), by `Signal.key`.

        Returns
        -------
        dict
            Measurements by name, and by layer or projection.
        """
        return {}

    def facts(self, specification: Specification) -> dict[str, str]:
        """Return rows for the summary of a model description."""
        return {}

    def schedule(self, specification: Specification) -> dict[str, str]:
        """Return rows on phases and learning for a model description."""
        return {}

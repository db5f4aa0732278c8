"""A trained network for other simulators, in the Neuromorphic Intermediate Representation (NIR).

What is exported is the forward network, which answers, without what is there for learning. Each
hidden unit becomes a pool of integrate-and-fire neurons whose membranes are as fast as a time step,
and whose thresholds are spread so that the part of them that fires is the unit's rate, to the
nearest of so many levels. They need no noise, and answer in a single time step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .exceptions import DataError, SpecificationError
from .graph import projection_name
from .specification import Specification

if TYPE_CHECKING:
    from .adaptation import Adaptation

__all__ = ["to_nir", "write_nir"]

#: States between which rates of all functions that can be exported have their limits, nearly.
_STATES = np.linspace(-60, 60, 240_001)


def to_nir(
    specification: Specification,
    weights: Mapping[str, np.ndarray],
    adaptation: Adaptation | None = None,
    *,
    levels: int = 31,
    dt: float = 1e-4,
) -> Any:
    """Return the forward network as a graph of NIR.

    Parameters
    ----------
    specification : Specification
        The network.
    weights : dict of array
        Weights by projection, in the paper's shapes.
    adaptation : Adaptation, optional
        What the input units have adapted to, if they do.
    levels : int, optional
        Neurons in the pool of each hidden unit.
    dt : float, optional
        Time step of the simulator that is to run it, in seconds; that of snnTorch by default.

    Returns
    -------
    nir.NIRGraph
        From the node ``input``, pixels over their maximum, to ``output``, the drive of the output
        units, of which the largest is the class. ``layer_l`` are the neurons of hidden layer l,
        unit by unit.

    Raises
    ------
    SpecificationError
        A layer receives from more than one, or rates have no limits or are not monotonic.
    DataError
        The input units adapt, and nobody says to what.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.export import to_nir
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2), input_adaptation=False)
    >>> graph = to_nir(specification, initial_weights(specification, 0))  # doctest: +SKIP
    >>> sorted(graph.nodes)  # doctest: +SKIP
    ['input', 'layer_1', 'output', 'weights_1', 'weights_2']
    """
    nir = _nir()
    network = specification.network
    if any(post != pre + 1 for pre, post in network.connections):
        raise SpecificationError(
            "network.connections: only a chain of layers can be exported, without connections that "
            "skip one"
        )
    if network.input_adaptation and adaptation is None:
        raise DataError(
            "the input units of this network adapt to images; say to what with adaptation="
        )
    low, high, thresholds = _thresholds(network.rate_function_of(1).function, levels)
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([network.sizes[0]])})}
    edges, before = [], "input"
    for layer in range(1, network.n_layers + 1):
        weight = np.asarray(weights[projection_name("feedforward", layer - 1, layer)], np.float64)
        bias = weights.get(f"bias_{layer}")
        drive = np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64)[:, 0]
        if layer == 1 and network.input_adaptation and adaptation is not None:
            weight = weight * adaptation.gain
            drive = drive - weight @ adaptation.mean
        elif layer > 1:  # from pools, which say how far rates are above their lowest
            drive = drive + low * weight.sum(axis=1)
            weight = np.repeat(weight * (high - low) / levels, levels, axis=1)
        if layer < network.n_layers:
            weight = np.repeat(weight, levels, axis=0)
            drive = (drive[:, None] - thresholds + 1).ravel()
        nodes[f"weights_{layer}"] = nir.Affine(weight.astype(np.float32), drive.astype(np.float32))
        edges.append((before, f"weights_{layer}"))
        before = f"weights_{layer}"
        if layer < network.n_layers:
            ones = np.ones(len(drive), np.float32)
            nodes[f"layer_{layer}"] = nir.LIF(
                tau=np.float32(dt) * ones, r=ones, v_leak=0 * ones, v_threshold=ones
            )
            edges.append((before, f"layer_{layer}"))
            before = f"layer_{layer}"
    nodes["output"] = nir.Output({"output": np.array([network.sizes[-1]])})
    edges.append((before, "output"))
    return nir.NIRGraph(nodes=nodes, edges=edges)


def write_nir(path: str | os.PathLike[str], graph: Any) -> None:
    """Write a graph of NIR to a file (HDF5), for `nir.read` of any simulator.

    Examples
    --------
    >>> from ghost_spiking.export import write_nir
    >>> write_nir("network.nir", graph)  # doctest: +SKIP
    """
    _nir().write(os.fspath(path), graph)


def _nir() -> Any:
    try:
        import nir
    except ImportError:
        raise DataError(
            "export to NIR needs the package nir: pip install 'ghost-spiking[nir]'"
        ) from None
    return nir


def _thresholds(
    function: Callable[[np.ndarray], np.ndarray], levels: int
) -> tuple[float, float, np.ndarray]:
    """Return the limits of a rate function, and the states at which it crosses levels."""
    with np.errstate(all="ignore"):
        rates = function(_STATES)
    low, high = float(rates[0]), float(rates[-1])
    rises = np.isfinite(rates).all() and (np.diff(rates) >= 0).all() and high > low
    if not rises or abs(function(np.array([1e3]))[0] - high) > 1e-3 * (high - low):
        raise SpecificationError(
            "network.rate_function: only one that rises between two limits, such as the sigmoid, "
            "can be exported as a pool of neurons"
        )
    crossed = low + (high - low) * (np.arange(levels) + 0.5) / levels
    return low, high, _STATES[np.searchsorted(rates, crossed)]

"""`Probe`: presents images to a network, and measures what its units do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.monitors.statemonitor import StateMonitor

from .._brian import alone
from .._pixels import check_images, check_labels
from ..exceptions import DataError
from ..graph import projection_name
from ..rate_functions import rate_function_of
from ..simulation import Simulation
from ..specification import Specification
from ._gradients import Gradients, backpropagate, outputs
from ._measurements import Measurements, compare_weights
from ._vectors import angle, norm, ratio, size

__all__ = ["Probe", "Trace"]

#: A prediction phase that is long enough to tell where it would settle.
_SETTLED = 20
#: Images that are enough to tell when mini-batches settle.
_FEW = 20


@dataclass(frozen=True)
class Trace:
    """What an electrode in every unit of a layer would see, see `Probe.trace`.

    All arrays have the shape (steps + 1, n_images, N_l): at rest, and after each step.

    Attributes
    ----------
    layer : int
        The layer.
    times : array, shape (steps + 1,)
        In units of tau.
    nudging_from : float
        When the nudging phase begins, in units of tau.
    s : array
        States of the pyramidal units.
    g : array or None
        States of the ghosts that are paired with them; None where there are none.
    bottom_up : array
        b, eq. (1).
    top_down, ghost_feedback : array or None
        t and c; None for output units.
    error : array
        e: t - c, or what nudges output units.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.measure import Probe
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2), prediction_steps=6, nudging_steps=4)
    >>> images = np.array([[0, 80, 160, 240]], dtype=np.uint8)
    >>> probe = Probe(specification, images, np.array([0]))
    >>> trace = probe.trace(initial_weights(specification, seed=0), layer=1)
    >>> trace.s.shape, trace.nudging_from
    ((11, 1, 3), 3.0)
    """

    layer: int
    times: np.ndarray
    nudging_from: float
    s: np.ndarray
    g: np.ndarray | None
    bottom_up: np.ndarray
    top_down: np.ndarray | None
    ghost_feedback: np.ndarray | None
    error: np.ndarray


class Probe:
    """Measures networks of one specification on some images, without changing them.

    Parameters
    ----------
    specification : Specification
        The network and its protocol; the batch size matters in MB only.
    images : array, shape (n_images, n_inputs)
        Pixels, of images that were not used for training; a hundred are enough.
    labels : array of int, shape (n_images,)
        Their classes.
    maximum : float, optional
        The pixel value that means a rate of 1.
    seed : int, optional
        Seed of the choice of ghosts for a lesion.

    Raises
    ------
    DataError
        There are no images, or they don't fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.measure import Probe
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> images = np.array([[0, 80, 160, 240], [240, 160, 80, 0]], dtype=np.uint8)
    >>> probe = Probe(specification, images, np.array([0, 1]))
    >>> found = probe.measure(initial_weights(specification, seed=0))
    >>> sorted(found.error_angle)
    [1]
    """

    def __init__(
        self,
        specification: Specification,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        maximum: float = 255.0,
        seed: int = 0,
    ) -> None:
        if len(images) == 0:
            raise DataError("there are no images to measure with")
        # V^b of MB replicates the feedback of each mini-batch, so these have to be as in training.
        if specification.network.model == "MA" or specification.protocol.batch_size > len(images):
            specification = specification.replace(batch_size=len(images))
        self.specification = specification
        self._simulation = Simulation(
            self.specification,
            device="numpy",
            precision="float64",
            seed=seed,
        )
        sizes = specification.network.sizes
        images, self._maximum = check_images(images, maximum, sizes[0], np.dtype(np.float64))
        self._labels = check_labels(labels, len(images), sizes[-1])
        # Whatever they are computed with is to be as precise as the simulation.
        self._images = images.astype(np.float64)
        protocol = specification.protocol
        self._simulation.presented = max(protocol.ghost_onset, protocol.feedforward_onset)
        self._monitors: dict[str, StateMonitor] = {}
        with alone():
            self._add_monitors()

    def _add_monitors(self) -> None:
        assert self._simulation.brian is not None
        for name, group in self._simulation.brian.populations.items():
            for state in {"s", "g"} & set(group.variables):
                # After the input has changed and states were reset, before anything moves.
                self._monitors[name] = StateMonitor(
                    group, state, record=True, clock=group.clock, when="start", name=f"{name}_trace"
                )
        # Sums are formed within a step, and belong to the states at its beginning.
        for layer in self.specification.network.graph.feedback_targets:
            group = self._simulation.brian.populations[f"pyramidal_{layer}"]
            for signal in ("top_down", "ghost_feedback"):
                name = f"{signal}_{layer}"
                self._monitors[name] = StateMonitor(
                    group, signal, record=True, clock=group.clock, when="end", name=f"{name}_trace"
                )
        self._simulation.brian.network.add(*self._monitors.values())

    # -- presenting -------------------------------------------------------------------

    def states(
        self,
        weights: Mapping[str, np.ndarray],
        *,
        prediction_steps: int | None = None,
        nudging_steps: int | None = None,
        beta: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Present all images once without learning, and record states and feedback.

        V^b of MB replicates the feedback of each mini-batch meanwhile.

        Parameters
        ----------
        weights : dict of array
            Weights by projection, in the paper's shapes.
        prediction_steps, nudging_steps, beta : optional
            Other values than those of the protocol; `nudging_steps` may be 0.

        Returns
        -------
        dict of array
            s of each ``pyramidal_l``, g of each ``ghost_l``, t and c of each hidden layer as
            ``top_down_l`` and ``ghost_feedback_l``; shape (steps + 1, n_images, n_units), from
            rest to the end of the last step.
        """
        n_images = len(self._images)
        return self._record(weights, n_images, prediction_steps, nudging_steps, beta)

    def _record(
        self,
        weights: Mapping[str, np.ndarray],
        n_images: int,
        prediction_steps: int | None = None,
        nudging_steps: int | None = None,
        beta: float | None = None,
        signals: tuple[str, ...] = ("pyramidal", "ghost", "top_down", "ghost_feedback"),
    ) -> dict[str, np.ndarray]:
        protocol = self.specification.protocol
        prediction = protocol.prediction_steps if prediction_steps is None else prediction_steps
        nudging = protocol.nudging_steps if nudging_steps is None else nudging_steps
        # One step more shows where the last one has led; V^b does not move in it.
        specification = self.specification.replace(
            prediction_steps=prediction,
            nudging_steps=nudging + 1,
            beta=protocol.beta if beta is None else beta,
        )
        with alone():
            for name, monitor in self._monitors.items():
                monitor.active = name.rpartition("_")[0] in signals
            self._present(weights, specification, n_images, learn=False)
            return {
                name: self._by_image(getattr(monitor, monitor.record_variables[0]), n_images)
                for name, monitor in self._monitors.items()
                if monitor.active
            }

    def update(self, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Give the weights after all images were presented once to learn.

        They are one mini-batch, but in MB those of the protocol.
        """
        with alone():
            for monitor in self._monitors.values():
                monitor.active = False
            self._present(weights, self.specification, len(self._images), learn=True)
            return self._simulation.weights

    def _present(
        self,
        weights: Mapping[str, np.ndarray],
        specification: Specification,
        n_images: int,
        *,
        learn: bool,
    ) -> None:
        simulation, presented = self._simulation, self._simulation.presented
        simulation.weights = {
            name: np.asarray(weights[name], np.float64) for name in simulation.weights
        }
        for monitor in self._monitors.values():
            monitor.resize(0)
        simulation.specification = specification
        images, labels = self._images[:n_images], self._labels[:n_images]
        try:
            simulation.present(images, labels, maximum=self._maximum, learn=learn, nudge=True)
        finally:
            simulation.specification, simulation.presented = self.specification, presented

    def _by_image(self, recorded: Any, n_images: int) -> np.ndarray:
        """Turn (units of all replicas, steps of all presentations) into (steps, images, units)."""
        n_replicas = self.specification.protocol.batch_size
        shape = (-(-n_images // n_replicas), -1, n_replicas, len(recorded) // n_replicas)
        found = np.asarray(recorded).T.reshape(shape).swapaxes(0, 1)
        return found.reshape(len(found), -1, shape[-1])[:, :n_images]

    # -- measuring --------------------------------------------------------------------

    def trace(
        self,
        weights: Mapping[str, np.ndarray],
        layer: int,
        **protocol: Any,
    ) -> Trace:
        """Present all images without learning, and record all signals of a layer's units.

        Parameters
        ----------
        weights : dict of array
            Weights by projection, in the paper's shapes.
        layer : int
            1 for the first hidden layer, L for the output.
        **protocol
            `prediction_steps`, `nudging_steps` and `beta`, as for `states`.

        Raises
        ------
        DataError
            There is no such layer.

        Returns
        -------
        Trace
        """
        spec = self.specification
        network, graph = spec.network, spec.network.graph
        if not 1 <= layer <= network.n_layers:
            raise DataError(
                f"layer {layer} has no units to trace; there are layers 1 to {network.n_layers}"
            )
        states = self.states(weights, **protocol)
        s = states[f"pyramidal_{layer}"]
        bottom_up = np.zeros_like(s)
        for pre in graph.below(layer):
            if pre == 0:
                rates = self._images / self._maximum
            else:
                rates = rate_function_of(network, pre).function(states[f"pyramidal_{pre}"])
            bottom_up += rates @ weights[projection_name("feedforward", pre, layer)].T
        if network.biases:
            bottom_up += weights[f"bias_{layer}"].T
        first = protocol.get("prediction_steps") or spec.protocol.prediction_steps
        top_down: np.ndarray | None = None
        ghost_feedback: np.ndarray | None = None
        if layer < network.n_layers:
            top_down, ghost_feedback = (
                states[f"top_down_{layer}"],
                states[f"ghost_feedback_{layer}"],
            )
            error = top_down - ghost_feedback
        else:
            beta = protocol.get("beta") or spec.protocol.beta
            targets = self._labels[:, None] == np.arange(network.sizes[-1])
            error = beta * (targets - outputs(network, s))
            error[:first] = 0.0
        paired = network.model == "MA" and layer in graph.ghost_layers
        return Trace(
            layer,
            np.arange(len(s)) * spec.protocol.time_step,
            first * spec.protocol.time_step,
            s,
            states[f"ghost_{layer}"] if paired else None,
            bottom_up,
            top_down,
            ghost_feedback,
            error,
        )

    def errors(
        self,
        weights: Mapping[str, np.ndarray],
        *,
        beta: float | None = None,
        nudging_steps: int | None = None,
    ) -> dict[int, tuple[float, float]]:
        """Compare e at the end of the nudging phase with -dL/d rho(s), for Theorem 1.

        Parameters
        ----------
        weights : dict of array
            Weights by projection, in the paper's shapes.
        beta, nudging_steps : optional
            Other values than those of the protocol.

        Returns
        -------
        dict of int to (float, float)
            Angle in degrees, and norm of e over beta times the norm of -dL/d rho(s), by hidden
            layer.
        """
        trace = self.states(weights, beta=beta, nudging_steps=nudging_steps)
        nudged = {name: values[-1] for name, values in trace.items()}
        beta = self.specification.protocol.beta if beta is None else beta
        return self._compare(nudged, beta, self._gradients(weights))

    def _gradients(self, weights: Mapping[str, np.ndarray]) -> Gradients:
        rates = self._images / self._maximum
        return backpropagate(self.specification, weights, rates, self._labels)

    def _compare(
        self,
        nudged: Mapping[str, np.ndarray],
        beta: float,
        truth: Gradients,
    ) -> dict[int, tuple[float, float]]:
        found = {}
        for layer in self.specification.network.graph.feedback_targets:
            error = (nudged[f"top_down_{layer}"] - nudged[f"ghost_feedback_{layer}"]) / beta
            found[layer] = angle(error, truth.errors[layer]), ratio(error, truth.errors[layer])
        return found

    def measure(self, weights: Mapping[str, np.ndarray]) -> Measurements:
        """Measure everything of a network with these weights.

        Parameters
        ----------
        weights : dict of array
            Weights by projection, in the paper's shapes.

        Returns
        -------
        Measurements
        """
        spec = self.specification
        network, graph = spec.network, spec.network.graph
        truth = self._gradients(weights)
        trace = self.states(weights)
        predicted = {name: values[spec.protocol.prediction_steps] for name, values in trace.items()}
        nudged = {name: values[-1] for name, values in trace.items()}
        errors = self._compare(nudged, spec.protocol.beta, truth)
        changed = self.update(weights)
        mismatch, residual = {}, {}
        for layer in graph.feedback_targets:
            top_down = predicted[f"top_down_{layer}"]
            left = top_down - predicted[f"ghost_feedback_{layer}"]
            mismatch[layer], residual[layer] = size(left), ratio(left, top_down)
        paired = network.model == "MA"
        return Measurements(
            error_angle={layer: angle for layer, (angle, _) in errors.items()},
            error_ratio={layer: ratio for layer, (_, ratio) in errors.items()},
            update_angle={
                name: angle(changed[name] - weights[name], gradient)
                for name, gradient in truth.weights.items()
            },
            state_mismatch={
                layer: size(predicted[f"pyramidal_{layer}"] - predicted[f"ghost_{layer}"])
                for layer in (graph.ghost_layers if paired else ())
            },
            feedback_mismatch=mismatch,
            residual=residual,
            settling_steps=self.settling_steps(weights),
            **compare_weights(spec, weights),
        )

    def settling_steps(
        self, weights: Mapping[str, np.ndarray], tolerance: float = 0.01
    ) -> int | None:
        """Count the steps until the prediction phase is at its fixed point.

        Parameters
        ----------
        weights : dict of array
            Weights by projection, in the paper's shapes.
        tolerance : float, optional
            How near, relative to the norm of a layer's states at the fixed point.

        Returns
        -------
        int or None
            The number after which every layer stays that near; None if there was still movement
            after twenty times as many steps as the protocol has.
        """
        steps = _SETTLED * self.specification.protocol.prediction_steps
        # One mini-batch after the other takes long.
        n_images = len(self._images)
        if self.specification.protocol.batch_size < n_images:
            n_images = min(_FEW, n_images)
        trace = self._record(weights, n_images, steps, 0, signals=("pyramidal",))
        last = 0
        for values in trace.values():
            goal = values[-1]
            distance = np.linalg.norm(values - goal, axis=(1, 2)) / max(norm(goal), 1e-300)
            if not distance[-1 - steps // 4 :].max() < tolerance / 10:
                return None
            last = max(last, int(np.flatnonzero(distance >= tolerance)[-1]) + 1)
        return last

"""`Probe`: presents images to a network, and measures what its units do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.monitors.statemonitor import StateMonitor

from .._checks import Whole, check
from .._pixels import check_images, check_labels
from ..adaptation import Adaptation
from ..dense._brian import alone
from ..exceptions import DataError
from ..models import Signal
from ..simulation import Simulation
from ..specification import Specification
from ..vectors import angle, norm, ratio
from ._gradients import Gradients, backpropagate
from ._measurements import Measurements, compare_weights

__all__ = ["Probe", "Trace"]

#: A prediction phase that is long enough to tell where it would settle.
_SETTLED = 20
#: Images that are enough to tell when mini-batches settle.
_FEW = 20


@dataclass(frozen=True)
class Trace:
    """What an electrode in every unit of a layer would see, see `Probe.trace`.

    Attributes
    ----------
    layer : int
        The layer.
    times : array, shape (steps + 1,)
        In units of tau.
    nudging_from : float
        When the nudging phase begins, in units of tau.
    signals : tuple of Signal
        What was recorded; the model says what there is, see `Model.signals`.
    recorded : dict of array
        By the name of the signal; shape (steps + 1, n_images, n_units), from rest to after the
        last step. With neurons, ``potential`` and ``fired`` have one more axis, of those of each
        unit.
    tau : float or None
        In seconds, if time has a meaning, as it has with spikes.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.adaptation import Adaptation
    >>> from ghost_spiking.measure import Probe
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2), prediction_steps=6, nudging_steps=4)
    >>> images = np.array([[0, 80, 160, 240]], dtype=np.uint8)
    >>> probe = Probe(specification, images, np.array([0]), adaptation=Adaptation.to(images))
    >>> trace = probe.trace(initial_weights(specification, seed=0), layer=1)
    >>> sorted(trace.recorded)
    ['bottom_up', 'error', 'ghost_feedback', 'state', 'top_down']
    >>> trace["state"].shape, trace.nudging_from
    ((11, 1, 3), 3.0)
    """

    layer: int
    times: np.ndarray
    nudging_from: float
    signals: tuple[Signal, ...]
    recorded: dict[str, np.ndarray]
    tau: float | None = None

    @property
    def panels(self) -> tuple[str, ...]:
        """Names of the panels of a drawing, from the top."""
        has = self.recorded.keys()
        return (
            *("state", "feedback", "error"),
            *(("potential (mV)",) if "potential" in has else ()),
            *(("neuron",) if "fired" in has else ("spikes",) if "spikes" in has else ()),
        )

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a signal by its name, such as ``trace["error"]``."""
        return self.recorded[name]

    def to_dict(self) -> dict[str, Any]:
        """Return all signals with the names of their axes, for other tools.

        It is the mapping that ``xarray.Dataset.from_dict`` takes; the arrays themselves are in
        `recorded`.

        Returns
        -------
        dict
            ``coords`` has the times, in units of tau; ``data_vars`` the signals; ``attrs`` the
            layer and the time when nudging begins. Each array is a dictionary with ``dims``, the
            names of its axes, and ``data``.

        Examples
        --------
        >>> import xarray  # doctest: +SKIP
        >>> xarray.Dataset.from_dict(trace.to_dict()).error.mean("image")  # doctest: +SKIP
        """
        axes = ("time", "image", "unit", "neuron")
        return {
            "coords": {"time": {"dims": ("time",), "data": self.times}},
            "data_vars": {
                name: {"dims": axes[: values.ndim], "data": values}
                for name, values in self.recorded.items()
            },
            "attrs": {"layer": self.layer, "nudging_from": self.nudging_from},
        }


class Probe:
    """Measures networks of one specification on some images, without changing them.

    Parameters
    ----------
    specification : Specification
        The network and its protocol; the batch size matters only where some weights follow each
        mini-batch, as in MB.
    images : array, shape (n_images, n_inputs)
        Pixels, of images that were not used for training; a hundred are enough.
    labels : array of int, shape (n_images,)
        Their classes.
    maximum : float, optional
        The pixel value that means a rate of 1.
    seed : int, optional
        Seed of values that are drawn for units, of a lesion say.
    adaptation : Adaptation, optional
        What the input units have adapted to, if the specification has `input_adaptation`.

    Raises
    ------
    DataError
        There are no images, or they don't fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking import Specification
    >>> from ghost_spiking.adaptation import Adaptation
    >>> from ghost_spiking.measure import Probe
    >>> from ghost_spiking.values import initial_weights
    >>> specification = Specification.create(sizes=(4, 3, 2))
    >>> images = np.array([[0, 80, 160, 240], [240, 160, 80, 0]], dtype=np.uint8)
    >>> probe = Probe(specification, images, np.array([0, 1]), adaptation=Adaptation.to(images))
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
        adaptation: Adaptation | None = None,
    ) -> None:
        if len(images) == 0:
            raise DataError("there are no images to measure with")
        # Weights that follow each mini-batch need mini-batches as in training.
        if not specification.layout.adapts or specification.protocol.batch_size > len(images):
            specification = specification.replace(batch_size=len(images))
        self.specification = specification
        layers = range(1, specification.network.n_layers + 1)
        self._signals = {layer: specification.signals(layer) for layer in layers}
        self._simulation = Simulation(
            self.specification,
            device="numpy",
            precision="float64",
            seed=seed,
            adaptation=adaptation,
        )
        sizes = specification.network.sizes
        images, self._maximum = check_images(images, maximum, sizes[0], np.dtype(np.float64))
        self._labels = check_labels(labels, len(images), sizes[-1])
        # Whatever they are computed with is to be as precise as the simulation.
        self._images = images.astype(np.float64)
        self._simulation.presented = specification.layout.onset
        pools = (item.pool for item in specification.layout.populations if item.pool)
        self._neurons = {pool.name: pool.neurons for pool in pools}
        self._monitors: dict[str, StateMonitor] = {}
        with alone():
            self._add_monitors()

    def _add_monitors(self) -> None:
        layout, brian = self.specification.layout, self._simulation.brian
        assert brian is not None
        for signal in (signal for signals in self._signals.values() for signal in signals):
            # States after the input has changed and they were reset, before anything moves. All
            # else is formed within a step, and belongs to the states at its beginning.
            when = "start" if signal.key in layout.states else "end"
            group = brian.populations[signal.population]
            self._monitors[signal.key] = StateMonitor(
                group,
                signal.variable,
                record=True,
                clock=group.clock,
                when=when,
                name=f"{signal.population}_{signal.variable}_trace",
            )
        brian.network.add(*self._monitors.values())

    @property
    def adaptation(self) -> Adaptation | None:
        """What the input units have adapted to; may be set."""
        return self._simulation.adaptation

    @adaptation.setter
    def adaptation(self, adaptation: Adaptation | None) -> None:
        self._simulation.adaptation = adaptation

    # -- presenting -------------------------------------------------------------------

    def states(
        self,
        weights: Mapping[str, np.ndarray],
        *,
        prediction_steps: int | None = None,
        nudging_steps: int | None = None,
        beta: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Present all images once without learning, and record all signals.

        Weights that always learn, as V^b of MB, follow each mini-batch meanwhile.

        Parameters
        ----------
        weights : dict of array
            Weights by projection, in the paper's shapes.
        prediction_steps, nudging_steps, beta : optional
            Other values than those of the protocol; `nudging_steps` may be 0.

        Returns
        -------
        dict of array
            By `Signal.key`, such as ``"pyramidal_1.s"``; shape (steps + 1, n_images, n_units), from
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
        only: str = "",
    ) -> dict[str, np.ndarray]:
        protocol = self.specification.protocol
        prediction = protocol.prediction_steps if prediction_steps is None else prediction_steps
        nudging = protocol.nudging_steps if nudging_steps is None else nudging_steps
        # One step more shows where the last one has led. Phases may be too short to learn in.
        shown = protocol.model_copy(
            update={
                "prediction_steps": prediction,
                "nudging_steps": nudging + 1,
                "beta": protocol.beta if beta is None else beta,
            }
        )
        specification = self.specification.model_copy(update={"protocol": shown})
        with alone():
            for signals in self._signals.values():
                for signal in signals:
                    self._monitors[signal.key].active = not only or signal.name == only
            self._present(weights, specification, n_images, learn=False)
            wanted = slice(prediction + nudging + 1)  # and no phase after these
            return {
                name: self._by_image(name, n_images)[wanted]
                for name, monitor in self._monitors.items()
                if monitor.active
            }

    def update(self, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the weights after all images were presented once to learn.

        They are one mini-batch, unless some weights follow each mini-batch of the protocol.
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

    def _by_image(self, name: str, n_images: int) -> np.ndarray:
        """Turn (units of all replicas, steps of all presentations) into (steps, images, units).

        With neurons, there is one axis more, of those of each unit.
        """
        monitor = self._monitors[name]
        recorded = np.asarray(getattr(monitor, monitor.record_variables[0]))
        neurons = self._neurons.get(name.partition(".")[0])
        n_replicas = self.specification.protocol.batch_size
        units = len(recorded) // n_replicas // (neurons or 1)
        shape = (-(-n_images // n_replicas), -1, neurons or 1, n_replicas, units)
        found = recorded.T.reshape(shape).transpose(1, 0, 3, 4, 2)
        found = found.reshape(len(found), -1, *found.shape[3:])[:, :n_images]
        return found if neurons else found[..., 0]

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
        layer = check("Probe.trace: layer", layer, Whole, DataError)
        if layer not in self._signals:
            raise DataError(
                f"layer {layer} has no units to trace; there are layers 1 to {len(self._signals)}"
            )
        found = self.states(weights, **protocol)
        signals, spec = self._signals[layer], self.specification.protocol
        first = protocol.get("prediction_steps") or spec.prediction_steps
        recorded = {signal.name: found[signal.key] for signal in signals}
        return Trace(
            layer,
            np.arange(len(recorded["state"])) * spec.time_step,
            first * spec.time_step,
            signals,
            recorded,
            tau=self.specification.dt / spec.time_step if self.specification.spikes else None,
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
        rates = self._simulation.input_rates(self._images, maximum=self._maximum)
        return backpropagate(self.specification, weights, rates, self._labels)

    def _compare(
        self,
        nudged: Mapping[str, np.ndarray],
        beta: float,
        truth: Gradients,
    ) -> dict[int, tuple[float, float]]:
        found = {}
        for layer in self.specification.network.graph.feedback_targets:
            for signal in self._signals[layer]:
                if signal.name == "error":
                    error = nudged[signal.key] / beta
                    found[layer] = (
                        angle(error, truth.errors[layer]),
                        ratio(error, truth.errors[layer]),
                    )
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
        truth = self._gradients(weights)
        trace = self.states(weights)
        predicted = {name: values[spec.protocol.prediction_steps] for name, values in trace.items()}
        nudged = {name: values[-1] for name, values in trace.items()}
        errors = self._compare(nudged, spec.protocol.beta, truth)
        changed = self.update(weights)
        return Measurements(
            # Python 3.12.1 takes the name of a function, used here too, for one of the loop's own.
            error_angle={layer: found[0] for layer, found in errors.items()},
            error_ratio={layer: found[1] for layer, found in errors.items()},
            update_angle={
                name: angle(changed[name] - weights[name], gradient)
                for name, gradient in truth.weights.items()
            },
            settling_steps=self.settling_steps(weights),
            of_model=spec.model.measure(spec, predicted) | compare_weights(spec, weights),
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
        trace = self._record(weights, n_images, steps, 0, only="state")
        last = 0
        for values in trace.values():
            goal = values[-1]
            distance = np.linalg.norm(values - goal, axis=(1, 2)) / max(norm(goal), 1e-300)
            if not distance[-1 - steps // 4 :].max() < tolerance / 10:
                return None
            # A layer that stays silent is at rest from the beginning.
            last = max(last, int(np.flatnonzero(distance >= tolerance).max(initial=-1)) + 1)
        return last

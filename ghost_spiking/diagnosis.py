"""What is the matter with a training that does not learn: at chance, falling, or saturated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .models import BIAS_UNIT
from .specification import Specification

if TYPE_CHECKING:
    from .training import Epoch

__all__ = ["diagnose"]

#: Mini-batches, and images, that a network is given before anyone judges it; and so many images
#: that mini-batches don't count.
PATIENCE = 300, 2000, 50_000
#: A fall of the accuracy that counts, in percent, and in standard errors.
_FALL = 1.0, 4.0
#: A rise of the loss that counts, as a factor, where there are targets in place of classes.
_RISE = 1.5
#: The slope of a saturated unit, relative to the steepest one.
_FLAT = 0.01
#: Saturated units of a layer, relative to all, that may be why it does not learn, or surely are.
_MANY, _ALL = 0.9, 0.99
#: A loss, relative to that of a constant answer, that shows that something was learned.
_BETTER = 0.97
#: A relative change of weights within an epoch that is next to nothing.
_HARDLY = 0.01


def diagnose(
    specification: Specification,
    epoch: Epoch,
    history: Sequence[Epoch],
    responses: np.ndarray,
    labels: np.ndarray,
    *,
    n_test: int,
    presented: int,
    states: Mapping[str, np.ndarray],
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
) -> str:
    """Return what is the matter, or nothing.

    Judged are trainings of at least 2000 images in 300 mini-batches, or of 50,000 in any number.

    Parameters
    ----------
    specification : Specification
        The network and its protocol.
    epoch : Epoch
        The epoch that has just ended.
    history : sequence of Epoch
        Those before.
    responses, labels : array
        Responses in this epoch and the classes, or targets, in the order of presentation.
    n_test : int
        Number of test images.
    presented : int
        Mini-batches so far.
    states : mapping
        States at the end of the last mini-batch, by ``"population.variable"``.
    before, after : mapping
        Weights before this epoch and now, by projection.

    Returns
    -------
    str
        One or two sentences: what is seen, its likely cause and what to change. Empty if the
        network learns.

    Examples
    --------
    `Training` asks it after each epoch, and an `Epoch` has what it says:

    >>> import warnings
    >>> from ghost_spiking import Simulation, Specification, Training
    >>> from ghost_spiking.datasets import load
    >>> from ghost_spiking.exceptions import LearningWarning
    >>> still = {"feedforward": 0.0, "bias": 0.0}
    >>> specification = Specification.create(sizes=(64, 8, 10), batch_size=5, learning_rates=still)
    >>> trainer = Training(Simulation(specification), load("digits")[0])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", LearningWarning)
    ...     trainer.run(epochs=2)
    >>> [epoch.warning[:56] for epoch in trainer.history]
    ['', 'after epoch 2 the network answers hardly better than at ']
    """
    n_images = epoch.epoch * len(labels)
    if n_images < PATIENCE[1] or (presented < PATIENCE[0] and n_images < PATIENCE[2]):
        return ""
    saturated = _saturated(specification, states)
    if labels.ndim == 1:
        symptom = _at_chance(specification, epoch, responses, labels) or _falling(
            epoch, history, len(labels), n_test
        )
    else:
        # The loss of the mean target.
        constant = float(0.5 * labels.var(axis=0).sum())
        symptom = _as_a_constant(epoch, constant) or _rising(epoch, history, constant)
    if not symptom:  # output units that have learned are silent for most images
        saturated.pop(specification.network.n_layers, None)
    layer = max(saturated, key=saturated.__getitem__, default=0)
    if saturated.get(layer, 0.0) > (_MANY if symptom else _ALL):
        symptom = symptom or f"after epoch {epoch.epoch}, layer {layer} can't learn"
        return f"{symptom}. {_of_saturation(specification, layer, saturated[layer])}"
    if not symptom:
        return ""
    return f"{symptom}. {_of_rates(specification, before, after)}"


def _at_chance(
    specification: Specification, epoch: Epoch, responses: np.ndarray, labels: np.ndarray
) -> str:
    recent = slice(len(labels) // 2, None)
    counts = np.bincount(labels[recent])
    n, commonest = counts.sum(), counts.max() / counts.sum()
    right = float((responses[recent].argmax(axis=1) == labels[recent]).mean())
    # A tenth of the way, or what chance may give with few images.
    margin = max(0.1 * (1 - commonest), 3 * (commonest * (1 - commonest) / n) ** 0.5)
    if right > commonest + margin or commonest == 1:
        return ""
    # Where one class is common, a network may know the others and still answer with that one.
    if epoch.online_loss < _BETTER * _of_a_constant(specification, labels):
        return ""
    return (
        f"after epoch {epoch.epoch} the network answers hardly better than at chance: "
        f"{100 * right:.1f} % of the last {n} images, where the commonest class has "
        f"{100 * commonest:.1f} %"
    )


def _of_a_constant(specification: Specification, labels: np.ndarray) -> float:
    """Return the loss of a network that knows how common classes are, and no more."""
    p = np.bincount(labels) / len(labels)
    if specification.network.loss == "cross_entropy":
        return float(-(p * np.log(np.where(p > 0, p, 1.0))).sum())
    return float(0.5 * (p * (1 - p)).sum())


def _falling(epoch: Epoch, history: Sequence[Epoch], n_training: int, n_test: int) -> str:
    """Tell whether two epochs in a row were worse than the best one before."""
    for name, what, n in (
        ("test_accuracy", "test images", n_test),
        ("online_accuracy", "training images", n_training),
    ):
        *known, last, now = [np.nan, *(getattr(one, name) for one in (*history, epoch))]
        if not n or len(known) < 2 or np.isnan(now):
            continue
        best = float(np.nanmax(known))
        found = max(last, now)
        error = ((best * (100 - best) + found * (100 - found)) / n) ** 0.5
        if best - found > max(_FALL[0], _FALL[1] * error):
            when = history[known.index(best) - 1].epoch
            return (
                f"the accuracy is falling: {last:.2f} and {now:.2f} % of the {what} after epochs "
                f"{epoch.epoch - 1} and {epoch.epoch}, {best:.2f} % after epoch {when}"
            )
    return ""


def _as_a_constant(epoch: Epoch, constant: float) -> str:
    if constant == 0 or epoch.online_loss < _BETTER * constant:
        return ""
    return (
        f"after epoch {epoch.epoch} the network answers hardly better than a constant would: its "
        f"loss is {epoch.online_loss:.3g}, that of the mean target {constant:.3g}"
    )


def _rising(epoch: Epoch, history: Sequence[Epoch], constant: float) -> str:
    """Tell whether two epochs in a row had a much larger loss than the best one before.

    What is small beside the loss of a constant does not count.
    """
    for name, what in (("test_loss", "test images"), ("online_loss", "training images")):
        *known, last, now = [np.nan, *(getattr(one, name) for one in (*history, epoch))]
        if len(known) < 2 or np.isnan(now):
            continue
        best = float(np.nanmin(known))
        if min(last, now) > max(_RISE * best, best + (1 - _BETTER) * constant):
            when = history[known.index(best) - 1].epoch
            return (
                f"the loss is rising: {last:.3g} and {now:.3g} on the {what} after epochs "
                f"{epoch.epoch - 1} and {epoch.epoch}, {best:.3g} after epoch {when}"
            )
    return ""


def _saturated(specification: Specification, states: Mapping[str, np.ndarray]) -> dict[int, float]:
    """Return the fraction of saturated units of each layer, over images."""
    found = {}
    network = specification.network
    for layer in range(1, network.n_layers + 1):
        slope = network.rate_function_of(layer).derivative
        for signal in specification.model.signals(specification, layer):
            if signal.name == "state" and signal.key in states:
                with np.errstate(all="ignore"):
                    steepest = np.nanmax(np.abs(slope(np.linspace(-3, 3, 61))))
                    # Replicas without an image are at rest.
                    driven = states[signal.key][states[signal.key] != 0]
                    flat = ~(np.abs(slope(driven)) > _FLAT * steepest)
                found[layer] = float(flat.mean()) if len(flat) else 0.0
    return found


def _of_saturation(specification: Specification, layer: int, fraction: float) -> str:
    gain = specification.network.initial_weights.feedforward
    place = next(k for k, pair in enumerate(specification.network.connections) if pair[1] == layer)
    rate = specification.protocol.learning_rates.feedforward[place]
    name = specification.network.rate_function
    return (
        f"{100 * fraction:.0f} % of the states of layer {layer} lie where '{name}' is flat, so it "
        "can't learn: its input is too large, or was driven there by large steps. Lower "
        f"protocol.learning_rates.feedforward of that layer, which is {rate:.3g}, or "
        f"network.initial_weights.feedforward, which is {gain[place]:.3g}"
    )


def _of_rates(
    specification: Specification, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]
) -> str:
    learning = [
        item
        for item in specification.layout.plastic
        if item.source != BIAS_UNIT and item.rate_field == "feedforward"
    ]
    if not learning:
        return ""

    def change(name: str) -> float:
        size = float(np.linalg.norm(after[name])) + 1e-12
        return float(np.linalg.norm(after[name] - before[name])) / size

    most = max(learning, key=lambda item: change(item.name))
    direction, reason = "lower", "steps may be too large"
    if change(most.name) < _HARDLY:
        direction, reason = "raise", "weights hardly move"
    return (
        f"The weights of '{most.name}' changed most in this epoch, by "
        f"{100 * change(most.name):.2g} %: {reason}; {direction} "
        f"protocol.learning_rates.feedforward, which is {most.eta:.3g} there, or look at the "
        "images and their labels"
    )

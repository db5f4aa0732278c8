"""Whatever it is given, a network learns, or says what is the matter: never a silent failure."""

import collections
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.datasets import Dataset, load
from ghost_spiking.exceptions import GhostSpikingError, LearningWarning

#: How a table of standard normal numbers is changed: what data of users look like.
KINDS = {
    "plain": lambda x, generator: x,
    "exchanged": lambda x, generator: 1 - x,
    "far from zero": lambda x, generator: 1000 + x,
    "faint": lambda x, generator: 0.5 + 1e-3 * x,
    "large": lambda x, generator: 1e4 * x,
    "of other sizes": lambda x, generator: x * 10.0 ** generator.uniform(-2, 2, x.shape[1]),
    "sparse": lambda x, generator: x * (generator.random(x.shape) < 0.2),
    "yes or no": lambda x, generator: (x > 0).astype(float),
    "with constant features": lambda x, generator: np.hstack([x, np.full((len(x), 3), 5.0)]),
    "with outliers": lambda x, generator: x * np.where(generator.random(x.shape) < 1e-3, 1e3, 1),
    "whole numbers": lambda x, generator: np.clip(128 + 40 * x, 0, 255).astype(np.uint8),
}
#: Epochs by the size of mini-batches: enough to learn something, few enough for 200 draws.
EPOCHS = {1: 2, 7: 4, 20: 6, 100: 26, 1000: 60}
RATES = ("sigmoid", "tanh", "hard_sigmoid", "softplus", "s / (1 + abs(s))", "arctan(s)")


@st.composite
def tasks(draw):
    """Draw data of a few classes that can be told apart, and a network with its defaults."""
    n_classes = draw(st.integers(2, 12))
    n_features = draw(st.sampled_from([1, 2, 3, 8, 30, 200]))
    batch = draw(st.sampled_from([None, *EPOCHS]))
    depth = draw(st.integers(1, 3))
    widths = [16, 40, 150] if depth > 1 else [16, 100, 500, 4000]
    width = draw(st.sampled_from(widths[: 3 if batch in (1, 1000) else 4]))
    model = draw(st.sampled_from(["MA", "MB"]))
    fields = {
        "model": model,
        "loss": draw(st.sampled_from(["squared_error", "cross_entropy"])),
        "rate_function": draw(st.sampled_from(RATES)),
        "feedback": draw(st.sampled_from(["transpose", "alignment"])),
    }
    if batch is not None:
        fields["batch_size"] = batch
    return (
        draw(st.sampled_from([*KINDS, "digits"])),
        n_features,
        n_classes,
        [width] * depth,
        draw(st.sampled_from([0.0, 0.9])),
        fields,
        draw(st.integers(0, 1000)),
    )


def data(kind, n_features, n_classes, imbalance, seed):
    if kind == "digits":
        return load("digits")[0].take(1200)
    generator = np.random.default_rng(seed)
    likely = np.full(n_classes, (1 - imbalance) / n_classes)
    likely[0] += imbalance
    labels = generator.choice(n_classes, 1200, p=likely)
    labels[:n_classes] = np.arange(n_classes)
    centres = generator.standard_normal((n_classes, n_features))
    x = (centres[labels] + 0.4 * generator.standard_normal((1200, n_features))) / 1.1
    x = KINDS[kind](x, generator)
    return Dataset("made", x, labels, 1.0, (x.shape[1],), n_classes)


def outcome(task):
    """Train, and return what came of it: "learned", or the kind of a message."""
    kind, n_features, n_classes, hidden, imbalance, fields, seed = task
    training = data(kind, n_features, n_classes, imbalance, seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LearningWarning)
        try:
            specification = Specification.create(
                sizes=(training.n_features, *hidden, training.n_classes), **fields
            )
            simulation = Simulation(specification, seed=seed, data_dtype=training.images.dtype)
            trainer = Training(simulation, training)
            trainer.run(EPOCHS[specification.protocol.batch_size])
        except GhostSpikingError as error:
            print(type(error).__name__, task, error)
            return type(error).__name__
    if caught:
        print("LearningWarning", task, caught[0].message)
        return "LearningWarning"
    responses = simulation.respond(training.images, maximum=training.maximum)
    commonest = np.bincount(training.labels).max() / len(training)
    right = float((responses.argmax(axis=1) == training.labels).mean())
    # Where one class is common, others may be known and never be the answer.
    targets = np.eye(training.n_classes)[training.labels]
    with np.errstate(invalid="ignore"):
        known = [np.corrcoef(r, t)[0, 1] for r, t in zip(responses.T, targets.T, strict=True)]
    assert right > commonest or np.nanmax(np.abs(known)) > 0.1, task
    return "learned"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_learns_or_says_why(part):
    """200 draws, in parts that run side by side: most of them compile a program of their own."""
    outcomes = collections.Counter()

    @settings(
        max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @seed(part)
    @given(tasks())
    def try_it(task):
        outcomes[outcome(task)] += 1

    try_it()
    print(outcomes)
    # Softplus often diverges, with a message; nearly all others learn. Many draws are variations of
    # others, so a failure comes several times.
    assert outcomes["learned"] >= 0.55 * sum(outcomes.values()), outcomes

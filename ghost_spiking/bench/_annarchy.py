"""Ghost units in ANNarchy 5, one image at a time; for `_peers.py`, in a Python that has it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["PARAMETERS", "annarchy_network"]

#: MA with one hidden layer: `Specification.create(sizes=(784, 500, 10), model="MA",
#: prediction_steps=12, nudging_steps=8, batch_size=1, input_adaptation=False, following="none")`.
PARAMETERS = {
    "time_step": 0.5,  # dt / tau
    "prediction_steps": 12,
    "nudging_steps": 8,
    "beta": 3.0,
    "feedforward": (0.4, 0.02),
    "bias": (0.4, 0.02),
    "ghost_forward": 0.0008,
    "ghost_bias": 0.0008,
    "ghost_feedback": 0.02,
    "gains": (1.0, 0.3),
    "precision": "float32",
    "flags": "-O3 -march=native -ffast-math",  # ours; ANNarchy's own are without the last
}


def annarchy_network(
    sizes: list[int],
    images: np.ndarray,
    labels: np.ndarray,
    parameters: dict[str, Any] = PARAMETERS,
) -> Callable[[], None]:
    """Return a function that learns all images once with ghost units (MA), one image at a time."""
    return presenter(ghost_network(sizes, parameters), images, labels, parameters)


def ghost_network(sizes: list[int], parameters: dict[str, Any]) -> Any:
    """Build and compile MA with one hidden layer in ANNarchy.

    In a step, ANNarchy computes sums, then neurons, and then synapses from the neurons' new values.
    Neurons therefore keep what a rule needs of the beginning of the step: `before` is the rate
    then, and `change` and `mismatch` come from it. `r` is the rate that the next step begins with.
    """
    import ANNarchy

    n_inputs, n_hidden, n_outputs = sizes
    tau = 1.0 / parameters["time_step"]
    network = ANNarchy.Network(dt=1.0, seed=0)
    network.config(num_threads=1, dtype=getattr(ANNarchy, parameters["precision"]))

    def pyramidal(error: str, eta: float, **more: Any) -> Any:
        return ANNarchy.Neuron(
            parameters={"tau": tau, "eta": eta, "nudging": 0.0, **more},
            equations=[
                "before = r",
                f"error = {error}",
                "change = error * r * (1.0 - r)",
                "bottom_up = sum(feedforward) + bias",
                "tau * dbias/dt = eta * nudging * change",  # the weight of a unit with rate 1
                "tau * ds/dt = -s + bottom_up + error",
                "r = 1.0 / (1.0 + exp(-s))",
            ],
        )

    ghost = ANNarchy.Neuron(
        parameters={"tau": tau, "eta": parameters["ghost_bias"], "prediction": 0.0},
        equations=[
            "mismatch = sum(partner) - g",
            "bottom_up = sum(feedforward) + bias",
            "tau * dbias/dt = eta * prediction * mismatch",
            "tau * dg/dt = -g + bottom_up",
            "before = r",
            "r = 1.0 / (1.0 + exp(-g))",
        ],
    )

    def plastic(post: str, pre: str, eta: float) -> Any:
        return ANNarchy.Synapse(
            parameters={"tau": tau, "eta": eta},
            equations=[
                # Once for all synapses of a unit, which takes a third less time.
                ANNarchy.Variable(f"factor = eta * post.{post} / tau", locality="semiglobal"),
                f"dw/dt = factor * pre.{pre}",
            ],
            psp="w * pre.r",
        )

    bias = parameters["bias"]
    target = ANNarchy.Parameter(0.0, locality="local")
    nudged = "nudging * beta * (target - r)"
    # Not an `InputArray`, which has float64 whatever the network has, and sums of both are slow.
    clamped = ANNarchy.Neuron(parameters={"r": ANNarchy.Parameter(0.0, locality="local")})
    stimulus = network.create(n_inputs, clamped, name="stimulus")
    hidden = network.create(
        n_hidden, pyramidal("sum(top_down) - sum(ghost_feedback)", bias[0]), name="pyramidal_1"
    )
    output = network.create(
        n_outputs,
        pyramidal(nudged, bias[1], beta=parameters["beta"], target=target),
        name="pyramidal_2",
    )
    ghosts = network.create(n_outputs, ghost, name="ghost_2")

    bound = np.sqrt(6 / (n_inputs + n_hidden)), np.sqrt(6 / (n_hidden + n_outputs))
    bounds = parameters["gains"][0] * bound[0], parameters["gains"][1] * bound[1], bound[1]

    def connect(name: str, pre: Any, post: Any, target: str, synapse: Any, bound: float) -> Any:
        projection = network.connect(pre, post, target, synapse, name=name)
        weights = ANNarchy.Uniform(-bound, bound)
        return projection.all_to_all(weights, storage_format="dense")

    forward_1, forward_2 = parameters["feedforward"]
    connect(
        "feedforward_1", stimulus, hidden, "feedforward",
        plastic("change", "r", forward_1), bounds[0],
    )  # fmt: skip
    connect(
        "feedforward_2", hidden, output, "feedforward",
        plastic("change", "before", forward_2), bounds[1],
    )  # fmt: skip
    # `Transpose` can't share dense weights, so W^b makes the same changes as W^f.
    connect(
        "feedback_2", output, hidden, "top_down",
        plastic("before", "change", forward_2), bounds[1],
    )  # fmt: skip
    connect(
        "ghost_forward_2", hidden, ghosts, "feedforward",
        plastic("mismatch", "before", parameters["ghost_forward"]), bounds[2],
    )  # fmt: skip
    connect(
        "ghost_feedback_2", ghosts, hidden, "ghost_feedback",
        plastic("error", "before", parameters["ghost_feedback"]), bounds[2],
    )  # fmt: skip
    partners = network.connect(output, ghosts, "partner", ANNarchy.Synapse(psp="w * pre.s"))
    partners.one_to_one(1.0)

    # CMake takes the first Python of the path, as in an activated environment.
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as folder:
        network.compile(directory=folder, compiler_flags=parameters["flags"], silent=True)
    share_feedback(network)
    return network


def share_feedback(network: Any) -> None:
    """Let W^b be the transpose of W^f."""
    weights = np.array(network.get_projection("feedforward_2").w)
    network.get_projection("feedback_2").w = weights.T


def presenter(
    network: Any, images: np.ndarray, labels: np.ndarray, parameters: dict[str, Any]
) -> Callable[[], None]:
    """Return a function that presents all images to a network once, in turn."""
    stimulus = network.get_population("stimulus")
    hidden, output = (network.get_population(f"pyramidal_{layer}") for layer in (1, 2))
    ghosts = network.get_population("ghost_2")
    imitating = [network.get_projection(f"ghost_{kind}_2") for kind in ("forward", "feedback")]
    nudged = [
        network.get_projection(name) for name in ("feedforward_1", "feedforward_2", "feedback_2")
    ]
    rates = images / images.dtype.type(255)
    targets = np.eye(output.size)[labels]

    def begin(prediction: bool) -> None:
        hidden.nudging = output.nudging = float(not prediction)
        ghosts.prediction = float(prediction)
        # Projections that do not learn in a phase cost no time in it.
        for projections, learn in ((imitating, prediction), (nudged, not prediction)):
            for projection in projections:
                projection.enable_learning() if learn else projection.disable_learning()

    def epoch() -> None:
        for rate, target in zip(rates, targets, strict=True):
            hidden.s = output.s = ghosts.g = 0.0
            hidden.r = output.r = ghosts.r = 0.5
            stimulus.r = rate
            output.target = target
            begin(prediction=True)
            network.simulate(parameters["prediction_steps"])
            begin(prediction=False)
            network.simulate(parameters["nudging_steps"])

    return epoch

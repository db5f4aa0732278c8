"""Other people's programs that do a comparable thing. Runs by itself, in any Python that has them.

python _peers.py NAME SIZES IMAGES.npz
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

BATCH = 100


def torch_backpropagation(
    sizes: list[int], images: np.ndarray, labels: np.ndarray
) -> Callable[[], None]:
    """Return a function that learns all images once by backpropagation, as users of PyTorch do."""
    import torch

    torch.set_num_threads(_threads())
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.Sigmoid()]
    model = torch.nn.Sequential(*layers)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    pixels = torch.from_numpy(images)
    targets = torch.nn.functional.one_hot(torch.from_numpy(labels), sizes[-1]).float()

    def epoch() -> None:
        for rows in torch.randperm(len(images)).split(BATCH):
            optimiser.zero_grad()
            error = targets[rows] - model(pixels[rows].float() / 255)
            (0.5 * (error**2).sum(dim=1).mean()).backward()
            optimiser.step()

    return epoch


def ngc_predictive_coding(
    sizes: list[int], images: np.ndarray, labels: np.ndarray
) -> Callable[[], None]:
    """Return a function that learns all images once by predictive coding in ngc-learn.

    As in its exhibit of a discriminative network: states begin where the feedforward network puts
    them, have 20 steps with the output fixed, and then all weights learn with Adam.
    """
    from jax import numpy as jnp
    from jax import random
    from ngclearn import Context, MethodProcess
    from ngclearn.components import GaussianErrorCell, HebbianSynapse, RateCell, StaticSynapse
    from ngclearn.utils.distribution_generator import DistributionGenerator

    steps, top = 20, len(sizes) - 1
    keys = random.split(random.PRNGKey(0), 4 * top)
    uniform = DistributionGenerator.uniform(-0.3, 0.3)
    with Context("circuit"):
        cells = [
            RateCell(
                f"z{layer}",
                n_units=size,
                tau_m=20.0 if 0 < layer < top else 0.0,
                act_fx="sigmoid" if 0 < layer < top else "identity",
                batch_size=BATCH,
            )
            for layer, size in enumerate(sizes)
        ]
        errors = [
            GaussianErrorCell(f"e{layer}", n_units=sizes[layer], batch_size=BATCH)
            for layer in range(1, top + 1)
        ]
        forward = [
            HebbianSynapse(
                f"W{layer}",
                shape=(sizes[layer - 1], sizes[layer]),
                eta=0.002,
                weight_init=uniform,
                bias_init=DistributionGenerator.constant(0.0),
                w_bound=0.0,
                optim_type="adam",
                sign_value=-1.0,
                batch_size=BATCH,
                key=keys[layer],
            )
            for layer in range(1, top + 1)
        ]
        backward = [
            StaticSynapse(
                f"E{layer}",
                shape=(sizes[layer], sizes[layer - 1]),
                weight_init=uniform,
                batch_size=BATCH,
                key=keys[top + layer],
            )
            for layer in range(2, top + 1)
        ]
        for layer in range(1, top + 1):
            below, above = cells[layer - 1], cells[layer]
            synapse, error = forward[layer - 1], errors[layer - 1]
            below.zF >> synapse.inputs
            synapse.outputs >> error.mu
            above.z >> error.target
            below.zF >> synapse.pre
            error.dmu >> synapse.post
            if layer > 1:
                error.dmu >> backward[layer - 2].inputs
                backward[layer - 2].outputs >> below.j
            if layer < top:
                error.dtarget >> above.j_td
        advance, reset = MethodProcess("advance"), MethodProcess("reset")
        learn = MethodProcess("learn")
        for part in (*backward, *cells, *forward, *errors):
            advance = advance >> part.advance_state
        for part in (*backward, *cells, *forward, *errors):
            reset = reset >> part.reset
        for part in forward:
            learn = learn >> part.evolve
    pixels = jnp.asarray(images, dtype=jnp.float32) / 255
    targets = jnp.eye(sizes[-1])[labels]

    def epoch() -> None:
        order = np.random.default_rng(0).permutation(len(images))
        for begin in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[begin : begin + BATCH]
            reset.run()
            for layer in range(2, top + 1):
                backward[layer - 2].weights.set(forward[layer - 1].weights.get().T)
            rate = pixels[rows]
            for layer in range(1, top):
                state = rate @ forward[layer - 1].weights.get() + forward[layer - 1].biases.get()
                cells[layer].z.set(state)
                rate = 1 / (1 + jnp.exp(-state))
            cells[0].j.set(pixels[rows])
            cells[-1].j.set(targets[rows])
            for step in range(steps):
                advance.run(t=float(step), dt=1.0)
            learn.run(t=float(steps), dt=1.0)
        forward[0].weights.get().block_until_ready()

    return epoch


def annarchy_network(
    sizes: list[int], images: np.ndarray, labels: np.ndarray
) -> Callable[[], None]:
    """Return a function that learns all images once with our default network in ANNarchy."""
    from _annarchy import annarchy_network  # beside this file, which runs by itself

    return annarchy_network(sizes, images, labels)


#: By name: the module that has to be installed, what does it, and how many images are enough.
PEERS = {
    "PyTorch, backpropagation": ("torch", torch_backpropagation, None),
    "ngc-learn, predictive coding": ("ngclearn", ngc_predictive_coding, None),
    "ANNarchy, the same network": ("ANNarchy", annarchy_network, 100),
}


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


def keep_to(cores: int) -> None:
    """Use so many cores and no more, also in processes that are started from now on."""
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def main() -> None:
    """Print seconds for 60,000 images, and memory, as JSON; nothing if it is not installed."""
    import resource

    name, sizes, path = sys.argv[1:4]
    module, make, enough = PEERS[name]
    if importlib.util.find_spec(module) is None:
        return
    with np.load(path) as data:
        images, labels = data["images"][:enough], data["labels"][:enough]
    keep_to(_threads())
    epoch = make(json.loads(sizes), images, labels)
    epoch()  # what is compiled at first is left out
    begin = time.perf_counter()
    epoch()
    seconds = (time.perf_counter() - begin) * 60_000 / len(images)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "memory_mb": memory}))


if __name__ == "__main__":
    main()

"""Make the frozen numbers anew: ``python -m tests.golden.freeze``.

Only on purpose: when a change is meant to move numbers, in the same commit, with a message that
says which and why. Whoever runs this to make a test pass has switched the test off. What moves is
printed. Specifications, resolved defaults and run directories are not touched: new cases are
written into ``specifications.toml`` by hand.

The numbers of a processor and of versions of libraries go into ``fingerprint`` in
``values.json``; elsewhere the tests ask for closeness instead of equal bits.
"""

import json
import math

import numpy as np

from ghost_spiking.datasets import load

from . import computed
from .computed import CASES, HERE, TRAINED

ARRAYS = {device: HERE / f"{device}.npz" for device in ("numpy", "cpp_standalone")}
VALUES = HERE / "values.json"


def values():
    return json.loads(VALUES.read_text())


def read(device):
    """Return the frozen arrays of a device, by group and name."""
    groups = {}
    with np.load(ARRAYS[device]) as archive:
        for group, shapes in values()["shapes"][device].items():
            ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
            pieces = np.split(archive[group], ends[:-1])
            groups[group] = {
                name: piece.reshape(shape)
                for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
            }
    return groups


def write(device, groups):
    """Write a single vector for each group: an entry of a file costs 300 bytes, and there are 700.

    Give the shapes that `read` needs.
    """
    for group, arrays in groups.items():
        assert len({array.dtype for array in arrays.values()}) == 1, group
    vectors = {
        group: np.concatenate([array.ravel() for array in arrays.values()])
        for group, arrays in groups.items()
    }
    np.savez_compressed(ARRAYS[device], **vectors)
    return {
        group: {k: list(a.shape) for k, a in arrays.items()} for group, arrays in groups.items()
    }


def weights_of(trained):
    """Return the weights among the arrays of a trained network, by projection."""
    prefix = "weights/"
    return {k.removeprefix(prefix): array for k, array in trained.items() if k.startswith(prefix)}


def everything():
    """Compute all that is frozen: arrays by device, group and name, and values."""
    training, _ = load("digits")
    images, labels = training.images[:60], training.labels[:60].astype(np.uint8)
    arrays = {
        "numpy": {"data": {"images": images, "labels": labels}},
        "cpp_standalone": {},
    }
    for device, engine, name in TRAINED:
        found = computed.train(device, engine, name, images, labels)
        arrays[device][f"{engine}/{name}"] = found
    kept = arrays["numpy"]
    trained = {name: weights_of(kept[f"dense/{name}"]) for name in CASES}
    for name in computed.DRAWN:
        kept[f"initial/{name}"] = computed.draw(name)
    for name in computed.TRACED:
        kept[f"trace/{name}"] = computed.trace(name, trained[name], images, labels)
    for name in computed.RUNS:
        kept[name] = computed.resume(name, images, labels)
    found = {
        "fingerprint": {device: computed.fingerprint(device) for device in ARRAYS},
        "run values": {name: computed.run_values(name) for name in CASES},
        "spared": {name: computed.spared(name) for name in CASES},
        "compare": {name: computed.compare(name, weights) for name, weights in trained.items()},
        "measure": {
            name: computed.measure(name, trained[name], images, labels)
            for name in computed.MEASURED
        },
        "epochs": {name: computed.epochs(name, images, labels) for name in computed.EPOCHS},
    }
    return arrays, found


def lines(tree, depth=3):
    """Write nested values as JSON, with a line for each of those at the third level."""
    if not isinstance(tree, dict) or not depth:
        return json.dumps(tree)
    inner = ",\n".join(f"{json.dumps(k)}: {lines(v, depth - 1)}" for k, v in tree.items())
    return "{\n" + inner + "\n}"


def moved(before, after):
    """Return the names of what is new, gone, or not the same."""
    return sorted(
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name] != after[name]
    )


def main():
    arrays, found = everything()
    found["shapes"] = {}
    for device, groups in arrays.items():
        old = read(device) if ARRAYS[device].exists() and VALUES.exists() else {}
        bits = [
            {name: [a.tobytes() for a in arrays.values()] for name, arrays in each.items()}
            for each in (old, groups)
        ]
        print(f"moved in {ARRAYS[device].name}:", *moved(*bits), sep="\n  ")
        found["shapes"][device] = write(device, groups)
    old = values() if VALUES.exists() else {}
    VALUES.write_text(lines(found) + "\n")
    for kind, entries in values().items():
        print(f"moved in {kind}:", *moved(old.get(kind, {}), entries), sep="\n  ")


if __name__ == "__main__":
    main()

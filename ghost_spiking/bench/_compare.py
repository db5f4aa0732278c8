"""All ways in turn, round after round."""

from __future__ import annotations

import ctypes
import platform
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy_openblas32
from tqdm import tqdm

from ..datasets import load
from ._ways import WAYS, measure

__all__ = ["compare", "kernels_of_blas", "processor"]

#: Images that are learned; times are for 60,000.
_IMAGES = 20_000


def compare(
    names: Iterable[str] | None = None,
    *,
    rounds: int = 5,
    threads: int = 1,
    images: int = _IMAGES,
    peer_python: str = sys.executable,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Time epochs of MNIST, of networks of this package and of peers that are installed.

    Ways alternate, each run in a process of its own, so that what else happens on the machine
    meets all of them alike; ratios are those of runs of the same round.

    Parameters
    ----------
    names : iterable of str, optional
        Ways, of those in ``ghost_spiking.bench.WAYS``; by default all.
    rounds : int, optional
        Runs of each way.
    threads : int, optional
        Cores that each may use (plain `Synapses` use one).
    images : int, optional
        Images of MNIST to learn.
    peer_python : str, optional
        Another Python, which has the peers.
    quiet : bool, optional
        Whether to show no progress.

    Returns
    -------
    list of dict
        A row for each way: ``way``, ``threads``, ``seconds`` (median, for 60,000 images),
        ``shortest``, ``longest``, ``memory_mb``, ``compared_with``, and ``ratio``, ``lowest`` and
        ``highest``, the time divided by that of what it is compared with.

    Raises
    ------
    ValueError
        A name that is not one of the ways.
    RuntimeError
        One of them failed.

    Examples
    --------
    >>> from ghost_spiking.bench import compare
    >>> rows = compare(["784-500-10"], rounds=1, images=2000, quiet=True)  # doctest: +SKIP
    >>> rows[0]["seconds"]  # doctest: +SKIP
    3.4
    """
    chosen = list(WAYS if names is None else names)
    for name in chosen:
        if name not in WAYS:
            raise ValueError(f"'{name}' is not one of the ways: {'; '.join(WAYS)}")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    training = load("mnist")[0].take(images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        np.savez(path, images=np.asarray(training.images), labels=np.asarray(training.labels))
        for turn in range(rounds):
            for name in tqdm(list(found), desc=f"round {turn + 1} of {rounds}", disable=quiet):
                run = measure(name, threads, path, peer_python)
                if run is None:
                    del found[name]
                else:
                    found[name].append(run)
    return [_row(name, threads, found) for name in found]


def _row(name: str, threads: int, found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    seconds = np.array([run["seconds"] for run in found[name]])
    memory = [run["memory_mb"] for run in found[name] if run["memory_mb"] is not None]
    unit = WAYS[name].compared_with
    row = {
        "way": name,
        "threads": threads,
        "seconds": round(float(np.median(seconds)), 3),
        "shortest": round(float(seconds.min()), 3),
        "longest": round(float(seconds.max()), 3),
        "memory_mb": round(max(memory)) if memory else "",
        "compared_with": "",
        "ratio": "",
        "lowest": "",
        "highest": "",
    }
    if unit in found:
        ratios = seconds / [run["seconds"] for run in found[unit]]
        digits = 1 if ratios.max() > 10 else 2
        row |= {"compared_with": unit, "ratio": round(float(np.median(ratios)), digits)}
        row |= {"lowest": round(ratios.min(), digits), "highest": round(ratios.max(), digits)}
    return row


def kernels_of_blas() -> str:
    """Return for which processor OpenBLAS has its products, which decides how fast they are.

    It may know this one or not, and follows the environment variable ``OPENBLAS_CORETYPE``.

    Examples
    --------
    >>> from ghost_spiking.bench import kernels_of_blas
    >>> kernels_of_blas()  # doctest: +SKIP
    'SkylakeX'
    """
    folder, name = Path(scipy_openblas32.get_lib_dir()), scipy_openblas32.get_library()
    (path, *_) = folder.glob(f"lib{name}.*")
    corename = ctypes.CDLL(str(path)).scipy_openblas_get_corename
    corename.restype = ctypes.c_char_p
    return str(corename().decode())


def processor() -> str:
    """Return the name of the processor.

    Examples
    --------
    >>> from ghost_spiking.bench import processor
    >>> processor()  # doctest: +SKIP
    'AMD EPYC'
    """
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

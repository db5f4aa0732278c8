"""Noise that is the same on every run: a function of what it is for, and not of what came before.

Numbers come from hashing a counter (two rounds of splitmix64, Steele, Lea & Flood 2014), so that
nothing has to be saved for a run to go on with the same noise, and C++ and numpy agree to the last
bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.functions import Function

__all__ = ["NOISE", "white_noise"]

_G = 0x9E3779B97F4A7C15
_MULTIPLIERS = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

_C = """
static inline uint64_t _mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

static inline double white_noise(double deviation, int64_t seed, int64_t presentation,
                                 int64_t step, int64_t layer, int64_t unit)
{
    if (deviation == 0)
        return 0;
    const uint64_t when = ((uint64_t)presentation << 24) + ((uint64_t)step << 8) + (uint64_t)layer;
    const uint64_t where = ((uint64_t)seed << 32) + (uint64_t)unit;
    const uint64_t hash = _mixed(_mixed(when * 0x9E3779B97F4A7C15ULL + where) + where);
    return deviation * 3.4641016151377544 * ((double)(hash >> 11) * 1.1102230246251565e-16 - 0.5);
}
"""
_CYTHON = """
from libc.stdint cimport int64_t, uint64_t

cdef uint64_t _mixed(uint64_t z):
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return z ^ (z >> 31)

cdef double white_noise(double deviation, int64_t seed, int64_t presentation, int64_t step,
                        int64_t layer, int64_t unit):
    if deviation == 0:
        return 0
    cdef uint64_t when = (<uint64_t>presentation << 24) + (<uint64_t>step << 8) + <uint64_t>layer
    cdef uint64_t where = (<uint64_t>seed << 32) + <uint64_t>unit
    cdef uint64_t hash = _mixed(_mixed(when * <uint64_t>0x9E3779B97F4A7C15ULL + where) + where)
    return deviation * 3.4641016151377544 * (<double>(hash >> 11) * 1.1102230246251565e-16 - 0.5)
"""


def _mixed(z: np.ndarray) -> np.ndarray:
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(multiplier)
    return z ^ (z >> np.uint64(31))


def white_noise(
    deviation: Any, seed: Any, presentation: Any, step: Any, layer: Any, unit: Any
) -> np.ndarray:
    """Return uniform noise around zero; each combination of the arguments has its own.

    Parameters
    ----------
    deviation : float or array
        Standard deviation.
    seed : int
        Less than 2^31.
    presentation, step, layer, unit : int or array of int
        What it is for: the presentation, its time step (less than 65,536), the layer (less than
        256), and the unit within all replicas.

    Returns
    -------
    array
        Between -sqrt(3) and sqrt(3) times the standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.noise import white_noise
    >>> noise = white_noise(0.5, 0, 7, 3, 1, np.arange(100_000))
    >>> abs(float(noise.mean())) < 0.01, round(float(noise.std()), 2)
    (True, 0.5)
    """
    presentation, step, layer, seed, unit = (
        np.asarray(value).astype(np.uint64) for value in (presentation, step, layer, seed, unit)
    )
    with np.errstate(over="ignore"):  # as unsigned numbers do in C
        when = (presentation << np.uint64(24)) + (step << np.uint64(8)) + layer
        where = (seed << np.uint64(32)) + unit
        number = _mixed(_mixed(when * np.uint64(_G) + where) + where)
    uniform = (number >> np.uint64(11)).astype(float) * 2.0**-53 - 0.5
    return np.asarray(deviation, float) * 12**0.5 * uniform


#: The function for Brian2's equations.
NOISE = Function(
    white_noise,
    arg_units=[1] * 6,
    arg_names=["deviation", "seed", "presentation", "step", "layer", "unit"],
    arg_types=["float", *["integer"] * 5],
    return_unit=1,
    return_type="float",
)
#: What tells programs with one version of it from those with another.
NOISE.known_as = f"white_noise{_C}"
NOISE.implementations.add_implementation("cpp", _C)
NOISE.implementations.add_implementation("cython", _CYTHON)

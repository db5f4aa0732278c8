"""Noise that is the same on every run: a function of what it is for, and not of what came before.

Numbers come from hashing a counter (two rounds of splitmix64, Steele, Lea & Flood 2014), so that
nothing has to be saved for a run to go on with the same noise, and C++ and numpy agree to the last
bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.functions import Function

__all__ = ["FUNCTIONS", "binomial_count", "poisson_count", "white_noise"]

_G = 0x9E3779B97F4A7C15
_MULTIPLIERS = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

_HASH_C = """
static inline uint64_t _mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

// Uniform in [0, 1).
static inline double _uniform(int64_t seed, int64_t presentation, int64_t step, int64_t layer,
                              int64_t unit)
{
    const uint64_t when = ((uint64_t)presentation << 24) + ((uint64_t)step << 8) + (uint64_t)layer;
    const uint64_t where = ((uint64_t)seed << 32) + (uint64_t)unit;
    const uint64_t hash = _mixed(_mixed(when * 0x9E3779B97F4A7C15ULL + where) + where);
    return (double)(hash >> 11) * 1.1102230246251565e-16;
}
"""
_HASH_CYTHON = """
from libc.stdint cimport int64_t, uint64_t

cdef uint64_t _mixed(uint64_t z):
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return z ^ (z >> 31)

cdef double _uniform(int64_t seed, int64_t presentation, int64_t step, int64_t layer, int64_t unit):
    cdef uint64_t when = (<uint64_t>presentation << 24) + (<uint64_t>step << 8) + <uint64_t>layer
    cdef uint64_t where = (<uint64_t>seed << 32) + <uint64_t>unit
    cdef uint64_t hash = _mixed(_mixed(when * <uint64_t>0x9E3779B97F4A7C15ULL + where) + where)
    return <double>(hash >> 11) * 1.1102230246251565e-16
"""
_PLACE_C = "int64_t seed, int64_t presentation, int64_t step, int64_t layer, int64_t unit"
_NOISE_C = f"""
static inline double white_noise(double deviation, {_PLACE_C})
{{
    if (deviation == 0)
        return 0;
    return deviation * 3.4641016151377544 * (_uniform(seed, presentation, step, layer, unit) - 0.5);
}}
"""
_NOISE_CYTHON = f"""
cdef double white_noise(double deviation, {_PLACE_C}):
    if deviation == 0:
        return 0
    return deviation * 3.4641016151377544 * (_uniform(seed, presentation, step, layer, unit) - 0.5)
"""
# Both counts go through the distribution until it exceeds the uniform number. The binomial one does
# so from the side that is nearer, where no term vanishes.
_BINOMIAL_C = f"""
static inline double binomial_count(int64_t trials, double p, {_PLACE_C})
{{
    const double u = _uniform(seed, presentation, step, layer, unit);
    p = p < 0 ? 0 : p > 1 ? 1 : p;
    if (trials == 1)
        return u < p ? 1 : 0;
    const double q = p > 0.5 ? 1 - p : p, odds = q / (1 - q);
    double term = pow(1 - q, (double)trials), sum = term;
    int64_t count = 0;
    while (u >= sum && count < trials)
    {{
        term *= odds * (double)(trials - count) / (double)(count + 1);
        sum += term;
        count++;
    }}
    return (double)(p > 0.5 ? trials - count : count);
}}
"""
_BINOMIAL_CYTHON = f"""
cdef double binomial_count(int64_t trials, double p, {_PLACE_C}):
    cdef double u = _uniform(seed, presentation, step, layer, unit)
    p = 0 if p < 0 else 1 if p > 1 else p
    if trials == 1:
        return 1 if u < p else 0
    cdef double q = 1 - p if p > 0.5 else p
    cdef double odds = q / (1 - q)
    cdef double term = (1 - q) ** <double>trials
    cdef double total = term
    cdef int64_t count = 0
    while u >= total and count < trials:
        term *= odds * (<double>(trials - count)) / (<double>(count + 1))
        total += term
        count += 1
    return trials - count if p > 0.5 else count
"""
_POISSON_C = f"""
static inline double poisson_count(double mean, {_PLACE_C})
{{
    const double u = _uniform(seed, presentation, step, layer, unit);
    double term = exp(-mean), sum = term;
    int64_t count = 0;
    while (u >= sum && term > 1e-30)
    {{
        count++;
        term *= mean / (double)count;
        sum += term;
    }}
    return (double)count;
}}
"""
_POISSON_CYTHON = f"""
from libc.math cimport exp as _exp

cdef double poisson_count(double mean, {_PLACE_C}):
    cdef double u = _uniform(seed, presentation, step, layer, unit)
    cdef double term = _exp(-mean)
    cdef double total = term
    cdef int64_t count = 0
    while u >= total and term > 1e-30:
        count += 1
        term *= mean / <double>count
        total += term
    return count
"""


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
    >>> from ghost_spiking.dense.noise import white_noise
    >>> noise = white_noise(0.5, 0, 7, 3, 1, np.arange(100_000))
    >>> abs(float(noise.mean())) < 0.01, round(float(noise.std()), 2)
    (True, 0.5)
    """
    uniform = _uniform(seed, presentation, step, layer, unit) - 0.5
    return np.asarray(deviation, float) * 12**0.5 * uniform


def binomial_count(
    trials: Any, p: Any, seed: Any, presentation: Any, step: Any, layer: Any, unit: Any
) -> np.ndarray:
    """Return how many of some independent trials succeed; arguments as for `white_noise`.

    Parameters
    ----------
    trials : int or array of int
        Their number.
    p : float or array
        Probability that one succeeds; what is below 0 or above 1 counts as these.
    seed, presentation, step, layer, unit : int or array of int
        What it is for.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.dense.noise import binomial_count
    >>> counts = binomial_count(3, 0.5, 0, 7, 3, 1, np.arange(100_000))
    >>> [round(float((counts == k).mean()), 2) for k in range(4)]
    [0.12, 0.38, 0.37, 0.12]
    """
    u = _uniform(seed, presentation, step, layer, unit)
    trials, p, u = np.broadcast_arrays(trials, np.clip(np.asarray(p, float), 0, 1), u)
    q = np.where(p > 0.5, 1 - p, p)
    odds, term = q / (1 - q), (1 - q) ** trials
    total, count = term.copy(), np.zeros(u.shape)
    while (going := (u >= total) & (count < trials)).any():
        term = np.where(going, term * odds * (trials - count) / (count + 1), term)
        total = np.where(going, total + term, total)
        count += going
    return np.where(trials == 1, (u < p).astype(float), np.where(p > 0.5, trials - count, count))


def poisson_count(
    mean: Any, seed: Any, presentation: Any, step: Any, layer: Any, unit: Any
) -> np.ndarray:
    """Return Poisson counts; arguments as for `white_noise`.

    Parameters
    ----------
    mean : float or array
        Their mean, at most 500 or so.
    seed, presentation, step, layer, unit : int or array of int
        What it is for.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.dense.noise import poisson_count
    >>> counts = poisson_count(3.0, 0, 7, 3, 1, np.arange(100_000))
    >>> round(float(counts.mean()), 1), round(float(counts.var()), 1)
    (3.0, 3.0)
    """
    mean, u = np.broadcast_arrays(
        np.asarray(mean, float), _uniform(seed, presentation, step, layer, unit)
    )
    term = np.exp(-mean)
    total, count = term.copy(), np.zeros(u.shape)
    while (going := (u >= total) & (term > 1e-30)).any():
        count += going
        term = np.where(going, term * mean / np.maximum(count, 1), term)
        total = np.where(going, total + term, total)
    return count


def mixed(z: np.ndarray) -> np.ndarray:
    """Return 64 bits mixed, which is splitmix64's last step.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.dense.noise import mixed
    >>> hex(mixed(np.uint64(1)))
    '0x5692161d100b05e5'
    """
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(multiplier)
    return z ^ (z >> np.uint64(31))


def _uniform(seed: Any, presentation: Any, step: Any, layer: Any, unit: Any) -> np.ndarray:
    """Return uniform numbers in [0, 1)."""
    presentation, step, layer, seed, unit = (
        np.asarray(value).astype(np.uint64) for value in (presentation, step, layer, seed, unit)
    )
    with np.errstate(over="ignore"):  # as unsigned numbers do in C
        when = (presentation << np.uint64(24)) + (step << np.uint64(8)) + layer
        where = (seed << np.uint64(32)) + unit
        number = mixed(mixed(when * np.uint64(_G) + where) + where)
    return np.asarray((number >> np.uint64(11)).astype(float) * 2.0**-53)


_PLACE = ["seed", "presentation", "step", "layer", "unit"]


def _function(python: Any, first: dict[str, str], c: str, cython: str, **known: Any) -> Function:
    """Return a function for Brian2's equations, in all its languages."""
    function = Function(
        python,
        arg_units=[1] * (len(first) + 5),
        arg_names=[*first, *_PLACE],
        arg_types=[*first.values(), *["integer"] * 5],
        return_unit=1,
        return_type="float",
    )
    # What tells programs with one version of it from those with another.
    function.known_as = f"{python.__name__}{_HASH_C}{c}"
    function.implementations.add_implementation("cpp", c, **known)
    function.implementations.add_implementation("cython", cython, **known)
    return function


#: What the others need in C.
_HASH = _function(_uniform, {}, _HASH_C, _HASH_CYTHON)
_NEEDED = {"dependencies": {"_uniform": _HASH}}

#: Functions for Brian2's equations, by name.
FUNCTIONS = {
    "white_noise": _function(
        white_noise, {"deviation": "float"}, _NOISE_C, _NOISE_CYTHON, **_NEEDED
    ),
    "binomial_count": _function(
        binomial_count, {"trials": "integer", "p": "float"}, _BINOMIAL_C, _BINOMIAL_CYTHON,
        **_NEEDED,
    ),
    "poisson_count": _function(
        poisson_count, {"mean": "float"}, _POISSON_C, _POISSON_CYTHON, **_NEEDED
    ),
}  # fmt: skip

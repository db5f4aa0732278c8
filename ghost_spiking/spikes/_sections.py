"""The section ``[spikes]`` of a specification: how units send spikes, in ms, mV and Hz."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from .._checks import Count, Flag, NotNegative, Number, Positive, Section, message
from ..exceptions import SpecificationError

__all__ = [
    "LIF",
    "MECHANISMS",
    "UNITS",
    "Bernoulli",
    "Change",
    "Poisson",
    "RandomSpikes",
    "Spikes",
    "section_of",
]


class Spikes(Section):
    """How units send spikes; the fields that all mechanisms share.

    Attributes
    ----------
    mechanism : str
        Its name.
    dt : float
        Duration of a time step, in ms.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(sizes=(784, 500, 10), spikes="lif")
    >>> specification.spikes.neurons, specification.spikes.membrane_time
    (3, 10.0)
    """

    summary: ClassVar[str]
    #: Whether spikes are random, so that what receives them has to average over time.
    random: ClassVar[bool] = False

    mechanism: str
    dt: Positive = 5.0


class RandomSpikes(Spikes, ABC):
    """Mechanisms with random spikes, which currents and traces smooth.

    Attributes
    ----------
    neurons : int
        Neurons of a unit.
    synaptic_time, trace_time : float
        As for `Poisson`.
    shared_noise : bool
        Whether units that have a partner in the model share its noise: both have the
        same random numbers, as from a common input, and spike alike when their states are alike.

    Examples
    --------
    >>> from ghost_spiking.spikes import MECHANISMS, RandomSpikes
    >>> [name for name, section in MECHANISMS.items() if issubclass(section, RandomSpikes)]
    ['poisson', 'bernoulli', 'lif']
    """

    random: ClassVar[bool] = True

    neurons: Count
    synaptic_time: Positive = 10.0
    trace_time: Positive = 15.0
    shared_noise: Flag = False

    @property
    @abstractmethod
    def largest_count(self) -> float:
        """Mean number of spikes of a unit in a time step, at a rate of 1."""

    @model_validator(mode="after")
    def _check_times(self) -> RandomSpikes:
        for name in ("synaptic_time", "trace_time"):
            if getattr(self, name) < self.dt:
                raise ValueError(
                    f"{name}: must be at least a time step, dt = {self.dt:g} ms, "
                    f"got {getattr(self, name):g}"
                )
        return self


class _Counted(RandomSpikes):
    """Pools of neurons of which only the count is drawn, so that their number costs nothing."""

    peak_rate: Positive

    @property
    def largest_count(self) -> float:
        return self.neurons * self.peak_rate * self.dt / 1000


class Poisson(_Counted):
    """Each unit is a pool of neurons with Poisson spikes.

    Attributes
    ----------
    neurons : int
        Neurons of a unit.
    peak_rate : float
        Rate at which each of them fires if the rate of the unit is 1, in Hz.
    synaptic_time : float
        Time constant of the currents that spikes cause, in ms.
    trace_time : float
        Time constant of each of the two stages of the trace that spikes leave for the learning
        rules, in ms.
    shared_noise : bool
        As for `RandomSpikes`.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(784, 500, 10), spikes="poisson").spikes.largest_count
    3.0
    """

    summary: ClassVar[str] = "pools of Poisson neurons"

    mechanism: Literal["poisson"] = "poisson"
    neurons: Count = 30
    peak_rate: Positive = 20.0
    synaptic_time: Positive = 15.0

    @model_validator(mode="after")
    def _check_count(self) -> Poisson:
        if self.largest_count > 500:
            raise ValueError(
                "neurons * peak_rate * dt / 1000: means of up to 500 spikes of a unit in a time "
                f"step can be drawn, got {self.largest_count:g}"
            )
        return self


class Bernoulli(_Counted):
    """Each unit is a pool of neurons that fire in a time step, or don't, independently.

    Attributes
    ----------
    neurons, peak_rate, synaptic_time, trace_time, shared_noise
        As for `Poisson`; no neuron fires more than once in a time step.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(784, 500, 10), spikes="bernoulli").spikes.neurons
    1
    """

    summary: ClassVar[str] = "neurons that fire independently in each time step"

    mechanism: Literal["bernoulli"] = "bernoulli"
    neurons: Count = 1
    peak_rate: Positive = 200.0

    @model_validator(mode="after")
    def _check_probability(self) -> Bernoulli:
        if self.peak_rate * self.dt > 1000 * (1 + 1e-12):
            raise ValueError(
                f"peak_rate: a neuron fires at most once in a time step of {self.dt:g} ms, so at "
                f"most {1000 / self.dt:g} Hz, got {self.peak_rate:g}"
            )
        return self


class LIF(RandomSpikes):
    """Each unit is a pool of leaky integrate-and-fire neurons, see `dense.NeuronPool`.

    By default, their mean response to a drive is the sigmoid, but for 0.015 (root mean square).

    Attributes
    ----------
    neurons : int
        Neurons of a unit. All have the drive of the unit, and noise of their own.
    membrane_time : float
        Time constant of their membranes, in ms.
    resting, threshold, reset : float
        Resting potential, threshold, and potential after a spike, in mV.
    offset, gain : float
        What drives them, ``offset + gain * s``, in mV.
    noise : float
        Standard deviation that the noise gives to a membrane without threshold, in mV.
    synaptic_time, trace_time, shared_noise
        As for `Poisson`.

    Examples
    --------
    >>> from ghost_spiking.spikes import LIF
    >>> LIF().threshold - LIF().reset
    15.0
    """

    summary: ClassVar[str] = "pools of leaky integrate-and-fire neurons"

    mechanism: Literal["lif"] = "lif"
    neurons: Count = 3
    membrane_time: Positive = 10.0
    resting: Number = -65.0
    threshold: Number = -50.0
    reset: Number = -65.0
    offset: Number = 30.0
    gain: Positive = 16.875
    noise: NotNegative = 15.0

    @property
    def largest_count(self) -> float:
        return float(self.neurons)

    @model_validator(mode="after")
    def _check_potentials(self) -> LIF:
        if self.reset >= self.threshold:
            raise ValueError(
                f"reset: must be below the threshold of {self.threshold:g} mV, got {self.reset:g}"
            )
        if self.membrane_time < self.dt:
            raise ValueError(
                f"membrane_time: must be at least a time step, dt = {self.dt:g} ms, "
                f"got {self.membrane_time:g}"
            )
        return self


class Change(Spikes):
    """Units send how much their rate has changed, in whole numbers of a step; nothing is random.

    Attributes
    ----------
    levels : int
        Steps between the rates 0 and 1.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(784, 500, 10), spikes="change").spikes.levels
    16
    """

    summary: ClassVar[str] = "graded events when a rate changes"

    mechanism: Literal["change"] = "change"
    levels: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 16


#: Units of fields, by dotted path, for the axes of studies.
UNITS = {
    f"spikes.{name}": unit
    for unit, names in {
        "ms": ("dt", "synaptic_time", "trace_time", "membrane_time"),
        "mV": ("resting", "threshold", "reset", "offset", "gain", "noise"),
        "Hz": ("peak_rate",),
        "neurons": ("neurons",),
        "levels": ("levels",),
    }.items()
    for name in names
}

#: Sections by mechanism.
MECHANISMS: dict[str, type[Spikes]] = {
    "poisson": Poisson,
    "bernoulli": Bernoulli,
    "lif": LIF,
    "change": Change,
}


def section_of(given: Any) -> Spikes | None:
    """Return the section that a mechanism's name, or a table of fields, stands for; "none" is None.

    Raises
    ------
    SpecificationError
        A mechanism or field that there is not, or a value out of range.

    Examples
    --------
    >>> from ghost_spiking.spikes import section_of
    >>> section_of({"mechanism": "bernoulli", "neurons": 2}).neurons
    2
    >>> section_of("none") is None
    True
    """
    if given is None or isinstance(given, Spikes):
        return given
    fields = {"mechanism": given} if isinstance(given, str) else given
    if not isinstance(fields, Mapping):
        raise SpecificationError(
            f"spikes: needs the name of a mechanism or a table of fields, got {given!r}"
        )
    name = fields.get("mechanism")
    known = ", ".join(MECHANISMS)
    if name is None:
        raise SpecificationError(f"spikes.mechanism: is missing; one of {known}")
    if name == "none":
        if len(fields) > 1:
            raise SpecificationError("spikes.mechanism: 'none' has no other fields")
        return None
    if not isinstance(name, str) or name not in MECHANISMS:
        close = difflib.get_close_matches(str(name), MECHANISMS, 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise SpecificationError(f"spikes.mechanism: '{name}' is not one of {known}, none{hint}")
    section = MECHANISMS[name]
    for key in fields:
        if key not in section.model_fields:
            raise SpecificationError(
                f"spikes: '{name}' has no field '{key}'; it has {', '.join(section.model_fields)}"
            )
    try:
        return section.model_validate(dict(fields))
    except ValidationError as error:
        texts = [
            f"spikes.{one['msg'].removeprefix('Value error, ')}"
            if one["type"] == "value_error"
            else message(one, "spikes")
            for one in error.errors()
        ]
        raise SpecificationError("\n".join(texts)) from None

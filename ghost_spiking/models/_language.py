"""The language that models are written in: populations and projections, as Brian2 strings.

A `Layout` says all there is to one network: what its populations and projections are, with which
values they start, and what is read out when. The rest of the package reads it, and knows no
model. Nothing here knows Brian2 either.

Units have replicas, one for each image of a mini-batch, so sizes are units of one replica. The
names of the two clamped populations, whose variable ``rate`` shows images and targets, are
`STIMULUS` and `TARGETS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol as Interface

import numpy as np

__all__ = [
    "BIAS_UNIT",
    "DT",
    "STIMULUS",
    "TARGETS",
    "Constant",
    "CopyOf",
    "Layout",
    "Normal",
    "Phase",
    "Pool",
    "Population",
    "Projection",
    "Readout",
    "Rounding",
    "Signal",
    "Silenced",
    "Start",
    "Uniform",
]

#: The population that shows images; its variables ``step`` and ``presentation`` count the time
#: steps of a presentation and the presentations of a run.
STIMULUS = "stimulus"
#: The population that shows what the output should be.
TARGETS = "targets"
#: Time step in seconds. Simulated time is arbitrary without spikes; what matters is dt / tau.
DT = 1e-3
#: By convention, the population of one unit whose rate is always 1; a bias is its weight.
BIAS_UNIT = "bias_unit"

_SUM = re.compile(r"^\s*(\w+)_(pre|post)\s*=.*:\s*(.+?)\s*\(summed\)\s*$", re.MULTILINE)
_RULE = re.compile(r"^\s*d(\w+)/dt\s*=.*$", re.MULTILINE)


# -- how weights start ----------------------------------------------------------------


class Start(Interface):
    """How the weights of a projection start; ``str`` says it for a model description."""

    def draw(
        self,
        generator: np.random.Generator,
        shape: tuple[int, int],
        drawn: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        """Return weights of this shape, (n_post, n_pre); `drawn` has those of earlier projections.

        Examples
        --------
        >>> import numpy as np
        >>> from ghost_spiking.models import Constant
        >>> Constant(0.5).draw(np.random.default_rng(0), (1, 2), {})
        array([[0.5, 0.5]])
        """
        ...


@dataclass(frozen=True)
class Uniform:
    """Uniform between -bound and bound; with `positive`, the magnitude of that.

    Examples
    --------
    >>> from ghost_spiking.models import Uniform
    >>> str(Uniform(0.25))
    'uniform in [-0.25, 0.25]'
    """

    bound: float
    positive: bool = False

    def draw(
        self,
        generator: np.random.Generator,
        shape: tuple[int, int],
        drawn: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        """Return weights, see `Start`."""
        values = generator.uniform(-self.bound, self.bound, size=shape)
        return np.abs(values) if self.positive else values

    def __str__(self) -> str:
        low = "0" if self.positive else f"{-self.bound:.4g}"
        return f"uniform in [{low}, {self.bound:.4g}]"

    @classmethod
    def glorot(cls, n_pre: int, n_post: int, gain: float = 1.0, **options: bool) -> Uniform:
        """Return the distribution with the bound gain * sqrt(6 / (n_pre + n_post)).

        Examples
        --------
        >>> from ghost_spiking.models import Uniform
        >>> float(Uniform.glorot(4, 2).bound)
        1.0
        """
        return cls(gain * np.sqrt(6 / (n_pre + n_post)), **options)


@dataclass(frozen=True)
class Normal:
    """Normal around zero.

    Examples
    --------
    >>> from ghost_spiking.models import Normal
    >>> str(Normal(0.1))
    'normal, standard deviation 0.1'
    """

    deviation: float

    def draw(
        self,
        generator: np.random.Generator,
        shape: tuple[int, int],
        drawn: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        """Return weights, see `Start`."""
        return generator.normal(0, self.deviation, size=shape)

    def __str__(self) -> str:
        return f"normal, standard deviation {self.deviation:.4g}"


@dataclass(frozen=True)
class Constant:
    """The same value everywhere.

    Examples
    --------
    >>> from ghost_spiking.models import Constant
    >>> str(Constant(0.0))
    '0'
    """

    value: float

    def draw(
        self,
        generator: np.random.Generator,
        shape: tuple[int, int],
        drawn: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        """Return weights, see `Start`."""
        return np.full(shape, self.value)

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class CopyOf:
    """What another projection, further ahead in the layout, starts with, times a gain.

    Examples
    --------
    >>> from ghost_spiking.models import CopyOf
    >>> str(CopyOf("feedforward_2", transposed=True))
    'copy of the transpose of feedforward_2'
    """

    projection: str
    transposed: bool = False
    gain: float = 1.0

    def draw(
        self,
        generator: np.random.Generator,
        shape: tuple[int, int],
        drawn: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        """Return weights, see `Start`."""
        weights = drawn[self.projection]
        weights = (weights.T if self.transposed else weights).copy()
        return weights if self.gain == 1 else self.gain * weights

    def __str__(self) -> str:
        times = "" if self.gain == 1 else f"{self.gain:.4g} times the "
        return f"{times}copy of {'the transpose of ' * self.transposed}{self.projection}"


@dataclass(frozen=True)
class Silenced:
    """Values of a population's variable: 0 for a random fraction of the units, 1 for the others.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.models import Silenced
    >>> int(Silenced(0.3).draw(np.random.default_rng(0), 10).sum())
    7
    """

    fraction: float

    def draw(self, generator: np.random.Generator, n_units: int) -> np.ndarray:
        """Return the values, shape (n_units,).

        Examples
        --------
        >>> Silenced(0.5).draw(np.random.default_rng(0), 2).sum()
        np.float64(1.0)
        """
        values = np.ones(n_units)
        values[generator.permutation(n_units)[: round(self.fraction * n_units)]] = 0.0
        return values


# -- the network ----------------------------------------------------------------------


@dataclass(frozen=True)
class Pool:
    """Integrate-and-fire neurons of a population's units, see `ghost_spiking.dense.NeuronPool`.

    Attributes
    ----------
    name : str
        Name of the Brian2 object.
    neurons : int
        Neurons of each unit.
    drive : str
        Expression of the unit's variables.
    count : str
        Variable that is told how many neurons have fired.
    step, presentation, seed : str
        Scalar variables of the population for random numbers.
    stream : int
        Number of the pool.
    equations : str
        What its neurons do, for people.
    parameters : mapping
        Values in volts and seconds.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> layout = Specification.create(sizes=(4, 3, 2), spikes="lif").layout
    >>> [item.pool.name for item in layout.populations if item.pool]
    ['pyramidal_1_neurons', 'pyramidal_2_neurons', 'ghost_2_neurons']
    """

    name: str
    neurons: int
    drive: str
    count: str
    step: str
    presentation: str
    seed: str
    stream: int
    equations: str
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Population:
    """Units with the same equations.

    Attributes
    ----------
    name : str
        Name of the Brian2 group.
    size : int
        Units in one replica.
    equations : str
        Brian2 equations. Variables that projections sum into are declared by the builder.
    description : str
        What these units are, for people.
    states : tuple of str
        State variables. They start each presentation at 0, and are watched for divergence.
    links : mapping
        For each ``(linked)`` variable, ``"population.variable"``.
    parameters : mapping
        Values of ``(constant, shared)`` variables; they are set when a program starts.
    drawn : mapping
        Values for each unit that are drawn with the seed of the network.
    updates : mapping
        Statements that run in every time step, by the slot of Brian2's schedule: ``"start"`` is
        before anything moves, ``"after_groups"`` after states have moved.
    order : int
        Order of the update within Brian2's slot ``groups``.
    replicated : bool
        Whether there is a replica for each image; otherwise there is one for all.
    pool : Pool or None
        Neurons that stand for its units.
    partner : str
        The population, of as many units, whose noise its units share if spikes are to; or none.

    Examples
    --------
    >>> from ghost_spiking.models import Population
    >>> unit = Population("bias_unit", 1, "rate = 1.0 : 1 (constant over dt)")
    >>> unit.states, unit.replicated
    ((), True)
    """

    name: str
    size: int
    equations: str
    description: str = ""
    states: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    drawn: Mapping[str, Silenced] = field(default_factory=dict)
    updates: Mapping[str, str] = field(default_factory=dict)
    order: int = 0
    replicated: bool = True
    pool: Pool | None = None
    partner: str = ""


@dataclass(frozen=True)
class Projection:
    """All-to-all connections from one population to another.

    Attributes
    ----------
    name : str
        Name of the Brian2 object, unique in the layout.
    source, target : str
        Names of populations.
    equations : str
        Brian2 equations with ``_pre`` and ``_post``: sums ``x_post = ... : 1 (summed)`` and
        rules ``dw/dt = ... : 1 (clock-driven)``. Projections that sum into the same
        variable add up.
    start : Start or None
        How the weights ``w`` start; None if there are none.
    eta : float or None
        Value of the shared parameter ``eta``, the learning rate; None if nothing is learned.
    rate_field : str
        The field of the specification that `eta` comes from, for messages.
    rates : mapping
        Further learning rates: values of ``(constant, shared)`` variables that, as `eta`, are 0
        while nothing is learned.
    parameters : mapping
        Values of other ``(constant, shared)`` variables.
    constraint : str
        Statement that holds after each change of the weights, such as ``"w = clip(w, 0, 1)"``.
    always : bool
        Whether the rule also acts while the network does not learn; changes are forgotten then.
    phase, equation : str
        When the rule acts, and its number in the source, for people.
    """

    name: str
    source: str
    target: str
    equations: str
    start: Start | None = None
    eta: float | None = None
    rate_field: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    constraint: str = ""
    always: bool = False
    phase: str = ""
    equation: str = ""

    @property
    def kind(self) -> str:
        """The name without the numbers of layers.

        Examples
        --------
        >>> from ghost_spiking.models import Projection
        >>> Projection("feedforward_0_2", "a", "b", "").kind
        'feedforward'
        """
        return re.sub(r"(_\d+)+$", "", self.name)

    @property
    def sums(self) -> tuple[tuple[str, str, str], ...]:
        """Variable, side (``"pre"`` or ``"post"``) and unit of each summed variable.

        Examples
        --------
        >>> from ghost_spiking.models import Projection
        >>> Projection("p", "a", "b", "drive_post = w * rate_pre : 1 (summed)").sums
        (('drive', 'post', '1'),)
        """
        return tuple(match.groups() for match in _SUM.finditer(self.equations))  # type: ignore[misc]

    @property
    def rules(self) -> tuple[str, ...]:
        """The lines of the equations that change matrices, as they run."""
        return tuple(match.group().strip() for match in _RULE.finditer(self.equations))


@dataclass(frozen=True)
class Phase:
    """A part of a presentation; `steps` is its length in time steps.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> [phase.name for phase in Specification.create(sizes=(4, 3, 2)).layout.phases]
    ['prediction', 'nudging']
    """

    name: str
    steps: int


@dataclass(frozen=True)
class Readout:
    """What the network answers: an expression of a population's variables.

    It is read at the end of the time step in which `condition`, a shared expression, holds.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(4, 3, 2)).layout.readout.condition
    'step == prediction_steps - 1'
    """

    population: str
    expression: str
    condition: str


@dataclass(frozen=True)
class Signal:
    """A variable of a layer's units that can be recorded.

    Attributes
    ----------
    name : str
        By convention ``"state"`` is the state of a unit, and ``"error"`` its error.
    label : str
        Name for people; ``""`` if its units are not those of the layer, and can't be drawn beside
        them.
    population, variable : str
        Where it is.
    panel : int
        Panel of a drawing, from the top: 0 for states, 1 for feedback, 2 for the error.
    dashed : bool
        Whether it is drawn with a dashed line.

    Examples
    --------
    >>> from ghost_spiking.models import Signal
    >>> Signal("error", "error, e", "pyramidal_1", "error").key
    'pyramidal_1.error'
    """

    name: str
    label: str
    population: str
    variable: str
    panel: int = 0
    dashed: bool = False

    @property
    def key(self) -> str:
        """Name of the variable within the network, ``"population.variable"``."""
        return f"{self.population}.{self.variable}"


@dataclass(frozen=True)
class Rounding:
    """Weights of a few bits, see `ghost_spiking.dense.WeightRounding`.

    Attributes
    ----------
    counters : str
        Population with the shared variables that the next three name.
    when, presentation, seed : str
        When weights are rounded, and what random numbers depend on.
    levels : int
        Values on each side of 0.
    largest : float
        The largest weight, in units of sqrt(6 / (n_pre + n_post)).

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(4, 3, 2), weight_bits=8).layout.rounding.levels
    127
    """

    counters: str
    when: str
    presentation: str
    seed: str
    levels: int
    largest: float

    def of(self, projection: Projection) -> str:
        """Return the name of the object that rounds a projection's weights, or an empty one."""
        rounded = projection.start is not None and not projection.kind.endswith("bias")
        return f"{projection.name}_rounding" if rounded else ""


@dataclass(frozen=True)
class Layout:
    """A network: all that its programs are made of, and the values that they are run with.

    Attributes
    ----------
    n_inputs, n_outputs : int
        Units that are clamped to images and to targets.
    batch_size : int
        Replicas.
    phases : tuple of Phase
        The phases of a presentation, in turn. Without nudging, there is only the first.
    populations, projections : tuple
        Their parts. Weights are drawn in the order of the projections.
    readout : Readout
        What the network answers.
    seeds : tuple of str
        Integer parameters, ``"population.variable"``, that are told the seed of the simulation,
        for `ghost_spiking.dense.noise`.
    ages : tuple of str
        Integer parameters, ``"population.variable"``, that are told how many presentations the
        network has learned from before.
    dt : float
        Duration of a time step in seconds.
    rounding : Rounding or None
        How weights are rounded, if they have a few bits only.
    onset : int
        Presentations after which everything learns that ever does.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> layout = Specification.create(sizes=(4, 3, 2)).layout
    >>> [item.name for item in layout.plastic][:3]
    ['feedforward_1', 'feedforward_2', 'ghost_forward_2']
    >>> layout.states
    ('pyramidal_1.s', 'pyramidal_2.s', 'ghost_2.g')
    """

    n_inputs: int
    n_outputs: int
    batch_size: int
    phases: tuple[Phase, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    readout: Readout
    seeds: tuple[str, ...] = ()
    ages: tuple[str, ...] = ()
    dt: float = DT
    rounding: Rounding | None = None
    onset: int = 0

    @property
    def plastic(self) -> tuple[Projection, ...]:
        """Projections that learn."""
        return tuple(item for item in self.projections if item.eta is not None)

    @property
    def adapts(self) -> bool:
        """Whether some weights follow each mini-batch even while the network does not learn."""
        return any(item.always for item in self.projections)

    @property
    def states(self) -> tuple[str, ...]:
        """All state variables, as ``"population.variable"``."""
        return tuple(f"{item.name}.{state}" for item in self.populations for state in item.states)

    def size(self, population: str) -> int:
        """Return the number of units of a population, of the clamped ones too."""
        clamped = {STIMULUS: self.n_inputs, TARGETS: self.n_outputs}
        return clamped.get(population) or next(
            item.size for item in self.populations if item.name == population
        )

    def projection(self, name: str) -> Projection:
        """Return the projection of this name."""
        return next(item for item in self.projections if item.name == name)

    @property
    def identity(self) -> str:
        """All there is to the network, values too; two with the same are one network."""
        return repr(self)

    @property
    def text(self) -> str:
        """All that a program is made of, without the values that it is given when it starts.

        Two networks with the same text run the same program.
        """
        lines = [f"{self.n_inputs} {self.n_outputs} {self.batch_size} {self.readout} {self.dt}"]
        for unit in self.populations:
            facts = (unit.name, unit.size, unit.replicated, unit.order, unit.states)
            tables = (unit.links, unit.updates, dict.fromkeys(unit.drawn))
            lines += [repr(facts), *(repr(sorted(table.items())) for table in tables)]
            lines += [unit.equations, repr(unit.pool and replace(unit.pool, parameters={}))]
        for item in self.projections:
            lines.append(
                f"{item.name} {item.source} {item.target} {item.constraint}\n{item.equations}"
            )
        lines.append(repr(self.rounding and replace(self.rounding, levels=0, largest=0.0)))
        return "\n".join(lines)

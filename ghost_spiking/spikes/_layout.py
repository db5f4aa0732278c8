"""From the layout of a model to one whose units send spikes.

What a model writes stays: `rate` is what a unit would send if it were a rate unit, and from it
come its ``spikes``, the count of this step over its largest mean. What is new follows five rules,
each of which removes a bias or a noise that ruins learning:

* projections carry ``spikes``, and what they cause in a population of units is a current that
  decays, so that states see smooth inputs;
* the pre-synaptic factor of a learning rule is a trace that spikes leave, read before this step's
  spikes reach it: otherwise the same spikes would be on both sides of a product, whose mean is
  then not the product of the means;
* the post-synaptic factor, an error say, is formed anew from this step's spikes, without the
  currents: it has the right mean, and no memory;
* ``slope`` stays the derivative at the state, which is less noisy than spikes;
* what is read out is the count over the second half of the first phase.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..exceptions import SpecificationError
from ..models._language import STIMULUS, Layout, Pool, Population, Projection, Readout
from ._sections import LIF, Bernoulli, Change, Poisson, RandomSpikes, Spikes
from ._text import (
    expression_of,
    is_between_0_and_1,
    joined,
    line_of,
    renamed,
    subexpressions,
    uses,
    with_spikes,
)

__all__ = ["spiking"]

#: The population that counts for all pools.
CLOCKWORK = "spiking"
_CLOCKWORK = """
step : integer (linked)
presentation : integer (linked)
spike_seed : integer (constant, shared)
presented : integer (constant, shared)
counted_from : integer (constant, shared)
counted_until : integer (constant, shared)
age = presentation + presented : integer (shared)
counting = int(step >= counted_from) * int(step < counted_until) : 1 (shared)
counted_steps = counted_until - counted_from : integer (shared)
"""
#: What every population of spiking units knows of it.
_KNOWN = """
spike_step : integer (linked)
spike_age : integer (linked)
spike_seed : integer (linked)
"""
_COUNTS = {
    "poisson": "poisson_count(largest_count * rate, {place})",
    "bernoulli": "binomial_count({neurons}, largest_count * rate / {neurons}, {place})",
}
_PLACE = "spike_seed, spike_age, spike_step, {stream}, i"
_DRAWN = "spikes = {count} / largest_count : 1 (constant over dt)\n"
_FIRED = "fired : 1\nspikes = fired / largest_count : 1\n"
_LIF = """
dv/dt = (resting - v + offset + gain * drive) / membrane_time \
+ noise * sqrt(2 / membrane_time) * xi : volt
threshold: v >= threshold
reset: v = reset
"""
_LARGEST = "largest_count : 1 (constant, shared)\n"
_CURRENT = """
d{name}/dt = ({raw} - {name}) / synaptic_time : 1
"""
_SYNAPTIC_TIME = "synaptic_time : second (constant, shared)\n"
#: What a unit makes of its own spikes, where its equations compare its rate with something.
_SMOOTHED = """
dsmoothed/dt = (spikes - smoothed) / synaptic_time : 1
"""
_TRACE = """
drise/dt = (spikes - rise) / trace_time : 1
dtrace/dt = (rise - trace) / trace_time : 1
trace_time : second (constant, shared)
"""
_COUNTED = """
dcounted/dt = spikes * counting / dt : 1
counting : 1 (linked)
counted_steps : integer (linked)
"""
_CHANGED = """
spikes = received + floor({levels} * (rate - received) + 0.5) / {levels} : 1 (constant over dt)
received : 1
"""
#: A sigmoid of something, and what.
_SIGMOID = re.compile(r"^1 / \(1 \+ exp\(-(\w+)\)\)$")
_RULE = re.compile(r"^\s*d\w+/dt\s*=.*$", re.MULTILINE)
#: Variables of units with spikes, and how a variable is defined.
_RESERVED = (
    "spikes", "trace", "rise", "smoothed", "fired", "counted", "received", "largest_count",
    "spike_step", "spike_age", "spike_seed", "synaptic_time", "trace_time",
)  # fmt: skip
_DEFINED = r"^\s*(?:d{0}/dt|{0})\s*[=:]"
#: Streams of random numbers up to this one are those of models.
_STREAMS = 128


def spiking(layout: Layout, spikes: Spikes) -> Layout:
    """Return a layout whose units send spikes.

    Parameters
    ----------
    layout : Layout
        The network of a model, of units with states and a ``rate``.
    spikes : Spikes
        The mechanism.

    Returns
    -------
    Layout
        The same populations and projections, with what spikes need.

    Raises
    ------
    SpecificationError
        No population has both states and a ``rate``; or rates are not between 0 and 1, where they
        have to be.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> layout = Specification.create(sizes=(4, 3, 2), spikes="bernoulli").layout
    >>> print(layout.projection("feedforward_2").rules[0].partition(" : ")[0])
    dw/dt = eta * nudging_post * raw_error_post * slope_post * trace_pre / tau_post
    """
    return _Wrapper(layout, spikes).layout()


class _Wrapper:
    def __init__(self, layout: Layout, spikes: Spikes) -> None:
        self.old, self.spikes = layout, spikes
        #: Populations that send spikes.
        self.senders = {
            item.name: item
            for item in layout.populations
            if item.replicated and item.states and line_of(item.equations, "rate")
        }
        if not self.senders:
            raise SpecificationError(
                "spikes: no population of the model has both a state and a 'rate', so none can "
                "send spikes"
            )
        self._refuse_what_has_no_spikes()
        #: Sums that carry spikes into units with states, as (population, variable).
        self.currents = self._currents() if spikes.random else set()
        #: Variables that rules need anew from the spikes of this step, by population.
        self.raw = self._raw() if spikes.random else {}

    # -- what there is ----------------------------------------------------------------

    def _refuse_what_has_no_spikes(self) -> None:
        for item in self.senders.values():
            taken = sorted(
                name
                for name in _RESERVED
                if re.search(_DEFINED.format(name), item.equations, re.MULTILINE)
            )
            if taken:
                raise SpecificationError(
                    f"spikes: {item.name} has a variable '{taken[0]}' of its own, which is what "
                    "units with spikes call one of theirs; give it another name"
                )
            line = line_of(item.equations, "rate")
            expression = expression_of(line)
            bounded = {
                state
                for state in item.states
                for code in item.updates.values()
                if f"{state} = clip({state}, 0, 1)" in code
            }
            if self.spikes.random and not is_between_0_and_1(expression, item.states, bounded):
                raise SpecificationError(
                    f"spikes.mechanism: '{self.spikes.mechanism}' needs rates between 0 and 1, and "
                    f"those of {item.name} are {expression}; use the sigmoid and squared_error, or "
                    "'change'"
                )

    def _currents(self) -> set[tuple[str, str]]:
        found = set()
        for item in self.old.projections:
            for variable, side, _ in item.sums:
                into, sender, from_ = (
                    (item.target, item.source, "pre")
                    if side == "post"
                    else (item.source, item.target, "post")
                )
                line = line_of(item.equations, f"{variable}_{side}")
                if sender in self.senders and into in self.senders and f"rate_{from_}" in line:
                    found.add((into, variable))
        return found

    def _raw(self) -> dict[str, set[str]]:
        """Find what rules need anew from the spikes of this step, in each population."""
        depends = self._reached({name: {"rate"} for name in self.senders}, forwards=True)
        needed: dict[str, set[str]] = {name: set() for name in self.senders}
        for item in self.old.projections:
            for side, owner in (("pre", item.source), ("post", item.target)):
                for rule in _RULE.findall(item.equations):
                    names = re.findall(rf"\b(\w+)_{side}\b", rule)
                    needed.get(owner, set()).update(depends.get(owner, set()).intersection(names))
        for name, population in self.senders.items():
            code = " ".join(population.updates.values())
            needed[name] |= {variable for variable in depends[name] if uses(code, [variable])}
        reached = self._reached(needed, forwards=False)
        return {name: reached[name] & depends[name] for name in self.senders}

    def _reached(self, found: dict[str, set[str]], *, forwards: bool) -> dict[str, set[str]]:
        """Add what depends on variables, or what they depend on, by definitions and by links."""
        found = {name: set(variables) for name, variables in found.items()}
        if forwards:
            for into, variable in self.currents:
                found[into].add(variable)
        edges = [
            ((name, part), (name, variable))
            for name, item in self.senders.items()
            for variable, expression in subexpressions(item.equations)
            for part in re.findall(r"\b[A-Za-z_]\w*\b", expression)
        ]
        edges += [
            ((owner, linked), (name, variable))
            for name, item in self.senders.items()
            for variable, place in item.links.items()
            for owner, _, linked in [place.partition(".")]
            if owner in self.senders
        ]
        grown = True
        while grown:
            grown = False
            for origin, result in edges:
                (owner, have), (to, new) = (origin, result) if forwards else (result, origin)
                if have in found[owner] and new not in found[to]:
                    found[to].add(new)
                    grown = True
        return found

    # -- what becomes of it -----------------------------------------------------------

    def layout(self) -> Layout:
        old, spikes = self.old, self.spikes
        first = old.phases[0].steps
        clockwork = Population(
            CLOCKWORK,
            1,
            _CLOCKWORK,
            description="counters for random numbers",
            links={name: f"{STIMULUS}.{name}" for name in ("step", "presentation")},
            parameters={"counted_from": first // 2, "counted_until": first},
            replicated=False,
        )
        populations = [
            self._population(item) if item.name in self.senders else item
            for item in old.populations
        ]
        return replace(
            old,
            populations=(*([clockwork] if spikes.random else []), *populations),
            projections=tuple(map(self._projection, old.projections)),
            readout=self._readout(),
            seeds=(*old.seeds, *([f"{CLOCKWORK}.spike_seed"] if spikes.random else [])),
            ages=(*old.ages, *([f"{CLOCKWORK}.presented"] if spikes.random else [])),
            dt=spikes.dt / 1000,
        )

    def _readout(self) -> Readout:
        readout = self.old.readout
        if not self.spikes.random or readout.population not in self.senders:
            return readout
        return replace(readout, expression="counted / counted_steps")

    def _projection(self, item: Projection) -> Projection:
        sides = {"pre": item.source, "post": item.target}
        lines = []
        for line in item.equations.splitlines():
            rule = bool(_RULE.match(line))
            for side, population in sides.items():
                if population not in self.senders:
                    continue
                if rule and self.spikes.random:
                    line = re.sub(rf"\brate_{side}\b", f"trace_{side}", line)
                    for variable in self.raw[population] - {"rate"}:
                        line = re.sub(rf"\b{variable}_{side}\b", f"raw_{variable}_{side}", line)
                else:
                    line = re.sub(rf"\brate_{side}\b", f"spikes_{side}", line)
                    if not rule:
                        line = self._into_raw(line, side, population)
            lines.append(line)
        return replace(item, equations="\n".join(lines) + "\n")

    def _into_raw(self, line: str, side: str, population: str) -> str:
        match = re.match(rf"^\s*(\w+)_{side}\s*=", line)
        if match and (population, match[1]) in self.currents:
            return line.replace(f"{match[1]}_{side}", f"raw_{match[1]}_{side}", 1)
        return line

    def _population(self, item: Population) -> Population:
        spikes = self.spikes
        if isinstance(spikes, Change):
            return replace(
                item,
                equations=with_spikes(item.equations, "spikes")
                + _CHANGED.format(levels=spikes.levels),
                states=(*item.states, "received"),
                updates=joined(item.updates, "after_groups", "received = spikes"),
            )
        assert isinstance(spikes, RandomSpikes)
        order = [other.name for other in self.old.populations]
        shared = item.partner in self.senders and spikes.shared_noise
        stream = _STREAMS + order.index(item.partner if shared else item.name)
        text = with_spikes(item.equations, "smoothed")
        states = list(item.states)
        parameters: dict[str, float] = dict(item.parameters)
        links = dict(item.links)
        links |= {"spike_step": f"{CLOCKWORK}.step", "spike_age": f"{CLOCKWORK}.age"}
        links["spike_seed"] = f"{CLOCKWORK}.spike_seed"
        text += _KNOWN
        currents = sorted(variable for into, variable in self.currents if into == item.name)
        for name in currents:
            text += _CURRENT.format(name=name, raw=f"raw_{name}")
            states.append(name)
        if re.search(r"\bsmoothed\b", text):
            text += _SMOOTHED
            states.append("smoothed")
        if currents or "smoothed" in states:
            text += _SYNAPTIC_TIME
            parameters["synaptic_time"] = spikes.synaptic_time / 1000
        if self._is_learned_from(item.name):
            text += _TRACE
            states += ["rise", "trace"]
            parameters["trace_time"] = spikes.trace_time / 1000
        if item.name == self.old.readout.population:
            text += _COUNTED
            states.append("counted")
            links |= {name: f"{CLOCKWORK}.{name}" for name in ("counting", "counted_steps")}
        raw, raw_links = self._raw_lines(item)
        text += raw + _LARGEST
        links |= raw_links
        parameters["largest_count"] = spikes.largest_count
        pool = None
        if isinstance(spikes, LIF):
            text += _FIRED
            pool = self._pool(item, spikes, stream)
        elif isinstance(spikes, (Poisson, Bernoulli)):
            place = _PLACE.format(stream=stream)
            count = _COUNTS[spikes.mechanism].format(neurons=spikes.neurons, place=place)
            text += _DRAWN.format(count=count)
        names = self.raw[item.name] - {"rate"}
        updates = {slot: renamed(code, names, "raw_{}") for slot, code in item.updates.items()}
        return replace(
            item,
            equations=text,
            states=tuple(states),
            parameters=parameters,
            links=links,
            updates=updates,
            pool=pool,
        )

    def _raw_lines(self, item: Population) -> tuple[str, dict[str, str]]:
        """Return variables that are formed anew from the spikes of this step, and their links."""
        names = self.raw[item.name]
        text, links = "", {}
        for variable, expression in subexpressions(item.equations):
            if variable in names and variable != "rate":
                anew = renamed(expression, names - {"rate"}, "raw_{}")
                anew = re.sub(r"\brate\b", "spikes", anew)
                text += f"raw_{variable} = {anew} : 1\n"
        for variable, place in item.links.items():
            owner, _, linked = place.partition(".")
            if variable in names:
                name = "spikes" if linked == "rate" else f"raw_{linked}"
                links[f"raw_{variable}"] = f"{owner}.{name}"
                text += f"raw_{variable} : 1 (linked)\n"
        return text, links

    def _is_learned_from(self, population: str) -> bool:
        """Tell whether a rule has the rate of these units as a factor."""
        for item in self.old.projections:
            for side, owner in (("pre", item.source), ("post", item.target)):
                if owner == population and any(
                    re.search(rf"\brate_{side}\b", line) for line in _RULE.findall(item.equations)
                ):
                    return True
        return False

    def _pool(self, item: Population, spikes: LIF, stream: int) -> Pool:
        expression = expression_of(line_of(item.equations, "rate"))
        sigmoid = _SIGMOID.match(expression)
        odds = "clip(rate, 1e-6, 1 - 1e-6) / (1 - clip(rate, 1e-6, 1 - 1e-6))"
        return Pool(
            f"{item.name}_neurons",
            spikes.neurons,
            # What a sigmoid would have made this rate of.
            drive=sigmoid[1] if sigmoid else f"log({odds})",
            count="fired",
            step="spike_step",
            presentation="spike_age",
            seed="spike_seed",
            stream=stream,
            equations=_LIF,
            parameters={
                "membrane_time": spikes.membrane_time / 1000,
                **{
                    name: getattr(spikes, name) / 1000
                    for name in ("resting", "threshold", "reset", "offset", "gain", "noise")
                },
            },
        )

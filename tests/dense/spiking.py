"""Spiking networks as users write them, built with `Synapses` or with `DenseSynapses`."""

from dataclasses import dataclass

import numpy as np
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, ms

N = 30
NEURONS = """
dv/dt = (I - v + g)/(10*ms) : 1 (unless refractory)
dg/dt = -g/(3*ms) : 1
I : 1
h : 1
c : 1
"""
TRACES = """
w : 1
dApre/dt = -Apre/(20*ms) : 1 (event-driven)
dApost/dt = -Apost/(25*ms) : 1 (event-driven)
"""
PAIRS = {
    "on_pre": """
    g_post += w  # before the traces
    Apre += 0.01
    w = clip(w + Apost, 0, 0.12)
    """,
    "on_post": """
    Apost -= 0.011
    w = clip(w + Apre, 0, 0.12)
    """,
}


@dataclass
class Case:
    """Arguments of a projection, and the groups that it connects.

    Attributes
    ----------
    ends : str
        ``"all"`` neurons to all, ``"parts"`` of the group to other parts, or ``"generator"`` for
        spikes that are given.
    setting : tuple of (str, value)
        Attributes to set.
    condition : str, optional
        Which synapses there are.
    """

    model: str = "w : 1"
    on_pre: object = None
    on_post: object = None
    delay: object = None
    method: str = None
    ends: str = "all"
    on_event: object = "spike"
    setting: tuple = ()
    condition: object = None

    def options(self):
        given = {
            "on_pre": self.on_pre,
            "on_post": self.on_post,
            "delay": self.delay,
            "method": self.method,
            "on_event": self.on_event,
        }
        return {name: value for name, value in given.items() if value is not None}


CASES = {
    "a weight is added": Case(on_pre="v_post += w"),
    "without suffix, delayed": Case(on_pre="v += w", delay=1.3 * ms),
    "delay set later": Case(on_pre="v += w", setting=(("delay", 0.7 * ms),)),
    "parts of a group": Case(on_pre="g_post += w", ends="parts"),
    "given spikes": Case(on_pre="g_post += w*(1 - v_post)", ends="generator", delay=0.2 * ms),
    "pairs of spikes": Case(TRACES, **PAIRS),
    "pairs of spikes, parts of a group": Case(TRACES, **PAIRS, ends="parts", delay=2 * ms),
    "two delays": Case(TRACES, **PAIRS, delay={"pre": 0.5 * ms, "post": 1.1 * ms}),
    "triplets": Case(
        TRACES + "dslow/dt = -slow/(60*ms) : 1 (event-driven)",
        on_pre="g_post += w; w -= 0.05*Apost; Apre = 1",
        on_post="w += 0.01*Apre*(1 + slow); Apost = 1; slow += 1",
    ),
    "short-term plasticity": Case(
        """
        w : 1
        U : 1 (shared)
        dx/dt = (1 - x)/(20*ms) : 1 (event-driven)
        du/dt = (U - u)/(25*ms) : 1 (event-driven)
        """,
        on_pre="u += U*(1 - u); r = u*x; x -= r; g_post += w*r",
        setting=(("U", 0.3),),
    ),
    "what was before": Case(
        "w : 1\ndx/dt = -x/(20*ms) : 1 (event-driven)",
        on_pre="g_post += w*x; x += 0.5; h_post += w*x; x *= 0.8; c_post += x",
    ),
    "a trace of each synapse": Case(
        "w : 1\nda/dt = -a/(20*ms) : 1 (event-driven)",
        on_pre="a += 0.1*w; g_post += a",
        on_post="w *= 0.99; a *= 0.9",
    ),
    "conductances": Case(
        "w : 1\nds/dt = -s/(5*ms) : 1 (clock-driven)\nh_post = w*s*(2 - v_post) : 1 (summed)",
        on_pre="s += 1",
    ),
    "slow conductances": Case(
        """
        w : 1
        ds/dt = -s/(50*ms) + x*(1 - s)/ms : 1 (clock-driven)
        dx/dt = -x/(2*ms) : 1 (clock-driven)
        h_post = w*s*(1 - v_post) : 1 (summed)
        """,
        on_pre="x += 1",
        ends="parts",
        delay=0.5 * ms,
    ),
    "second order": Case(
        """
        w : 1
        dx/dt = -x/(5*ms) : 1
        dy/dt = (x - y)/(2*ms) : 1
        h_post = w*y : 1 (summed)
        """,
        on_pre="x += 1",
        method="exact",
    ),
    "state of each synapse": Case(
        """
        w : 1
        da/dt = (0.01*v_pre*v_post - a)/(5*ms) : 1 (clock-driven)
        h_post = w*a : 1 (summed)
        """,
        on_pre="a += 0.1; g += w*a",
        method="euler",
    ),
    "target of the trace": Case(
        """
        w : 1
        dp/dt = -p/(5*ms) : 1 (clock-driven)
        dw2/dt = 0.01*p*s/ms : 1 (clock-driven)
        ds/dt = -s/(7*ms) : 1 (clock-driven)
        h_post = (w + w2)*s : 1 (summed)
        c_pre = w*p : 1 (summed)
        """,
        on_pre="s += 1",
        on_post="p += 1",
        method="euler",
    ),
    "several pathways": Case(
        on_pre={"pre": "g_post += w", "inhibition": "v_post -= 0.5*w"},
        delay={"inhibition": 1 * ms},
    ),
    "backwards": Case(on_pre="g_pre += 0.1*w", on_post="g_pre += w*0.2; h_post += i + j"),
    "an event": Case(on_pre="g_post += w", on_event="half", ends="parts"),
    "no matrix": Case(model="", on_pre="g_post += 0.02*int(i < j)"),
}


class Built:
    """The objects of a case, and what to compare."""

    def __init__(self, kind, case, prefix=""):
        self.prefix = prefix
        group = NeuronGroup(
            N,
            NEURONS,
            threshold="v > 1",
            reset="v = 0",
            refractory=2 * ms,
            events={"half": "v > 0.5 and v < 0.52"},
            method="euler",
            name=f"{prefix}neurons",
        )
        group.I = np.linspace(0.9, 2.0, N)
        self.objects = [group]
        source, target = group, group
        if case.ends == "parts":
            source, target = group[3:20], group[15:28]
        if case.ends == "generator":
            steps = np.random.default_rng(1).integers(0, 300, 40)
            units, steps = np.array(sorted({(k % 7, step) for k, step in enumerate(steps)})).T
            source = SpikeGeneratorGroup(7, units, steps * 0.1 * ms, name=f"{prefix}generator")
            self.objects.append(source)
        options = case.options()
        self.synapses = kind(source, target, case.model, name=f"{prefix}s", **options)
        self.synapses.connect(condition=case.condition)
        self.shape = (len(source), len(target))
        if case.condition is not None:
            self.synapses.w = "0.05*(1 + sin(3*i + 5*j))"
        elif case.model:
            weights = np.random.default_rng(3).uniform(0, 0.1, self.shape)
            self.synapses.w = weights.flatten()
        for name, value in case.setting:
            setattr(self.synapses, name, value)
        self.group = group
        self.spikes = SpikeMonitor(group, name=f"{prefix}spikes")
        self.states = StateMonitor(group, ["v", "g", "h", "c"], record=True, name=f"{prefix}states")
        self.objects += [self.synapses, self.spikes, self.states]
        self.weights = case.model != ""

    def found(self):
        found = {name: np.array(getattr(self.states, name)) for name in "vghc"}
        found |= {"i": np.array(self.spikes.i[:]), "t": np.array(self.spikes.t_[:])}
        if self.weights:
            found["w"] = np.array(self.synapses.w[:]).ravel()
            if getattr(self.synapses, "mask", None) is not None:
                there = self.synapses.variables["_connected"].get_value() > 0
                found["w"] = found["w"][there]
        return found


def simulate(kind, case, duration=30 * ms):
    built = Built(kind, case)
    Network(built.objects).run(duration)
    return built.found()


def assert_equal(dense, plain):
    """Spikes are the same, and all else to the last digits."""
    np.testing.assert_array_equal(dense["i"], plain["i"])
    np.testing.assert_array_equal(dense["t"], plain["t"])
    for name, value in plain.items():
        np.testing.assert_allclose(dense[name], value, rtol=1e-9, atol=1e-12, err_msg=name)

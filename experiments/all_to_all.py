"""All-to-all networks as users of Brian2 write them, in our own words, with their sources.

Each function takes the class of the projections, `Synapses` or `DenseSynapses`, and the number of
neurons; nothing else differs. Networks of rates also take a number of replicas.
"""

from dataclasses import dataclass, field

import numpy as np
from brian2 import (
    Clock,
    Hz,
    NeuronGroup,
    PoissonGroup,
    SpikeMonitor,
    linked_var,
    ms,
    mV,
    nS,
    pA,
    second,
)


@dataclass
class Model:
    """A network.

    Attributes
    ----------
    objects : list
        All objects of Brian2.
    seen : dict
        What is compared: a group or projection and the name of a variable.
    namespace : dict
        External values.
    """

    objects: list
    seen: dict
    namespace: dict = field(default_factory=dict)

    def values(self):
        found = {}
        for name, (owner, variable) in self.seen.items():
            found[name] = np.array(owner.variables[variable].get_value(), dtype=float).ravel()
        return found


def _random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def _options(replicas):
    return {} if replicas == 1 else {"batch": replicas}


def oscillators(kind, n, replicas=1):
    """Kuramoto's model; Brian2's example coupled_oscillators."""
    group = NeuronGroup(
        n * replicas,
        """
        dTheta/dt = omega + K/n*coupling : radian
        omega : radian/second (constant)
        coupling : 1
        """,
        method="euler",
    )
    group.Theta = np.pi * (1 + np.sin(np.arange(n * replicas)))
    group.omega = (0.5 + 0.5 * np.abs(_random(n * replicas))) / second
    coupling = "coupling_post = sin(Theta_pre - Theta_post) : 1 (summed)"
    connections = kind(group, group, coupling, **_options(replicas))
    connections.connect()
    return Model([group, connections], {"Theta": (group, "Theta")}, {"K": 2 / second, "n": n})


def random_rates(kind, n, replicas=1):
    """Rate units with random weights (Sompolinsky, Crisanti & Sommers 1988)."""
    group = NeuronGroup(
        n * replicas,
        "dx/dt = (-x + g*I)/(10*ms) : 1\nr = tanh(x) : 1\nI : 1",
        method="euler",
    )
    group.x = 0.1 * _random(n * replicas, 1)
    weights = kind(group, group, "J : 1\nI_post = J*r_pre : 1 (summed)", **_options(replicas))
    weights.connect()
    weights.J = (_random((n, n)) / np.sqrt(n)).flatten()
    return Model([group, weights], {"x": (group, "x")}, {"g": 1.5})


def two_populations(kind, n, replicas=1):
    """Excitatory and inhibitory rates, four projections (Wilson & Cowan 1972)."""
    model = "dr/dt = (-r + 1/(1 + exp(2 - E + I)))/(10*ms) : 1\nE : 1\nI : 1"
    excitatory = NeuronGroup(n // 2 * replicas, model, method="euler")
    inhibitory = NeuronGroup(n // 2 * replicas, model, method="euler")
    objects = [excitatory, inhibitory]
    for source, variable, gain in ((excitatory, "E", 12), (inhibitory, "I", 10)):
        source.r = np.abs(np.sin(np.arange(len(source))))
        for number, target in enumerate((excitatory, inhibitory)):
            text = f"w : 1\n{variable}_post = w*r_pre : 1 (summed)"
            projection = kind(source, target, text, **_options(replicas))
            projection.connect()
            weights = np.abs(1 + 0.3 * _random((n // 2, n // 2), gain + number))
            projection.w = (gain * weights * 2 / n).flatten()
            objects.append(projection)
    return Model(objects, {"E": (excitatory, "r"), "I": (inhibitory, "r")})


def oja(kind, n, replicas=1):
    """Oja's rule in a layer that sees moving inputs; from questions on rate-based plasticity."""
    inputs = NeuronGroup(n * replicas, "x = sin(2*pi*(5*Hz*t + 0.37*i)) : 1")
    model = "dy/dt = (-y + drive)/(5*ms) : 1\ndrive : 1"
    outputs = NeuronGroup(n * replicas, model, method="euler")
    rule = kind(
        inputs,
        outputs,
        """
        dw/dt = eta*(y_post*x_pre - y_post**2*w) : 1 (clock-driven)
        drive_post = w*x_pre : 1 (summed)
        """,
        method="euler",
        **_options(replicas),
    )
    rule.connect()
    rule.w = (_random((n, n)) / n).flatten()
    return Model(
        [inputs, outputs, rule], {"y": (outputs, "y"), "w": (rule, "w")}, {"eta": 100 * Hz / n}
    )


def gap_junctions(kind, n):
    """Integrate-and-fire neurons with electrical synapses; Brian2's example gapjunctions."""
    group = NeuronGroup(
        n,
        "dv/dt = (v0 - v + Igap)/(10*ms) : 1\nv0 : 1\nIgap : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
    )
    group.v0 = 1.05 + 0.3 * np.sin(np.arange(n))
    junctions = kind(group, group, "w : 1\nIgap_post = w*(v_pre - v_post) : 1 (summed)")
    junctions.connect()
    junctions.w = 0.5 / n
    return Model([group, junctions], {"v": (group, "v")})


def conductances(kind, n):
    """AMPA and GABA with their state in the synapses; the commonest script in the forum."""
    group = NeuronGroup(
        n,
        """
        dv/dt = (10*nS*(-60*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v) + I)/(200*pF) : volt \
            (unless refractory)
        ge : siemens
        gi : siemens
        I : amp
        """,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * ms,
        method="euler",
    )
    group.v = (-60 + 10 * np.abs(np.sin(np.arange(n)))) * mV
    group.I = (90 + 60 * np.abs(np.cos(np.arange(n)))) * pA
    border = int(0.8 * n)
    objects = [group]
    for part, variable, tau, weight in (
        (group[:border], "ge", 5 * ms, 12 * nS),
        (group[border:], "gi", 10 * ms, 60 * nS),
    ):
        projection = kind(
            part,
            group,
            f"""
            w : siemens
            ds/dt = -s/tau : 1 (clock-driven)
            {variable}_post = w*s : siemens (summed)
            """,
            on_pre="s += 1",
            namespace={"tau": tau},
        )
        projection.connect()
        factors = np.abs(1 + 0.3 * _random((len(part), n), len(objects)))
        projection.w = (factors * weight / n).flatten()
        objects.append(projection)
    spikes = SpikeMonitor(group)
    return Model(
        [*objects, spikes],
        {"v": (group, "v"), "spikes": (spikes, "i"), "times": (spikes, "t")},
    )


def nmda(kind, n):
    """Working memory with NMDA (Brunel & Wang 2001); Brian2's example of this name."""
    group = NeuronGroup(
        n,
        """
        dv/dt = (-25*nS*(v + 70*mV) - nmda_current - 2*nS*s_AMPA*v + I)/(500*pF) : volt \
            (unless refractory)
        nmda_current = 0.33*nS*v/(1 + exp(-0.062*v/mV)/3.57)*s_NMDA_tot : amp
        ds_AMPA/dt = -s_AMPA/(2*ms) : 1
        s_NMDA_tot : 1
        I : amp
        """,
        threshold="v > -50*mV",
        reset="v = -55*mV",
        refractory=2 * ms,
        method="euler",
    )
    group.v = (-70 + 15 * np.abs(np.sin(np.arange(n)))) * mV
    group.I = (450 + 150 * np.abs(np.cos(np.arange(n)))) * pA
    recurrent = kind(
        group,
        group,
        """
        s_NMDA_tot_post = w*s_NMDA : 1 (summed)
        ds_NMDA/dt = -s_NMDA/(100*ms) + alpha*x*(1 - s_NMDA) : 1 (clock-driven)
        dx/dt = -x/(2*ms) : 1 (clock-driven)
        w : 1
        """,
        on_pre="s_AMPA += w/n; x += 1",
        method="euler",
    )
    recurrent.connect("i != j")
    recurrent.w = 100 / n
    # the example has recurrent.indices[:, chosen], which Brian2 does not know in C++ standalone
    to_chosen = f"j >= {n // 5} and j < {2 * n // 5}"
    recurrent.w[to_chosen] = 90 / n
    recurrent.w[f"{to_chosen} and i >= {n // 5} and i < {2 * n // 5}"] = 210 / n
    spikes = SpikeMonitor(group)
    return Model(
        [group, recurrent, spikes],
        {"v": (group, "v"), "spikes": (spikes, "i"), "times": (spikes, "t")},
        {"alpha": 0.5 / ms, "n": n},
    )


def delta_synapses(kind, n):
    """Excitation and inhibition that jump and are late (Brunel 2000), here all to all."""
    group = NeuronGroup(
        n,
        "dv/dt = (-v + mu)/(20*ms) : volt (unless refractory)\nmu : volt",
        threshold="v > 20*mV",
        reset="v = 10*mV",
        refractory=2 * ms,
        method="euler",
    )
    group.v = 19 * np.abs(np.sin(np.arange(n))) * mV
    group.mu = (22 + 6 * np.abs(np.cos(np.arange(n)))) * mV
    border = int(0.8 * n)
    excitation = kind(group[:border], group, on_pre="v_post += J", delay=1.5 * ms)
    inhibition = kind(group[border:], group, on_pre="v_post -= g*J", delay=1.5 * ms)
    for projection in (excitation, inhibition):
        projection.connect()
    spikes = SpikeMonitor(group)
    return Model(
        [group, excitation, inhibition, spikes],
        {"v": (group, "v"), "spikes": (spikes, "i"), "times": (spikes, "t")},
        {"J": 10 / n * mV, "g": 5},
    )


def stdp(kind, n):
    """Song, Miller & Abbott (2000), Brian2's example STDP, with as many targets as inputs."""
    inputs = PoissonGroup(n, rates=15 * Hz)
    neurons = NeuronGroup(
        n,
        """
        dv/dt = (ge*(0*mV - v) + (-74*mV - v))/(10*ms) : volt
        dge/dt = -ge/(5*ms) : 1
        """,
        threshold="v > -54*mV",
        reset="v = -60*mV",
        method="euler",
    )
    neurons.v = -60 * mV
    synapses = kind(
        inputs,
        neurons,
        """
        w : 1
        dApre/dt = -Apre/taupre : 1 (event-driven)
        dApost/dt = -Apost/taupost : 1 (event-driven)
        """,
        on_pre="""
        ge += w
        Apre += dApre
        w = clip(w + Apost, 0, gmax)
        """,
        on_post="""
        Apost += dApost
        w = clip(w + Apre, 0, gmax)
        """,
    )
    synapses.connect()
    gmax = 8 / n
    synapses.w = (np.random.default_rng(0).random((n, n)) * gmax).flatten()
    spikes = SpikeMonitor(neurons)
    return Model(
        [inputs, neurons, synapses, spikes],
        {"w": (synapses, "w"), "spikes": (spikes, "i"), "times": (spikes, "t")},
        {
            "taupre": 20 * ms,
            "taupost": 20 * ms,
            "gmax": gmax,
            "dApre": 0.01 * gmax,
            "dApost": -0.0105 * gmax,
        },
    )


def inhibitory_plasticity(kind, n):
    """Inhibition that balances excitation (Vogels et al. 2011), an example of Brian2."""
    group = NeuronGroup(
        n,
        """
        dv/dt = (-10*nS*(v + 60*mV) - g_ampa*v - g_gaba*(v + 80*mV) + I)/(200*pF) : volt \
            (unless refractory)
        dg_ampa/dt = -g_ampa/(5*ms) : siemens
        dg_gaba/dt = -g_gaba/(10*ms) : siemens
        I : amp
        """,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * ms,
        method="euler",
    )
    group.v = (-60 + 10 * np.abs(np.sin(np.arange(n)))) * mV
    group.I = (120 + 60 * np.abs(np.cos(np.arange(n)))) * pA
    border = int(0.8 * n)
    excitatory, inhibitory = group[:border], group[border:]
    to_all = kind(excitatory, group, on_pre="g_ampa += 5*nS/n")
    among = kind(inhibitory, inhibitory, on_pre="g_gaba += 60*nS/n")
    plastic = kind(
        inhibitory,
        excitatory,
        """
        w : 1
        dApre/dt = -Apre/tau : 1 (event-driven)
        dApost/dt = -Apost/tau : 1 (event-driven)
        """,
        on_pre="""
        Apre += 1
        w = clip(w + (Apost - alpha)*eta, 0, 100)
        g_gaba += w*nS/n
        """,
        on_post="""
        Apost += 1
        w = clip(w + Apre*eta, 0, 100)
        """,
    )
    for projection in (to_all, among, plastic):
        projection.connect()
    plastic.w = 20
    spikes = SpikeMonitor(group)
    return Model(
        [group, to_all, among, plastic, spikes],
        {"w": (plastic, "w"), "spikes": (spikes, "i"), "times": (spikes, "t")},
        {"tau": 20 * ms, "alpha": 0.4, "eta": 1.0, "n": n},
    )


def short_term_plasticity(kind, n):
    """Depression and facilitation (Tsodyks, Pawelzik & Markram 1998), event-driven."""
    group = NeuronGroup(
        n,
        "dv/dt = (I + g - v)/(20*ms) : 1 (unless refractory)\ndg/dt = -g/(3*ms) : 1\nI : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=3 * ms,
        method="euler",
    )
    group.v = np.abs(np.sin(np.arange(n)))
    group.I = 1.05 + 0.3 * np.abs(np.cos(np.arange(n)))
    synapses = kind(
        group,
        group,
        """
        w : 1
        dx/dt = (1 - x)/(200*ms) : 1 (event-driven)
        du/dt = (U - u)/(600*ms) : 1 (event-driven)
        """,
        on_pre="""
        u += U*(1 - u)
        r = u*x
        x -= r
        g += w*r
        """,
    )
    synapses.connect(condition="i != j")
    synapses.w = "(1 + sin(i + 2*j))*2/N_pre"
    synapses.x, synapses.u = 1, 0.2
    spikes = SpikeMonitor(group)
    return Model(
        [group, synapses, spikes],
        {"v": (group, "v"), "spikes": (spikes, "i"), "times": (spikes, "t")},
        {"U": 0.2},
    )


def force(kind, n):
    """FORCE training of spiking neurons (Nicola & Clopath 2017), an example of Brian2."""
    step = Clock(2.5 * ms)
    readout = NeuronGroup(1, "z : 1 (shared)\nr_cd : 1 (shared)")
    neurons = NeuronGroup(
        n,
        """
        dv/dt = (-v + 1.1 + I + E*z)/(10*ms) : 1 (unless refractory)
        dI/dt = -I/(2*ms) + h/ms : 1
        dh/dt = -h/(20*ms) : 1
        dr/dt = -r/(20*ms) : 1
        z : 1 (linked)
        r_cd : 1 (linked)
        cd : 1
        err = z - sin(2*pi*5*Hz*t) : 1 (shared)
        decoder : 1
        E : 1
        """,
        threshold="v > 1",
        reset="v = 0; r += 0.1",
        refractory=2 * ms,
        method="euler",
    )
    neurons.z, neurons.r_cd = linked_var(readout, "z"), linked_var(readout, "r_cd")
    neurons.run_regularly("decoder -= cd*err", clock=step, when="end", order=1)
    neurons.E, neurons.v = np.sin(np.arange(n)), np.abs(np.cos(np.arange(n)))
    recurrent = kind(neurons, neurons, "w : 1", on_pre="h += w")
    recurrent.connect()
    recurrent.w = (0.1 * _random((n, n)) / np.sqrt(n)).flatten()
    output = kind(
        neurons,
        readout,
        "z_post = decoder_pre*r_pre : 1 (summed)\nr_cd_post = r_pre*cd_pre : 1 (summed)",
    )
    learning = kind(neurons, neurons, "P : 1\ncd_post = P*r_pre : 1 (summed)")
    for projection, name, order in ((output, "r_cd_post", 3), (learning, "cd_post", 2)):
        updater = projection.summed_updaters[name]
        updater._clock, updater.when, updater.order = step, "end", order
        projection.connect()
    learning.P = (0.1 * np.eye(n)).flatten()
    learning.run_regularly("P -= cd_pre*cd_post/(1 + r_cd_post)", clock=step, when="end", order=4)
    spikes = SpikeMonitor(neurons)
    return Model(
        [readout, neurons, recurrent, output, learning, spikes],
        {
            "P": (learning, "P"),
            "z": (readout, "z"),
            "spikes": (spikes, "i"),
            "times": (spikes, "t"),
        },
    )


def voltage_based(kind, n):
    """Plasticity that sees the membrane potential (Clopath et al. 2010), an example of Brian2."""
    inputs = NeuronGroup(
        n,
        "dv/dt = (1.2 + 0.4*sin(i) - v)/(20*ms) : 1\ndtrace/dt = -trace/(15*ms) : 1",
        threshold="v > 1",
        reset="v = 0; trace += 1",
        method="euler",
    )
    inputs.v = np.abs(np.sin(np.arange(n)))
    neurons = NeuronGroup(
        n,
        """
        dv/dt = (g*(2 - v) - v)/(10*ms) : 1
        dg/dt = -g/(5*ms) : 1
        dslow/dt = (v - slow)/(40*ms) : 1
        dfast/dt = (v - fast)/(30*ms) : 1
        dhomeo/dt = (v - homeo)/(1*second) : 1
        """,
        threshold="v > 0.7",
        reset="v = 0",
        method="euler",
    )
    synapses = kind(
        inputs,
        neurons,
        "w : 1",
        on_pre="""
        g_post += w/n
        depression = 0.01*homeo**2*(slow_post - 0.1)*int(slow_post - 0.1 > 0)
        w = clip(w - depression, 0, w_max)
        """,
        on_post="""
        potentiation = 0.01*trace_pre*(fast_post - 0.1)*int(fast_post - 0.1 > 0)
        w = clip(w + potentiation, 0, w_max)
        """,
    )
    synapses.connect()
    synapses.w = np.random.default_rng(0).random((n, n)).flatten()
    spikes = SpikeMonitor(neurons)
    return Model(
        [inputs, neurons, synapses, spikes],
        {"w": (synapses, "w"), "spikes": (spikes, "i"), "times": (spikes, "t")},
        {"n": n / 20, "w_max": 3},
    )


#: Networks of rates, which can have replicas, and those that spike.
RATES = {f.__name__: f for f in (oscillators, random_rates, two_populations, oja)}
SPIKES = {
    f.__name__: f
    for f in (
        gap_junctions,
        conductances,
        nmda,
        delta_synapses,
        stdp,
        inhibitory_plasticity,
        short_term_plasticity,
        force,
        voltage_based,
    )
}

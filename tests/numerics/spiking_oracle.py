"""Ghost networks that spike, written a second time from their description in plain numpy.

It shares no code with the package. Layers are a chain 0..L and a matrix is named by a layer:
W_f[l] and V_f[l] lead from layer l-1 to the pyramidal units and to the ghosts of layer l, W_b[l]
and V_b[l] lead from those of layer l+1 to hidden layer l. Rows of all states are the images of a
mini-batch.
"""

import numpy as np
from scipy import stats


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


def quantile(u, distribution):
    """Return the smallest c with u < cdf(c), where scipy's has u <= cdf(c) and is -1 for u = 0."""
    count = np.maximum(distribution.ppf(u), 0.0)
    while (late := (count > 0) & (u < distribution.cdf(count - 1))).any():
        count = count - late
    while (early := u >= distribution.cdf(count)).any():
        count = count + early
    return count


def poisson_count(u, mean):
    return quantile(u, stats.poisson(mean))


def binomial_count(u, trials, p):
    if trials == 1:
        return (u < p).astype(float)
    # the side with the smaller probability: beyond 1/2 those that do not spike are counted
    silent = p > 0.5
    count = quantile(u, stats.binom(trials, np.where(silent, 1 - p, p)))
    return np.where(silent, trials - count, count)


class SpikingOracle:
    """A chain of spiking layers with ghosts.

    All times have one unit, that of ``dt``. Rates of learning are dicts by layer, those of V_b by
    the hidden layer that it leads to. ``lif`` has "membrane_time", "resting", "threshold", "reset",
    "offset", "gain" and "noise". Random numbers are given:
    ``uniform(population, age, step, shape)`` for "poisson" and "bernoulli",
    ``lif_noise(population, age, step, shape)`` and ``lif_start(population, age, shape)`` for "lif".
    """

    def __init__(self, weights, *, mechanism, model="MA", feedback="transpose", dt=1.0, tau=4.0,
                 prediction_steps=24, nudging_steps=24, beta=6.0, synaptic_time=2.0,
                 trace_time=3.0, neurons=1, peak=1.0, levels=16, lif=None, uniform=None,
                 lif_noise=None, lif_start=None, eta_W=None, eta_bW=None, eta_Vf=None,
                 eta_bV=None, eta_Vb=None, half_life=0, ghost_delay=0, ghost_rate=0.5,
                 private=False, normalised=False, following="none"):  # fmt: skip
        assert mechanism in ("poisson", "bernoulli", "lif", "change")
        assert model in ("MA", "MB")
        assert feedback in ("transpose", "alignment")
        assert following in ("none", "copy", "local")
        assert model == "MA" or following == "none"
        assert model == "MB" or not private
        assert private or not normalised
        self.mechanism, self.model, self.feedback = mechanism, model, feedback
        self.P, self.K = prediction_steps, nudging_steps
        self.dt, self.k, self.beta = dt, dt / tau, beta
        self.synaptic, self.tracing = dt / synaptic_time, dt / trace_time
        self.neurons, self.levels, self.lif = neurons, levels, lif
        # what a count is divided by, so that the mean of spikes is the rate
        self.largest = neurons if mechanism == "lif" else neurons * peak * dt
        self.uniform, self.lif_noise, self.lif_start = uniform, lif_noise, lif_start
        self.eta_W, self.eta_bW = eta_W, eta_bW
        self.eta_Vf, self.eta_bV, self.eta_Vb = eta_Vf, eta_bV, eta_Vb
        self.half_life = half_life
        self.ghost_delay, self.ghost_rate = ghost_delay, ghost_rate
        self.private, self.following = private, following
        # V_b is relative to the sum of the squares of what its ghosts send in this step
        self.normalised = normalised
        self.w = {name: {l: np.array(m, float) for l, m in group.items()} for name, group in
                  weights.items()}  # fmt: skip
        self.L = max(self.w["W_f"])
        self.hidden = range(1, self.L)
        self.with_ghosts = range(2, self.L + 1)
        self.pyramidal = {l: f"pyramidal_{l}" for l in range(1, self.L + 1)}
        self.ghost = {l: f"ghost_{l}" for l in self.with_ghosts}
        self.populations = [*self.pyramidal.values(), *self.ghost.values()]
        self.age = 0  # mini-batches that were learned
        self.spikes = {}
        self.forget_totals()
        self.mirror()

    def forget_totals(self):
        self.totals = {name: {"prediction": 0, "nudging": 0} for name in self.populations}

    def mirror(self):
        if self.feedback == "transpose":
            self.w["W_b"] = {l: self.w["W_f"][l + 1].T.copy() for l in self.hidden}

    # -- one presentation

    def start(self, x):
        """Everything is at 0; states, traces and what spiked are by the name of a population."""
        self.x, self.B = x, len(x)
        units = {self.pyramidal[l]: len(self.w["W_f"][l]) for l in self.pyramidal}
        units |= {self.ghost[l]: len(self.w["V_f"][l]) for l in self.ghost}
        self.state, self.rise, self.trace, self.r = (
            {name: np.zeros((self.B, n)) for name, n in units.items()} for _ in range(4)
        )
        self.smoothed = np.zeros((self.B, units[self.pyramidal[self.L]]))
        self.counted = np.zeros_like(self.smoothed)
        self.v = {}
        # one V_b for each image
        self.own = {l: np.array([m] * self.B) for l, m in self.w["V_b"].items()}
        self.current = {key: np.zeros_like(drive) for key, drive in self.sums(self.state).items()}

    def emit(self, name, step):
        """Return the spikes of a population in this step and how many they are."""
        state = self.state[name]
        rate = sigmoid(state)
        if self.mechanism == "change":
            events = np.floor(self.levels * (rate - self.r[name]) + 0.5)
            return self.r[name] + events / self.levels, np.abs(events).sum()
        if self.mechanism == "lif":
            lif, shape = self.lif, (self.neurons, *state.shape)
            if step == 0:
                start = self.lif_start(name, self.age_shown, shape)
                self.v[name] = lif["reset"] + (lif["threshold"] - lif["reset"]) * start
            part = self.dt / lif["membrane_time"]
            z = self.lif_noise(name, self.age_shown, step, shape)
            drive = lif["offset"] + lif["gain"] * state
            v = self.v[name]
            v = v + part * (lif["resting"] - v + drive) + lif["noise"] * np.sqrt(2 * part) * z
            fired = v >= lif["threshold"]
            self.v[name] = np.where(fired, lif["reset"], v)
            count = fired.sum(axis=0)
        else:
            u = self.uniform(name, self.age_shown, step, state.shape)
            if self.mechanism == "poisson":
                count = poisson_count(u, self.largest * rate)
            else:
                count = binomial_count(u, self.neurons, self.largest * rate / self.neurons)
        return count / self.largest, count.sum()

    def sums(self, spikes):
        """What spikes of one step add up to at their targets, by kind and layer."""
        w, found = self.w, {}
        for l in self.with_ghosts:
            below = spikes[self.pyramidal[l - 1]]
            found["up", l] = below @ w["W_f"][l].T
            found["ghost up", l] = below @ w["V_f"][l].T
        for l in self.hidden:
            ghosts = spikes[self.ghost[l + 1]]
            found["top down", l] = spikes[self.pyramidal[l + 1]] @ w["W_b"][l].T
            found["ghost feedback", l] = (
                np.einsum("big,bg->bi", self.own[l], ghosts)
                if self.private
                else ghosts @ w["V_b"][l].T
            )
        return found

    def step(self, n, y, learn):
        """One explicit Euler step; ``learn`` names the matrices and biases that may move."""
        L, P, w, k = self.L, self.P, self.w, self.k
        nudge = 1.0 if n >= P else 0.0
        emitted = {name: self.emit(name, n) for name in self.populations}
        spikes = {name: of for name, (of, _) in emitted.items()}
        for name, (_, count) in emitted.items():
            self.totals[name]["nudging" if n >= P else "prediction"] += round(float(count))
        raw = self.sums(spikes)
        top = spikes[self.pyramidal[L]]

        # what membranes and rules see: changes are exact, so nothing has to be filtered
        graded = self.mechanism == "change"
        current = raw if graded else self.current
        output = top if graded else self.smoothed
        pre = spikes if graded else self.trace

        def error(sums, output):
            found = {l: sums["top down", l] - sums["ghost feedback", l] for l in self.hidden}
            # no targets are needed before the nudging phase
            found[L] = nudge * self.beta * (y - output) if nudge else np.zeros_like(output)
            return found

        e, raw_e = error(current, output), error(raw, top)
        s = {l: self.state[name] for l, name in self.pyramidal.items()}
        g = {l: self.state[name] for l, name in self.ghost.items()}
        drive = {1: self.x @ w["W_f"][1].T} | {l: current["up", l] for l in self.with_ghosts}
        ds = {l: -s[l] + drive[l] + w["b_W"][l] + e[l] for l in s}
        dg = {l: -g[l] + current["ghost up", l] + w["b_V"][l] for l in g}

        changes, own = self.changes(n, raw_e, s, g, pre) if learn else ((), {})
        if self.normalised:
            power = {l: (spikes[self.ghost[l + 1]] ** 2).sum(axis=1) for l in own}
            own = {l: change / (1 + power[l])[:, None, None] for l, change in own.items()}
        for name, l, change in changes:
            if name in learn:
                w[name][l] = w[name][l] + k * change
        for l, change in own.items():
            if "V_b" in learn:
                self.own[l] = self.own[l] + k * change
        self.mirror()

        for l, name in self.pyramidal.items():
            self.state[name] = s[l] + k * ds[l]
        for l, name in self.ghost.items():
            self.state[name] = g[l] + k * dg[l]
        for key, of in raw.items():
            self.current[key] = self.current[key] + (of - self.current[key]) * self.synaptic
        self.smoothed = self.smoothed + (top - self.smoothed) * self.synaptic
        for name in self.populations:
            rise = self.rise[name]
            self.rise[name] = rise + (spikes[name] - rise) * self.tracing
            self.trace[name] = self.trace[name] + (rise - self.trace[name]) * self.tracing
        if P // 2 <= n < P:
            self.counted = self.counted + top
        self.r = self.spikes = spikes

    def changes(self, n, raw_e, s, g, pre):
        """Return changes over tau, means over images, and those of each image's own V_b."""
        nudging = n >= self.P
        changes, own = [], {}

        def change(name, l, eta, post, before=None):
            """``before`` is what the pre-synaptic units send; a bias has one that sends 1."""
            before = np.ones((self.B, 1)) if before is None else before
            product = eta * post.T @ before / self.B
            changes.append((name, l, product[:, 0] if name in ("b_W", "b_V") else product))

        below = {l: self.x if l == 1 else pre[self.pyramidal[l - 1]] for l in s}
        if not nudging and n >= self.ghost_delay:
            for l in self.with_ghosts:
                if self.model == "MA":
                    change("V_f", l, self.eta_Vf[l], s[l] - g[l], below[l])
                    change("b_V", l, self.eta_bV[l], s[l] - g[l])
                else:
                    change("b_V", l, self.eta_bV[l], self.ghost_rate - pre[self.ghost[l]])
            for l in self.hidden:
                ghosts = pre[self.ghost[l + 1]]
                if self.private:
                    own[l] = self.eta_Vb[l] * np.einsum("bi,bg->big", raw_e[l], ghosts)
                else:
                    change("V_b", l, self.eta_Vb[l], raw_e[l], ghosts)
        if nudging:
            decay = 1 / self.half_life if self.half_life else 0.0
            remaining = 1 / max(1.0, 2 * decay * self.age)
            slope = {l: sigmoid(s[l]) * (1 - sigmoid(s[l])) for l in s}
            for l in s:
                change("W_f", l, self.eta_W[l] * remaining, raw_e[l] * slope[l], below[l])
                change("b_W", l, self.eta_bW[l] * remaining, raw_e[l] * slope[l])
            for l in self.with_ghosts if self.following != "none" else ():
                moved = slope[l] * (raw_e[l] if self.following == "copy" else s[l] - g[l])
                change("V_f", l, self.eta_W[l] * remaining, moved, below[l])
                change("b_V", l, self.eta_bW[l] * remaining, moved)
                if self.feedback == "transpose":  # V_b of the layer below follows W_b = W_f^T
                    change("V_b", l - 1, self.eta_W[l] * remaining, below[l], moved)
        return changes, own

    def present(self, x, y, steps, learn, age):
        """Show a mini-batch from rest; gives responses, as read after the prediction phase."""
        self.age_shown = age
        self.start(np.asarray(x, float))
        for n in range(steps):
            self.step(n, y, learn)
            if n == self.P - 1:
                response = (
                    sigmoid(self.state[self.pyramidal[self.L]])
                    if self.mechanism == "change"
                    else self.counted / (self.P - self.P // 2)
                )
        if self.private:
            self.w["V_b"] = {l: matrices.mean(axis=0) for l, matrices in self.own.items()}
        return response

    # -- what is called from outside

    def run(self, rates, targets, order, batch):
        """Learn mini-batches in turn, of which the last one may be smaller."""
        self.forget_totals()
        everything = ("W_f", "b_W", "V_f", "b_V", "V_b")
        responses = []
        for first in range(0, len(order), batch):
            rows = order[first : first + batch]
            steps = self.P + self.K
            found = self.present(rates[rows], targets[rows], steps, everything, self.age)
            responses.append(found)
            self.age += 1
        return np.concatenate(responses)

    def respond(self, rates, age=None, adapt=None):
        """Show one mini-batch without learning, in the prediction phase only.

        ``age`` is what random numbers are asked for, that of the next mini-batch by default. With
        ``adapt``, as in MB by default, V_b alone goes on learning; it is forgotten afterwards.
        """
        self.forget_totals()
        adapt = self.model == "MB" if adapt is None else adapt
        kept = dict(self.w["V_b"])
        age = self.age if age is None else age
        response = self.present(rates, None, self.P, ("V_b",) if adapt else (), age)
        self.w["V_b"] = kept
        return response

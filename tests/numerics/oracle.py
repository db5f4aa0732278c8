"""Algorithm 1, written a second time from the paper in plain numpy.

It shares no code with the package. Notation is the paper's; a matrix belongs to a connection (k, l)
from layer k to a higher layer l, W_f[k, l] has the shape (N_l, N_k), and rows of s[l] are the
images of a mini-batch.
"""

import numpy as np


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


def sigmoid_prime(s):
    return np.exp(-s) / (1.0 + np.exp(-s)) ** 2


RATE_FUNCTIONS = {
    "sigmoid": (sigmoid, sigmoid_prime),
    "tanh": (np.tanh, lambda s: 1.0 / np.cosh(s) ** 2),
    "hard_sigmoid": (
        lambda s: np.minimum(np.maximum(s / 4 + 0.5, 0), 1),
        lambda s: np.where(np.abs(s) < 2, 0.25, 0),
    ),
    "softplus": (lambda s: np.logaddexp(0, s), sigmoid),
    "s / (1 + abs(s))": (lambda s: s / (1 + np.abs(s)), lambda s: 1 / (1 + np.abs(s)) ** 2),
}


def softmax(s):
    z = np.exp(s - s.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


class Oracle:
    """A ghost network; layers count from 0 (the input) to L (the output)."""

    def __init__(self, edges, weights, *, model="MA", feedback=None, biases=True, k=0.5, beta=3.0,
                 prediction_steps=12, nudging_steps=8, eta=None, rho="sigmoid", softmax=False,
                 dale=False, intact=None, ghost_delay=0, ghost_onset=0, feedforward_onset=0,
                 ghost_rate=0.5, normalised=(), private=False,
                 following="none", calibration=None, linear=False):  # fmt: skip
        self.edges, self.model, self.biases = edges, model, biases
        self.L = max(l for _, l in edges)
        self.back = [(i, j) for i, j in edges if i > 0]
        self.with_ghosts = sorted({j for _, j in self.back})
        # hidden layer -> transpose, alignment, reconstruction or mirror
        self.feedback = feedback or dict.fromkeys({i for i, _ in self.back}, "transpose")
        self.k, self.beta, self.softmax = k, beta, softmax
        # whether output units are, which those of a softmax always are
        self.linear = linear or softmax
        self.prediction_steps, self.nudging_steps = prediction_steps, nudging_steps
        self.eta = eta  # by the name of a matrix, then by connection or layer
        self.rho, self.rho_prime = RATE_FUNCTIONS[rho]
        self.dale, self.intact = dale, intact or {}
        self.ghost_delay, self.ghost_rate = ghost_delay, ghost_rate
        self.ghost_onset, self.feedforward_onset = ghost_onset, feedforward_onset
        # populations whose rates rules are relative to, as (kind, layer)
        self.normalised = normalised
        # whether every image of a mini-batch has a V_b of its own while it is presented
        self.private = private
        # how ghosts follow W_f while it learns: they copy the change, or infer it from s - g
        self.following = following
        # (steps before, steps, deviation, rate, noise), where noise gives that of a presentation,
        # a step, a layer, and so many images and units; None without
        self.calibration = calibration
        self.presentations = 0
        # a bias is the weight from a unit whose rate is 1
        self.w = {name: {key: m.copy() for key, m in group.items()} for name, group in
                  weights.items()}  # fmt: skip
        self.mirror()

    def mirror(self):
        for i, j in self.back:
            if self.feedback[i] == "transpose":
                self.w["W_b"][i, j] = self.w["W_f"][i, j].T

    def start(self, x):
        self.x, n = x, len(x)
        rows = {j: self.w["W_f"][i, j].shape[0] for i, j in self.edges}
        self.s = {l: np.zeros((n, rows[l])) for l in range(1, self.L + 1)}
        ghosts = {j: self.w["V_f"][i, j].shape[0] for i, j in self.edges if j in self.with_ghosts}
        self.g = {l: np.zeros((n, ghosts[l])) for l in self.with_ghosts}
        self.z = {}
        self.own = {key: np.array([m] * n) for key, m in self.w["V_b"].items()}

    def rate(self, l):
        if l == 0:
            return self.x
        rate = self.s[l] if self.linear and l == self.L else self.rho(self.s[l])
        return rate + self.z[l] if self.z else rate

    def slope(self, l):
        linear = self.linear and l == self.L
        return np.ones_like(self.s[l]) if linear else self.rho_prime(self.s[l])

    def ghost_rate_of(self, l):
        linear = self.linear and l == self.L and self.model == "MA"
        rate = self.g[l] if linear else self.rho(self.g[l])
        return (rate + self.z[l] if self.z else rate) * self.intact.get(l, 1.0)

    def relative(self, rate, kind, l):
        """Divide the rates of each image by one and the sum of their squares."""
        if (kind, l) not in self.normalised:
            return rate
        return rate / (1.0 + (rate * rate).sum(axis=1, keepdims=True))

    def b(self, l, kind="W"):
        drive = sum(self.rate(i) @ self.w[f"{kind}_f"][i, j].T for i, j in self.edges if j == l)
        return drive + self.w[f"b_{kind}"][l][:, 0] if self.biases else drive

    def t(self, l):
        return sum(self.rate(j) @ self.w["W_b"][i, j].T for i, j in self.back if i == l)

    def c(self, l):
        if self.private:
            above = [j for i, j in self.back if i == l]
            return sum(
                np.einsum("nig,ng->ni", self.own[l, j], self.ghost_rate_of(j)) for j in above
            )
        return sum(self.ghost_rate_of(j) @ self.w["V_b"][i, j].T for i, j in self.back if i == l)

    def e(self, l, y=None):
        if l < self.L:
            return self.t(l) - self.c(l)
        if y is None:
            return np.zeros_like(self.s[l])
        return self.beta * (y - (softmax(self.s[l]) if self.softmax else self.rate(l)))

    def step(self, y=None, learn=True, number=10**9, third=False):
        """One explicit Euler step: prediction without targets, nudging with them."""
        L, k, n = self.L, self.k, len(self.x)
        e = {l: self.e(l, y) for l in range(1, L + 1)}
        ds = {l: -self.s[l] + self.b(l) + e[l] for l in range(1, L + 1)}
        dg = {l: -self.g[l] + self.b(l, "V") for l in self.with_ghosts}
        m = {l: self.b(l) - self.b(l, "V") for l in self.with_ghosts if self.model == "MA"}
        drives = {(kind, l): self.b(l, kind) for l in self.with_ghosts for kind in "WV"}
        changes, own = [], {}

        def change(name, key, post, pre):
            if name == "V_b" and self.private:
                each = [np.outer(a, b) for a, b in zip(post, pre, strict=True)]
                own[key] = self.own[key] + k * self.eta[name][key] * np.array(each)
                return
            changes.append((name, key, self.eta[name][key] * post.T @ pre / n))

        def follow(name, key, eta, post, pre):
            changes.append((name, key, eta * post.T @ pre / n))

        ones = np.ones((n, 1))
        if learn and self.z:  # only of noise, so per step
            _, _, deviation, rate, _ = self.calibration
            for i, j in self.edges:
                if j in self.with_ghosts and i > 0:
                    eta = rate / (1 + 2 * self.s[i].shape[1] / self.batch_size) / deviation**2 / k
                    follow("V_f", (i, j), eta, m[j] - self.last_m[j], self.z[i])
                    eta = rate / (1 + 2 * self.s[j].shape[1] / self.batch_size) / deviation**2 / k
                    follow("V_b", (i, j), eta, e[i] - self.last_e[i], self.z[j])
                    if self.feedback[i] == "mirror":
                        eta = self.eta["W_b"][i, j] / k
                        for kind in "WV":
                            moved = (drives[kind, j] - self.last_drives[kind, j]) / deviation**2
                            follow(f"{kind}_b", (i, j), eta, self.z[i], moved)
                            decay = -eta * self.w[f"{kind}_b"][i, j]
                            changes.append((f"{kind}_b", (i, j), decay))
            for l in self.with_ghosts if self.biases else ():
                follow("b_V", l, 0.2 * rate / k, m[l], ones)
        if learn and y is None and not third and number >= self.ghost_delay and (
            self.presentations >= self.ghost_onset
        ):  # fmt: skip
            for l in self.with_ghosts:
                if self.model == "MA":  # eq. (3)
                    for i, j in self.edges:
                        if j == l and not (self.calibration and i > 0):
                            pre = self.relative(self.rate(i), "s", i)
                            change("V_f", (i, j), self.s[l] - self.g[l], pre)
                if self.biases and not self.calibration:
                    aim = self.ghost_rate - self.ghost_rate_of(l)
                    change("b_V", l, self.s[l] - self.g[l] if self.model == "MA" else aim, ones)
            for i, j in () if self.calibration else self.back:
                pre = self.relative(self.ghost_rate_of(j), "g", j)
                change("V_b", (i, j), self.t(i) - self.c(i), pre)  # eq. (4), (6)
            for l, mode in self.feedback.items():
                if mode == "reconstruction":
                    guess = self.t(l) + (self.w["b_W_b"][l][:, 0] if self.biases else 0)
                    for i, j in self.back:
                        if i == l:
                            change("W_b", (i, j), self.rate(l) - guess, self.rate(j))
                    if self.biases:
                        change("b_W_b", l, self.rate(l) - guess, ones)
        if learn and y is not None and self.presentations >= self.feedforward_onset:
            for i, j in self.edges:  # eq. (5), (7)
                change("W_f", (i, j), e[j] * self.slope(j), self.rate(i))
            for l in range(1, L + 1) if self.biases else ():
                change("b_W", l, e[l] * self.slope(l), ones)
            for l in self.with_ghosts if self.following != "none" else ():
                moved = e[l] if self.following == "copy" else self.s[l] - self.g[l]
                moved = moved * self.slope(l)
                for i, j in self.edges:
                    if j == l:
                        follow("V_f", (i, j), self.eta["W_f"][i, j], moved, self.rate(i))
                    if j == l and i > 0 and self.feedback[i] == "transpose":
                        follow("V_b", (i, j), self.eta["W_f"][i, j], self.rate(i), moved)
                if self.biases:
                    follow("b_V", l, self.eta["b_W"][l], moved, ones)
        for l in range(1, L + 1):
            self.s[l] = self.s[l] + k * ds[l]
        for l in self.with_ghosts:
            self.g[l] = self.g[l] + k * dg[l]
        self.own.update(own)
        self.last_e, self.last_m = e, m
        self.last_drives = drives
        for name, key, change in changes:
            self.w[name][key] = self.w[name][key] + k * change
            if name == "V_b" and self.dale:
                self.w[name][key] = np.maximum(self.w[name][key], 0)
        self.mirror()

    def present(self, x, y, learn=True, record=None):
        """Both phases for one mini-batch; gives the predicted classes."""
        self.start(x)
        for number in range(self.prediction_steps):
            if record:
                record(self)
            self.step(learn=learn, number=number)
        predicted = self.rate(self.L).argmax(axis=1)
        for _ in range(self.nudging_steps if learn else 0):
            if record:
                record(self)
            self.step(y, learn=learn)
        settling, noisy = self.calibration[:2] if learn and self.calibration else (0, 0)
        for number in range(settling + noisy):
            if number >= settling:
                step = self.prediction_steps + self.nudging_steps + number
                self.z = {
                    l: self.calibration[4](self.presentations, step, l, *self.s[l].shape)
                    for l in self.s
                }
            self.step(learn=learn, third=True)
        if self.private:
            self.w["V_b"] = {key: matrices.mean(axis=0) for key, matrices in self.own.items()}
        self.presentations += learn
        return predicted

    def run(self, images, targets, order, batch_size, learn=True, record=None):
        """Mini-batches in turn; the last one may be smaller."""
        predicted, self.batch_size = [], batch_size
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            predicted.append(self.present(images[rows], targets[rows], learn, record))
        return np.concatenate(predicted)


class Perceptron:
    """The feedforward network with the same weights, and backpropagation through it."""

    def __init__(self, edges, weights, rho="sigmoid", softmax=False, linear=False):
        self.edges, self.w, self.softmax = edges, weights, softmax
        self.linear = linear or softmax
        self.L = max(l for _, l in edges)
        self.rho, self.rho_prime = RATE_FUNCTIONS[rho]

    def forward(self, x):
        self.s, self.rate = {}, {0: x}
        for l in range(1, self.L + 1):
            drive = sum(self.rate[i] @ self.w["W_f"][i, j].T for i, j in self.edges if j == l)
            self.s[l] = drive + self.w["b_W"][l][:, 0]
            linear = self.linear and l == self.L
            self.rate[l] = self.s[l] if linear else self.rho(self.s[l])
        return self.s

    def loss(self, x, y):
        self.forward(x)
        if self.softmax:
            return -(y * np.log(softmax(self.s[self.L]))).sum()
        return 0.5 * ((y - self.rate[self.L]) ** 2).sum()

    def backpropagate(self, x, y):
        """Return -dL/d rho(s_l) for every layer and -dL/dW_f for every connection."""
        self.forward(x)
        L = self.L
        error = {L: y - (softmax(self.s[L]) if self.softmax else self.rate[L])}
        delta = {L: error[L] * (1 if self.linear else self.rho_prime(self.s[L]))}
        for l in range(L - 1, 0, -1):
            error[l] = sum(delta[j] @ self.w["W_f"][i, j] for i, j in self.edges if i == l)
            delta[l] = error[l] * self.rho_prime(self.s[l])
        return error, {(i, j): delta[j].T @ self.rate[i] for i, j in self.edges}


def angle(a, b):
    """Angle in degrees between two arrays, taken as vectors."""
    u, v = (np.ravel(x) / np.linalg.norm(x) for x in (a, b))
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))))

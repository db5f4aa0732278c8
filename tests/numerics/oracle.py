"""Algorithm 1, written a second time from the paper in plain numpy.

It shares no code with the package. Notation and shapes are the paper's: W_f[l] has the shape
(N_l, N_(l-1)), rows of s[l] are the images of a mini-batch.
"""

import numpy as np


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


def sigmoid_prime(s):
    return np.exp(-s) / (1.0 + np.exp(-s)) ** 2


def tanh_prime(s):
    return 1.0 / np.cosh(s) ** 2


class Oracle:
    """A ghost network; layers count from 0 (the input) to L (the output)."""

    def __init__(self, L, weights, *, model="MA", transpose=True, biases=True, k=0.5, beta=3.0,
                 prediction_steps=12, nudging_steps=8, eta_W=None, eta_Vf=None, eta_Vb=None,
                 rho=sigmoid, rho_prime=sigmoid_prime):  # fmt: skip
        self.L, self.model, self.transpose, self.biases = L, model, transpose, biases
        self.k, self.beta = k, beta
        self.prediction_steps, self.nudging_steps = prediction_steps, nudging_steps
        self.eta_W, self.eta_Vf, self.eta_Vb = eta_W, eta_Vf, eta_Vb
        self.rho, self.rho_prime = rho, rho_prime
        # name -> {layer: matrix}; a bias is the weight from a unit whose rate is 1
        self.w = {name: {l: m.copy() for l, m in by_layer.items()} for name, by_layer in
                  weights.items()}  # fmt: skip
        if transpose:
            self.w["W_b"] = {l: self.w["W_f"][l].T for l in range(2, L + 1)}

    def start(self, x):
        self.x, n = x, len(x)
        self.s = {l: np.zeros((n, self.w["W_f"][l].shape[0])) for l in range(1, self.L + 1)}
        self.g = {l: np.zeros((n, self.w["V_f"][l].shape[0])) for l in range(2, self.L + 1)}

    def rate(self, l):
        return self.x if l == 0 else self.rho(self.s[l])

    def b(self, l):
        drive = self.rate(l - 1) @ self.w["W_f"][l].T
        return drive + self.w["b_W"][l][:, 0] if self.biases else drive

    def t(self, l):
        return self.rate(l + 1) @ self.w["W_b"][l + 1].T

    def c(self, l):
        return self.rho(self.g[l + 1]) @ self.w["V_b"][l + 1].T

    def e(self, l, y=None):
        if l < self.L:
            return self.t(l) - self.c(l)
        return np.zeros_like(self.s[l]) if y is None else self.beta * (y - self.rho(self.s[l]))

    def step(self, y=None, learn=True):
        """One explicit Euler step: prediction without targets, nudging with them."""
        L, k, n = self.L, self.k, len(self.x)
        e = {l: self.e(l, y) for l in range(1, L + 1)}
        ds = {l: -self.s[l] + self.b(l) + e[l] for l in range(1, L + 1)}
        dg = {}
        for l in range(2, L + 1):
            dg[l] = -self.g[l] + self.rate(l - 1) @ self.w["V_f"][l].T
            if self.biases:
                dg[l] = dg[l] + self.w["b_V"][l][:, 0]
        changes = []
        ones = np.ones((n, 1))
        if learn and y is None:
            for l in range(2, L + 1):
                if self.model == "MA":  # eq. (3)
                    d = self.eta_Vf[l] * (self.s[l] - self.g[l])
                    changes.append(("V_f", l, d.T @ self.rate(l - 1) / n))
                    if self.biases:
                        changes.append(("b_V", l, d.T @ ones / n))
                # eq. (4), (6)
                d = self.eta_Vb[l] * (self.t(l - 1) - self.c(l - 1))
                changes.append(("V_b", l, d.T @ self.rho(self.g[l]) / n))
        if learn and y is not None:
            for l in range(1, L + 1):  # eq. (5), (7)
                d = self.eta_W[l] * e[l] * self.rho_prime(self.s[l])
                changes.append(("W_f", l, d.T @ self.rate(l - 1) / n))
                if self.biases:
                    changes.append(("b_W", l, d.T @ ones / n))
        for l in range(1, L + 1):
            self.s[l] = self.s[l] + k * ds[l]
        for l in range(2, L + 1):
            self.g[l] = self.g[l] + k * dg[l]
        for name, l, change in changes:
            self.w[name][l] = self.w[name][l] + k * change
        if self.transpose:
            self.w["W_b"] = {l: self.w["W_f"][l].T for l in range(2, L + 1)}

    def present(self, x, y, learn=True, record=None):
        """Both phases for one mini-batch; gives the predicted classes."""
        self.start(x)
        for _ in range(self.prediction_steps):
            if record:
                record(self)
            self.step(learn=learn)
        predicted = self.rho(self.s[self.L]).argmax(axis=1)
        for _ in range(self.nudging_steps if learn else 0):
            if record:
                record(self)
            self.step(y, learn=learn)
        return predicted

    def run(self, images, targets, order, batch_size, learn=True, record=None):
        """Mini-batches in turn; the last one may be smaller."""
        predicted = []
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            predicted.append(self.present(images[rows], targets[rows], learn, record))
        return np.concatenate(predicted)


def feedforward(weights, x, rho=sigmoid):
    """States of the multilayer perceptron with the same weights."""
    s, rate = {}, x
    for l in sorted(weights["W_f"]):
        s[l] = rate @ weights["W_f"][l].T + weights["b_W"][l][:, 0]
        rate = rho(s[l])
    return s


def loss(weights, x, y, rho=sigmoid):
    s = feedforward(weights, x, rho)
    return 0.5 * ((y - rho(s[max(s)])) ** 2).sum()


def backpropagate(weights, x, y, rho=sigmoid, rho_prime=sigmoid_prime):
    """Give -dL/d rho(s_l) for every layer and -dL/dW_f for every projection."""
    s = feedforward(weights, x, rho)
    L = max(s)
    error = {L: y - rho(s[L])}
    for l in range(L - 1, 0, -1):
        error[l] = (error[l + 1] * rho_prime(s[l + 1])) @ weights["W_f"][l + 1]
    descent = {l: (error[l] * rho_prime(s[l])).T @ (x if l == 1 else rho(s[l - 1])) for l in error}
    return error, descent


def angle(a, b):
    """Angle in degrees between two arrays, taken as vectors."""
    cosine = np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

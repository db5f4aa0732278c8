"""Predictive coding in plain numpy; it shares no code with the package.

Whittington & Bogacz (2017), Neural Computation 29:1229. Value nodes s_l are predicted from below,
and the errors of these predictions are nodes too:

    mu_l = sum_(k below l) W_kl r_k + b_l,    r_0 = x, r_l = rho(s_l)
    eps_l = s_l - mu_l                        hidden layers
    eps_L = beta (y - mu_L)                   the output, fixed at its target
    F = 1/2 sum_hidden |eps_l|^2 + beta/2 |y - mu_L|^2

beta is the inverse of the output's variance. Output units are linear: nothing takes rho(s_L).

The first phase starts from s = 0. In each step all s_l become mu_l at once, from the rates at the
beginning of the step; the response is s_L at its end. The second phase goes down F in Euler steps
of length epsilon = dt/tau, all right-hand sides taken at the beginning of a step:

    hidden s_l changes by -epsilon dF/ds_l
        = epsilon (-eps_l + rho'(s_l) sum_(m above l) W_lm^T eps_m)

while s_L, on which nothing depends, goes on to become mu_L. Then, at the states at the end,

    W_kl changes by -eta / beta dF/dW_kl = eta / beta eps_l r_k^T,

the mean over the images of a mini-batch, and b_l likewise with r_k = 1.

Layers count from 0, the input, to L. A matrix belongs to a connection (k, l) from a layer to a
higher one and has the shape (N_l, N_k), whatever layers it skips; rows of states are images.
"""

import numpy as np


def sigmoid(u):
    return 0.5 * (1 + np.tanh(0.5 * u))


#: rho and its derivative. That of the hard sigmoid is 1 on both bounds.
RATE_FUNCTIONS = {
    "sigmoid": (sigmoid, lambda u: sigmoid(u) * sigmoid(-u)),
    "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    "hard_sigmoid": (
        lambda u: np.clip(u, 0, 1),
        lambda u: ((u >= 0) & (u <= 1)).astype(float),
    ),
}


class PredictiveCoding:
    """A network; its weights ``W`` and biases ``b`` change in `learn`.

    Parameters
    ----------
    W : dict of (int, int) to array
        Weights by connection.
    b : dict of int to array, optional
        Biases by layer, shape (N_l,); without them there are none, and none are learned.
    rho : {"sigmoid", "tanh", "hard_sigmoid"}
        Rates of states of hidden layers.
    epsilon, beta, free_steps, inference_steps
        Protocol.
    eta : float or dict
        Learning rates, by connection and by layer for the biases, or one for all.
    """

    def __init__(self, W, b=None, *, rho="sigmoid", epsilon=0.2, beta=1.0, free_steps=5,
                 inference_steps=20, eta=0.1):  # fmt: skip
        self.W = {key: np.array(matrix, float) for key, matrix in W.items()}
        self.b = {layer: np.array(bias, float) for layer, bias in (b or {}).items()}
        self.L = max(l for _, l in W)
        self.sizes = {l: len(matrix) for (_, l), matrix in sorted(self.W.items())}
        self.rho, self.rho_prime = RATE_FUNCTIONS[rho]
        self.epsilon, self.beta, self.eta = epsilon, beta, eta
        self.free_steps, self.inference_steps = free_steps, inference_steps
        #: States at every step of the last presentation, from its beginning to its end.
        self.free, self.inferred = [], []

    # -- energy and dynamics ------------------------------------------------------------

    def rates(self, x, s):
        """Rates of the input and of hidden layers."""
        return {0: x} | {l: self.rho(s[l]) for l in self.sizes if l != self.L}

    def predictions(self, x, s):
        r = self.rates(x, s)
        mu = {l: np.zeros_like(s[l]) + self.b.get(l, 0.0) for l in self.sizes}
        for (k, l), W in self.W.items():
            mu[l] = mu[l] + r[k] @ W.T
        return mu

    def errors(self, x, s, y):
        mu = self.predictions(x, s)
        eps = {l: s[l] - mu[l] for l in self.sizes}
        eps[self.L] = self.beta * (y - mu[self.L])
        return eps

    def energy(self, x, s, y):
        """F of each image."""
        mu = self.predictions(x, s)
        F = 0.5 * self.beta * ((y - mu[self.L]) ** 2).sum(axis=1)
        for l in self.sizes:
            if l != self.L:
                F = F + 0.5 * ((s[l] - mu[l]) ** 2).sum(axis=1)
        return F

    def free_step(self, x, s):
        return self.predictions(x, s)

    def inference_step(self, x, s, y):
        eps = self.errors(x, s, y)
        backward = {l: np.zeros_like(s[l]) for l in self.sizes}
        for (k, l), W in self.W.items():
            if k > 0:
                backward[k] = backward[k] + eps[l] @ W
        after = {
            l: s[l] + self.epsilon * (self.rho_prime(s[l]) * backward[l] - eps[l])
            for l in self.sizes
        }
        after[self.L] = self.predictions(x, s)[self.L]
        return after

    def rest(self, n_images):
        return {l: np.zeros((n_images, size)) for l, size in self.sizes.items()}

    def settle(self, x, s):
        """Return the states before the first step of the first phase, and after each of them."""
        trajectory = [s]
        for _ in range(self.free_steps):
            trajectory.append(self.free_step(x, trajectory[-1]))
        return trajectory

    def infer(self, x, s, y):
        """Return the states before the first step of the second phase, and after each of them."""
        trajectory = [s]
        for _ in range(self.inference_steps):
            trajectory.append(self.inference_step(x, trajectory[-1], y))
        return trajectory

    def respond(self, x):
        """Return the output's states at the end of a first phase."""
        return self.settle(x, self.rest(len(x)))[-1][self.L]

    # -- learning -------------------------------------------------------------------------

    def changes(self, x, s, y):
        """Return the changes of weights and biases at some states, without eta."""
        eps, r = self.errors(x, s, y), self.rates(x, s)
        scale = 1 / (self.beta * len(x))
        return {(k, l): scale * eps[l].T @ r[k] for k, l in self.W} | {
            l: scale * eps[l].sum(axis=0) for l in self.b
        }

    def present(self, x, y):
        """Run both phases for a mini-batch, and give the changes without eta."""
        self.free = self.settle(x, self.rest(len(x)))
        self.inferred = self.infer(x, self.free[-1], y)
        return self.changes(x, self.inferred[-1], y)

    def learn(self, x, y):
        """Present a mini-batch, then change the weights; give the responses of the first phase."""
        for key, change in self.present(x, y).items():
            eta = self.eta[key] if isinstance(self.eta, dict) else self.eta
            if key in self.W:
                self.W[key] = self.W[key] + eta * change
            else:
                self.b[key] = self.b[key] + eta * change
        return self.free[-1][self.L]

    def run(self, x, y, order, batch):
        """Learn from images in an order, so many at a time; give the responses to all of them."""
        batches = [order[first : first + batch] for first in range(0, len(order), batch)]
        return np.concatenate([self.learn(x[rows], y[rows]) for rows in batches])

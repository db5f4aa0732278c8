"""Backpropagation of errors in plain numpy; it shares no code with the package.

Rumelhart, Hinton & Williams (1986), Nature 323:533. With rates r_0 = x and r_l = rho(s_l),

    s_l = sum_(k below l) W_kl r_k + b_l
    C = 1/2 |y - r_L|^2               squared error, or
    C = - sum y log softmax(s_L)      cross-entropy; the output's rate is then s_L itself.

Errors e_l = -dC/dr_l are sent down, to hidden layers only:

    e_L = y - r_L,  or  y - softmax(s_L)  with cross-entropy, for which rho'(s_L) is 1
    e_k = sum_(l above k) B_kl (e_l rho'(s_l)),     B_kl of shape (N_k, N_l)
    W_kl changes by eta beta (e_l rho'(s_l)) r_k^T, the mean over the images of a mini-batch,
    and b_l likewise with r_k = 1.

B_kl is the transpose of W_kl, which gives the gradient, or it is given and fixed: feedback
alignment, Lillicrap et al. (2016), Nature Communications 7:13276. Targets are one-hot.

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


def log_softmax(s):
    shifted = s - s.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class Backpropagation:
    """A network; its weights ``W`` and biases ``b`` change in `learn`.

    Parameters
    ----------
    W : dict of (int, int) to array
        Weights by connection.
    b : dict of int to array, optional
        Biases by layer, shape (N_l,); without them there are none, and none are learned.
    B : dict of (int, int) to array, optional
        Fixed feedback of "alignment" by connection from a hidden layer, shape (N_k, N_l).
    rho : {"sigmoid", "tanh", "hard_sigmoid"}
        Rates of states.
    loss : {"squared_error", "cross_entropy"}
        Cost C.
    linear : bool
        Whether output units are, with a squared error too.
    feedback : {"transpose", "alignment"}
        What sends errors down.
    beta : float
        A factor of all changes.
    eta : float or dict
        Learning rates, by connection and by layer for the biases, or one for all.
    """

    def __init__(self, W, b=None, B=None, *, rho="sigmoid", loss="squared_error",
                 feedback="transpose", beta=1.0, eta=0.1, linear=False):  # fmt: skip
        self.W = {key: np.array(matrix, float) for key, matrix in W.items()}
        self.b = {layer: np.array(bias, float) for layer, bias in (b or {}).items()}
        self.B = {key: np.array(matrix, float) for key, matrix in (B or {}).items()}
        self.L = max(l for _, l in W)
        self.sizes = {l: len(matrix) for (_, l), matrix in sorted(self.W.items())}
        self.rho, self.rho_prime = RATE_FUNCTIONS[rho]
        if loss not in ("squared_error", "cross_entropy"):
            raise ValueError(f"loss {loss!r}")
        if feedback not in ("transpose", "alignment"):
            raise ValueError(f"feedback {feedback!r}")
        self.loss, self.feedback = loss, feedback
        self.linear = linear or loss == "cross_entropy"
        self.beta, self.eta = beta, eta
        #: Responses to the last mini-batch, before its change.
        self.response = None

    def forward(self, x):
        """Return states by layer, and rates by layer with those of the input."""
        s, r = {}, {0: x}
        for l in sorted(self.sizes):
            s[l] = np.zeros((len(x), self.sizes[l])) + self.b.get(l, 0.0)
            for (k, target), W in self.W.items():
                if target == l:
                    s[l] = s[l] + r[k] @ W.T
            linear = l == self.L and self.linear
            r[l] = s[l] if linear else self.rho(s[l])
        return s, r

    def respond(self, x):
        return self.forward(x)[1][self.L]

    def cost(self, x, y):
        """C of each image."""
        r = self.respond(x)
        if self.loss == "cross_entropy":
            return -(y * log_softmax(r)).sum(axis=1)
        return 0.5 * ((y - r) ** 2).sum(axis=1)

    def errors(self, s, r, y):
        """Return e_l rho'(s_l) by layer, for each image."""
        if self.loss == "cross_entropy":
            found = {self.L: y - np.exp(log_softmax(s[self.L]))}
        else:
            slope = 1.0 if self.linear else self.rho_prime(s[self.L])
            found = {self.L: (y - r[self.L]) * slope}
        for k in sorted(self.sizes, reverse=True):
            if k == self.L:
                continue
            e = np.zeros_like(s[k])
            for source, l in self.W:
                if source == k:
                    transpose = self.feedback == "transpose"
                    B = self.W[k, l].T if transpose else self.B[k, l]
                    e = e + found[l] @ B.T
            found[k] = e * self.rho_prime(s[k])
        return found

    def present(self, x, y):
        """Return what a mini-batch changes, without eta."""
        s, r = self.forward(x)
        self.response = r[self.L]
        d = self.errors(s, r, y)
        return {(k, l): self.beta * d[l].T @ r[k] / len(x) for k, l in self.W} | {
            l: self.beta * d[l].mean(axis=0) for l in self.b
        }

    def learn(self, x, y):
        """Present a mini-batch, then change the weights; give the responses before."""
        for key, change in self.present(x, y).items():
            eta = self.eta[key] if isinstance(self.eta, dict) else self.eta
            if key in self.W:
                self.W[key] = self.W[key] + eta * change
            else:
                self.b[key] = self.b[key] + eta * change
        return self.response

    def run(self, x, y, order, batch):
        """Learn from images in an order, so many at a time; give the responses to all of them."""
        batches = [order[first : first + batch] for first in range(0, len(order), batch)]
        return np.concatenate([self.learn(x[rows], y[rows]) for rows in batches])

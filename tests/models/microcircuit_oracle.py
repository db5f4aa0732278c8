"""A dendritic cortical microcircuit in plain numpy; it shares no code with the package.

Sacramento, Costa, Bengio & Senn (2018), NeurIPS 31, in two phases with one change of weights.
Pyramidal neurons of layers 1 to L have somata s_l; hidden ones have basal and apical dendrites. A
layer m with a connection from a hidden layer sends feedback, and has a population of interneurons
g_m, one for each of its pyramidal neurons. With rates r_0 = x, r_l = rho(s_l), q_m = rho(g_m):

    vB_l = sum_(k below l) W_kl r_k + b_l               basal
    vA_l = sum_(m above l) (B_lm r_m - P_lm q_m)        apical, hidden layers
    vI_m = sum_(k below m) Q_km r_k + c_m               dendrites of interneurons
    ds_l/dt = -leak s_l + basal (vB_l - s_l) + apical (vA_l - s_l)          hidden layers
    ds_L/dt = -leak s_L + basal (vB_L - s_L) [+ beta (y - s_L)]             output [nudged]
    dg_m/dt = -leak g_m + dendritic (vI_m - g_m) + teaching (s_m - g_m)

in Euler steps of length epsilon = dt/tau, all right-hand sides and sums taken at the beginning of
a step. Capitals are matrices and small words are conductances. P is minus the paper's weights from
interneurons to pyramidal neurons. The free phase starts from zero, and the response is s_L at its
end; the nudged one starts there. Then, at the states at the end, with

    a_l = basal / (leak + basal + apical),  a_L = basal / (leak + basal),
    d = dendritic / (leak + dendritic),

    W_kl changes by eta   (rho(s_l) - rho(a_l vB_l)) r_k^T,    b_l likewise with r_k = 1
    Q_km changes by eta_Q (rho(g_m) - rho(d vI_m)) r_k^T,      c_m likewise
    P_lm changes by eta_P vA_l q_m^T,

the mean over the images of a mini-batch. B is fixed, or always the transpose of W.

If Q_km = a_m / d W_km, c_m = a_m / d b_m and P = B, the network predicts itself: without nudging
it rests where g_m = s_m = a_m vB_m and vA = 0. With nudging, s_m - a_m vB_m is an error: vA_l of
all layers comes from it, as s_m - g_m = (leak + dendritic) / (leak + dendritic + teaching) of it,
and s_l - a_l vB_l = apical / (leak + basal + apical) vA_l.

Layers count from 0, the input, to L. A matrix belongs to a connection (k, l) from a layer to a
higher one: W and Q have the shape (N_l, N_k), B and P the shape (N_k, N_l), whatever layers they
skip; rows of states are images.
"""

import numpy as np


def sigmoid(u):
    return 0.5 * (1 + np.tanh(0.5 * u))


RATE_FUNCTIONS = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "hard_sigmoid": lambda u: np.clip(u, 0, 1),
}


def copies(arrays):
    return {key: np.array(array, float) for key, array in (arrays or {}).items()}


def rate_of(eta, key):
    return eta[key] if isinstance(eta, dict) else eta


class Microcircuit:
    """A network; its weights ``W``, ``Q``, ``P`` and biases ``b``, ``c`` change in `learn`.

    Parameters
    ----------
    W : dict of (int, int) to array
        Weights between pyramidal neurons, by connection.
    B, P : dict of (int, int) to array
        Feedback of pyramidal neurons and of interneurons to apical dendrites, by connection from
        a hidden layer, shape (N_k, N_l). B is not used if it is the transpose of W.
    Q : dict of (int, int) to array
        Weights to interneurons, by connection to a layer that sends feedback.
    b, c : dict of int to array, optional
        Biases by layer; without them there are none, and none are learned.
    rho : {"sigmoid", "tanh", "hard_sigmoid"}
        Rates of potentials.
    feedback : {"fixed", "transpose"}
        Whether B stays as it is, or is the transpose of W at all times.
    epsilon, free_steps, nudged_steps
        Protocol.
    leak, basal, apical, dendritic, teaching, beta
        Conductances; beta is the nudging's.
    nudge : bool
        Without it the second phase goes on like the first one, and targets are not looked at.
    eta, eta_Q, eta_P : float or dict
        Learning rates of W and b, Q and c, and P, by connection and by layer for the biases, or
        one for all.
    """

    def __init__(self, W, B, P, Q, b=None, c=None, *, rho="sigmoid", feedback="fixed",
                 epsilon=0.1, leak=0.1, basal=1.0, apical=0.8, dendritic=1.0, teaching=0.8,
                 beta=0.8, nudge=True, free_steps=100, nudged_steps=100, eta=0.1, eta_Q=0.1,
                 eta_P=0.1):  # fmt: skip
        if feedback not in ("fixed", "transpose"):
            raise ValueError(f"feedback {feedback!r}")
        self.W, self.B, self.P, self.Q = copies(W), copies(B), copies(P), copies(Q)
        self.b, self.c = copies(b), copies(c)
        self.L = max(l for _, l in W)
        self.sizes = {l: len(matrix) for (_, l), matrix in sorted(self.W.items())}
        #: Connections with feedback, and layers that have interneurons.
        self.back = [(k, l) for k, l in self.W if k > 0]
        self.sources = sorted({l for _, l in self.back})
        self.rho, self.feedback = RATE_FUNCTIONS[rho], feedback
        self.epsilon, self.beta, self.nudge = epsilon, beta, nudge
        self.leak, self.basal, self.apical = leak, basal, apical
        self.dendritic, self.teaching = dendritic, teaching
        self.free_steps, self.nudged_steps = free_steps, nudged_steps
        self.eta, self.eta_Q, self.eta_P = eta, eta_Q, eta_P
        self.transpose()
        #: Potentials s and g at every step of the last presentation, from beginning to end.
        self.free, self.nudged = [], []

    def transpose(self):
        """Let B follow W, if it does."""
        if self.feedback == "transpose":
            self.B = {key: self.W[key].T.copy() for key in self.back}

    def a(self, l):
        """Part of the basal potential that a soma takes on without apical or other input."""
        apical = 0.0 if l == self.L else self.apical
        return self.basal / (self.leak + self.basal + apical)

    def d(self):
        return self.dendritic / (self.leak + self.dendritic)

    def predict_itself(self):
        """Set P, Q and c to the self-predicting state."""
        self.P = {key: B.copy() for key, B in self.B.items()}
        self.Q = {(k, m): self.a(m) / self.d() * W for (k, m), W in self.W.items()
                  if m in self.sources}  # fmt: skip
        self.c = {m: self.a(m) / self.d() * self.b[m] for m in self.sources if m in self.b}

    # -- dynamics -------------------------------------------------------------------------

    def rates(self, x, s, g):
        """Return r and q."""
        return {0: x} | {l: self.rho(v) for l, v in s.items()}, {
            m: self.rho(v) for m, v in g.items()
        }

    def dendrites(self, x, s, g):
        """Return vB, vA and vI."""
        r, q = self.rates(x, s, g)
        vB = {l: np.zeros_like(s[l]) + self.b.get(l, 0.0) for l in self.sizes}
        for (k, l), W in self.W.items():
            vB[l] = vB[l] + r[k] @ W.T
        vA = {l: np.zeros_like(s[l]) for l in self.sizes if l != self.L}
        for l, m in self.back:
            vA[l] = vA[l] + r[m] @ self.B[l, m].T - q[m] @ self.P[l, m].T
        vI = {m: np.zeros_like(g[m]) + self.c.get(m, 0.0) for m in self.sources}
        for (k, m), Q in self.Q.items():
            vI[m] = vI[m] + r[k] @ Q.T
        return vB, vA, vI

    def step(self, x, s, g, y=None):
        """Return the potentials after a step; nudged if there is a target."""
        vB, vA, vI = self.dendrites(x, s, g)
        ds = {l: -self.leak * s[l] + self.basal * (vB[l] - s[l]) for l in self.sizes}
        for l in vA:
            ds[l] = ds[l] + self.apical * (vA[l] - s[l])
        if y is not None:
            ds[self.L] = ds[self.L] + self.beta * (y - s[self.L])
        dg = {
            m: -self.leak * g[m] + self.dendritic * (vI[m] - g[m]) + self.teaching * (s[m] - g[m])
            for m in self.sources
        }
        return {l: s[l] + self.epsilon * ds[l] for l in s}, {
            m: g[m] + self.epsilon * dg[m] for m in g
        }

    def settle(self, x, s, g, n_steps, y=None):
        """Return the potentials before the first step, and after each of them."""
        trajectory = [(s, g)]
        for _ in range(n_steps):
            trajectory.append(self.step(x, *trajectory[-1], y))
        return trajectory

    def rest(self, n_images):
        s = {l: np.zeros((n_images, size)) for l, size in self.sizes.items()}
        return s, {m: np.zeros_like(s[m]) for m in self.sources}

    def respond(self, x):
        """Return the output's potentials at the end of a free phase."""
        return self.settle(x, *self.rest(len(x)), self.free_steps)[-1][0][self.L]

    # -- learning -------------------------------------------------------------------------

    def changes(self, x, s, g):
        """Return the changes of W and b, of Q and c, and of P at some potentials, without eta."""
        r, q = self.rates(x, s, g)
        vB, vA, vI = self.dendrites(x, s, g)
        e = {l: self.rho(s[l]) - self.rho(self.a(l) * vB[l]) for l in self.sizes}
        i = {m: self.rho(g[m]) - self.rho(self.d() * vI[m]) for m in self.sources}
        n = len(x)
        forward = {(k, l): e[l].T @ r[k] / n for k, l in self.W}
        lateral = {(k, m): i[m].T @ r[k] / n for k, m in self.Q}
        return (
            forward | {l: e[l].mean(axis=0) for l in self.b},
            lateral | {m: i[m].mean(axis=0) for m in self.c},
            {(l, m): vA[l].T @ q[m] / n for l, m in self.back},
        )

    def present(self, x, y):
        """Run both phases for a mini-batch, and give the changes without eta."""
        self.free = self.settle(x, *self.rest(len(x)), self.free_steps)
        target = y if self.nudge else None
        self.nudged = self.settle(x, *self.free[-1], self.nudged_steps, target)
        return self.changes(x, *self.nudged[-1])

    def learn(self, x, y):
        """Present a mini-batch, then change the weights; give the responses of the free phase."""
        forward, lateral, backward = self.present(x, y)
        for changes, eta, weights, biases in (
            (forward, self.eta, self.W, self.b),
            (lateral, self.eta_Q, self.Q, self.c),
            (backward, self.eta_P, self.P, {}),
        ):
            for key, change in changes.items():
                group = weights if key in weights else biases
                group[key] = group[key] + rate_of(eta, key) * change
        self.transpose()
        return self.free[-1][0][self.L]

    def run(self, x, y, order, batch):
        """Learn from images in an order, so many at a time; give the responses to all of them."""
        batches = [order[first : first + batch] for first in range(0, len(order), batch)]
        return np.concatenate([self.learn(x[rows], y[rows]) for rows in batches])

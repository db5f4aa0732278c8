"""Equilibrium propagation in plain numpy, from the paper; it shares no code with the package.

Scellier & Bengio (2017), Frontiers in Computational Neuroscience 11:24. The energy of the states u
of all units above the input, their cost, and what they do:

    E(u) = 1/2 sum_i u_i^2 - sum_(i,j connected) W_ij rho(u_i) rho(u_j) - sum_i b_i rho(u_i)
    C(u) = 1/2 |y - u_L|^2                                 of the output's states, not its rates
    du/dt = -d(E + beta C)/du = rho'(u) (sum_j W_ij rho(u_j) + b_i) - u_i  [+ beta (y - u_i) in L]

in Euler steps of length epsilon = dt/tau, all right-hand sides taken at the beginning of a step.
The free phase (beta = 0) starts from zero, the nudged one from where the free one has ended. Then

    W_ij changes by eta / beta (rho(u_i^beta) rho(u_j^beta) - rho(u_i^0) rho(u_j^0)),

the mean over the images of a mini-batch, and b_i likewise with rho(u_j) = 1.

With ``symmetric`` (Laborieux et al. 2021), a third phase goes from the free state too, with -beta
for beta, as long as the second, and the change is the difference of both over 2 beta.

Of what the paper leaves open: the rates of the input are what is given (its hard sigmoid would
leave pixels between 0 and 1 as they are). With the hard sigmoid, rho(u) = u between 0 and 1, the
states are kept there after each step, as in section 5.2, and rho' is 1 on both bounds: with 0, a
state that starts from zero would stay there for ever.

Layers count from 0, the input, to L. A matrix belongs to a connection (k, l) from a layer to a
higher one and has the shape (N_l, N_k), whatever layers it skips; rows of states are images.
"""

import numpy as np


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def sigmoid_prime(u):
    return sigmoid(u) * (1 - sigmoid(u))


#: rho and its first two derivatives; the second one is needed by backpropagation through time.
RATE_FUNCTIONS = {
    "hard_sigmoid": (
        lambda u: np.clip(u, 0, 1),
        lambda u: ((u >= 0) & (u <= 1)).astype(float),
        np.zeros_like,
    ),
    "sigmoid": (sigmoid, sigmoid_prime, lambda u: sigmoid_prime(u) * (1 - 2 * sigmoid(u))),
}


class EquilibriumPropagation:
    """A network; its weights ``W`` and biases ``b`` change in `learn`.

    Parameters
    ----------
    W : dict of (int, int) to array
        Weights by connection.
    b : dict of int to array, optional
        Biases by layer, shape (N_l,); without them there are none, and none are learned.
    rho : {"hard_sigmoid", "sigmoid"}
        Rates of states.
    epsilon, beta, free_steps, nudged_steps
        Protocol.
    eta : float or dict
        Learning rates, by connection and by layer for the biases, or one for all.
    """

    def __init__(self, W, b=None, *, rho="hard_sigmoid", epsilon=0.5, beta=1.0, free_steps=20,
                 nudged_steps=4, symmetric=False, eta=0.1):  # fmt: skip
        self.W = {key: np.array(matrix, float) for key, matrix in W.items()}
        self.b = {layer: np.array(bias, float) for layer, bias in (b or {}).items()}
        self.L = max(l for _, l in W)
        self.sizes = {l: len(matrix) for (_, l), matrix in self.W.items()}
        self.rho, self.rho_prime, self.rho_second = RATE_FUNCTIONS[rho]
        self.clips = rho == "hard_sigmoid"
        self.epsilon, self.beta, self.eta = epsilon, beta, eta
        self.free_steps, self.nudged_steps = free_steps, nudged_steps
        self.symmetric = symmetric
        #: States at every step of the last presentation, from its beginning to its end.
        self.free, self.nudged = [], []

    # -- energy and dynamics ------------------------------------------------------------

    def rates(self, x, u):
        return {0: x} | {l: self.rho(u[l]) for l in self.sizes}

    def energy(self, x, u):
        """E of each image."""
        r = self.rates(x, u)
        E = sum(0.5 * (u[l] ** 2).sum(axis=1) for l in self.sizes)
        E = E - sum(((r[k] @ W.T) * r[l]).sum(axis=1) for (k, l), W in self.W.items())
        return E - sum(r[l] @ b for l, b in self.b.items())

    def cost(self, u, y):
        """C of each image."""
        return 0.5 * ((y - u[self.L]) ** 2).sum(axis=1)

    def drive(self, x, u):
        """What all connected units and the bias send to each layer."""
        r = self.rates(x, u)
        a = {l: np.zeros_like(u[l]) + self.b.get(l, 0.0) for l in self.sizes}
        for (k, l), W in self.W.items():
            a[l] = a[l] + r[k] @ W.T
            if k > 0:
                a[k] = a[k] + r[l] @ W
        return a

    def unclipped_step(self, x, u, y=None):
        """Return the states after a step; nudged if there is a target."""
        a = self.drive(x, u)
        du = {l: self.rho_prime(u[l]) * a[l] - u[l] for l in self.sizes}
        if y is not None:
            du[self.L] = du[self.L] + self.beta * (y - u[self.L])
        return {l: u[l] + self.epsilon * du[l] for l in self.sizes}

    def step(self, x, u, y=None):
        u = self.unclipped_step(x, u, y)
        return {l: np.clip(v, 0, 1) for l, v in u.items()} if self.clips else u

    def settle(self, x, u, n_steps, y=None):
        """Return the states before the first step, and after each of them."""
        trajectory = [u]
        for _ in range(n_steps):
            trajectory.append(self.step(x, trajectory[-1], y))
        return trajectory

    def rest(self, n_images):
        return {l: np.zeros((n_images, size)) for l, size in self.sizes.items()}

    def respond(self, x):
        """Return the output's states at the end of a free phase."""
        return self.settle(x, self.rest(len(x)), self.free_steps)[-1][self.L]

    # -- learning -------------------------------------------------------------------------

    def products(self, x, u):
        """Mean over images of rho(u_l) rho(u_k), by connection, and of rho(u_l), by layer."""
        r = self.rates(x, u)
        return {(k, l): r[l].T @ r[k] / len(x) for k, l in self.W} | {
            l: r[l].mean(axis=0) for l in self.b
        }

    def contrast(self, x, before, after):
        """Return what two states add to the changes of weights and biases, without eta."""
        first, second = self.products(x, before), self.products(x, after)
        return {key: (second[key] - first[key]) / self.beta for key in first}

    def present(self, x, y):
        """Run both phases for a mini-batch, and give the changes without eta."""
        self.free = self.settle(x, self.rest(len(x)), self.free_steps)
        self.nudged = self.settle(x, self.free[-1], self.nudged_steps, y)
        if not self.symmetric:
            return self.contrast(x, self.free[-1], self.nudged[-1])
        beta = self.beta
        self.beta = -beta
        opposite = self.settle(x, self.free[-1], self.nudged_steps, y)
        self.beta = beta
        both = self.contrast(x, opposite[-1], self.nudged[-1])
        return {key: change / 2 for key, change in both.items()}

    def learn(self, x, y):
        """Present a mini-batch, then change the weights; give the responses of the free phase."""
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

    # -- backpropagation through time -----------------------------------------------------

    def backpropagate(self, x, y, trajectory, n_steps):
        """Go back through the last steps of a free phase, for Ernoult et al. (2019), theorem 1.

        The cost is C of the last states u_T, the mean over images; the weights of each step are
        taken as variables of their own.

        Returns
        -------
        list
            For t = 0 .. n_steps: -dC/du_(T-t), by layer.
        list
            For t = 0 .. n_steps - 1: -dC/d(weights of the step from u_(T-t-1) to u_(T-t)), by
            connection, and biases by layer.
        """
        n_images = len(x)
        g = {l: np.zeros_like(u) for l, u in trajectory[-1].items()}
        g[self.L] = (y - trajectory[-1][self.L]) / n_images
        states, parameters = [g], []
        for t in range(n_steps):
            u = trajectory[-2 - t]
            a, r = self.drive(x, u), self.rates(x, u)
            if self.clips:
                v = self.unclipped_step(x, u)
                g = {l: g[l] * ((v[l] >= 0) & (v[l] <= 1)) for l in g}
            # what reaches each unit's drive
            d = {l: self.epsilon * g[l] * self.rho_prime(u[l]) for l in g}
            found = {}
            for k, l in self.W:
                found[k, l] = d[l].T @ r[k]
                if k > 0:
                    found[k, l] = found[k, l] + r[l].T @ d[k]
            parameters.append(found | {l: d[l].sum(axis=0) for l in self.b})
            before = {
                l: (1 - self.epsilon) * g[l] + self.epsilon * g[l] * self.rho_second(u[l]) * a[l]
                for l in g
            }
            for (k, l), W in self.W.items():
                before[l] = before[l] + self.rho_prime(u[l]) * (d[k] @ W.T if k > 0 else 0.0)
                if k > 0:
                    before[k] = before[k] + self.rho_prime(u[k]) * (d[l] @ W)
            g = before
            states.append(g)
        return states, parameters

    def nudged_updates(self, x):
        """Return what each step of the last nudged phase adds, to compare with `backpropagate`.

        Returns
        -------
        list
            (u_(t+1) - u_t) / (epsilon beta), divided by the number of images, by layer. A step of
            the paper's nudged phase moves the output by beta (y - u), here by epsilon beta (y - u).
        list
            The same of the changes of weights and biases; their sum is that of `present`.
        """
        pairs = list(zip(self.nudged[:-1], self.nudged[1:], strict=True))
        scale = self.epsilon * self.beta * len(x)
        states = [{l: (after[l] - before[l]) / scale for l in before} for before, after in pairs]
        return states, [self.contrast(x, before, after) for before, after in pairs]

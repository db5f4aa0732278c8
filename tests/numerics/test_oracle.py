"""The oracle against facts that do not come from it."""

import numpy as np
import pytest

from .oracle import RATE_FUNCTIONS, Oracle, Perceptron, angle, sigmoid

CHAIN = [(0, 1), (1, 2)]


def tiny(**kwds):
    one = {(0, 1): np.array([[0.5]]), (1, 2): np.array([[-0.7]])}
    weights = {
        "W_f": one,
        "W_b": {},
        "b_W": {1: np.array([[0.1]]), 2: np.array([[0.2]])},
        "V_f": {(1, 2): np.array([[0.3]])},
        "V_b": {(1, 2): np.array([[0.9]])},
        "b_V": {2: np.array([[-0.4]])},
    }
    eta = {
        "W_f": {(0, 1): 2.0, (1, 2): 0.5},
        "b_W": {1: 2.0, 2: 0.5},
        "V_f": {(1, 2): 0.25},
        "b_V": {2: 0.25},
        "V_b": {(1, 2): 0.125},
    }
    return Oracle(CHAIN, weights, eta=eta, **kwds)


def test_two_steps_by_hand():
    """1-1-1 network, one prediction and one nudging step, numbers worked out on paper."""
    net = tiny(k=0.5, beta=2.0)
    net.start(np.array([[0.8]]))
    net.step()
    # at rest all rates are 1/2: b_1 = .8*.5+.1, t = -.7/2, c = .9/2, so e = -.8
    np.testing.assert_allclose(net.s[1], 0.5 * (0.5 - 0.8))
    np.testing.assert_allclose(net.s[2], 0.5 * (-0.35 + 0.2))
    np.testing.assert_allclose(net.g[2], 0.5 * (0.15 - 0.4))
    np.testing.assert_allclose(net.w["V_f"][1, 2], 0.3)  # s = g = 0, nothing to imitate
    np.testing.assert_allclose(net.w["V_b"][1, 2], 0.9 + 0.5 * 0.125 * (-0.8) * 0.5)
    np.testing.assert_allclose(net.w["W_f"][0, 1], 0.5)
    s1, s2, g2, vb = -0.15, -0.075, -0.125, 0.875
    r1, r2, rg = (1 / (1 + np.exp(-v)) for v in (s1, s2, g2))
    net.step(np.array([[1.0]]))
    e1, e2 = -0.7 * r2 - vb * rg, 2.0 * (1 - r2)
    np.testing.assert_allclose(net.s[1], s1 + 0.5 * (-s1 + 0.5 + e1))
    np.testing.assert_allclose(net.s[2], s2 + 0.5 * (-s2 - 0.7 * r1 + 0.2 + e2))
    np.testing.assert_allclose(net.w["W_f"][0, 1], 0.5 + 0.5 * 2.0 * e1 * r1 * (1 - r1) * 0.8)
    np.testing.assert_allclose(net.w["W_f"][1, 2], -0.7 + 0.5 * 0.5 * e2 * r2 * (1 - r2) * r1)
    np.testing.assert_allclose(net.w["b_W"][2], 0.2 + 0.5 * 0.5 * e2 * r2 * (1 - r2))
    np.testing.assert_allclose(net.w["W_b"][1, 2], net.w["W_f"][1, 2].T)
    np.testing.assert_allclose(net.w["V_b"][1, 2], vb)  # ghosts rest while nudging


def test_imitation_by_hand():
    net = tiny(k=0.5)
    net.start(np.array([[0.8]]))
    net.s[1][:], net.s[2][:], net.g[2][:] = 0.4, 1.0, 0.2
    net.step()
    np.testing.assert_allclose(
        net.w["V_f"][1, 2], 0.3 + 0.5 * 0.25 * (1.0 - 0.2) / (1 + np.exp(-0.4))
    )
    np.testing.assert_allclose(net.w["b_V"][2], -0.4 + 0.5 * 0.25 * (1.0 - 0.2))


def chain(sizes):
    return [(l - 1, l) for l in range(1, len(sizes))]


def random_weights(sizes, edges=None, seed=0):
    """Ghosts are copies, so that they predict."""
    rng = np.random.default_rng(seed)
    edges = edges or chain(sizes)
    L = len(sizes) - 1
    W = {(i, j): rng.normal(size=(sizes[j], sizes[i])) / np.sqrt(sizes[i]) for i, j in edges}
    b = {l: 0.1 * rng.normal(size=(sizes[l], 1)) for l in range(1, L + 1)}
    ghosts = {j for i, j in edges if i > 0}
    return {
        "W_f": W,
        "W_b": {},
        "b_W": b,
        "V_f": {(i, j): W[i, j].copy() for i, j in edges if j in ghosts},
        "V_b": {(i, j): W[i, j].T.copy() for i, j in edges if i > 0},
        "b_V": {l: b[l] for l in ghosts},
    }


def test_batch_is_mean_of_images():
    rng = np.random.default_rng(1)
    x, y = rng.random((3, 4)), np.eye(2)[[0, 1, 1]]
    weights = random_weights((4, 3, 2))
    weights["V_b"][1, 2] = weights["V_b"][1, 2] + 0.3
    eta = {"W_f": {(0, 1): 1.0, (1, 2): 1.0}, "b_W": {1: 1.0, 2: 1.0}}
    eta |= {"V_f": {(1, 2): 0.1}, "V_b": {(1, 2): 0.1}, "b_V": {2: 0.1}}

    def change(rows):
        net = Oracle(CHAIN, weights, eta=eta)
        net.start(x[rows])
        net.s[2][:] = 0.5
        net.step(y[rows])
        net.step()
        return net.w["V_b"][1, 2] - weights["V_b"][1, 2]

    def first_change(rows):
        net = Oracle(CHAIN, weights, eta=eta)
        net.start(x[rows])
        net.step(y[rows])
        return net.w["W_f"][0, 1] - weights["W_f"][0, 1]

    single = [first_change([i]) for i in range(3)]
    np.testing.assert_allclose(first_change([0, 1, 2]), np.mean(single, axis=0))
    np.testing.assert_allclose(change([0, 0, 0]), change([0]))


SKIPPING = [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)]
GRAPHS = [
    ((6, 5, 3), None),
    ((6, 5, 4, 3), None),
    ((6, 5, 4, 4, 3), None),
    ((6, 5, 4, 3), SKIPPING),
]


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize(("sizes", "edges"), GRAPHS)
def test_backpropagation_agrees_with_finite_differences(sizes, edges, softmax):
    edges = edges or chain(sizes)
    weights = random_weights(sizes, edges)
    rng = np.random.default_rng(2)
    x, y = rng.random((4, sizes[0])), np.eye(sizes[-1])[rng.integers(0, sizes[-1], 4)]
    net = Perceptron(edges, weights, softmax=softmax)
    _, descent = net.backpropagate(x, y)
    for edge, matrix in weights["W_f"].items():
        for index in [(0, 0), (1, 2), (2, 1)]:
            old = matrix[index]
            matrix[index] = old + 1e-6
            up = net.loss(x, y)
            matrix[index] = old - 1e-6
            down = net.loss(x, y)
            matrix[index] = old
            assert descent[edge][index] == pytest.approx(-(up - down) / 2e-6, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize(("sizes", "edges"), GRAPHS)
def test_theorem_1_in_the_limit(sizes, edges, softmax):
    """With ghosts that predict, the nudged error is beta times the gradient."""
    edges = edges or chain(sizes)
    weights = random_weights(sizes, edges)
    rng = np.random.default_rng(3)
    x, y = rng.random((4, sizes[0])), np.eye(sizes[-1])[rng.integers(0, sizes[-1], 4)]
    perceptron = Perceptron(edges, weights, softmax=softmax)
    error, _ = perceptron.backpropagate(x, y)
    beta = 1e-4
    net = Oracle(edges, weights, beta=beta, prediction_steps=80, nudging_steps=0, softmax=softmax)
    net.present(x, y, learn=False)
    for l, s in perceptron.s.items():
        np.testing.assert_allclose(net.s[l], s, atol=1e-9)
    for _ in range(80):
        net.step(y, learn=False)
    for l in range(1, net.L):
        assert angle(net.e(l), error[l] * beta) < 0.1
        assert np.linalg.norm(net.e(l)) / np.linalg.norm(error[l] * beta) == pytest.approx(
            1, abs=1e-2
        )
    assert sigmoid(0.0) == 0.5


@pytest.mark.parametrize("name", RATE_FUNCTIONS)
def test_slopes_of_rate_functions(name):
    rho, rho_prime = RATE_FUNCTIONS[name]
    s = np.linspace(-3.3, 3.1, 50)
    numeric = (rho(s + 1e-6) - rho(s - 1e-6)) / 2e-6
    np.testing.assert_allclose(rho_prime(s), numeric, atol=1e-6)

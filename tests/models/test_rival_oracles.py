"""The oracles of the models that are compared: finite differences, theorems, limits."""

import numpy as np
import pytest

from .backpropagation_oracle import Backpropagation
from .microcircuit_oracle import Microcircuit
from .predictive_coding_oracle import PredictiveCoding

pytestmark = pytest.mark.filterwarnings("error")

CHAIN = ((5, 6, 3), ((0, 1), (1, 2)))
DEEP = ((5, 6, 4, 3), ((0, 1), (1, 2), (2, 3)))
SKIP = ((5, 6, 4, 3), ((0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)))
SHAPES = (CHAIN, DEEP, SKIP)
RHOS = ("sigmoid", "tanh", "hard_sigmoid")

#: Written once more, for networks that the oracles have no part in.
RATES = {
    "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    "tanh": lambda u: 2 / (1 + np.exp(-2 * u)) - 1,
    "hard_sigmoid": lambda u: np.minimum(np.maximum(u, 0), 1),
}


def draw(rho, shape=DEEP, n_images=4, seed=0):
    """Weights, biases, images and targets; potentials are between 0 and 1 for the hard sigmoid."""
    sizes, connections = shape
    rng = np.random.default_rng(seed)
    scale, bias = (0.25, 0.5) if rho == "hard_sigmoid" else (1.5, 0.5)
    W = {
        (k, l): scale * rng.uniform(-1, 1, (sizes[l], sizes[k])) / sizes[k] ** 0.5
        for k, l in connections
    }
    b = {l: bias * rng.uniform(0.7, 1.3, sizes[l]) for l in range(1, len(sizes))}
    x = rng.uniform(0, 1, (n_images, sizes[0]))
    return W, b, x, np.eye(sizes[-1])[np.arange(n_images) % sizes[-1]]


def draw_feedback(W, seed=1):
    """Random matrices from each layer to the hidden ones below it."""
    rng = np.random.default_rng(seed)
    return {(k, l): rng.uniform(-0.5, 0.5, M.T.shape) for (k, l), M in W.items() if k > 0}


def forward(W, b, x, rho, gains=None):
    """States of the output of a feedforward network, s_l = a_l (sum_k W_kl rho(s_k) + b_l)."""
    s, r = {}, {0: x}
    for l in sorted({l for _, l in W}):
        s[l] = sum(r[k] @ W[k, m].T for k, m in W if m == l) + b.get(l, 0.0)
        s[l] = s[l] * (gains[l] if gains else 1.0)
        r[l] = RATES[rho](s[l])
    return s[l]


def descent(function, array, h=1e-5):
    """Minus the gradient of a number with respect to an array that it depends on."""
    found = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        old = array[index]
        values = []
        for array[index] in (old + h, old - h):
            values.append(function())
        array[index] = old
        found[index] = (values[1] - values[0]) / (2 * h)
    return found


def distance(a, b):
    """Norm of a difference of two dictionaries of arrays, relative to the second."""
    difference = sum(((a[key] - b[key]) ** 2).sum() for key in b)
    return (difference / sum((b[key] ** 2).sum() for key in b)) ** 0.5


def angle(a, b):
    """In degrees."""
    cosine = (a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def squared_error(s, y):
    return 0.5 * ((y - s) ** 2).sum(axis=1).mean()


# -- backpropagation --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("rho", RHOS)
def test_backpropagation_gives_the_gradient(rho, loss, shape):
    W, b, x, y = draw(rho, shape)
    net = Backpropagation(W, b, rho=rho, loss=loss, beta=0.7)

    def cost():
        s = forward(net.W, net.b, x, rho)
        if loss == "squared_error":
            return squared_error(RATES[rho](s), y)
        return -np.log((y * np.exp(s)).sum(axis=1) / np.exp(s).sum(axis=1)).mean()

    assert net.cost(x, y).mean() == pytest.approx(cost(), rel=1e-12)
    for key, change in net.present(x, y).items():
        group = net.W if key in net.W else net.b
        np.testing.assert_allclose(change, 0.7 * descent(cost, group[key]), atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_alignment_with_transposed_weights_is_backpropagation(loss, shape):
    W, b, x, y = draw("tanh", shape)
    transposed = {(k, l): M.T for (k, l), M in W.items() if k > 0}
    gradient = Backpropagation(W, b, rho="tanh", loss=loss).present(x, y)
    nets = [
        Backpropagation(W, b, B, rho="tanh", loss=loss, feedback="alignment")
        for B in (transposed, draw_feedback(W))
    ]
    same, other = (net.present(x, y) for net in nets)
    assert same.keys() == gradient.keys()
    assert distance(same, gradient) < 1e-14
    # only what is below the output depends on feedback
    L = max(l for _, l in W)
    for key in gradient:
        l = key[1] if key in W else key
        assert np.allclose(other[key], gradient[key]) == (l == L), key


def test_feedback_stays_as_it_is_and_forward_weights_align_with_it():
    """Feedback alignment learns, and its changes come nearer to the gradient."""
    W, b, x, y = draw("tanh", CHAIN, n_images=3)
    B = draw_feedback(W)
    net = Backpropagation(W, b, B, rho="tanh", feedback="alignment", eta=0.1)
    before = net.cost(x, y).mean(), angle(W[1, 2].T, B[1, 2])
    net.run(x, y, np.tile(np.arange(3), 1000), 3)
    np.testing.assert_array_equal(net.B[1, 2], B[1, 2])
    assert net.cost(x, y).mean() < 0.05 * before[0]
    assert angle(net.W[1, 2].T, B[1, 2]) < min(before[1], 80)


def test_backpropagation_that_can_be_done_by_hand():
    """One unit in each layer, 0 -> 1 -> 2 and 0 -> 2."""
    W = {(0, 1): [[2.0]], (1, 2): [[-0.5]], (0, 2): [[1.0]]}
    x, y = np.array([[0.25]]), np.array([[1.0]])
    net = Backpropagation(W, {1: [0.1], 2: [0.5]}, rho="hard_sigmoid", eta=0.1, beta=2.0)
    # s_1 = 0.6, s_2 = -0.3 + 0.25 + 0.5 = 0.45; e_2 = 0.55, e_1 = -0.275
    change = net.present(x, y)
    assert net.response == pytest.approx(0.45)
    expected = {(0, 1): -0.06875, (1, 2): 0.33, (0, 2): 0.1375, 1: -0.275, 2: 0.55}
    assert change == {key: pytest.approx(2 * value) for key, value in expected.items()}
    net.feedback, net.B = "alignment", {(1, 2): np.array([[3.0]])}
    expected |= {(0, 1): 0.4125, 1: 1.65}
    assert net.present(x, y) == {key: pytest.approx(2 * value) for key, value in expected.items()}


@pytest.mark.parametrize("shift", [-800.0, 0.0, 800.0])
def test_large_states_are_no_problem(shift):
    W, _, x, y = draw("sigmoid", CHAIN)
    for loss in ("squared_error", "cross_entropy"):
        net = Backpropagation(W, {2: [shift, -shift, shift]}, loss=loss)
        assert all(np.isfinite(change).all() for change in net.present(x, y).values())
        assert np.isfinite(net.cost(x, y)).all()


# -- predictive coding ------------------------------------------------------------------------


def random_states(net, seed=2, n_images=4):
    rng = np.random.default_rng(seed)
    return {l: rng.uniform(0.1, 0.9, (n_images, size)) for l, size in net.sizes.items()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_inference_goes_down_the_energy(rho, shape):
    W, b, x, y = draw(rho, shape)
    net = PredictiveCoding(W, b, rho=rho, beta=0.3, epsilon=0.2)
    s = random_states(net)
    after = net.inference_step(x, s, y)
    np.testing.assert_allclose(after[net.L], net.free_step(x, s)[net.L])
    for l in s:
        expected = 0.2 * descent(lambda: net.energy(x, s, y).sum(), s[l])
        if l == net.L:
            assert not expected.any()
        else:
            np.testing.assert_allclose(after[l] - s[l], expected, atol=1e-9)
    net.inference_steps = 50
    energies = [net.energy(x, states, y).sum() for states in net.infer(x, s, y)]
    assert (np.diff(energies) < 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_predictive_coding_changes_weights_down_the_energy(rho, shape):
    W, b, x, y = draw(rho, shape)
    net = PredictiveCoding(W, b, rho=rho, beta=0.3, inference_steps=7)
    change = net.present(x, y)
    final = net.inferred[-1]
    for key in change:
        group = net.W if key in net.W else net.b
        expected = descent(lambda: net.energy(x, final, y).mean(), group[key]) / 0.3
        np.testing.assert_allclose(change[key], expected, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_first_phase_arrives_at_the_feedforward_network_after_as_many_steps_as_layers(rho, shape):
    W, b, x, _ = draw(rho, shape)
    L = len(shape[0]) - 1
    expected = forward(W, b, x, rho)
    for steps in (L, L + 3):
        net = PredictiveCoding(W, b, rho=rho, free_steps=steps)
        np.testing.assert_allclose(net.respond(x), expected, rtol=1e-12)
    net.free_steps = L - 1
    assert np.abs(net.respond(x) - expected).max() > 1e-3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_weak_targets_make_predictive_coding_backpropagation(rho, shape):
    """What is left is proportional to beta."""
    W, b, x, y = draw(rho, shape)
    arrays = {key: a.copy() for key, a in (W | b).items()}
    weights, biases = ({k: arrays[k] for k in group} for group in (W, b))
    gradient = {
        key: descent(lambda: squared_error(forward(weights, biases, x, rho), y), array)
        for key, array in arrays.items()
    }
    errors = {}
    for beta in (1e-2, 1e-3, 1e-4):
        net = PredictiveCoding(W, b, rho=rho, beta=beta, epsilon=0.5, inference_steps=150)
        errors[beta] = distance(net.present(x, y), gradient)
        # it has come to rest
        after = net.inference_step(x, net.inferred[-1], y)
        assert all(np.abs(after[l] - net.inferred[-1][l]).max() < 1e-13 for l in after)
    assert errors[1e-4] < 1e-2
    assert errors[1e-2] / errors[1e-3] == pytest.approx(10, rel=0.1)
    assert errors[1e-3] / errors[1e-4] == pytest.approx(10, rel=0.1)
    # without inference, hidden layers have no errors
    net = PredictiveCoding(W, b, rho=rho, inference_steps=0)
    change = net.present(x, y)
    np.testing.assert_allclose(change[net.L], gradient[net.L], atol=1e-9)
    assert not change[0, 1].any()


def test_predictive_coding_that_can_be_done_by_hand():
    """One unit in each layer; in a step, all look at what was before it."""
    net = PredictiveCoding(
        {(0, 1): [[2.0]], (1, 2): [[-0.5]]},
        {1: [0.1], 2: [0.5]},
        rho="hard_sigmoid",
        beta=2.0,
        epsilon=0.5,
        free_steps=1,
        inference_steps=2,
    )
    x, y = np.array([[0.25]]), np.array([[1.0]])
    change = net.present(x, y)
    # mu_1 = 0.6. From rest: s_1 = 0.6, s_2 = 0.5
    assert net.free[-1] == {1: pytest.approx(0.6), 2: pytest.approx(0.5)}
    # mu_2 = 0.2, eps = (0, 1.6): s_1 = 0.6 - 0.5 * 0.5 * 1.6
    assert net.inferred[1] == {1: pytest.approx(0.2), 2: pytest.approx(0.2)}
    # mu_2 = 0.4, eps = (-0.4, 1.2): s_1 = 0.2 + 0.5 (0.4 - 0.6)
    assert net.inferred[2] == {1: pytest.approx(0.1), 2: pytest.approx(0.4)}
    # mu_2 = 0.45, eps = (-0.5, 1.1)
    assert net.energy(x, net.inferred[2], y) == pytest.approx(0.125 + 0.55**2)
    expected = {(0, 1): -0.0625, (1, 2): 0.055, 1: -0.25, 2: 0.55}
    assert change == {key: pytest.approx(value) for key, value in expected.items()}


# -- microcircuit -----------------------------------------------------------------------------


def microcircuit(rho, shape=DEEP, n_images=4, seed=0, feedback="fixed", **protocol):
    """A network that predicts itself; its conductances are all different."""
    W, b, x, y = draw(rho, shape, n_images, seed)
    different = {"leak": 0.15, "basal": 1.0, "apical": 0.8, "dendritic": 0.9, "teaching": 0.7}
    protocol = different | protocol
    net = Microcircuit(W, draw_feedback(W), {}, {}, b, rho=rho, feedback=feedback, **protocol)
    net.predict_itself()
    return net, x, y


def gains(net):
    """What the rest of each soma takes on from its basal dendrite."""
    hidden = net.basal / (net.leak + net.basal + net.apical)
    return dict.fromkeys(net.sizes, hidden) | {net.L: net.basal / (net.leak + net.basal)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_self_predicting_state_rests_without_apical_potentials(rho, shape):
    net, x, y = microcircuit(rho, shape, free_steps=200, nudged_steps=200, epsilon=0.2)
    net.nudge = False
    changes = net.present(x, y)
    for s, g in (net.free[-1], net.nudged[-1]):
        vB, vA, _ = net.dendrites(x, s, g)
        assert vA
        for l in vA:
            assert np.abs(vA[l]).max() < 1e-12, l
        for m in g:
            np.testing.assert_allclose(g[m], s[m], atol=1e-12)
        for l in s:
            np.testing.assert_allclose(s[l], gains(net)[l] * vB[l], atol=1e-12)
    assert all(np.abs(change).max() < 1e-12 for group in changes for change in group.values())
    expected = forward(net.W, net.b, x, rho, gains(net))
    np.testing.assert_allclose(net.free[-1][0][net.L], expected, atol=1e-12)
    assert [set(group) for group in changes] == [
        set(net.W) | set(net.b),
        {(k, m) for k, m in net.W if m > 1} | {m for m in net.b if m > 1},
        {(l, m) for l, m in net.W if l > 0},
    ]
    # on the way there apical potentials do not vanish, and with nudging all weights change
    on_the_way = [net.dendrites(x, *potentials)[1].values() for potentials in net.free[:20]]
    assert max(np.abs(v).max() for values in on_the_way for v in values) > 1e-3
    net.nudge = True
    nudged = net.present(x, y)
    assert all(np.abs(change).max() > 1e-6 for group in nudged for change in group.values())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_nudging_of_no_strength_is_none(rho, shape):
    net, x, y = microcircuit(rho, shape, beta=0.0, free_steps=20, nudged_steps=20)
    nudged = net.present(x, y)
    net.nudge = False
    for group, other in zip(nudged, net.present(x, y), strict=True):
        for key in group:
            np.testing.assert_array_equal(group[key], other[key])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_interneurons_learn_to_predict_what_comes_from_above(rho, shape):
    """Without targets, learning of Q, c and P alone cancels apical potentials."""
    net, x, y = microcircuit(
        rho, shape, n_images=3, nudge=False, epsilon=0.3, free_steps=30, nudged_steps=10,
        eta=0.0, eta_Q=0.5, eta_P=0.5,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    net.P = {key: rng.uniform(-0.5, 0.5, P.shape) for key, P in net.P.items()}
    net.Q = {key: rng.uniform(-0.5, 0.5, Q.shape) for key, Q in net.Q.items()}
    net.c = {m: rng.uniform(-0.5, 0.5, c.shape) for m, c in net.c.items()}
    before = {key: W.copy() for key, W in (net.W | net.b).items()}

    def apical():
        net.present(x, y)
        vA = net.dendrites(x, *net.nudged[-1])[1]
        return np.mean([np.abs(v).mean() for v in vA.values()])

    start = apical()
    net.run(x, y, np.tile(np.arange(3), 200), 3)
    assert apical() < start / 5
    for key, W in before.items():
        np.testing.assert_array_equal(net.W[key] if key in net.W else net.b[key], W)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", RHOS)
def test_errors_of_weak_nudging_are_those_of_the_theory(rho, shape):
    """To the first order in beta, for any feedback.

    A soma of the output is moved by beta / (leak + basal) (y - s), and one of a hidden layer by
    apical / (leak + basal + apical) of what the layers above are moved by, less what their
    interneurons follow.
    """
    net, x, y = microcircuit(rho, shape, free_steps=150, nudged_steps=150, epsilon=0.2)
    errors = {}
    for net.beta in (1e-3, 1e-4):
        forward_changes, lateral, backward = net.present(x, y)
        s, g = net.free[-1]
        r, q = net.rates(x, s, g)
        slope = {l: (net.rho(s[l] + 1e-5) - net.rho(s[l] - 1e-5)) / 2e-5 for l in s}
        e, vA = {net.L: net.beta / (net.leak + net.basal) * (y - s[net.L])}, {}
        total = net.leak + net.dendritic + net.teaching
        unexplained = (net.leak + net.dendritic) / total
        for l in range(net.L - 1, 0, -1):
            vA[l] = sum(
                unexplained * slope[m] * e[m] @ B.T for (k, m), B in net.B.items() if k == l
            )
            e[l] = net.apical / (net.leak + net.basal + net.apical) * vA[l]
        n = len(x)
        expected = {(k, l): (slope[l] * e[l]).T @ r[k] / n for k, l in net.W}
        expected |= {l: (slope[l] * e[l]).mean(axis=0) for l in net.b}
        errors[net.beta] = [distance(forward_changes, expected)]
        # interneurons follow their partners by the rest
        taught = net.teaching / total
        expected = {
            (k, m): taught * (slope[m] * e[m]).T @ r[k] / n for k, m in net.Q
        } | {m: taught * (slope[m] * e[m]).mean(axis=0) for m in net.c}  # fmt: skip
        errors[net.beta].append(distance(lateral, expected))
        expected = {(l, m): vA[l].T @ q[m] / n for l, m in net.P}
        errors[net.beta].append(distance(backward, expected))
    assert max(errors[1e-4]) < 1e-3
    np.testing.assert_allclose(np.divide(errors[1e-3], errors[1e-4]), 10, rtol=0.1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rho", RHOS)
def test_weak_nudging_points_down_the_squared_error(rho, seed):
    """In a chain with one hidden layer, symmetric feedback, and potentials that are not large.

    The output's own slope is in the change, and not in the gradient of 1/2 |y - s_L|^2. Where it
    is the same for all units and images, with the hard sigmoid, directions are the same; with it
    in the cost they always are.
    """
    net, x, y = microcircuit(
        rho, CHAIN, seed=seed, feedback="transpose", beta=1e-4, free_steps=150, nudged_steps=150,
        epsilon=0.2,
    )  # fmt: skip
    change = net.present(x, y)[0]
    s = net.free[-1][0][2]
    slope = (net.rho(s + 1e-5) - net.rho(s - 1e-5)) / 2e-5
    pull = slope * (y - s)

    def cost():
        return squared_error(forward(net.W, net.b, x, rho, gains(net)), y)

    def own():
        return -(pull * forward(net.W, net.b, x, rho, gains(net))).sum(axis=1).mean()

    for key in ((0, 1), 1, (1, 2), 2):
        group = net.W if key in net.W else net.b
        assert angle(change[key], descent(cost, group[key])) < 15, key
        if rho == "hard_sigmoid":
            assert angle(change[key], descent(cost, group[key])) < 0.1, key
        assert angle(change[key], descent(own, group[key])) < 0.1, key


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("apical", [0.8, 1 / 0.6])
def test_errors_shrink_from_layer_to_layer_by_a_factor_of_the_conductances(apical, shape):
    """The change is beta / basal of minus the gradient, times a factor for each layer further down.

    Paths of different lengths get different factors, so that with skip connections directions are
    right only if the factor is 1.
    """
    net, x, y = microcircuit(
        "hard_sigmoid", shape, feedback="transpose", beta=1e-5, apical=apical, epsilon=0.2,
        free_steps=200, nudged_steps=200,
    )  # fmt: skip
    factor = (net.leak + net.dendritic) / (net.leak + net.dendritic + net.teaching)
    factor *= net.apical / net.basal
    assert factor == pytest.approx(0.48 if apical == 0.8 else 1.0)

    def cost():
        return squared_error(forward(net.W, net.b, x, "hard_sigmoid", gains(net)), y)

    change = net.present(x, y)[0]
    agree = {}
    for key in change:
        l = key[1] if key in net.W else key
        expected = descent(cost, net.W[key] if key in net.W else net.b[key])
        expected *= net.beta / net.basal * factor ** (net.L - l)
        agree[l] = distance({key: change[key]}, {key: expected}) < 1e-3
    assert all(agree[l] for l in range(2, net.L + 1))
    assert agree[1] == (shape is not SKIP or factor > 0.99)


@pytest.mark.parametrize("rho", RHOS)
def test_apical_potentials_fall_with_distance_from_the_output(rho):
    shape = ((5, 6, 6, 6, 3), ((0, 1), (1, 2), (2, 3), (3, 4)))
    net, x, y = microcircuit(
        rho, shape, feedback="transpose", free_steps=100, nudged_steps=100, epsilon=0.2
    )
    for net.beta in (0.01, 0.8):
        net.present(x, y)
        vA = net.dendrites(x, *net.nudged[-1])[1]
        sizes = [np.abs(vA[l]).mean() for l in (1, 2, 3)]
        assert 0 < 2 * sizes[0] < sizes[1] < 0.5 * sizes[2]


def test_transposed_feedback_follows_the_weights_and_fixed_feedback_does_not():
    net, x, y = microcircuit("sigmoid", SKIP, feedback="transpose")
    assert all((B == net.W[key].T).all() for key, B in net.B.items())
    P = {key: array.copy() for key, array in net.P.items()}
    net.eta_P = 0.0
    net.run(x, y, np.arange(4), 2)
    assert all((B == net.W[key].T).all() for key, B in net.B.items())
    assert all((P[key] == net.P[key]).all() for key in P)
    assert not any(np.allclose(B, P[key]) for key, B in net.B.items())
    net, x, y = microcircuit("sigmoid", SKIP)
    B = {key: array.copy() for key, array in net.B.items()}
    net.run(x, y, np.arange(4), 2)
    assert all((B[key] == net.B[key]).all() for key in B)


def test_microcircuit_that_can_be_done_by_hand():
    """One unit in each layer, 0 -> 1 -> 2 and 0 -> 2, so that interneurons hear the input."""
    net = Microcircuit(
        {(0, 1): [[1.0]], (1, 2): [[2.0]], (0, 2): [[0.2]]},
        {(1, 2): [[3.0]]},
        {(1, 2): [[2.0]]},
        {(1, 2): [[0.5]], (0, 2): [[1.0]]},
        {1: [0.5], 2: [0.4]},
        {2: [0.2]},
        rho="hard_sigmoid",
        epsilon=0.5,
        leak=0.25,
        basal=0.5,
        apical=0.25,
        dendritic=0.5,
        teaching=0.25,
        beta=1.0,
        free_steps=1,
        nudged_steps=1,
    )
    x, y = np.array([[0.5]]), np.array([[1.0]])
    forward_changes, lateral, backward = net.present(x, y)
    # from rest: vB_1 = 1, vB_2 = 0.5, vI = 0.7, vA = 0
    s, g = net.free[-1]
    assert s == {1: pytest.approx(0.25), 2: pytest.approx(0.125)}
    assert g == {2: pytest.approx(0.175)}
    # vB_2 = 1, vA = 0.375 - 0.35, vI = 0.825; s_1: 0.25 + 0.5 (-0.25 + 0.5 + 0.25 * 0.025)
    # s_2: 0.125 + 0.5 (-0.75 * 0.125 + 0.5 + 0.875); g: 0.175 + 0.5 (-0.175 + 0.4125 + 0.03125)
    s, g = net.nudged[-1]
    assert s == {1: pytest.approx(0.378125), 2: pytest.approx(0.765625)}
    assert g == {2: pytest.approx(0.309375)}
    # vB_1 = 1, vB_2 = 1.25625, vI = 0.8890625, vA = 2.296875 - 0.61875; a = 1/2 and 2/3, d = 2/3
    e_1, e_2, i = 0.378125 - 0.5, 0.765625 - 0.8375, 0.309375 - 0.8890625 * 2 / 3
    expected = {(0, 1): 0.5 * e_1, (1, 2): 0.378125 * e_2, (0, 2): 0.5 * e_2, 1: e_1, 2: e_2}
    assert forward_changes == {key: pytest.approx(value) for key, value in expected.items()}
    expected = {(1, 2): 0.378125 * i, (0, 2): 0.5 * i, 2: i}
    assert lateral == {key: pytest.approx(value) for key, value in expected.items()}
    assert backward == {(1, 2): pytest.approx(1.678125 * 0.309375)}


# -- all of them ------------------------------------------------------------------------------


def build(model, shape=SKIP, n_images=4, **protocol):
    if model is Microcircuit:
        net, x, y = microcircuit("sigmoid", shape, n_images, **protocol)
        rng = np.random.default_rng(4)
        net.P = {key: P + rng.uniform(-0.2, 0.2, P.shape) for key, P in net.P.items()}
        return net, x, y
    W, b, x, y = draw("sigmoid", shape, n_images)
    return model(W, b, rho="sigmoid", **protocol), x, y


def flat(changes):
    """The changes of all groups of weights, by group and key."""
    groups = changes if isinstance(changes, tuple) else (changes,)
    return {(i, key): change for i, group in enumerate(groups) for key, change in group.items()}


def parameters(net):
    groups = [net.W | net.b]
    if isinstance(net, Microcircuit):
        groups += [net.Q | net.c, net.P]
    return {key: np.array(array) for key, array in flat(tuple(groups)).items()}


models = pytest.mark.parametrize("model", [Backpropagation, PredictiveCoding, Microcircuit])


@models
def test_images_of_a_mini_batch_are_averaged_and_do_not_meet(model):
    net, x, y = build(model)
    together = flat(net.present(x, y))
    single = [flat(net.present(x[i : i + 1], y[i : i + 1])) for i in range(len(x))]
    assert together.keys() == parameters(net).keys()
    for key, change in together.items():
        np.testing.assert_allclose(change, np.mean([one[key] for one in single], axis=0))


@models
def test_learning_rates_belong_to_connections_and_layers(model):
    net, x, y = build(model)
    rng = np.random.default_rng(5)
    changes = flat(net.present(x, y))
    etas = {key: rng.uniform(0.1, 1) for key in changes}
    etas[0, (0, 2)] = etas[0, 1] = 0.0
    for i, name in enumerate(["eta", "eta_Q", "eta_P"][: len({i for i, _ in changes})]):
        setattr(net, name, {key: eta for (group, key), eta in etas.items() if group == i})
    before = parameters(net)
    responses = net.learn(x, y)
    for key, array in parameters(net).items():
        np.testing.assert_allclose(array - before[key], etas[key] * changes[key], atol=1e-14)
    # what was there before the change
    assert np.abs(net.respond(x) - responses).max() > 1e-6


@models
def test_run_presents_images_in_order_and_changes_weights_after_each_mini_batch(model):
    net, x, y = build(model, n_images=5)
    other, *_ = build(model, n_images=5)
    order = np.array([3, 0, 4, 1, 2])
    found = net.run(x, y, order, 2)
    expected = []
    for rows in ([3, 0], [4, 1], [2]):
        expected.append(other.respond(x[rows]))
        np.testing.assert_array_equal(other.learn(x[rows], y[rows]), expected[-1])
    np.testing.assert_array_equal(found, np.concatenate(expected))
    for key, array in parameters(other).items():
        np.testing.assert_array_equal(parameters(net)[key], array)


@models
def test_without_biases_there_are_none(model):
    net, x, y = build(model, CHAIN)
    zero = {l: np.zeros(size) for l, size in net.sizes.items()}
    arguments = (net.W, net.B, net.P, net.Q) if model is Microcircuit else (net.W,)
    without = model(*arguments)
    with_zero = model(*arguments, b=zero)
    if model is Microcircuit:
        with_zero.c = {2: np.zeros(3)}
    found, expected = flat(without.present(x, y)), flat(with_zero.present(x, y))
    assert found.keys() == {key for key in expected if isinstance(key[1], tuple)}
    for key, change in found.items():
        np.testing.assert_array_equal(change, expected[key])
    without.run(x, y, np.arange(4), 4)
    assert not without.b


@pytest.mark.parametrize("batch", [1, 3])
@models
def test_it_learns(model, batch):
    """The microcircuit's interneurons have to learn to predict the output meanwhile."""
    protocol = {
        Backpropagation: {"eta": 2.0},
        PredictiveCoding: {"eta": 0.3},
        Microcircuit: {
            "eta": 3.0, "eta_P": 0.5, "feedback": "transpose", "epsilon": 0.4,
            "free_steps": 20, "nudged_steps": 20,
        },
    }[model]  # fmt: skip
    net, x, y = build(model, CHAIN, n_images=3, **protocol)
    before = squared_error(net.respond(x), y)
    net.run(x, y, np.tile(np.arange(3), 200 * batch), batch)
    assert squared_error(net.respond(x), y) < 0.2 * before


@pytest.mark.parametrize("model", [Backpropagation, PredictiveCoding])
@pytest.mark.parametrize(("bias", "learns"), [(-0.01, 0), (0.0, 1), (1.0, 1), (1.01, 0)])
def test_hard_sigmoid_has_the_slope_1_on_its_bounds(model, bias, learns):
    W = {(0, 1): [[0.0]], (1, 2): [[0.5]]}
    net = model(W, {1: [bias], 2: [0.1]}, rho="hard_sigmoid")
    if model is PredictiveCoding:
        net.inference_steps = 1
    change = net.present(np.array([[1.0]]), np.array([[1.0]]))
    # predictive coding makes one step of length 0.2
    expected = 0.5 * (0.9 - 0.5 * np.clip(bias, 0, 1)) * (0.2 if model is PredictiveCoding else 1)
    assert change[0, 1] == pytest.approx(learns * expected)


@pytest.mark.parametrize("model", [Backpropagation, Microcircuit])
def test_unknown_feedback_is_refused(model):
    with pytest.raises(ValueError, match="feedback"):
        build(model, feedback="none")

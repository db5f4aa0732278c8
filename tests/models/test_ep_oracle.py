"""The oracle of equilibrium propagation against energies, theorems, and finite differences."""

import numpy as np
import pytest

from .equilibrium_propagation_oracle import EquilibriumPropagation

CHAIN = ((5, 6, 3), ((0, 1), (1, 2)))
DEEP = ((5, 6, 4, 3), ((0, 1), (1, 2), (2, 3)))
SKIP = ((5, 6, 4, 3), ((0, 1), (1, 2), (2, 3), (0, 2), (1, 3)))
RHOS = ("sigmoid", "hard_sigmoid")


def make(rho, shape=DEEP, n_images=4, seed=0, **protocol):
    """A network whose fixed point is stable, and images with targets."""
    sizes, connections = shape
    rng = np.random.default_rng(seed)
    # the slope of the sigmoid is a quarter of the other one's
    scale, bias = (2.0, 0.5) if rho == "sigmoid" else (0.4, 0.3)
    W = {
        (k, l): scale * rng.uniform(-1, 1, (sizes[l], sizes[k])) / sizes[k] ** 0.5
        for k, l in connections
    }
    b = {l: bias * rng.uniform(0.5, 1.5, sizes[l]) for l in range(1, len(sizes))}
    net = EquilibriumPropagation(W, b, rho=rho, **protocol)
    return net, rng.uniform(0, 1, (n_images, sizes[0])), np.eye(sizes[-1])[np.arange(n_images) % 3]


def random_states(net, n_images=4, seed=1):
    rng = np.random.default_rng(seed)
    return {l: rng.uniform(0.1, 0.9, (n_images, size)) for l, size in net.sizes.items()}


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


def parameters(net):
    return net.W | net.b


def distance(a, b):
    """Norm of a difference of two dictionaries of arrays, relative to the second."""
    difference = sum(((a[key] - b[key]) ** 2).sum() for key in b)
    return (difference / sum((b[key] ** 2).sum() for key in b)) ** 0.5


@pytest.mark.parametrize("shape", [CHAIN, DEEP, SKIP])
@pytest.mark.parametrize("rho", RHOS)
def test_a_step_goes_down_the_energy(rho, shape):
    net, x, y = make(rho, shape, beta=0.7, epsilon=0.2)
    u = random_states(net)
    for target in (None, y):

        def total():
            cost = 0.0 if target is None else net.beta * net.cost(u, target)  # noqa: B023
            return (net.energy(x, u) + cost).sum()

        moved = net.unclipped_step(x, u, target)
        for l, state in u.items():
            expected = net.epsilon * descent(total, state)
            np.testing.assert_allclose(moved[l] - state, expected, atol=1e-9)


def test_energy_of_a_network_that_can_be_done_by_hand():
    """One unit in each layer."""
    net = EquilibriumPropagation({(0, 1): [[2.0]], (1, 2): [[-3.0]]}, {1: [0.5], 2: [0.25]})
    x, u, y = np.array([[0.5]]), {1: np.array([[0.4]]), 2: np.array([[0.2]])}, np.array([[1.0]])
    # 1/2 (0.16 + 0.04) - 2 * 0.5 * 0.4 + 3 * 0.4 * 0.2 - 0.5 * 0.4 - 0.25 * 0.2
    assert net.energy(x, u) == pytest.approx([-0.31])
    assert net.cost(u, y) == pytest.approx([0.32])
    # u_1: 0.4 + 0.5 (2 * 0.5 - 3 * 0.2 + 0.5 - 0.4); u_2: 0.2 + 0.5 (-1.2 + 0.25 - 0.2 [+ 0.8])
    free, nudged = net.step(x, u), net.step(x, u, y)
    assert (free[1], free[2]) == (pytest.approx(0.65), 0.0)  # from -0.375
    assert nudged[2] == pytest.approx(0.025)
    change = net.contrast(x, u, nudged)
    assert change[1, 2] == pytest.approx(0.65 * 0.025 - 0.4 * 0.2)
    assert change[0, 1] == pytest.approx(0.5 * (0.65 - 0.4))
    assert change[2] == pytest.approx(0.025 - 0.2)


@pytest.mark.parametrize("shape", [CHAIN, SKIP])
@pytest.mark.parametrize("rho", RHOS)
def test_small_nudging_gives_the_gradient_of_the_cost_at_the_fixed_point(rho, shape):
    """Theorem 1 of Scellier & Bengio, by finite differences; the bias is proportional to beta."""
    net, x, y = make(rho, shape, free_steps=150, nudged_steps=100)
    fixed = net.settle(x, net.rest(len(x)), 150)[-1]
    assert all(np.abs(net.step(x, fixed)[l] - fixed[l]).max() < 1e-13 for l in fixed)
    rng = np.random.default_rng(5)
    directions = [{k: rng.normal(size=a.shape) for k, a in parameters(net).items()} for _ in "abc"]

    def cost(direction, h):
        W, b = ({k: a + h * direction[k] for k, a in group.items()} for group in (net.W, net.b))
        other = EquilibriumPropagation(W, b, rho=rho)
        return other.cost(other.settle(x, fixed, 60)[-1], y).mean()

    slopes = np.array([(cost(d, -1e-5) - cost(d, 1e-5)) / 2e-5 for d in directions])
    found = {}
    for net.beta in (0.1, 0.01, -0.01):
        update = net.present(x, y)
        found[net.beta] = np.array([sum((update[k] * d[k]).sum() for k in d) for d in directions])
    errors = {beta: np.abs(found[beta] / slopes - 1) for beta in found}
    assert errors[0.01].max() < 0.05
    np.testing.assert_allclose(errors[0.1] / errors[0.01], 10, atol=3)
    # nudging to both sides leaves only the square of beta
    np.testing.assert_allclose((found[0.01] + found[-0.01]) / 2, slopes, rtol=1e-3)


@pytest.mark.parametrize("shape", [CHAIN, SKIP])
@pytest.mark.parametrize("rho", RHOS)
def test_backpropagation_through_time_agrees_with_finite_differences(rho, shape):
    """Also before anything has settled: the sum over all steps is the whole gradient."""
    net, x, y = make(rho, shape, epsilon=0.3)
    start = random_states(net)
    trajectory = net.settle(x, start, 7)

    def cost():
        return net.cost(net.settle(x, start, 7)[-1], y).mean()

    states, steps = net.backpropagate(x, y, trajectory, 7)
    for key, array in parameters(net).items():
        total = sum(step[key] for step in steps)
        np.testing.assert_allclose(total, descent(cost, array), atol=1e-8)
    for l, state in start.items():
        np.testing.assert_allclose(states[-1][l], descent(cost, state), atol=1e-8)


@pytest.mark.parametrize("shape", [CHAIN, SKIP])
@pytest.mark.parametrize("rho", RHOS)
def test_each_nudged_step_follows_backpropagation_through_time(rho, shape):
    """Theorem 1 of Ernoult et al. (2019), for states, weights and biases."""
    net, x, y = make(rho, shape, beta=1e-6, free_steps=300, nudged_steps=12)
    update = net.present(x, y)
    states, steps = net.nudged_updates(x)
    expected_states, expected_steps = net.backpropagate(x, y, net.free, 12)
    for t in range(12):
        assert distance(states[t], expected_states[t]) < 1e-4, t
        assert distance(steps[t], expected_steps[t]) < 1e-4, t
    for key, change in update.items():
        np.testing.assert_allclose(sum(step[key] for step in steps), change, atol=1e-9)
    # a nudged step that is not small does not
    net.beta = 1.0
    net.present(x, y)
    assert distance(net.nudged_updates(x)[1][11], expected_steps[11]) > 0.01


def test_hard_sigmoid_keeps_states_within_bounds_and_units_come_back():
    """Units that are silent, or saturated, do not learn; they are not stuck there."""
    net, x, y = make("hard_sigmoid", free_steps=300, nudged_steps=12, beta=1e-6)
    net.b[1][:2] = (-5.0, 5.0)
    update = net.present(x, y)
    for states in net.free + net.nudged:
        assert all(((u >= 0) & (u <= 1)).all() for u in states.values())
    assert (net.free[-1][1][:, 0] == 0).all()
    assert (net.free[-1][1][:, 1] == 1).all()
    assert not update[0, 1][:2].any()
    assert update[0, 1][2:].all()
    _, steps = net.backpropagate(x, y, net.free, 12)
    assert distance(update, {key: sum(step[key] for step in steps) for key in steps[0]}) < 1e-4
    net.b[1][:2] = 0.3
    back = net.settle(x, net.free[-1], 50)[-1][1]
    assert back[0, 0] > 0.1
    assert back[0, 1] < 0.9


def test_images_of_a_mini_batch_are_averaged_and_do_not_meet():
    net, x, y = make("sigmoid")
    together = net.present(x, y)
    single = [net.present(x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
    for key, change in together.items():
        np.testing.assert_allclose(change, np.mean([one[key] for one in single], axis=0))


def test_learning_rates_belong_to_connections_and_layers():
    net, x, y = make("sigmoid", CHAIN)
    net.eta = {(0, 1): 0.2, (1, 2): 0.0, 1: 0.5, 2: 0.1}
    before = {key: array.copy() for key, array in parameters(net).items()}
    change = net.present(x, y)
    responses = net.run(x, y, np.array([2, 0, 1, 3]), 4)
    np.testing.assert_allclose(responses, net.free[-1][2])
    for key, array in parameters(net).items():
        np.testing.assert_allclose(array - before[key], net.eta[key] * change[key], atol=1e-14)
    without = EquilibriumPropagation(net.W)
    assert without.present(x, y).keys() == net.W.keys()


def test_it_learns():
    net, x, y = make("hard_sigmoid", CHAIN, n_images=6, beta=0.5, nudged_steps=10, eta=0.3)
    before = net.cost({net.L: net.respond(x)}, y).mean()
    net.run(x, y, np.tile(np.arange(6), 200), 6)
    assert net.cost({net.L: net.respond(x)}, y).mean() < 0.05 * before


@pytest.mark.parametrize("rho", RHOS)
def test_nudging_to_both_sides_leaves_the_square_of_beta(rho):
    """Laborieux et al. (2021): half the sum of two one-sided updates, with beta and -beta."""
    net, x, y = make(rho, CHAIN, free_steps=150, nudged_steps=60, beta=0.1)
    one = {}
    for net.beta in (0.1, -0.1):
        one[net.beta] = net.present(x, y)
    net.beta, net.symmetric = 0.1, True
    both = net.present(x, y)
    for key, change in both.items():
        np.testing.assert_allclose(change, (one[0.1][key] + one[-0.1][key]) / 2, atol=1e-12)

"""How defaults depend on sizes and batches, as ghost_spiking.models.ghost._defaults says."""

import math

import pytest

from ghost_spiking.specification import Specification


def rates(sizes=(200, 400, 20), **fields):
    return Specification.create(sizes=sizes, **fields).protocol.learning_rates


def test_ghosts_learn_in_inverse_proportion_to_what_they_receive():
    assert rates((200, 800, 20)).ghost_forward[0] == pytest.approx(rates().ghost_forward[0] / 2)
    assert rates((200, 400, 40)).ghost_feedback[0] == pytest.approx(rates().ghost_feedback[0] / 2)
    mb = {"model": "MB", "ghosts": 50, "normalised": False}
    twice = rates(**mb | {"ghosts": 100}).ghost_feedback[0]
    assert twice == pytest.approx(rates(**mb).ghost_feedback[0] / 2)
    # summed over all connections that a unit receives
    skip = [[0, 1], [1, 2], [0, 2], [2, 3]]
    chain = rates((200, 400, 300, 20), following="none").ghost_forward[0]
    # the mean square of adapted inputs is 1, about four times that of other rates
    for adapting, received in ((False, 400 + 200), (True, 400 + 4 * 200)):
        fields = {"connections": skip, "input_adaptation": adapting, "following": "none"}
        deep = rates((200, 400, 300, 20), **fields)
        assert deep.ghost_forward[0] == deep.ghost_forward[1]
        assert deep.ghost_forward[0] == pytest.approx(chain * 400 / received)


def test_ghosts_that_copy_learn_slowly_beside():
    """Rules that have only rounding to correct must not amplify it, in steps of 0.8 tau."""
    sizes = (200, 400, 300, 20)
    fast, slow = rates(sizes, following="none"), rates(sizes, following="copy")
    for name in ("ghost_forward", "ghost_feedback"):
        assert getattr(slow, name) == pytest.approx([rate / 4 for rate in getattr(fast, name)])
    random = {"initial_weights": {"self_predicting": False}}  # they have all to learn
    assert rates(sizes, following="copy", **random).ghost_forward == fast.ghost_forward


def test_smaller_batches_are_noisier():
    """But V^b of MB has to follow each image."""
    for name in ("feedforward", "ghost_forward", "ghost_feedback", "bias", "ghost_bias"):
        few, many = getattr(rates(batch_size=25), name), getattr(rates(batch_size=100), name)
        assert few == pytest.approx([rate / 2 for rate in many]), name
        assert getattr(rates(batch_size=400), name) == many
    few, many = (rates(model="MB", batch_size=batch) for batch in (25, 100))
    assert few.ghost_feedback == many.ghost_feedback
    # 4 times less for 100 times fewer images, beside the square root: 1/40 in all
    ratio = 40 ** (math.log(25 / 100) / math.log(100))
    assert few.feedforward == pytest.approx([rate * ratio for rate in many.feedforward])
    assert many.feedforward == pytest.approx(rates(model="MA").feedforward)


def test_the_first_layer_learns_fastest():
    for sizes in ((200, 400, 20), (200, 300, 300, 20), (200, 300, 300, 300, 20)):
        for model in ("MA", "MB"):
            first, *others = rates(sizes, model=model).feedforward
            assert first > max(others)


def test_deep_networks_start_with_ghosts_that_predict():
    for sizes, expected in (((20, 10, 5), False), ((20, 10, 10, 5), True)):
        assert Specification.create(sizes=sizes).network.initial_weights.self_predicting is expected
    mb = Specification.create(sizes=(20, 10, 10, 5), model="MB")
    assert not mb.network.initial_weights.self_predicting
    assert mb.network.initial_weights.ghost_bias < 0
    assert mb.protocol.ghost_delay == 1

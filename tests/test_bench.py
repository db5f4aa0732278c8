"""Timing: what is asked for is timed, in processes of their own."""

import sys

import pytest
from click.testing import CliRunner

from ghost_spiking import Specification
from ghost_spiking.bench import WAYS, compare, exponents, processor
from ghost_spiking.bench._annarchy import PARAMETERS
from ghost_spiking.cli.main import main

WIDE = "784-500-10, 12 + 8 steps"


def test_times_and_ratios():
    names = [f"{WIDE}, Synapses", WIDE, "784-500-10, PyTorch, backpropagation"]
    rows = compare(names, rounds=1, images=1000, peer_python=sys.executable, quiet=True)
    plain, dense = rows[:2]
    assert 0 < dense["seconds"] == dense["shortest"] == dense["longest"]
    assert dense["memory_mb"] == "" or dense["memory_mb"] > 10
    assert plain["compared_with"] == WIDE
    assert plain["ratio"] == pytest.approx(plain["seconds"] / dense["seconds"], rel=0.01)


def test_what_is_not_installed_is_left_out(tmp_path):
    empty = tmp_path / "python"
    empty.write_text("#!/bin/sh\n")
    empty.chmod(0o755)
    names = [name for name, way in WAYS.items() if way.peer]
    assert len(names) > 2
    assert compare(names, rounds=2, images=1000, peer_python=str(empty), quiet=True) == []


def test_failures_say_what_failed(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho out of order >&2\nexit 1\n")
    broken.chmod(0o755)
    (name, *_) = (name for name, way in WAYS.items() if way.peer)
    with pytest.raises(RuntimeError, match=f"{name}: out of order"):
        compare([name], rounds=1, images=1000, peer_python=str(broken), quiet=True)
    with pytest.raises(ValueError, match="'fast' is not one of the ways: 784"):
        compare(["fast"])


def test_annarchy_has_our_values():
    """What a specification says, in units of tau; nothing here runs ANNarchy."""
    specification = Specification.create(
        sizes=WAYS[WIDE].sizes,
        **WAYS[WIDE].fields,
        batch_size=1,
        input_adaptation=False,
        following="none",
    )
    protocol, rates = specification.protocol, specification.protocol.learning_rates
    given = {
        "time_step": protocol.time_step,
        "prediction_steps": protocol.prediction_steps,
        "nudging_steps": protocol.nudging_steps,
        "beta": protocol.beta,
        "feedforward": rates.feedforward,
        "bias": rates.bias,
        "ghost_forward": rates.ghost_forward[0],
        "ghost_bias": rates.ghost_bias[0],
        "ghost_feedback": rates.ghost_feedback[0],
        "gains": specification.network.initial_weights.feedforward,
    }
    assert {name: PARAMETERS[name] for name in given} == given


def test_every_way_has_its_unit():
    for way in WAYS.values():
        assert not way.compared_with or way.compared_with in WAYS


def test_exponents():
    rows = [
        {"varied": varied, "value": n, "s_per_epoch": 3 * n**power}
        for varied, power in (("steps", 1.0), ("units", 1.5))
        for n in (1, 10, 100)
    ]
    assert exponents(rows) == {"steps": 1.0, "units": 1.5}
    assert processor()


def test_command_line():
    listed = CliRunner().invoke(main, ["bench", "--list", "--only", "LIF|MB"])
    assert listed.output.splitlines() == ["784-500-10, MB", "784-500-10, LIF"]
    nothing = CliRunner().invoke(main, ["bench", "--only", "fast"])
    assert nothing.exit_code != 0
    assert "matches 'fast'" in nothing.output

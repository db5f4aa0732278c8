import subprocess
import sys

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghost_spiking.exceptions import SpecificationError
from ghost_spiking.models.ghost import (
    GhostInitialWeights as InitialWeights,
)
from ghost_spiking.models.ghost import (
    GhostLearningRates as LearningRates,
)
from ghost_spiking.models.ghost import (
    GhostNetwork,
    GhostProtocol,
)
from ghost_spiking.specification import Specification


def test_defaults_at_the_papers_size():
    spec = Specification.create(sizes=(784, 500, 10), input_adaptation=False)
    rates = spec.protocol.learning_rates
    assert rates.feedforward == (4.0, 0.2)
    assert rates.ghost_forward == (0.008,)
    assert rates.ghost_feedback == (0.2,)
    assert spec.network.initial_weights.feedforward == (1.0, 0.3)
    assert spec.network.ghosts == (10,)
    assert (spec.protocol.prediction_steps, spec.protocol.nudging_steps) == (12, 12)


@given(
    sizes=st.lists(st.integers(1, 2000), min_size=3, max_size=6),
    model=st.sampled_from(["MA", "MB"]),
    feedback=st.sampled_from(["transpose", "alignment"]),
    beta=st.floats(1e-6, 1e6),
    batch_size=st.integers(1, 1000),
    rates=st.floats(0, 100),
)
def test_toml_round_trip(sizes, model, feedback, beta, batch_size, rates):
    spec = Specification.create(
        sizes=sizes,
        model=model,
        feedback=feedback,
        beta=beta,
        batch_size=batch_size,
        learning_rates={"ghost_feedback": rates},
    )
    again = Specification.from_toml(spec.to_toml())
    assert again == spec
    assert hash(again) == hash(spec)


def test_file_round_trip(tmp_path):
    spec = Specification.create(sizes=(4, 3, 2), beta=1.5)
    spec.save(tmp_path / "spec.toml")
    assert Specification.load(tmp_path / "spec.toml") == spec


def test_two_hidden_layers_of_mb_in_few_lines():
    spec = Specification.from_toml("""
        [network]
        sizes = [784, 300, 300, 10]
        model = "MB"
        ghosts = 100
    """)
    assert spec.network.ghosts == (100, 100)
    assert len(spec.protocol.learning_rates.ghost_feedback) == 2


def test_immutable():
    spec = Specification.create(sizes=(4, 3, 2))
    with pytest.raises(pydantic.ValidationError):
        spec.protocol.beta = 2.0


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", "network.sizes: needs"),
        ("[network]\nsizes = [4, 2]", "network.sizes: needs"),
        ("[network]\nsizes = [4, 0, 2]", "each at least 1"),
        ("[network]\nsizes = [4, 2.5, 2]", "network.sizes"),
        ("[network]\nsizes = [4, true, 2]", "network.sizes"),
        ("[network]\nsizes = 4", "network.sizes"),
        ("[network]\nsizez = [4, 3, 2]", "did you mean 'sizes'"),
        ("[netwerk]\nsizes = [4, 3, 2]", "did you mean 'network'"),
        ("network = 3", "network: needs a table"),
        ("[network]\nsizes = [4, 3, 2]\nmodel = 'MC'", "network.model"),
        ("[network]\nsizes = [4, 3, 2]\nghosts = 5", "only model MB"),
        ("[network]\nsizes = [4, 3, 2]\nmodel = 'MB'\nghosts = 0", "network.ghosts"),
        ("[network]\nsizes = [4, 3, 2]\nbiases = 1", "network.biases"),
        ("[network]\nsizes = [4, 3, 2]\nloss = 'hinge'", "network.loss"),
        (
            "[network]\nsizes = [4, 3, 2]\nmodel = 'MB'\n"
            "initial_weights = { self_predicting = true }",
            "self_predicting: model MB",
        ),
        ("[network]\nsizes = [4, 3, 2]\n[protocol]\nbeta = -1.0", "protocol.beta"),
        ("[network]\nsizes = [4, 3, 2]\n[protocol]\nbeta = inf", "protocol.beta"),
        ("[network]\nsizes = [4, 3, 2]\n[protocol]\nbeta = '3'", "protocol.beta"),
        ("[network]\nsizes = [4, 3, 2]\n[protocol]\ntime_step = 1.5", "protocol.time_step"),
        ("[network]\nsizes = [4, 3, 2]\n[protocol]\nprediction_steps = 0", "prediction_steps"),
        ("[network]\nsizes = [4, 3, 2]\n[protocol]\nbatch_size = 0", "protocol.batch_size"),
        (
            "[network]\nsizes = [4, 3, 2]\n[protocol.learning_rates]\nfeedforward = -0.1",
            "learning_rates.feedforward",
        ),
        (
            "[network]\nsizes = [4, 3, 2]\n[protocol.learning_rates]\nfeedforward = [1.0]",
            "or 2, one for each connection, got 1",
        ),
        ("[network]\nsizes = [4, 3, 2]\n[protocol.learning_rates]\nfoo = 1.0", "unknown key 'foo'"),
        ("[network\n", "not valid TOML"),
    ],
)
def test_refusals_say_what_is_wrong(toml, message):
    with pytest.raises(SpecificationError, match=message.replace("[", r"\[")):
        Specification.from_toml(toml)


def test_unknown_field_and_missing_file(tmp_path):
    with pytest.raises(SpecificationError, match="did you mean 'beta'"):
        Specification.create(sizes=(4, 3, 2), bta=1.0)
    with pytest.raises(SpecificationError, match=r"nowhere\.toml"):
        Specification.load(tmp_path / "nowhere.toml")


def test_knows_nothing_of_brian2():
    code = "import sys, ghost_spiking.specification; sys.exit('brian2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SIZES = "[network]\nsizes = [4, 3, 3, 2]\n"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("connections = 3", "needs pairs of layers"),
        ("connections = [[0, 1, 2]]", "needs pairs of layers"),
        ("connections = [[0, 1], [1, 2], [2, 4]]", "a layer that does not exist"),
        ("connections = [[0, 1], [1, 2], [2, 1], [2, 3]]", "would close a cycle"),
        ("connections = [[0, 1], [1, 1], [1, 2], [2, 3]]", "would close a cycle"),
        ("connections = [[0, 1], [1, 2], [1, 2], [2, 3]]", "more than once"),
        ("connections = [[0, 1], [1, 2], [1, 3]]", "layer 2 sends to no other layer"),
        ("connections = [[0, 1], [1, 3], [2, 3]]", "layer 2 receives nothing"),
        ("feedback = ['transpose']", "one value, or 2, one for each hidden layer"),
        ("feedback = 'magic'", "network.feedback"),
        ("lesion = 1.0", "network.lesion"),
        ("dale = 1", "network.dale"),
        ("dale = true\ninitial_weights = { self_predicting = true }", "obey Dale's law too"),
        ("initial_weights = { ghost_distribution = 'cauchy' }", "ghost_distribution"),
        ("rate_function = 'sigmod'", "did you mean 'sigmoid'"),
        ("rate_function = 'cbrt(s)'", "no known derivative"),
        ("rate_function = 's if s > 0 else 0'", "can't be used"),
        ("rate_function = 's +'", "network.rate_function"),
        ("rate_function = '1.0'", "does not depend on s"),
        ("rate_function = 's.real'", "can't be used"),
        ("rate_function = 's | 1'", "'BitOr' can't be used"),
        ("rate_function = '1j * s'", "'1j' can't be used"),
        ("rate_function = 'not s'", "'Not' can't be used"),
        ("rate_function = 's % 2'", "'Mod' can't be used"),
        ("rate_function = 'tanh(s, 2)'", "needs one argument"),
        ("rate_function = 's / 0'", "must be finite"),
        ("rate_function = 'sqrt(s)'", "must be finite"),
        ("rate_function = '9**9**9 * s'", "exponent .* is too large"),
        ("[protocol]\nghost_delay = 16", "never learn in a prediction phase of 6"),
        ("[protocol]\nghost_delay = -1", "protocol.ghost_delay"),
        ("[protocol]\nhalf_life = 2.5", "protocol.half_life"),
    ],
)
def test_refusals_of_graphs_and_options(toml, message):
    with pytest.raises(SpecificationError, match=message):
        Specification.from_toml(SIZES + toml)


def test_graph_with_a_skip_connection():
    spec = Specification.create(
        sizes=(8, 6, 5, 4), connections=[[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    )
    graph = spec.network.graph
    assert graph.feedback_sources == (2, 3)
    assert graph.feedback_targets == (1, 2)
    assert graph.feedback_connections == ((1, 2), (1, 3), (2, 3))
    assert graph.into((2, 3)) == ((0, 2), (1, 2), (1, 3), (2, 3))
    assert graph.below(2) == (0, 1)
    assert graph.above(1) == (2, 3)
    assert len(spec.protocol.learning_rates.feedforward) == 5
    assert len(spec.protocol.learning_rates.ghost_forward) == 4
    assert Specification.from_toml(spec.to_toml()) == spec


def test_replace_keeps_everything_else():
    spec = Specification.create(sizes=(4, 3, 2), learning_rates={"ghost_forward": 0.7})
    changed = spec.replace(beta=9.0, learning_rates={"ghost_feedback": 0.1}, lesion=0.5)
    assert changed.protocol.beta == 9.0
    assert changed.network.lesion == 0.5
    assert changed.protocol.learning_rates.ghost_forward == (0.7,)
    assert changed.protocol.learning_rates.ghost_feedback == (0.1,)
    assert spec.protocol.beta == 3.0


def test_reads_what_0_1_0_wrote():
    spec = Specification.from_toml("""
        [network]
        sizes = [784, 500, 10]
        model = "MA"
        feedback = "transpose"
        ghosts = [10]
        rate_function = "sigmoid"
        loss = "squared_error"
        biases = true
        [network.initial_weights]
        feedforward = [1.0, 0.3]
        feedback = [1.0]
        ghost_forward = [1.0]
        ghost_feedback = [1.0]
        self_predicting = false
        [protocol]
        time_step = 0.5
        prediction_steps = 12
        nudging_steps = 8
        beta = 3.0
        batch_size = 100
        [protocol.learning_rates]
        feedforward = [4.0, 0.2]
        ghost_forward = [0.01]
        ghost_feedback = [0.2]
    """)
    assert spec.protocol.nudging_steps == 8
    assert spec.protocol.half_life == 0
    assert spec.protocol.learning_rates.bias == (4.0, 0.2)
    assert spec.protocol.learning_rates.ghost_bias == (0.01,)
    assert spec.network.connections == ((0, 1), (1, 2))


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(), st.text(max_size=8),
    st.lists(st.one_of(st.integers(-2, 4), st.floats(), st.text(max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip
FIELDS = [
    *((name,) for name in ("network", "protocol", "grid")),
    *(("network", name) for name in GhostNetwork.model_fields),
    *(("protocol", name) for name in GhostProtocol.model_fields),
    *(("network", "initial_weights", name) for name in InitialWeights.model_fields),
    *(("protocol", "learning_rates", name) for name in LearningRates.model_fields),
]


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(FIELDS), junk=JUNK, model=st.sampled_from(["MA", "MB"]))
def test_junk_gives_a_clear_error_or_none(path, junk, model):
    data = {"network": {"sizes": [5, 4, 4, 3], "model": model}}
    place = data
    for part in path[:-1]:
        place = place.setdefault(part, {})
    place[path[-1]] = junk
    spec, message = None, ""
    try:
        spec = Specification.from_dict(data)
    except SpecificationError as error:
        message = str(error)
    if spec is None:
        assert path[-1] in message or "sizes" in message
        assert len(message) < 1000
    else:
        assert Specification.from_toml(spec.to_toml()) == spec


def numbers(convert):
    """Return fields of every kind, each number made by `convert`."""
    return {
        "sizes": [convert(n) for n in (5, 4, 3)],
        "connections": [[convert(0), convert(1)], [convert(1), convert(2)]],
        "ghosts": convert(7),
        "batch_size": convert(20),
        "half_life": convert(3),
        "beta": convert(2),
        "learning_rates": {"feedforward": [convert(1), convert(2)], "bias": convert(3)},
        "initial_weights": {"feedforward": convert(2)},
    }


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint16, lambda n: np.array(n)])
def test_takes_whole_numbers_of_numpy(kind):
    plain, given = numbers(int), numbers(kind)
    expected = Specification.create(model="MB", **plain)
    assert Specification.create(model="MB", **given) == expected
    sections = {
        "network": {"model": "MB"}
        | {k: given[k] for k in given.keys() & GhostNetwork.model_fields},
        "protocol": {k: given[k] for k in given.keys() & GhostProtocol.model_fields},
    }
    assert Specification.from_dict(sections) == expected
    assert expected.replace(**given) == expected
    assert type(Specification.create(**{"sizes": given["sizes"]}).network.sizes[0]) is int
    assert Specification.from_toml(Specification.create(model="MB", **given).to_toml()) == expected


def test_takes_floats_switches_words_and_arrays_of_numpy():
    plain = Specification.create(
        sizes=(5, 4, 3), model="MB", feedback=["alignment"], rate_function="tanh", dale=True,
        lesion=0.25, beta=0.5, learning_rates={"feedforward": [0.5, 0.25]},
        initial_weights={"ghost_bias": -0.5},
    )  # fmt: skip
    for real in (np.float64, np.float32, np.float16, np.longdouble, np.array):
        given = Specification.create(
            sizes=np.array([5, 4, 3]), model=np.str_("MB"), feedback=np.array(["alignment"]),
            rate_function=np.str_("tanh"), dale=np.bool_(True), lesion=real(0.25), beta=real(0.5),
            learning_rates={"feedforward": np.array([0.5, 0.25], np.float32)},
            initial_weights={"ghost_bias": real(-0.5)},
        )  # fmt: skip
        assert given == plain
        assert type(given.protocol.beta) is float
        assert type(given.network.dale) is bool
    dumped = plain.model_dump()
    dumped["protocol"]["beta"] = np.float32(0.5)
    assert Specification(**dumped) == plain
    assert GhostProtocol(**dumped["protocol"]) == plain.protocol


@pytest.mark.parametrize("value", [True, np.True_, 2.0, np.float64(2), 2.5, "2", np.str_("2"),
                                   np.timedelta64(2, "s"), np.datetime64("2020"), np.array([2]),
                                   None, 2j, np.complex64(2), b"2", np.nan])  # fmt: skip
def test_what_is_no_whole_number(value):
    for fields in (
        {"batch_size": value},
        {"sizes": (4, value, 2)},
        {"model": "MB", "ghosts": [value]},
        {"connections": [[0, 1], [1, value]]},
    ):
        with pytest.raises(SpecificationError, match=list(fields)[-1]):
            Specification.create(**({"sizes": (4, 3, 2)} | fields))


@pytest.mark.parametrize("value", [True, np.True_, "2", np.str_("2"), np.nan, np.float32("inf"),
                                   np.longdouble("1e4000"), np.complex64(2), np.array([2.0]),
                                   None, 2j])  # fmt: skip
def test_what_is_no_number(value):
    for field in ("beta", "time_step", "ghost_rate", "lesion"):
        with pytest.raises(SpecificationError, match=field):
            Specification.create(sizes=(4, 3, 2), **{field: value})
    if not isinstance(value, np.ndarray):  # one value for each of one projection
        with pytest.raises(SpecificationError, match="ghost_feedback"):
            Specification.create(sizes=(4, 3, 2), learning_rates={"ghost_feedback": value})


@pytest.mark.parametrize(
    "value", [1, 0, np.int64(1), "true", np.float64(1), None, np.array([True])]
)
def test_what_is_no_switch(value):
    with pytest.raises(SpecificationError, match="biases"):
        Specification.create(sizes=(4, 3, 2), biases=value)


def test_sets_have_no_order():
    with pytest.raises(SpecificationError, match="sizes"):
        Specification.create(sizes={4, 3, 2})
    with pytest.raises(SpecificationError, match="needs a mapping"):
        Specification.from_dict("network")

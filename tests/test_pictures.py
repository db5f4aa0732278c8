"""What pictures say: ticks, names, colours, arrows."""

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image

from ghost_spiking import Specification
from ghost_spiking.cli import main
from ghost_spiking.models import BIAS_UNIT
from ghost_spiking.plotting import (
    circuit_size,
    plot_circuit,
    plot_confusion,
    plot_images,
    plot_learning_curves,
    save,
)
from ghost_spiking.runs import Facts
from ghost_spiking.study import Record, plot_scatter
from ghost_spiking.training import Epoch


def epochs(*errors):
    return [
        Epoch(number, 100 - online, 0.1, 100 - test, 0.1, 1.0)
        for number, (online, test) in enumerate(errors, start=1)
    ]


def labels(axis):
    """Return the texts that are drawn at ticks within the axis."""
    FigureCanvasAgg(axis.get_figure()).draw()
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    texts = [tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high]
    return [text for text in texts if text]


@pytest.mark.parametrize(
    "errors",
    [
        [(56.0, 61.0)],
        [(56.0, 61.0), (51.0, 52.0)],
        [(9.0, 5.0), (4.0, 3.0), (2.0, 2.9)],
        [(9.0, 0.0), (0.0, 0.0)],
        [(9.0, np.nan)],
    ],
)
def test_axes_have_numbers(errors):
    axes = plot_learning_curves(epochs(*errors), Figure(layout="constrained").subplots())
    assert len(labels(axes.yaxis)) >= 2
    shown = labels(axes.xaxis)
    assert set(shown) <= {str(number) for number in range(10)}
    assert "1" in shown


@pytest.mark.parametrize("name", ["数字", "цифры", "ψηφία", "ספרות", "$a$b", "a_b^c", "x\udcff"])
def test_names_in_any_script(tmp_path, name):
    history = epochs((9.0, 5.0), (0.1, 4.0), (0.0, 4.0))
    save(tmp_path / "it.png", plot_learning_curves, history, title=name)
    images = np.zeros((2, 16))
    save(tmp_path / "it.svg", plot_images, images, (4, 4), captions=[name, "1"], title=name)
    both = np.array([0, 1])
    save(tmp_path / "it.pdf", plot_confusion, both, both, classes=[name, "other"], title=name)


def test_confusion_says_what_is_what():
    true, predicted = np.array([0, 0, 0, 0, 2]), np.array([0, 0, 0, 1, 2])
    figure = Figure()
    axes = plot_confusion(true, predicted, figure.subplots(), ["a", "b", "c"])
    np.testing.assert_allclose(axes.images[0].get_array()[0], [75, 25, 0])
    assert [text.get_text() for text in axes.texts] == ["3", "1", "", "", "", "", "", "", "1"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b", "c"]
    assert "numbers: images" in axes.get_xlabel()
    assert figure.axes[1].get_ylabel() == "images of the true class (%)"
    many = plot_confusion(np.arange(30), np.arange(30), Figure().subplots())
    assert not many.texts


def test_captions_do_not_touch_images():
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    plot_images(np.ones((40, 64)), (8, 8), axes, ["5 as 3"] * 40, columns=8)
    figure.canvas.draw()
    drawn = axes.images[0].get_array().filled(np.nan)
    for text in axes.texts:
        box = text.get_window_extent().transformed(axes.transData.inverted())
        top, bottom = sorted((box.y0, box.y1))
        columns = slice(int(np.ceil(box.x0 + 0.5)), int(box.x1))
        rows = drawn[max(0, int(np.ceil(top))) : int(np.floor(bottom)) + 1, columns]
        assert np.isnan(rows).all()


@pytest.mark.parametrize("logarithmic", [False, True])
def test_axes_of_a_sample_are_as_it_was_drawn(logarithmic):
    records = [
        Record(key=str(beta), parameters={"protocol.beta": beta}, facts=Facts(seed=0), held_out=3,
               specification="", history=(), seconds=1.0, test_accuracy=90.0 + beta)
        for beta in (1.0, 2.0, 3.0)
    ]  # fmt: skip
    axes = plot_scatter(records, "protocol.beta", Figure().subplots(), logarithmic=logarithmic)
    assert axes.get_xscale() == ("log" if logarithmic else "linear")
    assert len(labels(axes.xaxis)) >= 2


OPTIONS = {
    "MA": {},
    "deep": {"sizes": (16, 6, 5, 4, 3), "connections": [[0, 1], [1, 2], [2, 3], [3, 4], [1, 3]]},
    "MB": {"model": "MB", "ghosts": 7, "feedback": "alignment"},
    "softmax": {"loss": "cross_entropy"},
    "spikes": {"spikes": "lif"},
    "another model": {"model": "equilibrium_propagation"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_circuit_is_the_layout(name):
    specification = Specification.create(**({"sizes": (16, 5, 3)} | OPTIONS[name]))
    axes = plot_circuit(specification, Figure(figsize=circuit_size(specification)).subplots())
    layout = specification.layout
    texts = [text.get_text() for text in axes.texts]
    names = {text.split("\n")[0] for text in texts}
    for item in layout.populations:
        number = item.name.rsplit("_", 1)[-1].isdigit()
        if item.replicated and number and not item.name.startswith("power"):
            assert f"{item.name.replace('_', ' ')}\n{item.size}" in texts
    drawn = [
        item for item in layout.projections
        if {item.source.replace("_", " "), item.target.replace("_", " ")} <= names
    ]  # fmt: skip
    left = [item for item in layout.projections if item not in drawn]
    serving = (BIAS_UNIT, "normaliser", "power", "protocol")
    for item in left:
        assert any(name in f"{item.source} {item.target}" for name in serving)
    arrows = sum(len({side for _, side, _ in item.sums} or {"post"}) for item in drawn)
    patches = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    coloured = [patch for patch in patches if patch.get_edgecolor()[:3] != (0.65, 0.65, 0.65)]
    assert len(coloured) == arrows
    assert "; ".join(f"{p.name}, {p.steps} steps" for p in layout.phases) in texts
    learned = {item.kind.replace("_", " ") for item in drawn if item.eta is not None}
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert {line.split(", learns")[0] for line in legend if "learns" in line} == learned


def test_circuit_from_the_shell(tmp_path):
    Specification.create(sizes=(16, 5, 3)).save(tmp_path / "s.toml")
    picture = tmp_path / "circuit.png"
    command = ["describe", str(tmp_path / "s.toml"), "--picture"]
    result = CliRunner().invoke(main, [*command, str(picture)])
    assert result.output == f"drew {picture}\n"
    with Image.open(picture) as image:
        assert image.size[0] > 500
    wrong = CliRunner().invoke(main, [*command, str(tmp_path / "circuit.xyz")])
    assert "--picture" in wrong.stderr

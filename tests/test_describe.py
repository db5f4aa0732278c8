"""The description tells what is built."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

from ghost_spiking import Simulation, Specification, Training
from ghost_spiking.cli import main
from ghost_spiking.datasets import load
from ghost_spiking.describe import describe
from ghost_spiking.runs import Run
from ghost_spiking.study import Study
from ghost_spiking.values import initial_weights, projection_rates

from .numerics.test_engines import OPTIONS

CASES = {
    "MA": {},
    "MB": {"model": "MB", "ghosts": 6},
    "alignment": {"feedback": "alignment"},
    "following": {"following": "copy"},
    "normal": {"model": "MB", "initial_weights": {"ghost_distribution": "normal"}},
    "halving": {"half_life": 10, "ghost_onset": 2, "feedforward_onset": 3, "ghost_delay": 1},
    "no biases": {"biases": False},
} | {name: OPTIONS[name] for name in ("mixed feedback", "skip", "everything", "cross-entropy")}


def tables(text):
    """Return the rows of each table, by the title of the section."""
    found = {}
    for section in re.split(r"\n## ", text)[1:]:
        rows = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("|")]
        found[section.splitlines()[0][3:]] = rows
    return found


@pytest.mark.parametrize("case", CASES)
def test_description_is_what_is_built(case):
    spec = Specification.create(sizes=(9, 7, 5, 4), **CASES[case])
    text = describe(spec)
    found = tables(text)
    brian = Simulation(spec.replace(batch_size=2), device="numpy").brian
    built = {n: len(group) // 2 for n, group in brian.populations.items() if n != "protocol"}
    listed = {row[0]: int(row[2]) for row in found["Populations"][2:]}
    assert listed == built | {"stimulus": 9, "targets": 4}
    rows = {row[0]: row for row in found["Connectivity"][2:] if "backwards" not in row[0]}
    assert set(rows) == set(brian.projections)
    weights, rates = initial_weights(spec, seed=0), projection_rates(spec)
    for name, row in rows.items():
        projection = brian.projections[name]
        assert row[1:4] == [
            projection.source.name,
            projection.target.name,
            f"{projection.n_post} x {projection.n_pre}",
        ]
        assert (row[5] == "plastic") == (name in rates)
        if "uniform" in row[4]:
            low, high = map(float, re.findall(r"-?[\d.]+", row[4]))
            assert low * 1.001 <= weights[name].min()
            assert 0.5 * high < weights[name].max() <= high * 1.001
        elif "normal" in row[4]:
            deviation = float(re.findall(r"[\d.]+", row[4])[0])
            assert 0.5 < np.std(weights[name]) / deviation < 1.5
        elif "copy of feed" in row[4]:
            np.testing.assert_array_equal(weights[name], weights[row[4].removeprefix("copy of ")])
        elif "copy of the transpose" in row[4]:
            original = weights[row[4].split()[-1]]
            np.testing.assert_array_equal(weights[name], original.T)
    assert {row[0]: row[4] for row in found["Plasticity"][2:]} == {
        name: f"{eta:g}" for name, eta in rates.items()
    }
    for row in found["Plasticity"][2:]:  # the strings that run, not others
        for rule in row[1].split("; "):
            equations = " ".join(str(brian.projections[row[0]].equations).split())
            assert rule.strip("`") in equations


@pytest.mark.parametrize("case", CASES)
def test_every_field_is_listed_and_tables_are_well_formed(case):
    spec = Specification.create(sizes=(9, 7, 5, 4), **CASES[case])
    text = describe(spec)
    fields = {row[0] for row in tables(text)["Parameters"][2:]}
    dump = spec.model_dump(exclude_none=True)
    expected = {
        f"{section}.{name}"
        for section in dump
        for name, value in dump[section].items()
        if not isinstance(value, dict)
    }
    assert expected <= fields
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1


def test_command(tmp_path):
    spec = tmp_path / "spec.toml"
    spec.write_text("[network]\nsizes = [4, 3, 2]\n")
    printed = CliRunner().invoke(main, ["describe", str(spec)])
    assert printed.exit_code == 0
    assert printed.output == describe(Specification.load(spec))
    out = tmp_path / "model.md"
    assert CliRunner().invoke(main, ["describe", str(spec), "--out", str(out)]).exit_code == 0
    assert out.read_text() == printed.output
    for missing in ("no.toml", "."):
        result = CliRunner().invoke(main, ["describe", str(tmp_path / missing)])
        assert result.exit_code == 2
        assert "Error:" in result.stderr


class _Tags(HTMLParser):
    """Checks that all tags are closed in turn, and keeps the words."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("options", [{"loss": "cross_entropy"}, {"spikes": "lif"}])
def test_notebooks_show_the_same_tables(options):
    specification = Specification.create(sizes=(64, 5, 10), **options)
    shown = _Tags(specification._repr_html_())
    plain = describe(specification)
    for line in plain.splitlines():
        if line.startswith("| ") and "---" not in line:
            for entry in line[1:-1].split(" | "):
                for word in entry.replace("\\|", "|").replace("`", "").split():
                    assert word in "".join(shown.words), line
    assert specification._repr_html_().count("<pre>") == plain.count("```text")


def test_notebooks_show_studies_runs_and_objects(tmp_path):
    study = Study.from_dict({
        "dataset": "digits", "epochs": 1, "held_out": 300, "network": {"sizes": [64, 5, 10]},
        "grid": {"protocol.beta": [1.0, 3.0]},
    })  # fmt: skip
    assert {"protocol.beta", "(1.0, 3.0)"} <= set(_Tags(study._repr_html_()).words)
    simulation = Simulation(Specification.create(sizes=(64, 5, 10)), device="numpy")
    assert "ghost_forward_2" in _Tags(simulation.brian._repr_html_()).words
    trainer = Training(simulation, *(part.take(100) for part in load("digits")))
    trainer.run(1)
    run = Run.of(trainer, tmp_path / "a & b")
    assert f"{trainer.history[0].test_accuracy:.2f}" in _Tags(run._repr_html_()).words

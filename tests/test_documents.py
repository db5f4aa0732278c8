"""What the documents say works."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

from ghost_spiking.specification import Specification

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]


def blocks(language):
    return [
        block
        for document in DOCUMENTS
        for block in re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)
    ]


@pytest.mark.parametrize("block", blocks("python"))
def test_python_blocks_run(block, capsys):
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("block", blocks("toml"))
def test_toml_blocks_are_specifications(block):
    assert Specification.from_toml(block)


@pytest.mark.parametrize(
    "name",
    [
        "specification",
        "dense.synapses",
        "equations",
        "rate_functions",
        "graph",
        "measure",
        "callbacks",
        "describe",
        "study._study",
    ],
)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"ghost_spiking.{name}")
    from brian2 import prefs

    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    try:
        failed, tried = doctest.testmod(module)
    finally:
        prefs.codegen.target = old
    assert tried
    assert not failed


def test_links_lead_somewhere():
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            if link.startswith("tutorials/"):  # made when the site is built
                link = link.replace("tutorials/", "tutorial_sources/") + ".py"
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_public_names_have_docstrings():
    names = [
        "specification", "network", "simulation", "training", "runs", "plotting", "bench",
        "callbacks", "describe", "estimator", "study", "datasets", "dense", "measure",
        "equations", "graph", "rate_functions", "values",
    ]  # fmt: skip
    for name in names:
        module = importlib.import_module(f"ghost_spiking.{name}")
        for public in module.__all__:
            thing = getattr(module, public)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                assert thing.__doc__, f"{name}.{public}"

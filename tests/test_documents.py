"""What the documents say works."""

import doctest
import importlib
import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from brian2 import prefs
from PIL import Image

import ghost_spiking
from ghost_spiking.cli.main import main
from ghost_spiking.datasets import load
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


def public_modules():
    """Return all modules but those of the command line, which is documented by its --help."""
    for found in pkgutil.walk_packages(ghost_spiking.__path__, "ghost_spiking."):
        parts = found.name.split(".")
        if not any(part.startswith("_") for part in parts) and "cli" not in parts:
            yield importlib.import_module(found.name)


def public_things():
    """Return the classes and functions of every `__all__`, by name."""
    return {
        f"{thing.__module__}.{thing.__qualname__}": thing
        for module in [ghost_spiking, *public_modules()]
        for thing in (getattr(module, name) for name in module.__all__)
        if inspect.isclass(thing) or inspect.isfunction(thing)
    }


@pytest.mark.parametrize("thing", public_things().values(), ids=public_things())
def test_public_names_have_examples_that_work(thing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = prefs.codegen.target
    prefs.codegen.target = "numpy"
    try:
        found = [test for test in doctest.DocTestFinder().find(thing) if test.examples]
        assert found, f"{thing.__qualname__} has no example"
        runner = doctest.DocTestRunner(verbose=False)
        for test in found:
            assert runner.run(test).failed == 0, test.name
    finally:
        prefs.codegen.target = old


def test_public_names_are_in_the_reference():
    """Each on the page of a module that shows all of its `__all__`."""
    page = (ROOT / "docs/reference/api.md").read_text()
    shown = [
        importlib.import_module(name)
        for name in re.findall(r"^   (\S+)$", page, re.MULTILINE)
        if "." in name
    ]
    documented = {id(getattr(module, name)) for module in shown for name in module.__all__}
    assert {name for name, thing in public_things().items() if id(thing) not in documented} == set()


def test_public_methods_have_docstrings():
    for name, thing in public_things().items():
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing):
            for key, member in vars(thing).items():
                if not key.startswith("_") and (
                    inspect.isfunction(member) or type(member) in (property, classmethod)
                ):
                    assert inspect.getdoc(member), f"{name}.{key}"


def commands():
    """Return the commands of all console blocks, document by document."""
    found = {}
    for document in [*DOCUMENTS, *sorted(ROOT.glob("docs/tutorial_sources/plot_*.py"))]:
        text = document.read_text().replace("\n#", "\n")
        pattern = r"```console\n(.*?)```|code-block:: console\n\n((?:    [^\n]*\n)+)"
        lines = "".join(map("".join, re.findall(pattern, text, re.DOTALL))).splitlines()
        if lines:
            assert all(line.strip().startswith("$ ") for line in lines)
            found[document.name] = [line.split("#")[0].strip("$ ") for line in lines]
    return found


def save_pictures(folder):
    """Make the pictures that documents call a reader's own."""
    training, test = load("digits")
    names = {1: "one", 2: "two", 7: "seven"}
    for part, data in (("train", training.take(500)), ("test", test.take(100))):
        for number, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
            places = [folder / "handwriting" / part / names[label]] if label in names else []
            places += [folder / "new"] if part == "test" and number < 3 else []
            for place in places:
                place.mkdir(parents=True, exist_ok=True)
                pixels = Image.fromarray(15 * image.reshape(8, 8))
                pixels.save(place / f"{number:04}.png")


@pytest.mark.parametrize("document", commands())
def test_console_blocks_work(document, tmp_path):
    """Word for word, in a folder with pictures; what would install packages is only looked at."""
    save_pictures(tmp_path)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = extras["optional-dependencies"]
    for command in commands()[document]:
        first, *rest = shlex.split(command)
        if first == "make":
            subprocess.run(["make", "-n", *rest], cwd=ROOT, check=True, capture_output=True)
        elif first == "pip":
            assert rest[0] == "install"
            wanted = re.fullmatch(r"\.(?:\[(\w+)\])?", rest[1])
            assert wanted
            assert wanted[1] is None or wanted[1] in extras
        else:
            assert first == "ghost-spiking"
            command = [sys.executable, "-m", "ghost_spiking", *rest]
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_commands_in_the_text_exist():
    texts = [document.read_text() for document in DOCUMENTS]
    texts += [path.read_text() for path in ROOT.glob("docs/tutorial_sources/*.py")]
    mentioned = re.findall(r"`ghost-spiking (\w+)([^`]*)`", "".join(texts))
    assert mentioned
    for name, arguments in mentioned:
        known = {option for param in main.commands[name].params for option in param.opts}
        assert set(re.findall(r"--[a-z-]+", arguments)) <= known, f"{name}{arguments}"


def test_links_lead_somewhere():
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            if link.startswith("tutorials/"):  # made when the site is built
                link = link.replace("tutorials/", "tutorial_sources/") + ".py"
            # The package may be installed elsewhere than beside the documents.
            package = Path(ghost_spiking.__file__).parent
            target = document.parent / link
            if link.startswith("../ghost_spiking/"):
                target = package / link.removeprefix("../ghost_spiking/")
            assert target.exists(), f"{document.name}: {link}"

"""Which rooms may know of which, and who may speak of ghosts."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ghost_spiking

ROOT = Path(ghost_spiking.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

#: What a room may import of the package, beside itself. Later ones may know earlier ones.
ALLOWED = {
    "dense": set(),
    "exceptions": set(),
    "vectors": set(),
    "_checks": {"exceptions"},
    "rate_functions": {"dense"},
    "graph": {"_checks", "exceptions"},
    "models": {
        "_checks",
        "exceptions",
        "graph",
        "rate_functions",
        "vectors",
        "specification",
        "spikes",
    },
    "spikes": {"_checks", "exceptions", "models"},
    # the last two show one in a notebook
    "specification": {
        *("_checks", "exceptions", "graph", "models", "spikes"),
        *("_html", "describe"),
    },
    "values": {"models", "specification"},
    "network": {"dense", "exceptions", "models", "specification", "_html"},
    "describe": {"models", "rate_functions", "specification"},
}


def room(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path, *, typing):
    """Return the modules of the package that a file imports, as paths from its root."""
    tree = ast.parse(path.read_text())
    hidden = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not typing:
            hidden |= {id(child) for child in ast.walk(node)}
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in hidden:
            base = package[: len(package) - node.level + 1]
            if node.module:
                yield (*base, *node.module.split("."))
            else:
                for alias in node.names:
                    yield (*base, alias.name)


@pytest.mark.parametrize("name", ALLOWED)
def test_rooms_know_only_what_they_may(name):
    for path in FILES:
        if room(path) == name:
            known = {parts[0] for parts in imports(path, typing=True) if parts}
            assert known - {name} <= ALLOWED[name], path.name


def module_of(parts):
    """Return the file that an import means: a module, or the package that it is a name of."""
    for end in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:end])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.exists():
                return path
    return ROOT / "__init__.py"


def test_imports_close_no_circle():
    """Whatever is imported when a module is, not only on demand."""
    edges = {}
    for path in FILES:
        tree = ast.parse(path.read_text())
        on_demand = {
            id(child)
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            for child in ast.walk(node)
        }
        found = set()
        package = path.relative_to(ROOT).parts[:-1]
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.level or id(node) in on_demand:
                continue
            if any(
                id(node) in {id(c) for c in ast.walk(guard)}
                for guard in ast.walk(tree)
                if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.unparse(guard.test)
            ):
                continue
            base = package[: len(package) - node.level + 1]
            names = [node.module.split(".")] if node.module else [[a.name] for a in node.names]
            found |= {module_of((*base, *name)) for name in names}
        edges[path] = found - {path}

    def visit(path, above):
        assert path not in above, " -> ".join(p.name for p in (*above, path))
        if path not in done:
            for other in edges[path]:
                visit(other, (*above, path))
            done.add(path)

    done = set()
    for path in FILES:
        visit(path, ())


def test_dense_needs_nothing_else():
    code = """
import sys
import ghost_spiking.dense
others = [name for name in sys.modules if name.startswith("ghost_spiking.")
          and not name.startswith("ghost_spiking.dense")]
assert not others, others
"""
    subprocess.run([sys.executable, "-c", code], check=True)


#: Where "ghost" may stand outside models/: names of the package, of public classes, and of a
#: parameter of the public estimators.
_NAMES = re.compile(
    r"ghost[_-]spiking(_\w+)?|GHOST_SPIKING\w*|Ghost Units"
    r"|Ghost(SpikingError|Classifier|Regressor|Estimator)"
)


def test_only_models_speak_of_ghosts():
    for path in FILES:
        # The latter has a model too, for the program of others.
        if room(path) == "models" or path.name == "_annarchy.py":
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if "ghost" in _NAMES.sub("", line).lower():
                examples = line.lstrip().startswith((">>>", "...", "['", "{'", "('"))
                assert examples or room(path) == "estimator", f"{path.name}:{number}: {line}"

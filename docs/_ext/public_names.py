"""Warns of public names that the reference lacks, so that a build with ``-W`` fails."""

import importlib
import inspect
import pkgutil

from sphinx.util import logging

import ghost_spiking

_log = logging.getLogger(__name__)


def modules():
    """Give all public modules but those of the command line, which has a page of its own."""
    for found in pkgutil.walk_packages(ghost_spiking.__path__, "ghost_spiking."):
        parts = found.name.split(".")
        if not any(part.startswith("_") for part in parts) and "cli" not in parts:
            yield importlib.import_module(found.name)


def check(app, env):
    """Look for every class and function of every ``__all__`` among what was documented."""
    documented = {name.rpartition(".")[2] for name in env.domaindata["py"]["objects"]}
    for module in modules():
        for name in module.__all__:
            thing = getattr(module, name)
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and name not in documented:
                _log.warning("%s.%s is not in the reference", module.__name__, name)


def setup(app):
    """Check when all pages have been read."""
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}

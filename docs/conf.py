"""The site: make docs."""

import os
import sys
import urllib.request
import warnings
from pathlib import Path

import ghost_spiking

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# The tutorials keep compiled programs where all other runs do, and use one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

project = "ghost_spiking"
author = "The ghost_spiking contributors"
copyright = "the ghost_spiking contributors"
version = release = ghost_spiking.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "source_links",
    "specification_fields",
]
exclude_patterns = [
    "_build",
    "_templates",
    "tutorial_sources",
    "tutorials/*.ipynb",
    "tutorials/*.py",
]
smartquotes = False  # "MA" and --option are code
html_theme = "furo"
html_copy_source = False
html_title = "ghost_spiking"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
# Every reference has to lead somewhere.
nitpicky = True
nitpick_ignore = [("py:class", "collections.abc.Callable")]  # from type aliases
# sphinx-gallery's configuration has objects in it that can't be pickled.
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # they are in the docstrings, in words
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# `Name` in a docstring is code; most of them are not a link to anything
default_role = "code"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def _reachable(inventories):
    """Give what can be fetched: a site that is built without a network has fewer links."""
    found = {}
    for name, address in inventories.items():
        try:
            urllib.request.urlopen(f"{address}objects.inv", timeout=3).close()
        except (OSError, ValueError):
            continue
        found[name] = (address, None)
    return found


intersphinx_mapping = _reachable(
    {
        "brian2": "https://brian2.readthedocs.io/en/stable/",
        "numpy": "https://numpy.org/doc/stable/",
        "sklearn": "https://scikit-learn.org/stable/",
    }
)


def say_what_is_wrong(gallery_conf, file):
    """Let warnings on a page be their text, without the path of the machine that built it."""
    warnings.formatwarning = lambda message, category, *_: f"{category.__name__}: {message}\n"


def forget_models(gallery_conf, file):
    """Let models that a tutorial has made known not turn up on the page of the command line."""
    from ghost_spiking.models import _registry

    for name in [name for name, model in _registry._models.items() if _own(model)]:
        del _registry._models[name]


def _own(model):
    return not model.__module__.startswith("ghost_spiking.")


sphinx_gallery_conf = {
    "examples_dirs": "tutorial_sources",
    "gallery_dirs": "tutorials",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": True,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "plot_gallery": "True",
    "abort_on_example_error": True,
    "min_reported_time": 1,
    # What a call to matplotlib returns is of no use to a reader.
    "ignore_repr_types": r"matplotlib|list",
    "write_computation_times": False,
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib", forget_models, say_what_is_wrong),
    "reset_modules_order": "both",
    "image_srcset": ["2x"],
}

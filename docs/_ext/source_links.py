"""Links to source files, which work on disk, lead to the reference on the site."""

import posixpath
import re


def to_reference(app, docname, source):
    """Exchange ``../ghost_spiking/NAME.py`` for the page of that module."""
    folder = posixpath.dirname(docname)

    def page(match):
        module = match[1].removesuffix("/__init__").replace("/", ".")
        target = f"reference/generated/ghost_spiking.{module}.rst"
        return f"]({posixpath.relpath(target, folder or '.')})"

    source[0] = re.sub(r"\]\((?:\.\./)+ghost_spiking/([\w/]+)\.py\)", page, source[0])


def setup(app):
    """Register it."""
    app.connect("source-read", to_reference)
    return {"parallel_read_safe": True}

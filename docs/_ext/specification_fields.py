"""``{specification-fields}``: all fields of a specification, from the code itself."""

import inspect

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from numpydoc.docscrape import NumpyDocString

from ghost_spiking import Specification
from ghost_spiking.models import DEFAULT, model_named
from ghost_spiking.spikes import MECHANISMS

SECTIONS = model_named(DEFAULT).sections()
EXAMPLE = {"sizes": (784, 500, 10)}


def attributes(model):
    """Return type and description of each field, as the docstring has them."""
    found = {}
    for section in reversed(model.__mro__):  # fields that are inherited are described there
        text = inspect.cleandoc(section.__doc__ or "") if "__doc__" in vars(section) else ""
        for names, kind, meaning in NumpyDocString(text)["Attributes"]:
            for name in names.split(", "):
                found[name] = kind, " ".join(meaning)
    return found


class SpecificationFields(Directive):
    """A list for each section."""

    def run(self):
        defaults = Specification.create(**EXAMPLE).model_dump()
        container = nodes.container()
        lines = []
        for section, model in SECTIONS.items():
            values = defaults
            for part in section.split("."):
                values = values[part]
            lines += ["", f".. rubric:: [{section}]", ""]
            described = attributes(model)
            for name in model.model_fields:
                if f"{section}.{name}" in SECTIONS:
                    continue
                kind, meaning = described[name]
                lines += [f"``{name}`` : {kind}; default ``{shown(values[name])}``"]
                lines += [f"    {meaning}", ""]
        for name, section in MECHANISMS.items():
            lines += ["", f'.. rubric:: [spikes], mechanism = "{name}"', ""]
            described = attributes(section)
            for field, information in section.model_fields.items():
                if field != "mechanism":
                    kind, meaning = described[field]
                    lines += [
                        f"``{field}`` : {kind or 'float'}; default ``{shown(information.default)}``"
                    ]
                    lines += [f"    {meaning}", ""]
        self.state.nested_parse(StringList(lines, "specification fields"), 0, container)
        return container.children


def shown(value):
    """Write a value as TOML does."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else repr(value).replace("'", '"')


def setup(app):
    """Register the directive."""
    app.add_directive("specification-fields", SpecificationFields)
    return {"parallel_read_safe": True}

"""Models by name. Specifications name a model; what is not registered is never loaded."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
from pathlib import Path

from ..exceptions import SpecificationError, UnknownModelError
from ._model import Choice, Model

__all__ = [
    "DEFAULT",
    "choices",
    "distances",
    "fields",
    "load_model",
    "model_named",
    "names",
    "origin",
    "register",
    "units",
]

#: The model of specifications that name none.
DEFAULT = "MA"
_models: dict[str, type[Model]] = {}
#: Where those of users come from, by name: ``FILE.py:Class``.
_places: dict[str, str] = {}


def register(model: type[Model]) -> type[Model]:
    """Make a model known by its name, so that specifications can use it; also a decorator.

    Raises
    ------
    SpecificationError
        It is no model, or another one has that name.

    Examples
    --------
    >>> from ghost_spiking.models import register
    >>> from ghost_spiking.models.ghost import MA
    >>> @register
    ... class Forgetful(MA):
    ...     name = "Forgetful"
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(4, 3, 2), model="Forgetful").network.model
    'Forgetful'
    """
    if not (inspect.isclass(model) and issubclass(model, Model)):
        raise SpecificationError(
            f"model: needs a subclass of ghost_spiking.models.Model, got {model!r}"
        )
    name = model.__dict__.get("name")
    if not isinstance(name, str) or not name:
        raise SpecificationError(
            f"model: the class '{model.__name__}' needs a name of its own, as in "
            f'name = "{model.__name__}"'
        )
    known = _models.get(name)
    # A notebook's cell may be run again.
    same = known is not None and (known.__module__, known.__qualname__) == (
        model.__module__,
        model.__qualname__,
    )
    if known is not None and not same:
        raise SpecificationError(
            f"model: the name '{name}' belongs to {known.__module__}.{known.__qualname__}; give "
            f"'{model.__name__}' another one"
        )
    _models[name] = model
    return model


def names() -> tuple[str, ...]:
    """Return the names of all models.

    Examples
    --------
    >>> from ghost_spiking.models import names
    >>> {"MA", "MB"} <= set(names())
    True
    """
    return tuple(_models)


def distances() -> dict[str, str]:
    """Return the labels of distances that any model measures, by their names.

    Examples
    --------
    >>> from ghost_spiking.models import distances
    >>> distances()["forward_distance"]
    '$W^f - V^f$'
    """
    return {name: label for model in _models.values() for name, label in model.distances.items()}


def fields() -> tuple[str, ...]:
    """Return the fields that specifications of any model have, by dotted path.

    Examples
    --------
    >>> from ghost_spiking.models import fields
    >>> "protocol.beta" in fields()
    True
    """
    found: dict[str, None] = {}
    for model in _models.values():
        sections = model.sections()
        for path, section in sections.items():
            found |= dict.fromkeys(f"{path}.{name}" for name in section.model_fields)
        for path in sections:
            found.pop(path, None)
    return tuple(found)


def units() -> dict[str, str]:
    """Return the units of fields that models have of their own, by dotted path.

    Examples
    --------
    >>> from ghost_spiking.models import units
    >>> units()["network.lesion"]
    'fraction of ghosts'
    """
    return {path: unit for model in _models.values() for path, unit in model.units.items()}


def choices() -> tuple[Choice, ...]:
    """Return the options that models have on the command line.

    Examples
    --------
    >>> from ghost_spiking.models import choices
    >>> [choice.field for choice in choices()]
    ['feedback', 'ghosts']
    """
    found = {choice.field: choice for model in _models.values() for choice in model.choices}
    return tuple(found.values())


def model_named(name: object) -> Model:
    """Return the model of this name.

    Raises
    ------
    SpecificationError
        There is none.

    Examples
    --------
    >>> from ghost_spiking.models import model_named
    >>> model_named("MA").citation.split(",")[0]
    'Mesnard'
    """
    if isinstance(name, str) and name in _models:
        return _models[name]()
    close = difflib.get_close_matches(str(name), _models, 1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise UnknownModelError(
        f"network.model: there is no model {name!r}; {hint}known: {', '.join(_models)}. A model of "
        "your own is named with --model FILE.py:Class, or in Python registered with "
        "ghost_spiking.models.register"
    )


def load_model(place: str) -> str:
    """Register the model that ``FILE.py:Class`` names, and return its name.

    The file is executed, so it must be one that you trust. Other text is returned as it is.

    Raises
    ------
    SpecificationError
        There is no such file or class, or the file fails.

    Examples
    --------
    >>> from ghost_spiking.models import load_model
    >>> load_model("MB")
    'MB'
    """
    file, colon, name = place.rpartition(":")
    if not colon or not file.endswith(".py"):
        return place
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise SpecificationError(f"--model: there is no file '{file}'")
    module_name = f"ghost_spiking_user_{path.stem}"
    found = importlib.util.spec_from_file_location(module_name, path)
    assert found is not None
    assert found.loader is not None
    # Executed anew each time, since it may have been edited meanwhile.
    module = importlib.util.module_from_spec(found)
    sys.modules[module_name] = module
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise SpecificationError(
            f"--model: '{file}' can't be executed: {type(error).__name__}: {error}"
        ) from error
    model = vars(module).get(name)
    if model is None:
        models = [key for key, value in vars(module).items() if _is_model(value, module_name)]
        raise SpecificationError(
            f"--model: '{file}' has no class '{name}'; it has {', '.join(models) or 'no model'}"
        )
    registered = register(model).name
    _places[registered] = f"{path}:{name}"
    return registered


def origin(name: str) -> str | type[Model] | None:
    """Return what other processes need to know a user's model: its file or class; else None.

    Examples
    --------
    >>> from ghost_spiking.models import origin
    >>> origin("MA") is None
    True
    """
    if name in _places:
        return _places[name]
    model = _models[name]
    return None if model.__module__.startswith(f"{__package__}.") else model


def _is_model(value: object, module: str) -> bool:
    return inspect.isclass(value) and issubclass(value, Model) and value.__module__ == module

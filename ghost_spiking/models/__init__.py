"""One room for each way of assigning credit.

A `Model` is a list of populations and projections in Brian2 strings, with the fields that its
specifications have and their defaults. The rest of the package reads that list, and knows no
model. `register` makes a model of your own known.
"""

import importlib
import pkgutil

from ._language import (
    BIAS_UNIT,
    STIMULUS,
    TARGETS,
    Constant,
    CopyOf,
    Layout,
    Normal,
    Phase,
    Pool,
    Population,
    Projection,
    Readout,
    Rounding,
    Signal,
    Silenced,
    Start,
    Uniform,
)
from ._model import Choice, Model
from ._registry import (
    DEFAULT,
    choices,
    distances,
    fields,
    load_model,
    model_named,
    names,
    origin,
    register,
    units,
)
from ._sections import InitialWeights, LearningRates, Network, Protocol

__all__ = [
    "BIAS_UNIT",
    "DEFAULT",
    "STIMULUS",
    "TARGETS",
    "Choice",
    "Constant",
    "CopyOf",
    "InitialWeights",
    "Layout",
    "LearningRates",
    "Model",
    "Network",
    "Normal",
    "Phase",
    "Pool",
    "Population",
    "Projection",
    "Protocol",
    "Readout",
    "Rounding",
    "Signal",
    "Silenced",
    "Start",
    "Uniform",
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

# Every module without an underscore is a room of models, which register themselves.
for _room in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    if not _room.startswith("_"):
        importlib.import_module(f"{__name__}.{_room}")

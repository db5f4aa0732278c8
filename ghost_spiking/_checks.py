"""What numbers, switches and words may be, wherever they are given.

Validation is strict: True is no integer, 2.5 is no count, "3" is no number. numpy's types
are turned into Python's before, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from .exceptions import GhostSpikingError, SpecificationError

__all__ = [
    "Count",
    "Flag",
    "Fraction",
    "NotNegative",
    "Number",
    "Positive",
    "Section",
    "Whole",
    "check",
    "message",
    "plain",
    "tuples",
]

Count = Annotated[int, Field(ge=1, strict=True)]
Whole = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False, strict=True)]
Flag = Annotated[bool, Field(strict=True)]


_OWN: dict[type, type] = {
    np.bool_: bool,
    np.floating: float,
    np.complexfloating: complex,
    np.str_: str,
}


class Section(BaseModel):
    """Fields that belong together; once they are valid they stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _accept_numpy(cls, data: Any) -> Any:
        return plain(data)


def plain(value: Any) -> Any:
    """Return a value with Python's types in place of numpy's, also inside of lists and mappings.

    Arrays become lists. What numpy's scalars have no equal for, such as dates, stays.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._checks import plain
    >>> plain({"sizes": np.array([4, 3, 2]), "dale": np.bool_(True)})
    {'sizes': [4, 3, 2], 'dale': True}
    """
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, np.integer) and not isinstance(value, np.timedelta64):
        return int(value)
    for foreign, own in _OWN.items():
        if isinstance(value, foreign):
            return own(value)
    return value


def tuples(value: Any) -> Any:
    """Return a value with tuples in place of lists, also inside of dictionaries."""
    if isinstance(value, dict):
        return {key: tuples(item) for key, item in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, (list, tuple)) else value


def check(
    name: str, value: Any, kind: Any, error: type[GhostSpikingError] = SpecificationError
) -> Any:
    """Return a value as a Python object of some kind, or refuse it.

    Parameters
    ----------
    name : str
        What the error is to call it.
    value : object
        What was given.
    kind : type
        One of the types above, or another that pydantic knows.
    error : type, optional
        What to raise if it is of another kind, or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking._checks import Count, check
    >>> check("epochs", np.int64(3), Count)
    3
    """
    try:
        return TypeAdapter(kind).validate_python(plain(value))
    except ValidationError as found:
        raise error("\n".join(message(one, name) for one in found.errors())) from None


def message(error: Any, *above: str) -> str:
    """Write one of pydantic's errors as a line that begins with the path of the field."""
    path = ".".join(str(part) for part in (*above, *error["loc"]))
    text = error["msg"].removeprefix("Value error, ")
    return f"{path}: {text[0].lower()}{text[1:]}, got {error['input']!r}"

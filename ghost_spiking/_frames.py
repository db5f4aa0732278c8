"""Histories as tables of pandas, which is optional."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._checks import tuples
from .exceptions import MissingPackageError

if TYPE_CHECKING:
    import pandas

    from .training import Epoch

__all__ = ["frame_of"]


def frame_of(trainings: Iterable[tuple[Mapping[str, Any], Sequence[Epoch]]]) -> pandas.DataFrame:
    """Return a row for each epoch of each training: what is known of the training, then the epoch.

    Examples
    --------
    >>> from ghost_spiking._frames import frame_of
    >>> from ghost_spiking.training import Epoch
    >>> frame_of([({"seed": 3}, [Epoch(1, 80.0, 0.2, 85.0, 0.2, 1.0)])]).shape
    (1, 8)
    """
    try:
        import pandas
    except ImportError:
        raise MissingPackageError("pandas", "tables") from None
    rows = []
    for known, history in trainings:
        for epoch in history:
            row = dataclasses.asdict(epoch)
            rows.append(tuples(dict(known)) | row | row.pop("measurements"))
    return pandas.DataFrame(rows)

"""What all pictures share: colours, and text in any script."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["COLOURS", "fonts", "label_some", "readable"]

#: Colours of Okabe and Ito, which colour-blind people tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Fonts with many scripts, whichever of them are installed.
_WIDE = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Source Han Sans"),
    *("Arial Unicode MS", "Hiragino Sans", "PingFang SC", "Microsoft YaHei", "Yu Gothic"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Sans Arabic", "Noto Sans Hebrew"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Symbols 2", "Noto Emoji"),
    *("Unifont", "FreeSans"),
)


@lru_cache(maxsize=1)
def _installed() -> list[str]:
    from matplotlib.font_manager import fontManager

    names = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _WIDE if name in names)]


@contextlib.contextmanager
def fonts() -> Iterator[None]:
    """Draw names in any script: where no font has a character, a box stands for it."""
    from matplotlib import rc_context

    with rc_context({"font.family": _installed()}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def readable(text: Any) -> str:
    r"""Return a name as text that can be drawn as it is.

    Dollars are no mathematics, and bytes of a file's name that are no characters become marks.

    Examples
    --------
    >>> from ghost_spiking._drawing import readable
    >>> print(readable("5 $ a$"))
    5 \$ a\$
    """
    return str(text).encode(errors="surrogateescape").decode(errors="replace").replace("$", r"\$")


def label_some(value: float, _: float) -> str:
    """Label the ticks between powers of ten that begin with 2 or 5."""
    if value <= 0:
        return ""
    digit = round(value / 10 ** np.floor(np.log10(value)))
    return f"{value:g}" if digit in (2, 5) else ""

"""What commands put right in the place where they run, before anything is imported there."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

__all__ = ["put_right"]


def put_right() -> None:
    """Make up for warnings as errors, names of no encoding, and a home that can't be written to."""
    # Brian2's own, on newer versions of what it depends on
    for module in ("brian2", "pyparsing"):
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=module)
    # Brian2 writes them into its log, and can't write bytes that stand for no character
    sys.argv = [text.encode(errors="surrogateescape").decode(errors="replace") for text in sys.argv]
    _find_caches()


def _find_caches() -> None:
    """Name folders of our own for compiled programs and for matplotlib, if there are none."""
    import platformdirs

    wanted = {
        "GHOST_SPIKING_CACHE": platformdirs.user_cache_dir("ghost-spiking"),
        "MPLCONFIGDIR": platformdirs.user_config_dir("matplotlib"),
    }
    for variable, place in wanted.items():
        if not os.environ.get(variable) and not _can_be_written(Path(place)):
            os.environ[variable] = str(_folder_of_ours() / variable.lower())
            os.makedirs(os.environ[variable], exist_ok=True)


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@lru_cache(maxsize=1)
def _folder_of_ours() -> Path:
    """Return a temporary folder, the same for all commands, that nobody else can write to."""
    user = getattr(os, "getuid", lambda: 0)()
    folder = Path(tempfile.gettempdir()) / f"ghost-spiking-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if folder.is_symlink() or facts.st_uid != user or facts.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix="ghost-spiking-"))
    return folder

"""Files of a run directory: written by one process at a time, and whole at any time."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from .exceptions import RunError

__all__ = ["FILE", "LOCK", "OWN", "is_left_over", "lock", "reason", "write_atomically"]

FILE, LOCK = "run.npz", "run.lock"
#: Files that only the holder of the lock writes.
OWN = (FILE, "spec.toml", "history.csv", "run.json", "learning_curves.png")
#: Seconds to wait for a lock: whoever repairs copies or saves from Python needs it for a moment.
_PATIENCE = 3.0
#: Threads of this process take turns.
_switching = threading.Lock()


@contextlib.contextmanager
def lock(path: str | os.PathLike[str]) -> Iterator[None]:
    """Be the only process that writes in a run directory.

    To hold it through a training, as the command line does, refuses a second one before it has
    trained rather than when it saves. It is one lock for all of a process, which may take it again
    and again. It ends with the process, even if that is killed.

    Raises
    ------
    RunError
        Another process holds it, which the message names; or the directory can't be written to.

    Examples
    --------
    >>> import tempfile
    >>> from ghost_spiking.runs import Run, lock
    >>> path = Run.create(tempfile.mkdtemp())
    >>> with lock(path):
    ...     [file.name for file in path.iterdir()]
    ['run.lock']
    """
    path = Path(path)
    if not path.is_dir():
        raise RunError(f"'{path}' is not a run directory: there is no such directory")
    file = path.resolve() / LOCK
    held = FileLock(file, timeout=_PATIENCE, is_singleton=True, thread_local=False)
    with _switching:
        try:
            held.acquire()
        except Timeout:
            raise RunError(
                f"'{path}' is being written by {_owner(file)}; wait until that has ended"
            ) from None
        except OSError as error:
            raise RunError(f"'{path}' can't be written to: {reason(error)}") from None
        if held.lock_counter == 1:
            _take_over(path, held, file)
    try:
        yield
    finally:
        with _switching:
            if held.lock_counter == 1 and not isinstance(held, SoftFileLock):
                # Whoever has opened it meanwhile notices that it has no name any more.
                with contextlib.suppress(OSError):
                    file.unlink()
            held.release()


def _take_over(path: Path, held: FileLock, file: Path) -> None:
    """Say who writes, and remove what a process that was killed has not finished."""
    with contextlib.suppress(OSError):
        if not isinstance(held, SoftFileLock):  # where the system has no locks; says it itself
            file.write_text(f"{os.getpid()}\n{socket.gethostname()}\n")
        for found in path.glob("*.part"):
            if is_left_over(found):
                found.unlink()


def is_left_over(file: Path) -> bool:
    """Tell whether a training that was killed has left this file, and nobody needs it."""
    return file.name == LOCK or (file.suffix == ".part" and file.name.startswith(OWN))


def _owner(file: Path) -> str:
    try:
        pid, host, *_ = file.read_text().splitlines()
    except (OSError, ValueError):
        return "another process"
    return f"process {pid} on {host}"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole: at any time, whatever happens, the old or the new one is there.

    Several may write at the same time; the last one to end wins.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ghost_spiking.runs import write_atomically
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> write_atomically(path, b"all of it")
    >>> path.read_text()
    'all of it'
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    return error.strerror or str(error)

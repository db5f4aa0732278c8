"""Where the cells of a study are trained: processes on this machine, or the workers of Dask.

Both functions yield the record of each cell as soon as it ends, in any order.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ..exceptions import StudyError

if TYPE_CHECKING:
    from ._cells import Cell, Record

__all__ = ["run_here", "run_on_dask"]

_NO_DASK = "Dask is not installed; pip install 'ghost-spiking[dask]'"
#: Seconds to wait for the scheduler.
_CONNECT = 8


def run_here(cells: Sequence[Cell], jobs: int) -> Iterator[Record]:
    """Train cells in processes on this machine, one BLAS thread each."""
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    with joblib.parallel_config("loky", inner_max_num_threads=1):
        # Nothing is handed out ahead, lest workers go on if this process is killed.
        parallel = joblib.Parallel(
            jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
        )
        try:
            yield from parallel(
                joblib.delayed(_train_for)(os.getpid(), cell, cell.key) for cell in cells
            )
        except BrokenProcessPool:
            raise StudyError(
                "a process died, perhaps for lack of memory; what has ended is saved, so run the "
                "study again, with fewer --jobs"
            ) from None


def run_on_dask(cells: Sequence[Cell], address: str) -> Iterator[Record]:
    """Train cells on the workers of a Dask scheduler.

    Not through joblib, whose Dask backend (1.6) waits for ever for a task that ends
    with an error of Dask itself, if results are asked for as they come.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
        from distributed.comm import get_address_host_port
    except ImportError:
        raise StudyError(_NO_DASK) from None
    try:
        # Clients that can't connect may block this process when they are collected.
        socket.create_connection(get_address_host_port(address), timeout=_CONNECT).close()
        client = Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:  # distributed's timeouts are OSErrors
        raise StudyError(
            f"there is no Dask scheduler at '{address}', which needs to be an address such as "
            f"tcp://host:8786: {error}"
        ) from None
    with client:
        # With the cell's own key, a study that starts again joins what workers still train.
        futures = {
            client.submit(_train, cell, cell.key, key=f"ghost-spiking-{cell.key}"): cell
            for cell in cells
        }
        ended = as_completed(list(futures), loop=client.loop, with_results=True, raise_errors=False)
        for future, result in ended:
            cell = futures.pop(future)
            if future.status == "finished":
                yield result
            elif future.status == "error" and isinstance(result[1], KilledWorker):
                yield cell.failed(f"every worker that trained it died: {result[1]}")
            else:
                reason = repr(result[1]) if future.status == "error" else future.status
                raise StudyError(
                    f"Dask could not train '{cell}': {reason}. Workers need this version of "
                    "ghost-spiking and the images; what has ended is saved"
                )


def _train_for(parent: int, cell: Cell, key: str) -> Record:
    if os.getpid() != parent:
        _end_with(parent)
    return _train(cell, key)


@lru_cache(maxsize=1)
def _end_with(parent: int) -> None:
    """End this process soon after its parent was killed; joblib's would wait for work."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train(cell: Cell, key: str) -> Record:
    if cell.key != key:
        raise StudyError(
            f"'{cell}' is another network in a process of its own than here: equations that were "
            "exchanged here do not reach other processes; put them into a model of your own, in "
            "a file that the processes can read too"
        )
    return cell.train()

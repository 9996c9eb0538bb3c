"""Factorizations in worker processes."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Literal

import numpy as np

from dnnlib.errors import InputError
from utils.method.low_rank import factorize
from utils.method.resefa import resefa
from utils.method.subspace import Subspace

Method = Literal["lowrank", "resefa"]


def factorize_all(
    pairs: Iterable[np.ndarray], method: Method, lamb: float, max_iter: int
) -> Iterator[tuple[np.ndarray, Subspace, Subspace]]:
    """Each pair of Gram matrices inside and outside [2, D, D], its foreground and its background.

    The method is that of the foreground. Workers factorize while the next pairs are made.
    """
    pending: deque[tuple[np.ndarray, Future[Subspace], Future[Subspace]]] = deque()
    cores = os.cpu_count() or 1
    with worker_processes() as workers:
        for pair in pairs:
            pending.append((pair, *submit_pair(workers, pair, method, lamb, max_iter)))
            if len(pending) > cores:
                yield _finished(*pending.popleft())
        while pending:
            yield _finished(*pending.popleft())


def submit_pair(
    workers: Executor, pair: np.ndarray, method: Method, lamb: float, max_iter: int
) -> tuple[Future[Subspace], Future[Subspace]]:
    """The factorizations of a pair of Gram matrices inside and outside [2, D, D], begun."""
    inside, outside = pair
    foreground = (
        workers.submit(resefa, inside, outside)
        if method == "resefa"
        else workers.submit(factorize, inside, lamb, max_iter)
    )
    return foreground, workers.submit(factorize, outside, lamb, max_iter)


def _finished(
    pair: np.ndarray, foreground: Future[Subspace], background: Future[Subspace]
) -> tuple[np.ndarray, Subspace, Subspace]:
    return pair, foreground.result(), background.result()


@contextlib.contextmanager
def worker_processes() -> Iterator[ProcessPoolExecutor]:
    """As many workers as cores, each on one core: an eigendecomposition of 512 x 512 hardly gains
    from a second.

    Processes, since SciPy's eigensolver holds Python's lock. They are stopped at once if the block
    fails, and end by themselves if this process is killed.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # read by the workers as they start
    pool = ProcessPoolExecutor(
        os.cpu_count(), multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )
    try:
        yield pool
    except BaseException as error:
        for worker in multiprocessing.active_children():
            worker.terminate()
        if isinstance(error, BrokenProcessPool):
            raise InputError(
                "a worker process was killed, most likely for lack of memory; expected it to end: "
                "free some memory, or use a Jacobian of a smaller --image_size"
            ) from None
        raise
    finally:
        pool.shutdown()


def _prepare_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # whatever the main thread waits for

"""Worker processes for long linear algebra."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool


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
            raise MemoryError("a worker process was killed") from None
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

"""Worker processes for long linear algebra."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool


@contextlib.contextmanager
def worker_processes() -> Iterator[ProcessPoolExecutor]:
    """As many workers as cores, each on one core: an eigendecomposition of 512 x 512 hardly gains from a second.

    Processes, since SciPy's eigensolver holds Python's lock. They are stopped at once if the block fails.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # read by the workers as they start
    pool = ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"),
                               initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
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

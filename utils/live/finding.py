"""Steps 1 and 2 in a live session: Jacobians, which are kept, and the directions of a region."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dnnlib.errors import InputError
from utils.cli.options import DirectionsOptions, JacobianOptions
from utils.method.directions import Directions, gram_matrices, projected_directions
from utils.method.resefa import resefa
from utils.method.workers import Method, submit_pair

IMAGE_SIZE = JacobianOptions.image_size
KEPT_BYTES = 1 << 30  # of Jacobians
PATIENCE = 0.1  # seconds between two looks at whether to go on


class Cancelled(Exception):
    """The user has had enough of it."""


class Differentiable(Protocol):
    """What `Finder` needs of a generator."""

    edit_dim: int
    batch_size: int

    def jacobian(
        self,
        codes: np.ndarray,
        image_size: int,
        fused_channel: bool,
        batch_size: int | None,
        progress: Callable[[int], object] | None,
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class Found:
    """The directions of a region, the Gram matrices inside and outside [2, D, D], and the codes
    [N, L, D] that they were found at."""

    directions: Directions
    matrices: np.ndarray
    codes: np.ndarray


class Progress:
    """How far a search has come, to be asked for by another thread, which may also end it."""

    def __init__(self) -> None:
        self._cancel = threading.Event()
        self._what, self._done, self._total, self._start = "", 0, 0, 0.0

    def begin(self, what: str, total: int) -> None:
        """`total` 0: nobody knows how long it takes."""
        self._what, self._done, self._total, self._start = what, 0, total, time.monotonic()

    def add(self, count: int) -> None:
        """Raises Cancelled if it shall end."""
        self._done += count
        if self._cancel.is_set():
            raise Cancelled

    def start(self) -> None:
        """A new search."""
        self._cancel.clear()

    def end(self) -> None:
        """No search is going on."""
        self.begin("", 0)

    def cancel(self) -> None:
        """It shall end."""
        self._cancel.set()

    def to_json(self) -> dict[str, Any]:
        """What is done, the part that is finished, and the seconds left."""
        part = self._done / self._total if self._total else None
        elapsed = time.monotonic() - self._start
        left = elapsed * (1 - part) / part if part else None
        return {"what": self._what, "part": part, "seconds": left}


class Finder:
    """Finds directions, in worker processes that are kept."""

    def __init__(
        self, generator: Differentiable, workers: ProcessPoolExecutor, progress: Progress
    ) -> None:
        self._generator, self._workers, self.progress = generator, workers, progress
        self._jacobians: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def start_workers(self) -> None:
        """Do not wait for them later."""
        for _ in range(2):
            self._workers.submit(resefa, np.eye(2), np.eye(2))

    def find(
        self, codes: np.ndarray, masks: Sequence[np.ndarray], method: Method, lamb: float
    ) -> Found:
        """The directions of codes [N, L, D], each with its mask [H, W].

        Raises InputError if there are none, Cancelled.
        """
        self.progress.start()
        try:
            total = len(codes) * self._generator.edit_dim
            self.progress.begin("derivatives of the picture", total)
            pairs = [
                gram_matrices(self.jacobian(code[None]), mask)
                for code, mask in zip(codes, masks, strict=True)
            ]
            # Added up from zero and divided, as compute_directions.py does: to the same bits.
            pair = sum(pairs, np.zeros_like(pairs[0])) / len(pairs)
            return Found(self._directions(pair, method, lamb), pair, codes)
        finally:
            self.progress.end()

    def jacobian(self, code: np.ndarray) -> np.ndarray:
        """That at a code [1, L, D]: [H, W, 1, D], from memory if it was asked for lately."""
        key = code.tobytes()
        if key in self._jacobians:
            self._jacobians.move_to_end(key)
            self.progress.add(self._generator.edit_dim)
            return self._jacobians[key]
        batch_size, add = self._generator.batch_size, self.progress.add
        made = self._generator.jacobian(code, IMAGE_SIZE, True, batch_size, add)
        self._jacobians[key] = made
        while sum(each.nbytes for each in self._jacobians.values()) > KEPT_BYTES:
            self._jacobians.popitem(last=False)
        return made

    def _directions(self, pair: np.ndarray, method: Method, lamb: float) -> Directions:
        self.progress.begin("factorization", 0)
        jobs = submit_pair(self._workers, pair, method, lamb, DirectionsOptions.max_iter)
        while wait(jobs, PATIENCE).not_done:
            self.progress.add(0)
        foreground, background = (job.result() for job in jobs)
        if not foreground.rank:
            raise InputError(f"nothing is found at lambda {lamb:g}; expected a direction: lower it")
        return projected_directions(pair[0], pair[1], foreground, background)

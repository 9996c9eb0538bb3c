"""Anderson acceleration of a fixed-point iteration."""

import numpy as np
import scipy.linalg

FEWEST_STEPS = 4  # that tell how slow the iteration is


class Anderson:
    """Extrapolates the iteration x -> g(x) from its last steps (Walker and Ni 2011, type II).

    The residual g(x) - x of a nonexpansive map never grows on the plain iteration. Extrapolated
    points may be worse for a while; if one is twice as bad as the best, or `patience` of them are
    no better, it goes on from the best.
    """

    def __init__(self, size: int, memory: int = 10, patience: int = 5) -> None:
        self.memory, self.patience = memory, patience
        # In place, since fresh memory costs more than the arithmetic on it; float32 is enough for
        # differences.
        self.image_steps, self.residual_steps = np.zeros((2, memory, size), np.float32)
        self.gram = np.zeros((memory, memory))  # of the residual steps
        self.products = np.zeros(memory)  # of the residual steps with the last residual
        self.last_image, self.last_residual, self.best_image, self.scratch = np.empty((4, size))
        self.restart()

    def amplification(self) -> float:
        """Distance to the fixed point over the residual, 1 / (1 - rate): the largest ratio of a
        change of x to that of the residual in the space of the last steps, where the slow
        directions gather. Infinite while steps are few."""
        kept = min(self.count, self.memory)
        if kept < FEWEST_STEPS:
            return np.inf
        if not self.gram[:kept, :kept].any():
            return 1.0
        x_steps = self.image_steps[:kept] - self.residual_steps[:kept]
        gram = self.gram[:kept, :kept]
        ridge = 1e-6 * np.trace(gram) * np.eye(kept)
        ratios = scipy.linalg.eigh(x_steps @ x_steps.T, gram + ridge, eigvals_only=True)
        return max(float(ratios[-1]) ** 0.5, 1.0)

    def restart(self) -> None:
        """Forget all steps: for when the map has changed."""
        self.count = -1  # of steps stored; the first point makes none
        self.best_norm, self.since_best = np.inf, 0

    def next_point(self, image: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The point to evaluate next, given g(x) and g(x) - x at the present one, all [size]."""
        norm = float(np.linalg.norm(residual))
        self.since_best += 1
        if norm < self.best_norm:
            self.best_norm, self.since_best = norm, 0
            self.best_image[:] = image
        elif norm > 2 * self.best_norm or self.since_best > self.patience:
            self.restart()
            return self.best_image.astype(image.dtype)
        if self.count >= 0:
            self._store_step(image, residual)
        self.count += 1
        self.last_image[:], self.last_residual[:] = image, residual
        kept = min(self.count, self.memory)
        gram = self.gram[:kept, :kept]
        if kept < 2 or not gram.any():
            return image.copy()
        ridge = 1e-10 * np.trace(gram) * np.eye(kept)  # steps may be nearly dependent
        weights = np.linalg.lstsq(gram + ridge, self.products[:kept], rcond=None)[0]
        point = weights.astype(np.float32) @ self.image_steps[:kept]
        return np.subtract(image, point, out=point if image.dtype == point.dtype else None)

    def _store_step(self, image: np.ndarray, residual: np.ndarray) -> None:
        slot = self.count % self.memory
        residual_step = self.residual_steps[slot]
        self.image_steps[slot] = np.subtract(image, self.last_image, out=self.scratch)
        residual_step[:] = np.subtract(residual, self.last_residual, out=self.scratch)
        self.gram[slot] = self.gram[:, slot] = self.residual_steps @ residual_step
        # By this step the last residual has become this one.
        self.products += self.gram[slot]
        self.products[slot] = residual_step @ residual.astype(np.float32)

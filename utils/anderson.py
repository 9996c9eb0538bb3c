"""Anderson acceleration of a fixed-point iteration."""

import numpy as np


class Anderson:
    """Extrapolates the iteration x -> g(x) from its last steps (Walker and Ni 2011, type II).

    The residual g(x) - x of a nonexpansive map never grows on the plain iteration. Extrapolated points may be worse for
    a while; if one is twice as bad as the best, or `patience` of them are no better, it goes on from the best.
    """

    def __init__(self, memory: int = 10, patience: int = 5) -> None:
        self.memory, self.patience = memory, patience
        self.restart()

    def restart(self) -> None:
        """Forget all steps: for when the map has changed."""
        self.image_steps: list[np.ndarray] = []
        self.residual_steps: list[np.ndarray] = []
        self.last: tuple[np.ndarray, np.ndarray] | None = None
        self.best_image, self.best_norm, self.since_best = None, np.inf, 0

    def next_point(self, image: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The point to evaluate next, given g(x) and g(x) - x at the present one."""
        norm = np.linalg.norm(residual)
        self.since_best += 1
        if norm < self.best_norm:
            self.best_image, self.best_norm, self.since_best = image, norm, 0
        elif norm > 2 * self.best_norm or self.since_best > self.patience:
            best_image = self.best_image
            self.restart()
            return best_image
        if self.last is not None:
            self.image_steps.append((image - self.last[0]).ravel())
            self.residual_steps.append((residual - self.last[1]).ravel())
            del self.image_steps[:-self.memory], self.residual_steps[:-self.memory]
        self.last = image, residual
        steps = np.array(self.residual_steps)
        if len(steps) < 2 or not steps.any():
            return image
        gram = steps @ steps.T
        gram[np.diag_indices(len(gram))] += 1e-10 * np.trace(gram)  # steps may be nearly dependent
        weights = np.linalg.lstsq(gram, steps @ residual.ravel(), rcond=None)[0]
        return image - (weights @ np.array(self.image_steps)).reshape(image.shape)

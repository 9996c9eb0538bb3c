"""Anderson acceleration of a fixed-point iteration."""

import numpy as np


class Anderson:
    """Extrapolates the iteration x -> g(x) from its last steps (Walker and Ni 2011, type II).

    If an extrapolated point turns out worse than twice the best one, the iteration goes on from the best without memory.
    """

    def __init__(self, memory: int = 10) -> None:
        self.memory = memory
        self.restart()

    def restart(self) -> None:
        """Forget all steps: for when the map has changed."""
        self.image_steps: list[np.ndarray] = []
        self.residual_steps: list[np.ndarray] = []
        self.last: tuple[np.ndarray, np.ndarray] | None = None
        self.best_image, self.best_norm = None, np.inf

    def next_point(self, image: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The point to evaluate next, given g(x) and g(x) - x at the present one."""
        norm = np.linalg.norm(residual)
        if norm > 2 * self.best_norm:
            best_image = self.best_image
            self.restart()
            return best_image
        if norm < self.best_norm:
            self.best_image, self.best_norm = image, norm
        if self.last is not None:
            self.image_steps.append((image - self.last[0]).ravel())
            self.residual_steps.append((residual - self.last[1]).ravel())
            del self.image_steps[:-self.memory], self.residual_steps[:-self.memory]
        self.last = image, residual
        if len(self.residual_steps) < 2:
            return image
        steps = np.array(self.residual_steps)
        gram = steps @ steps.T
        gram[np.diag_indices(len(gram))] += 1e-10 * np.trace(gram)  # steps may be nearly dependent
        weights = np.linalg.solve(gram, steps @ residual.ravel())
        return image - (weights @ np.array(self.image_steps)).reshape(image.shape)

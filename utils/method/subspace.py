"""What every method of factorization gives."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Subspace:
    """Vectors of length 1, the best first, of which the first `rank` span the principal space."""

    vectors: np.ndarray  # [n, n]
    scores: np.ndarray  # [n]: row i of `vectors` belongs to scores[i], largest first
    score_name: str  # in words, such as singular value
    rank: int
    converged: bool
    stats: Mapping[str, float]  # of the method, by name: for a JSON file

    @property
    def principal(self) -> np.ndarray:
        """[rank, n]"""
        return self.vectors[: self.rank]

    @property
    def complement(self) -> np.ndarray:
        """[n - rank, n]"""
        return self.vectors[self.rank :]

"""Walking latent codes along directions."""

from collections.abc import Iterable, Iterator

import numpy as np

from .errors import InputError


def walk(ws: np.ndarray, direction: np.ndarray, layers: list[int], distances: np.ndarray) -> np.ndarray:
    """w + a direction on `layers`, other layers untouched, for each distance a (Zhu et al. 2021, eq. 7).

    ws [N, L, D], direction [D], distances [S] -> [N, S, L, D]. Raises InputError for a layer that is not there.
    """
    if layers[-1] >= ws.shape[1]:
        raise InputError(f"--mani_layers asks for layer {layers[-1]}; expected 0 to {ws.shape[1] - 1} for this network")
    edited = np.repeat(ws[:, None], len(distances), axis=1)
    edited[:, :, layers] += (distances[:, None, None] * direction).astype(ws.dtype)
    return edited


def edited_codes(ws: np.ndarray, directions: np.ndarray, layers: list[int],
                 distances: np.ndarray) -> Iterator[np.ndarray]:
    """First the originals ws [N, L, D], then the S steps of each sample along each direction [K, D]: K x N x S codes.

    They are made as they are asked for. Raises InputError for a layer that is not there.
    """
    yield from ws
    for direction in directions:
        for w in ws:
            yield from walk(w[None], direction, layers, distances)[0]


def in_batches(codes: Iterable[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
    """Codes [L, D] stacked to [batch_size, L, D]; the last batch may be smaller."""
    batch: list[np.ndarray] = []
    for code in codes:
        batch.append(code)
        if len(batch) == batch_size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)

"""Latent codes and labels: random by seed, or those of a file."""

import math
from typing import Literal, Protocol

import numpy as np

from dnnlib.containers.array_file import CODE_KEYS, row_lengths
from dnnlib.errors import InputError
from dnnlib.latents import W_KEYS, Latents, are_short, size_of_layers, space_of_rows
from utils.cli.options import CodeOptions, LatentSpace
from utils.cli.parser import warn

CodeSpace = Literal["z", "w", "wp"]
SPACES: dict[CodeSpace, str] = {"z": "z", "w": "w", "wp": "w+"}  # as people read them


def random_codes(seed: int, total_num: int, z_dim: int) -> np.ndarray:
    """z [total_num, z_dim] in float64: the codes that the original program draws for this seed."""
    return np.random.RandomState(seed).randn(total_num, z_dim)


def codes_for_network(
    path: str, latents: Latents, space: LatentSpace, z_dim: int, w_dim: int, num_layers: int
) -> tuple[CodeSpace, np.ndarray]:
    """The codes of a file as a network takes them, and what they are, which is printed.

    `space` is auto, z, w or wp. Returns z, w or wp, and z [N, z_dim], or w+ [N, num_layers, w_dim],
    in which w is repeated. Raises InputError if the codes do not fit the network, or it cannot be
    told what they are.
    """
    found, assumed = (
        _assumed_space(path, latents, z_dim, w_dim, num_layers) if space == "auto" else (space, "")
    )
    codes = _checked_codes(path, latents, found, assumed, z_dim, w_dim, num_layers)
    names = latents.names
    shown = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    if latents.choice:
        shown += f", {f'under {latents.key}, ' if latents.key else ''}{latents.choice}"
    print(
        f"latent codes: {len(codes)} of {SPACES[found]}{shown}{', ' if assumed else ''}{assumed}",
        flush=True,
    )
    return found, codes if found != "w" else np.repeat(codes[:, None], num_layers, axis=1)


def _checked_codes(
    path: str,
    latents: Latents,
    space: CodeSpace,
    assumed: str,
    z_dim: int,
    w_dim: int,
    num_layers: int,
) -> np.ndarray:
    """The codes, z or w [N, dim] or w+ [N, num_layers, w_dim]; a single one as [1, ...].

    `assumed` says why they are taken for codes of that space. Raises InputError if they do not fit
    the network.
    """
    values = latents.values
    shape, size = list(values.shape), 2 if space == "wp" else 1  # dimensions of a code
    codes = values[None] if values.ndim == size and latents.names is None else values
    if space != "wp" and codes.ndim == 3 and 1 in codes.shape[:2]:
        codes = codes.reshape(-1, codes.shape[-1])
    what, dim = f"{SPACES[space]} codes", z_dim if space == "z" else w_dim
    why = f" ({assumed})" if assumed else ""
    if codes.ndim != size + 1:
        expected = f"[N, {num_layers}, {dim}]" if space == "wp" else f"[N, {dim}]"
        raise InputError(
            f"{path} has shape {shape}; expected {what} {expected}: choose another",
            option="latent_space",
        )
    if codes.shape[-1] != dim:
        raise InputError(
            f"{path} has {what} of {codes.shape[-1]} dimensions{why}; expected {dim} for this "
            "network: use codes of this network"
        )
    if space == "wp" and codes.shape[1] != num_layers:
        pixels = size_of_layers(codes.shape[1])
        fits = f", as a network of {pixels} x {pixels} pixels has" if pixels else ""
        may_be_other = values.ndim == 2 or len(values) == 1
        raise InputError(
            f"{path} has {what} of {codes.shape[1]} layers{fits}; expected {num_layers}: use codes "
            f"of this network{', or choose z or w' if may_be_other else ''}",
            option="latent_space" if may_be_other else None,
        )
    return codes


def _assumed_space(
    path: str, latents: Latents, z_dim: int, w_dim: int, num_layers: int
) -> tuple[CodeSpace, str]:
    """What codes are taken for that nobody has named, and on which grounds, to be printed; "" if
    that is certain.

    The key decides, or the shape, or the dimensions if those of z and w differ; else the numbers.
    Raises InputError if they cannot tell, or the codes look like directions.
    """
    values, key, names, _ = latents
    shape, by_numbers = list(values.shape), space_of_rows(values)
    rows = "the mean length of its rows" if values.ndim > 1 else "its length"
    if key not in CODE_KEYS and are_short(values) and shape[-1] in (z_dim, w_dim):
        raise InputError(
            f"{path} has rows no longer than 1, as directions have; expected latent codes: if they "
            "are, say which: z, w or wp",
            option="latent_space",
        )
    if values.ndim == 3 and shape[1] > 1 and key != "z":
        return "wp", ""
    of_layers = names is None and shape[:-1] == [num_layers]
    w: CodeSpace = "wp" if of_layers else "w"
    other = "w reads codes of w" if of_layers else "z reads codes of z"
    space: CodeSpace
    if key in (*W_KEYS, "z"):
        space = "z" if key == "z" else w
        if by_numbers and (by_numbers == "z") != (space == "z"):
            warn(
                f"{path} has codes under the key {key} that are as long as those of {by_numbers}: "
                f"if they are, --latent_space {by_numbers} reads them"
            )
        grounds = f"the key {key} and the shape {shape}"
    elif shape[-1] not in (z_dim, w_dim):
        expected = f"{w_dim}" if z_dim == w_dim else f"{z_dim} of z or {w_dim} of w"
        raise InputError(
            f"{path} has codes of {shape[-1]} dimensions; expected {expected} for this network: "
            "use codes of this network"
        )
    elif z_dim != w_dim:
        space, grounds = "z" if shape[-1] == z_dim else w, f"the shape {shape}"
    elif by_numbers is None or (by_numbers == "z" and of_layers):
        found, usual = row_lengths(values).mean(), math.sqrt(shape[-1])
        may_be = "z, w or wp" if of_layers else "z or w"
        raise InputError(
            f"{path} has codes {shape} that may be of z or of w by {rows}, {found:.3g} where that "
            f"of random z is about {usual:.3g}; expected to be told which: {may_be}",
            option="latent_space",
        )
    else:
        space, grounds = "z" if by_numbers == "z" else w, f"the shape {shape} and {rows}"
    if space == "z":
        other = "wp reads one code of w+" if of_layers else "w reads codes of w"
    return space, f"assumed from {grounds}; --latent_space {other}"


def class_labels(class_index: int | None, total_num: int, label_dim: int) -> np.ndarray:
    """Labels [total_num, label_dim]: one-hot for a class, zeros without one, which is said aloud if
    it matters.

    Raises InputError for a class that the network does not have.
    """
    labels = np.zeros((total_num, label_dim), np.float32)
    if class_index is not None:
        if class_index >= label_dim:
            known = f"0 to {label_dim - 1}" if label_dim else "none: this network has no classes"
            raise InputError(
                f"{class_index} is not a class of this network; expected {known}",
                option="class_index",
            )
        labels[:, class_index] = 1
    elif label_dim:
        print(f"no --class_index given: all {label_dim} labels are zero")
    return labels


class MappingNetwork(Protocol):
    """What `Codes` needs of a generator."""

    z_dim: int
    w_dim: int
    num_layers: int
    label_dim: int

    def mapping(self, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray: ...

    def truncate(self, ws: np.ndarray, psi: float, cutoff: int | None = None) -> np.ndarray: ...


class Codes:
    """The latent codes of a run: random ones of z, or those of a file, of z or w+.

    `space` is z, w (repeated for all layers) or wp; `values` are z [N, z_dim], or w+ [N, L, w_dim];
    `labels` [N, label_dim] belong to z only; `names` are those of the codes in a file of names.
    """

    def __init__(
        self, options: CodeOptions, network: MappingNetwork, latents: Latents | None = None
    ) -> None:
        """`latents` is the content of options.latent_path, if that is given.

        Raises InputError for options that do not fit them or the network.
        """
        self._network, self._path = network, options.latent_path
        self._psi, self._cutoff = options.trunc_psi, options.trunc_layers
        self.space: CodeSpace = "z"
        self.names: list[str] | None = None
        self.labels: np.ndarray | None = None
        if (options.trunc_layers or 0) > network.num_layers:
            raise InputError(
                f"{options.trunc_layers} layers; expected {network.num_layers} at most, as this "
                "network has",
                option="trunc_layers",
            )
        if latents is None:
            if options.total_num is None:
                raise ValueError("the number of random codes is not given")
            self.values = random_codes(options.seed, options.total_num, network.z_dim)
        else:
            self._take(options, latents)
        if self.space == "z":
            self.labels = class_labels(options.class_index, len(self.values), network.label_dim)
        else:
            self.expect_z(
                trunc_psi=options.trunc_psi != 1, class_index=options.class_index is not None
            )

    def _take(self, options: CodeOptions, latents: Latents) -> None:
        """All codes of a file, or as many as asked for."""
        path, network = str(options.latent_path), self._network
        self.space, values = codes_for_network(
            path, latents, options.latent_space, network.z_dim, network.w_dim, network.num_layers
        )
        if (options.total_num or 0) > len(values):
            raise InputError(
                f"{options.total_num} of {path}; expected at most {len(values)}, the number of its "
                "codes",
                option="total_num",
            )
        self.values = values[: options.total_num]
        self.names = latents.names and latents.names[: options.total_num]

    def expect_z(self, **is_asked: bool) -> None:
        """Raises InputError if the codes are not of z, and one of these options is asked for."""
        for option, asked in is_asked.items():
            if asked and self.space != "z":
                raise InputError(
                    f"not with the {SPACES[self.space]} codes of {self._path}; expected z codes "
                    "with it: leave it out",
                    option=option,
                )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def z(self) -> np.ndarray | None:
        """z [N, z_dim], None if the codes are of w."""
        return self.values if self.labels is not None else None

    def w_plus_of(self, z: np.ndarray, sample: int) -> np.ndarray:
        """w+ [M, L, w_dim] of other z [M, z_dim] under the label of a sample, truncated."""
        if self.labels is None:
            raise ValueError("the codes are of w")
        ws = self._network.mapping(z, np.repeat(self.labels[sample][None], len(z), axis=0))
        return self._network.truncate(ws, self._psi, self._cutoff)

    def w_plus(self, samples: slice = slice(None)) -> np.ndarray:
        """w+ [N, L, w_dim] of some samples: from z mapped and truncated, else as they are."""
        if self.labels is None:
            return self.values[samples]
        ws = self._network.mapping(self.values[samples], self.labels[samples])
        return self._network.truncate(ws, self._psi, self._cutoff)

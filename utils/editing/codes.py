"""Latent codes and labels: random by seed, or those of a file."""

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from dnnlib.errors import InputError
from utils.cli.options import CodeOptions
from utils.cli.parser import say, warn

CodeSpace = Literal["z", "w", "wp"]
SPACES: dict[CodeSpace, str] = {"z": "z", "w": "w", "wp": "w+"}  # as people read them
# Random z are sqrt(D) long, and the w of published networks, of 512 numbers, from 1.3 to 77. What
# is FAR sqrt(D) long is 3000 times as long as any of these, so none of a network as it was trained;
# what is less absurd, as a far walk, may be meant. Lengths are those from 0, not from the mean w,
# which may be absurd itself.
FAR = 1e4


def random_codes(seed: int, total_num: int, z_dim: int) -> np.ndarray:
    """z [total_num, z_dim] in float64: the codes that the original program draws for this seed."""
    return np.random.RandomState(seed).randn(total_num, z_dim)


def class_labels(
    classes: Sequence[int], total_num: int, label_dim: int, is_needed: bool = False
) -> np.ndarray:
    """Labels [total_num, label_dim]: one-hot for the classes in turn, zeros without one, which is
    said aloud if it matters.

    Raises InputError for a class that the network does not have, or without one if it `is_needed`.
    """
    labels = np.zeros((total_num, label_dim), np.float32)
    if classes:
        if max(classes) >= label_dim:
            known = f"0 to {label_dim - 1}" if label_dim else "none: this network has no classes"
            raise InputError(
                f"{max(classes)} is not a class of this network; expected {known}",
                option="class_index",
            )
        labels[np.arange(total_num), np.resize(classes, total_num)] = 1
    elif label_dim and is_needed:
        raise InputError(
            f"no class; expected one of 0 to {label_dim - 1}: this network makes images of a class "
            "only",
            option="class_index",
        )
    elif label_dim:
        print(f"no --class_index given: all {label_dim} labels are zero")
    return labels


class MappingNetwork(Protocol):
    """What `Codes` needs of a generator."""

    space: Literal["w", "z"]
    truncation: Literal["mean", "threshold"] | None
    num_layers: int
    label_dim: int

    def find_class(self, name: str) -> int: ...

    def describe_class(self, index: int) -> str | None: ...

    def sample(self, random: np.random.RandomState, count: int, psi: float) -> np.ndarray: ...

    def mapping(self, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray: ...

    def truncate(self, ws: np.ndarray, psi: float, cutoff: int | None = None) -> np.ndarray: ...


class FittedCodes(Protocol):
    """The codes of a file as the network takes them, and what is to be said of them."""

    @property
    def space(self) -> CodeSpace: ...
    @property
    def values(self) -> np.ndarray: ...
    @property
    def names(self) -> list[str] | None: ...
    @property
    def note(self) -> str: ...
    @property
    def doubts(self) -> Sequence[str]: ...


class Codes:
    """The latent codes of a run: random ones of z, or those of a file, of z or w+.

    `space` is z, w (repeated for all layers) or wp; `values` are z [N, z_dim], or w+ [N, L, w_dim];
    `labels` [N, label_dim] belong to z only; `names` are those of the codes in a file of names.
    """

    def __init__(
        self, options: CodeOptions, network: MappingNetwork, found: FittedCodes | None = None
    ) -> None:
        """`found` are those of options.latent_path, if that is given.

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
        if network.truncation != "mean" and options.trunc_layers is not None:
            raise InputError(
                "this network does not truncate layer by layer; expected none: leave it out",
                option="trunc_layers",
            )
        if network.truncation is None and options.trunc_psi != 1:
            raise InputError(
                f"{options.trunc_psi:g}; expected 1, as this network has no truncation: leave it "
                "out",
                option="trunc_psi",
            )
        self._is_far_said = False
        if found is None:
            if options.total_num is None:
                raise ValueError("the number of random codes is not given")
            random = np.random.RandomState(options.seed)
            self.values = network.sample(random, options.total_num, options.trunc_psi)
        else:
            self._take(options, found)
        classes = self._find_classes(options)
        if self.space == "z":
            self.labels = class_labels(
                classes, len(self.values), network.label_dim, network.space == "z"
            )
            for index in dict.fromkeys(classes[: len(self.values)]):
                if line := network.describe_class(index):
                    say(line)
        else:
            self.expect_z(trunc_psi=options.trunc_psi != 1, class_index=bool(classes))

    def _find_classes(self, options: CodeOptions) -> tuple[int, ...]:
        """Those asked for, by number or by name."""
        if options.class_name is not None:
            return tuple(map(self._network.find_class, options.class_name.split(",")))
        index = options.class_index
        return () if index is None else index if isinstance(index, tuple) else (index,)

    def _take(self, options: CodeOptions, found: FittedCodes) -> None:
        """All codes of a file, or as many as asked for."""
        for doubt in found.doubts:
            warn(doubt)
        print(found.note, flush=True)
        if (options.total_num or 0) > len(found.values):
            raise InputError(
                f"{options.total_num} of {options.latent_path}; expected at most "
                f"{len(found.values)}, the number of its codes",
                option="total_num",
            )
        self.space, self.values = found.space, found.values[: options.total_num]
        self.names = found.names and found.names[: options.total_num]

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
        """w+ [N, L, w_dim] of some samples: from z mapped and truncated, else as they are. Codes of
        an absurd length are said, once."""
        ws = self.values[samples]
        if self.labels is not None:
            ws = self._network.mapping(ws, self.labels[samples])
            ws = self._network.truncate(ws, self._psi, self._cutoff)
        limit = FAR * math.sqrt(ws.shape[-1])
        with np.errstate(all="ignore"):
            longest = float(np.linalg.norm(ws.astype(np.float64), axis=-1).max(initial=0))
        if not (self._is_far_said or longest <= limit):
            self._is_far_said = True
            whose = f"{self._path} has" if self.labels is None else "the mapping makes"
            warn(
                f"{whose} codes of length {longest:.3g}, where those of other networks are less "
                "than 100 long: their images hardly show anything; expected codes of a network as "
                "it was trained"
            )
        return ws

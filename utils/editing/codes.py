"""Latent codes and labels: random by seed, or those of a file."""

import argparse
import math
from typing import Any

import numpy as np

from dnnlib.containers.array_file import CODE_KEYS, row_lengths
from dnnlib.errors import InputError
from dnnlib.latents import W_KEYS, Latents, are_short, size_of_layers, space_of_rows
from utils.cli.parser import finite_float, not_negative_int, positive_int, seed, warn

SPACES = {"z": "z", "w": "w", "wp": "w+"}


def random_codes(seed: int, total_num: int, z_dim: int) -> np.ndarray:
    """z [total_num, z_dim] in float64: the codes that the original program draws for this seed."""
    return np.random.RandomState(seed).randn(total_num, z_dim)


def codes_for_network(
    path: str, latents: Latents, space: str, z_dim: int, w_dim: int, num_layers: int
) -> tuple[str, np.ndarray]:
    """The codes of a file as a network takes them, and what they are, which is printed.

    `space` is auto, z, w or wp. Returns z, w or wp, and z [N, z_dim], or w+ [N, num_layers, w_dim],
    in which w is repeated. Raises InputError if the codes do not fit the network, or it cannot be
    told what they are.
    """
    values, key, names, choice = latents
    assumed = ""
    if space == "auto":
        space, assumed = _assumed_space(path, latents, z_dim, w_dim, num_layers)
    shape, size = list(values.shape), 2 if space == "wp" else 1  # dimensions of a code
    codes = values[None] if values.ndim == size and names is None else values
    if space != "wp" and codes.ndim == 3 and 1 in codes.shape[:2]:
        codes = codes.reshape(-1, codes.shape[-1])
    what, dim = f"{SPACES[space]} codes", z_dim if space == "z" else w_dim
    why = f" ({assumed})" if assumed else ""
    if codes.ndim != size + 1:
        expected = f"[N, {num_layers}, {dim}]" if space == "wp" else f"[N, {dim}]"
        raise InputError(
            f"{path} has shape {shape}; expected {what} {expected}: choose another --latent_space"
        )
    if codes.shape[-1] != dim:
        raise InputError(
            f"{path} has {what} of {codes.shape[-1]} dimensions{why}; expected {dim} for this "
            "network: use codes of this network"
        )
    if space == "wp" and codes.shape[1] != num_layers:
        pixels = size_of_layers(codes.shape[1])
        fits = f", as a network of {pixels} x {pixels} pixels has" if pixels else ""
        remedy = ", or --latent_space z or w" if values.ndim == 2 or len(values) == 1 else ""
        raise InputError(
            f"{path} has {what} of {codes.shape[1]} layers{fits}; expected {num_layers}: use codes "
            f"of this network{remedy}"
        )
    shown = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    if choice:
        shown += f", {f'under {key}, ' if key else ''}{choice}"
    print(
        f"latent codes: {len(codes)} of {SPACES[space]}{shown}{', ' if assumed else ''}{assumed}",
        flush=True,
    )
    return space, codes if space != "w" else np.repeat(codes[:, None], num_layers, axis=1)


def _assumed_space(
    path: str, latents: Latents, z_dim: int, w_dim: int, num_layers: int
) -> tuple[str, str]:
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
            "are, --latent_space says so: z, w or wp"
        )
    if values.ndim == 3 and shape[1] > 1 and key != "z":
        return "wp", ""
    of_layers = names is None and shape[:-1] == [num_layers]
    w, other = ("wp", "w reads codes of w") if of_layers else ("w", "z reads codes of z")
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
            f"of random z is about {usual:.3g}; expected --latent_space {may_be}: add it"
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
                f"--class_index {class_index} is not a class of this network; expected {known}"
            )
        labels[:, class_index] = 1
    elif label_dim:
        print(f"no --class_index given: all {label_dim} labels are zero")
    return labels


# The command line ---------------------------------------------------------------------------------


def add_code_options(parser: argparse.ArgumentParser) -> None:
    """--seed, --latent_path, --latent_space, --class_index, --trunc_psi and --trunc_layers, for
    `Codes`."""
    add = parser.add_argument
    add("--seed", type=seed, default=4, help="seed of the random latent codes")
    add(
        "--latent_path",
        help="latent codes of your own instead: .npy, .npz, .pt or .pkl, such as an encoder or a "
        "projector writes; [N, z_dim] of z, [N, w_dim] of w, [N, L, w_dim] or [L, w_dim] of w+",
    )
    add(
        "--latent_space",
        choices=("auto", *SPACES),
        default="auto",
        help="what they are; wp: w+. auto: w or w+ under the keys w, dlatents and latent, z under "
        "z; elsewhere three "
        "dimensions are w+, and of two the length of the rows decides, if it can",
    )
    add(
        "--class_index",
        type=not_negative_int,
        help="class, of z codes only, for networks with labels (default: all labels zero)",
    )
    add(
        "--trunc_psi",
        type=finite_float,
        default=1.0,
        help="truncation, of z codes only: how far from the mean of w; 1 is off",
    )
    add(
        "--trunc_layers",
        type=positive_int,
        help="truncate this many layers, from the first (default: all)",
    )


class Codes:
    """The latent codes of a run, of z or w+: those of --latent_path, or random ones."""

    def __init__(
        self, options: argparse.Namespace, network: Any, latents: Latents | None, default_num: int
    ) -> None:
        """`latents` are what --latent_path holds, if given, of which all are taken by default;
        `default_num` is that of random codes. Sets options.total_num. Raises InputError for options
        that do not fit them or the network.
        """
        self.options, self.network = options, network
        self.space, self.names = "z", None
        if options.trunc_layers and options.trunc_psi == 1:
            raise InputError(
                f"--trunc_layers {options.trunc_layers} without --trunc_psi; expected both: add, "
                "for example, --trunc_psi 0.7"
            )
        if (options.trunc_layers or 0) > network.num_layers:
            raise InputError(
                f"--trunc_layers {options.trunc_layers}; expected {network.num_layers} at most, as "
                "this network has"
            )
        if latents is None:
            if options.latent_space != "auto":
                raise InputError(
                    f"--latent_space {options.latent_space} without --latent_path; expected both: "
                    "name the file of the codes"
                )
            self.values = random_codes(
                options.seed, options.total_num or default_num, network.z_dim
            )
        else:
            self.space, values = codes_for_network(
                options.latent_path,
                latents,
                options.latent_space,
                network.z_dim,
                network.w_dim,
                network.num_layers,
            )
            if (options.total_num or 0) > len(values):
                raise InputError(
                    f"--total_num {options.total_num} of {options.latent_path}; expected at most "
                    f"{len(values)}, the number of its codes"
                )
            self.values = values[: options.total_num]
            self.names = latents.names and latents.names[: options.total_num]
        options.total_num = len(self.values)
        if self.space == "z":
            self.labels = class_labels(options.class_index, len(self.values), network.label_dim)
            return
        for option, off in (("trunc_psi", 1), ("class_index", None), ("compute_z", False)):
            if getattr(options, option, off) != off:
                raise InputError(
                    f"--{option} with the {SPACES[self.space]} codes of {options.latent_path}; "
                    "expected z codes with it: leave it out"
                )

    def w_plus(self, samples: slice = slice(None)) -> np.ndarray:
        """w+ [N, L, w_dim] of some samples: from z mapped and truncated, else as they are."""
        if self.space != "z":
            return self.values[samples]
        ws = self.network.mapping(self.values[samples], self.labels[samples])
        return self.network.truncate(ws, self.options.trunc_psi, self.options.trunc_layers)

"""BigGAN and BigGAN-deep as plain data: the settings of all their programs, and the arrays by name.

    embedding                           [label_dim, E]; a network of tables lacks it, and the label
                                        itself is what they are multiplied by
    linear/weight, /bias                [in, 4 4 C], laid out [4, 4, C]
    {block}/norm{k}/gain, /bias         [condition, C] each: a gain of 1 + condition @ gain
                   /mean, /variance     [C], or [truncations, C]
    {block}/conv{k}/weight, /bias       [k, k, in, out], [out]
    {block}/shortcut/weight, /bias      [1, 1, in, out], [out]; deep networks have none
    {block}/attention/theta, /phi, /g, /o   [in, out], after that block, where there is one
                   /gamma               []
    output/norm/gain, /bias, /mean, /variance   [C] (the last two as above); no 1 is added
    output/weight, /bias                [3, 3, in, 3], [3]

Matrices are already divided by their spectral norms. Where a condition is of z and of the class,
z comes first. A BigGAN's convolutions are numbered 0 and 1, a deep one's 0 to 3, as its norms.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from dnnlib.containers.named_arrays import MAX_DIMENSIONS
from dnnlib.errors import InputError
from dnnlib.record import MAX_RESOLUTION, Layer, NetworkRecord

MOST_BLOCKS = 2 * (MAX_RESOLUTION.bit_length() - 3)


class Slot(NamedTuple):
    """What the first layer, or the batch norms of a block, read of a code [z, class]."""

    start: int  # the first number of z
    stop: int  # that after the last one
    reads_class: bool


@dataclass(frozen=True, kw_only=True)
class BigGANRecord(NetworkRecord):
    """A BigGAN generator as plain data."""

    family = "biggan"
    space = "z"

    # hierarchical: a chunk of z for each slot; deep: all of z in each; flat: z in the first alone.
    variant: Literal["hierarchical", "deep", "flat"]
    up_samples: tuple[bool, ...]  # of each block
    epsilon: float  # of the batch norms in the blocks
    output_epsilon: float
    z_is_truncated: bool  # drawn from the normal distribution cut at 2, then scaled
    truncation: float = 1.0  # that the statistics are those of

    @property
    def slots(self) -> list[Slot]:
        """That of the first layer, then one for each block."""
        blocks, z_dim = len(self.up_samples), self.z_dim
        if self.variant == "deep":
            return [Slot(0, z_dim, True)] * (blocks + 1)
        if self.variant == "flat":
            return [Slot(0, z_dim, False)] + [Slot(0, 0, True)] * blocks
        size = z_dim // (blocks + 1)
        return [Slot(i * size, (i + 1) * size, i > 0) for i in range(blocks + 1)]

    @property
    def num_layers(self) -> int:
        """How many vectors a code has: one for each slot, but one in all for a flat network, of
        which z is read once."""
        return 1 if self.variant == "flat" else len(self.slots)

    @property
    def embedding_dim(self) -> int:
        """E: how many numbers of a code are those of the class."""
        return self.arrays["embedding"].shape[1] if "embedding" in self.arrays else self.label_dim

    @property
    def num_truncations(self) -> int:
        """How many sets of statistics there are."""
        mean = self.arrays["output/norm/mean"]
        return len(mean) if mean.ndim == 2 else 1

    @property
    def layers(self) -> list[Layer]:
        """The first layer, the blocks, each perhaps with attention, and the last convolution."""
        arrays, size = self.arrays, 4
        inputs, outputs = arrays["linear/weight"].shape
        flat, chunked = self.variant == "flat", self.variant == "hierarchical"
        reads = [f", z {slot.start} to {slot.stop - 1}" if chunked else "" for slot in self.slots]
        found = [Layer(0, 4, f"first layer{reads[0]}", inputs, outputs // 16)]
        last = 3 if self.variant == "deep" else 1
        for i, up in enumerate(self.up_samples):
            size *= 1 + up
            channels = arrays[f"{i}/norm0/mean"].shape[-1]
            outputs = arrays[f"{i}/conv{last}/weight"].shape[3]
            kind = ("up-sampling" if up else "block") + reads[i + 1]
            found.append(Layer(None if flat else i + 1, size, kind, channels, outputs))
            if f"{i}/attention/gamma" in arrays:
                found.append(Layer(None, size, "attention", outputs, outputs))
        return [*found, Layer(None, size, "to RGB", *arrays["output/weight"].shape[2:])]

    def facts(self) -> dict[str, str]:
        """What is BigGAN's alone."""
        texts = {
            "hierarchical": "a chunk of z for the first layer and for each block",
            "deep": "BigGAN-deep: all of z for each block",
            "flat": "z for the first layer alone",
        }
        chunk = f", {self.slots[0].stop} numbers each" if self.variant == "hierarchical" else ""
        sets = self.num_truncations
        return {
            "architecture": f"{self.variant} ({texts[self.variant]}{chunk})",
            "classes": f"{self.label_dim}, embedded in {self.embedding_dim} numbers"
            if "embedding" in self.arrays
            else f"{self.label_dim}, in tables",
            "truncation": f"{sets} sets of statistics, for multiples of {1 / (sets - 1):g}"
            if sets > 1
            else "of z alone: one set of statistics",
        }

    def at_truncation(self, psi: float) -> "BigGANRecord":
        """The network with the statistics of truncation psi, where it has several sets of them.

        Between two sets s[i] and s[i + 1] they are interpolated as BigGAN-deep's programs do it,
        f s[i] + (1 - f) s[i + 1] at i + f, with the weights the wrong way round. Raises InputError
        if psi is not above 0 and at most 1.
        """
        if not 0 < psi <= 1:
            raise InputError(f"truncation {psi:g}; expected above 0, and 1 at most", "trunc_psi")
        if self.num_truncations == 1:
            return dataclasses.replace(self, truncation=psi)
        place = psi / (1.0 / (self.num_truncations - 1))
        low, fraction = int(place), place - int(place)
        arrays = dict(self.arrays)
        for name, sets in self.arrays.items():
            if name.endswith(("/mean", "/variance")):
                at = sets[low]
                if fraction:
                    at = fraction * sets[low] + (1 - fraction) * sets[low + 1]
                arrays[name] = np.asarray(at, np.float32)
        return dataclasses.replace(self, arrays=arrays, truncation=psi)

    def check_settings(self) -> None:
        super().check_settings()
        self.check_numbers(z_dim=(1, MAX_DIMENSIONS), label_dim=(1, 1 << 16))
        if not 0 < len(self.up_samples) <= MOST_BLOCKS:
            raise InputError(
                f"has {len(self.up_samples)} blocks; expected one at least, and at most "
                f"{MOST_BLOCKS}"
            )
        if self.resolution > MAX_RESOLUTION:
            raise InputError(f"makes {self.resolution} pixels; expected {MAX_RESOLUTION} at most")
        if self.variant == "hierarchical" and self.z_dim % (len(self.up_samples) + 1):
            raise InputError(
                f"has z of {self.z_dim} numbers; expected a chunk of as many for the first layer "
                f"and each of its {len(self.up_samples)} blocks"
            )

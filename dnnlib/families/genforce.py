"""What the readers of genforce's checkpoints share: old ones (genforce, SeFa), Hammer's (ReSeFa).

A torch file with state dicts of generator, discriminator and generator_smooth, the averaged
generator; old: at the top, or under `models`; Hammer's: under `models`, and under
`model_kwargs_init` the settings of each. What is not in the settings, and all of an old file, has
its default. Weights are [out, in] and [out, in, k, k] and raw: the program applies the scales.

    w_avg                               [w_dim]; old: truncation.w_avg
    mapping.dense{i}.weight, .bias      [out, in], [out]: times lr_mul gain / sqrt(in), lr_mul
    mapping.label_weight                [label_dim, z_dim], as it is: old, as in TensorFlow's
                                        programs; z and the embedding are normalized together
    mapping.LabelEmbed.weight, .bias    [z_dim, label_dim], [z_dim]: times 1 / sqrt(label_dim), 1;
                                        old, of StyleGAN2-ADA; normalized each
    mapping.embedding.weight, .bias     the same of Hammer; settings say whether there is a bias and
                                        a scale, and how it is normalized
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, flip, read_rows
from dnnlib.record import MAX_MAPPING_LAYERS, check_mapping_layers

SETTINGS_KEY = "model_kwargs_init"  # what a Reader of these files puts beside the arrays
ADVICE = "expected a generator as genforce's programs save it"
# Settings that show in the arrays, or change nothing.
HARMLESS = [
    "model_type",
    "resolution",
    "z_dim",
    "w_dim",
    "mapping_layers",
    "mapping_fmaps",
    "embedding_dim",
    "label_dim",
    "image_channels",
    "fmaps_base",
    "fmaps_max",
]
FIXED: dict[str, tuple] = {
    "repeat_w": (True,),
    "final_tanh": (False,),
    "init_res": (4,),
    "eps": (1e-8,),
    "mapping_use_wscale": (True,),
    "embedding_lr_mul": (1,),
    "embedding_wscale_gian": (1,),  # so spelled
    "use_wscale": (True,),
    "lr_mul": (1,),
    "noise_type": ("spatial",),
    "demodulate": (True,),
    "const_input": (True,),
}
Normalization = Literal["joint", "separate"]


@dataclass(frozen=True)
class MappingSettings:
    """Settings of the mapping of StyleGAN2 and 3, with the programs' defaults."""

    mapping_lr_mul: float = 0.01
    embedding_bias: bool = True
    embedding_use_wscale: bool = True
    normalize_z: bool = True
    normalize_embedding: bool = True
    normalize_embedding_latent: bool = False

    def normalization(self, label_dim: int) -> tuple[bool, Normalization]:
        """Whether anything is normalized, and how. Raises InputError if it is another way than z
        and the embedding each, or the two as one."""
        z, embedding, both = (
            self.normalize_z,
            self.normalize_embedding,
            self.normalize_embedding_latent,
        )
        if not label_dim and not both:
            return z, "separate"
        if label_dim and (z, embedding, both) == (True, True, False):
            return True, "separate"
        if label_dim and (z, embedding, both) == (False, False, True):
            return True, "joint"
        raise InputError(
            "its settings normalize_z, normalize_embedding and normalize_embedding_latent are "
            f"{z}, {embedding} and {both}; expected z and the embedding normalized each, or "
            f"together: {ADVICE}"
        )


class Checkpoint:
    """The arrays of a generator, and its settings if the file has some."""

    def __init__(self, generator: dict[str, Any], memory: Memory) -> None:
        given = generator.pop(SETTINGS_KEY, None)
        self.settings: Mapping[str, Any] = given if isinstance(given, dict) else {}
        self.source = NamedArrays(generator.items(), memory)
        self.is_hammer = isinstance(given, dict) or "w_avg" in self.source

    def count(self, pattern: str) -> int:
        """How many arrays are there from number 0 on."""
        numbers = range(len(self.source.names()) + 1)
        return next(i for i in numbers if pattern.format(i) not in self.source)

    def take_w_avg(self, arrays: dict[str, np.ndarray], w_dim: int) -> None:
        """Raises InputError if there is one for each layer."""
        name = "w_avg" if "w_avg" in self.source else "truncation.w_avg"
        found = self.source.shape(name) or ()
        if len(found) == 1 and found[0] > w_dim:
            raise InputError(
                f"its {name} has {found[0]} numbers for a w of {w_dim}, as where repeat_w is "
                f"False; expected one w for all layers: {ADVICE}"
            )
        arrays["w_avg"] = self.source.take(name, (w_dim,))

    def sizes_of_mapping(self) -> tuple[int, int]:
        """z_dim and label_dim."""
        inputs = self.source.sizes("mapping.dense0.weight", 2)[1]
        name, axis = self._embedding_name()
        if name is None:
            return inputs, 0
        shape = self.source.sizes(name, 2)
        return inputs - shape[1 - axis], shape[axis]

    def _embedding_name(self) -> tuple[str | None, int]:
        """The array of the labels' embedding, and which of its axes counts the labels."""
        names = {
            "mapping.label_weight": 0,
            "mapping.embedding": 0,
            "mapping.LabelEmbed.weight": 1,
            "mapping.embedding.weight": 1,
        }
        return next(
            ((name, axis) for name, axis in names.items() if name in self.source), (None, 0)
        )

    def take_embedding(
        self, arrays: dict[str, np.ndarray], has_bias: bool = True, is_scaled: bool = True
    ) -> None:
        """That of the labels, where there are any, as mapping/embed. An embedding [label_dim, E] is
        neither scaled nor does it have a bias."""
        name, axis = self._embedding_name()
        if name is None:
            return
        labels, size = self.source.sizes(name, 2)[:: 1 if axis == 0 else -1]
        scale = 1 / math.sqrt(labels) if axis == 1 and is_scaled else 1.0
        weight = self.source.take(name, (labels, size) if axis == 0 else (size, labels), scale)
        arrays["mapping/embed/weight"] = np.ascontiguousarray(weight if axis == 0 else weight.T)
        bias = np.zeros(size, np.float32)
        if axis == 1 and has_bias:
            bias = self.source.take(name.replace(".weight", ".bias"), (size,))
        arrays["mapping/embed/bias"] = bias

    def take_dense_layers(
        self, arrays: dict[str, np.ndarray], lr_mul: float, gain: float, w_dim: int
    ) -> int:
        """Those of the mapping; gives their number."""
        layers = min(self.count("mapping.dense{}.weight"), MAX_MAPPING_LAYERS + 1)
        check_mapping_layers(layers)
        inputs = self.source.sizes("mapping.dense0.weight", 2)[1]
        for i in range(layers):
            outputs = w_dim if i == layers - 1 else None
            self.take_rows(
                f"mapping.dense{i}.",
                f"mapping/{i}",
                arrays,
                dense("weight", "weight", outputs, inputs, lr_mul * gain),
                Row("bias", "bias", (None,), lr_mul),
            )
            inputs = arrays[f"mapping/{i}/weight"].shape[1]
        return layers

    def take_rows(self, prefix: str, layer: str, arrays: dict[str, np.ndarray], *rows: Row) -> None:
        read_rows(rows, self.source, prefix, arrays, layer)

    def take_mapping(
        self, arrays: dict[str, np.ndarray], settings: MappingSettings, w_dim: int
    ) -> None:
        """w_avg, the embedding and the dense layers of StyleGAN2 and 3."""
        self.take_w_avg(arrays, w_dim)
        self.take_embedding(arrays, settings.embedding_bias, settings.embedding_use_wscale)
        self.take_dense_layers(arrays, settings.mapping_lr_mul, 1.0, w_dim)

    def take_last_output(
        self, prefix: str, last: int, arrays: dict[str, np.ndarray], shape: tuple[int, int]
    ) -> None:
        """The output of block `last`, a convolution of this shape [channels, in], scaled by 1 /
        sqrt(in), and its bias, as rgb; those of the blocks before are not used."""
        for b in range(last):
            for part in ("weight", "bias"):
                self.source.skip(f"{prefix}output{b}.{part}")
        scale = 1 / math.sqrt(shape[1])
        self.take_rows(
            f"{prefix}output{last}.",
            "rgb",
            arrays,
            Row("weight", "weight", (*shape, 1, 1), scale, lambda weight: weight[:, :, 0, 0].T),
            Row("bias", "bias", shape[:1]),
        )

    def expect_filter(self, name: str, taps: tuple[float, ...], total: float) -> None:
        """Take a filter that must be the usual one, outer(taps, taps) of this sum, if it is there.
        Raises InputError if it is another."""
        if name not in self.source:
            return
        line = np.asarray(taps) / sum(taps)
        found = self.source.take(name, self.source.shape(name) or ())
        usual = np.outer(line, line) * total
        if found.shape[-2:] != usual.shape or not np.allclose(found, usual, atol=1e-6):
            raise InputError(f"its filter {name} is not that of {taps}; {ADVICE}")


def dense(target: str, source: str, outputs: int | None, inputs: int, gain: float = 1.0) -> Row:
    """A matrix [out, in] as [in, out], scaled by gain / sqrt(in)."""
    return Row(target, source, (outputs, inputs), gain / math.sqrt(inputs), np.transpose)


def kernel(outputs: int | None, inputs: int, size: int, scale: float, flips: bool = False) -> Row:
    """A convolution's weight [out, in, k, k] as [k, k, in, out]."""

    def change(weight: np.ndarray) -> np.ndarray:
        turned = weight.transpose(2, 3, 1, 0)
        return flip(turned) if flips else turned

    return Row("weight", "weight", (outputs, inputs, size, size), scale, change)

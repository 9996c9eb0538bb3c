"""Untrained BigGANs: where training starts, and what benchmarks run on."""

import itertools

import numpy as np

from dnnlib.families.biggan.record import BigGANRecord


def initial_biggan(
    channels: tuple[int, ...],
    chunk: int,
    classes: int,
    class_dim: int,
    attention_after: int,
    seed: int,
) -> BigGANRecord:
    """A hierarchical BigGAN whose activations stay of the size of 1.

    `channels` are those before the first block and after each; every layer reads `chunk` numbers
    of z; the attention stands after that many blocks.
    """
    blocks, arrays = len(channels) - 1, _Arrays(seed)
    arrays.add_normal("embedding", classes, class_dim)
    arrays.add_normal("linear/weight", chunk, 16 * channels[0])
    arrays["linear/bias"] = np.zeros(16 * channels[0], np.float32)
    for i, (inputs, outputs) in enumerate(itertools.pairwise(channels)):
        arrays.add_block(i, chunk + class_dim, inputs, outputs)
    arrays.add_attention(attention_after - 1, channels[attention_after])
    arrays["output/norm/gain"] = np.ones(channels[-1], np.float32)
    arrays["output/norm/bias"] = np.zeros(channels[-1], np.float32)
    arrays.add_statistics("output/norm", channels[-1])
    arrays.add_convolution("output", 3, channels[-1], 3)
    return BigGANRecord(
        z_dim=chunk * (blocks + 1),
        label_dim=classes,
        resolution=4 * 2**blocks,
        num_channels=3,
        arrays=dict(arrays),
        variant="hierarchical",
        up_samples=(True,) * blocks,
        epsilon=1e-4,
        output_epsilon=1e-5,
        z_is_truncated=False,
    )


class _Arrays(dict[str, np.ndarray]):
    """Arrays by name, filled with random numbers."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed))

    def add_normal(self, name: str, *shape: int, scale: float = 1.0) -> None:
        values = self._random.standard_normal(shape, np.float32)
        self[name] = values * np.float32(scale / np.sqrt(np.prod(shape[:-1])))

    def add_convolution(
        self, name: str, kernel: int, inputs: int, outputs: int, scale: float = 1.0
    ) -> None:
        self.add_normal(f"{name}/weight", kernel, kernel, inputs, outputs, scale=scale)
        self[f"{name}/bias"] = np.zeros(outputs, np.float32)

    def add_statistics(self, name: str, size: int) -> None:
        self[f"{name}/mean"] = np.zeros(size, np.float32)
        self[f"{name}/variance"] = np.ones(size, np.float32)

    def add_block(self, i: int, condition: int, inputs: int, outputs: int) -> None:
        for k, size in enumerate((inputs, outputs)):
            for part in ("gain", "bias"):
                self.add_normal(f"{i}/norm{k}/{part}", condition, size)
            self.add_statistics(f"{i}/norm{k}", size)
        self.add_convolution(f"{i}/conv0", 3, inputs, outputs)
        self.add_convolution(f"{i}/conv1", 3, outputs, outputs, scale=0.5)
        self.add_convolution(f"{i}/shortcut", 1, inputs, outputs, scale=0.7)

    def add_attention(self, i: int, channels: int) -> None:
        sizes = {"theta": channels // 8, "phi": channels // 8, "g": channels // 2}
        for part, size in sizes.items():
            self.add_normal(f"{i}/attention/{part}", channels, size)
        self.add_normal(f"{i}/attention/o", channels // 2, channels)
        self[f"{i}/attention/gamma"] = np.full((), 0.5, np.float32)

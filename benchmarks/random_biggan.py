"""BigGANs with random weights and the published channels, of any size: for benchmarks."""

import itertools

import numpy as np

from dnnlib.families.biggan.record import BigGANRecord

_MULTIPLES = {  # of ch, before the first block and after each
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
_CHUNKS = {64: 20, 128: 20, 256: 20, 512: 16}  # numbers of z that each layer reads
_CLASSES, _CLASS_DIM = 1000, 128
_ATTENTION_AFTER = {64: 2, 128: 3, 256: 4, 512: 3}  # blocks


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


def random_biggan(resolution: int, ch: int = 96, seed: int = 1) -> BigGANRecord:
    """A hierarchical BigGAN whose activations stay of the size of 1."""
    channels = [ch * multiple for multiple in _MULTIPLES[resolution]]
    chunk, blocks, arrays = _CHUNKS[resolution], len(channels) - 1, _Arrays(seed)
    arrays.add_normal("embedding", _CLASSES, _CLASS_DIM)
    arrays.add_normal("linear/weight", chunk, 16 * channels[0])
    arrays["linear/bias"] = np.zeros(16 * channels[0], np.float32)
    for i, (inputs, outputs) in enumerate(itertools.pairwise(channels)):
        arrays.add_block(i, chunk + _CLASS_DIM, inputs, outputs)
    after = _ATTENTION_AFTER[resolution]
    arrays.add_attention(after - 1, channels[after])
    arrays["output/norm/gain"] = np.ones(channels[-1], np.float32)
    arrays["output/norm/bias"] = np.zeros(channels[-1], np.float32)
    arrays.add_statistics("output/norm", channels[-1])
    arrays.add_convolution("output", 3, channels[-1], 3)
    return BigGANRecord(
        z_dim=chunk * (blocks + 1),
        label_dim=_CLASSES,
        resolution=resolution,
        num_channels=3,
        arrays=dict(arrays),
        variant="hierarchical",
        up_samples=(True,) * blocks,
        epsilon=1e-4,
        output_epsilon=1e-4,
        z_is_truncated=True,
    )
